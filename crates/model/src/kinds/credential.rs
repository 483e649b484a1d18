//! `Credential`: by what an application is recognised. The text of a key is kept nowhere, only its fingerprint is.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, de};

use crate::customers::lives::CredentialState;
use crate::spiffe::SpiffeId;
use crate::units::Moment;

/// A Credential. It is kept among the customers, not in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Credential {
    /// Whose it is, and what it is.
    pub spec: CredentialSpec,
    /// Where it is in its life.
    #[serde(default)]
    pub status: CredentialStatus,
}

/// `Credential.spec`. Only its end can be changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialSpec {
    /// Name of the Application, in the same namespace.
    pub application: Arc<str>,
    /// What is shown.
    #[serde(rename = "type", default)]
    pub of: CredentialType,
    /// The mesh identity that is shown, for [`CredentialType::Spiffe`].
    #[serde(default)]
    pub identity: Option<SpiffeId>,
    /// SHA-256 of the certificate (DER) that is shown, in hexadecimal, for [`CredentialType::ClientCertificate`].
    #[serde(default)]
    pub certificate: Option<Arc<str>>,
    /// From when on it is no longer good; never when absent.
    #[serde(default, deserialize_with = "moment")]
    pub expires_at: Option<Moment>,
}

/// What an application shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum CredentialType {
    /// A key that the control plane makes, and shows once.
    #[default]
    #[serde(rename = "APIKey")]
    ApiKey,
    /// An identity of the mesh.
    #[serde(rename = "SPIFFE")]
    Spiffe,
    /// A certificate of its own.
    ClientCertificate,
}

/// `Credential.status`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CredentialStatus {
    /// The state.
    #[serde(default = "active")]
    pub state: CredentialState,
    /// The beginning of a key, by which people tell it from others.
    #[serde(default)]
    pub shown: Option<Arc<str>>,
}

impl Default for CredentialStatus {
    fn default() -> Self {
        CredentialStatus { state: active(), shown: None }
    }
}

fn active() -> CredentialState {
    CredentialState::Active
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Moment>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(|_| de::Error::custom("`expiresAt` is not a moment"))).transpose()
}
