//! `GatewayParameters`: how a Gateway treats what is ambiguous, whom it trusts, and its bounds.
//!
//! Every field is optional: what is absent keeps the default of the engine's settings, so a default can be
//! changed in one place only.

use serde::{Deserialize, Serialize};

use crate::units::{ByteQuantity, GatewayDuration};

/// A GatewayParameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayParameters {
    /// What is wanted.
    pub spec: GatewayParametersSpec,
}

/// `GatewayParameters.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayParametersSpec {
    /// How many proxies in front may be believed about `X-Forwarded-*`, 0 to 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_hops: Option<u8>,
    /// What to do with paths that can be read in two ways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_policy: Option<PathPolicy>,
    /// What to do with header names that contain an underscore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub underscores: Option<UnderscorePolicy>,
    /// Whether one line per request is logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<bool>,
    /// Bounds.
    pub limits: GatewayLimits,
    /// Bounds of connections that carry bytes of which nothing is understood.
    pub tcp: TcpBounds,
}

/// What to do with paths that can be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathPolicy {
    /// Refuse them.
    Reject,
    /// Redirect to the canonical spelling where there is one.
    Redirect,
    /// Use the canonical spelling everywhere.
    Decode,
    /// Leave escaped and doubled slashes as they are.
    Keep,
}

/// What to do with header names that contain an underscore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnderscorePolicy {
    /// Refuse the request.
    Reject,
    /// Take the field out.
    Drop,
    /// Leave it.
    Keep,
}

/// `GatewayParameters.spec.limits`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayLimits {
    /// Largest request body; 0 means no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_body: Option<ByteQuantity>,
    /// Longest time between two requests on a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<GatewayDuration>,
    /// Longest time to receive a whole request head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_timeout: Option<GatewayDuration>,
    /// Longest time without a byte of a request's body; 0 means no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_idle_timeout: Option<GatewayDuration>,
    /// Longest time without a byte from an upstream that owes an answer; 0 means no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_idle_timeout: Option<GatewayDuration>,
    /// Longest time in which the other side takes nothing of what is sent to it; 0 means no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_stall_timeout: Option<GatewayDuration>,
    /// Most connections on one port, per worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
}

/// `GatewayParameters.spec.tcp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpBounds {
    /// Longest time without a byte either way; 0 means no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<GatewayDuration>,
    /// Longest time a connection may last; 0 means no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<GatewayDuration>,
    /// Longest time to reach a backend, all attempts together; 0 means no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<GatewayDuration>,
}
