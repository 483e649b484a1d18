//! `Role` and `ClusterRole`: what may be done, without saying by whom. Shapes and names are Kubernetes'
//! (`rbac.authorization.k8s.io/v1`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::labels::LabelSelector;

/// What stands for everything in the lists of a rule.
pub const ALL: &str = "*";

/// A Role: counts in its own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Role {
    /// What may be done. Rules only add.
    pub rules: Vec<PolicyRule>,
}

/// A ClusterRole: counts where a binding says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterRole {
    /// What may be done. Rules only add.
    pub rules: Vec<PolicyRule>,
    /// When given, the rules are those of other ClusterRoles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation_rule: Option<AggregationRule>,
}

/// Which ClusterRoles lend their rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AggregationRule {
    /// Those that any of these picks.
    pub cluster_role_selectors: Vec<LabelSelector>,
}

/// One rule: any of the verbs on any of the things.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyRule {
    /// `get`, `list`, ..., or `*`.
    pub verbs: Vec<Arc<str>>,
    /// API groups; the empty one is the core group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<Arc<str>>,
    /// Resources in the plural, with their subresource: `pods`, `pods/log`, `*/status`, `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Arc<str>>,
    /// Names of objects; all of them when there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<Arc<str>>,
    /// Paths that are no resources; `*` at the end stands for any rest. Only ClusterRoles have them.
    #[serde(rename = "nonResourceURLs", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_urls: Vec<Arc<str>>,
}
