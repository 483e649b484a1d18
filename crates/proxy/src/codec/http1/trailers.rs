//! Trailer sections (RFC 9112 section 7.1.2): parsed, bounded, and sorted out before they travel on.
//!
//! Trailers come when every decision about a message has been made, so a field in them that somebody might
//! merge into the headers is a way around those decisions (CVE-2026-88004). A client's trailers are therefore
//! dropped unless they are on a short list of fields that only make sense after a body: checksums, signatures
//! and gRPC's own. An upstream is trusted with more, because gRPC applications name their own trailers: only
//! what frames, routes, authenticates, caches or vouches is dropped.

use crate::failure::Failure;
use crate::limits::{TRAILERS_BYTES_MAX, TRAILERS_MAX};
use crate::message::{Field, Known};

use super::body::BadBody;
use super::fields::{Line, read_line};
use super::{Parsed, Resume};

/// Who sent a message, hence who is blamed and how far it is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A client.
    Client,
    /// An upstream.
    Upstream,
}

impl Sender {
    fn failure(self) -> Failure {
        match self {
            Sender::Client => BadBody.of_request(),
            Sender::Upstream => BadBody.of_response(),
        }
    }
}

/// Parses the trailer section at the start of `bytes`, which follows the line of the last chunk, up to and
/// including its blank line. `fields` is cleared and gets what may be sent on; names are lowered in place.
/// [`Resume`] says what must hold between calls.
pub fn parse_trailers(
    bytes: &mut [u8],
    fields: &mut Vec<Field>,
    sender: Sender,
    resume: &mut Resume,
) -> Parsed {
    let end = bytes.len().min(TRAILERS_BYTES_MAX);
    let parsed = match advance(&mut bytes[..end], fields, sender, resume) {
        Ok(Some(length)) => Parsed::Complete { length },
        Ok(None) if end < TRAILERS_BYTES_MAX => return Parsed::Incomplete,
        Ok(None) | Err(BadBody) => Parsed::Failed(sender.failure()),
    };
    *resume = Resume::default();
    parsed
}

fn advance(
    bytes: &mut [u8],
    fields: &mut Vec<Field>,
    sender: Sender,
    resume: &mut Resume,
) -> Result<Option<usize>, BadBody> {
    if !resume.is_line_ready(bytes) {
        return Ok(None);
    }
    if resume.at == 0 {
        fields.clear();
    }
    loop {
        match read_line(bytes, resume.at) {
            Line::Field { field, next, .. } => {
                if resume.trailers == TRAILERS_MAX {
                    return Err(BadBody);
                }
                resume.trailers += 1;
                if is_carried(field.name.of(bytes), field.known, sender) {
                    fields.push(field);
                }
                resume.go_on(next);
            }
            Line::Blank { next } => return Ok(Some(next)),
            Line::Incomplete => {
                resume.wait(bytes);
                return Ok(None);
            }
            Line::Malformed => return Err(BadBody),
        }
    }
}

/// Whether a trailer of this name may be sent on. HTTP/2 uses it as well.
#[must_use]
pub fn is_carried(lower_case_name: &[u8], known: Known, sender: Sender) -> bool {
    match sender {
        Sender::Client => is_allowed_from_client(lower_case_name),
        Sender::Upstream => match known {
            Known::Other => !is_header_only(lower_case_name),
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
            | Known::Vouched
            | Known::RequestId
            | Known::Trace
            | Known::Hop
            | Known::GrpcTimeout
            | Known::ContentType
            | Known::UserAgent
            | Known::Origin
            | Known::Http2Settings => false,
        },
    }
}

/// Fields that only make sense after the body they describe.
fn is_allowed_from_client(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 8] = [
        b"content-digest",
        b"content-md5",
        b"digest",
        b"grpc-message",
        b"grpc-status",
        b"grpc-status-details-bin",
        b"repr-digest",
        b"x-amz-trailer-signature",
    ];
    const STARTS: [&[u8]; 3] = [b"x-amz-checksum-", b"x-checksum-", b"x-goog-hash"];
    NAMES.contains(&name) || STARTS.iter().any(|start| name.starts_with(start))
}

/// Fields without a [`Known`] of their own that must not come after the body (RFC 9110 section 6.5.1): they
/// say how the message is read, kept or shown, or who may see it. An underscore hides none of them.
fn is_header_only(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 24] = [
        b"age",
        b"alt-svc",
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-location",
        b"content-range",
        b"cookie",
        b"date",
        b"expires",
        b"location",
        b"max-forwards",
        b"pragma",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"range",
        b"retry-after",
        b"set-cookie",
        b"strict-transport-security",
        b"vary",
        b"via",
        b"warning",
        b"www-authenticate",
        b"x-frame-options",
    ];
    const STARTS: [&[u8]; 3] = [b"access-control-", b"content-security-policy", b"if-"];
    name.contains(&b'_') && crate::message::names::reads_as_trusted(name)
        || NAMES.contains(&name)
        || STARTS.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests;
