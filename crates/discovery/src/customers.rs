//! The stream of customers: who may call, beside the stream of configuration and through the same door.
//!
//! It is a stream of its own so that a revocation never waits for a push of routes. What travels are
//! buckets: all of one
//! place at once, in place of what the proxy had there, so that a message that comes twice does no harm. An epoch tells
//! how far the proxy is; with it, it resumes.

use bytes::Bytes;

/// Path of the stream.
pub const CUSTOMERS_PATH: &str = "/selvedge.discovery.v1.CustomersService/Follow";

/// From the proxy: what it has.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CustomersRequest {
    /// The name of the proxy.
    #[prost(string, tag = "1")]
    pub node: String,
    /// How far it is; 0 when it has nothing.
    #[prost(uint64, tag = "2")]
    pub epoch: u64,
    /// Of which store that was told; empty when it has nothing.
    #[prost(bytes = "bytes", tag = "3")]
    pub store: Bytes,
    /// What it serves, as in the subscription to objects.
    #[prost(string, repeated, tag = "4")]
    pub serves: Vec<String>,
}

/// From the control plane: some buckets as they are now.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct CustomersResponse {
    /// Everything that the proxy has is worth nothing from here on; what it needs begins with this message.
    #[prost(bool, tag = "1")]
    pub is_reset: bool,
    /// Which store this is about, in the first message of a stream.
    #[prost(bytes = "bytes", tag = "2")]
    pub store: Bytes,
    /// The pepper, in the first message of a stream.
    #[prost(bytes = "bytes", tag = "3")]
    pub pepper: Bytes,
    /// Buckets as they are now.
    #[prost(message, repeated, tag = "4")]
    pub buckets: Vec<Bucket>,
    /// Not 0 at the end of a push: the proxy has everything up to here.
    #[prost(uint64, tag = "5")]
    pub epoch: u64,
    /// When the oldest change in it was asked for, in milliseconds since 1970; 0 when nobody knows.
    #[prost(uint64, tag = "6")]
    pub changed_at: u64,
    /// Whether it takes a right away from somebody: how soon it is in force is counted.
    #[prost(bool, tag = "7")]
    pub takes_away: bool,
}

/// All of one place.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Bucket {
    /// Where: a number that `engine::customers::Place` knows.
    #[prost(uint32, tag = "1")]
    pub place: u32,
    /// Whether it is one of applications; of credentials otherwise.
    #[prost(bool, tag = "2")]
    pub is_of_applications: bool,
    /// Credentials.
    #[prost(message, repeated, tag = "3")]
    pub credentials: Vec<Credential>,
    /// Applications.
    #[prost(message, repeated, tag = "4")]
    pub applications: Vec<Application>,
}

/// A credential.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Credential {
    /// Its fingerprint, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub fingerprint: Bytes,
    /// Number of the application.
    #[prost(uint64, tag = "2")]
    pub application: u64,
    /// What it is: 1 a key, 2 an identity, 3 a certificate.
    #[prost(uint32, tag = "3")]
    pub kind: u32,
    /// Where it is in its life: 1 active, 2 rotating, 3 revoked, 4 compromised.
    #[prost(uint32, tag = "4")]
    pub state: u32,
    /// When it ends, in seconds since 1970; 0 for never.
    #[prost(uint64, tag = "5")]
    pub expires: u64,
}

/// An application.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Application {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// `namespace/name`.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Name of its team; empty without one.
    #[prost(string, tag = "3")]
    pub team: String,
    /// Whether it and its team are active.
    #[prost(bool, tag = "4")]
    pub is_live: bool,
    /// What it has subscribed to.
    #[prost(message, repeated, tag = "5")]
    pub subscriptions: Vec<Subscription>,
}

/// A subscription.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Subscription {
    /// Its number, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub id: Bytes,
    /// `namespace/name` of the APIProduct.
    #[prost(string, tag = "2")]
    pub product: String,
    /// `namespace/name` of the Plan.
    #[prost(string, tag = "3")]
    pub plan: String,
    /// Whether its state lets calls through.
    #[prost(bool, tag = "4")]
    pub is_granted: bool,
    /// What holds it, a bit each; 0 when nothing does.
    #[prost(uint32, tag = "5")]
    pub holds: u32,
    /// Where its calendar periods begin, in seconds since 1970.
    #[prost(uint64, tag = "6")]
    pub anchor: u64,
    /// From when on its state lets calls through although `is_granted` says that it does not, in seconds since 1970;
    /// 0 for never. Whoever does not know this field waits until the state is told.
    #[prost(uint64, tag = "7")]
    pub begins_at: u64,
    /// From when on it is over, in seconds since 1970; 0 for never.
    #[prost(uint64, tag = "8")]
    pub ends_at: u64,
}
