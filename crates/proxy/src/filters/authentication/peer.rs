//! What a connection has proven already: a member of the mesh, or the certificate of a TLS client.

use super::{Judged, refuse};
use crate::exchange::Exchange;
use crate::principal::Principal;

/// The SPIFFE ID of the other end.
pub fn identity<'c>(exchange: &Exchange<'c>) -> Option<Principal<'c>> {
    let peer = exchange.peer;
    let identity = match peer.counterpart.as_deref() {
        Some(member) => Some(&member.verified.identity),
        None => peer
            .vouched
            .as_deref()
            .and_then(|vouched| vouched.identity(&exchange.worker.member, exchange.worker.clock)),
    };
    identity.map(|identity| Principal::named(identity.as_str()))
}

/// The certificate of a TLS client. One that leads to no anchor of the port is none, even where the port lets it in.
pub fn certificate<'c>(exchange: &mut Exchange<'c>) -> Judged<'c> {
    let Some(vouched) = exchange.peer.vouched.as_deref() else { return Ok(None) };
    match vouched.certificate(exchange.worker.clock) {
        Some(name) => Ok(Some(Principal::named(name))),
        None => refuse(exchange, "certificate_unverified"),
    }
}
