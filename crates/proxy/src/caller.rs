//! Who asks and what is asked, in the words of authorization policies.
//!
//! One place decides what is believed of a caller, so the filter that asks before a request goes on and the one that
//! asks again when a change wants it cannot see different people.

use std::net::IpAddr;

use engine::authorization::{Authorization, Destination, Source, Verdict};
use engine::config::Port;
use model::spiffe::SpiffeId;

use crate::exchange::{Exchange, Peer};
use crate::forwarded;
use crate::mesh;
use crate::worker::Worker;

/// What policies make of a request.
#[must_use]
pub fn judge<'p>(exchange: &Exchange<'_>, authorization: &'p Authorization) -> Verdict<'p> {
    // Worked out for those who look at it only: trusted proxies may have written a long chain.
    let asked = authorization.asks_address();
    let address = if asked { forwarded::vouched_address(exchange) } else { None };
    let source = Source {
        principal: exchange.principal.name(),
        claims: exchange.principal.claims(),
        ..source(exchange.peer, address, exchange.worker)
    };
    authorization.request(&source, &destination(exchange.peer, exchange.pinned.port()), &exchange.view())
}

/// The name of whoever asks, as far as it has proven one.
#[must_use]
pub fn name<'e>(exchange: &'e Exchange<'_>) -> Option<&'e str> {
    let principal = exchange.principal.name();
    principal.or_else(|| identity(exchange))
}

/// The identity that whoever asks has proven, as far as it has one.
#[must_use]
pub fn identity<'e>(exchange: &'e Exchange<'_>) -> Option<&'e str> {
    source(exchange.peer, None, exchange.worker).identity.map(SpiffeId::as_str)
}

/// What policies make of a connection that carries bytes. Nobody vouches for another address there than its own.
#[must_use]
pub fn judge_connection<'p>(
    peer: &Peer,
    port: &Port,
    worker: &Worker,
    authorization: &'p Authorization,
) -> Verdict<'p> {
    let source = source(peer, Some(peer.address.ip()), worker);
    authorization.connection(&source, &destination(peer, port))
}

/// Who asks.
fn source<'e>(peer: &'e Peer, address: Option<IpAddr>, worker: &Worker) -> Source<'e> {
    let member = peer.counterpart.as_deref().map(|counterpart| &counterpart.verified);
    Source {
        address,
        identity: match member {
            Some(verified) => Some(&verified.identity),
            None => {
                peer.vouched.as_deref().and_then(|vouched| vouched.identity(&worker.member, worker.clock))
            }
        },
        replica: member.and_then(|verified| verified.replica.as_deref()),
        principal: None,
        claims: None,
    }
}

fn destination<'e>(peer: &'e Peer, port: &Port) -> Destination<'e> {
    match peer.counterpart.as_deref() {
        None => Destination { port: port.address.port, server_name: peer.server_name.as_deref() },
        Some(caller) => Destination {
            port: mesh::port_meant(port, &caller.server_name),
            server_name: Some(&caller.server_name),
        },
    }
}
