//! What must be so of a value: the core functions of Spectral.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use crate::check::{self, Direction, Where};
use crate::problem::quoted;
use crate::schema::Pattern;
use crate::schema::{SchemaId, Schemas};

/// What must be so.
pub(super) enum Function {
    Truthy,
    Falsy,
    Defined,
    Undefined,
    Pattern { fits: Option<Written>, fits_not: Option<Written> },
    Casing { casing: Casing, digits: bool },
    Length { min: Option<f64>, max: Option<f64> },
    Enumeration(Vec<Value>),
    Alphabetical { by: Option<String> },
    Xor(Vec<String>),
    Schema(Box<Schemas>, SchemaId),
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Function")
    }
}

/// A pattern, and how it was written.
pub(super) struct Written {
    pub text: String,
    pub pattern: Pattern,
}

/// How words are joined to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Casing {
    Flat,
    Camel,
    Pascal,
    Kebab,
    Cobol,
    Snake,
    Macro,
}

impl Casing {
    pub(super) const ALL: [(&'static str, Casing); 7] = [
        ("flat", Casing::Flat),
        ("camel", Casing::Camel),
        ("pascal", Casing::Pascal),
        ("kebab", Casing::Kebab),
        ("cobol", Casing::Cobol),
        ("snake", Casing::Snake),
        ("macro", Casing::Macro),
    ];

    fn word(self) -> &'static str {
        Casing::ALL.iter().find(|(_, casing)| *casing == self).map_or("", |(word, _)| word)
    }

    /// Whether a name is written so: words of letters of one case and digits, joined by the sign of the casing.
    fn holds(self, name: &str, digits: bool) -> bool {
        let lower = |c: char| c.is_ascii_lowercase() || (digits && c.is_ascii_digit());
        let upper = |c: char| c.is_ascii_uppercase() || (digits && c.is_ascii_digit());
        let any = |c: char| lower(c) || upper(c);
        let joined = |sign: char, of: &dyn Fn(char) -> bool| {
            name.split(sign).all(|word| !word.is_empty() && word.chars().all(of))
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        match self {
            Casing::Flat => name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(lower),
            Casing::Camel => name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(any),
            Casing::Pascal => name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(any),
            Casing::Kebab => joined('-', &lower),
            Casing::Cobol => joined('-', &upper),
            Casing::Snake => joined('_', &lower),
            Casing::Macro => joined('_', &upper),
        }
    }
}

impl Function {
    /// What is not so, one sentence's end each. Of values it does not speak of, a function says nothing.
    pub(super) fn faults(&self, value: Option<&Value>) -> Vec<String> {
        let fault = |is_fault: bool, what: &str| if is_fault { vec![what.to_owned()] } else { Vec::new() };
        match self {
            Function::Truthy => fault(!is_truthy(value), "must be there and say something"),
            Function::Falsy => fault(is_truthy(value), "must be empty, or not there"),
            Function::Defined => fault(value.is_none(), "must be there"),
            Function::Undefined => fault(value.is_some(), "must not be there"),
            Function::Pattern { fits, fits_not } => {
                let Some(text) = value.and_then(Value::as_str) else { return Vec::new() };
                let is_match = |written: &Written| written.pattern.is_match(text).unwrap_or(false);
                let wanted = fits.iter().filter(|written| !is_match(written));
                let unwanted = fits_not.iter().filter(|written| is_match(written));
                let wanted = wanted.map(|written| format!("must fit {}", quoted(&written.text)));
                wanted
                    .chain(unwanted.map(|written| format!("must not fit {}", quoted(&written.text))))
                    .collect()
            }
            Function::Casing { casing, digits } => {
                let name = value.and_then(Value::as_str).filter(|name| !name.is_empty());
                let is_fault = name.is_some_and(|name| !casing.holds(name, *digits));
                fault(is_fault, &format!("must be written in {} case", casing.word()))
            }
            Function::Length { min, max } => length_faults(value, *min, *max),
            Function::Enumeration(values) => {
                let Some(value) = value.filter(|value| !value.is_object() && !value.is_array()) else {
                    return Vec::new();
                };
                let known = values.iter().any(|known| check::equal(known, value));
                fault(!known, &format!("must be one of {}", listed(values.iter().map(shown))))
            }
            Function::Alphabetical { by } => {
                value.and_then(|value| disorder(value, by.as_deref())).into_iter().collect()
            }
            Function::Xor(names) => {
                let Some(members) = value.and_then(Value::as_object) else { return Vec::new() };
                let count = names.iter().filter(|name| members.contains_key(*name)).count();
                fault(count != 1, &format!("must have exactly one of {}", listed(names.iter().cloned())))
            }
            Function::Schema(schemas, id) => {
                let Some(value) = value else { return Vec::new() };
                let faults = check::value(schemas, *id, value, Direction::Request, &Where::Body);
                let told = |fault: &check::Fault| match fault.pointer.as_str() {
                    "" => fault.what.clone(),
                    pointer => format!("at {pointer} {}", fault.what),
                };
                faults.iter().map(told).collect()
            }
        }
    }
}

fn is_truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::Bool(true) | Value::Array(_) | Value::Object(_)) => true,
    }
}

fn length_faults(value: Option<&Value>, min: Option<f64>, max: Option<f64>) -> Vec<String> {
    let (length, word) = match value {
        Some(Value::String(text)) => (text.chars().count() as f64, " long"),
        Some(Value::Array(items)) => (items.len() as f64, " long"),
        Some(Value::Object(members)) => (members.len() as f64, " long"),
        Some(Value::Number(number)) => (number.as_f64().unwrap_or(0.0), ""),
        Some(Value::Null | Value::Bool(_)) | None => return Vec::new(),
    };
    let short = min.filter(|min| length < *min).map(|min| format!("must be at least {min}{word}"));
    let long = max.filter(|max| length > *max).map(|max| format!("must be at most {max}{word}"));
    short.into_iter().chain(long).collect()
}

/// The first element that stands behind one that should come later.
fn disorder(value: &Value, by: Option<&str>) -> Option<String> {
    let keys: Vec<Value> = match value {
        Value::Object(members) => members.keys().map(|key| Value::String(key.clone())).collect(),
        Value::Array(items) => {
            let key = |item: &Value| by.map_or(Some(item), |by| item.get(by)).cloned();
            items.iter().filter_map(key).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    };
    let order = |left: &Value, right: &Value| match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right))
        }
        (left, right) => Some(shown(left).cmp(&shown(right))),
    };
    let wrong = keys.windows(2).find(|pair| order(&pair[0], &pair[1]) == Some(Ordering::Greater))?;
    let (before, after) = (shown(&wrong[0]), shown(&wrong[1]));
    Some(format!("must be in alphabetical order: {} stands behind {}", quoted(&after), quoted(&before)))
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn listed(words: impl Iterator<Item = String>) -> String {
    words.map(|word| quoted(&word)).collect::<Vec<_>>().join(", ")
}
