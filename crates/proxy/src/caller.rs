//! Who asks and what is asked, in the words of authorization policies.
//!
//! One place decides what is believed of a caller, so the filter that asks before a request goes on and the one that asks
//! again when a change wants it cannot see different people.

use engine::authorization::{Authorization, Destination, Source, Verdict};

use crate::exchange::{Exchange, Peer};
use crate::forwarded;
use crate::mesh;
use crate::session::Session;

/// What policies make of a request.
#[must_use]
pub fn judge<'p>(exchange: &Exchange<'_>, authorization: &'p Authorization) -> Verdict<'p> {
    let source = source(exchange, authorization.asks_address());
    authorization.request(&source, &destination(exchange), &exchange.view())
}

/// What policies make of a connection that carries bytes.
#[must_use]
pub fn judge_connection<'p>(session: &Session, authorization: &'p Authorization) -> Verdict<'p> {
    let (peer, clock) = (&session.peer, session.worker.clock);
    let counterpart = peer.counterpart.as_deref();
    let vouched = peer.vouched.as_deref();
    let source = Source {
        address: Some(peer.address.ip().to_canonical()),
        identity: match counterpart {
            Some(caller) => Some(&caller.verified.identity),
            None => vouched.and_then(|vouched| vouched.identity(|| clock.unix(clock.now()))),
        },
        replica: counterpart.and_then(|caller| caller.verified.replica.as_deref()),
    };
    authorization.connection(&source, &destination_of(peer, session.bound))
}

/// Who asks. The address is worked out for those who look at it only: trusted proxies may have written a long chain.
fn source<'e>(exchange: &'e Exchange<'_>, with_address: bool) -> Source<'e> {
    let vouched = exchange.peer.vouched.as_deref();
    let counterpart = exchange.peer.counterpart.as_deref().map(|counterpart| &counterpart.verified);
    let clock = exchange.worker.clock;
    Source {
        address: if with_address { forwarded::vouched_address(exchange) } else { None },
        identity: match counterpart {
            Some(verified) => Some(&verified.identity),
            None => vouched.and_then(|vouched| vouched.identity(|| clock.unix(clock.now()))),
        },
        replica: counterpart.and_then(|verified| verified.replica.as_deref()),
    }
}

fn destination<'e>(exchange: &'e Exchange<'_>) -> Destination<'e> {
    destination_of(exchange.peer, exchange.pinned.port().address.port)
}

fn destination_of(peer: &Peer, bound: u16) -> Destination<'_> {
    match peer.counterpart.as_deref() {
        None => Destination { port: bound, server_name: peer.server_name.as_deref() },
        Some(caller) => Destination {
            port: mesh::port_named_by(&caller.server_name).unwrap_or(bound),
            server_name: Some(&caller.server_name),
        },
    }
}
