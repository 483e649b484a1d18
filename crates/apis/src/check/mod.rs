//! Does this value, this request, this answer keep to the description?
//!
//! All faults are told at once and each says where and why, because the caller who reads them cannot see the
//! description's insides. What is checked comes from strangers, so depth, size and work are bounded.

mod answers;
mod body;
pub mod credentials;
mod evaluated;
mod format;
mod judge;
mod parameters;
mod structure;
mod styles;

use std::fmt;

use serde_json::Value;

pub use body::{Sent, find as find_media, sent};
pub use format::is_known as is_known_format;
pub use parameters::is_json;
pub use structure::{Bounds, structure};

pub(crate) use body::within_bounds;
pub(crate) use judge::equal;

use crate::limits::FAULTS_MAX;
use crate::operation::{Operation, Place};
use crate::request::Request;
use crate::schema::{SchemaId, Schemas};

/// Which way a value goes: what is `readOnly` is only in answers, what is `writeOnly` only in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the caller.
    Request,
    /// To the caller.
    Answer,
}

/// Where a fault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// In a parameter.
    Parameter(Place, std::sync::Arc<str>),
    /// In the body.
    Body,
    /// In a field of the head of an answer.
    Header(std::sync::Arc<str>),
    /// In the status of an answer.
    Status,
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Where::Parameter(place, name) => write!(f, "{place} parameter `{name}`"),
            Where::Body => f.write_str("body"),
            Where::Header(name) => write!(f, "header `{name}`"),
            Where::Status => f.write_str("status"),
        }
    }
}

/// One thing that does not keep to the description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is.
    pub place: Where,
    /// JSON Pointer (RFC 6901) inside of that; empty means all of it.
    pub pointer: String,
    /// The rule that is broken, in the word of JSON Schema or OpenAPI: `required`, `type`, `pattern`.
    pub rule: &'static str,
    /// What is wrong, as the end of a sentence.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if !self.pointer.is_empty() {
            write!(f, " at {}", self.pointer)?;
        }
        write!(f, " {}", self.what)
    }
}

/// Everything that is wrong with a value. `place` is where faults are said to be.
#[must_use]
pub fn value(
    schemas: &Schemas,
    id: SchemaId,
    value: &Value,
    direction: Direction,
    place: &Where,
) -> Vec<Fault> {
    judge::Judge::new(schemas, direction, place).all(id, value)
}

/// Whether a value keeps to a schema.
#[must_use]
pub fn holds(schemas: &Schemas, id: SchemaId, value: &Value, direction: Direction) -> bool {
    judge::Judge::new(schemas, direction, &Where::Body).verdict(id, value)
}

/// Everything that is wrong with a request to an operation, credentials aside ([`credentials::missing`]).
#[must_use]
pub fn request(operation: &Operation, request: &Request<'_>) -> Vec<Fault> {
    let mut found = parameters::faults(operation, request);
    found.extend(body::faults(operation, request));
    found.truncate(FAULTS_MAX);
    found
}

/// Everything that is wrong with an answer of an operation.
#[must_use]
pub fn answer(operation: &Operation, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<Fault> {
    answers::faults(operation, status, headers, body)
}
