//! References from one object to another, as the Gateway API writes them.
//!
//! The names in them are plain text: the schema admits names that no object can have, and such a reference is
//! stored and reported as unresolved rather than refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a route or mirror sends to (`BackendObjectReference`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BackendObjectRef {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Kind, in most cases `Service`.
    pub kind: Arc<str>,
    /// Name of the object.
    pub name: Arc<str>,
    /// Namespace; that of the referrer when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// Port; a must for a Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// An object with group, kind and name that may live in another namespace (`SecretObjectReference`,
/// `ObjectReference`, `ParametersReference`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
    /// Name of the object.
    pub name: Arc<str>,
    /// Namespace; that of the referrer when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
}

/// An object in the namespace of the referrer (`LocalObjectReference`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LocalObjectRef {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
    /// Name of the object.
    pub name: Arc<str>,
}

/// What a route attaches to (`ParentReference`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// API group, by default `gateway.networking.k8s.io`.
    pub group: Arc<str>,
    /// Kind, by default `Gateway`.
    pub kind: Arc<str>,
    /// Namespace; that of the route when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// Name of the parent.
    pub name: Arc<str>,
    /// One listener (or Service port) of the parent by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<Arc<str>>,
    /// The listeners (or Service port) of the parent with this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}
