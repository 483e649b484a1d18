//! `JoinToken`: which workload may ask for its first certificate. The token itself is kept nowhere, only its digest is.
//!
//! A namespaced object, because what it gives away is an identity of its namespace.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, de};

use crate::labels::Labels;
use crate::units::Moment;

/// As the value of a label in [`JoinTokenSpec::labels`]: any value. No label can have it.
pub const ANY_VALUE: &str = "*";

/// A JoinToken. Deleting it ends the token; certificates that were given for it last until they end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct JoinToken {
    /// Whom it makes somebody.
    pub spec: JoinTokenSpec,
    /// What became of it.
    #[serde(default)]
    pub status: JoinTokenStatus,
}

/// `JoinToken.spec`. It is never changed: another token is another object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinTokenSpec {
    /// The service account, in the token's namespace, that its holder may run as.
    pub service_account: Arc<str>,
    /// The only workload that it is good for; any of the namespace when absent.
    #[serde(default)]
    pub workload: Option<Arc<str>>,
    /// Labels that Workloads of the service account may carry, `*` for any value of one.
    #[serde(default)]
    pub labels: Labels,
    /// From when on it is no longer good; never when absent.
    #[serde(default, deserialize_with = "moment")]
    pub expires_at: Option<Moment>,
    /// How often it is good.
    #[serde(default)]
    pub uses: Uses,
    /// SHA-256 of the token, in hexadecimal.
    pub digest: Arc<str>,
}

impl JoinTokenSpec {
    /// Whether it lets the Workload of this name, which runs as this service account, carry a label.
    #[must_use]
    pub fn grants(&self, account: &str, workload: &str, (name, value): (&str, &str)) -> bool {
        *self.service_account == *account
            && self.workload.as_deref().is_none_or(|only| only == workload)
            && self.labels.get(name).is_some_and(|granted| [ANY_VALUE, value].contains(&&**granted))
    }
}

/// How often a token is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Uses {
    /// For one key. Later certificates are asked for with the certificate before.
    Once,
    /// For as many as come before it ends.
    #[default]
    Renewable,
}

/// `JoinToken.status`, written by whoever takes the token in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct JoinTokenStatus {
    /// When and for what it was last taken.
    #[serde(default)]
    pub used: Option<JoinTokenUse>,
}

/// One use of a token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct JoinTokenUse {
    /// When.
    #[serde(deserialize_with = "some_moment")]
    pub at: Moment,
    /// By which workload.
    pub workload: Arc<str>,
    /// SHA-256 of the public key that was certified, in hexadecimal.
    pub key: Arc<str>,
}

impl fmt::Display for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Uses::Once => "Once",
            Uses::Renewable => "Renewable",
        })
    }
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Moment>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(|_| de::Error::custom("`expiresAt` is not a moment"))).transpose()
}

fn some_moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(|_| de::Error::custom("`at` is not a moment"))
}
