//! The rules that a schema states as expressions (`x-kubernetes-validations`, in CEL).
//!
//! Only the expressions of the schemas in this program are ever compiled, never a user's text, so an expression
//! cannot be used to exhaust us. As in Kubernetes, a rule that cannot be evaluated counts as broken.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use cel::extractors::This;
use cel::objects::{Key, Map};
use cel::{Context, ExecutionError, Program, Value as Term};
use regex::Regex;
use serde_json::Value;

use super::{Fault, Finding, Schema, Shape};
use crate::path::FieldPath;
use crate::units::GatewayDuration;

/// One rule.
#[derive(Debug)]
pub struct Rule {
    pub(super) expression: Arc<Expression>,
    pub(super) message: Arc<str>,
    /// The field that is to blame, from where the rule stands (`fieldPath`); the root when it is the whole value.
    pub(super) field: FieldPath,
    /// Of what sort the fault is (`reason`).
    pub(super) fault: Fault,
}

impl Rule {
    /// What is wrong with a value at a place that breaks it.
    pub(super) fn finding(&self, at: &FieldPath) -> Finding {
        let mut field = at.clone();
        self.field.steps().iter().for_each(|step| field.push(step.clone()));
        Finding { fault: self.fault, field, problem: self.message.to_string(), remedy: None }
    }
}

/// What a rule says, compiled when it is first asked for: most rules are about fields that few people write.
#[derive(Debug)]
pub struct Expression {
    text: String,
    program: OnceLock<Program>,
}

impl Expression {
    pub(super) fn new(text: String) -> Self {
        Expression { text, program: OnceLock::new() }
    }

    /// Whether it speaks of a change: of what was before as well as of what is.
    pub(super) fn is_transition(&self) -> bool {
        self.text.contains("oldSelf")
    }

    /// # Panics
    /// When it cannot be compiled, which a test shows that compiles all of them.
    pub(super) fn program(&self) -> &Program {
        self.program.get_or_init(|| {
            Program::compile(&self.text).unwrap_or_else(|fault| panic!("rule {}: {fault}", self.text))
        })
    }
}

/// What every rule is evaluated in: the language, the functions that Kubernetes adds to it, and the patterns that rules
/// have met. Making it costs more than judging an object, and nothing of it is about an object.
static ROOT: LazyLock<Context<'static, 'static>> = LazyLock::new(root);

/// Evaluates rules.
#[derive(Clone, Copy)]
pub struct Judge {
    root: &'static Context<'static, 'static>,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}

impl Default for Judge {
    fn default() -> Self {
        Judge::new()
    }
}

/// The functions that Kubernetes has and the rules of our schemas use.
///
/// # Panics
/// When the library declares one of these functions itself, which a test would show.
fn root() -> Context<'static, 'static> {
    let mut root = Context::default();
    let patterns = Patterns::default();
    let added = [
        root.add_function("matches", move |This(text): This<Arc<String>>, pattern: Arc<String>| {
            patterns.is_match(&pattern, &text)
        }),
        root.add_function("duration", duration_millis),
        root.add_function("split", split),
        root.add_function("isIPv4", |text: Arc<String>| text.parse::<Ipv4Addr>().is_ok()),
        root.add_function("isIPv6", |text: Arc<String>| text.parse::<Ipv6Addr>().is_ok()),
    ];
    assert!(added.iter().all(Result::is_ok), "a function of the rules is declared twice: {added:?}");
    root
}

impl Judge {
    /// A judge; all are alike and cost nothing.
    #[must_use]
    pub fn new() -> Self {
        Judge { root: &ROOT }
    }

    /// The rules that a value breaks.
    pub(super) fn broken<'s>(&self, schema: &'s Schema, value: &Value) -> Vec<&'s Rule> {
        if schema.rules.is_empty() {
            return Vec::new();
        }
        let mut scope = self.root.new_inner_scope();
        scope.add_variable_from_value("self", term(schema, value));
        failing(&schema.rules, &scope)
    }

    /// The rules about a change that the step from one value to another breaks.
    pub(super) fn broken_by_change<'s>(
        &self,
        schema: &'s Schema,
        before: &Value,
        after: &Value,
    ) -> Vec<&'s Rule> {
        if schema.transitions.is_empty() {
            return Vec::new();
        }
        let mut scope = self.root.new_inner_scope();
        scope.add_variable_from_value("self", term(schema, after));
        scope.add_variable_from_value("oldSelf", term(schema, before));
        failing(&schema.transitions, &scope)
    }
}

fn failing<'s>(rules: &'s [Rule], scope: &Context<'_, '_>) -> Vec<&'s Rule> {
    let holds = |rule: &&Rule| matches!(rule.expression.program().execute(scope), Ok(Term::Bool(true)));
    rules.iter().filter(|rule| !holds(rule)).collect()
}

/// Patterns of rules, compiled once. They are literals of the schemas.
#[derive(Default)]
struct Patterns(Mutex<HashMap<String, Regex>>);

impl Patterns {
    fn is_match(&self, pattern: &str, text: &str) -> Result<bool, ExecutionError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = known.get(pattern) {
            return Ok(regex.is_match(text));
        }
        let regex = Regex::new(pattern).map_err(|fault| ExecutionError::function_error("matches", fault))?;
        let matched = regex.is_match(text);
        known.insert(pattern.to_owned(), regex);
        Ok(matched)
    }
}

/// Rules only compare durations, so whole milliseconds serve as well as a type of their own.
fn duration_millis(text: Arc<String>) -> Result<i64, ExecutionError> {
    let duration: GatewayDuration =
        text.parse().map_err(|fault| ExecutionError::function_error("duration", fault))?;
    i64::try_from(duration.get().as_millis())
        .map_err(|fault| ExecutionError::function_error("duration", fault))
}

fn split(This(text): This<Arc<String>>, separator: Arc<String>) -> Arc<Vec<Term>> {
    Arc::new(text.split(separator.as_str()).map(Term::from).collect())
}

/// A value as rules see it. Fields whose names are words of the language are escaped, keys of maps are not.
fn term(schema: &Schema, value: &Value) -> Term {
    match value {
        Value::Null => Term::Null,
        Value::Bool(flag) => Term::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Term::Int(whole),
            None => Term::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Term::String(Arc::new(text.clone())),
        Value::Array(elements) => {
            let inner = if let Shape::List(list) = &schema.shape { &list.items } else { schema };
            Term::List(Arc::new(elements.iter().map(|element| term(inner, element)).collect()))
        }
        Value::Object(map) => {
            let entries = map.iter().map(|(name, value)| entry(schema, name, value));
            Term::Map(Map { map: Arc::new(entries.collect()) })
        }
    }
}

fn entry(schema: &Schema, name: &str, value: &Value) -> (Key, Term) {
    let object = if let Shape::Object(object) = &schema.shape { Some(object) } else { None };
    match object.and_then(|object| object.fields.get(name)) {
        Some(field) if RESERVED.contains(&name) => (format!("__{name}__").into(), term(field, value)),
        Some(field) => (name.into(), term(field, value)),
        None => {
            let inner = object.and_then(|object| object.values.as_deref()).unwrap_or(schema);
            (name.into(), term(inner, value))
        }
    }
}

/// Words of the language that may not be used as names of fields.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
