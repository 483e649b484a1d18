//! How values and types are called in messages.

use serde_json::Value;

use super::{Bounds, Pattern, Shape};

/// Longest piece of a value that a message repeats, in characters.
const SHOWN_CHARS_MAX: usize = 60;
/// Most choices that a hint lists.
const LISTED_MAX: usize = 12;

/// A value as a message repeats it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(_) => "the list".to_owned(),
        Value::Object(_) => "the object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => quoted(&value.to_string()),
    }
}

/// A text as a message repeats it.
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("`{}`", cut(text))
}

/// A text, cut when it is long.
#[must_use]
pub fn cut(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

/// What a value is.
pub fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What a shape asks for.
pub fn wanted(shape: &Shape) -> &'static str {
    match shape {
        Shape::Object(_) => "an object",
        Shape::List(_) => "a list",
        Shape::Text => "text",
        Shape::Integer => "a whole number",
        Shape::Number => "a number",
        Shape::Boolean => "true or false",
        Shape::IntOrText => "a whole number or text",
        Shape::Any => "anything",
    }
}

/// What helps when a value has the wrong type. Quotes help only where the text in them would be right.
pub fn type_remedy(shape: &Shape, bounds: &Bounds, value: &Value) -> Option<String> {
    let fits = |pattern: &Pattern| pattern.is_match(&value.to_string());
    match (shape, value) {
        (Shape::Text, Value::Bool(_) | Value::Number(_)) => {
            let formed = bounds.format.and_then(|format| format.problem(&value.to_string())?.remedy);
            let matched = bounds
                .pattern
                .as_ref()
                .filter(|pattern| !fits(pattern))
                .map(|pattern| pattern_remedy(&pattern.text));
            let meant = meant_word(&bounds.choices, value);
            meant.or(formed).or(matched).or_else(|| Some("put it in quotes".to_owned()))
        }
        (Shape::Integer | Shape::Number | Shape::Boolean, Value::String(_)) => {
            Some("write it without quotes".to_owned())
        }
        (Shape::List(_), Value::Object(_) | Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
            Some("begin each element with `- `".to_owned())
        }
        (
            Shape::Object(_)
            | Shape::List(_)
            | Shape::Text
            | Shape::Integer
            | Shape::Number
            | Shape::Boolean
            | Shape::IntOrText
            | Shape::Any,
            _,
        ) => None,
    }
}

/// The choice that somebody wrote without quotes and a reader of YAML 1.1 took for true or false: `Off`, for one.
fn meant_word(choices: &[Value], value: &Value) -> Option<String> {
    let words: &[&str] = match value {
        Value::Bool(true) => &["yes", "on"],
        Value::Bool(false) => &["no", "off"],
        _ => return None,
    };
    let is_meant = |choice: &&str| words.iter().any(|word| choice.eq_ignore_ascii_case(word));
    let choice = choices.iter().filter_map(Value::as_str).find(is_meant)?;
    Some(format!("write \"{choice}\" in quotes: without them, some readers of YAML take it for {value}"))
}

/// `a`, `b` or `c`; nothing when there are too many to help.
pub fn choice<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        [first @ .., last] if names.len() <= LISTED_MAX => Some(format!("{} or {last}", first.join(", "))),
        _ => None,
    }
}

/// What a well-known pattern means to people; the pattern itself for all others.
pub fn pattern_remedy(pattern: &str) -> String {
    /// A label and a subdomain, as the schemas spell them.
    const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
    let subdomain = format!(r"{LABEL}(\.{LABEL})*");
    let known = [
        (format!("^{LABEL}$"), "use a-z, 0-9 and `-`, starting and ending with a letter or digit"),
        (
            format!("^{subdomain}$"),
            "use a-z, 0-9, `-` and `.`, each part starting and ending with a letter or digit",
        ),
        (
            format!("^$|^{subdomain}$"),
            "write an API group such as `gateway.networking.k8s.io`, or nothing for the core group",
        ),
        (
            format!(r"^(\*\.)?{subdomain}$"),
            "write a lower-case DNS name without a port; `*.` may stand in front of it",
        ),
        ("^([0-9]{1,5}(h|m|s|ms)){1,4}$".to_owned(), "write it like `500ms`, `10s` or `1h30m`"),
        (
            r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$".to_owned(),
            "a header name has letters, digits and `-`, no space and no colon",
        ),
    ];
    match known.iter().find(|(known, _)| known == pattern) {
        Some((_, words)) => (*words).to_owned(),
        None => format!("it must match {pattern}"),
    }
}
