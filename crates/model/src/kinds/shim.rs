//! A shim: what an old version of an API needs to live on the upstream of a newer one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::transform::{BodyRules, Transform};

/// What stands between clients of one version and an upstream of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shim {
    /// Name of the APIVersion that the upstreams speak.
    pub version: Arc<str>,
    /// What is different, operation by operation; the first that names one holds. Others are the same in both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<OperationShim>,
    /// Bounds of bodies that are changed.
    #[serde(flatten)]
    pub bodies: BodyRules,
}

impl Shim {
    /// What is different about an operation.
    #[must_use]
    pub fn operation(&self, key: &str) -> Option<&OperationShim> {
        self.operations
            .iter()
            .find(|one| one.operations.iter().any(|named| **named == *key || **named == *"*"))
    }
}

/// What is different about some operations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationShim {
    /// Which, each as `GET /pets/{}`; `*` for all.
    pub operations: Vec<Arc<str>>,
    /// The operation of the other version, with names in its path: `GET /animals/{id}`; the same when absent. A name
    /// is that of a parameter of the old path, or one that a move has filled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Arc<str>>,
    /// What else is changed.
    #[serde(flatten)]
    pub transform: Transform,
}
