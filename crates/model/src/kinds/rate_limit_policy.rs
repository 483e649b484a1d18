//! `RateLimitPolicy`: how often somebody may ask.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;
use super::fault_policy::FaultCondition;
use crate::units::GatewayDuration;

/// A RateLimitPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimitPolicy {
    /// What is wanted.
    pub spec: RateLimitPolicySpec,
}

/// `RateLimitPolicy.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RateLimitPolicySpec {
    /// What it is about, in its own namespace.
    pub target_refs: Vec<PolicyTargetRef>,
    /// All of them hold; a request passes when each of them lets it.
    pub limits: Vec<RateLimit>,
}

/// One limit of a RateLimitPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// What callers are told it is called.
    pub name: Arc<str>,
    /// Requests in the time.
    pub requests: u32,
    /// The time.
    pub per: GatewayDuration,
    /// Requests that may come at once; those of one time when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Which proxies give it together; see [`RateScope`] for when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<RateScope>,
    /// What tells one caller from another, all of it together; when empty, all callers share the limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<RateKey>,
    /// Requests it is about; all of them when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<FaultCondition>,
}

/// Which proxies give a rate. When absent: all of them together, but for a Service, where each replica's sidecar
/// gives the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateScope {
    /// All proxies that serve the target, together.
    AllProxies,
    /// Each of them.
    EachProxy,
}

/// What tells one caller from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateKey {
    /// What is looked at.
    #[serde(rename = "type")]
    pub kind: RateKeyType,
    /// Name of the header field, where that is what is looked at; knows no case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
}

/// What is looked at to tell callers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateKeyType {
    /// The client's address, as far as proxies in front are trusted; of IPv6 the first 64 bits, which one client has
    /// to itself.
    Address,
    /// The value of a header field; those without it share a limit.
    Header,
    /// Who the caller has proven to be; those who have not share a limit.
    Identity,
}
