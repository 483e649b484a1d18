//! Bodies: whether they are of a type that is described, within bounds, and what the type's schema asks for.

use serde_json::{Map, Value};

use super::parameters::is_json;
use super::styles::Texts;
use super::{Direction, Fault, Where, value};
use crate::limits::{BODY_BYTES_MAX, BODY_DEPTH_MAX, BODY_NODES_MAX};
use crate::operation::{Media, Operation};
use crate::request::{self, Request};
use crate::schema::{Schemas, Type};

/// Which media type of the description a request's body is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sent<'o> {
    /// No body came.
    Nothing,
    /// A body came and the description speaks of none.
    Unasked,
    /// Of this type.
    Of(&'o Media),
    /// Of a type that is not described.
    Unsupported,
}

/// Finds the media type of a request's body.
#[must_use]
pub fn sent<'o>(operation: &'o Operation, request: &Request<'_>) -> Sent<'o> {
    let content = operation.body.as_ref().map(|body| &*body.content).unwrap_or_default();
    let given = request.header("content-type");
    match (request.body.is_empty(), given) {
        (true, _) => Sent::Nothing,
        (false, _) if content.is_empty() => Sent::Unasked,
        (false, Some(given)) => find(content, &given).map_or(Sent::Unsupported, Sent::Of),
        // Without a type it is taken for the first that is described.
        (false, None) => content.first().map_or(Sent::Unsupported, Sent::Of),
    }
}

/// The media type of a list that a type of a head is, the most specific first.
#[must_use]
pub fn find<'o>(content: &'o [Media], given: &str) -> Option<&'o Media> {
    let essence = |text: &str| text.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let given = essence(given);
    let whole = content.iter().find(|media| essence(&media.range) == given);
    let kind = given.split('/').next().unwrap_or("");
    let half = || content.iter().find(|media| essence(&media.range) == format!("{kind}/*"));
    whole.or_else(half).or_else(|| content.iter().find(|media| essence(&media.range) == "*/*"))
}

/// Everything that is wrong with the body of a request, its type aside.
pub fn faults(operation: &Operation, request: &Request<'_>) -> Vec<Fault> {
    let fault = |rule, what: &str| {
        vec![Fault { place: Where::Body, pointer: String::new(), rule, what: what.to_owned() }]
    };
    match sent(operation, request) {
        Sent::Nothing if operation.body.as_ref().is_some_and(|body| body.required) => {
            fault("required", "is missing")
        }
        Sent::Nothing | Sent::Unasked => Vec::new(),
        Sent::Unsupported => fault("mediaType", "is of a media type that is not described"),
        Sent::Of(media) => {
            let given = request.header("content-type");
            let given = given.as_deref().unwrap_or(&media.range);
            media_faults(&operation.schemas, media, given, request.body, Direction::Request)
        }
    }
}

/// Everything that is wrong with a body of a media type.
pub fn media_faults(
    schemas: &Schemas,
    media: &Media,
    given: &str,
    body: &[u8],
    direction: Direction,
) -> Vec<Fault> {
    let fault = |rule, what: String| vec![Fault { place: Where::Body, pointer: String::new(), rule, what }];
    if body.len() > BODY_BYTES_MAX {
        return fault("limit", format!("has {} bytes, at most {BODY_BYTES_MAX} are checked", body.len()));
    }
    let essence = given.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let read = if is_json(&essence) {
        if let Err(what) = within_bounds(body) {
            return fault("limit", what);
        }
        match serde_json::from_slice(body) {
            Ok(read) => read,
            Err(problem) => return fault("content", format!("is no JSON: {problem}")),
        }
    } else if essence == "application/x-www-form-urlencoded" {
        match std::str::from_utf8(body) {
            Ok(text) => form(schemas, media, text, direction),
            Err(_) => return fault("content", "is no text".to_owned()),
        }
    } else if essence.starts_with("text/") {
        Value::String(String::from_utf8_lossy(body).into_owned())
    } else {
        return Vec::new(); // XML, images, forms with files: only their type is looked at
    };
    media.schema.map_or_else(Vec::new, |id| value(schemas, id, &read, direction, &Where::Body))
}

/// A form as an object: what stands several times, or is asked for as a list, is one.
fn form(schemas: &Schemas, media: &Media, text: &str, direction: Direction) -> Value {
    let texts = Texts { schemas, direction };
    let mut fields: Vec<(String, Vec<String>)> = Vec::new();
    for (name, text) in request::pairs(text) {
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(text),
            None => fields.push((name, vec![text])),
        }
    }
    let mut map = Map::new();
    for (name, values) in fields {
        let schema = media.schema.and_then(|id| schemas.property_of(id, &name));
        let written = media.fields.iter().find(|field| *field.name == *name).and_then(|field| field.style);
        let read = match (&values[..], written) {
            ([one], Some((style, explode))) => texts.styled(one, style, explode, &name, schema),
            ([_] | [], _) if !texts.asks_for(Type::List, schema) => {
                texts.scalar(values.first().map_or("", String::as_str), schema)
            }
            _ => texts.list(values.iter().map(String::as_str), schema),
        };
        map.insert(name, read);
    }
    Value::Object(map)
}

/// Counts what a JSON text nests and holds before anything is built of it.
pub fn within_bounds(body: &[u8]) -> Result<(), String> {
    let (mut depth, mut values, mut in_text, mut escaped) = (0_usize, 1_usize, false, false);
    for byte in body {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_text = false,
            (true, _) => {}
            (false, b'"') => in_text = true,
            (false, b'{' | b'[') => {
                depth += 1;
                values += 1;
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            (false, b',') => values += 1,
            (false, _) => {}
        }
        if depth > BODY_DEPTH_MAX {
            return Err(format!("is nested deeper than {BODY_DEPTH_MAX} levels"));
        }
        if values > BODY_NODES_MAX {
            return Err(format!("holds more than {BODY_NODES_MAX} values"));
        }
    }
    Ok(())
}
