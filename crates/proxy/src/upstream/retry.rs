//! Whether a request is sent again, and when.
//!
//! Only while nothing of an answer has left for the client, only what may be repeated, and only as long as retries are
//! a small part of the load: otherwise a destination that is slow is given more to do because it is slow. What has
//! certainly not reached an application (no connection came about, or the upstream said so) may be repeated whatever
//! its method; everything else only by the methods of the policy and with its whole body still at hand.

use std::rc::Rc;
use std::time::Duration;

use engine::config::{Retry, RetryMethods};

use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::message::Framing;
use crate::state::clusters::{ClusterState, EndpointState};
use crate::stream::Replay;

/// Why an attempt was not what was hoped for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No connection came about.
    Unreached,
    /// The upstream has processed nothing, as it said itself.
    Refused,
    /// The connection ended before an answer came.
    Reset,
    /// An answer with this status, or a failure that would be answered with it.
    Status(u16),
    /// A gRPC answer with this status and nothing else.
    Grpc(u8),
}

impl Why {
    /// What a failure means for a retry; `None` when it is nobody's to repeat.
    #[must_use]
    pub fn of(failure: Failure, unseen: bool) -> Option<Why> {
        match failure {
            Failure::ConnectRefused
            | Failure::ConnectTimeout
            | Failure::UpstreamTls
            | Failure::PeerUnverified
            | Failure::PeerIdentityMismatch => Some(Why::Unreached),
            Failure::UpstreamReset if unseen => Some(Why::Refused),
            Failure::UpstreamReset => Some(Why::Reset),
            Failure::UpstreamTimeout => Some(Why::Status(504)),
            Failure::UpstreamProtocol | Failure::UpstreamHeadTooLarge => Some(Why::Status(502)),
            _ => None,
        }
    }

    fn is_covered(self, policy: &Retry) -> bool {
        match self {
            Why::Unreached => policy.on.connect_failure,
            Why::Refused => policy.on.refused,
            Why::Reset => policy.on.reset,
            Why::Status(status) => policy.on.status(status),
            Why::Grpc(status) => policy.on.grpc_status(status),
        }
    }

    /// Whether no application has seen the request.
    fn is_unseen(self) -> bool {
        match self {
            Why::Unreached | Why::Refused => true,
            Why::Reset | Why::Status(_) | Why::Grpc(_) => false,
        }
    }
}

/// The attempts of one request.
#[derive(Debug)]
pub struct Tries<'p> {
    policy: Option<&'p Retry>,
    made: u32,
    /// What was kept of the body.
    pub replay: Option<Box<Replay>>,
    /// The endpoint that failed last.
    pub avoid: Option<Rc<EndpointState>>,
}

impl<'p> Tries<'p> {
    /// The first of the attempts that a policy allows, if there is one.
    #[must_use]
    pub fn begin(policy: Option<&'p Retry>, exchange: &Exchange<'_>, cluster: &ClusterState) -> Tries<'p> {
        let policy = policy.filter(|policy| policy.attempts > 0);
        let mut tries = Tries { policy, made: 0, replay: None, avoid: None };
        if let Some(policy) = policy {
            cluster.breakers.retries.request(exchange.worker.deadlines.now());
            tries.replay = keeps(policy, exchange).then(|| Box::new(Replay::bounded(policy.body_bytes_max)));
        }
        tries
    }

    /// Whether a policy says when to try again.
    #[must_use]
    pub fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// The number of the attempt that comes next, 1 for the first; 0 without a policy.
    #[must_use]
    pub fn number(&self) -> u32 {
        if self.policy.is_some() { self.made + 1 } else { 0 }
    }

    /// Whether a gRPC answer must be looked at.
    #[must_use]
    pub fn asks_for_grpc(&self) -> bool {
        self.policy.is_some_and(|policy| policy.on.grpc != 0)
    }

    /// Grants another attempt, to be begun after a pause, and takes it from the budget.
    #[must_use]
    pub fn again(&mut self, why: Why, exchange: &Exchange<'_>, cluster: &ClusterState) -> Option<Duration> {
        let policy = self.policy?;
        if self.made >= u32::from(policy.attempts) || !why.is_covered(policy) {
            return None;
        }
        if !why.is_unseen() && (exchange.hop.caller_retries || !may_repeat(policy, exchange)) {
            return None;
        }
        if !self.has_body() && exchange.request.head.framing != Framing::None && why != Why::Unreached {
            return None;
        }
        let pause = jitter(policy.backoff.bound(self.made + 1), exchange);
        let worker = exchange.worker;
        if exchange.hop.deadline.is_some_and(|deadline| deadline <= worker.clock.now() + pause) {
            return None;
        }
        let cells = worker.metrics.cluster(cluster.cluster.slot);
        if !cluster.breakers.retries.grant(worker.deadlines.now(), &policy.budget) {
            cells.inspect(|cells| cells.retries_denied.add(1));
            return None;
        }
        cells.inspect(|cells| cells.retries.add(1));
        self.made += 1;
        if let Some(replay) = &mut self.replay {
            replay.rewind();
        }
        Some(pause)
    }

    /// Whether all of the body that has passed is still at hand.
    fn has_body(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| replay.is_whole())
    }
}

/// Whether a body is worth keeping.
fn keeps(policy: &Retry, exchange: &Exchange<'_>) -> bool {
    let fits = match exchange.request.head.framing {
        Framing::None => false,
        Framing::Length(length) => length <= policy.body_bytes_max as u64,
        Framing::Chunked | Framing::UntilClose => policy.body_bytes_max > 0,
    };
    fits && (policy.on.refused || (may_repeat(policy, exchange) && !exchange.hop.caller_retries))
}

/// Whether an upstream may see the request twice.
fn may_repeat(policy: &Retry, exchange: &Exchange<'_>) -> bool {
    let head = exchange.onward();
    match &policy.methods {
        RetryMethods::Idempotent => head.method.is_idempotent(),
        RetryMethods::Listed(methods) => {
            let token = head.method_token.of(&exchange.request.text);
            methods.iter().any(|method| method.as_bytes() == token)
        }
    }
}

/// Any time up to a bound: what fails together must not come back together.
fn jitter(bound: Duration, exchange: &Exchange<'_>) -> Duration {
    let micros = u32::try_from(bound.as_micros()).unwrap_or(u32::MAX);
    Duration::from_micros(u64::from(exchange.worker.random.below(micros.saturating_add(1).max(1))))
}
