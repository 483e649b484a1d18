//! Conditions at a request: the facts they ask for, and nothing else, handed to the expression.
//!
//! A fact that is absent is left out, so that asking for it is an error and not a comparison with nothing; a header
//! whose bytes are no text is an error before the expression begins. What an error means is the rule's to say.

use std::borrow::Cow;
use std::sync::Arc;

use cel::extractors::This;
use cel::objects::{Key, Map};
use cel::{Context, ExecutionError, Value};
use model::condition::{Condition, Type};
use serde_json::Value as Json;

use super::{Asked, Fault, Source};
use crate::request::HeaderView;

/// A condition ready to be evaluated.
pub(super) struct Evaluator {
    condition: Condition,
    /// With the functions that conditions have.
    root: Context<'static, 'static>,
}

impl Evaluator {
    pub(super) fn new(condition: &Condition) -> Evaluator {
        let patterns: Vec<(String, regex::Regex)> =
            condition.patterns().map(|(text, regex)| (text.to_owned(), regex.clone())).collect();
        let mut root = Context::default();
        let added =
            root.add_function("matches", move |This(text): This<Arc<String>>, pattern: Arc<String>| {
                let known = patterns.iter().find(|(written, _)| *written == *pattern);
                let known =
                    known.ok_or_else(|| ExecutionError::function_error("matches", "unknown pattern"))?;
                Ok::<bool, ExecutionError>(known.1.is_match(&text))
            });
        debug_assert!(added.is_ok(), "the library has a function of that name");
        Evaluator { condition: condition.clone(), root }
    }

    pub(super) fn condition(&self) -> &Condition {
        &self.condition
    }

    /// What the expression says.
    pub(super) fn holds<H: HeaderView>(&self, asked: &Asked<'_, H>) -> Result<bool, Fault> {
        let mut scope = self.root.new_inner_scope();
        scope.add_variable_from_value("request", self.request(asked)?);
        scope.add_variable_from_value("source", self.source(asked));
        scope.add_variable_from_value("destination", self.destination(asked));
        match self.condition.program().execute(&scope) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err(Fault::Failed),
            Err(ExecutionError::NoSuchKey(_)) => Err(Fault::Absent),
            Err(_) => Err(Fault::Failed),
        }
    }

    fn request<H: HeaderView>(&self, asked: &Asked<'_, H>) -> Result<Value, Fault> {
        let mut facts = Facts::default();
        let Some(request) = asked.request else { return Ok(facts.value()) };
        for (name, bytes) in [
            ("method", Some(request.method)),
            ("host", Some(request.host)),
            ("path", Some(request.path)),
            ("query", request.query),
        ] {
            if let Some(bytes) = bytes.filter(|_| self.condition.asks(&format!("request.{name}"))) {
                facts.text(name, std::str::from_utf8(bytes).map_err(|_| Fault::NotText)?);
            }
        }
        let mut headers = Facts::default();
        for name in self.condition.headers() {
            let mut joined: Option<Cow<'_, str>> = None;
            for value in request.headers.values(name.as_bytes()) {
                let text = std::str::from_utf8(value).map_err(|_| Fault::NotText)?;
                joined =
                    Some(joined.map_or(Cow::Borrowed(text), |before| format!("{before}, {text}").into()));
            }
            if let Some(text) = joined {
                headers.text(name, &text);
            }
        }
        facts.put("headers", headers.value());
        facts.put("auth", self.auth(asked.source)?);
        Ok(facts.value())
    }

    /// Who the caller was found to be. A claim that is something else than the condition takes it for is a fault and
    /// not a difference: `!=` would be true of it.
    fn auth(&self, source: &Source<'_>) -> Result<Value, Fault> {
        let (mut facts, mut claims) = (Facts::default(), Facts::default());
        source.principal.into_iter().for_each(|name| facts.text("principal", name));
        for (name, wanted) in self.condition.claims() {
            if let Some(claim) = source.claims.and_then(|claims| claims.get(name)) {
                claims.put(name, self::claim(name, claim, wanted)?);
            }
        }
        facts.put("claims", claims.value());
        Ok(facts.value())
    }

    fn source<H: HeaderView>(&self, asked: &Asked<'_, H>) -> Value {
        let source = asked.source;
        let mut facts = Facts::default();
        if let Some(address) = source.address.filter(|_| self.condition.asks("source.address")) {
            facts.text("address", &address.to_canonical().to_string());
        }
        if let Some(identity) = source.identity {
            facts.text("identity", identity.as_str());
            facts.text("trustDomain", identity.trust_domain());
            identity.namespace().into_iter().for_each(|name| facts.text("namespace", name));
            identity.service_account().into_iter().for_each(|name| facts.text("serviceAccount", name));
        }
        source.replica.into_iter().for_each(|name| facts.text("workload", name));
        source.principal.into_iter().for_each(|name| facts.text("principal", name));
        facts.value()
    }

    fn destination<H: HeaderView>(&self, asked: &Asked<'_, H>) -> Value {
        let mut facts = Facts::default();
        facts.put("port", Value::Int(i64::from(asked.destination.port)));
        asked.destination.server_name.into_iter().for_each(|name| facts.text("serverName", name));
        facts.value()
    }
}

/// A claim as what a condition takes it for. A text may stand for the list of it alone; `scope` is a list of words
/// (RFC 6749 section 3.3).
fn claim(name: &str, claim: &serde_json::Value, wanted: Option<Type>) -> Result<Value, Fault> {
    let text = |text: &str| Value::String(Arc::new(text.to_owned()));
    let list = |texts: Vec<Value>| Value::List(Arc::new(texts));
    match (wanted, claim) {
        (None, _) => Some(Value::Bool(true)),
        (Some(Type::Text), Json::String(claim)) => Some(text(claim)),
        (Some(Type::Int), Json::Number(number)) => number.as_i64().map(Value::Int),
        (Some(Type::Bool), Json::Bool(claim)) => Some(Value::Bool(*claim)),
        (Some(Type::Texts), Json::String(claim)) if name == "scope" => {
            Some(list(claim.split(' ').map(text).collect()))
        }
        (Some(Type::Texts), Json::String(claim)) => Some(list(vec![text(claim)])),
        (Some(Type::Texts), Json::Array(claims)) => {
            claims.iter().map(|claim| claim.as_str().map(text)).collect::<Option<Vec<_>>>().map(list)
        }
        (Some(_), _) => None,
    }
    .ok_or(Fault::Failed)
}

impl std::fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.condition.fmt(f)
    }
}

impl PartialEq for Evaluator {
    fn eq(&self, other: &Self) -> bool {
        self.condition == other.condition
    }
}

#[derive(Default)]
struct Facts(std::collections::HashMap<Key, Value>);

impl Facts {
    fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.into(), value);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.put(name, Value::String(Arc::new(text.to_owned())));
    }

    fn value(self) -> Value {
        Value::Map(Map { map: Arc::new(self.0) })
    }
}
