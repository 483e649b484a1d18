//! Field maps for the library, built with one copy of the text.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::place;
use crate::buffer::Text;
use crate::message::{Fields, Known};

/// Collects fields; see [`FieldMap::finish`].
#[derive(Debug, Default)]
pub struct FieldMap {
    text: Text,
    fields: Fields,
}

impl FieldMap {
    /// Takes a field whose name is in lower case.
    pub fn put(&mut self, name: &[u8], value: &[u8]) {
        let field = place(&mut self.text, name, value, Known::Other);
        self.fields.push(field);
    }

    /// As a map. Its values are pieces of one shared text, which costs one allocation instead of one each.
    #[must_use]
    pub fn finish(self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.fields.len() + 1);
        let text = Bytes::copy_from_slice(&self.text);
        for field in self.fields.iter() {
            let value = HeaderValue::from_maybe_shared(text.slice(field.value.range()));
            // Both were validated when they were parsed; what cannot be expressed is left out, not mangled.
            if let (Some(name), Ok(mut value)) = (name(field.name.of(&text)), value) {
                // No two messages share an id: it would only push better entries out of the peer's table.
                value.set_sensitive(name == "x-request-id");
                map.append(name, value);
            }
        }
        map
    }
}

/// Names that the library does not know and nearly every message has are not allocated each time.
fn name(bytes: &[u8]) -> Option<HeaderName> {
    match bytes {
        b"x-request-id" => Some(HeaderName::from_static("x-request-id")),
        b"x-forwarded-for" => Some(HeaderName::from_static("x-forwarded-for")),
        b"x-forwarded-proto" => Some(HeaderName::from_static("x-forwarded-proto")),
        b"grpc-status" => Some(HeaderName::from_static("grpc-status")),
        b"grpc-message" => Some(HeaderName::from_static("grpc-message")),
        b"grpc-encoding" => Some(HeaderName::from_static("grpc-encoding")),
        b"grpc-accept-encoding" => Some(HeaderName::from_static("grpc-accept-encoding")),
        _ => HeaderName::from_bytes(bytes).ok(),
    }
}
