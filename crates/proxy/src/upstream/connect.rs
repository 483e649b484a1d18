//! Gets a connection to an endpoint: a kept one when there is one, else a new one, with TLS where asked for.

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
use crate::state::clusters::{ClusterState, EndpointState, InFlight};
use crate::stream::Http1Stream;
use crate::upstream::{Http1Upstream, Http2Upstream, Upstream, choose};
use crate::worker::Worker;

/// A connection to one of the cluster's endpoints, and the count of the request on it. A failed connect moves
/// on to another endpoint.
///
/// # Errors
/// There is no endpoint, or none of those asked accepted a connection.
pub async fn acquire(
    exchange: &mut Exchange<'_>,
    cluster: &Rc<ClusterState>,
    fresh: bool,
) -> Result<(InFlight, Upstream), Failure> {
    let endpoints = cluster.endpoints();
    let mut failed: Option<Rc<EndpointState>> = None;
    let mut last = Failure::NoEndpoint;
    for _ in 0..CONNECT_ATTEMPTS_MAX {
        let Some(endpoint) = choose(&endpoints, failed.as_ref(), &exchange.worker.random) else { break };
        exchange.outcome.attempts += 1;
        exchange.outcome.upstream = Some(endpoint.address);
        if let Some(kept) = take_kept(endpoint, fresh) {
            exchange.worker.metrics.upstream_reuses.add(1);
            return Ok((InFlight::begin(endpoint), kept));
        }
        let in_flight = InFlight::begin(endpoint);
        // Boxed: a handshake's state is large, and most requests find a kept connection.
        match Box::pin(dial(exchange.worker, cluster, endpoint, fresh)).await {
            Ok(upstream) => return Ok((in_flight, upstream)),
            Err(failure) => {
                exchange.worker.metrics.upstream_connect_failures.add(1);
                failed = Some(endpoint.clone());
                last = failure;
            }
        }
    }
    Err(last)
}

fn take_kept(endpoint: &Rc<EndpointState>, fresh: bool) -> Option<Upstream> {
    if fresh {
        return None;
    }
    if let Some(kept) = endpoint.take_idle() {
        return Some(Upstream::Http1(kept));
    }
    take_http2(endpoint)
}

/// A stream on a connection that has room for one; the oldest first, so that the newest can grow idle.
fn take_http2(endpoint: &EndpointState) -> Option<Upstream> {
    let request = endpoint.http2.borrow().iter().find_map(Http2Upstream::request)?;
    Some(Upstream::Http2(Box::new(request)))
}

async fn dial(
    worker: &Rc<Worker>,
    cluster: &ClusterState,
    endpoint: &Rc<EndpointState>,
    fresh: bool,
) -> Result<Upstream, Failure> {
    let connecting = async {
        // Dozens of requests that come at once, or behind a lost connection, must not open dozens of them.
        let _turn = match cluster.cluster.protocol {
            UpstreamProtocol::Http2 => Some(endpoint.http2_turn.lock().await),
            UpstreamProtocol::Http1 | UpstreamProtocol::Auto => None,
        };
        if let Some(shared) = take_http2(endpoint).filter(|_| !fresh) {
            return Ok(shared);
        }
        let (io, negotiated) = open(cluster, endpoint, Speaks::Http).await?;
        worker.metrics.upstream_connections.add(1);
        if speaks_http2(cluster.cluster.protocol, negotiated.as_deref()) {
            let connection = Http2Upstream::open(io, &worker.deadlines).await?;
            let request = connection.request().ok_or(Failure::UpstreamReset)?;
            endpoint.http2.borrow_mut().push(connection);
            return Ok(Upstream::Http2(Box::new(request)));
        }
        let deadline = worker.deadlines.register(io.socket());
        let stream = Http1Stream::new(io, deadline, Blame::Upstream);
        Ok(Upstream::Http1(Box::new(Http1Upstream::new(stream))))
    };
    match tokio::time::timeout(cluster.cluster.connect_timeout, connecting).await {
        Ok(result) => result,
        Err(_elapsed) => Err(Failure::ConnectTimeout),
    }
}

fn speaks_http2(protocol: UpstreamProtocol, negotiated: Option<&[u8]>) -> bool {
    match protocol {
        UpstreamProtocol::Http1 => false,
        UpstreamProtocol::Http2 => true,
        UpstreamProtocol::Auto => negotiated == Some(b"h2"),
    }
}

/// A connection that carries bytes to one of the cluster's endpoints, and its count there. A failed connect moves on
/// to another endpoint; `tell` hears of each that is tried.
///
/// # Errors
/// There is no endpoint, or none of those asked accepted a connection.
pub async fn reach(
    worker: &Worker,
    cluster: &ClusterState,
    mut tell: impl FnMut(&EndpointState),
) -> Result<(InFlight, Io), Failure> {
    let endpoints = cluster.endpoints();
    let mut failed: Option<Rc<EndpointState>> = None;
    let mut last = Failure::NoEndpoint;
    for _ in 0..CONNECT_ATTEMPTS_MAX {
        let Some(endpoint) = choose(&endpoints, failed.as_ref(), &worker.random) else { break };
        tell(endpoint);
        let in_flight = InFlight::begin(endpoint);
        let opening = open(cluster, endpoint, Speaks::Bytes);
        let opened = tokio::time::timeout(cluster.cluster.connect_timeout, opening).await;
        match opened.unwrap_or(Err(Failure::ConnectTimeout)) {
            Ok((io, _)) => {
                worker.metrics.upstream_connections.add(1);
                return Ok((in_flight, io));
            }
            Err(failure) => {
                worker.metrics.upstream_connect_failures.add(1);
                failed = Some(endpoint.clone());
                last = failure;
            }
        }
    }
    Err(last)
}

/// What a new connection is for, as far as the handshake tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// HTTP, of the versions that the cluster takes.
    Http,
    /// Bytes of which nothing is understood, so no protocol is offered by ALPN.
    Bytes,
}

/// Opens a connection to an endpoint, with everything that comes before its first byte of content.
async fn open(
    cluster: &ClusterState,
    endpoint: &EndpointState,
    speaks: Speaks,
) -> Result<(Io, Option<Vec<u8>>), Failure> {
    let stream = TcpStream::connect(endpoint.address).await.map_err(|error| connect_failure(&error))?;
    // A proxy writes whole messages; waiting for more to fill a packet only adds delay.
    stream.set_nodelay(true).map_err(|error| connect_failure(&error))?;
    // A silent stream may last; a peer that has vanished must not.
    let pause = Duration::from_secs(u64::from(TCP_KEEPALIVE_SECONDS));
    let keepalive = TcpKeepalive::new().with_time(pause).with_interval(pause);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(|error| connect_failure(&error))?;
    let (Some(context), Some(tls)) = (&cluster.tls, &cluster.cluster.tls) else {
        return Ok((Io::Plain(stream), None));
    };
    let name = identity::client::server_name(tls).map_err(|_| Failure::BackendTlsInvalid)?;
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(context));
    let handshake = match speaks {
        Speaks::Http => connector.connect(name, stream),
        Speaks::Bytes => connector.with_alpn(Vec::new()).connect(name, stream),
    };
    let stream = handshake.await.map_err(|_| Failure::UpstreamTls)?;
    let negotiated = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    Ok((Io::Client(Box::new(stream)), negotiated))
}

fn connect_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut => Failure::ConnectTimeout,
        _ => Failure::ConnectRefused,
    }
}
