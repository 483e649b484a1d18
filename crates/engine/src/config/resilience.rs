//! How long to wait, when to try again and whom to leave alone, as the data path needs it.
//!
//! A rule has what its caller's side decides (timeouts, retries, faults), a cluster what its destination decides. What
//! a rule leaves open, its cluster fills: the rule comes first. All of it stands behind one pointer that is absent
//! where no policy is, so a request without policies pays for one look.

use std::sync::Arc;
use std::time::Duration;

/// Bounds of time of a rule; `None` means no bound of its own.
///
/// A rule that writes a bound, be it `0s`, has decided how long may be waited, so the Gateway's limits on silence
/// give way to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of the request to the last byte of the response.
    pub request: Option<Duration>,
    /// One attempt at the upstream, from connect to the end of its response.
    pub backend_request: Option<Duration>,
    /// Connecting, TLS handshake included; as the cluster says when absent.
    pub connect: Option<Duration>,
    /// Silence of an upstream that owes an answer; zero is no bound, and as the Gateway says when absent.
    pub upstream_idle: Option<Duration>,
    /// Silence of the client within its request is left to the bounds above: `request` is written.
    pub client_may_pause: bool,
    /// Silence of the upstream is left to the bounds above: one of them is written.
    pub upstream_may_pause: bool,
}

impl Timeouts {
    /// These bounds, and where they say nothing those of `other`.
    #[must_use]
    pub fn or(self, other: &Timeouts) -> Timeouts {
        let request = if self.client_may_pause { self.request } else { self.request.or(other.request) };
        Timeouts {
            request,
            backend_request: self.backend_request.or(other.backend_request),
            connect: self.connect.or(other.connect),
            upstream_idle: self.upstream_idle.or(other.upstream_idle),
            client_may_pause: self.client_may_pause || other.client_may_pause,
            upstream_may_pause: self.upstream_may_pause || other.upstream_may_pause,
        }
    }
}

/// When a request is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How many times at most, the first attempt not counted.
    pub attempts: u8,
    /// Upon what.
    pub on: RetryOn,
    /// How long to wait before.
    pub backoff: Backoff,
    /// What may be sent again after an upstream may have seen it.
    pub methods: RetryMethods,
    /// How much retries may add to the load of a cluster.
    pub budget: RetryBudget,
    /// Most bytes of a body that are kept to be sent again.
    pub body_bytes_max: usize,
}

/// Upon what a request is sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryOn {
    /// No connection came about.
    pub connect_failure: bool,
    /// The upstream said that it has processed nothing.
    pub refused: bool,
    /// The connection ended before an answer came.
    pub reset: bool,
    /// Statuses of HTTP, sorted.
    pub statuses: Box<[u16]>,
    /// Statuses of gRPC: bit n for status n.
    pub grpc: u32,
}

impl RetryOn {
    /// Whether an answer with this status is worth another attempt.
    #[must_use]
    pub fn status(&self, status: u16) -> bool {
        self.statuses.binary_search(&status).is_ok()
    }

    /// Whether a gRPC answer with this status is.
    #[must_use]
    pub fn grpc_status(&self, status: u8) -> bool {
        status < 32 && self.grpc & (1 << status) != 0
    }
}

/// How long to wait before an attempt: a random part of a bound that doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first bound.
    pub base: Duration,
    /// The largest bound.
    pub max: Duration,
}

impl Backoff {
    /// The bound before the attempt with this number, 1 being the first retry.
    #[must_use]
    pub fn bound(&self, attempt: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1).min(31)).unwrap_or(u32::MAX);
        self.base.saturating_mul(doubled).min(self.max)
    }
}

/// Methods of requests that may be sent again after an upstream may have seen them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryMethods {
    /// Those of which a repetition has the same effect as one request (RFC 9110 section 9.2.2).
    Idempotent,
    /// These tokens.
    Listed(Box<[Arc<str>]>),
}

/// How much retries may add to the load of a cluster, within a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// Retries in a hundred requests.
    pub percent: u8,
    /// Retries a second that are allowed however few requests there are.
    pub min_per_second: u32,
}

/// Failures made on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What a request must carry for them; all of it.
    pub when: Box<[FaultCondition]>,
    /// How long requests are held back, and how many in a hundred.
    pub delay: Option<(Duration, u8)>,
    /// With what requests are answered, and how many in a hundred.
    pub abort: Option<(Abort, u8)>,
}

/// A header field that a request must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultCondition {
    /// Its name, in lower case.
    pub header: Arc<str>,
    /// Values of which it must have one; any when empty.
    pub values: Box<[Arc<str>]>,
}

impl FaultCondition {
    /// Whether a request with this value of the field meets it.
    #[must_use]
    pub fn is_met(&self, value: Option<&[u8]>) -> bool {
        value.is_some_and(|value| {
            self.values.is_empty() || self.values.iter().any(|wanted| wanted.as_bytes() == value)
        })
    }
}

/// An answer instead of the upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// With a status of HTTP.
    Status(u16),
    /// With a status of gRPC.
    Grpc(u8),
}

/// What policies say of a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resilience {
    /// Bounds of time, for rules that write none.
    pub timeouts: Timeouts,
    /// When to try again, for rules that do not say.
    pub retry: Option<Arc<Retry>>,
    /// Failures made on purpose, for rules that have none.
    pub fault: Option<Arc<Fault>>,
    /// How much it is given at a time.
    pub limits: UpstreamLimits,
    /// When an endpoint that fails is left alone.
    pub outlier: Option<Outlier>,
    /// How its endpoints are asked how they are.
    pub health: Option<Arc<HealthCheck>>,
    /// With fewer healthy endpoints in a hundred than this, all are asked.
    pub panic_threshold_percent: u8,
    /// Endpoints nearby come first; with fewer of them healthy in a hundred than this, some requests go elsewhere.
    pub overflow_percent: Option<u8>,
}

/// How much a cluster is given at a time; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// Connections.
    pub connections: Option<u32>,
    /// Requests that wait for a connection.
    pub pending: Option<u32>,
    /// Requests under way.
    pub requests: Option<u32>,
    /// Requests under way at one endpoint.
    pub endpoint_requests: Option<u32>,
}

/// When an endpoint that fails is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// Failures in a row.
    pub consecutive_errors: u32,
    /// Time of good behaviour for which one earlier ejection is forgotten.
    pub interval: Duration,
    /// How long the first time; twice as long each further time.
    pub base_ejection: Duration,
    /// Most endpoints in a hundred at once.
    pub max_ejection_percent: u8,
}

/// How endpoints are asked how they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealthCheck {
    /// The question.
    pub ask: HealthQuestion,
    /// Time between two questions.
    pub interval: Duration,
    /// Longest time to an answer.
    pub timeout: Duration,
    /// Good answers in a row that make an endpoint healthy.
    pub healthy_threshold: u32,
    /// Bad ones in a row that make it unhealthy.
    pub unhealthy_threshold: u32,
}

/// What an endpoint is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HealthQuestion {
    /// To accept a connection, TLS handshake included.
    Connect,
    /// To answer a GET.
    Http {
        /// Path and query.
        path: Arc<str>,
        /// Host to name; the endpoint's address when absent.
        host: Option<Arc<str>>,
        /// Statuses of a healthy endpoint, sorted; 200 to 299 when empty.
        expected: Box<[u16]>,
    },
    /// To answer gRPC's `grpc.health.v1.Health/Check`.
    Grpc {
        /// The service that is asked about; all of the server when empty.
        service: Arc<str>,
    },
}

/// Where something runs. What is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Locality {
    /// Data centre or region.
    pub region: Arc<str>,
    /// Part of it that fails as one.
    pub zone: Arc<str>,
}

impl Locality {
    /// How far another place is: 0 the same zone, 1 the same region, 2 elsewhere or unknown.
    #[must_use]
    pub fn distance(&self, other: Option<&Locality>) -> u8 {
        let Some(other) = other else { return 2 };
        let same_region = self.region == other.region;
        // A zone without a region is unique by itself, as EndpointSlices have them.
        let same_zone = !self.zone.is_empty() && self.zone == other.zone;
        match (same_region || self.region.is_empty() || other.region.is_empty(), same_zone) {
            (true, true) => 0,
            _ if same_region && !self.region.is_empty() => 1,
            _ => 2,
        }
    }
}

impl std::str::FromStr for Locality {
    type Err = std::convert::Infallible;

    /// Reads `region/zone`, or `zone` alone.
    fn from_str(text: &str) -> Result<Locality, Self::Err> {
        let (region, zone) = text.split_once('/').unwrap_or(("", text));
        Ok(Locality { region: region.into(), zone: zone.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_a_wait_doubles_up_to_the_largest() {
        let backoff = Backoff { base: Duration::from_millis(25), max: Duration::from_millis(250) };

        let bounds: Vec<u128> = (1..=6).map(|attempt| backoff.bound(attempt).as_millis()).collect();

        assert_eq!(bounds, [25, 50, 100, 200, 250, 250]);
        assert_eq!(backoff.bound(u32::MAX).as_millis(), 250);
    }

    #[test]
    fn a_zone_is_near_and_a_region_is_nearer_than_elsewhere() {
        let of = |text: &str| text.parse::<Locality>().expect("any text");
        let here = of("north/a");

        assert_eq!(here.distance(Some(&of("north/a"))), 0);
        assert_eq!(here.distance(Some(&of("a"))), 0);
        assert_eq!(here.distance(Some(&of("north/b"))), 1);
        assert_eq!(here.distance(Some(&of("south/a"))), 2);
        assert_eq!(here.distance(None), 2);
        assert_eq!(of("a").distance(Some(&of("b"))), 2);
    }
}
