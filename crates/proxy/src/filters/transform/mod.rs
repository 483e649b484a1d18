//! Changes of messages on their way: what policies say of them, and what shims make of the requests of old clients.
//!
//! A request is changed behind everything that judges it and before an upstream is chosen; its answer is changed before
//! anything else is done to it. The request as its client sent it stays in the exchange: logs, traces and rules speak
//! of that one. Rules without changes never come here.

mod answer;
pub mod fields;
mod request;

pub use answer::{on_head, on_whole};
pub use request::on_request;

use apis::check::is_json;
use apis::shim::read;
use model::kinds::transform::OtherBodies;
use serde_json::Value;

use crate::message::{FieldsView, Known};

/// What became of a body that steps are to be done on.
enum Body {
    /// There is none.
    Empty,
    /// It is JSON.
    Value(Value),
    /// It is something else and goes on as it is.
    Other,
}

/// Why a body cannot be worked on.
enum Unfit {
    /// It is no JSON and does not say that it is.
    Type,
    /// It says that it is JSON, and is none that could be carried without a loss.
    Content,
}

/// Reads a body on which steps are to be done.
fn body(fields: &FieldsView<'_>, content: &[u8], others: OtherBodies) -> Result<Body, Unfit> {
    if content.is_empty() {
        return Ok(Body::Empty);
    }
    let kind = fields.known(Known::ContentType).and_then(|kind| std::str::from_utf8(kind).ok());
    let is_coded = fields.fields.iter().any(|field| {
        field.name.of(fields.bytes) == b"content-encoding"
            && !field.value.of(fields.bytes).eq_ignore_ascii_case(b"identity")
    });
    if !kind.is_some_and(|kind| is_json(&kind.to_ascii_lowercase())) || is_coded {
        return match others {
            OtherBodies::Pass => Ok(Body::Other),
            OtherBodies::Refuse => Err(Unfit::Type),
        };
    }
    read(content).map(Body::Value).map_err(|_| Unfit::Content)
}
