//! Who asks and what is asked, in the words of authorization policies.
//!
//! One place decides what is believed of a caller, so the filter that asks before a request goes on and the one that asks
//! again when a change wants it cannot see different people.

use engine::authorization::{Authorization, Destination, Source, Verdict};

use crate::exchange::Exchange;
use crate::forwarded;

/// What policies make of a request.
#[must_use]
pub fn judge<'p>(exchange: &Exchange<'_>, authorization: &'p Authorization) -> Verdict<'p> {
    let source = source(exchange, authorization.asks_address());
    authorization.request(&source, &destination(exchange), &exchange.view())
}

/// Who asks. The address is worked out for those who look at it only: trusted proxies may have written a long chain.
fn source<'e>(exchange: &'e Exchange<'_>, with_address: bool) -> Source<'e> {
    let vouched = exchange.peer.vouched.as_deref();
    let clock = exchange.worker.clock;
    Source {
        address: if with_address { forwarded::vouched_address(exchange) } else { None },
        identity: vouched.and_then(|vouched| vouched.identity(|| clock.unix(clock.now()))),
        replica: None,
    }
}

fn destination<'e>(exchange: &'e Exchange<'_>) -> Destination<'e> {
    Destination {
        port: exchange.pinned.port().address.port,
        server_name: exchange.peer.server_name.as_deref(),
    }
}
