//! Responses: the status line and its fields, as strictly as requests.
//!
//! An upstream is not an attacker, but what passes through it may be: a response that can be cut in two places
//! poisons the connection for the next client. Framing that could be read in two ways is refused with 502, and
//! the caller closes the connection. One leniency: a status line that ends right after the code, without the
//! space that RFC 9112 section 4 asks for, is accepted, because it can be read in one way only.

use crate::failure::Failure;
use crate::limits::{RESPONSE_HEAD_BYTES_MAX, RESPONSE_HEADERS_MAX};
use crate::message::{Framing, Known, Method, ResponseHead, Span, Version};

use super::alphabet::text_end;
use super::fields::{Line, read_line};
use super::{Parsed, Resume};

/// Parses a response head at the start of `bytes`: final or interim (1xx, 101 included), the caller decides.
///
/// `request_method` is that of the request it answers, because the answer to `HEAD` has no body whatever its
/// fields say. Names are lowered in place; `head` is cleared and filled. See [`Resume`] for what must hold
/// between calls.
pub fn parse_response(
    bytes: &mut [u8],
    head: &mut ResponseHead,
    request_method: Method,
    resume: &mut Resume,
) -> Parsed {
    let end = bytes.len().min(RESPONSE_HEAD_BYTES_MAX);
    let parsed = match advance(&mut bytes[..end], head, request_method, resume) {
        Ok(Some(length)) => Parsed::Complete { length },
        Ok(None) if end < RESPONSE_HEAD_BYTES_MAX => return Parsed::Incomplete,
        Ok(None) => Parsed::Failed(Failure::UpstreamHeadTooLarge),
        Err(failure) => Parsed::Failed(failure),
    };
    *resume = Resume::default();
    parsed
}

#[inline]
fn advance(
    bytes: &mut [u8],
    head: &mut ResponseHead,
    request_method: Method,
    resume: &mut Resume,
) -> Result<Option<usize>, Failure> {
    if !resume.is_line_ready(bytes) {
        return Ok(None);
    }
    if !resume.in_fields {
        head.fields.clear();
        let Some(next) = read_status_line(bytes, head)? else {
            resume.wait(bytes);
            return Ok(None);
        };
        resume.in_fields = true;
        resume.go_on(next);
    }
    loop {
        match read_line(bytes, resume.at) {
            Line::Field { field, next, .. } => {
                if field.known != Known::Other {
                    resume
                        .controls
                        .note(field.known, field.value, bytes)
                        .map_err(|_| Failure::UpstreamProtocol)?;
                }
                if head.fields.len() == RESPONSE_HEADERS_MAX {
                    return Err(Failure::UpstreamHeadTooLarge);
                }
                head.fields.push(field);
                resume.go_on(next);
            }
            Line::Blank { next } => {
                return finish(bytes, head, request_method, resume).map(|()| Some(next));
            }
            Line::Incomplete => {
                resume.wait(bytes);
                return Ok(None);
            }
            Line::Malformed => return Err(Failure::UpstreamProtocol),
        }
    }
}

/// Reads `HTTP/1.x code reason` if all of it is there; the start of the next line.
#[inline]
fn read_status_line(bytes: &[u8], head: &mut ResponseHead) -> Result<Option<usize>, Failure> {
    const CODE: usize = b"HTTP/1.1 ".len();
    const REASON: usize = b"HTTP/1.1 200 ".len();
    let end = text_end(bytes, 0);
    refuse_start(&bytes[..end.min(REASON)])?;
    let next = match (bytes.get(end), bytes.get(end + 1)) {
        (Some(b'\r'), Some(b'\n')) => end + 2,
        (None, _) | (Some(b'\r'), None) => return Ok(None),
        _ => return Err(Failure::UpstreamProtocol),
    };
    if end < REASON - 1 {
        return Err(Failure::UpstreamProtocol);
    }
    head.version = if bytes[7] == b'1' { Version::Http11 } else { Version::Http10 };
    head.status = bytes[CODE..CODE + 3].iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    head.reason = Span::new(end.min(REASON), end);
    Ok(Some(next))
}

/// Refuses what cannot be the start of a status line, as soon as it can be seen.
#[inline]
fn refuse_start(start: &[u8]) -> Result<(), Failure> {
    // What nearly all of them are, in two comparisons.
    if let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1', b' ', first, second, third, b' '] = start
        && matches!(first, b'1'..=b'9')
        && second.is_ascii_digit()
        && third.is_ascii_digit()
    {
        return Ok(());
    }
    refuse_odd_start(start)
}

/// The same for every start: one that is cut off, of HTTP/1.0, without a reason, or bad.
#[inline(never)]
fn refuse_odd_start(start: &[u8]) -> Result<(), Failure> {
    let is_fine = start.iter().zip(b"HTTP/1.v sdd ").all(|(&byte, &pattern)| match pattern {
        b'v' => matches!(byte, b'0' | b'1'),
        b's' => matches!(byte, b'1'..=b'9'),
        b'd' => byte.is_ascii_digit(),
        _ => byte == pattern,
    });
    if is_fine { Ok(()) } else { Err(Failure::UpstreamProtocol) }
}

/// Judges the head as a whole (RFC 9112 section 6.3).
fn finish(
    bytes: &[u8],
    head: &mut ResponseHead,
    request_method: Method,
    resume: &Resume,
) -> Result<(), Failure> {
    let controls = &resume.controls;
    let is_http11 = head.version == Version::Http11;
    let has_length = controls.content_length.is_some_and(|length| length > 0);
    let is_interim = head.status < 200;
    if controls.chunked && !is_http11 || is_interim && (controls.chunked || has_length) {
        return Err(Failure::UpstreamProtocol);
    }
    let is_bodiless =
        is_interim || head.status == 204 || head.status == 304 || request_method == Method::Head;
    head.framing = match (is_bodiless, controls.chunked, controls.content_length) {
        (true, _, _) | (false, false, Some(0)) => Framing::None,
        (false, true, _) => Framing::Chunked,
        (false, false, Some(length)) => Framing::Length(length),
        (false, false, None) => Framing::UntilClose,
    };
    // A 204 that announces content may be followed by it: nothing may come after it on this connection.
    let is_at_odds = head.status == 204 && (controls.chunked || has_length);
    let lets_live = !controls.close && (is_http11 || controls.keep_alive);
    head.persistent = lets_live && head.framing != Framing::UntilClose && !is_at_odds;
    if controls.lists_fields {
        controls.mark_listed(&mut head.fields, bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
