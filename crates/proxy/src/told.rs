//! Requests and answers in the words of descriptions, which speak of text.
//!
//! Memory is taken for the list of fields: who looks into a request has decided that it is worth it.

use crate::exchange::Exchange;
use crate::message::{Field, RequestHead};

/// Names and values of fields. What is no text is nothing that a description could speak of.
#[must_use]
pub fn fields<'t>(fields: &[Field], text: &'t [u8]) -> Vec<(&'t str, &'t str)> {
    fields.iter().map(|field| (as_text(field.name.of(text)), as_text(field.value.of(text)))).collect()
}

/// The request of an exchange below a base path, with fields that [`fields`] has listed and as much of a body as was
/// taken in.
#[must_use]
pub fn request<'e>(
    exchange: &'e Exchange<'_>,
    base: &str,
    headers: &'e [(&'e str, &'e str)],
) -> apis::Request<'e> {
    let (head, text): (&RequestHead, &'e [u8]) = (&exchange.request.head, &exchange.request.text);
    let path = as_text(head.path.of(text));
    apis::Request {
        path: path.strip_prefix(base).unwrap_or(path),
        query: head.query.map_or("", |query| as_text(query.of(text))),
        headers,
        body: exchange.body.as_ref().map_or(&[][..], |body| body.content()),
    }
}

/// Bytes as text; nothing for those that are none.
#[must_use]
pub fn as_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
