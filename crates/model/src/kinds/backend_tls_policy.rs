//! `BackendTLSPolicy`: TLS towards a Service, and how its certificate is verified.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::references::LocalObjectRef;

/// A BackendTLSPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendTlsPolicy {
    /// What is wanted.
    pub spec: BackendTlsPolicySpec,
}

/// `BackendTLSPolicy.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTlsPolicySpec {
    /// What it applies to, in its own namespace.
    pub target_refs: Vec<PolicyTargetRef>,
    /// How certificates are verified.
    pub validation: BackendTlsValidation,
    /// Settings of controllers; none of ours exist.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<Arc<str>, Arc<str>>,
}

/// What a policy applies to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyTargetRef {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// One port of a Service by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<Arc<str>>,
}

/// How certificates of a backend are verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTlsValidation {
    /// Trust anchors, in the namespace of the policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<LocalObjectRef>,
    /// `System` for the system's roots.
    #[serde(rename = "wellKnownCACertificates", default, skip_serializing_if = "Option::is_none")]
    pub well_known_ca_certificates: Option<Arc<str>>,
    /// Sent as SNI, and verified unless `subjectAltNames` are given.
    pub hostname: Arc<str>,
    /// Names of which one must be in the certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<SubjectAltName>,
}

/// A name in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type")]
#[allow(missing_docs, reason = "each field is the name itself")]
pub enum SubjectAltName {
    /// A DNS name.
    Hostname { hostname: Arc<str> },
    /// A URI, such as a SPIFFE id.
    #[serde(rename = "URI")]
    Uri { uri: Arc<str> },
}
