//! `Mesh`: who trusts whom, and what holds where nobody has said otherwise.
//!
//! There is one for each control plane in practice. Everything that a member can prove of itself begins with the
//! trust domain, so that one thing is never changed.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::GatewayDuration;

/// A Mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mesh {
    /// What is wanted.
    pub spec: MeshSpec,
}

/// `Mesh.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeshSpec {
    /// Beginning of every identity; see [`Mesh::trust_domain`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<Arc<str>>,
    /// What becomes of calls that no AuthorizationPolicy speaks of.
    pub default_action: DefaultAction,
    /// Whether members must prove who they are.
    pub mtls: Mtls,
    /// Certificates of members.
    pub certificates: Certificates,
}

/// What becomes of calls that no policy speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DefaultAction {
    /// They are let in.
    #[default]
    Allow,
    /// They are refused.
    Deny,
}

/// Whether callers must prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Mtls {
    /// How much is asked for.
    pub mode: MtlsMode,
}

/// How much proof a workload asks its callers for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MtlsMode {
    /// Mutual TLS between members and nothing else.
    Strict,
    /// Mutual TLS between members; cleartext from everybody else.
    #[default]
    Permissive,
    /// Cleartext only, between members as well.
    Off,
}

/// Certificates of members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Certificates {
    /// How long a member's certificate is good for, 10 s to 24 h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<GatewayDuration>,
    /// How long a root is good for, 1 minute to 10 years.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_lifetime: Option<GatewayDuration>,
    /// A CA of the user's; the built-in one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<SuppliedCa>,
}

/// A CA that the user supplies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SuppliedCa {
    /// Secret of type `kubernetes.io/tls` with its certificate and key.
    pub secret_ref: SecretRef,
}

/// A Secret in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretRef {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

/// How long a member's certificate is good for when the Mesh does not say.
pub const LIFETIME_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a root is good for when the Mesh does not say: a year.
pub const ROOT_LIFETIME_DEFAULT: Duration = Duration::from_secs(8_760 * 60 * 60);

impl Mesh {
    /// The trust domain; `<name>.mesh.local` when nothing is written.
    #[must_use]
    pub fn trust_domain(&self, name: &str) -> Arc<str> {
        self.spec.trust_domain.clone().unwrap_or_else(|| format!("{name}.mesh.local").into())
    }
}

impl Certificates {
    /// How long a member's certificate is good for.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime.map_or(LIFETIME_DEFAULT, GatewayDuration::get)
    }

    /// How long a root is good for.
    #[must_use]
    pub fn root_lifetime(&self) -> Duration {
        self.root_lifetime.map_or(ROOT_LIFETIME_DEFAULT, GatewayDuration::get)
    }
}
