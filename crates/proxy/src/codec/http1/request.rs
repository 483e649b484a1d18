//! Requests: the request line and its fields, strictly, in place, in one pass.
//!
//! Decisions where RFC 9112 leaves a choice: one empty line (CRLF) before a request line is skipped, as
//! section 2.2 asks of servers, and no more than one. Only CRLF ends a line. A method that is a known one in
//! the wrong case is refused, because an origin may not care about case while our rules do. `CONNECT` and
//! `TRACE` are never carried. An `Upgrade` that the connection options do not announce, that arrives in
//! HTTP/1.0, or that offers `h2c` or TLS is not an upgrade: the request goes on without it.

use engine::config::{PathPolicy, UnderscorePolicy};

use crate::codec::canonical;
use crate::failure::Failure;
use crate::limits::{
    REQUEST_HEAD_BYTES_MAX, REQUEST_HEADERS_MAX, REQUEST_METHOD_BYTES_MAX, REQUEST_TARGET_BYTES_MAX,
};
use crate::message::{Field, Framing, Known, Method, RequestHead, Span, Version};

use super::alphabet::{is_token_byte, path_end, query_end};
use super::controls::{Mistake, list};
use super::fields::{Line, read_line};
use super::target::{Target, read_target};
use super::{Parsed, Resume};
use crate::message::names::reads_as_trusted;

/// What the owner of a port has decided about ambiguous requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Paths that can be read in two ways.
    pub path: PathPolicy,
    /// Field names with an underscore. Whatever is said here, an alias of a field that frames the message or
    /// vouches for the client is not carried.
    pub underscores: UnderscorePolicy,
}

/// Parses a request head at the start of `bytes`.
///
/// The buffer is changed in place: names and host are lowered, the path is made canonical (it never grows).
/// `head` is cleared and filled; it is complete only with [`Parsed::Complete`]. See [`Resume`] for what must
/// hold between calls.
pub fn parse_request(bytes: &mut [u8], head: &mut RequestHead, rules: &Rules, resume: &mut Resume) -> Parsed {
    let end = bytes.len().min(REQUEST_HEAD_BYTES_MAX);
    let parsed = match advance(&mut bytes[..end], head, rules, resume) {
        Ok(Some(length)) => Parsed::Complete { length },
        Ok(None) if end < REQUEST_HEAD_BYTES_MAX => return Parsed::Incomplete,
        Ok(None) => Parsed::Failed(Failure::HeadTooLarge),
        Err(failure) => Parsed::Failed(failure),
    };
    *resume = Resume::default();
    parsed
}

/// Goes as far as the bytes allow; the length of the head once its end was seen.
#[inline]
fn advance(
    bytes: &mut [u8],
    head: &mut RequestHead,
    rules: &Rules,
    resume: &mut Resume,
) -> Result<Option<usize>, Failure> {
    if !resume.is_line_ready(bytes) {
        return Ok(None);
    }
    if !resume.in_fields {
        let Some(next) = read_request_line(bytes, head, rules, resume)? else {
            resume.wait(bytes);
            return Ok(None);
        };
        resume.in_fields = true;
        resume.go_on(next);
    }
    loop {
        match read_line(bytes, resume.at) {
            Line::Field { field, underscore, next } => {
                if !underscore || is_underscore_kept(field.name, bytes, rules)? {
                    take_field(field, bytes, head, resume)?;
                }
                resume.go_on(next);
            }
            Line::Blank { next } => return finish(bytes, head, resume).map(|()| Some(next)),
            Line::Incomplete => {
                resume.wait(bytes);
                return Ok(None);
            }
            Line::Malformed => return Err(Failure::BadHeader),
        }
    }
}

/// Reads the request line if all of it is there; the start of the next line.
#[inline]
fn read_request_line(
    bytes: &mut [u8],
    head: &mut RequestHead,
    rules: &Rules,
    resume: &mut Resume,
) -> Result<Option<usize>, Failure> {
    clear(head);
    let Some(start) = skip_empty_line(bytes)? else { return Ok(None) };
    let Some(method_end) = read_method(bytes, start, head)? else { return Ok(None) };
    let Some(target) = find_target(bytes, method_end + 1)? else { return Ok(None) };
    let version = target.whole.end + 1;
    let Some(next) = read_version(bytes, version, head)? else { return Ok(None) };
    refuse_method(head, bytes)?;
    resume.authority = read_target(bytes, target, head, rules)?;
    Ok(Some(next))
}

/// The fields of `head` that no later step always sets.
#[inline]
fn clear(head: &mut RequestHead) {
    head.fields.clear();
    head.host = Span::default();
    head.host_port = None;
    head.expects_continue = false;
    head.upgrade = None;
    head.te_trailers = false;
}

#[inline]
fn skip_empty_line(bytes: &[u8]) -> Result<Option<usize>, Failure> {
    match (bytes.first(), bytes.get(1)) {
        (Some(b'\r'), Some(b'\n')) => Ok(Some(2)),
        (None, _) | (Some(b'\r'), None) => Ok(None),
        (Some(b'\r'), Some(_)) => Err(Failure::BadRequestLine),
        (Some(_), _) => Ok(Some(0)),
    }
}

/// Reads the method; the position of the space after it.
#[inline]
fn read_method(bytes: &[u8], start: usize, head: &mut RequestHead) -> Result<Option<usize>, Failure> {
    let line = &bytes[start..];
    let (method, length) = if line.starts_with(b"GET ") {
        (Method::Get, 3)
    } else if line.starts_with(b"POST ") {
        (Method::Post, 4)
    } else {
        match line.iter().position(|&byte| !is_token_byte(byte)) {
            None if line.len() <= REQUEST_METHOD_BYTES_MAX => return Ok(None),
            Some(length @ 1..=REQUEST_METHOD_BYTES_MAX) if line[length] == b' ' => {
                (method_of(&line[..length]), length)
            }
            _ => return Err(Failure::BadRequestLine),
        }
    };
    head.method = method;
    head.method_token = Span::new(start, start + length);
    Ok(Some(start + length))
}

fn method_of(token: &[u8]) -> Method {
    match token {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"POST" => Method::Post,
        b"PUT" => Method::Put,
        b"DELETE" => Method::Delete,
        b"OPTIONS" => Method::Options,
        b"PATCH" => Method::Patch,
        _ => Method::Other,
    }
}

/// Methods that are not carried, and known ones in the wrong case.
#[inline]
fn refuse_method(head: &RequestHead, bytes: &[u8]) -> Result<(), Failure> {
    if head.method != Method::Other {
        return Ok(());
    }
    let token = head.method_token.of(bytes);
    let is_like = |names: &[&[u8]]| names.iter().any(|name| name.eq_ignore_ascii_case(token));
    if is_like(&[b"CONNECT", b"TRACE"]) {
        return Err(Failure::MethodRefused);
    }
    if is_like(&[b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"]) {
        return Err(Failure::BadRequestLine);
    }
    Ok(())
}

/// Finds the end of the target, which is the space before the version.
#[inline]
fn find_target(bytes: &[u8], start: usize) -> Result<Option<Target>, Failure> {
    let window = &bytes[..bytes.len().min(start + REQUEST_TARGET_BYTES_MAX + 1)];
    let path_end = path_end(window, start);
    let end = if window.get(path_end) == Some(&b'?') { query_end(window, path_end + 1) } else { path_end };
    match window.get(end) {
        Some(b' ') if end > start => Ok(Some(Target { whole: start..end, path_end })),
        None if end <= start + REQUEST_TARGET_BYTES_MAX => Ok(None),
        None => Err(Failure::TargetTooLong),
        Some(b' ' | b'\t' | b'\r' | b'\n') => Err(Failure::BadRequestLine),
        Some(_) => Err(Failure::BadTarget),
    }
}

/// Reads `HTTP/1.x` and the line's end; the start of the next line.
#[inline]
fn read_version(bytes: &[u8], start: usize, head: &mut RequestHead) -> Result<Option<usize>, Failure> {
    let rest = bytes.get(start..).unwrap_or(b"");
    if rest.starts_with(b"HTTP/1.1\r\n") {
        head.version = Version::Http11;
    } else if rest.starts_with(b"HTTP/1.0\r\n") {
        head.version = Version::Http10;
    } else {
        return refuse_version(rest).map(|()| None);
    }
    Ok(Some(start + b"HTTP/1.1\r\n".len()))
}

/// Names what is wrong with the end of the request line, unless it is only cut off.
#[cold]
fn refuse_version(rest: &[u8]) -> Result<(), Failure> {
    const MINOR: usize = 7;
    for (index, (&byte, &expected)) in rest.iter().zip(b"HTTP/1.1\r\n").enumerate() {
        let is_fine = byte == expected || (index == MINOR && byte == b'0');
        if !is_fine {
            let is_number = index >= 5 && (byte.is_ascii_digit() || byte == b'.');
            return Err(if is_number { Failure::BadVersion } else { Failure::BadRequestLine });
        }
    }
    Ok(())
}

/// Whether a field with an underscore in its name is carried.
#[cold]
fn is_underscore_kept(name: Span, bytes: &[u8], rules: &Rules) -> Result<bool, Failure> {
    match rules.underscores {
        UnderscorePolicy::Reject => Err(Failure::HeaderUnderscore),
        UnderscorePolicy::Drop => Ok(false),
        UnderscorePolicy::Keep => Ok(!reads_as_trusted(name.of(bytes))),
    }
}

/// Adds a field and takes note of what it says to us.
#[inline]
fn take_field(
    field: Field,
    bytes: &mut [u8],
    head: &mut RequestHead,
    resume: &mut Resume,
) -> Result<(), Failure> {
    if head.fields.len() == REQUEST_HEADERS_MAX {
        return Err(Failure::HeadersTooMany);
    }
    head.fields.push(field);
    if field.known == Known::Other {
        return Ok(());
    }
    take_known_field(field.known, field.value, bytes, head, resume)
}

fn take_known_field(
    known: Known,
    value: Span,
    bytes: &mut [u8],
    head: &mut RequestHead,
    resume: &mut Resume,
) -> Result<(), Failure> {
    match known {
        Known::Host => take_host(value, bytes, head),
        Known::Expect => take_expect(value.of(bytes), head),
        Known::Te => {
            head.te_trailers |= list(value.of(bytes)).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
            Ok(())
        }
        Known::UserAgent | Known::Origin | Known::ContentType => Ok(()),
        Known::Connection | Known::ContentLength | Known::TransferEncoding | Known::Upgrade => {
            resume.controls.note(known, value, bytes).map_err(failure_of)
        }
        Known::Other
        | Known::Trailer
        | Known::HopByHop
        | Known::Listed
        | Known::ForwardedFor
        | Known::ForwardedProto
        | Known::ForwardedHost
        | Known::Vouched
        | Known::RequestId
        | Known::Trace
        | Known::Hop
        | Known::GrpcTimeout
        | Known::Http2Settings => Ok(()),
    }
}

fn failure_of(mistake: Mistake) -> Failure {
    match mistake {
        Mistake::Framing => Failure::BadFraming,
        Mistake::Field => Failure::BadHeader,
        Mistake::Upgrade => Failure::BadUpgrade,
    }
}

/// The only `Host`; made canonical, so that the field, which was added last, says what was routed on.
fn take_host(value: Span, bytes: &mut [u8], head: &mut RequestHead) -> Result<(), Failure> {
    if !head.host.is_empty() {
        return Err(Failure::BadHost);
    }
    let authority = canonical::host(&mut bytes[value.range()])?;
    let start = value.start as usize;
    if let Some(field) = head.fields.last_mut() {
        field.value = Span::new(start, start + authority.length);
    }
    head.host = Span::new(start, start + authority.host);
    head.host_port = authority.port;
    Ok(())
}

fn take_expect(value: &[u8], head: &mut RequestHead) -> Result<(), Failure> {
    let is_first = !std::mem::replace(&mut head.expects_continue, true);
    let is_known = value.eq_ignore_ascii_case(b"100-continue");
    if is_first && is_known { Ok(()) } else { Err(Failure::BadExpectation) }
}

/// Judges the head as a whole.
#[inline]
fn finish(bytes: &[u8], head: &mut RequestHead, resume: &Resume) -> Result<(), Failure> {
    let controls = &resume.controls;
    let is_http11 = head.version == Version::Http11;
    if controls.chunked && !is_http11 {
        return Err(Failure::BadFraming); // HTTP/1.0 has no chunks: RFC 9112 section 6.1
    }
    if is_http11 && head.host.is_empty() {
        return Err(Failure::BadHost);
    }
    if let Some(authority) = resume.authority {
        if !head.host.is_empty() && !authority.agrees(head.host, head.host_port, bytes) {
            return Err(Failure::BadHost);
        }
        head.host = authority.host;
        head.host_port = authority.port;
    }
    head.framing = match (controls.chunked, controls.content_length) {
        (true, _) => Framing::Chunked,
        (false, None | Some(0)) => Framing::None,
        (false, Some(length)) => Framing::Length(length),
    };
    head.persistent = !controls.close && (is_http11 || controls.keep_alive);
    head.expects_continue &= is_http11 && head.framing != Framing::None;
    if controls.connection_upgrade && is_http11 {
        set_upgrade(bytes, head, controls.upgrade)?;
    }
    if controls.lists_fields {
        controls.mark_listed(&mut head.fields, bytes);
    }
    Ok(())
}

/// An upgrade with a body would leave it open whether the bytes after the head are the body or the new
/// protocol (CVE-2026-58055). What is only an offer is left aside first.
fn set_upgrade(bytes: &[u8], head: &mut RequestHead, protocol: Option<Span>) -> Result<(), Failure> {
    let Some(protocol) = protocol.filter(|span| !is_offer(span.of(bytes))) else {
        return Ok(());
    };
    if head.framing != Framing::None {
        return Err(Failure::BadUpgrade);
    }
    head.upgrade = Some(protocol);
    Ok(())
}

/// Protocols that common clients offer with any request, bodies included, and do well without. We would not
/// see into them, so they are not carried.
fn is_offer(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(b"h2c")
        || protocol.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"tls/"))
}

#[cfg(test)]
mod tests;
