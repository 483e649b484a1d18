//! What an authorizer says: yes, with what is to be changed about the request, or no, with what is answered.
//!
//! A consent is applied as a whole or not at all. What frames a message or belongs to one connection is not for others
//! to set: an authorizer that tries is not understood, because to leave out half of what it wants might be the half
//! that matters.

use engine::authentication::{Place, without_parameter};

use crate::exchange::Exchange;
use crate::filters::transform::fields;
use crate::heard::{Heard, Told};
use crate::limits::{REQUEST_HEAD_BYTES_MAX, REQUEST_HEADERS_MAX, REQUEST_TARGET_BYTES_MAX};
use crate::message::Known;
use crate::message::names::{classify, reads_as_trusted};

use super::answer::Refusal;

/// What was said.
#[derive(Debug)]
pub(super) enum Verdict {
    Allow(Consent),
    Deny(Refusal),
}

/// Why nothing was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The policy leads nowhere.
    Unresolved,
    /// No endpoint has answered.
    Unreachable,
    /// Not in time.
    Timeout,
    /// As many requests are under way there as may be.
    Busy,
    /// It could not say: its status is 5xx, or one of gRPC that is not `OK`.
    Status,
    /// The answer is none.
    Malformed,
    /// The answer has more bytes or fields than it may.
    TooLarge,
    /// The answer wants a field to be set that is not its to set.
    Field,
}

impl Fault {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Fault::Unresolved => "unresolved",
            Fault::Unreachable => "unreachable",
            Fault::Timeout => "timeout",
            Fault::Busy => "busy",
            Fault::Status => "status",
            Fault::Malformed => "malformed",
            Fault::TooLarge => "too_large",
            Fault::Field => "field_refused",
        }
    }
}

/// One field to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// In lower case.
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
    /// Whether it stands beside those there are, or in their place.
    pub(super) adds: bool,
}

/// A yes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Consent {
    /// Names in lower case.
    pub(super) removed: Vec<Vec<u8>>,
    pub(super) edits: Vec<Edit>,
    pub(super) query_removed: Vec<Vec<u8>>,
    pub(super) query_set: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) told: Vec<Told>,
}

impl Consent {
    /// Changes the request as it was said.
    pub(super) fn apply(self, exchange: &mut Exchange<'_>) -> Result<(), Fault> {
        let names = self.edits.iter().map(|edit| &edit.name).chain(&self.removed);
        let values = self.edits.iter().map(|edit| &edit.value);
        if !names.clone().all(|name| is_token(name) && !is_ours(name)) || !values.clone().all(|v| is_value(v))
        {
            return Err(Fault::Field);
        }
        if !self.told.iter().all(|told| is_token(&told.name) && !is_ours(&told.name) && is_value(&told.value))
        {
            return Err(Fault::Field);
        }
        let head = &exchange.request.head;
        let bytes: usize =
            head.fields.iter().map(|field| field.name.len() + field.value.len()).sum::<usize>()
                + self.edits.iter().map(|edit| edit.name.len() + edit.value.len()).sum::<usize>();
        let count = head.fields.len() + self.edits.len();
        if count > REQUEST_HEADERS_MAX
            || bytes > REQUEST_HEAD_BYTES_MAX
            || self.told.len() > REQUEST_HEADERS_MAX
        {
            return Err(Fault::TooLarge);
        }
        let query = self.query(exchange)?;
        self.put(exchange);
        if let Some(query) = query {
            let text = &mut exchange.request.text;
            exchange.request.head.query = (!query.is_empty()).then(|| fields::append(text, &query));
        }
        if !self.told.is_empty() {
            exchange.heard.get_or_insert_with(|| Box::new(Heard::default())).told.extend(self.told);
        }
        Ok(())
    }

    fn put(&self, exchange: &mut Exchange<'_>) {
        let (list, text) = (&mut exchange.request.head.fields, &mut exchange.request.text);
        let removed: Vec<&[u8]> = self.removed.iter().map(Vec::as_slice).collect();
        fields::remove(list, text, &removed);
        let mut own: Vec<&[u8]> = Vec::new();
        for Edit { name, value, adds } in &self.edits {
            // Several values that are set by one name all stand in the place of the client's.
            if !adds && !own.contains(&name.as_slice()) {
                fields::remove(list, text, &[name]);
                own.push(name);
            }
            fields::put(list, text, name, value);
        }
        // What stands in the place of a credential is not the credential.
        let place = match exchange.concealed.place {
            Some(Place::Header(name)) => Some(&**name),
            Some(Place::Scheme(_)) => Some(&b"authorization"[..]),
            Some(Place::Cookie(_)) => Some(&b"cookie"[..]),
            Some(Place::Query(_)) | None => None,
        };
        if place.is_some_and(|place| own.contains(&place)) {
            exchange.concealed.keep = true;
        }
    }

    /// The query as it shall be; `None` when it stays as it is.
    fn query(&self, exchange: &Exchange<'_>) -> Result<Option<Vec<u8>>, Fault> {
        if self.query_removed.is_empty() && self.query_set.is_empty() {
            return Ok(None);
        }
        let head = &exchange.request.head;
        let mut query = head.query.map(|query| query.of(&exchange.request.text).to_vec()).unwrap_or_default();
        for name in self.query_removed.iter().chain(self.query_set.iter().map(|(name, _)| name)) {
            let mut left = Vec::new();
            without_parameter(&query, name, &mut left);
            query = left;
        }
        for (name, value) in &self.query_set {
            if !query.is_empty() {
                query.push(b'&');
            }
            escape(name, &mut query);
            query.push(b'=');
            escape(value, &mut query);
        }
        match head.path.len() + query.len() > REQUEST_TARGET_BYTES_MAX {
            true => Err(Fault::TooLarge),
            false => Ok(Some(query)),
        }
    }
}

/// Takes out what clients send by names that are an authorizer's to use.
pub(super) fn strip(exchange: &mut Exchange<'_>, names: &[std::sync::Arc<[u8]>]) {
    let text = &exchange.request.text;
    exchange.request.head.fields.retain(|field| {
        let name = field.name.of(text);
        !names.iter().any(|own| **own == *name)
    });
}

/// What may stand in a query as it is; what is escaped already stays so.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~%!$'()*,;:@/?".contains(byte) => out.push(*byte),
            byte => out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
}

/// Fields that are not for others to set.
pub(super) fn is_ours(name: &[u8]) -> bool {
    if name.contains(&b'_') && reads_as_trusted(name) {
        return true;
    }
    match classify(name) {
        Known::Host
        | Known::Connection
        | Known::ContentLength
        | Known::TransferEncoding
        | Known::Te
        | Known::Trailer
        | Known::Upgrade
        | Known::HopByHop
        | Known::Listed
        | Known::Expect
        | Known::ForwardedFor
        | Known::ForwardedProto
        | Known::ForwardedHost
        | Known::RequestId
        | Known::Http2Settings
        | Known::Hop => true,
        Known::Other
        | Known::Vouched
        | Known::Trace
        | Known::ContentType
        | Known::UserAgent
        | Known::Origin
        | Known::GrpcTimeout => false,
    }
}

/// RFC 9110 section 5.6.2, in lower case.
pub(super) fn is_token(name: &[u8]) -> bool {
    let fits =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(fits)
}

/// RFC 9110 section 5.5: nothing that ends a line, and no other control character.
pub(super) fn is_value(value: &[u8]) -> bool {
    value.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e | 0x80..=0xff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_frames_a_message_is_not_for_an_authorizer_to_set() {
        for name in [
            "host",
            "connection",
            "content-length",
            "transfer-encoding",
            "te",
            "upgrade",
            "keep-alive",
            "expect",
            "x-forwarded-for",
            "x-request-id",
            "content_length",
            "transfer_encoding",
            "selvedge-attempt",
        ] {
            assert!(is_ours(name.as_bytes()), "{name}");
        }
        for name in ["x-user", "authorization", "cookie", "x-consumer-id", "content-type", "x_tenant"] {
            assert!(!is_ours(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_name_or_value_that_could_end_a_line_is_none() {
        assert!(is_token(b"x-user") && !is_token(b"") && !is_token(b"x user") && !is_token(b":path"));
        assert!(!is_token(b"X-User"), "names are in lower case by then");
        assert!(is_value(b"a b\tc\xff") && !is_value(b"a\r\nb") && !is_value(b"a\0") && !is_value(b"\x7f"));
    }

    #[test]
    fn what_would_end_a_parameter_is_escaped_and_what_is_escaped_stays_so() {
        let mut out = Vec::new();
        escape(b"a b&c=d#e%20\xc3", &mut out);
        assert_eq!(out, b"a%20b%26c%3Dd%23e%20%C3");
    }
}
