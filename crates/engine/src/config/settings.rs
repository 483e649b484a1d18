//! What a Gateway may say about the process that serves it; everything else stands in the proxy's limit table.

use std::sync::Arc;
use std::time::Duration;

use super::{UpstreamCredential, UpstreamTls};

/// Process-wide behaviour of a Gateway, from `GatewayParameters` or its defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many proxies in front of us may be believed about `X-Forwarded-*`. 0: nobody is.
    pub trusted_hops: u8,
    /// What to do with paths that can be read in two ways.
    pub path_policy: PathPolicy,
    /// What to do with header names that contain an underscore.
    pub underscores: UnderscorePolicy,
    /// Whether one line per request, or per connection that carries bytes, is logged.
    pub access_log: bool,
    /// Whether the application is told, in `x-forwarded-client-cert`, which member of the mesh calls. Nobody else's
    /// field of that name ever reaches it from the mesh.
    pub caller_header: bool,
    /// Bounds that a Gateway may lower or raise; everything else stands in the proxy's limit table.
    pub limits: Limits,
    /// Bounds of connections that carry bytes.
    pub tcp: TcpLimits,
    /// Who is told of requests; `None`: nobody.
    pub tracing: Option<Arc<Tracing>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            trusted_hops: 0,
            path_policy: PathPolicy::Reject,
            underscores: UnderscorePolicy::Reject,
            access_log: true,
            caller_header: false,
            limits: Limits::default(),
            tcp: TcpLimits::default(),
            tracing: None,
        }
    }
}

/// Bounds a Gateway may set for its listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body in bytes; 0 means no bound. Past it: 413.
    pub request_body_bytes_max: u64,
    /// Longest time between two requests on a connection.
    pub idle_timeout: Duration,
    /// Longest time to receive a whole request head.
    pub head_timeout: Duration,
    /// Longest time without a byte of a request's body; 0 means no bound. Past it: 408.
    pub body_idle_timeout: Duration,
    /// Longest time without a byte from an upstream that owes an answer; 0 means no bound. Past it: 504.
    pub upstream_idle_timeout: Duration,
    /// Longest time in which the other side takes nothing of what is sent to it; 0 means no bound. Past it the
    /// connection or stream is closed.
    pub write_stall_timeout: Duration,
    /// Most connections on one port, per worker. Past it new ones are closed at once.
    pub connections_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_body_bytes_max: 0,
            idle_timeout: Duration::from_secs(75),
            head_timeout: Duration::from_secs(10),
            body_idle_timeout: Duration::from_secs(60),
            upstream_idle_timeout: Duration::from_secs(60),
            write_stall_timeout: Duration::from_secs(60),
            connections_max: 65_536,
        }
    }
}

/// Bounds of connections that carry bytes of which nothing is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpLimits {
    /// Longest time without a byte either way; 0 means no bound. Past it both sides are reset.
    pub idle_timeout: Duration,
    /// Longest time a connection may last; 0 means no bound. Past it both sides are reset.
    pub lifetime: Duration,
    /// Longest time to reach a backend, all attempts together; 0 means no bound. Past it the client is reset.
    pub connect_timeout: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        TcpLimits {
            idle_timeout: Duration::from_secs(3600),
            lifetime: Duration::ZERO,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

/// What to do with a path that different servers would read differently (`//`, `%2f`, `\`, `;` in a dot
/// segment, encoded dots).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathPolicy {
    /// Refuse with 400. The default.
    Reject,
    /// Answer 308 to the canonical spelling where there is one; refuse the rest.
    Redirect,
    /// Use the canonical spelling everywhere, upstream included; refuse what has none.
    Decode,
    /// Leave escapes of `/` and `\` and double slashes as they are; dot segments are still resolved.
    Keep,
}

/// What to do with header names that contain `_`, which some servers read as `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnderscorePolicy {
    /// Refuse the request with 400. The default.
    Reject,
    /// Take the field out.
    Drop,
    /// Leave it.
    Keep,
}

/// Where spans of requests go. Equal ones may travel in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracing {
    /// Who is told.
    pub collector: Arc<Collector>,
    /// Share of requests traced of those that nobody has decided about before, `numerator / denominator`.
    pub numerator: u32,
    /// See `numerator`; at least one.
    pub denominator: u32,
    /// Who tells, in the words of OpenTelemetry's conventions for resources: `service.name` and others.
    pub resource: Arc<[(&'static str, Arc<str>)]>,
}

/// A collector of spans (OTLP).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Its URL, `http` or `https`, with the path that spans are posted to.
    pub endpoint: Arc<str>,
    /// What is spoken to it.
    pub protocol: CollectorProtocol,
    /// Who must answer at an `https` URL.
    pub tls: Option<Arc<UpstreamTls>>,
    /// Fields that each message shows, names in lower case.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// What each message shows that is a secret.
    pub credential: Option<UpstreamCredential>,
    /// Whether it is told nothing, because what its policy names is not to be had.
    pub refuse: bool,
}

impl Collector {
    /// One at a cleartext URL with a path, that is shown nothing.
    #[must_use]
    pub fn plain(endpoint: &str) -> Collector {
        Collector {
            endpoint: endpoint.into(),
            protocol: CollectorProtocol::HttpProtobuf,
            tls: None,
            headers: Vec::new(),
            credential: None,
            refuse: false,
        }
    }
}

/// How spans travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectorProtocol {
    /// OTLP/HTTP with binary protobuf.
    HttpProtobuf,
    /// OTLP/gRPC.
    Grpc,
}
