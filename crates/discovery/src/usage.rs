//! What was used, from a gateway to the ledger: single calls, so that any of them may be lost, repeated or late.
//!
//! A gateway says who it is (`Register`), then tells absolute values (`Ship`) and frees their places when they were
//! acknowledged. What earlier starts have left behind is told together (`ShipEnded`), so that a gateway that was killed
//! a hundred times is not a hundred calls and transactions behind. What a value is about stands beside it as text:
//! the ledger needs to know nothing of the gateway's numbers.

use bytes::Bytes;

use crate::object::checksum;

/// Path of the call with which a gateway makes itself known.
pub const REGISTER_PATH: &str = "/selvedge.discovery.v1.UsageService/Register";
/// Path of the call with which it tells what was used.
pub const SHIP_PATH: &str = "/selvedge.discovery.v1.UsageService/Ship";
/// Path of the call with which it takes over several starts that have ended, and tells what they have left behind.
pub const SHIP_ENDED_PATH: &str = "/selvedge.discovery.v1.UsageService/ShipEnded";

/// Most starts in one [`EndedRequest`]. Past it: 400.
pub const ENDED_MAX: usize = 64;
/// Most records in one shipment, and in all shipments of one [`EndedRequest`]. Past it: 400.
pub const RECORDS_MAX: usize = 1_000;
/// Longest text in a series, in bytes. Past it gateways cut it; a ledger refuses it.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// From a gateway: it has started, or has found what an earlier start has left behind.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RegisterRequest {
    /// The name of the gateway.
    #[prost(string, tag = "1")]
    pub node: String,
    /// The number of the start, 16 random bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub boot: Bytes,
    /// 16 random bytes that are in the memory of this process only: a copy of its disk does not have them.
    #[prost(bytes = "bytes", tag = "3")]
    pub session: Bytes,
    /// Whether whoever counted in it is gone and nothing will be added.
    #[prost(bool, tag = "4")]
    pub is_ended: bool,
}

/// From the ledger: known.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct RegisterResponse {}

/// From a gateway: how much was used.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Shipment {
    /// The number of the start.
    #[prost(bytes = "bytes", tag = "1")]
    pub boot: Bytes,
    /// As it was registered.
    #[prost(bytes = "bytes", tag = "2")]
    pub session: Bytes,
    /// What the records are about.
    #[prost(message, repeated, tag = "3")]
    pub series: Vec<Series>,
    /// The numbers.
    #[prost(message, repeated, tag = "4")]
    pub records: Vec<Record>,
    /// Minutes since 1970: everything before was acknowledged before and will not change.
    #[prost(uint32, tag = "5")]
    pub watermark: u32,
    /// Whether nothing comes after this shipment.
    #[prost(bool, tag = "6")]
    pub is_complete: bool,
}

/// From the ledger: all of the shipment is kept.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Receipt {}

/// From a gateway: what starts that have ended have left behind. Each of them is taken over and kept, or not, for
/// itself.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EndedRequest {
    /// The name of the gateway.
    #[prost(string, tag = "1")]
    pub node: String,
    /// Who takes them over, as in [`RegisterRequest::session`].
    #[prost(bytes = "bytes", tag = "2")]
    pub session: Bytes,
    /// Of each start one; their own sessions are not read.
    #[prost(message, repeated, tag = "3")]
    pub starts: Vec<Shipment>,
}

/// From the ledger: what became of each.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EndedResponse {
    /// In the order of [`EndedRequest::starts`]: whether all of the shipment is kept. What is not is to be told again,
    /// later: whoever counted in it was heard of a moment ago, or it cannot be understood.
    #[prost(bool, repeated, tag = "1")]
    pub kept: Vec<bool>,
}

/// What is counted: calls of an operation by a subscription or by nobody, or everything of a listener.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Series {
    /// Who called: a subscription, 16 bytes. Empty without one.
    #[prost(bytes = "bytes", tag = "1")]
    pub subscription: Bytes,
    /// `namespace/name` of the application; empty when none is known.
    #[prost(string, tag = "2")]
    pub application: String,
    /// `namespace/name` of the APIProduct; empty without one.
    #[prost(string, tag = "3")]
    pub product: String,
    /// `namespace/name` of the Plan; empty without one.
    #[prost(string, tag = "4")]
    pub plan: String,
    /// `namespace/name` of the APIVersion.
    #[prost(string, tag = "5")]
    pub version: String,
    /// The operation: `GET /pets/{}`; `*` for several that were counted together.
    #[prost(string, tag = "6")]
    pub operation: String,
    /// The listener (`address:port`), when everything that came by it is counted; empty otherwise.
    #[prost(string, tag = "7")]
    pub listener: String,
}

/// A number for each meter, in one window.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Record {
    /// The place of what it is about in [`Shipment::series`].
    #[prost(uint32, tag = "1")]
    pub series: u32,
    /// The worker that counted.
    #[prost(uint32, tag = "2")]
    pub shard: u32,
    /// Minutes since 1970.
    #[prost(uint32, tag = "3")]
    pub window: u32,
    /// The absolute values, in the order of the meters.
    #[prost(uint64, repeated, tag = "4")]
    pub counts: Vec<u64>,
}

impl Series {
    /// What stands for it wherever it is kept: the same in every gateway and after every start.
    #[must_use]
    pub fn digest(&self) -> [u8; 16] {
        checksum(&prost::Message::encode_to_vec(self))
    }

    /// The longest of its texts, in bytes.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let Series { subscription, application, product, plan, version, operation, listener } = self;
        let texts = [application, product, plan, version, operation, listener];
        texts.iter().map(|text| text.len()).max().unwrap_or_default().max(subscription.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_one_digest_everywhere() {
        let series = Series {
            subscription: Bytes::from_static(&[7; 16]),
            plan: "weather/free".to_owned(),
            operation: "GET /pets/{}".to_owned(),
            ..Series::default()
        };
        let other = Series { operation: "GET /pets".to_owned(), ..series.clone() };

        assert_ne!(series.digest(), other.digest());
        assert_eq!(series.digest()[..4], [33, 103, 1, 76], "it is kept in ledgers: it must not change");
    }
}
