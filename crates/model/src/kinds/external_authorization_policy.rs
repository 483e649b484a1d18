//! `ExternalAuthorizationPolicy`: somebody else is asked whether a request may pass, by Envoy's protocol for that.
//!
//! It is asked when the caller is known and before AuthorizationPolicies are, so that what it says of a request can be
//! judged by them. All policies that are about a request must let it pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;
use super::references::BackendObjectRef;
use crate::units::GatewayDuration;

/// An ExternalAuthorizationPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalAuthorizationPolicy {
    /// What is wanted.
    pub spec: ExternalAuthorizationPolicySpec,
}

/// `ExternalAuthorizationPolicy.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalAuthorizationPolicySpec {
    /// What it applies to, in its own namespace; all of the namespace when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<PolicyTargetRef>,
    /// An authorizer that speaks gRPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcAuthorizer>,
    /// An authorizer that speaks plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpAuthorizer>,
    /// Whether it is shown the body; not when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_request_body: Option<IncludeRequestBody>,
    /// Longest time until it has answered; 200 ms when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GatewayDuration>,
    /// What becomes of a request of which it says nothing.
    pub failure_mode: FailureMode,
    /// What such a request is answered with where it may not pass; 403 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_on_error: Option<u16>,
}

/// What becomes of requests when an authorizer does not answer in time, or not so that it can be understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureMode {
    /// They are refused.
    #[default]
    Deny,
    /// They pass.
    Allow,
}

/// An authorizer that serves `envoy.service.auth.v3.Authorization`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrpcAuthorizer {
    /// Where it is.
    pub backend_ref: BackendObjectRef,
    /// Fields of the request that it is shown; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_request_headers: Option<Vec<Arc<str>>>,
    /// What it is told beside the request, always the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context_extensions: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether it is shown the certificate of a TLS client.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub include_peer_certificate: bool,
}

/// An authorizer that is asked with a request like the client's: 200 lets it pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpAuthorizer {
    /// Where it is.
    pub backend_ref: BackendObjectRef,
    /// Put before the path of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<Arc<str>>,
    /// Fields of the request that it is shown beside `authorization`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_request_headers: Vec<Arc<str>>,
    /// Fields of its answer that the backend is given. What clients send by these names goes no further.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_upstream_headers: Vec<Arc<str>>,
    /// Fields of its refusal that the client is given; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_client_headers: Option<Vec<Arc<str>>>,
    /// Fields of its consent that the client is given with the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_client_headers_on_success: Vec<Arc<str>>,
}

/// How much of a body an authorizer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncludeRequestBody {
    /// Most bytes of it.
    pub max_bytes: u32,
    /// Whether of a longer body the beginning is shown; such a request is refused otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_partial: bool,
}

impl ExternalAuthorizationPolicySpec {
    /// Where the authorizer is; the schema lets nothing by that names none.
    #[must_use]
    pub fn backend_ref(&self) -> Option<&BackendObjectRef> {
        let grpc = self.grpc.as_ref().map(|grpc| &grpc.backend_ref);
        grpc.or_else(|| self.http.as_ref().map(|http| &http.backend_ref))
    }
}
