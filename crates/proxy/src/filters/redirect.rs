//! Answers with another address.

use engine::config::Redirect;

use crate::emit::write_decimal;
use crate::exchange::Exchange;
use crate::respond::Answer;

/// The redirect's answer to a request.
#[must_use]
pub fn answer(exchange: &Exchange<'_>, redirect: &Redirect) -> Answer {
    let (request, text) = (&exchange.request.head, &exchange.request.text);
    let mut location = Vec::with_capacity(128);
    let own_scheme = if exchange.is_secure() { "https" } else { "http" };
    location.extend_from_slice(redirect.scheme.as_deref().unwrap_or(own_scheme).as_bytes());
    location.extend_from_slice(b"://");
    match &redirect.hostname {
        Some(hostname) => location.extend_from_slice(hostname.as_bytes()),
        None => location.extend_from_slice(request.host.of(text)),
    }
    if let Some(port) = redirect.port {
        location.push(b':');
        write_decimal(u64::from(port), &mut location);
    }
    match &redirect.path {
        Some(edit) => edit.write(request.path.of(text), &mut location),
        None => location.extend_from_slice(request.path.of(text)),
    }
    if let Some(query) = request.query {
        location.push(b'?');
        location.extend_from_slice(query.of(text));
    }
    Answer { status: redirect.status, fields: vec![("location".into(), location)], content: Vec::new() }
}

/// The answer that sends a client to the canonical spelling of its path.
#[must_use]
pub fn to_canonical(exchange: &Exchange<'_>) -> Answer {
    let (request, text) = (&exchange.request.head, &exchange.request.text);
    let mut location = request.path.of(text).to_vec();
    if let Some(query) = request.query {
        location.push(b'?');
        location.extend_from_slice(query.of(text));
    }
    Answer { status: 308, fields: vec![("location".into(), location)], content: Vec::new() }
}
