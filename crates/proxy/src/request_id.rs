//! The id by which logs, the upstream and the client speak of one request.
//!
//! A proxy in front that is trusted has made one already, and keeping it is what joins its log with ours. From
//! anybody else an id is a claim: taken over, it would let clients mix up other people's log lines. What is kept
//! must fit everywhere an id is written without escapes, in a header field, a log line and a problem document.

use crate::limits::REQUEST_ID_KEPT_BYTES_MAX;
use crate::message::{Known, RequestHead, Span};
use crate::state::random::{REQUEST_ID_BYTES, Random};

/// An id.
#[derive(Clone, Copy, Debug)]
pub enum RequestId {
    /// Made here.
    Own([u8; REQUEST_ID_BYTES]),
    /// Made by a trusted proxy in front; it stands in the request's text.
    Kept(Span),
}

impl RequestId {
    /// The id that came with a request from a trusted proxy, if it is one that can be kept; a fresh one otherwise.
    #[must_use]
    pub fn choose(head: &RequestHead, text: &[u8], trusted: bool, random: &Random) -> RequestId {
        match trusted.then(|| kept(head, text)).flatten() {
            Some(span) => RequestId::Kept(span),
            None => RequestId::Own(random.request_id()),
        }
    }

    /// The text; `text` is that of the request's head.
    #[must_use]
    pub fn of<'t>(&'t self, text: &'t [u8]) -> &'t [u8] {
        match self {
            RequestId::Own(id) => id,
            RequestId::Kept(span) => span.of(text),
        }
    }
}

/// Of several ids none is the right one.
fn kept(head: &RequestHead, text: &[u8]) -> Option<Span> {
    let mut ids = head.fields.iter().filter(|field| field.known == Known::RequestId);
    let id = ids.next()?.value;
    (ids.next().is_none() && is_plain(id.of(text))).then_some(id)
}

fn is_plain(id: &[u8]) -> bool {
    (1..=REQUEST_ID_KEPT_BYTES_MAX).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_plain_when_it_can_be_written_anywhere_as_it_is() {
        let longest = [b'a'; REQUEST_ID_KEPT_BYTES_MAX];
        let too_long = [b'a'; REQUEST_ID_KEPT_BYTES_MAX + 1];

        for id in
            [&b"7"[..], b"Root=1-67891233-abcdef;Self=1", b"550e8400-e29b-41d4-a716-446655440000", &longest]
        {
            assert!(is_plain(id), "{}", String::from_utf8_lossy(id));
        }
        for id in [&b""[..], b"two words", b"a\"b", b"a\\b", b"a\tb", b"\x7f", b"\xc3\xa9", &too_long] {
            assert!(!is_plain(id), "{}", String::from_utf8_lossy(id));
        }
    }
}
