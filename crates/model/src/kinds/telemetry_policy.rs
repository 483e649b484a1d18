//! `TelemetryPolicy`: which requests are traced, and who is told of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;
use super::http_filter::Fraction;

/// A TelemetryPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetryPolicy {
    /// What is wanted.
    pub spec: TelemetryPolicySpec,
}

/// `TelemetryPolicy.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TelemetryPolicySpec {
    /// What it is about: Gateways of its namespace, or the Mesh.
    pub target_refs: Vec<PolicyTargetRef>,
    /// Requests are traced; not at all when absent, not even where a wider policy says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
}

/// Requests are traced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracing {
    /// URL of the collector (OTLP over HTTP); the schema asks for `http` or `https` and a host.
    pub endpoint: Arc<str>,
    /// How many requests are traced of those that nobody has decided about before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
}

/// A share of all requests; `percent` or `fraction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// In hundredths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// As a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<Fraction>,
}
