//! Quotas of the plan on which a request comes in: charged at admission, out of what this proxy was lent.
//!
//! Almost every request is charged without asking anybody. One that finds nothing waits for the coordinator, for a
//! bounded time; when that cannot be asked, the plan says what becomes of it. All quotas of a plan must let a request
//! by, and one that is refused is given back what others have charged, rates included.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use commerce::quota::WhenUnknown;
use engine::config::{PlanTerms, Quota, Rule};
use engine::customers::SubscriptionId;
use model::units::Moment;
use tokio::time::{Instant, timeout_at};

use crate::emit::emit_limit;
use crate::exchange::{Admitted, Exchange, ToldQuota};
use crate::failure::Failure;
use crate::filters::rates;
use crate::limits::QUOTA_ANSWER_MILLISECONDS;
use crate::state::Shared;
use crate::state::quotas::{Account, Charge};

/// Why a request does not go on.
#[derive(Debug)]
pub enum Stop {
    /// It is refused.
    Failure(Failure),
    /// It has to wait for more to be lent.
    Wait(Wait),
}

/// Which quota has to be waited for; those before it were charged.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    at: usize,
}

/// Charges a request.
///
/// # Errors
/// A quota does not let it by, or not yet.
#[inline]
pub fn on_request<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule) -> Result<(), Stop> {
    match exchange.admitted {
        Some(admitted) if !admitted.plan.quotas.is_empty() => charge_from(exchange, rule, admitted, 0),
        Some(_) | None => Ok(()),
    }
}

/// Charges a request, and waits where that is needed.
///
/// # Errors
/// A quota does not let it by.
pub async fn later<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule, wait: Wait) -> Result<(), Failure> {
    let Some(admitted) = exchange.admitted else { return Ok(()) };
    let mut at = wait.at;
    loop {
        let Some(quota) = admitted.plan.quotas.get(at) else { return Ok(()) };
        if let Some(account) = account(exchange, admitted, quota) {
            match charge_when_answered(exchange, &account, quota).await {
                Charge::Admitted => tell(exchange, quota, &account),
                refused => return Err(refused_by(exchange, rule, admitted, (at, &account), refused)),
            }
        }
        match charge_from(exchange, rule, admitted, at + 1) {
            Ok(()) => return Ok(()),
            Err(Stop::Failure(failure)) => return Err(failure),
            Err(Stop::Wait(wait)) => at = wait.at,
        }
    }
}

/// Tries again at each answer, for a bounded time; then nobody can tell.
async fn charge_when_answered(exchange: &Exchange<'_>, account: &Arc<Account>, quota: &Quota) -> Charge {
    let _waiting = account.waits();
    let quotas = &exchange.worker.quotas;
    let deadline = Instant::now() + Duration::from_millis(QUOTA_ANSWER_MILLISECONDS);
    loop {
        // Made before trying, so that no answer comes unnoticed in between.
        let answer = account.answered();
        match quotas.charge(account, quota) {
            Charge::Wait if timeout_at(deadline, answer).await.is_err() => {
                return quotas.charge_unknown(account, quota);
            }
            Charge::Wait => {}
            other => return other,
        }
    }
}

fn charge_from<'c>(
    exchange: &mut Exchange<'c>,
    rule: &'c Rule,
    admitted: Admitted<'c>,
    first: usize,
) -> Result<(), Stop> {
    for (at, quota) in admitted.plan.quotas.iter().enumerate().skip(first) {
        let Some(account) = account(exchange, admitted, quota) else {
            match quota.when_unknown {
                WhenUnknown::Open => continue,
                WhenUnknown::OpenCapped | WhenUnknown::Closed => {
                    return Err(Stop::Failure(refuse(exchange, rule, admitted, at, Failure::QuotaUnknown)));
                }
            }
        };
        match exchange.worker.quotas.charge(&account, quota) {
            Charge::Admitted => tell(exchange, quota, &account),
            Charge::Wait => return Err(Stop::Wait(Wait { at })),
            refused @ (Charge::Refused | Charge::Unknown) => {
                return Err(Stop::Failure(refused_by(exchange, rule, admitted, (at, &account), refused)));
            }
        }
    }
    Ok(())
}

fn refused_by<'c>(
    exchange: &mut Exchange<'c>,
    rule: &'c Rule,
    admitted: Admitted<'c>,
    (at, account): (usize, &Account),
    charge: Charge,
) -> Failure {
    let failure = match charge {
        Charge::Refused => Failure::QuotaExceeded,
        Charge::Admitted | Charge::Unknown | Charge::Wait => Failure::QuotaUnknown,
    };
    if let Some(quota) = admitted.plan.quotas.get(at) {
        exchange.told_quota = Some(told(exchange, quota, account));
    }
    refuse(exchange, rule, admitted, at, failure)
}

/// Takes back what the quotas before the one that refuses have charged, and all rates.
fn refuse<'c>(
    exchange: &mut Exchange<'c>,
    rule: &'c Rule,
    admitted: Admitted<'c>,
    at: usize,
    failure: Failure,
) -> Failure {
    for quota in &admitted.plan.quotas[..at] {
        if let Some(account) = account(exchange, admitted, quota) {
            account.forgive();
        }
    }
    rates::forgive_all(exchange, rule);
    failure
}

fn account<'c>(exchange: &Exchange<'c>, admitted: Admitted<'c>, quota: &Quota) -> Option<Shared<Account>> {
    let worker = exchange.worker;
    let whose = admitted.subscriber.map_or_else(|| of_all(admitted.plan), |one| one.subscription);
    let now = worker.clock.wall_seconds();
    worker.quotas_near.account(&worker.quotas, whose, &admitted.plan.name, quota, now)
}

/// Where nobody subscribes, all callers together have the quota: whoever could have one for each address would have
/// none.
fn of_all(plan: &PlanTerms) -> SubscriptionId {
    let half = |number: u8| {
        let mut hasher = DefaultHasher::new();
        (number, &plan.name).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    SubscriptionId((half(0) << 64 | half(1)).to_be_bytes())
}

fn tell<'c>(exchange: &mut Exchange<'c>, quota: &'c Quota, account: &Account) {
    let told = told(exchange, quota, account);
    if exchange.told_quota.is_none_or(|before| told.left < before.left) {
        exchange.told_quota = Some(told);
    }
}

fn told<'c>(exchange: &Exchange<'c>, quota: &'c Quota, account: &Account) -> ToldQuota<'c> {
    let (resets_at, now) = (account.window().end, exchange.worker.clock.wall_seconds());
    let resets_in = u64::try_from(resets_at - now).unwrap_or(0).max(1);
    ToldQuota { quota, left: account.left(), resets_at, resets_in }
}

/// Puts down what a caller is told on every answer, beside what it is told of rates.
pub fn emit_response_fields(told: &ToldQuota<'_>, emit: &mut impl FnMut(&[u8], &[u8])) {
    emit(b"ratelimit-policy", &told.quota.announced);
    emit_limit(&told.quota.name, told.left, told.resets_in, emit);
}

/// What a refused caller is told beside: the value of `Retry-After`, and members of the problem document.
pub fn refusal(exchange: &Exchange<'_>, failure: Failure, out: &mut String) -> Option<Vec<u8>> {
    let (told, admitted) = exchange.told_quota.as_ref().zip(exchange.admitted.as_ref())?;
    // Names of quotas and objects hold nothing that JSON would have to escape.
    match failure {
        Failure::QuotaExceeded => {
            let _ = write!(
                out,
                ",\"quota\":\"{}\",\"policy\":\"Plan {}\",\"requests\":{},\"resetsAt\":\"{}\",\"retryAfterSeconds\":{}",
                told.quota.name,
                admitted.plan.name,
                told.quota.requests,
                Moment(told.resets_at),
                told.resets_in,
            );
            Some(told.resets_in.to_string().into_bytes())
        }
        Failure::QuotaUnknown => {
            let _ =
                write!(out, ",\"quota\":\"{}\",\"policy\":\"Plan {}\"", told.quota.name, admitted.plan.name);
            Some(b"1".to_vec())
        }
        _ => None,
    }
}
