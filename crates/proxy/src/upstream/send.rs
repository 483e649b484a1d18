//! What an upstream is told: the request's own fields, less those that end here, edited by the rule, plus what
//! we vouch for.
//!
//! Every field is written anew and none is copied through blindly. HTTP/1 and HTTP/2 share the walk over the
//! fields ([`visit_fields`]) and differ only in how a field is put down.

use bytes::Bytes;
use engine::authentication::{Place, without_cookie, without_parameter};
use engine::config::UpstreamCredential;
use http::uri::{Authority, PathAndQuery, Scheme};

use crate::buffer::Text;
use crate::codec::http2::FieldMap;
use crate::emit::{emit_edits, emit_length, is_replaced, put, put_all, write_decimal};
use crate::exchange::{Concealed, Exchange};
use crate::failure::Failure;
use crate::forwarded::trusted_chain;
use crate::hop;
use crate::message::{Field, Framing, Known};
use crate::trace;

/// Writes a request head for HTTP/1.1 (RFC 9112 section 3).
pub fn write_head(exchange: &Exchange<'_>, credential: Option<&UpstreamCredential>, out: &mut Text) {
    let request = exchange.onward();
    out.extend_from_slice(request.method_token.of(&exchange.request.text));
    out.push(b' ');
    write_target(exchange, out);
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    write_host(exchange, out);
    out.extend_from_slice(b"\r\n");
    write_fields(exchange, credential, out);
    if exchange.request.head.framing == Framing::Chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    if request.te_trailers {
        out.extend_from_slice(b"te: trailers\r\nconnection: te\r\n");
    }
    if let Some(protocol) = request.upgrade {
        out.extend_from_slice(b"connection: upgrade\r\nupgrade: ");
        out.extend_from_slice(protocol.of(&exchange.request.text));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Builds the head that an upstream's stream is opened with; `secure` when its connection is encrypted, `is_first`
/// when it is the first on it.
///
/// # Errors
/// A rewritten host or path cannot be expressed.
pub fn http2_head(
    exchange: &Exchange<'_>,
    credential: Option<&UpstreamCredential>,
    secure: bool,
    is_first: bool,
) -> Result<http::Request<()>, Failure> {
    let scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    let (mut target, mut host) = (Text::new(), Text::new());
    write_target(exchange, &mut target);
    write_host(exchange, &mut host);
    let mut uri = http::uri::Parts::default();
    uri.scheme = scheme;
    uri.authority = Authority::from_maybe_shared(Bytes::copy_from_slice(&host)).ok();
    uri.path_and_query = PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(&target)).ok();
    let uri = http::Uri::from_parts(uri).map_err(|_| Failure::RouteRefused)?;
    let mut fields = FieldMap::default();
    visit_fields(exchange, credential, |name, value| fields.put(name, value));
    if exchange.request.head.te_trailers {
        fields.put(b"te", b"trailers");
    }
    let mut request = http::Request::new(());
    let token = exchange.onward().method_token.of(&exchange.request.text);
    *request.method_mut() = http::Method::from_bytes(token).map_err(|_| Failure::RouteRefused)?;
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = fields.finish(is_first);
    Ok(request)
}

/// Path and query towards the upstream.
pub fn write_target(exchange: &Exchange<'_>, out: &mut Vec<u8>) {
    let (request, text) = (exchange.onward(), &exchange.request.text);
    let path = request.path.of(text);
    match exchange.rewrite.and_then(|rewrite| rewrite.path.as_ref()) {
        Some(edit) => edit.write(path, out),
        None => out.extend_from_slice(path),
    }
    let Some(query) = request.query else { return };
    out.push(b'?');
    match exchange.concealed.place.filter(|_| !exchange.concealed.keep) {
        Some(Place::Query(name)) if !without_parameter(query.of(text), name, out) => drop(out.pop()),
        Some(Place::Query(_)) => {}
        Some(Place::Header(_) | Place::Cookie(_) | Place::Scheme(_)) | None => {
            out.extend_from_slice(query.of(text));
        }
    }
}

/// Host and port towards the upstream.
pub fn write_host(exchange: &Exchange<'_>, out: &mut Vec<u8>) {
    match exchange.rewrite.and_then(|rewrite| rewrite.hostname.as_deref()) {
        Some(hostname) => out.extend_from_slice(hostname.as_bytes()),
        None => write_own_host(exchange, out),
    }
}

fn write_own_host(exchange: &Exchange<'_>, out: &mut Vec<u8>) {
    let request = &exchange.request.head;
    out.extend_from_slice(request.host.of(&exchange.request.text));
    if let Some(port) = request.host_port {
        out.push(b':');
        write_decimal(u64::from(port), out);
    }
}

/// Every field that goes upstream, but for `host` and those that frame the message.
pub fn visit_fields(
    exchange: &Exchange<'_>,
    credential: Option<&UpstreamCredential>,
    mut put_down: impl FnMut(&[u8], &[u8]),
) {
    visit_received(&Sieve::new(exchange, credential), &mut put_down);
    visit_own(exchange, credential, put_down);
}

/// The same for HTTP/1.
fn write_fields(exchange: &Exchange<'_>, credential: Option<&UpstreamCredential>, out: &mut Text) {
    let sieve = Sieve::new(exchange, credential);
    match sieve.cookie {
        None => {
            let fields = exchange.onward().fields.iter();
            put_all(out, fields.filter(|field| sieve.lets_by(field)), &exchange.request.text);
        }
        Some(_) => visit_received(&sieve, &mut |name, value| put(out, name, value)),
    }
    visit_own(exchange, credential, |name, value| put(out, name, value));
}

/// Which of a client's fields go on.
struct Sieve<'e, 'c> {
    exchange: &'e Exchange<'c>,
    credential: Option<&'e UpstreamCredential>,
    /// Whether the client may vouch for others: a member is believed about itself, by its certificate, and about nobody
    /// else.
    vouched: bool,
    edited: bool,
    /// Whether nothing is said of fields by anybody but the protocol.
    is_coarse: bool,
    /// A cookie that goes no further.
    cookie: Option<&'c [u8]>,
}

impl<'e, 'c> Sieve<'e, 'c> {
    fn new(exchange: &'e Exchange<'c>, credential: Option<&'e UpstreamCredential>) -> Sieve<'e, 'c> {
        let Concealed { reserved, place, keep, told: _ } = exchange.concealed;
        let concealed = place.filter(|_| !keep);
        let edited = is_edited(exchange);
        Sieve {
            exchange,
            credential,
            vouched: exchange.settings().trusted_hops > 0 && exchange.peer.counterpart.is_none(),
            edited,
            is_coarse: !edited
                && concealed.is_none()
                && reserved.is_empty()
                && credential.is_none()
                && exchange.body_length.is_none()
                && exchange.answer_bytes_max.is_none(),
            cookie: match concealed {
                Some(Place::Cookie(cookie)) => Some(cookie),
                Some(Place::Header(_) | Place::Scheme(_) | Place::Query(_)) | None => None,
            },
        }
    }

    #[inline]
    fn lets_by(&self, field: &Field) -> bool {
        if !passes(self.exchange, field.known, self.vouched) {
            return false;
        }
        if self.is_coarse && field.known != Known::Trace {
            return true;
        }
        self.lets_by_name(field, field.name.of(&self.exchange.request.text))
    }

    fn lets_by_name(&self, field: &Field, name: &[u8]) -> bool {
        let exchange = self.exchange;
        !((field.known == Known::ContentLength && exchange.body_length.is_some())
            || (self.edited && is_replaced(&exchange.request_edits, name))
            || (field.known == Known::Trace && !exchange.trace.passes(name))
            // Who takes the answer in wants to read it.
            || (exchange.answer_bytes_max.is_some() && name == b"accept-encoding")
            || is_concealed(exchange, name)
            // Nothing that a client says takes the place of our own credential, or stands beside it.
            || self.credential.is_some_and(|own| *own.field == *name))
    }
}

fn is_edited(exchange: &Exchange<'_>) -> bool {
    exchange.request_edits.iter().any(Option::is_some)
}

/// Those fields of the client's that go on.
fn visit_received(sieve: &Sieve<'_, '_>, put_down: &mut impl FnMut(&[u8], &[u8])) {
    let text = &sieve.exchange.request.text;
    for field in sieve.exchange.onward().fields.iter().filter(|field| sieve.lets_by(field)) {
        let (name, value) = (field.name.of(text), field.value.of(text));
        match sieve.cookie {
            Some(cookie) if name == b"cookie" => {
                let mut left = Text::new();
                if without_cookie(value, cookie, &mut left) {
                    put_down(name, &left);
                }
            }
            Some(_) | None => put_down(name, value),
        }
    }
}

/// What we say ourselves.
fn visit_own(
    exchange: &Exchange<'_>,
    credential: Option<&UpstreamCredential>,
    mut put_down: impl FnMut(&[u8], &[u8]),
) {
    // Nothing that a route says takes the place of our own credential, or stands beside it.
    let mut emit = |name: &[u8], value: &[u8]| {
        if credential.is_none_or(|own| *own.field != *name) {
            put_down(name, value);
        }
    };
    let trusted = exchange.settings().trusted_hops > 0;
    let edited = is_edited(exchange);
    if exchange.answer_bytes_max.is_some() {
        emit(b"accept-encoding", b"identity");
    }
    if let Some(length) = exchange.body_length {
        emit_length(length, &mut emit);
    }
    emit_claims(exchange, edited, &mut emit);
    emit_edits(&exchange.request_edits, &mut emit);
    emit_vouched(exchange, trusted, &mut emit);
    hop::emit(exchange, &mut emit);
    trace::emit(exchange, &mut emit);
    if let Some(UpstreamCredential { field, value: Some(value) }) = credential {
        put_down(field, value);
    }
}

/// Whether a field goes no further because of who the caller is. Of a field with cookies, one goes no further.
fn is_concealed(exchange: &Exchange<'_>, name: &[u8]) -> bool {
    let Concealed { reserved, place, keep, told: _ } = exchange.concealed;
    if reserved.iter().any(|field| **field == *name) {
        return true;
    }
    match place.filter(|_| !keep) {
        Some(Place::Header(field)) => **field == *name,
        Some(Place::Scheme(_)) => name == b"authorization",
        Some(Place::Cookie(_) | Place::Query(_)) | None => false,
    }
}

/// Tells claims of the caller's token, unless the rule says something else.
fn emit_claims(exchange: &Exchange<'_>, edited: bool, emit: &mut impl FnMut(&[u8], &[u8])) {
    let Some(token) = exchange.principal.token() else { return };
    for ((_, field), value) in exchange.concealed.told.iter().zip(&token.told) {
        if let Some(value) =
            value.as_deref().filter(|_| !(edited && is_replaced(&exchange.request_edits, field)))
        {
            emit(field, value);
        }
    }
}

/// Whether a field of the client's goes on.
fn passes(exchange: &Exchange<'_>, known: Known, vouched: bool) -> bool {
    match known {
        Known::Other
        | Known::ContentLength
        | Known::Trace
        | Known::ContentType
        | Known::UserAgent
        | Known::Origin => true,
        // Only a proxy in front of us may vouch for a client, and only if we were told that there is one.
        Known::Vouched => vouched,
        // Less is left of it by now, if anything bounds this request.
        Known::GrpcTimeout => exchange.hop.deadline.is_none(),
        Known::Host
        | Known::Connection
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
        | Known::Hop
        | Known::Http2Settings => false,
    }
}

/// What we say of the client ourselves, unless the rule says something else.
fn emit_vouched(exchange: &Exchange<'_>, trusted: bool, emit: &mut impl FnMut(&[u8], &[u8])) {
    let edited = is_edited(exchange);
    let mut vouch = |name: &[u8], value: &[u8]| {
        if !(edited && is_replaced(&exchange.request_edits, name)) {
            emit(name, value);
        }
    };
    let view = exchange.headers();
    match trusted_chain(exchange) {
        Some(mut chain) => {
            chain.extend_from_slice(b", ");
            chain.extend_from_slice(exchange.peer.ip.as_bytes());
            vouch(b"x-forwarded-for", &chain);
        }
        None => vouch(b"x-forwarded-for", exchange.peer.ip.as_bytes()),
    }
    let own_scheme: &[u8] = if exchange.is_secure() { b"https" } else { b"http" };
    let scheme = view.known(Known::ForwardedProto).filter(|value| trusted && is_scheme(value));
    vouch(b"x-forwarded-proto", scheme.unwrap_or(own_scheme));
    if let Some(host) = view.known(Known::ForwardedHost).filter(|_| trusted) {
        vouch(b"x-forwarded-host", host);
    } else if exchange.rewrite.is_some_and(|rewrite| rewrite.hostname.is_some()) {
        let mut text = Text::new();
        write_own_host(exchange, &mut text);
        vouch(b"x-forwarded-host", &text);
    }
    vouch(b"x-request-id", exchange.request_id());
    if let Some(caller) = exchange.peer.counterpart.as_ref().filter(|_| exchange.settings().caller_header) {
        vouch(b"x-forwarded-client-cert", caller.forwarded.as_bytes());
    }
}

fn is_scheme(value: &[u8]) -> bool {
    value == b"https" || value == b"http"
}
