//! `ConfigMap`: trust anchors and other text.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A ConfigMap. Trust anchors stand under `ca.crt` ([`super::secret::CA_CRT`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigMap {
    /// Text by key.
    pub data: BTreeMap<Arc<str>, Arc<str>>,
}
