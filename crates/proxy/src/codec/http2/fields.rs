//! Field maps for the library, built with one copy of the text.
//!
//! Names and values that most messages have are constants: they are neither parsed nor checked nor allocated again
//! for each message.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::place;
use crate::buffer::Text;
use crate::message::{Fields, Known, Span};

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
    ///
    /// No two messages share an id, which would only push better entries out of the peer's table; but the first one of
    /// a connection teaches it the name.
    #[must_use]
    pub fn finish(self, is_first: bool) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.fields.len() + 1);
        let mut values = Values { text: &self.text, shared: None };
        for field in self.fields.iter() {
            let named = field.name.of(&self.text);
            // Both were validated when they were parsed; what cannot be expressed is left out, not mangled.
            if let (Some(name), Some(mut value)) = (name(named), values.value(field.value)) {
                value.set_sensitive(!is_first && named == REQUEST_ID.as_str().as_bytes());
                map.append(name, value);
            }
        }
        map
    }
}

/// The values of one message; what it shares is made when the first of them needs it.
struct Values<'t> {
    text: &'t Text,
    shared: Option<Bytes>,
}

impl Values<'_> {
    fn value(&mut self, span: Span) -> Option<HeaderValue> {
        let constant = match span.of(self.text) {
            b"application/grpc" => const { HeaderValue::from_static("application/grpc") },
            b"trailers" => const { HeaderValue::from_static("trailers") },
            b"http" => const { HeaderValue::from_static("http") },
            b"https" => const { HeaderValue::from_static("https") },
            b"0" => const { HeaderValue::from_static("0") },
            _ => {
                let shared = self.shared.get_or_insert_with(|| Bytes::copy_from_slice(self.text));
                return HeaderValue::from_maybe_shared(shared.slice(span.range())).ok();
            }
        };
        Some(constant)
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

fn name(bytes: &[u8]) -> Option<HeaderName> {
    Some(match bytes {
        b"te" => header::TE,
        b"date" => header::DATE,
        b"etag" => header::ETAG,
        b"vary" => header::VARY,
        b"accept" => header::ACCEPT,
        b"cookie" => header::COOKIE,
        b"origin" => header::ORIGIN,
        b"server" => header::SERVER,
        b"referer" => header::REFERER,
        b"location" => header::LOCATION,
        b"user-agent" => header::USER_AGENT,
        b"set-cookie" => header::SET_COOKIE,
        b"content-type" => header::CONTENT_TYPE,
        b"authorization" => header::AUTHORIZATION,
        b"cache-control" => header::CACHE_CONTROL,
        b"last-modified" => header::LAST_MODIFIED,
        b"content-length" => header::CONTENT_LENGTH,
        b"accept-encoding" => header::ACCEPT_ENCODING,
        b"accept-language" => header::ACCEPT_LANGUAGE,
        b"content-encoding" => header::CONTENT_ENCODING,
        b"x-request-id" => REQUEST_ID,
        b"x-forwarded-for" => FORWARDED_FOR,
        b"x-forwarded-proto" => FORWARDED_PROTO,
        b"traceparent" => TRACE_PARENT,
        b"grpc-status" => GRPC_STATUS,
        b"grpc-message" => GRPC_MESSAGE,
        b"grpc-timeout" => GRPC_TIMEOUT,
        b"grpc-encoding" => GRPC_ENCODING,
        b"grpc-accept-encoding" => GRPC_ACCEPT_ENCODING,
        _ => return HeaderName::from_bytes(bytes).ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_every_field_that_was_put_whether_or_not_it_is_a_common_one() {
        let put = [
            ("content-type", "application/grpc"),
            ("x-own", "http"),
            ("grpc-timeout", "1S"),
            ("x-request-id", "0"),
            ("set-cookie", "a=b"),
            ("set-cookie", "c=d"),
            ("x-empty", ""),
        ];
        let mut fields = FieldMap::default();
        put.iter().for_each(|(name, value)| fields.put(name.as_bytes(), value.as_bytes()));

        let map = fields.finish(false);

        let seen: Vec<(&str, &str)> =
            map.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(seen, put);
    }

    #[test]
    fn only_the_request_id_is_kept_out_of_the_table_of_the_peer_and_not_the_first() {
        let map = |is_first| {
            let mut fields = FieldMap::default();
            fields.put(b"x-request-id", b"1");
            fields.put(b"user-agent", b"1");
            fields.finish(is_first)
        };

        assert!(map(false)["x-request-id"].is_sensitive());
        assert!(!map(false)["user-agent"].is_sensitive());
        assert!(!map(true)["x-request-id"].is_sensitive());
    }

    #[test]
    fn a_common_name_is_the_name_that_parsing_gives() {
        for common in ["te", "etag", "x-forwarded-proto", "grpc-accept-encoding", "content-encoding"] {
            assert_eq!(name(common.as_bytes()), HeaderName::from_bytes(common.as_bytes()).ok());
        }
    }
}
