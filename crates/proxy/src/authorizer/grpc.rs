//! The question as a call of `Authorization/Check`, and what its answer means.
//!
//! An authorizer is shown what the backend would be shown: the canonical path, and neither fields that end here nor a
//! credential that goes no further. An answer without a status is no answer: Envoy takes it for a yes, and we do not,
//! because that is what an empty message looks like.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message as _;

use crate::caller;
use crate::exchange::Exchange;
use crate::forwarded::client_address;
use crate::heard::{How, Told};
use crate::message::{Framing, Known, Method, Version};
use crate::upstream::send::{visit_fields, write_host, write_target};

use super::answer::Refusal;
use super::call::{Question, Reply};
use super::proto::{
    Address, AttributeContext, CheckRequest, CheckResponse, HeaderValue, HeaderValueOption, HttpRequest,
    HttpResponse, OkHttpResponse, Peer, QueryParameter, Request, SocketAddress, Timestamp, TlsSession,
};
use super::verdict::{Consent, Edit, Fault, Verdict};

const PATH: &[u8] = b"/envoy.service.auth.v3.Authorization/Check";
/// Compressed or not, and the length of the message that follows.
const PREFIX_BYTES: usize = 5;
/// What `AttributeContext.HttpRequest.size` is when nobody knows.
const SIZE_UNKNOWN: i64 = -1;
const REFUSED_STATUS_DEFAULT: u16 = 403;
/// What an extension tells the name of the caller by, where one was found.
const PRINCIPAL: &str = "selvedge.principal";

/// What is told beside the request, and how much of it.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// Fields that are shown; `None` for all.
    pub(super) shown: Option<&'a [Arc<[u8]>]>,
    pub(super) context: &'a [(Arc<str>, Arc<str>)],
    pub(super) with_certificate: bool,
}

/// The call.
pub(super) fn question(
    exchange: &Exchange<'_>,
    asked: &Asked<'_>,
    host: &str,
    body: Option<&[u8]>,
) -> Question {
    let message = CheckRequest { attributes: Some(attributes(exchange, asked, body)) }.encode_to_vec();
    let mut content = Vec::with_capacity(PREFIX_BYTES + message.len());
    content.push(0);
    // Heads and bodies that are shown are bounded far below 4 GiB.
    content.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    content.extend_from_slice(&message);
    Question {
        version: Version::Http2,
        method: (Method::Post, b"POST".to_vec()),
        target: (PATH.to_vec(), None),
        host: host.as_bytes().to_vec(),
        fields: vec![(b"content-type".to_vec(), b"application/grpc".to_vec())],
        content: Some(content),
    }
}

fn attributes(exchange: &Exchange<'_>, asked: &Asked<'_>, body: Option<&[u8]>) -> AttributeContext {
    let extensions = asked.context.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let principal = exchange.principal.name().map(|name| (PRINCIPAL.to_owned(), name.to_owned()));
    let began = exchange.worker.clock.wall();
    let certificate = exchange.peer.vouched.as_deref().filter(|_| asked.with_certificate);
    let port = exchange.pinned.port().address;
    AttributeContext {
        source: Some(Peer {
            address: Some(address(client_address(exchange).to_string(), exchange.peer.address.port())),
            principal: caller::identity(exchange).unwrap_or_default().to_owned(),
            certificate: certificate.map(crate::vouched::Vouched::url_encoded_pem).unwrap_or_default(),
        }),
        destination: Some(Peer { address: Some(address(port.ip.to_string(), port.port)), ..Peer::default() }),
        request: Some(Request {
            time: Some(Timestamp { seconds: began.as_secs() as i64, nanos: began.subsec_nanos() as i32 }),
            http: Some(request(exchange, asked.shown, body)),
        }),
        context_extensions: extensions.chain(principal).collect(),
        tls_session: exchange.peer.server_name.as_deref().map(|sni| TlsSession { sni: sni.to_owned() }),
    }
}

fn address(address: String, port: u16) -> Address {
    Address { socket_address: Some(SocketAddress { address, port_value: Some(port.into()) }) }
}

fn request(exchange: &Exchange<'_>, shown: Option<&[Arc<[u8]>]>, body: Option<&[u8]>) -> HttpRequest {
    let head = &exchange.request.head;
    let (mut path, mut host) = (Vec::new(), Vec::new());
    write_target(exchange, &mut path);
    write_host(exchange, &mut host);
    let (path, host) = (text(&path), text(&host));
    let method = text(head.method_token.of(&exchange.request.text));
    let scheme = if exchange.is_secure() { "https" } else { "http" };
    let mut headers = BTreeMap::from([
        (":method".to_owned(), method.clone()),
        (":path".to_owned(), path.clone()),
        (":authority".to_owned(), host.clone()),
        (":scheme".to_owned(), scheme.to_owned()),
    ]);
    visit_fields(exchange, None, |name, value| {
        if shown.is_none_or(|shown| shown.iter().any(|known| **known == *name)) {
            let held = headers.entry(text(name)).or_default();
            if !held.is_empty() {
                held.push(',');
            }
            held.push_str(&text(value));
        }
    });
    let size = match (head.framing, &exchange.body) {
        (_, Some(body)) => body.content().len() as i64,
        (Framing::None, None) => 0,
        (Framing::Length(length), None) => length as i64,
        (Framing::Chunked | Framing::UntilClose, None) => SIZE_UNKNOWN,
    };
    let protocol = match head.version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
        Version::Http2 => "HTTP/2",
    };
    let (body, raw_body) = match body.map(std::str::from_utf8) {
        Some(Ok(text)) => (text.to_owned(), Vec::new()),
        Some(Err(_)) => (String::new(), body.unwrap_or_default().to_vec()),
        None => (String::new(), Vec::new()),
    };
    HttpRequest {
        id: text(exchange.request_id()),
        method,
        headers,
        path,
        host,
        scheme: scheme.to_owned(),
        size,
        protocol: protocol.to_owned(),
        body,
        raw_body,
    }
}

/// Bytes that are no text are shown as U+FFFD, as in the log.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What an answer means.
pub(super) fn verdict(reply: &Reply) -> Result<Verdict, Fault> {
    if reply.head.status != 200 {
        return Err(if reply.head.status >= 500 { Fault::Status } else { Fault::Malformed });
    }
    // An answer without messages has its status among the first fields.
    let own = reply.head.view(&reply.text);
    let trailing = reply.body.trailers();
    let trailing = trailing.and_then(|all| all.iter().find(|(name, _)| *name == b"grpc-status"));
    let status = trailing.map(|(_, value)| value).or_else(|| engine::HeaderView::first(&own, b"grpc-status"));
    match status {
        Some(b"0") => {}
        Some(_) => return Err(Fault::Status),
        None => return Err(Fault::Malformed),
    }
    if !own.known(Known::ContentType).is_some_and(|kind| kind.starts_with(b"application/grpc")) {
        return Err(Fault::Malformed);
    }
    let message = unframed(reply.body.content()).ok_or(Fault::Malformed)?;
    understood(CheckResponse::decode(message).map_err(|_| Fault::Malformed)?)
}

/// The one message, which is not compressed.
fn unframed(content: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = content.split_at_checked(PREFIX_BYTES)?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    (prefix[0] == 0 && usize::try_from(length) == Ok(message.len())).then_some(message)
}

fn understood(answer: CheckResponse) -> Result<Verdict, Fault> {
    let CheckResponse { status, http_response } = answer;
    let status = status.ok_or(Fault::Malformed)?;
    match (status.code, http_response) {
        (0, Some(HttpResponse::Ok(ok))) => Ok(Verdict::Allow(consent(ok)?)),
        (0, None) => Ok(Verdict::Allow(Consent::default())),
        // It says yes and no.
        (0, Some(HttpResponse::Denied(_))) => Err(Fault::Malformed),
        (_, Some(HttpResponse::Denied(denied))) => {
            let said = denied.status.and_then(|status| u16::try_from(status.code).ok());
            let fields = denied.headers.into_iter().filter_map(|option| {
                let HeaderValue { key, value, raw_value } = option.header?;
                Some((key.to_ascii_lowercase().into_bytes(), one_of(value, raw_value)))
            });
            Ok(Verdict::Deny(Refusal {
                status: said.filter(|status| (200..600).contains(status)).unwrap_or(REFUSED_STATUS_DEFAULT),
                fields: fields.collect(),
                content: denied.body.into_bytes(),
            }))
        }
        (_, Some(HttpResponse::Ok(_)) | None) => {
            Ok(Verdict::Deny(Refusal { status: REFUSED_STATUS_DEFAULT, ..Refusal::default() }))
        }
    }
}

fn consent(ok: OkHttpResponse) -> Result<Consent, Fault> {
    let OkHttpResponse {
        headers,
        headers_to_remove,
        response_headers_to_add,
        query_parameters_to_set,
        query_parameters_to_remove,
    } = ok;
    let set = query_parameters_to_set.into_iter();
    Ok(Consent {
        removed: headers_to_remove.into_iter().map(|name| name.to_ascii_lowercase().into_bytes()).collect(),
        edits: headers.into_iter().map(edit).collect::<Result<_, _>>()?,
        query_removed: query_parameters_to_remove.into_iter().map(String::into_bytes).collect(),
        query_set: set.map(|QueryParameter { key, value }| (key.into_bytes(), value.into_bytes())).collect(),
        told: response_headers_to_add.into_iter().map(told).collect::<Result<_, _>>()?,
    })
}

/// A field of the request. As in Envoy, `append` alone says whether it stands beside the client's: with `append_action`
/// a client could keep its own.
fn edit(option: HeaderValueOption) -> Result<Edit, Fault> {
    let HeaderValueOption { header, append, append_action: _ } = option;
    let HeaderValue { key, value, raw_value } = header.ok_or(Fault::Malformed)?;
    let adds = append.is_some_and(|append| append.value);
    Ok(Edit { name: key.to_ascii_lowercase().into_bytes(), value: one_of(value, raw_value), adds })
}

/// A field that the client is told.
fn told(option: HeaderValueOption) -> Result<Told, Fault> {
    let HeaderValueOption { header, append, append_action } = option;
    let HeaderValue { key, value, raw_value } = header.ok_or(Fault::Malformed)?;
    let how = match (append.map(|append| append.value), append_action) {
        (Some(true), _) | (None, 0) => How::Add,
        (Some(false), _) | (None, 2) => How::Set,
        (None, 1) => How::AddIfAbsent,
        (None, 3) => How::SetIfPresent,
        (None, _) => return Err(Fault::Malformed),
    };
    let name = key.to_ascii_lowercase().into_bytes();
    Ok(Told { name: name.into(), value: one_of(value, raw_value).into(), how })
}

fn one_of(value: String, raw: Vec<u8>) -> Vec<u8> {
    if raw.is_empty() { value.into_bytes() } else { raw }
}

#[cfg(test)]
mod tests {
    use super::super::proto::{BoolValue, DeniedHttpResponse, HttpStatus, Status};
    use super::*;

    fn option(name: &str, value: &str, append: Option<bool>, action: i32) -> HeaderValueOption {
        HeaderValueOption {
            header: Some(HeaderValue { key: name.into(), value: value.into(), raw_value: Vec::new() }),
            append: append.map(|value| BoolValue { value }),
            append_action: action,
        }
    }

    fn status(code: i32) -> Option<Status> {
        Some(Status { code, message: String::new() })
    }

    #[test]
    fn an_answer_without_a_status_is_none() {
        let empty = CheckResponse { status: None, http_response: None };
        assert_eq!(understood(empty).err(), Some(Fault::Malformed));

        let yes = CheckResponse { status: status(0), http_response: None };
        assert!(matches!(understood(yes), Ok(Verdict::Allow(_))));
        let no = CheckResponse { status: status(7), http_response: None };
        assert!(matches!(understood(no), Ok(Verdict::Deny(Refusal { status: 403, .. }))));
    }

    #[test]
    fn yes_and_no_at_once_is_no_answer() {
        let denied = HttpResponse::Denied(DeniedHttpResponse::default());
        let both = CheckResponse { status: status(0), http_response: Some(denied) };
        assert_eq!(understood(both).err(), Some(Fault::Malformed));

        let ok = HttpResponse::Ok(OkHttpResponse::default());
        let other = CheckResponse { status: status(16), http_response: Some(ok) };
        assert!(matches!(understood(other), Ok(Verdict::Deny(_))));
    }

    #[test]
    fn a_status_that_http_does_not_have_is_a_403() {
        for (said, answered) in [(401, 401), (302, 302), (0, 403), (99, 403), (70_000, 403), (-1, 403)] {
            let denied = DeniedHttpResponse { status: Some(HttpStatus { code: said }), ..Default::default() };
            let answer =
                CheckResponse { status: status(7), http_response: Some(HttpResponse::Denied(denied)) };
            let Ok(Verdict::Deny(refusal)) = understood(answer) else { panic!("a refusal") };
            assert_eq!(refusal.status, answered, "{said}");
        }
    }

    #[test]
    fn a_field_takes_the_place_of_the_clients_unless_it_is_to_stand_beside_it() {
        let adds = |append, action| edit(option("X-A", "1", append, action)).map(|edit| edit.adds);
        for action in 0..5 {
            assert_eq!(adds(None, action), Ok(false), "what a client sends cannot keep ours out");
            assert_eq!(adds(Some(true), action), Ok(true));
            assert_eq!(adds(Some(false), action), Ok(false));
        }
        let how = |append, action| told(option("X-A", "1", append, action)).map(|told| told.how);
        assert_eq!(how(None, 0), Ok(How::Add));
        assert_eq!(how(None, 1), Ok(How::AddIfAbsent));
        assert_eq!(how(None, 2), Ok(How::Set));
        assert_eq!(how(None, 3), Ok(How::SetIfPresent));
        assert_eq!(how(None, 4), Err(Fault::Malformed));
        assert_eq!(how(Some(true), 2), Ok(How::Add));
        assert_eq!(how(Some(false), 1), Ok(How::Set));
    }

    #[test]
    fn an_answer_is_one_whole_message() {
        assert_eq!(unframed(b"\0\0\0\0\x02ab"), Some(&b"ab"[..]));
        for bad in [
            &b""[..],
            b"\0\0\0",
            b"\x01\0\0\0\x02ab",
            b"\0\0\0\0\x03ab",
            b"\0\0\0\0\x01ab",
            b"\0\xff\xff\xff\xffab",
        ] {
            assert_eq!(unframed(bad), None, "{bad:?}");
        }
    }
}
