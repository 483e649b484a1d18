//! `AuthorizationPolicy`: who may do what, at every door alike.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;
use crate::condition::Condition;
use crate::glob::{HostGlob, IdentityGlob, PathGlob, TextGlob};
use crate::ip_block::IpBlock;

/// Policies of this namespace that name no target hold for the whole mesh.
pub const ROOT_NAMESPACE: &str = "selvedge-system";

/// An AuthorizationPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationPolicy {
    /// What is wanted.
    pub spec: AuthorizationPolicySpec,
}

/// `AuthorizationPolicy.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationPolicySpec {
    /// What it applies to, in its own namespace; all of the namespace when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<PolicyTargetRef>,
    /// What becomes of requests that a rule matches.
    pub action: PolicyAction,
    /// What becomes of what is open when a change forbids it.
    pub live: Live,
    /// Rules, of which one must match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<AuthorizationRule>,
}

/// What becomes of requests that a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PolicyAction {
    /// They may pass; where such a policy applies, others may not.
    Allow,
    /// They are refused, whatever else allows them.
    Deny,
    /// They are told in the log.
    Audit,
}

impl PolicyAction {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PolicyAction::Allow => "Allow",
            PolicyAction::Deny => "Deny",
            PolicyAction::Audit => "Audit",
        }
    }
}

/// What becomes of what is open when a change forbids it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Live {
    /// It goes on.
    #[default]
    Keep,
    /// It is ended.
    Enforce,
}

/// One rule: every part that is written must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRule {
    /// Its name, for logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Who asks: one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<PolicySource>,
    /// What is asked: one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<PolicyOperation>,
    /// Header fields and claims: all of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<ValueDemand>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// Who asks: every field that is written must hold, with one of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "a field and its opposite")]
pub struct PolicySource {
    /// SPIFFE IDs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentityGlob>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_identities: Vec<IdentityGlob>,
    /// Namespaces of SPIFFE IDs of the own mesh, or of `meshes`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<TextGlob>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_namespaces: Vec<TextGlob>,
    /// Replicas of the own mesh, or of `meshes`: `name` in the policy's namespace, or `namespace/name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<TextGlob>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_workloads: Vec<TextGlob>,
    /// Trust domains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub meshes: Vec<TextGlob>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_meshes: Vec<TextGlob>,
    /// Principals that an AuthenticationPolicy has found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<TextGlob>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_principals: Vec<TextGlob>,
    /// Addresses of clients.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip_blocks: Vec<IpBlock>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_ip_blocks: Vec<IpBlock>,
}

/// What is asked: every field that is written must hold, with one of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "a field and its opposite")]
pub struct PolicyOperation {
    /// Ports that are asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_ports: Vec<u16>,
    /// Server names of the TLS handshake.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub server_names: Vec<HostGlob>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_server_names: Vec<HostGlob>,
    /// Methods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_methods: Vec<Arc<str>>,
    /// Hosts, without port.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostGlob>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_hosts: Vec<HostGlob>,
    /// Paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathGlob>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_paths: Vec<PathGlob>,
}

/// What a header field, or a claim of the caller's token, must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueDemand {
    /// Name of a header field; case does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Arc<str>>,
    /// Name of a claim. Of a list one element is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Arc<str>>,
    /// What it may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<TextGlob>,
    /// What it may not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_values: Vec<TextGlob>,
}
