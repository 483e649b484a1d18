//! `TCPRoute`: where the connections of a listener go.
//!
//! Nothing of a connection is looked at, so there are no matches: a route has one rule, and the listener is all that
//! tells its connections from others.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::references::{BackendObjectRef, ParentRef};

/// A TCPRoute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpRoute {
    /// What is wanted.
    pub spec: TcpRouteSpec,
}

/// `TCPRoute.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TcpRouteSpec {
    /// What the route attaches to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentRef>,
    /// Exactly one rule, as the schema has it.
    pub rules: Vec<TcpRouteRule>,
}

/// The rule of a TCPRoute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TcpRouteRule {
    /// Name within the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Where connections go.
    #[serde(default)]
    pub backend_refs: Vec<TcpBackendRef>,
}

/// One weighted backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpBackendRef {
    /// Where.
    #[serde(flatten)]
    pub target: BackendObjectRef,
    /// Share of the connections; 0 means none.
    pub weight: u32,
}
