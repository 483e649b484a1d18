//! How proxies divide rates among themselves: single calls beside the streams, through the same door.
//!
//! A proxy tells how often it was asked lately, and is told which share of each rate it may give. A call that is lost
//! costs a second: the next one tells all of it again.

use bytes::Bytes;

/// Path of the call.
pub const SHARES_PATH: &str = "/selvedge.discovery.v1.SharesService/Tell";

/// From the proxy: how often it was asked, of as many rates as it likes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SharesRequest {
    /// The name of the proxy.
    #[prost(string, tag = "1")]
    pub node: String,
    /// The number of its start, 16 bytes. What an earlier start held is not its own.
    #[prost(bytes = "bytes", tag = "2")]
    pub boot: Bytes,
    /// What it serves, as in the subscription to objects.
    #[prost(string, repeated, tag = "3")]
    pub serves: Vec<String>,
    /// What it says of each rate; at most [`crate::limits::RATES_TOLD_MAX`].
    #[prost(message, repeated, tag = "4")]
    pub demands: Vec<Demand>,
}

/// What a proxy says of one rate for one caller.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Demand {
    /// What stands for the rate and the caller, the same on every proxy.
    #[prost(fixed64, tag = "1")]
    pub rate: u64,
    /// How often it was asked lately, in sixteenths; 0 when it gives its share back.
    #[prost(uint64, tag = "2")]
    pub asked: u64,
}

/// To the proxy.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SharesResponse {
    /// A share for each demand, in their order, in millionths; 0 when it is to give what it gives by itself.
    #[prost(uint32, repeated, tag = "1")]
    pub shares: Vec<u32>,
    /// How many proxies that serve the same are alive, as far as is known; at least one.
    #[prost(uint32, tag = "2")]
    pub proxies: u32,
}
