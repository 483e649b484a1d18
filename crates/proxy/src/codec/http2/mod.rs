//! HTTP/2 heads (RFC 9113 section 8) from and into the one message model.
//!
//! Frames and header compression are the library's; what a request may say is decided here, by the same rules
//! as in HTTP/1: one host, one canonical path, no field that belongs to another connection.

mod fields;
mod frames;
mod guard;
mod request;
mod response;

pub use fields::FieldMap;
pub use guard::{Abuse, Guard};
pub use request::{BadHead, request};
pub use response::response;

use crate::message::names;
use crate::message::{Field, Fields, Known, Span};

/// Appends fields to a head: their text to `text`, their places to `fields`.
fn push_fields(map: &http::HeaderMap, text: &mut Vec<u8>, fields: &mut Fields) {
    for (name, value) in map {
        let name = name.as_str().as_bytes();
        let field = place(text, name, value.as_bytes(), names::classify(name));
        fields.push(field);
    }
}

fn place(text: &mut Vec<u8>, name: &[u8], value: &[u8], known: Known) -> Field {
    let start = text.len();
    text.extend_from_slice(name);
    let middle = text.len();
    text.extend_from_slice(value);
    Field { name: Span::new(start, middle), value: Span::new(middle, text.len()), known }
}

/// Fields that belong to one connection have no place in HTTP/2 (RFC 9113 section 8.2.2).
fn is_connection_specific(known: Known) -> bool {
    matches!(known, Known::Connection | Known::TransferEncoding | Known::Upgrade | Known::HopByHop)
}

/// A length in its one form: decimal digits and nothing else (RFC 9110 section 8.6).
fn content_length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
    let plain = value.len() == 1 || value.first() != Some(&b'0');
    (digits && plain).then(|| value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}
