//! `ResiliencePolicy`: how long to wait, when to try again, whom to leave alone.
//!
//! Every field is optional: what is absent is left to a less specific policy, and at last to the defaults of the
//! engine, which stand in one place only.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;
use crate::units::{ByteQuantity, GatewayDuration};
use crate::violation::Problem;

/// A ResiliencePolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResiliencePolicy {
    /// What is wanted.
    pub spec: ResiliencePolicySpec,
}

/// `ResiliencePolicy.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResiliencePolicySpec {
    /// What it is about, in its own namespace.
    pub target_refs: Vec<PolicyTargetRef>,
    /// Bounds of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<ResilienceTimeouts>,
    /// When a request is sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// Endpoints that keep failing are left alone for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    /// How much a destination is given at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<UpstreamLimits>,
    /// Endpoints are asked how they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_checks: Option<HealthChecks>,
    /// Endpoints nearby come first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<Locality>,
}

/// Bounds of time; `0s` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResilienceTimeouts {
    /// From the first byte of a request to the last one of its answer, all attempts included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<GatewayDuration>,
    /// One attempt, from choosing the endpoint to the end of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<GatewayDuration>,
    /// Connecting, TLS handshake included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<GatewayDuration>,
    /// Silence of an endpoint that owes an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<GatewayDuration>,
}

/// When a request is sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retries {
    /// How many times at most, the first attempt not counted; 0 to 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u8>,
    /// Upon what. Not called `on`, which older readers of YAML take for `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<Vec<RetryCondition>>,
    /// How long to wait before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// Methods that may be repeated; those that are idempotent when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<Arc<str>>>,
    /// How much retries may add to the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<RetryBudget>,
    /// Most bytes of a body that are kept to be sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_bytes_max: Option<ByteQuantity>,
}

/// How long to wait before an attempt: a random part of a bound that doubles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Backoff {
    /// The first bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<GatewayDuration>,
    /// The largest bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<GatewayDuration>,
}

/// How much retries may add to the load of a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryBudget {
    /// Retries in a hundred requests, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Retries a second that are always allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_retries_per_second: Option<u32>,
}

/// Something upon which a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryCondition {
    /// No connection came about; nothing was sent.
    ConnectFailure,
    /// The upstream said that it has processed nothing (RFC 9113 section 8.7).
    Refused,
    /// The connection ended before an answer came.
    Reset,
    /// 502, 503 and 504.
    GatewayError,
    /// An answer with this status, or a failure that would be answered with it.
    Status(u16),
    /// A gRPC answer with this status that has no messages.
    Grpc(u8),
}

/// gRPC statuses that can be retried, as they are written.
const GRPC_STATUSES: [(&str, u8); 6] = [
    ("cancelled", 1),
    ("deadline-exceeded", 4),
    ("resource-exhausted", 8),
    ("aborted", 10),
    ("internal", 13),
    ("unavailable", 14),
];

impl FromStr for RetryCondition {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let named = match text {
            "connect-failure" => Some(RetryCondition::ConnectFailure),
            "refused" => Some(RetryCondition::Refused),
            "reset" => Some(RetryCondition::Reset),
            "gateway-error" => Some(RetryCondition::GatewayError),
            _ => GRPC_STATUSES
                .iter()
                .find(|(name, _)| *name == text)
                .map(|(_, code)| RetryCondition::Grpc(*code)),
        };
        let status = || text.parse().ok().filter(|status| (400..=599).contains(status));
        named.or_else(|| status().map(RetryCondition::Status)).ok_or_else(|| {
            let grpc: Vec<&str> = GRPC_STATUSES.iter().map(|(name, _)| *name).collect();
            Problem::new(format!("`{text}` is nothing that a request can be retried upon")).remedy(format!(
                "use `connect-failure`, `refused`, `reset`, `gateway-error`, a status from 400 to 599, or one of gRPC: {}",
                grpc.join(", ")
            ))
        })
    }
}

impl fmt::Display for RetryCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RetryCondition::ConnectFailure => f.write_str("connect-failure"),
            RetryCondition::Refused => f.write_str("refused"),
            RetryCondition::Reset => f.write_str("reset"),
            RetryCondition::GatewayError => f.write_str("gateway-error"),
            RetryCondition::Status(status) => status.fmt(f),
            RetryCondition::Grpc(code) => {
                let name = GRPC_STATUSES.iter().find(|(_, known)| known == code).map(|(name, _)| *name);
                f.write_str(name.unwrap_or("unknown"))
            }
        }
    }
}

impl Serialize for RetryCondition {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RetryCondition {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A status is a number to most people, and text to those who quote it.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u16),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Endpoints that keep failing are left alone for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutlierDetection {
    /// Failures in a row after which an endpoint is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consecutive_errors: Option<u32>,
    /// How long an endpoint must have behaved for one earlier ejection to be forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<GatewayDuration>,
    /// How long it is left alone the first time; twice as long each further time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_ejection: Option<GatewayDuration>,
    /// Most endpoints in a hundred that are left alone at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ejection_percent: Option<u8>,
    /// With fewer healthy endpoints in a hundred than this, all are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panic_threshold_percent: Option<u8>,
}

/// How much a destination is given at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UpstreamLimits {
    /// Connections to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Requests that wait for one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_requests: Option<u32>,
    /// Requests under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
    /// What each of its endpoints is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_endpoint: Option<EndpointLimits>,
}

/// How much one endpoint is given at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointLimits {
    /// Requests under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
}

/// Endpoints are asked how they are: by HTTP, by gRPC, or by connecting alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthChecks {
    /// By a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpHealthCheck>,
    /// By gRPC's own question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcHealthCheck>,
    /// By connecting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpHealthCheck>,
    /// Time between two questions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<GatewayDuration>,
    /// Longest time to an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GatewayDuration>,
    /// Good answers in a row after which an endpoint is healthy again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_threshold: Option<u32>,
    /// Bad ones in a row after which it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_threshold: Option<u32>,
}

/// A question over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpHealthCheck {
    /// Path that is asked for.
    pub path: Arc<str>,
    /// Host that is named; the endpoint's address when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Arc<str>>,
    /// Statuses of a healthy endpoint; 200 to 299 when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_statuses: Vec<u16>,
}

/// A question of `grpc.health.v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GrpcHealthCheck {
    /// The service that is asked about; all of the server when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Arc<str>>,
}

/// A question that is answered by accepting the connection. There is nothing to say about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpHealthCheck {}

/// Endpoints nearby come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Locality {
    /// Whether they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefer_local: Option<bool>,
    /// With fewer healthy endpoints nearby in a hundred than this, some requests go elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overflow_percent: Option<u8>,
}
