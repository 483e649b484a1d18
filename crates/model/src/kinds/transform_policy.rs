//! `TransformPolicy`: what is changed about requests and answers on their way.

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;
use super::transform::{BodyRules, Transform};

/// A TransformPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransformPolicy {
    /// What is wanted.
    pub spec: TransformPolicySpec,
}

/// `TransformPolicy.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TransformPolicySpec {
    /// What it is about, in its own namespace.
    pub target_refs: Vec<PolicyTargetRef>,
    /// What is changed.
    #[serde(flatten)]
    pub transform: Transform,
    /// Bounds of bodies that are changed.
    #[serde(flatten)]
    pub bodies: BodyRules,
}
