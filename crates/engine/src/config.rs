//! The compiled form: everything a proxy needs to decide, immutable behind one pointer.
//!
//! Nothing in here changes while it serves. What must outlive a swap (counters, health, pools) lives beside
//! the config under the stable slots that are handed out here: a slot belongs to one key for the life of the
//! compiler, so a proxy may index plain vectors with it and never hashes a name on the path of a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

mod access;
mod addresses;
mod authorizer;
mod cors;
mod credential;
mod edits;
mod names;
mod operation;
mod quota;
mod rates;
mod resilience;
mod security;
mod settings;
mod slots;
mod sources;
mod transform;
mod validation;

pub use access::{Access, Front, Keyless, PlanTerms, PlansPage, ProductTerms};
pub use addresses::{AddressRule, keeps_out};
pub use authorizer::{Authorizer, AuthorizerQuestion, FieldNames, ShownBody};
pub use cors::Cors;
pub use credential::UpstreamCredential;
pub use edits::{FieldBytes, HeaderEdits};
pub use names::{ReachableName, ReachablePort};
pub use operation::{FixedAnswer, Mock, Operation, OperationSlot};
pub use quota::Quota;
pub use rates::{RateKey, RateLimit, SaidBy};
pub use resilience::{
    Abort, Backoff, Fault, FaultCondition, HealthCheck, HealthQuestion, Locality, Outlier, Resilience, Retry,
    RetryBudget, RetryMethods, RetryOn, Timeouts, UpstreamLimits,
};
pub use security::{
    ClientValidation, ClientValidationMode, InboundService, KeyPair, MeshPort, Security, TlsHost, TlsPort,
    specificity,
};
pub use settings::{
    Collector, CollectorProtocol, Limits, PathPolicy, Settings, TcpLimits, Tracing, UnderscorePolicy,
};
pub use slots::{ClusterSlot, RuleSlot};
pub(crate) use sources::RuleSource;
pub use sources::Sources;
pub use transform::Transform;
pub use validation::{AnswerValidation, BodyBounds, Described, Validation};

use model::spiffe::SpiffeId;

use crate::authentication::{Authentication, KeySource};
use crate::authorization::{Authorization, Policy};
use crate::matching::ListenerTable;

/// One compiled epoch.
#[derive(Debug)]
pub struct Config {
    /// Number of the change this config was compiled from; grows by at least one per compile.
    pub epoch: u64,
    /// Every address to listen on, sorted by address then port.
    pub ports: Vec<Arc<Port>>,
    /// Destinations by [`ClusterSlot`]; `None` where a slot is not in use in this epoch.
    pub clusters: Vec<Option<Arc<Cluster>>>,
    /// Where the rules were read.
    pub sources: Arc<Sources>,
    /// Beside a workload: the Services it may call, sorted by namespace and name.
    pub names: Arc<[ReachableName]>,
    /// Every authorization policy, wherever it holds; for those who count and explain.
    pub policies: Arc<[Arc<Policy>]>,
    /// Everything that is asked for keys of tokens.
    pub key_sources: Arc<[Arc<KeySource>]>,
}

impl Config {
    /// The cluster in a slot, if this epoch has one.
    #[must_use]
    pub fn cluster(&self, slot: ClusterSlot) -> Option<&Arc<Cluster>> {
        self.clusters.get(slot.0 as usize)?.as_ref()
    }
}

/// One socket to listen on and what is served there.
#[derive(Debug)]
pub struct Port {
    /// Address and port to bind. An unspecified address was already replaced by the default bind address.
    pub address: BindAddress,
    /// Whether connections start with a TLS handshake.
    pub security: Security,
    /// What is carried. On a port of the mesh: what its cleartext connections carry, if it takes any, and what members
    /// get who ask for no service by name.
    pub carries: Carries,
    /// Settings of the Gateway that owns the port (of the oldest one, where several share it).
    pub settings: Arc<Settings>,
}

impl Port {
    /// Hostname → listener → routes, on a port that carries requests.
    #[must_use]
    pub fn table(&self) -> Option<&ListenerTable> {
        self.carries.table()
    }

    /// What a client speaks here, as the scheme of a URL: `http`, `https`, `tcp` or `tls`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match (&self.carries, &self.security) {
            (Carries::Http(_), Security::Plain | Security::Mesh(_)) => "http",
            (Carries::Http(_), Security::Tls(_)) => "https",
            (Carries::Tcp(_), Security::Plain | Security::Mesh(_)) => "tcp",
            (Carries::Tcp(_), Security::Tls(_)) => "tls",
        }
    }

    /// What members are given who ask for a server name, with its name for logs and metrics. `None` where there is
    /// nothing by that name, or no door for members.
    #[must_use]
    pub fn asked_for(&self, server_name: &str) -> Option<(&Arc<str>, &Carries)> {
        let Security::Mesh(mesh) = &self.security else { return None };
        match (mesh.services.get(server_name), &mesh.others) {
            (Some(service), _) => Some((&service.name, &service.carries)),
            (None, Some(name)) => Some((name, &self.carries)),
            (None, None) => None,
        }
    }

    /// Everything that is carried here, by whatever door it comes in.
    pub fn all_carried(&self) -> impl Iterator<Item = &Carries> {
        let (services, hosts) = match &self.security {
            Security::Mesh(mesh) => (Some(mesh.services.values().map(|service| &service.carries)), None),
            Security::Tls(tls) => (None, Some(tls.hosts.iter().filter_map(|host| host.carries.as_ref()))),
            Security::Plain => (None, None),
        };
        let by_name = services.into_iter().flatten().chain(hosts.into_iter().flatten());
        std::iter::once(&self.carries).chain(by_name)
    }
}

/// What connections are used for.
#[derive(Debug)]
pub enum Carries {
    /// Requests, routed by hostname → listener → routes.
    Http(ListenerTable),
    /// Bytes of which nothing is understood.
    Tcp(Arc<TcpRule>),
}

impl Carries {
    /// The routes of requests.
    #[must_use]
    pub fn table(&self) -> Option<&ListenerTable> {
        match self {
            Carries::Http(table) => Some(table),
            Carries::Tcp(_) => None,
        }
    }

    /// The rule of connections that carry bytes.
    #[must_use]
    pub fn rule(&self) -> Option<&Arc<TcpRule>> {
        match self {
            Carries::Http(_) => None,
            Carries::Tcp(rule) => Some(rule),
        }
    }
}

/// Where the connections of a port that carries bytes lead.
#[derive(Debug)]
pub struct TcpRule {
    /// Stable index for counters.
    pub slot: RuleSlot,
    /// Who wrote it.
    pub origin: Origin,
    /// What becomes of a connection.
    pub action: TcpAction,
    /// From which addresses they may come; `None` when from any.
    pub addresses: Option<Arc<[AddressRule]>>,
    /// Who may connect; `None` when everybody may.
    pub authorization: Option<Arc<Authorization>>,
}

/// What becomes of a connection that carries bytes.
#[derive(Debug)]
pub enum TcpAction {
    /// It leads to one of the backends by weight.
    Forward(Backends),
    /// It is closed at once. Failure closes.
    Refuse {
        /// Reason for the log, stable snake_case.
        reason: &'static str,
    },
}

/// Where a port is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindAddress {
    /// The local address.
    pub ip: IpAddr,
    /// The local port.
    pub port: u16,
}

/// One rule of a route, compiled: what happens to a request that matched it.
#[derive(Debug)]
pub struct Rule {
    /// Stable index for counters.
    pub slot: RuleSlot,
    /// Who wrote it.
    pub origin: Origin,
    /// Filters on the request and response, in the one documented order.
    pub filters: Vec<Filter>,
    /// What answers.
    pub action: Action,
    /// Bounds of time.
    pub timeouts: Timeouts,
    /// When a request is sent again; what the cluster says where this says nothing.
    pub retry: Option<Arc<Retry>>,
    /// Failures made on purpose.
    pub fault: Option<Arc<Fault>>,
    /// From which addresses it may be asked for; `None` when from any.
    pub addresses: Option<Arc<[AddressRule]>>,
    /// How often it may be asked for; `None` when nobody is held back.
    pub rates: Option<Arc<[RateLimit]>>,
    /// How callers prove who they are; `None` when nobody is asked.
    pub authentication: Option<Arc<Authentication>>,
    /// Who else is asked whether a request may pass, in this order; `None` when nobody is.
    pub authorizers: Option<Arc<[Arc<Authorizer>]>>,
    /// Who may ask; `None` when everybody may.
    pub authorization: Option<Arc<Authorization>>,
    /// What is changed about messages, in the order in which requests pass; `None` when nothing is.
    pub transforms: Option<Arc<[Arc<Transform>]>>,
    /// Which products give the right to ask; `None` when none is needed.
    pub access: Option<Arc<Access>>,
    /// What requests and answers must be like; `None` when nothing is asked of them.
    pub validation: Option<Arc<Validation>>,
    /// The operation of an API that it carries, if it carries one.
    pub operation: Option<Arc<Operation>>,
}

/// Where a rule comes from: for logs, metrics and `selvedge explain`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `HTTPRoute` or `APIVersion`.
    pub kind: &'static str,
    /// `namespace/name`.
    pub route: Arc<str>,
    /// Position of the rule in the route.
    pub rule: u16,
    /// Position of the match within the rule.
    pub matched: u16,
    /// The rule's own name, if it has one.
    pub name: Option<Arc<str>>,
}

/// What a matched rule does.
#[derive(Debug)]
pub enum Action {
    /// Forward to one of the backends by weight.
    Forward(Backends),
    /// Answer with a redirect; no upstream is asked.
    Redirect(Redirect),
    /// Answer always the same; no upstream is asked.
    Answer(Arc<FixedAnswer>),
    /// Answer out of the description of the operation; no upstream is asked.
    Mock(Arc<Mock>),
    /// The rule cannot work (no backends, invalid filter): answer with this status. Failure closes.
    Refuse {
        /// Status to answer, in practice 500.
        status: u16,
        /// Reason for the log, stable snake_case.
        reason: &'static str,
    },
}

/// Weighted backends. The sum of weights is at least one.
#[derive(Debug)]
pub struct Backends {
    /// The choices in the order written.
    pub choices: Vec<Backend>,
    /// Sum of all weights, those of invalid backends included.
    pub weight_total: u32,
}

/// One weighted backend.
#[derive(Debug)]
pub struct Backend {
    /// Its share of `weight_total`.
    pub weight: u32,
    /// Where it leads.
    pub target: Target,
    /// Filters that apply only when this backend is chosen.
    pub filters: Vec<Filter>,
}

/// Where a backend leads.
#[derive(Clone, Debug)]
pub enum Target {
    /// A known destination.
    Cluster(ClusterSlot),
    /// A filter of the backend answers with a redirect; no upstream is asked.
    Redirect(Arc<Redirect>),
    /// The reference does not resolve: answer 500 for its share of the weights.
    Invalid {
        /// Reason for the log, stable snake_case (`backend_not_found`, `ref_not_permitted`, `invalid_kind`).
        reason: &'static str,
    },
}

/// Everything that may be done to a request or response on its way, one variant a kind. The order of the
/// variants is the order in which they run on the request ([`Filter::ORDER`]); responses run it backwards.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Cross-origin resource sharing (answers preflights itself).
    Cors(Arc<Cors>),
    /// Set, add, remove request header fields.
    RequestHeaders(HeaderEdits),
    /// Replace host or path for the upstream.
    Rewrite(Rewrite),
    /// Send a copy elsewhere and ignore what comes back.
    Mirror(Mirror),
    /// Set, add, remove response header fields.
    ResponseHeaders(HeaderEdits),
}

impl Filter {
    /// Names in the order they run on the request.
    pub const ORDER: [&'static str; 5] = ["cors", "request_headers", "rewrite", "mirror", "response_headers"];

    /// Position in [`Filter::ORDER`].
    #[must_use]
    pub fn position(&self) -> usize {
        match self {
            Filter::Cors(_) => 0,
            Filter::RequestHeaders(_) => 1,
            Filter::Rewrite(_) => 2,
            Filter::Mirror(_) => 3,
            Filter::ResponseHeaders(_) => 4,
        }
    }
}

/// URL rewrite towards the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// New `Host`.
    pub hostname: Option<Arc<str>>,
    /// New path.
    pub path: Option<PathEdit>,
}

/// How a path is replaced; the query is always kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathEdit {
    /// The whole path.
    Full(Arc<str>),
    /// The prefix that the rule matched, by whole segments; never leaves `//` or nothing.
    Prefix {
        /// The matched prefix, without a trailing slash (empty for `/`).
        matched: Arc<str>,
        /// What replaces it.
        replacement: Arc<str>,
    },
}

impl PathEdit {
    /// The new path for `path`, appended to `out`.
    pub fn write(&self, path: &[u8], out: &mut Vec<u8>) {
        match self {
            PathEdit::Full(new) => out.extend_from_slice(new.as_bytes()),
            PathEdit::Prefix { matched, replacement } => {
                // A transform may have led the path elsewhere; there is no prefix to replace then.
                let Some(rest) = path.strip_prefix(matched.as_bytes()) else {
                    return out.extend_from_slice(path);
                };
                let head = replacement.as_bytes().strip_suffix(b"/").unwrap_or(replacement.as_bytes());
                out.extend_from_slice(head);
                if !rest.is_empty() && !rest.starts_with(b"/") {
                    out.push(b'/');
                }
                out.extend_from_slice(rest);
                if head.is_empty() && rest.is_empty() {
                    out.push(b'/');
                }
            }
        }
    }
}

/// A redirect answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// New scheme; the request's own when absent.
    pub scheme: Option<Arc<str>>,
    /// New host; the request's own when absent.
    pub hostname: Option<Arc<str>>,
    /// Port to show, already computed (scheme's own and listener's rules applied); `None` leaves it out.
    pub port: Option<u16>,
    /// New path; the request's own when absent.
    pub path: Option<PathEdit>,
}

/// Where copies of requests go, and how many of them.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Destination of the copies.
    pub target: Target,
    /// Share of requests copied, `numerator / denominator`.
    pub numerator: u32,
    /// See `numerator`; at least one.
    pub denominator: u32,
}

/// A destination: one or more endpoints that serve the same thing.
#[derive(Debug)]
pub struct Cluster {
    /// Stable index.
    pub slot: ClusterSlot,
    /// Stable name for logs and metrics: `Service/namespace/name:port` or `Backend/namespace/name`, with
    /// `@namespace/gateway` behind it where that Gateway shows a certificate of its own.
    pub name: Arc<str>,
    /// What is spoken to its endpoints.
    pub protocol: UpstreamProtocol,
    /// TLS towards the endpoints; `None` means cleartext.
    pub tls: Option<Arc<UpstreamTls>>,
    /// Addresses that may take requests now. Empty: 503.
    pub endpoints: Vec<Endpoint>,
    /// DNS names whose addresses the proxy resolves and adds to `endpoints`.
    pub names: Vec<DnsEndpoint>,
    /// When set, requests are refused with this status instead of being sent (an invalid BackendTLSPolicy).
    pub refuse: Option<&'static str>,
    /// Longest time to connect, TLS handshake included.
    pub connect_timeout: Duration,
    /// What requests show to it; `None` when they show what clients send.
    pub credential: Option<Arc<UpstreamCredential>>,
    /// What policies say of it; `None` where there are none.
    pub resilience: Option<Arc<Resilience>>,
}

/// One address of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where to connect.
    pub address: std::net::SocketAddr,
    /// Who must answer there, when it is a member of the mesh; it is then asked as the mesh asks.
    pub mesh: Option<Arc<MeshPeer>>,
    /// Where it runs, as far as that is known.
    pub locality: Option<Arc<Locality>>,
}

/// A member of the mesh that is asked for one of its services.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MeshPeer {
    /// Sent as SNI; names service and port.
    pub server_name: Arc<str>,
    /// Who it must prove to be.
    pub identity: SpiffeId,
    /// `namespace/workload`, for logs and metrics.
    pub replica: Arc<str>,
}

/// A DNS name in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsEndpoint {
    /// Name to resolve.
    pub name: Arc<str>,
    /// Port of every address found.
    pub port: u16,
}

/// What is spoken to endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, with prior knowledge over cleartext and by ALPN over TLS.
    Http2,
    /// Whatever ALPN settles on, HTTP/1.1 over cleartext; a gRPC or HTTP/2 request does not change it.
    Auto,
}

/// TLS towards endpoints.
#[derive(Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Sent as SNI and verified against the certificate.
    pub hostname: Arc<str>,
    /// Extra names of which one must match instead of `hostname`, when not empty.
    pub subject_alt_names: Vec<Arc<str>>,
    /// Trust anchors, DER. Empty means the system's well-known roots.
    pub roots: Vec<rustls_pki_types::CertificateDer<'static>>,
    /// Shown to an endpoint that asks who calls. Clusters of Gateways with different ones are different clusters,
    /// so a connection is never used for another Gateway's requests.
    pub client_certificate: Option<Arc<KeyPair>>,
}
