//! Whether an expression can be evaluated: names, types and functions, all known before the first request.
//!
//! The library that evaluates finds a slip of the pen when it comes to it, which is at a request, and a policy that
//! fails at a request has denied it. So everything is given a type here and every name is looked up. There are no
//! loops: an expression costs what it is long.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators};
use regex::Regex;

use super::facts::{FACTS, Type, fact};
use crate::suggest;
use crate::violation::Problem;

/// Largest compiled program of one pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 18;

/// What was learned of a checked expression.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Header fields it looks at, in lower case.
    pub(super) headers: Vec<String>,
    /// Claims it looks at, with what each of them must be; `None` where it only matters whether one is there.
    pub(super) claims: Vec<(String, Option<Type>)>,
    /// Facts it looks at: `source.address`.
    pub(super) facts: Vec<&'static str>,
    /// Patterns, compiled.
    pub(super) patterns: Vec<(String, Regex)>,
}

/// Checks a whole condition.
pub(super) fn check(expression: &IdedExpr) -> Result<Asked, Problem> {
    let mut checker = Checker { asked: Asked::default() };
    match checker.type_of(expression)? {
        Type::Bool => Ok(checker.asked),
        other => Err(Problem::new(format!("is {}, not a yes or no", other.words()))
            .remedy("compare it with something: `request.method == 'GET'`")),
    }
}

struct Checker {
    asked: Asked,
}

impl Checker {
    fn type_of(&mut self, expression: &IdedExpr) -> Result<Type, Problem> {
        match &expression.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => Err(unknown(name)),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                for element in &list.elements {
                    self.expect(element, Type::Text)?;
                }
                Ok(Type::Texts)
            }
            Expr::Comprehension(_) => Err(Problem::new("uses a loop (`all`, `exists`, `map`, `filter`)")
                .remedy("write the cases out, or use `in [..]`")),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                Err(Problem::new("makes a map or a message, which nothing here takes"))
            }
        }
    }

    fn expect(&mut self, expression: &IdedExpr, wanted: Type) -> Result<(), Problem> {
        if let Some(claim) = claim(expression)? {
            return self.claim(claim, Some(wanted));
        }
        let found = self.type_of(expression)?;
        if found == wanted {
            return Ok(());
        }
        Err(Problem::new(format!("has {} where {} is wanted", found.words(), wanted.words())))
    }

    fn select(&mut self, select: &SelectExpr) -> Result<Type, Problem> {
        if is_fact(&select.operand, "request.headers") {
            self.header(&select.field)?;
            return Ok(if select.test { Type::Bool } else { Type::Text });
        }
        if is_fact(&select.operand, "request.auth.claims") {
            self.claim(&select.field, (!select.test).then_some(Type::Text))?;
            return Ok(if select.test { Type::Bool } else { Type::Text });
        }
        if let Some(object) = path(&select.operand) {
            let name = format!("{object}.{}", select.field);
            let known = fact(&name).ok_or_else(|| unknown(&name))?;
            match known.found {
                Type::Headers | Type::Claims if select.test => return Err(always(known.name)),
                Type::Headers => return Err(bare("headers", "request.headers['x-tenant']")),
                Type::Claims => return Err(bare("claims", "request.auth.claims['roles']")),
                Type::Bool | Type::Text | Type::Int | Type::Texts => {}
            }
            if select.test && !known.may_be_absent {
                return Err(always(known.name));
            }
            self.asked.facts.push(known.name);
            return Ok(if select.test { Type::Bool } else { known.found });
        }
        Err(Problem::new(format!("asks something for its field `{}` that has none", select.field)))
    }

    fn header(&mut self, name: &str) -> Result<(), Problem> {
        let lower = name.to_ascii_lowercase();
        if lower != name {
            return Err(Problem::new(format!("asks for header `{name}`"))
                .remedy(format!("names of headers are in lower case here: `{lower}`")));
        }
        self.asked.headers.push(lower);
        Ok(())
    }

    /// Notes that a claim is looked at. One that is two things in one condition could never be both.
    fn claim(&mut self, name: &str, wanted: Option<Type>) -> Result<(), Problem> {
        match self.asked.claims.iter_mut().find(|(known, _)| known == name) {
            None => self.asked.claims.push((name.to_owned(), wanted)),
            Some((_, known)) => match (*known, wanted) {
                (Some(before), Some(now)) if before != now => {
                    let text = format!("takes claim `{name}` for {} and for {}", before.words(), now.words());
                    return Err(Problem::new(text));
                }
                (None, Some(_)) => *known = wanted,
                (Some(_) | None, _) => {}
            },
        }
        Ok(())
    }

    fn equal(&mut self, left: &IdedExpr, right: &IdedExpr) -> Result<Type, Problem> {
        let (one, other) = if claim(left)?.is_some() { (right, left) } else { (left, right) };
        let found = self.type_of(one)?;
        self.expect(other, found).map(|()| Type::Bool)
    }

    fn call(&mut self, call: &CallExpr) -> Result<Type, Problem> {
        use operators as op;
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR, None, [left, right]) => {
                self.expect(left, Type::Bool)?;
                self.expect(right, Type::Bool)?;
                Ok(Type::Bool)
            }
            (op::LOGICAL_NOT, None, [of]) => self.expect(of, Type::Bool).map(|()| Type::Bool),
            (op::EQUALS | op::NOT_EQUALS, None, [left, right]) => self.equal(left, right),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, None, [left, right]) => {
                self.expect(left, Type::Int)?;
                self.expect(right, Type::Int).map(|()| Type::Bool)
            }
            (op::IN, None, [name, map]) if is_fact(map, "request.headers") => {
                let name = literal_text(name).ok_or_else(|| computed("header"))?;
                self.header(name).map(|()| Type::Bool)
            }
            (op::IN, None, [name, map]) if is_fact(map, "request.auth.claims") => {
                let name = literal_text(name).ok_or_else(|| computed("claim"))?;
                self.claim(name, None).map(|()| Type::Bool)
            }
            (op::IN, None, [element, list]) => {
                self.expect(element, Type::Text)?;
                self.expect(list, Type::Texts).map(|()| Type::Bool)
            }
            (op::INDEX, None, [map, name]) if is_fact(map, "request.headers") => {
                let name = literal_text(name).ok_or_else(|| computed("header"))?;
                self.header(name).map(|()| Type::Text)
            }
            (op::INDEX, None, [map, name]) if is_fact(map, "request.auth.claims") => {
                let name = literal_text(name).ok_or_else(|| computed("claim"))?;
                self.claim(name, Some(Type::Text)).map(|()| Type::Text)
            }
            (op::CONDITIONAL, None, [asked, yes, no]) => {
                self.expect(asked, Type::Bool)?;
                let yes = self.type_of(yes)?;
                self.expect(no, yes).map(|()| yes)
            }
            (op::ADD, None, [left, right]) => {
                let left = self.type_of(left)?;
                if !matches!(left, Type::Int | Type::Text) {
                    return Err(Problem::new("adds what is neither text nor a number"));
                }
                self.expect(right, left).map(|()| left)
            }
            (op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, None, [left, right]) => {
                self.expect(left, Type::Int)?;
                self.expect(right, Type::Int).map(|()| Type::Int)
            }
            (op::NEGATE, None, [of]) => self.expect(of, Type::Int).map(|()| Type::Int),
            ("contains" | "startsWith" | "endsWith", Some(text), [part]) => {
                self.expect(text, Type::Text)?;
                self.expect(part, Type::Text).map(|()| Type::Bool)
            }
            ("matches", Some(text), [pattern]) => self.matches(text, pattern),
            ("size", Some(of), []) | ("size", None, [of]) => match self.type_of(of)? {
                Type::Text | Type::Texts => Ok(Type::Int),
                other => Err(Problem::new(format!("asks {} for its size", other.words()))),
            },
            ("int", None, [of]) => self.expect(of, Type::Text).map(|()| Type::Int),
            ("string", None, [of]) => self.expect(of, Type::Int).map(|()| Type::Text),
            _ => Err(unknown_function(name)),
        }
    }

    fn matches(&mut self, text: &IdedExpr, pattern: &IdedExpr) -> Result<Type, Problem> {
        self.expect(text, Type::Text)?;
        let Some(written) = literal_text(pattern) else {
            return Err(Problem::new("computes a pattern")
                .remedy("write the pattern of `matches` as a text, so that it can be compiled beforehand"));
        };
        let built = regex::RegexBuilder::new(written).size_limit(PATTERN_BYTES_MAX).nest_limit(64).build();
        let regex = built.map_err(|_| {
            Problem::new(format!(
                "`{written}` is not a pattern, or compiles to more than {PATTERN_BYTES_MAX} bytes"
            ))
        })?;
        self.asked.patterns.push((written.to_owned(), regex));
        Ok(Type::Bool)
    }
}

fn literal_type(literal: &LiteralValue) -> Result<Type, Problem> {
    match literal {
        LiteralValue::Boolean(_) => Ok(Type::Bool),
        LiteralValue::Int(_) => Ok(Type::Int),
        LiteralValue::String(_) => Ok(Type::Text),
        LiteralValue::Bytes(_) | LiteralValue::Double(_) | LiteralValue::Null | LiteralValue::UInt(_) => {
            Err(Problem::new("has a literal of a type that nothing here is of")
                .remedy("use texts in quotes, whole numbers, `true` and `false`"))
        }
    }
}

fn literal_text(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// The name of what is nothing but names: `request.auth`.
fn path(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => Some(format!("{}.{}", path(&select.operand)?, select.field)),
        _ => None,
    }
}

fn is_fact(expression: &IdedExpr, name: &str) -> bool {
    path(expression).is_some_and(|path| path == name)
}

/// The claim whose value an expression is, which may be of any type.
fn claim(expression: &IdedExpr) -> Result<Option<&str>, Problem> {
    match &expression.expr {
        Expr::Select(select) if !select.test && is_fact(&select.operand, "request.auth.claims") => {
            Ok(Some(&select.field))
        }
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::INDEX, [map, name]) if is_fact(map, "request.auth.claims") => {
                literal_text(name).map(Some).ok_or_else(|| computed("claim"))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

fn bare(what: &str, one: &str) -> Problem {
    Problem::new(format!("uses all {what} at once")).remedy(format!("ask for one: `{one}`"))
}

fn computed(what: &str) -> Problem {
    Problem::new(format!("computes the name of a {what}")).remedy("write the name as a text")
}

fn always(name: &str) -> Problem {
    Problem::new(format!("asks whether `{name}` is there, which it always is")).remedy("leave `has` away")
}

fn unknown(name: &str) -> Problem {
    let names = || FACTS.iter().map(|fact| fact.name);
    let problem = Problem::new(format!("speaks of `{name}`, which there is not"));
    let list = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    problem.remedy(suggest::did_you_mean(name, names()).unwrap_or_else(|| format!("there are {list}")))
}

fn unknown_function(name: &str) -> Problem {
    Problem::new(format!("calls `{name}` in a way that is not known")).remedy(
        "there are contains, startsWith, endsWith, matches, size, int, string, has, in and the operators",
    )
}
