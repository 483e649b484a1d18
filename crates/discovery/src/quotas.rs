//! How a proxy borrows of quotas: single calls beside the streams, through the same door.
//!
//! What travels are totals that only grow, so that a call that is lost, repeated or late changes nothing: whoever did
//! not hear an answer asks again and is told the same.

use bytes::Bytes;

/// Path of the call.
pub const QUOTAS_PATH: &str = "/selvedge.discovery.v1.QuotasService/Ask";

/// From the proxy: what it holds and wants, of as many quotas as it likes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QuotasRequest {
    /// The name of the proxy.
    #[prost(string, tag = "1")]
    pub node: String,
    /// The number of its start, 16 bytes. No other start of any proxy has it.
    #[prost(bytes = "bytes", tag = "2")]
    pub boot: Bytes,
    /// What it serves, as in the subscription to objects.
    #[prost(string, repeated, tag = "3")]
    pub serves: Vec<String>,
    /// What it says of each quota; at most [`crate::limits::QUOTAS_ASKED_MAX`].
    #[prost(message, repeated, tag = "4")]
    pub asks: Vec<QuotaAsk>,
}

/// What a proxy says of one quota in one period.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QuotaAsk {
    /// Number of the subscription, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub subscription: Bytes,
    /// `namespace/name` of its Plan.
    #[prost(string, tag = "2")]
    pub plan: String,
    /// Name of the quota among those of the plan.
    #[prost(string, tag = "3")]
    pub quota: String,
    /// The first second of the period, since 1970.
    #[prost(int64, tag = "4")]
    pub start: i64,
    /// Lent so far, as far as the proxy knows.
    #[prost(uint64, tag = "5")]
    pub lent: u64,
    /// Spent so far.
    #[prost(uint64, tag = "6")]
    pub spent: u64,
    /// Given back so far.
    #[prost(uint64, tag = "7")]
    pub given_back: u64,
    /// How many requests it expects before it asks again; 0 when it wants nothing and only tells.
    #[prost(uint64, tag = "8")]
    pub wanted: u64,
    /// When not empty, these are the last totals of an earlier start of this proxy, which is no more: 16 bytes.
    #[prost(bytes = "bytes", tag = "9")]
    pub ended_boot: Bytes,
}

/// To the proxy: one answer for each ask, in their order.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QuotasResponse {
    /// The answers.
    #[prost(message, repeated, tag = "1")]
    pub answers: Vec<QuotaAnswer>,
}

/// What became of one ask.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QuotaAnswer {
    /// Whether the coordinator knows of such a quota. Nothing else counts when it does not.
    #[prost(bool, tag = "1")]
    pub is_known: bool,
    /// Everything that was ever lent to this start of the proxy.
    #[prost(uint64, tag = "2")]
    pub lent: u64,
    /// What may still be lent, to whomever.
    #[prost(uint64, tag = "3")]
    pub remaining: u64,
}
