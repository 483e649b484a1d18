//! `APIBinding`: what answers the operations of a version.
//!
//! It stands apart from the version so that the truth behind a URL can be swapped, whole or operation by operation,
//! without touching what clients were promised.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::shim::Shim;
use super::tcp_route::TcpBackendRef;

/// An APIBinding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiBinding {
    /// What is wanted.
    pub spec: ApiBindingSpec,
}

/// `APIBinding.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiBindingSpec {
    /// Name of the APIVersion.
    pub version: Arc<str>,
    /// What answers where nothing else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<BindingTarget>,
    /// What answers some operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<OperationBinding>,
}

impl ApiBindingSpec {
    /// Everything that may answer, the default first.
    pub fn targets(&self) -> impl Iterator<Item = &BindingTarget> {
        self.default.iter().chain(self.operations.iter().map(|one| &one.target))
    }

    /// What answers an operation.
    #[must_use]
    pub fn target(&self, operation: &str) -> Option<&BindingTarget> {
        let own = self.operations.iter().find(|one| one.operations.iter().any(|named| **named == *operation));
        own.map(|one| &one.target).or(self.default.as_ref())
    }
}

/// What answers some operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationBinding {
    /// Which, each as a method and a path with the names of its parameters left out: `GET /pets/{}`.
    pub operations: Vec<Arc<str>>,
    /// What answers them.
    #[serde(flatten)]
    pub target: BindingTarget,
}

/// What answers. The schema asks for exactly one of `mock` and `backendRefs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingTarget {
    /// We do, out of the description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mock: Option<Mock>,
    /// These do, by weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backend_refs: Vec<TcpBackendRef>,
    /// What the path of an operation stands behind where it is asked; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Arc<str>>,
    /// What clients of this version need where the upstreams speak another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shim: Option<Shim>,
}

/// How answers are made up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mock {
    /// Whether values are made up where the description has examples.
    pub dynamic: bool,
}
