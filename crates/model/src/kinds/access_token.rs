//! `AccessToken`: whom a bearer token stands for. The token itself is kept nowhere, only its digest is.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, de};

use crate::units::Moment;

/// An AccessToken. Deleting it ends the token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AccessToken {
    /// Whom it stands for.
    pub spec: AccessTokenSpec,
}

/// `AccessToken.spec`. It is never changed: another token is another object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessTokenSpec {
    /// Name of the user.
    pub user: Arc<str>,
    /// Groups of the user.
    #[serde(default)]
    pub groups: Vec<Arc<str>>,
    /// SHA-256 of the token, in hexadecimal.
    pub digest: Arc<str>,
    /// From when on it is no longer good.
    #[serde(default, deserialize_with = "moment")]
    pub expires_at: Option<Moment>,
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Moment>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(|_| de::Error::custom("`expiresAt` is not a moment"))).transpose()
}
