//! What a connection has proven already: a member of the mesh, or the certificate of a TLS client.

use engine::customers::CredentialKind;

use super::{Judged, customer, refuse};
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
    let principal = identity.map(|identity| Principal::named(identity.as_str()));
    principal.map(|principal| customer::calling_for(exchange, CredentialKind::Spiffe, principal))
}

/// The certificate of a TLS client. One that leads to no anchor of the port is none, even where the port lets it in.
pub fn certificate<'c>(exchange: &mut Exchange<'c>) -> Judged<'c> {
    let Some(vouched) = exchange.peer.vouched.as_deref() else { return Ok(None) };
    match vouched.certificate(exchange.worker.clock) {
        Some(name) => {
            let principal = Principal::named(name);
            Ok(Some(customer::calling_for(exchange, CredentialKind::Certificate, principal)))
        }
        None => refuse(exchange, "certificate_unverified"),
    }
}
