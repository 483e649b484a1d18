//! `CorsPolicy`: which other sites may call (Fetch standard, CORS protocol).
//!
//! It says for whole Gateways, routes and APIs what the `CORS` filter of an HTTPRoute says for a rule; that filter is
//! nearer and holds where there is one.

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;
use super::http_filter::Cors;

/// A CorsPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsPolicy {
    /// What is wanted.
    pub spec: CorsPolicySpec,
}

/// `CorsPolicy.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CorsPolicySpec {
    /// What it is about, in its own namespace.
    pub target_refs: Vec<PolicyTargetRef>,
    /// Who may call, and how.
    #[serde(flatten)]
    pub cors: Cors,
}
