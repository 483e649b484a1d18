//! Values to bytes and fields of a head.

use serde_json::Value;

use super::make::{self, Look};
use crate::check::{Direction, is_json};
use crate::operation::{Operation, Response};
use crate::template::encoded;

/// Fields that frame a message or belong to the connection: the server's business.
const NOT_OURS: [&str; 9] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "content-encoding",
    "date",
];

/// A body of a media type.
pub fn body(range: &str, value: &Value) -> Vec<u8> {
    let essence = range.split(';').next().unwrap_or("").trim();
    match (essence, value) {
        (essence, value) if is_json(essence) => value.to_string().into_bytes(),
        ("application/x-www-form-urlencoded", Value::Object(map)) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(name, value)| format!("{}={}", encoded(name), encoded(&text(value))))
                .collect();
            pairs.join("&").into_bytes()
        }
        (_, value) => text(value).into_bytes(),
    }
}

/// Fields of the head that the description speaks of.
pub fn headers(operation: &Operation, response: &Response, seed: u64) -> Vec<(String, String)> {
    let ours = response.headers.iter().filter(|header| {
        let framing = NOT_OURS.iter().any(|name| header.name.eq_ignore_ascii_case(name));
        let is_token =
            header.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
        !framing && is_token
    });
    ours.filter_map(|header| {
        let example = header.examples.first().map(|example| example.value.clone());
        let made = || make::value(&operation.schemas, header.schema?, Look::Plain, seed, Direction::Answer);
        let text = simple(&example.or_else(made)?);
        let fits = text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
        fits.then(|| (header.name.to_ascii_lowercase(), text.trim().to_owned()))
    })
    .collect()
}

/// The style of a head: elements with commas between them.
fn simple(value: &Value) -> String {
    match value {
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(map) => {
            map.iter().map(|(name, value)| format!("{name},{}", text(value))).collect::<Vec<_>>().join(",")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text(value),
    }
}

/// Text as it is, everything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
