//! A refusal as the client is answered: in HTTP as the authorizer says it, in gRPC as a status of gRPC.

use std::borrow::Cow;

use crate::message::Known;
use crate::message::names::classify;
use crate::respond::Answer;

use super::verdict::{is_token, is_value};

/// A no.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) content: Vec<u8>,
}

impl Refusal {
    /// What the client is answered. Fields that frame a message or belong to one connection are written anew.
    pub(super) fn into_answer(self, grpc: bool) -> Answer {
        let own = |name: &[u8], value: &[u8]| is_token(name) && is_value(value) && passes(name);
        let said = self.fields.into_iter().filter(|(name, value)| own(name, value));
        let named = said.filter_map(|(name, value)| {
            let name: Cow<'static, str> = String::from_utf8(name).ok()?.into();
            Some((name, value))
        });
        if !grpc {
            let fields = named.collect();
            return Answer { status: self.status, fields, content: self.content };
        }
        let mut fields: Vec<(Cow<'static, str>, Vec<u8>)> = named
            .filter(|(name, _)| !matches!(&**name, "content-type" | "grpc-status" | "grpc-message"))
            .collect();
        fields.push(("content-type".into(), b"application/grpc".to_vec()));
        fields.push(("grpc-status".into(), grpc_status(self.status).to_string().into_bytes()));
        fields.push(("grpc-message".into(), percent_encoded(&self.content)));
        Answer { status: 200, fields, content: Vec::new() }
    }
}

fn passes(name: &[u8]) -> bool {
    match classify(name) {
        Known::Connection
        | Known::ContentLength
        | Known::TransferEncoding
        | Known::Te
        | Known::Trailer
        | Known::Upgrade
        | Known::HopByHop
        | Known::Listed
        | Known::Host
        | Known::Expect
        | Known::RequestId
        | Known::Hop
        | Known::Http2Settings => false,
        Known::Other
        | Known::ForwardedFor
        | Known::ForwardedProto
        | Known::ForwardedHost
        | Known::Vouched
        | Known::Trace
        | Known::ContentType
        | Known::UserAgent
        | Known::Origin
        | Known::GrpcTimeout => true,
    }
}

/// What a status of HTTP is in gRPC (`http-grpc-status-mapping` of its documents).
pub fn grpc_status(status: u16) -> u8 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// `Status-Message` of the gRPC protocol over HTTP/2.
fn percent_encoded(text: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0x20..=0x7e if *byte != b'%' => out.push(*byte),
            byte => out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> Refusal {
        let fields = [
            ("location", "/login"),
            ("content-length", "9999"),
            ("connection", "close"),
            ("x-a", "1\r\nx: 2"),
        ];
        let fields = fields.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        Refusal { status: 302, fields: fields.into(), content: b"go 100%\n".to_vec() }
    }

    #[test]
    fn a_refusal_is_answered_as_it_was_said_but_for_what_frames_it() {
        let answer = refusal().into_answer(false);

        assert_eq!((answer.status, &*answer.content), (302, &b"go 100%\n"[..]));
        assert_eq!(answer.fields, [("location".into(), b"/login".to_vec())]);
    }

    #[test]
    fn a_caller_over_grpc_is_refused_in_its_terms() {
        let answer = Refusal { status: 401, ..refusal() }.into_answer(true);

        let of = |name: &str| {
            answer.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        assert_eq!((answer.status, answer.content.is_empty()), (200, true));
        assert_eq!(of("grpc-status"), Some(b"16".to_vec()));
        assert_eq!(of("grpc-message"), Some(b"go 100%25%0A".to_vec()));
    }
}
