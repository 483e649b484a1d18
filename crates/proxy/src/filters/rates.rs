//! Limits of rates: whether a caller has asked too often, and what it is told about that.
//!
//! All limits of a rule must let a request by. One that is refused is given back what earlier limits have charged it,
//! so that whoever keeps asking does not push the end of its wait further away. Callers are told of the limit that is
//! closest to its end (draft-ietf-httpapi-ratelimit-headers), on answers of every kind.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use commerce::rate::Asked;
use engine::HeaderView;
use engine::config::{RateKey, RateLimit, Rule, SaidBy};

use crate::caller;
use crate::emit::emit_limit;
use crate::exchange::{Exchange, ToldRate};
use crate::failure::Failure;
use crate::forwarded;
use crate::state::parties::{Party, hash_text, hash_value};

/// Counts a request.
///
/// # Errors
/// A limit does not let it by. It was not charged then.
#[inline]
pub fn on_request<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule) -> Result<(), Failure> {
    if rule.rates.is_none() && exchange.admitted.is_none() {
        return Ok(());
    }
    ask_all(exchange, rule)
}

fn ask_all<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule) -> Result<(), Failure> {
    let now = exchange.worker.clock.nanoseconds();
    for (at, limit) in limits(exchange, rule).enumerate() {
        if !is_about(limit, exchange) {
            continue;
        }
        match ask(limit, exchange, now) {
            Asked::Admitted(left) => tell(exchange, ToldRate { limit, left, retry_after: None }),
            Asked::Refused { retry_after, left } => {
                forgive(exchange, rule, at);
                exchange.told_rate = Some(ToldRate { limit, left, retry_after });
                return Err(Failure::RateLimited);
            }
        }
    }
    Ok(())
}

fn ask(limit: &RateLimit, exchange: &Exchange<'_>, now: u64) -> Asked {
    let (parties, party) = (&exchange.worker.parties, party(limit, exchange));
    match limit.is_together {
        true => parties.ask_together(party, limit.rate, now, || name(limit, exchange)),
        false => parties.ask(party, limit.rate, now),
    }
}

/// Every limit of a request: those of the place, then those of the plan on which it came in.
fn limits<'c>(exchange: &Exchange<'c>, rule: &'c Rule) -> impl Iterator<Item = &'c RateLimit> + use<'c> {
    let plan = exchange.admitted.map_or(&[][..], |admitted| &admitted.plan.rates);
    rule.rates.as_deref().unwrap_or_default().iter().chain(plan)
}

/// Takes back what all of them have charged, because something behind them refuses the request.
pub fn forgive_all(exchange: &Exchange<'_>, rule: &Rule) {
    if rule.rates.is_some() || exchange.admitted.is_some() {
        forgive(exchange, rule, usize::MAX);
    }
}

/// Takes back what the first `count` limits have charged.
fn forgive(exchange: &Exchange<'_>, rule: &Rule, count: usize) {
    let now = exchange.worker.clock.nanoseconds();
    for limit in limits(exchange, rule).take(count).filter(|limit| is_about(limit, exchange)) {
        let (parties, party) = (&exchange.worker.parties, party(limit, exchange));
        match limit.is_together {
            true => parties.forgive_together(party, limit.rate, now),
            false => parties.forgive(party, limit.rate, now),
        }
    }
}

fn tell<'c>(exchange: &mut Exchange<'c>, told: ToldRate<'c>) {
    if exchange.told_rate.is_none_or(|before| told.left.requests < before.left.requests) {
        exchange.told_rate = Some(told);
    }
}

fn is_about(limit: &RateLimit, exchange: &Exchange<'_>) -> bool {
    let fields = exchange.view().headers;
    limit.when.iter().all(|condition| condition.is_met(fields.first(condition.header.as_bytes())))
}

/// Who is counted.
fn party(limit: &RateLimit, exchange: &Exchange<'_>) -> Party {
    exchange.worker.parties.party(|hasher| hash_party(limit, exchange, hasher))
}

/// The same for other proxies: a hash whose keys are fixed. Whoever finds a name that shares a number with another
/// shares no account with it, only the way in which gateways divide their rates.
fn name(limit: &RateLimit, exchange: &Exchange<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash_party(limit, exchange, &mut hasher);
    hasher.finish()
}

fn hash_party(limit: &RateLimit, exchange: &Exchange<'_>, hasher: &mut dyn Hasher) {
    hash_value(&limit.account, hasher);
    if limit.said_by == SaidBy::Plan {
        hash_subscriber(exchange, hasher);
    }
    for key in &limit.by {
        match key {
            RateKey::Address => hash_address(forwarded::client_address(exchange), hasher),
            RateKey::Header(name) => hash_optional(exchange.view().headers.first(name), hasher),
            RateKey::Identity => hash_optional(caller::name(exchange).map(str::as_bytes), hasher),
        }
    }
}

/// Limits of a plan belong to a subscription, however many credentials its application has. Who has a plan without
/// subscribing is told apart by its address.
fn hash_subscriber(exchange: &Exchange<'_>, hasher: &mut dyn Hasher) {
    match exchange.admitted.and_then(|admitted| admitted.subscriber) {
        Some(subscriber) => hash_value(&subscriber.subscription, hasher),
        None => hash_address(forwarded::client_address(exchange), hasher),
    }
}

/// Of IPv6 the first 64 bits: a client has all addresses behind them to itself.
fn hash_address(address: IpAddr, hasher: &mut dyn Hasher) {
    match address.to_canonical() {
        IpAddr::V4(address) => hash_text(&address.octets(), hasher),
        IpAddr::V6(address) => hash_text(&address.octets()[..8], hasher),
    }
}

fn hash_optional(text: Option<&[u8]>, hasher: &mut dyn Hasher) {
    hasher.write_u8(u8::from(text.is_some()));
    hash_text(text.unwrap_or_default(), hasher);
}

/// Whether a field of the upstream's is replaced by ours.
#[must_use]
pub fn is_ours(name: &[u8]) -> bool {
    matches!(name, b"ratelimit" | b"ratelimit-policy")
}

/// Puts down what a caller is told on every answer.
pub fn emit_response_fields(told: &ToldRate<'_>, emit: &mut impl FnMut(&[u8], &[u8])) {
    emit(b"ratelimit-policy", &told.limit.announced);
    emit_limit(&told.limit.name, told.left.requests.into(), seconds(told.left.until_whole), emit);
}

/// Whole seconds, rounded up: whoever comes back after them is not early.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// What a refused caller is told beside: the value of `Retry-After`, and members of the problem document.
#[must_use]
pub fn refusal(told: &ToldRate<'_>, out: &mut String) -> Vec<u8> {
    let wait = told.retry_after.map_or(1, seconds).max(1);
    // Names of limits and objects hold nothing that JSON would have to escape.
    let _ = write!(
        out,
        ",\"limit\":\"{}\",\"policy\":\"{} {}\",\"requests\":{},\"seconds\":{},\"retryAfterSeconds\":{wait}",
        told.limit.name,
        told.limit.said_by.as_str(),
        told.limit.policy,
        told.limit.requests,
        told.limit.per.as_secs_f64(),
    );
    wait.to_string().into_bytes()
}
