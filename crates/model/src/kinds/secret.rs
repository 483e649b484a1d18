//! `Secret`: certificates and keys.
//!
//! Its values are never shown: `Debug` counts bytes, and there is no `Serialize`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, de};

/// The type of Secrets that hold a certificate and its key.
pub const TYPE_TLS: &str = "kubernetes.io/tls";
/// The type of Secrets in which a control plane keeps the authorities of a mesh; nobody else writes them.
pub const TYPE_AUTHORITY: &str = "mesh.selvedge.dev/authority";
/// The type of Secrets whose values are API keys, each under the name of who has it.
pub const TYPE_API_KEYS: &str = "policy.selvedge.dev/api-keys";
/// The type of Secrets whose values are hashes of passwords, each under the name of who has it.
pub const TYPE_PASSWORDS: &str = "policy.selvedge.dev/passwords";
/// The type of Secrets that hold what is shown to Backends. Whoever makes one says that it may leave.
pub const TYPE_UPSTREAM_CREDENTIAL: &str = "policy.selvedge.dev/upstream-credential";
/// Key of a set of public keys (RFC 7517).
pub const JWKS_JSON: &str = "jwks.json";
/// Key of the certificate chain, PEM.
pub const TLS_CRT: &str = "tls.crt";
/// Key of the private key, PEM.
pub const TLS_KEY: &str = "tls.key";
/// Key of trust anchors, PEM, in Secrets and ConfigMaps alike.
pub const CA_CRT: &str = "ca.crt";

/// A Secret; `data` and `stringData` are already one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// What the Secret is for.
    pub secret_type: Arc<str>,
    /// Values by key, decoded.
    pub data: BTreeMap<Arc<str>, Arc<[u8]>>,
}

impl Secret {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.data.get(key).map(AsRef::as_ref)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: BTreeMap<_, _> =
            self.data.iter().map(|(key, value)| (key, format!("{} bytes", value.len()))).collect();
        f.debug_struct("Secret").field("type", &self.secret_type).field("data", &sizes).finish()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(rename = "type")]
    secret_type: Arc<str>,
    #[serde(default)]
    data: BTreeMap<Arc<str>, Arc<str>>,
    #[serde(default)]
    string_data: BTreeMap<Arc<str>, Arc<str>>,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let mut data = BTreeMap::new();
        for (key, text) in written.data {
            // The text itself stays out of the message: it may be a key that lacks only its encoding.
            let bytes = decode(&text)
                .ok_or_else(|| de::Error::custom(format!("the value of `{key}` is not base64")))?;
            data.insert(key, bytes.into());
        }
        data.extend(written.string_data.into_iter().map(|(key, text)| (key, text.as_bytes().into())));
        Ok(Secret { secret_type: written.secret_type, data })
    }
}

/// Standard base64; line breaks are allowed, as they are in Kubernetes.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    if text.contains(['\n', '\r']) {
        return STANDARD.decode(text.replace(['\n', '\r'], "")).ok();
    }
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_data_wins_over_data_and_both_are_bytes() {
        let secret: Secret = serde_json::from_str(
            r#"{"type":"Opaque","data":{"a":"aGk=","b":"aGk="},"stringData":{"b":"plain"}}"#,
        )
        .expect("a secret");

        assert_eq!(secret.get("a"), Some(b"hi".as_slice()));
        assert_eq!(secret.get("b"), Some(b"plain".as_slice()));
        assert_eq!(secret.get("c"), None);
    }

    #[test]
    fn a_value_is_never_shown() {
        let secret: Secret =
            serde_json::from_str(r#"{"type":"Opaque","stringData":{"k":"hunter2"}}"#).expect("a secret");
        let wrong = serde_json::from_str::<Secret>(r#"{"type":"Opaque","data":{"k":"hunter2!"}}"#);

        assert!(!format!("{secret:?}").contains("hunter2"));
        assert!(!wrong.expect_err("not base64").to_string().contains("hunter2"));
    }
}
