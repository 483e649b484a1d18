//! The caller's side: bounds of time, retries and faults.

use std::time::Duration;

use model::kinds::fault_policy::{FaultAbort, FaultCondition as WrittenCondition, FaultPolicySpec};
use model::kinds::http_route::{HttpRetry, HttpTimeouts};
use model::kinds::resilience_policy::{
    Backoff as WrittenBackoff, ResiliencePolicySpec, ResilienceTimeouts, Retries, RetryCondition,
};
use model::units::GatewayDuration;

use crate::config::{
    Abort, Backoff, Fault, FaultCondition, Retry, RetryBudget, RetryMethods, RetryOn, Timeouts,
};

/// Retries of a request, the first attempt not counted.
const ATTEMPTS_DEFAULT: u8 = 2;
/// First bound of the wait before a retry.
const BACKOFF_BASE_DEFAULT: Duration = Duration::from_millis(25);
/// Largest bound of the wait.
const BACKOFF_MAX_DEFAULT: Duration = Duration::from_millis(250);
/// Retries in a hundred requests.
const BUDGET_PERCENT_DEFAULT: u8 = 20;
/// Retries a second that are always allowed.
const BUDGET_MIN_PER_SECOND_DEFAULT: u32 = 3;
/// Most bytes of a body that are kept.
const BODY_BYTES_DEFAULT: u64 = 64 * 1024;
/// No policy may ask for more: every request under way may hold as much.
const BODY_BYTES_MAX: u64 = 1024 * 1024;
/// What says that nothing was done, and what a server that is going away says.
const CONDITIONS_DEFAULT: [RetryCondition; 5] = [
    RetryCondition::ConnectFailure,
    RetryCondition::Refused,
    RetryCondition::Reset,
    RetryCondition::Status(503),
    RetryCondition::Grpc(14),
];

fn bound(duration: Option<GatewayDuration>) -> Option<Duration> {
    duration.map(GatewayDuration::get).filter(|duration| !duration.is_zero())
}

/// Bounds that a route writes in its rule.
pub(super) fn timeouts(written: Option<HttpTimeouts>) -> Timeouts {
    let written = written.unwrap_or_default();
    Timeouts {
        request: bound(written.request),
        backend_request: bound(written.backend_request),
        client_may_pause: written.request.is_some(),
        upstream_may_pause: written.request.is_some() || written.backend_request.is_some(),
        ..Timeouts::default()
    }
}

/// Bounds that a policy writes.
pub(super) fn bounds(written: Option<ResilienceTimeouts>) -> Timeouts {
    let ResilienceTimeouts { request, attempt, connect, idle } = written.unwrap_or_default();
    Timeouts {
        request: bound(request),
        backend_request: bound(attempt),
        connect: bound(connect),
        upstream_idle: idle.map(GatewayDuration::get),
        client_may_pause: request.is_some(),
        upstream_may_pause: request.is_some() || attempt.is_some(),
    }
}

/// What a route writes in its rule (Gateway API, GEP-1731), as the most specific of policies. Errors of connections
/// are retried whenever a rule retries at all.
pub(super) fn written(retry: &HttpRetry) -> ResiliencePolicySpec {
    let errors = [RetryCondition::ConnectFailure, RetryCondition::Refused, RetryCondition::Reset];
    let codes = retry.codes.iter().map(|code| RetryCondition::Status(*code));
    let backoff = retry.backoff.map(|base| WrittenBackoff { base: Some(base), max: None });
    let retries = Retries {
        attempts: retry.attempts.map(|attempts| u8::try_from(attempts).unwrap_or(u8::MAX)),
        retry_on: Some(errors.into_iter().chain(codes).collect()),
        backoff,
        ..Retries::default()
    };
    ResiliencePolicySpec { retries: Some(retries), ..ResiliencePolicySpec::default() }
}

/// Retries with every default filled in.
pub(super) fn retry(written: &Retries) -> Retry {
    let backoff = written.backoff.unwrap_or_default();
    let base = backoff.base.map_or(BACKOFF_BASE_DEFAULT, GatewayDuration::get);
    let budget = written.budget.unwrap_or_default();
    let methods = written.methods.as_ref().map(|methods| methods.iter().cloned().collect());
    let body = written.body_bytes_max.map_or(BODY_BYTES_DEFAULT, |bytes| bytes.get());
    Retry {
        attempts: written.attempts.unwrap_or(ATTEMPTS_DEFAULT),
        on: conditions(written.retry_on.as_deref().unwrap_or(&CONDITIONS_DEFAULT)),
        backoff: Backoff {
            base,
            max: backoff.max.map_or(BACKOFF_MAX_DEFAULT, GatewayDuration::get).max(base),
        },
        methods: methods.map_or(RetryMethods::Idempotent, RetryMethods::Listed),
        budget: RetryBudget {
            percent: budget.percent.unwrap_or(BUDGET_PERCENT_DEFAULT),
            min_per_second: budget.min_retries_per_second.unwrap_or(BUDGET_MIN_PER_SECOND_DEFAULT),
        },
        body_bytes_max: usize::try_from(body.min(BODY_BYTES_MAX)).unwrap_or(usize::MAX),
    }
}

fn conditions(written: &[RetryCondition]) -> RetryOn {
    let mut on = RetryOn::default();
    let mut statuses = Vec::new();
    for condition in written {
        match condition {
            RetryCondition::ConnectFailure => on.connect_failure = true,
            RetryCondition::Refused => on.refused = true,
            RetryCondition::Reset => on.reset = true,
            RetryCondition::GatewayError => statuses.extend([502, 503, 504]),
            RetryCondition::Status(status) => statuses.push(*status),
            RetryCondition::Grpc(status) => on.grpc |= 1 << (status & 31),
        }
    }
    statuses.sort_unstable();
    statuses.dedup();
    on.statuses = statuses.into();
    on
}

/// Which requests are meant.
pub(super) fn conditions_of(when: &[WrittenCondition]) -> impl Iterator<Item = FaultCondition> {
    when.iter().map(|condition| FaultCondition {
        header: condition.header.to_ascii_lowercase().into(),
        values: condition.values.to_vec().into(),
    })
}

/// Faults with every default filled in.
pub(super) fn fault(written: &FaultPolicySpec) -> Fault {
    let FaultPolicySpec { target_refs: _, when, delay, abort } = written;
    Fault {
        when: conditions_of(when).collect(),
        delay: delay.map(|delay| (delay.fixed.get(), delay.percent.unwrap_or(100))),
        abort: abort.and_then(|FaultAbort { status, grpc_status, percent }| {
            let with = status.map(Abort::Status).or(grpc_status.map(Abort::Grpc))?;
            Some((with, percent.unwrap_or(100)))
        }),
    }
}
