//! A body becomes an object of the kind, version, namespace and name that the path says, with known fields only.

use model::schema;
use serde_json::{Map, Value};

use super::body::Body;
use super::request::{FieldValidation, Request};
use super::status::Status;

/// Most fields that a refusal or warning names.
const NAMED_MAX: usize = 20;

/// An object as it was sent.
pub struct Decoded {
    /// The object, in the version of the path and with the namespace of the path.
    pub object: Value,
    /// Sentences for `Warning` headers.
    pub warnings: Vec<String>,
}

/// The object that a body holds.
///
/// # Errors
/// 400 when it is another object than the path says, or has fields that nobody knows where that is refused.
pub fn object(request: &Request<'_>, body: Body) -> Result<Decoded, Status> {
    let Body { value, duplicates } = body;
    let Value::Object(mut map) = value else {
        let kind = request.kind;
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): it is no object with apiVersion and kind"
        )));
    };
    same_type(request, &mut map)?;
    same_place(request, &mut map)?;
    let mut object = Value::Object(map);
    let pruned = schema::prune(request.kind, &mut object);
    let unknown = pruned.iter().map(|field| format!("unknown field \"{field}\""));
    let twice = duplicates.iter().map(|field| format!("duplicate field \"{field}\""));
    let problems: Vec<String> = twice.chain(unknown).collect();
    let warnings = judged(request, problems)?;
    Ok(Decoded { object, warnings })
}

fn judged(request: &Request<'_>, mut problems: Vec<String>) -> Result<Vec<String>, Status> {
    if problems.len() > NAMED_MAX {
        let more = problems.len() - NAMED_MAX;
        problems.truncate(NAMED_MAX);
        problems.push(format!("and {more} more"));
    }
    match request.validation {
        FieldValidation::Strict if !problems.is_empty() => {
            let (kind, version) = (request.kind, request.version);
            let problems = problems.join(", ");
            Err(Status::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {problems}"
            )))
        }
        FieldValidation::Strict | FieldValidation::Warn => Ok(problems),
        FieldValidation::Ignore => Ok(Vec::new()),
    }
}

/// What is not said is taken from the path.
fn same_type(request: &Request<'_>, map: &mut Map<String, Value>) -> Result<(), Status> {
    let (kind, expected) = (request.kind, request.api_version());
    match text(map, "kind") {
        Some(word) if word != kind.as_str() => {
            let version = request.version;
            return Err(Status::bad_request(format!(
                "{word} in version {version:?} cannot be handled as a {kind}: the kind in the data does not match"
            )));
        }
        _ => {}
    }
    match text(map, "apiVersion") {
        Some(word) if word != expected => {
            return Err(Status::bad_request(format!(
                "the API version in the data ({word}) does not match the expected API version ({expected})"
            )));
        }
        _ => {}
    }
    map.insert("apiVersion".to_owned(), expected.into());
    map.insert("kind".to_owned(), kind.as_str().into());
    Ok(())
}

fn same_place(request: &Request<'_>, map: &mut Map<String, Value>) -> Result<(), Status> {
    let metadata = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    let Value::Object(metadata) = metadata else {
        return Err(Status::bad_request("metadata must be an object"));
    };
    match (request.place(), text(metadata, "namespace")) {
        (Some(asked), Some(written)) if asked != written => {
            let why = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Status::bad_request(why));
        }
        (Some(asked), _) => {
            metadata.insert("namespace".to_owned(), asked.into());
        }
        // Whether a kind without namespaces may name one is the judge's to say.
        (None, Some(_)) => {}
        (None, None) => {
            metadata.shift_remove("namespace");
        }
    }
    if let (Some(asked), Some(written)) = (request.name, text(metadata, "name"))
        && asked != written
    {
        return Err(Status::bad_request(format!(
            "the name of the object ({written}) does not match the name on the URL ({asked})"
        )));
    }
    if let Some(name) = request.name {
        metadata.insert("name".to_owned(), name.into());
    }
    Ok(())
}

/// A text that is there and not empty.
fn text<'m>(map: &'m Map<String, Value>, field: &str) -> Option<&'m str> {
    map.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}
