//! `IpPolicy`: from which addresses requests and connections may come.
//!
//! It is asked before anything else is, so that who may not come at all learns nothing and costs little. All policies
//! hold that are about a request: nobody may loosen what another has limited.

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;
use crate::ip_block::IpBlock;

/// An IpPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpPolicy {
    /// What is wanted.
    pub spec: IpPolicySpec,
}

/// `IpPolicy.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IpPolicySpec {
    /// What it is about, in its own namespace.
    pub target_refs: Vec<PolicyTargetRef>,
    /// Only from here; from anywhere when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<IpBlock>,
    /// Never from here, whatever is allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<IpBlock>,
}
