//! Watching live from afar: what a proxy is asked to show to somebody at its control plane, and what it shows.
//!
//! Nothing is open while nobody watches: the wish travels where reports are answered, and the proxy opens a call for
//! this one watcher. It ends when either side has had enough.

/// Path of the call that shows.
pub const TAPS_PATH: &str = "/selvedge.discovery.v1.Taps/Show";

/// To a proxy: somebody wants to watch.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Tap {
    /// What the call is to name; nobody can guess it.
    #[prost(string, tag = "1")]
    pub id: String,
    /// What is wanted, as the proxy's socket takes it: a JSON object.
    #[prost(string, tag = "2")]
    pub filter: String,
}

/// From a proxy, in a call for one watcher.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Shown {
    /// Whom it is for; in the first message.
    #[prost(string, tag = "1")]
    pub id: String,
    /// What has passed, an object of JSON each.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub lines: Vec<bytes::Bytes>,
    /// How many were not shown so far.
    #[prost(uint64, tag = "3")]
    pub missed: u64,
    /// Why nothing is shown; empty where something is.
    #[prost(string, tag = "4")]
    pub refused: String,
}

/// To a proxy: nobody watches any more.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Seen {}
