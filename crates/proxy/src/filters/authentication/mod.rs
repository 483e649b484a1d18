//! Finds out who a caller is, before anybody asks what it may do.
//!
//! The first method whose credential is there decides. What is at hand (keys, tokens and passwords that were verified
//! lately) is looked at without waiting; only what is not is waited for, in a future of its own, so that requests which
//! need none of it carry no room for it.

mod challenge;
mod customer;
mod introspected;
mod password;
mod peer;
mod token;

use std::time::{Duration, Instant};

use engine::authentication::{ApiKey, Authentication, Found, KeySlot, Method, Place};
use engine::config::Rule;

use crate::exchange::{Concealed, Exchange};
use crate::failure::Failure;
use crate::limits::{AUTHENTICATION_TURNS_MAX, KEYS_WAIT_MILLISECONDS};
use crate::principal::Principal;

pub use challenge::emit as emit_challenges;

/// What is not at hand.
#[derive(Debug)]
pub enum Lacking<'c> {
    /// Keys of an issuer.
    Keys(KeySlot),
    /// What a token is.
    Introspection(introspected::Ask<'c>),
    /// A password has to be verified.
    Password(password::Check),
}

/// Why a caller is not let by, yet.
#[derive(Debug)]
pub enum Stop<'c> {
    /// It is not let by.
    Failure(Failure),
    /// Nobody knows yet.
    Lacking(Lacking<'c>),
}

impl From<Failure> for Stop<'_> {
    fn from(failure: Failure) -> Self {
        Stop::Failure(failure)
    }
}

/// What one method makes of a request. `Ok(None)`: its credential is not there.
type Judged<'c> = Result<Option<Principal<'c>>, Stop<'c>>;

/// Looks at what is at hand.
///
/// # Errors
/// The caller is not let by, or what would tell is not at hand.
#[inline]
pub fn on_request<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule) -> Result<(), Stop<'c>> {
    match rule.authentication.as_deref() {
        None => Ok(()),
        Some(authentication) => prove(exchange, authentication),
    }
}

/// Gets what was lacking and looks again.
///
/// # Errors
/// The caller is not let by.
pub async fn later<'c>(
    exchange: &mut Exchange<'c>,
    rule: &'c Rule,
    mut lacking: Lacking<'c>,
) -> Result<(), Failure> {
    let until = exchange.worker.clock.now() + Duration::from_millis(KEYS_WAIT_MILLISECONDS);
    for _ in 0..AUTHENTICATION_TURNS_MAX {
        match lacking {
            Lacking::Keys(slot) => {
                if exchange.worker.clock.now() >= until {
                    break;
                }
                exchange.worker.keys.wait(slot, until).await;
            }
            Lacking::Introspection(asked) => introspected::ask(exchange, asked).await?,
            Lacking::Password(check) => password::verify(exchange, check).await?,
        }
        match on_request(exchange, rule) {
            Ok(()) => return Ok(()),
            Err(Stop::Failure(failure)) => return Err(failure),
            Err(Stop::Lacking(more)) => lacking = more,
        }
    }
    exchange.unproven = Some("keys_unavailable");
    Err(Failure::AuthenticationUnavailable)
}

fn prove<'c>(exchange: &mut Exchange<'c>, authentication: &'c Authentication) -> Result<(), Stop<'c>> {
    exchange.concealed.reserved = &authentication.reserved;
    if authentication.unusable.is_some() {
        return Err(Failure::AuthenticationInvalid.into());
    }
    for method in &authentication.methods {
        let judged = match method {
            Method::ApiKey(keys) => api_key(exchange, keys),
            Method::Basic(basic) => password::prove(exchange, basic),
            Method::Jwt(jwt) => token::prove(exchange, jwt, authentication),
            Method::Introspection(method) => introspected::prove(exchange, method),
            Method::ClientCertificate => peer::certificate(exchange),
            Method::Spiffe => Ok(peer::identity(exchange)),
        };
        if let Some(principal) = judged? {
            exchange.principal = principal;
            return Ok(());
        }
    }
    if authentication.anonymous && exchange.unproven.is_none() {
        return Ok(());
    }
    match exchange.unproven {
        // A token of an issuer that no method knows.
        Some(_) => Err(Failure::CredentialInvalid.into()),
        None => Err(Failure::CredentialMissing.into()),
    }
}

/// Whoever shows a credential that does not count is refused.
fn refuse<'c>(exchange: &mut Exchange<'c>, why: &'static str) -> Judged<'c> {
    exchange.unproven = Some(why);
    Err(Failure::CredentialInvalid.into())
}

/// Notes where a credential was found, so that it goes no further.
fn conceal<'c>(exchange: &mut Exchange<'c>, place: &'c Place, keep: bool) {
    exchange.concealed = Concealed { place: Some(place), keep, ..exchange.concealed };
}

fn api_key<'c>(exchange: &mut Exchange<'c>, method: &'c ApiKey) -> Judged<'c> {
    for place in &method.places {
        let view = exchange.view();
        let found = match place.find(&view) {
            Found::Nothing => continue,
            Found::Unclear => Err("key_unclear"),
            Found::Credential(key) => match &method.given {
                Some(given) => given.find(&key).map(|name| Principal::named(name)).ok_or("key_unknown"),
                None => customer::of_key(exchange, &key),
            },
        };
        conceal(exchange, place, method.keep);
        return match found {
            Ok(principal) => Ok(Some(principal)),
            Err(customer::UNKNOWN) => {
                exchange.unproven = Some(customer::UNKNOWN);
                Err(Failure::AuthenticationUnavailable.into())
            }
            Err(customer::SUSPENDED) => {
                exchange.unproven = Some(customer::SUSPENDED);
                Err(Failure::ApplicationSuspended.into())
            }
            Err(why) => refuse(exchange, why),
        };
    }
    Ok(None)
}

/// Whether a moment has come, for what was verified earlier.
fn seconds(exchange: &Exchange<'_>) -> u64 {
    exchange.worker.clock.wall().as_secs()
}

/// The moment of the exchange's worker.
fn now(exchange: &Exchange<'_>) -> Instant {
    exchange.worker.clock.now()
}
