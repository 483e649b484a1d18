//! Gets a connection to an endpoint: a kept one when there is one, else a new one, with TLS where asked for.

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::config::UpstreamProtocol;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::exchange::Exchange;
use crate::failure::{Blame, Failure};
use crate::io::Io;
use crate::limits::{CONNECT_ATTEMPTS_MAX, TCP_KEEPALIVE_SECONDS};
use crate::mesh::{self, Spoken};
use crate::message::Version;
use crate::state::breakers::OpenConnection;
use crate::state::clusters::{ClusterState, EndpointState, InFlight};
use crate::state::metrics::Overflow;
use crate::stream::Http1Stream;
use crate::upstream::{Http1Upstream, Http2Upstream, Upstream, choose};
use crate::worker::Worker;

/// What is asked of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Endpoints to try before giving up.
    pub endpoints: usize,
    /// One that has just failed; another is preferred.
    pub avoid: Option<&'a Rc<EndpointState>>,
    /// Whether only a connection will do that has served nobody before.
    pub fresh: bool,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        Wish { endpoints: CONNECT_ATTEMPTS_MAX, avoid: None, fresh: false }
    }
}

/// Why no connection was to be had.
#[derive(Debug)]
pub struct Unreached {
    /// The last reason.
    pub failure: Failure,
    /// The endpoint that was tried last.
    pub endpoint: Option<Rc<EndpointState>>,
}

impl From<Failure> for Unreached {
    fn from(failure: Failure) -> Unreached {
        Unreached { failure, endpoint: None }
    }
}

/// A connection to one of the cluster's endpoints, and the count of the request on it. A failed connect moves
/// on to another endpoint.
///
/// # Errors
/// There is no endpoint, or none of those asked accepted a connection.
pub async fn acquire(
    exchange: &mut Exchange<'_>,
    cluster: &Rc<ClusterState>,
    wish: Wish<'_>,
) -> Result<(InFlight, Upstream), Unreached> {
    let worker = exchange.worker;
    let mut failed: Option<Rc<EndpointState>> = wish.avoid.cloned();
    let mut last = Unreached::from(Failure::NoEndpoint);
    for _ in 0..wish.endpoints {
        let Some(endpoint) = pick(cluster, failed.as_ref(), worker)? else { break };
        exchange.outcome.attempts += 1;
        exchange.outcome.upstream = Some(endpoint.address);
        exchange.outcome.member = endpoint.mesh.is_some().then(|| endpoint.clone());
        let wanted = wanted(exchange, cluster, &endpoint);
        if let Some(kept) = take_kept(&endpoint, wanted, wish.fresh) {
            worker.metrics.upstream_reuses.add(1);
            return Ok((InFlight::begin(&endpoint), kept));
        }
        let in_flight = InFlight::begin(&endpoint);
        let limit = exchange.timeouts.connect.unwrap_or(cluster.cluster.connect_timeout);
        // Boxed: a handshake's state is large, and most requests find a kept connection.
        match Box::pin(dial(worker, cluster, &endpoint, Asked { wanted, fresh: wish.fresh, limit })).await {
            Ok(upstream) => return Ok((in_flight, upstream)),
            // The limit is the cluster's: another endpoint would run into it as well.
            Err(failure @ Failure::UpstreamLimitPending) => return Err(failure.into()),
            Err(failure) => {
                worker.metrics.upstream_connect_failures.add(1);
                cluster.note(&endpoint, false, worker.deadlines.now(), &worker.metrics);
                last = Unreached { failure, endpoint: Some(endpoint.clone()) };
                failed = Some(endpoint);
            }
        }
    }
    Err(last)
}

/// The endpoint to ask, if it may be given one more request.
fn pick(
    cluster: &ClusterState,
    failed: Option<&Rc<EndpointState>>,
    worker: &Worker,
) -> Result<Option<Rc<EndpointState>>, Failure> {
    let candidates = cluster.candidates(&worker.random);
    let chosen = choose(&candidates, failed, &worker.random);
    let Some(limit) = cluster.limits.endpoint_requests else { return Ok(chosen.cloned()) };
    let has_room = |endpoint: &&Rc<EndpointState>| endpoint.in_flight.get() < limit;
    let others = cluster.others();
    let found = chosen.filter(has_room).or_else(|| candidates.iter().chain(others.iter()).find(has_room));
    match (found, chosen) {
        (Some(found), _) => Ok(Some(found.clone())),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(cluster.overflow(Overflow::Endpoint, &worker.metrics)),
    }
}

/// What a request wants to be spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// Whatever there is.
    Either,
}

/// Between members both ends can do both, so requests cross in the version in which they came, unless the cluster
/// asks for HTTP/2; elsewhere the cluster alone decides.
fn wanted(exchange: &Exchange<'_>, cluster: &ClusterState, endpoint: &EndpointState) -> Wanted {
    match cluster.cluster.protocol {
        UpstreamProtocol::Http2 => Wanted::Http2,
        _ if endpoint.mesh.is_some() && exchange.request.head.version == Version::Http2 => Wanted::Http2,
        _ if endpoint.mesh.is_some() => Wanted::Http1,
        UpstreamProtocol::Http1 | UpstreamProtocol::Auto => Wanted::Either,
    }
}

fn take_kept(endpoint: &Rc<EndpointState>, wanted: Wanted, fresh: bool) -> Option<Upstream> {
    if fresh {
        return None;
    }
    if wanted != Wanted::Http2
        && let Some(kept) = endpoint.take_idle()
    {
        return Some(Upstream::Http1(kept));
    }
    take_http2(endpoint, wanted)
}

/// A stream on a connection that has room for one; the oldest first, so that the newest can grow idle.
fn take_http2(endpoint: &EndpointState, wanted: Wanted) -> Option<Upstream> {
    if wanted == Wanted::Http1 {
        return None;
    }
    let request = endpoint.http2.borrow().iter().find_map(Http2Upstream::request)?;
    Some(Upstream::Http2(Box::new(request)))
}

/// How one request wants its connection.
#[derive(Clone, Copy, Debug)]
struct Asked {
    wanted: Wanted,
    fresh: bool,
    /// Longest time until it stands.
    limit: Duration,
}

async fn dial(
    worker: &Rc<Worker>,
    cluster: &ClusterState,
    endpoint: &Rc<EndpointState>,
    asked: Asked,
) -> Result<Upstream, Failure> {
    let Asked { wanted, fresh, limit } = asked;
    let place = match cluster.limits.connections {
        None => None,
        Some(most) => match tokio::time::timeout(limit, room(worker, cluster, endpoint, asked, most)).await {
            Ok(Ok(Room::Kept(kept))) => return Ok(kept),
            Ok(Ok(Room::New(open))) => Some(open),
            Ok(Err(failure)) => return Err(failure),
            Err(_elapsed) => return Err(cluster.overflow(Overflow::Pending, &worker.metrics)),
        },
    };
    let connecting = async {
        // Dozens of requests that come at once, or behind a lost connection, must not open dozens of them.
        let _turn = match wanted {
            Wanted::Http2 => Some(endpoint.http2_turn.lock().await),
            Wanted::Http1 | Wanted::Either => None,
        };
        if let Some(shared) = take_http2(endpoint, wanted).filter(|_| !fresh) {
            return Ok(shared);
        }
        let spoken = if wanted == Wanted::Http2 { Spoken::Http2 } else { Spoken::Http1 };
        let (io, negotiated) = open(worker, cluster, endpoint, spoken).await?;
        worker.metrics.upstream_connections.add(1);
        if wanted == Wanted::Http2 || (wanted == Wanted::Either && speaks_http2(cluster, negotiated)) {
            let connection = Http2Upstream::open(io, &worker.deadlines, place).await?;
            let request = connection.request().ok_or(Failure::UpstreamReset)?;
            endpoint.http2.borrow_mut().push(connection);
            return Ok(Upstream::Http2(Box::new(request)));
        }
        let deadline = worker.deadlines.register(io.socket());
        let stream = Http1Stream::new(io, deadline, Blame::Upstream);
        Ok(Upstream::Http1(Box::new(Http1Upstream::new(stream, place))))
    };
    within(limit, connecting).await
}

/// What a connection that carries bytes takes up of its destination, for as long as it is held.
#[derive(Debug)]
pub struct Held {
    _in_flight: InFlight,
    _open: Option<OpenConnection>,
}

/// A connection of its own for bytes of which nothing is understood: within the mesh one stream of `selvedge/tcp`,
/// elsewhere as the cluster asks for. A failed connect moves on to another endpoint; `tell` hears of each that is
/// tried.
///
/// # Errors
/// There is no endpoint, or none of those asked accepted, proved who it must be, and was in time.
pub async fn reach(
    worker: &Rc<Worker>,
    cluster: &ClusterState,
    mut tell: impl FnMut(&EndpointState),
) -> Result<(Held, Io), Failure> {
    let open_connection = match cluster.limits.connections {
        None => None,
        Some(most) => {
            let place = cluster.breakers.connection(most);
            Some(place.ok_or_else(|| cluster.overflow(Overflow::Pending, &worker.metrics))?)
        }
    };
    let mut failed: Option<Rc<EndpointState>> = None;
    let mut last = Failure::NoEndpoint;
    for _ in 0..CONNECT_ATTEMPTS_MAX {
        let Some(endpoint) = pick(cluster, failed.as_ref(), worker)? else { break };
        tell(&endpoint);
        let in_flight = InFlight::begin(&endpoint);
        match within(cluster.cluster.connect_timeout, open(worker, cluster, &endpoint, Spoken::Tcp)).await {
            Ok((io, _negotiated)) => {
                worker.metrics.upstream_connections.add(1);
                return Ok((Held { _in_flight: in_flight, _open: open_connection }, io));
            }
            Err(failure) => {
                worker.metrics.upstream_connect_failures.add(1);
                cluster.note(&endpoint, false, worker.deadlines.now(), &worker.metrics);
                last = failure;
                failed = Some(endpoint);
            }
        }
    }
    Err(last)
}

async fn within<T>(
    limit: Duration,
    connecting: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, connecting).await {
        Ok(result) => result,
        Err(_elapsed) => Err(Failure::ConnectTimeout),
    }
}

/// What a request that may open a connection gets, where connections are bounded.
enum Room {
    /// One that has become idle meanwhile.
    Kept(Upstream),
    /// A place for a new one.
    New(OpenConnection),
}

/// Waits until there is an idle connection or room for a new one. Idle connections to other endpoints make room.
async fn room(
    worker: &Worker,
    cluster: &ClusterState,
    endpoint: &Rc<EndpointState>,
    asked: Asked,
    most: u32,
) -> Result<Room, Failure> {
    let mut waits = None;
    loop {
        if let Some(kept) = take_kept(endpoint, asked.wanted, asked.fresh) {
            return Ok(Room::Kept(kept));
        }
        if let Some(open) = cluster.breakers.connection(most) {
            return Ok(Room::New(open));
        }
        if cluster.endpoints().iter().any(|endpoint| endpoint.give_up_idle()) {
            continue;
        }
        if waits.is_none() {
            let place = cluster.breakers.wait(cluster.limits.pending.unwrap_or(0));
            waits = Some(place.ok_or_else(|| cluster.overflow(Overflow::Pending, &worker.metrics))?);
        }
        cluster.breakers.freed().await;
    }
}

fn speaks_http2(cluster: &ClusterState, negotiated: Negotiated) -> bool {
    cluster.cluster.protocol == UpstreamProtocol::Auto && negotiated == Negotiated::Http2
}

/// What ALPN has settled on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Negotiated {
    Http2,
    Other,
}

/// `spoken` is said to members of the mesh; others are offered what their cluster speaks, and for bytes nothing.
async fn open(
    worker: &Rc<Worker>,
    cluster: &ClusterState,
    endpoint: &EndpointState,
    spoken: Spoken,
) -> Result<(Io, Negotiated), Failure> {
    if endpoint.mesh.is_some() && !mesh::is_somebody(worker) {
        return Err(Failure::IdentityMissing); // Nothing is even connected: there is nothing to say.
    }
    let stream = TcpStream::connect(endpoint.address).await.map_err(|error| connect_failure(&error))?;
    // A proxy writes whole messages; waiting for more to fill a packet only adds delay.
    stream.set_nodelay(true).map_err(|error| connect_failure(&error))?;
    // A silent stream may last; a peer that has vanished must not.
    let pause = Duration::from_secs(u64::from(TCP_KEEPALIVE_SECONDS));
    let keepalive = TcpKeepalive::new().with_time(pause).with_interval(pause);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(|error| connect_failure(&error))?;
    if let Some(peer) = &endpoint.mesh {
        return Ok((mesh::call(worker, stream, peer, spoken).await?, Negotiated::Other));
    }
    let (Some(context), Some(tls)) = (&cluster.tls, &cluster.cluster.tls) else {
        return Ok((Io::Plain(stream), Negotiated::Other));
    };
    let name = identity::client::server_name(tls).map_err(|_| Failure::BackendTlsInvalid)?;
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(context));
    let handshake = match spoken {
        Spoken::Http1 | Spoken::Http2 => connector.connect(name, stream),
        Spoken::Tcp => connector.with_alpn(Vec::new()).connect(name, stream),
    };
    let stream = handshake.await.map_err(|_| Failure::UpstreamTls)?;
    let negotiated = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Negotiated::Http2,
        Some(_) | None => Negotiated::Other,
    };
    Ok((Io::Client(Box::new(stream)), negotiated))
}

fn connect_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut => Failure::ConnectTimeout,
        _ => Failure::ConnectRefused,
    }
}
