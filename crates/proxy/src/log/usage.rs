//! Counts a finished request for whoever has called, and once more for the listener by which it came.
//!
//! The two counts share nothing but the request, so that one can be held against the other
//! ([`commerce::usage::Conservation`]). Requests to no operation of an API are not usage.

use std::hash::BuildHasher as _;
use std::time::Instant;

use bytes::Bytes;
use commerce::usage::Class;
use discovery::usage::Series;
use engine::config::{Action, Operation, Rule};
use foldhash::fast::FixedState;

use crate::exchange::Exchange;
use crate::state::meters::Called;

/// Counts a request that has ended. `now` is when.
#[inline]
pub fn count(exchange: &Exchange<'_>, now: Instant) {
    if let Some(rule) = exchange.rule
        && let Some(operation) = &rule.operation
        && operation.is_counted
        && !is_counted_elsewhere(exchange, rule)
    {
        count_call(exchange, rule, operation, now);
    }
}

/// Whether somebody has let it in who counts it: the Gateway in front of a provider. Or nobody was asked, because it is
/// a preflight.
fn is_counted_elsewhere(exchange: &Exchange<'_>, rule: &Rule) -> bool {
    rule.access.is_some() && exchange.admitted.is_none() && !exchange.outcome.is_refused
}

fn count_call(exchange: &Exchange<'_>, rule: &Rule, operation: &Operation, now: Instant) {
    let (worker, outcome) = (exchange.worker, &exchange.outcome);
    let class = Class::of(outcome.status, outcome.is_refused || matches!(rule.action, Action::Answer(_)));
    worker.meter.tick(now, || worker.clock.wall());
    let bytes = [outcome.request_bytes, outcome.response_bytes];
    worker.meter.count(called(exchange, operation), || series(exchange, operation), class, bytes);
    worker.meter.count_listener(&exchange.port.metered, || listener(exchange), class);
}

/// Who has called what. Who was not let in is told apart by its application.
fn called(exchange: &Exchange<'_>, operation: &Operation) -> Called {
    let operation = operation.slot.0;
    let Some(admitted) = &exchange.admitted else {
        let mut by = [0; 16];
        if let Some(application) = exchange.principal.application() {
            by[..8].copy_from_slice(&application.id.0.to_le_bytes());
        }
        return Called { operation, by, plan: 0 };
    };
    let by = admitted.subscriber.map_or([0; 16], |subscriber| subscriber.subscription.0);
    Called { operation, by, plan: FixedState::default().hash_one(&*admitted.plan.name) }
}

#[cold]
fn series(exchange: &Exchange<'_>, operation: &Operation) -> Series {
    let admitted = exchange.admitted.as_ref();
    let subscription = admitted.and_then(|admitted| admitted.subscriber).map(|by| by.subscription.0);
    let named = |name: Option<&str>| name.unwrap_or_default().to_owned();
    Series {
        subscription: subscription.map(|id| Bytes::copy_from_slice(&id)).unwrap_or_default(),
        application: named(exchange.principal.application().map(|application| &*application.name)),
        product: named(admitted.map(|admitted| &*admitted.product.name)),
        plan: named(admitted.map(|admitted| &*admitted.plan.name)),
        version: operation.version.to_string(),
        operation: operation.key.to_string(),
        listener: String::new(),
    }
}

#[cold]
fn listener(exchange: &Exchange<'_>) -> Series {
    let address = exchange.pinned.port().address;
    let listener = std::net::SocketAddr::new(address.ip, address.port).to_string();
    Series { listener, ..Series::default() }
}
