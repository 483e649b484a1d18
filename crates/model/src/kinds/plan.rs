//! `Plan`: how much of a product one subscription is given, and how it proves whose it is.
//!
//! What was published never changes, since people have agreed to it: other terms are another version of the plan.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::units::GatewayDuration;

/// A Plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What is wanted.
    pub spec: PlanSpec,
}

/// `Plan.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSpec {
    /// Name of the APIProduct.
    pub product: Arc<str>,
    /// Which version of these terms it is.
    pub version: u32,
    /// How far along its life it is.
    pub state: PlanState,
    /// What people call it; its name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Arc<str>>,
    /// How subscribers prove who they are. Empty: nobody has to, and there are no subscribers.
    #[serde(default)]
    pub credentials: Vec<CredentialKind>,
    /// Who lets subscribers in.
    pub approval: Approval,
    /// How fast a subscription may ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<PlanRate>,
    /// How often a subscription may ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<PlanQuota>,
}

impl PlanSpec {
    /// Whether it is had without a credential.
    #[must_use]
    pub fn is_keyless(&self) -> bool {
        self.credentials.is_empty()
    }
}

/// How far along its life a plan is; the steps stand in [`crate::life`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PlanState {
    /// Its terms may still change.
    Draft,
    /// It can be subscribed to, and its terms are for good.
    Published,
    /// Those who have it keep it; nobody else gets it.
    Deprecated,
    /// It has ended.
    Closed,
}

/// How a subscriber proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CredentialKind {
    /// By a key that we made.
    #[serde(rename = "APIKey")]
    ApiKey,
    /// By its identity in the mesh.
    #[serde(rename = "SPIFFE")]
    Spiffe,
    /// By a client certificate.
    ClientCertificate,
    /// By a token that somebody else signed.
    #[serde(rename = "JWT")]
    Jwt,
}

/// Who lets subscribers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Approval {
    /// Nobody has to.
    Automatic,
    /// Whoever answers for the product.
    Manual,
}

/// How fast a subscription may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRate {
    /// So many requests
    pub requests: u64,
    /// in this time, spread over it.
    pub per: GatewayDuration,
    /// How many may come at once; `requests` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
}

/// How often a subscription may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanQuota {
    /// So many requests
    pub requests: u64,
    /// in each of these.
    pub per: QuotaPeriod,
    /// Where midnight is, as a name of the IANA database; UTC when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Arc<str>>,
    /// What becomes of requests past it.
    pub limit: QuotaLimit,
    /// What becomes of requests while nobody can tell how many there were.
    pub when_unknown: WhenUnknown,
}

/// Part of the calendar after which a quota begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is what it says")]
pub enum QuotaPeriod {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// What becomes of requests past a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum QuotaLimit {
    /// They are refused.
    Hard,
    /// They are carried and counted.
    Soft,
}

/// What becomes of requests while nobody can tell how many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WhenUnknown {
    /// They are refused.
    Closed,
    /// A tenth of the quota is carried.
    OpenCapped,
    /// They are carried.
    Open,
}
