//! What an upstream is told: the request's own fields, less those that end here, edited by the rule, plus what
//! we vouch for.
//!
//! Every field is written anew and none is copied through blindly. HTTP/1 and HTTP/2 share the walk over the
//! fields ([`visit_fields`]) and differ only in how a field is put down.

use std::net::IpAddr;

use engine::config::HeaderEdits;

use crate::buffer::Text;
use crate::exchange::Exchange;
use crate::message::{Framing, Known};
use crate::state::clusters::ClusterState;

/// Writes a request head for HTTP/1.1 (RFC 9112 section 3).
pub fn write_head(exchange: &Exchange<'_>, cluster: &ClusterState, out: &mut Text) {
    let request = &exchange.request.head;
    out.extend_from_slice(request.method_token.of(&exchange.request.text));
    out.push(b' ');
    write_target(exchange, out);
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    write_host(exchange, out);
    out.extend_from_slice(b"\r\n");
    visit_fields(exchange, cluster, |name, value| put(out, name, value));
    if request.framing == Framing::Chunked {
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

/// Path and query towards the upstream.
pub fn write_target(exchange: &Exchange<'_>, out: &mut Vec<u8>) {
    let (request, text) = (&exchange.request.head, &exchange.request.text);
    let path = request.path.of(text);
    match exchange.rewrite.and_then(|rewrite| rewrite.path.as_ref()) {
        Some(edit) => edit.write(path, out),
        None => out.extend_from_slice(path),
    }
    if let Some(query) = request.query {
        out.push(b'?');
        out.extend_from_slice(query.of(text));
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
pub fn visit_fields(exchange: &Exchange<'_>, cluster: &ClusterState, mut emit: impl FnMut(&[u8], &[u8])) {
    let (request, text) = (&exchange.request.head, &exchange.request.text);
    let trusted = exchange.settings().trusted_hops > 0;
    let edited = exchange.request_edits.iter().any(Option::is_some);
    for field in request.fields.iter() {
        let name = field.name.of(text);
        if !passes(field.known, trusted) || (edited && is_replaced(&exchange.request_edits, name)) {
            continue;
        }
        emit(name, field.value.of(text));
    }
    emit_edits(&exchange.request_edits, &mut emit);
    emit_vouched(exchange, trusted, &mut emit);
    let _ = cluster; // Credentials of a destination will be added here.
}

/// Whether a field of the client's goes on.
fn passes(known: Known, trusted: bool) -> bool {
    match known {
        Known::Other
        | Known::ContentLength
        | Known::Trace
        | Known::ContentType
        | Known::UserAgent
        | Known::Origin => true,
        // Only a proxy in front of us may vouch for a client, and only if we were told that there is one.
        Known::Vouched => trusted,
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
        | Known::Http2Settings => false,
    }
}

/// Whether an edit takes the client's values of a field out.
pub(crate) fn is_replaced(edits: &[Option<&HeaderEdits>], name: &[u8]) -> bool {
    edits.iter().flatten().any(|edits| {
        edits.set.iter().any(|(set, _)| **set == *name)
            || edits.remove.iter().any(|removed| **removed == *name)
    })
}

/// Puts down what the edits set and add.
pub(crate) fn emit_edits(edits: &[Option<&HeaderEdits>], emit: &mut impl FnMut(&[u8], &[u8])) {
    for (index, current) in edits.iter().enumerate() {
        let Some(current) = current else { continue };
        for (name, value) in current.set.iter().chain(&current.add) {
            if !is_replaced(&edits[index + 1..], name) {
                emit(name, value);
            }
        }
    }
}

fn emit_vouched(exchange: &Exchange<'_>, trusted: bool, emit: &mut impl FnMut(&[u8], &[u8])) {
    let view = exchange.view().headers;
    let own_scheme: &[u8] = if exchange.is_secure() { b"https" } else { b"http" };
    match view.known(Known::ForwardedFor).filter(|_| trusted) {
        Some(chain) => {
            let mut text = Text::new();
            text.extend_from_slice(last_hops(chain, exchange.settings().trusted_hops));
            text.extend_from_slice(b", ");
            text.extend_from_slice(exchange.peer.ip.as_bytes());
            emit(b"x-forwarded-for", &text);
        }
        None => emit(b"x-forwarded-for", exchange.peer.ip.as_bytes()),
    }
    let scheme = view.known(Known::ForwardedProto).filter(|value| trusted && is_scheme(value));
    emit(b"x-forwarded-proto", scheme.unwrap_or(own_scheme));
    if let Some(host) = view.known(Known::ForwardedHost).filter(|_| trusted) {
        emit(b"x-forwarded-host", host);
    } else if exchange.rewrite.is_some_and(|rewrite| rewrite.hostname.is_some()) {
        let mut text = Text::new();
        write_own_host(exchange, &mut text);
        emit(b"x-forwarded-host", &text);
    }
    emit(b"x-request-id", &exchange.request_id);
}

fn is_scheme(value: &[u8]) -> bool {
    value == b"https" || value == b"http"
}

/// The part of a forwarding chain that trusted proxies wrote: its last `hops` entries. What stands before them
/// was claimed by the client.
fn last_hops(chain: &[u8], hops: u8) -> &[u8] {
    let mut start = chain.len();
    for _ in 0..hops {
        match memchr::memrchr(b',', &chain[..start]) {
            Some(comma) => start = comma,
            None => return chain,
        }
    }
    chain[start + 1..].trim_ascii_start()
}

/// The client's address as far as trusted proxies vouch for it.
#[must_use]
pub fn client_address(exchange: &Exchange<'_>) -> IpAddr {
    let hops = exchange.settings().trusted_hops;
    let chain = exchange.view().headers.known(Known::ForwardedFor).filter(|_| hops > 0);
    chain
        .map(|chain| last_hops(chain, hops))
        .and_then(|chain| std::str::from_utf8(chain.split(|byte| *byte == b',').next()?.trim_ascii()).ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(exchange.peer.address.ip())
}

/// Puts one field down in HTTP/1.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A number in decimal digits.
pub(crate) fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_wrote_of_a_forwarding_chain_is_kept() {
        assert_eq!(last_hops(b"6.6.6.6, 10.0.0.1, 10.0.0.2", 1), b"10.0.0.2");
        assert_eq!(last_hops(b"6.6.6.6, 10.0.0.1, 10.0.0.2", 2), b"10.0.0.1, 10.0.0.2");
        assert_eq!(last_hops(b"10.0.0.1", 2), b"10.0.0.1");
    }

    #[test]
    fn a_later_edit_replaces_what_an_earlier_one_set() {
        let first = HeaderEdits { set: vec![(b"x-a"[..].into(), b"1"[..].into())], ..Default::default() };
        let second = HeaderEdits { set: vec![(b"x-a"[..].into(), b"2"[..].into())], ..Default::default() };
        let mut seen = Vec::new();

        emit_edits(&[Some(&first), Some(&second)], &mut |name, value| {
            seen.push((name.to_vec(), value.to_vec()))
        });

        assert_eq!(seen, [(b"x-a".to_vec(), b"2".to_vec())]);
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        for number in [0, 7, 10, 65_535, u64::MAX] {
            let mut out = Vec::new();
            write_decimal(number, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
