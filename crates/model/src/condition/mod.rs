//! A condition of a policy: an expression in CEL that says yes or no.
//!
//! It is read, bounded and given types where it is written, so that at a request nothing is left to go wrong but an
//! absent or unreadable value. Evaluating it is the engine's.

mod check;
mod facts;
mod guard;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cel::Program;
use regex::Regex;
use serde::{Deserialize, Serialize};

pub use facts::{FACTS, Fact, Type};
pub use guard::{CONDITION_BYTES_MAX, CONDITION_DEPTH_MAX};

use crate::violation::Problem;

/// A condition that can be evaluated.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct Condition {
    text: Arc<str>,
    compiled: Arc<Compiled>,
}

struct Compiled {
    program: Program,
    asked: check::Asked,
}

impl Condition {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The program to run.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.compiled.program
    }

    /// Header fields it looks at, in lower case.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.compiled.asked.headers.iter().map(String::as_str)
    }

    /// Claims it looks at, with what each of them must be; `None` where it only matters whether one is there.
    pub fn claims(&self) -> impl Iterator<Item = (&str, Option<Type>)> {
        self.compiled.asked.claims.iter().map(|(name, wanted)| (name.as_str(), *wanted))
    }

    /// Patterns it uses, by their text.
    pub fn patterns(&self) -> impl Iterator<Item = (&str, &Regex)> {
        self.compiled.asked.patterns.iter().map(|(text, regex)| (text.as_str(), regex))
    }

    /// Whether it looks at a fact: `source.address`.
    #[must_use]
    pub fn asks(&self, fact: &str) -> bool {
        self.compiled.asked.facts.contains(&fact)
    }

    /// Whether it speaks of requests, which connections that carry bytes do not have.
    #[must_use]
    pub fn is_of_requests(&self) -> bool {
        let of_requests = |name: &&str| FACTS.iter().any(|fact| fact.name == *name && !fact.of_connections);
        !self.compiled.asked.headers.is_empty()
            || !self.compiled.asked.claims.is_empty()
            || self.compiled.asked.facts.iter().any(of_requests)
    }
}

impl TryFrom<Arc<str>> for Condition {
    type Error = Problem;

    fn try_from(text: Arc<str>) -> Result<Self, Problem> {
        guard::admit(&text)?;
        let program = Program::compile(&text).map_err(|_| {
            Problem::new("is not an expression").remedy("write it in CEL: `request.method == 'GET'`")
        })?;
        let asked = check::check(program.expression())?;
        Ok(Condition { text, compiled: Arc::new(Compiled { program, asked }) })
    }
}

impl FromStr for Condition {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        Condition::try_from(Arc::<str>::from(text))
    }
}

impl From<Condition> for Arc<str> {
    fn from(condition: Condition) -> Self {
        condition.text
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({:?})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, words: &str) {
        let problem = text.parse::<Condition>().expect_err(text);
        let all = format!("{}; {}", problem.problem, problem.remedy.unwrap_or_default());
        assert!(all.contains(words), "{text}: {all}");
    }

    #[test]
    fn a_condition_tells_what_it_looks_at() {
        let condition: Condition =
            "request.headers['x-tenant'] == source.namespace && has(request.headers.b) \
             && request.path.matches('^/a') || source.address in ['10.0.0.1'] || 'c' in request.headers"
                .parse()
                .unwrap();

        assert_eq!(condition.headers().collect::<Vec<_>>(), ["x-tenant", "b", "c"]);
        assert!(condition.asks("source.address") && !condition.asks("source.workload"));
        assert_eq!(condition.patterns().map(|(text, _)| text).collect::<Vec<_>>(), ["^/a"]);
        assert!(condition.is_of_requests());
        assert!(
            !"destination.port == 80 && has(source.identity)".parse::<Condition>().unwrap().is_of_requests()
        );
    }

    #[test]
    fn what_is_done_with_a_claim_says_what_it_must_be() {
        let condition: Condition =
            "request.auth.claims['tier'] == 'gold' && 'admin' in request.auth.claims.roles \
             && request.auth.claims.level > 3 && request.auth.claims.email.endsWith('@bank.example') \
             && (request.auth.claims['verified'] || has(request.auth.claims.exempt)) \
             && !('banned' in request.auth.claims) && request.auth.principal.startsWith('jwt:')"
                .parse()
                .unwrap();

        let claims: Vec<_> = condition.claims().collect();
        assert_eq!(
            claims,
            [
                ("tier", Some(Type::Text)),
                ("roles", Some(Type::Texts)),
                ("level", Some(Type::Int)),
                ("email", Some(Type::Text)),
                ("verified", Some(Type::Bool)),
                ("exempt", None),
                ("banned", None),
            ]
        );
        assert!(condition.asks("request.auth.principal") && condition.is_of_requests());
        refused("request.auth.claims == 'a'", "uses all claims at once");
        refused("request.auth.claims[request.path] == 'a'", "computes the name of a claim");
        refused("request.auth.claims.a == 'b' && request.auth.claims.a == 1", "takes claim `a` for");
        refused("request.auth.claim.a == 'b'", "which there is not");
        refused("has(request.auth.claims)", "always is");
        refused("request.auth == 'a'", "which there is not");
    }

    #[test]
    fn what_could_fail_at_a_request_is_refused_when_it_is_written() {
        refused("request.methd == 'GET'", "did you mean `request.method`?");
        refused("request.method", "is text, not a yes or no");
        refused("request.method == 1", "has a number where text is wanted");
        refused("request.method.matches('(')", "is not a pattern");
        refused("request.method.matches(request.path)", "computes a pattern");
        refused("request.headers[request.path] == 'a'", "computes the name");
        refused("request.headers['X-Tenant'] == 'a'", "`x-tenant`");
        refused("size(request.headers) > 1", "one: `request.headers['x-tenant']`");
        refused("request == request", "which there is not");
        refused("['a'].exists(x, x == request.path)", "loop");
        refused("request.path.foo() == 'a'", "calls `foo`");
        refused("has(request.path)", "always is");
        refused("request.path ==", "is not an expression");
        refused("1.5 == 1.5", "literal of a type");
        refused("timestamp('2020-01-01T00:00:00Z') == timestamp('')", "calls `timestamp`");
    }

    #[test]
    fn no_text_brings_the_reader_down() {
        for text in [
            "!!(!!(!!(!!(!!(true)))))",
            "((((((((((((((((true))))))))))))))))",
            "",
            "'",
            "a.b.c.d",
            "{}",
            "[]",
        ] {
            let _ = text.parse::<Condition>();
        }
    }
}
