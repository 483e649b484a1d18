//! Responses from an upstream's stream.

use super::{content_length, is_connection_specific, push_fields};
use crate::buffer::Buffer;
use crate::failure::Failure;
use crate::limits::{RESPONSE_HEAD_BYTES_MAX, RESPONSE_HEADERS_MAX};
use crate::message::{Framing, Known, Method, ResponseHead, Span, Version};

/// Reads a response head. Its spans point into `buffer`, which is filled.
///
/// # Errors
/// The head is ambiguous or too large.
pub fn response(
    parts: &http::response::Parts,
    ended: bool,
    method: Method,
    head: &mut ResponseHead,
    buffer: &mut Buffer,
) -> Result<(), Failure> {
    if parts.headers.len() > RESPONSE_HEADERS_MAX {
        return Err(Failure::UpstreamHeadTooLarge);
    }
    let mut text = crate::buffer::Text::new();
    head.fields.clear();
    push_fields(&parts.headers, &mut text, &mut head.fields);
    if text.len() > RESPONSE_HEAD_BYTES_MAX {
        return Err(Failure::UpstreamHeadTooLarge);
    }
    buffer.room()[..text.len()].copy_from_slice(&text);
    buffer.end = buffer.start + text.len();
    head.version = Version::Http2;
    head.status = parts.status.as_u16();
    head.reason = Span::default();
    head.persistent = true;
    head.head_bytes = text.len();
    head.framing = framing(ended, method, head, &text)?;
    Ok(())
}

fn framing(ended: bool, method: Method, head: &ResponseHead, text: &[u8]) -> Result<Framing, Failure> {
    if head.fields.iter().any(|field| is_connection_specific(field.known)) {
        return Err(Failure::UpstreamProtocol);
    }
    let mut lengths = head.fields.iter().filter(|field| field.known == Known::ContentLength);
    let length = match (lengths.next(), lengths.next()) {
        (None, _) => None,
        (Some(field), None) => Some(content_length(field.value.of(text)).ok_or(Failure::UpstreamProtocol)?),
        (Some(_), Some(_)) => return Err(Failure::UpstreamProtocol),
    };
    let bodiless = method == Method::Head || matches!(head.status, 204 | 304);
    Ok(match (ended || bodiless, length) {
        // A length of 0 and an empty frame behind it are no body, and must not become a length and chunks.
        (true, _) | (false, Some(0)) => Framing::None,
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::Chunked,
    })
}
