//! `TelemetryPolicy`: which requests are traced, and who is told of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend::BackendCredential;
use super::backend_tls_policy::PolicyTargetRef;
use super::http_filter::{Fraction, Header};
use super::references::LocalObjectRef;

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
    /// URL of the collector; the schema asks for `http` or `https` and a host, and for gRPC for no path.
    pub endpoint: Arc<str>,
    /// What is spoken to it.
    #[serde(default)]
    pub protocol: OtlpProtocol,
    /// Fields that every message shows: who the tenant is, and what else is no secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// A secret that every message shows, with the meaning it has in a Backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<BackendCredential>,
    /// Who must answer at an `https` endpoint; its host, by the roots of the system, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<CollectorTls>,
    /// How many requests are traced of those that nobody has decided about before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
}

/// How OTLP is spoken, in the words of `OTEL_EXPORTER_OTLP_PROTOCOL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtlpProtocol {
    /// Protocol buffers in HTTP/1.1.
    #[default]
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
    /// gRPC.
    #[serde(rename = "grpc")]
    Grpc,
}

/// Who must answer at a collector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectorTls {
    /// The name in its certificate; the host of the endpoint when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Arc<str>>,
    /// Trust anchors, in the namespace of the policy; the system's when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<LocalObjectRef>,
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
