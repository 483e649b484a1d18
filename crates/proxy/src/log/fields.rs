//! The header fields of a request, for whoever watches it live: values of those that may hold a secret are not shown.

use engine::authentication::Place;

use super::line::string;
use crate::exchange::Exchange;

/// Pieces of names that speak of a secret.
const SECRET: [&[u8]; 10] = [
    b"auth",
    b"cookie",
    b"token",
    b"secret",
    b"key",
    b"password",
    b"session",
    b"credential",
    b"signature",
    b"csrf",
];
const REDACTED: &[u8] = b"[redacted]";

/// Appends a member `headers`: a list of names and values, in order.
pub fn write(out: &mut Vec<u8>, exchange: &Exchange<'_>) {
    let text = &exchange.request.text;
    out.extend_from_slice(b",\"headers\":[");
    for (at, field) in exchange.request.head.fields.iter().enumerate() {
        let (name, value) = (field.name.of(text), field.value.of(text));
        string(out, if at == 0 { b"[" } else { b",[" }, name);
        string(out, b",", if is_secret(name) || is_credential(exchange, name) { REDACTED } else { value });
        out.push(b']');
    }
    out.push(b']');
}

/// Whether an AuthenticationPolicy looks for credentials there.
fn is_credential(exchange: &Exchange<'_>, name: &[u8]) -> bool {
    matches!(exchange.concealed.place, Some(Place::Header(field)) if **field == *name)
}

/// Names are in lower case by now.
fn is_secret(name: &[u8]) -> bool {
    SECRET.iter().any(|piece| memchr::memmem::find(name, piece).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_known_by_its_name() {
        for name in
            ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-csrf-token", "x-amz-signature"]
        {
            assert!(is_secret(name.as_bytes()), "{name}");
        }
        for name in ["accept", "user-agent", "x-request-id", "traceparent", "content-type"] {
            assert!(!is_secret(name.as_bytes()), "{name}");
        }
    }
}
