//! `AuthenticationPolicy`: how callers of a place prove who they are.
//!
//! It says who somebody is and nothing of what they may do: that is for AuthorizationPolicies, which are asked after
//! it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;
use crate::ip_block::IpBlock;
use crate::units::GatewayDuration;

/// An AuthenticationPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationPolicy {
    /// What is wanted.
    pub spec: AuthenticationPolicySpec,
}

/// `AuthenticationPolicy.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationPolicySpec {
    /// What it applies to, in its own namespace; all of the namespace when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_refs: Vec<PolicyTargetRef>,
    /// Whether a policy for a part of what this one is for may say something else.
    pub precedence: Precedence,
    /// Ways to prove it, in the order in which they are looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Method>,
    /// What becomes of those who show no credential.
    pub anonymous: Anonymous,
}

/// Whether a policy for a part may say something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precedence {
    /// It may.
    #[default]
    Default,
    /// It may not.
    Override,
}

/// What becomes of those who show no credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Anonymous {
    /// They go on, as nobody.
    Allow,
    /// They are refused.
    #[default]
    Deny,
}

/// One way to prove who one is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Method {
    /// A key.
    ApiKey(ApiKey),
    /// Name and password (RFC 7617).
    Basic(Basic),
    /// A signed token (RFC 7519).
    Jwt(Jwt),
    /// A token whose issuer says what it is (RFC 7662).
    Introspection(Introspection),
    /// The certificate of a TLS client, as the listener has verified it.
    ClientCertificate(Nothing),
    /// The identity of a member of the mesh, or of a TLS client.
    Spiffe(Nothing),
}

/// A method that needs no settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// A Secret of the policy's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretRef {
    /// Its name.
    pub name: Arc<str>,
}

/// Where a credential stands in a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CredentialPlace {
    /// A header field by this name.
    Header(Arc<str>),
    /// A query parameter by this name.
    Query(Arc<str>),
    /// A cookie by this name.
    Cookie(Arc<str>),
}

/// Keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Where a key may stand.
    pub r#in: Vec<CredentialPlace>,
    /// Whether the backend sees it.
    pub keep: bool,
    /// Keys by name; the keys of applications when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
}

/// Names and passwords.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Basic {
    /// Password hashes by name.
    pub secret_ref: SecretRef,
    /// What people are told that they are asked for.
    pub realm: Arc<str>,
    /// Whether the backend sees name and password.
    pub keep: bool,
}

/// Signed tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Jwt {
    /// Who must have issued a token: its `iss`, letter by letter.
    pub issuer: Arc<str>,
    /// For whom it must be: one of these must stand in its `aud`. Not asked when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<Arc<str>>,
    /// The keys that may have signed it.
    pub jwks: Jwks,
    /// Where it may stand beside `Authorization: Bearer`; instead of there when written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub r#in: Vec<CredentialPlace>,
    /// Whether the backend sees it.
    pub keep: bool,
    /// How far clocks may differ.
    pub clock_skew: GatewayDuration,
    /// Claims that the backend is told in header fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim_to_headers: Vec<ClaimToHeader>,
}

/// Tokens that only their issuer understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Introspection {
    /// A URL that is asked about a token.
    pub uri: Arc<str>,
    /// Addresses beside the public ones at which that URL may lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_addresses: Vec<IpBlock>,
    /// By which credential the question is asked: a Secret of type
    /// [`crate::kinds::secret::TYPE_UPSTREAM_CREDENTIAL`].
    pub secret_ref: SecretRef,
    /// Who must have issued a token: the `iss` of the answer, letter by letter. Not asked when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Arc<str>>,
    /// For whom it must be: one of these must stand in the answer's `aud`. Not asked when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<Arc<str>>,
    /// Where it may stand beside `Authorization: Bearer`; instead of there when written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub r#in: Vec<CredentialPlace>,
    /// Whether the backend sees it.
    pub keep: bool,
    /// For how long an answer counts at most: a token that is revoked may be used for as long.
    pub cache_for: GatewayDuration,
    /// How far clocks may differ.
    pub clock_skew: GatewayDuration,
    /// What the answer says that the backend is told in header fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim_to_headers: Vec<ClaimToHeader>,
}

/// Where keys come from: one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Jwks {
    /// A URL that is asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<Arc<str>>,
    /// Addresses beside the public ones at which that URL may lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_addresses: Vec<IpBlock>,
    /// The document itself (RFC 7517).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<Arc<str>>,
    /// A Secret whose `jwks.json` is the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
}

/// A claim that the backend is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimToHeader {
    /// Name of the claim.
    pub claim: Arc<str>,
    /// Name of the field. What clients send by this name is taken out.
    pub header: Arc<str>,
}

impl AuthenticationPolicySpec {
    /// The Secrets that it needs, in its own namespace.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.methods.iter().filter_map(|method| match method {
            Method::ApiKey(keys) => keys.secret_ref.as_ref(),
            Method::Basic(basic) => Some(&basic.secret_ref),
            Method::Jwt(jwt) => jwt.jwks.secret_ref.as_ref(),
            Method::Introspection(introspection) => Some(&introspection.secret_ref),
            Method::ClientCertificate(Nothing {}) | Method::Spiffe(Nothing {}) => None,
        })
    }
}
