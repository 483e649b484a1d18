//! Requests from a client's stream.

use engine::config::{PathPolicy, Settings, UnderscorePolicy};

use super::{content_length, is_connection_specific, place};
use crate::buffer::Text;
use crate::codec::canonical;
use crate::failure::Failure;
use crate::limits::{HTTP2_COOKIE_CRUMBS_MAX, REQUEST_HEADERS_MAX, REQUEST_TARGET_BYTES_MAX};
use crate::message::names;
use crate::message::{Fields, Framing, Known, Method, RequestHead, Span, Version};

/// A head that must not be carried, with what could be read of it, for the log.
#[derive(Debug)]
pub struct BadHead {
    /// As far as it was read.
    pub head: Box<RequestHead>,
    /// Why it is refused.
    pub failure: Failure,
}

/// Reads a request head. Its spans point into `text`, which is filled.
///
/// # Errors
/// The head is ambiguous or malformed; the stream is then answered or reset and the connection lives.
pub fn request(
    parts: &http::request::Parts,
    ended: bool,
    settings: &Settings,
    text: &mut Text,
) -> Result<RequestHead, BadHead> {
    let mut head = RequestHead { version: Version::Http2, persistent: true, ..RequestHead::default() };
    match read(parts, ended, settings, text, &mut head) {
        Ok(()) => Ok(head),
        Err(failure) => Err(BadHead { head: Box::new(head), failure }),
    }
}

fn read(
    parts: &http::request::Parts,
    ended: bool,
    settings: &Settings,
    text: &mut Text,
    head: &mut RequestHead,
) -> Result<(), Failure> {
    read_method(&parts.method, text, head)?;
    read_target(parts, settings.path_policy, text, head)?;
    push_request_fields(&parts.headers, text, &mut head.fields)?;
    read_authority(parts, text, head)?;
    check_fields(settings.underscores, text, head)?;
    head.framing = framing(ended, text, head)?;
    Ok(())
}

/// Appends a request's fields. Clients may send a cookie in crumbs, one pair a field; anything that is not HTTP/2
/// must be given them as one (RFC 9113 section 8.2.3), and our rules see what the upstream sees.
fn push_request_fields(map: &http::HeaderMap, text: &mut Text, fields: &mut Fields) -> Result<(), Failure> {
    let mut crumbs = 0;
    // Values of one name come one after the other.
    for (name, value) in map {
        if *name == http::header::COOKIE {
            crumbs += 1;
            if let (true, Some(cookie)) = (crumbs > 1, fields.last_mut()) {
                text.extend_from_slice(b"; ");
                text.extend_from_slice(value.as_bytes());
                cookie.value.end = text.len() as u32;
                continue;
            }
        }
        let name = name.as_str().as_bytes();
        fields.push(place(text, name, value.as_bytes(), names::classify(name)));
    }
    if fields.len() > REQUEST_HEADERS_MAX || crumbs > HTTP2_COOKIE_CRUMBS_MAX {
        return Err(Failure::HeadersTooMany);
    }
    Ok(())
}

fn read_method(method: &http::Method, text: &mut Text, head: &mut RequestHead) -> Result<(), Failure> {
    head.method = match *method {
        http::Method::GET => Method::Get,
        http::Method::HEAD => Method::Head,
        http::Method::POST => Method::Post,
        http::Method::PUT => Method::Put,
        http::Method::DELETE => Method::Delete,
        http::Method::OPTIONS => Method::Options,
        http::Method::PATCH => Method::Patch,
        // A tunnel would let the client choose where bytes go; TRACE shows fields that the client must not see.
        http::Method::CONNECT | http::Method::TRACE => return Err(Failure::MethodRefused),
        _ => Method::Other,
    };
    head.method_token = put(text, method.as_str().as_bytes());
    Ok(())
}

fn put(text: &mut Text, bytes: &[u8]) -> Span {
    let start = text.len();
    text.extend_from_slice(bytes);
    Span::new(start, text.len())
}

fn read_target(
    parts: &http::request::Parts,
    policy: PathPolicy,
    text: &mut Text,
    head: &mut RequestHead,
) -> Result<(), Failure> {
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    if target.len() > REQUEST_TARGET_BYTES_MAX {
        return Err(Failure::TargetTooLong);
    }
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let is_whole_server = path == "*" && head.method == Method::Options;
    if !path.starts_with('/') && !is_whole_server {
        return Err(Failure::BadTarget);
    }
    if target.bytes().any(|byte| !(0x21..=0x7e).contains(&byte) || byte == b'#') {
        return Err(Failure::BadTarget);
    }
    head.path = put(text, path.as_bytes());
    if !is_whole_server {
        let canonical = canonical::path(&mut text[head.path.range()], policy)?;
        head.path.end = head.path.start + canonical.length as u32;
        head.path_changed = canonical.changed;
    }
    head.query = query.map(|query| put(text, query.as_bytes()));
    Ok(())
}

/// `:authority`, or `host` where a gateway from HTTP/1 left it out; both only when they agree.
fn read_authority(
    parts: &http::request::Parts,
    text: &mut Text,
    head: &mut RequestHead,
) -> Result<(), Failure> {
    let mut hosts = parts.headers.get_all(http::header::HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    let named = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let raw = match (named, host, more) {
        (_, _, Some(_)) | (None, None, None) => return Err(Failure::BadHost),
        (Some(named), Some(host), None) if !named.eq_ignore_ascii_case(host.as_bytes()) => {
            return Err(Failure::BadHost);
        }
        (Some(named), _, None) => named,
        (None, Some(host), None) => host.as_bytes(),
    };
    head.host = put(text, raw);
    let authority = canonical::host(&mut text[head.host.range()])?;
    head.host.end = head.host.start + authority.host as u32;
    head.host_port = authority.port;
    Ok(())
}

fn check_fields(policy: UnderscorePolicy, text: &Text, head: &mut RequestHead) -> Result<(), Failure> {
    for field in head.fields.iter_mut() {
        let name = field.name.of(text);
        if is_connection_specific(field.known) {
            return Err(Failure::Http2Protocol);
        }
        if field.known == Known::Te {
            if field.value.of(text) != b"trailers" {
                return Err(Failure::Http2Protocol);
            }
            head.te_trailers = true;
        }
        if field.known == Known::Expect {
            if !field.value.of(text).eq_ignore_ascii_case(b"100-continue") {
                return Err(Failure::BadExpectation);
            }
            head.expects_continue = true;
        }
        if name.contains(&b'_') {
            match policy {
                UnderscorePolicy::Reject => return Err(Failure::HeaderUnderscore),
                UnderscorePolicy::Drop => field.known = Known::Listed,
                UnderscorePolicy::Keep => {}
            }
        }
    }
    Ok(())
}

fn framing(ended: bool, text: &Text, head: &RequestHead) -> Result<Framing, Failure> {
    let mut lengths = head.fields.iter().filter(|field| field.known == Known::ContentLength);
    let length = match (lengths.next(), lengths.next()) {
        (None, _) => None,
        (Some(field), None) => Some(content_length(field.value.of(text)).ok_or(Failure::BadFraming)?),
        (Some(_), Some(_)) => return Err(Failure::BadFraming),
    };
    match (ended, length) {
        (true, None | Some(0)) => Ok(Framing::None),
        // The library checks the sum of the frames against the declared length.
        (true, Some(_)) => Err(Failure::BadFraming),
        (false, None) => Ok(Framing::Chunked),
        // An empty frame will end the stream, and the library refuses any other. To call it chunked would send
        // an HTTP/1 upstream a length and chunks at once.
        (false, Some(0)) => Ok(Framing::None),
        (false, Some(length)) => Ok(Framing::Length(length)),
    }
}
