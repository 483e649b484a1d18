//! Who asks and what is asked, in the words of authorization policies.
//!
//! One place decides what is believed of a caller, so the filter that asks before a request goes on and the one that asks
//! again when a change wants it cannot see different people.

use engine::authorization::{Authorization, Destination, Source, Verdict};

use crate::exchange::Exchange;
use crate::forwarded;
use crate::mesh;

/// What policies make of a request.
#[must_use]
pub fn judge<'p>(exchange: &Exchange<'_>, authorization: &'p Authorization) -> Verdict<'p> {
    let source = source(exchange, authorization.asks_address());
    authorization.request(&source, &destination(exchange), &exchange.view())
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
    let bound = exchange.pinned.port().address.port;
    match exchange.peer.counterpart.as_deref() {
        None => Destination { port: bound, server_name: exchange.peer.server_name.as_deref() },
        Some(caller) => Destination {
            port: mesh::port_named_by(&caller.server_name).unwrap_or(bound),
            server_name: Some(&caller.server_name),
        },
    }
}
