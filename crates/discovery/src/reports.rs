//! What a proxy tells its control plane: that it is alive, what it runs on, and how its routes do.
//!
//! A service of its own beside the stream of objects, so that neither waits for the other. Counters are deltas since
//! the last report that was sent; one that is lost makes rates too small and nothing wrong.

/// Path of the stream of reports.
pub const REPORTS_PATH: &str = "/selvedge.discovery.v1.Reports/Stream";
/// Name of the service it belongs to.
pub const REPORTS_SERVICE: &str = "selvedge.discovery.v1.Reports";

/// Upper bounds of the duration buckets are 2^6 µs … 2^26 µs (64 µs … 67 s), then infinity.
pub const DURATION_BUCKETS: usize = 22;
/// Exponent of the first bucket's upper bound in microseconds.
pub const DURATION_FIRST_EXPONENT: u32 = 6;

/// From a proxy, every [`crate::limits::REPORT_EVERY`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Report {
    /// The proxy's name.
    #[prost(string, tag = "1")]
    pub proxy: String,
    /// Its version.
    #[prost(string, tag = "2")]
    pub version: String,
    /// The epoch in use; 0 for none.
    #[prost(uint64, tag = "3")]
    pub epoch: u64,
    /// Milliseconds since it was put into use.
    #[prost(uint64, tag = "4")]
    pub epoch_age_ms: u64,
    /// Whether what is in use came from the disk and was not confirmed since.
    #[prost(bool, tag = "5")]
    pub from_cache: bool,
    /// What became of each address.
    #[prost(message, repeated, tag = "6")]
    pub bound: Vec<Bound>,
    /// What could not be taken.
    #[prost(message, repeated, tag = "7")]
    pub rejected: Vec<crate::messages::Rejected>,
    /// How routes do. Routes without a request since the last report are left out.
    #[prost(message, repeated, tag = "8")]
    pub routes: Vec<Route>,
    /// Milliseconds since the last report, for rates.
    #[prost(uint64, tag = "9")]
    pub interval_ms: u64,
    /// What it serves, as in the subscription.
    #[prost(string, repeated, tag = "10")]
    pub serves: Vec<String>,
    /// Milliseconds since the process began.
    #[prost(uint64, tag = "11")]
    pub uptime_ms: u64,
    /// Connections of clients that are open.
    #[prost(uint64, tag = "12")]
    pub connections: u64,
    /// Certificates that are in use although they are expired or not yet valid, one sentence each.
    #[prost(string, repeated, tag = "13")]
    pub warnings: Vec<String>,
    /// The certificate by which it is known in the mesh, if it is a member.
    #[prost(message, optional, tag = "14")]
    pub certificate: Option<Certificate>,
    /// Whether the application beside the proxy can serve; absent where there is none, or none is asked.
    #[prost(bool, optional, tag = "15")]
    pub application_ready: Option<bool>,
    /// How far it is with its customers; absent before anybody told of any.
    #[prost(message, optional, tag = "16")]
    pub customers: Option<Customers>,
    /// Members of the mesh that called since the last report, or are connected now.
    #[prost(message, repeated, tag = "20")]
    pub callers: Vec<Caller>,
}

/// Upper bounds of the buckets of revocations, in milliseconds; one more bucket has none.
pub const REVOCATION_BOUNDS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];
/// Buckets of revocations.
pub const REVOCATION_BUCKETS: usize = REVOCATION_BOUNDS_MS.len() + 1;

/// How far a proxy is with its customers.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Customers {
    /// The last change in force.
    #[prost(uint64, tag = "1")]
    pub epoch: u64,
    /// What took a right away since the process began, by how long it took from the command to all workers, in the
    /// buckets of [`REVOCATION_BOUNDS_MS`].
    #[prost(uint64, repeated, tag = "2")]
    pub revocations: Vec<u64>,
}

/// What a member of the mesh did at a proxy since the last report. Those that did nothing and are gone are left out.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Caller {
    /// Its SPIFFE ID, as its certificate proved it.
    #[prost(string, tag = "1")]
    pub identity: String,
    /// Requests that ended.
    #[prost(uint64, tag = "2")]
    pub requests: u64,
    /// Those of them that were answered with 5xx.
    #[prost(uint64, tag = "3")]
    pub errors: u64,
    /// Whether a connection of it is open.
    #[prost(bool, tag = "4")]
    pub is_connected: bool,
}

/// The certificate that a member shows.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Certificate {
    /// Who it says the proxy is: a SPIFFE ID.
    #[prost(string, tag = "1")]
    pub identity: String,
    /// Key identifier of its issuer, in hexadecimal.
    #[prost(string, tag = "2")]
    pub issuer: String,
    /// Its last moment, in seconds since 1970.
    #[prost(uint64, tag = "3")]
    pub not_after: u64,
    /// Why the last attempt to renew it failed; empty when it did not.
    #[prost(string, tag = "4")]
    pub problem: String,
}

/// What became of one address.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Bound {
    /// The address.
    #[prost(string, tag = "1")]
    pub ip: String,
    /// The port.
    #[prost(uint32, tag = "2")]
    pub port: u32,
    /// Why nothing listens there; empty when something does.
    #[prost(string, tag = "3")]
    pub error: String,
}

/// How one route did since the last report.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Route {
    /// `namespace/name`; empty for requests that no route matched.
    #[prost(string, tag = "1")]
    pub route: String,
    /// Requests that ended.
    #[prost(uint64, tag = "2")]
    pub requests: u64,
    /// Those of them that were answered with 5xx.
    #[prost(uint64, tag = "3")]
    pub errors: u64,
    /// Requests by duration: at most [`DURATION_BUCKETS`].
    #[prost(uint64, repeated, tag = "4")]
    pub durations: Vec<u64>,
}

/// To a proxy, once at the beginning and whenever somebody wants to watch it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Lease {
    /// Milliseconds for which a report counts.
    #[prost(uint64, tag = "1")]
    pub lease_ms: u64,
    /// Somebody who wants to watch.
    #[prost(message, optional, tag = "2")]
    pub tap: Option<crate::taps::Tap>,
}
