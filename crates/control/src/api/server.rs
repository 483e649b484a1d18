//! Accepts connections and hands their requests over.
//!
//! A connection costs a place before it costs anything else, a handshake and a head have a time to be finished in, and
//! a panic costs the one request that caused it.

use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, Body, Style};
use super::dispatch;
use super::inside::Inside;
use super::stalled::Stalled;
use super::state::State;
use super::tls::peer::Peer;
use crate::objects::status::Status;

/// How often an HTTP/2 connection is asked whether anybody is there, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long accepting rests when the system has no descriptor left: trying again at once would only burn a core.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How long requests under way have to end when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `stopping` turns true and what was under way has ended.
pub async fn run(listener: TcpListener, tls: Arc<rustls::ServerConfig>, state: Arc<State>) {
    let acceptor = TlsAcceptor::from(tls);
    let places = Arc::new(Semaphore::new(state.limits.connections_max));
    let mut stopping = state.stopping.clone();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else { continue };
        let connection = Connection { acceptor: acceptor.clone(), state: Arc::clone(&state), place };
        connections.spawn(connection.serve(stream));
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
        connections.shutdown().await;
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _from)) => {
            stream.set_nodelay(true).ok()?;
            Some((stream, place))
        }
        // A client that has gone again, or no descriptor left.
        Err(_) => {
            tokio::time::sleep(ACCEPT_REST).await;
            None
        }
    }
}

struct Connection {
    acceptor: TlsAcceptor,
    state: Arc<State>,
    place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        let Connection { acceptor, state, place } = self;
        let limits = state.limits;
        let handshake = tokio::time::timeout(limits.handshake_timeout, acceptor.accept(stream));
        let Ok(Ok(stream)) = handshake.await else { return };
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let peer = Peer::of_chain(shown, state.members.as_deref(), state.clock.now()).map(Arc::new);
        let stream = TokioIo::new(Stalled::new(stream, limits.write_stall_timeout));
        let stopping = state.stopping.clone();
        let builder = builder(&state);
        let service = service_fn(move |request| answer(Arc::clone(&state), peer.clone(), request));
        let serving = builder.serve_connection(stream, service);
        // How it ended is of no use to anybody: the client went away, or spoke something else.
        let _ended = until_stopped(serving, stopping).await;
        drop(place);
    }
}

async fn until_stopped<F, E>(connection: F, mut stopping: watch::Receiver<bool>) -> Result<(), E>
where
    F: Future<Output = Result<(), E>> + Graceful,
{
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().stop();
    connection.await
}

/// A connection that can be asked to end after what is under way.
trait Graceful {
    fn stop(self: std::pin::Pin<&mut Self>);
}

impl<S, I> Graceful for auto::Connection<'_, I, S, TokioExecutor>
where
    S: hyper::service::Service<http::Request<Incoming>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    fn stop(self: std::pin::Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

fn builder(state: &State) -> auto::Builder<TokioExecutor> {
    let limits = &state.limits;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams_max)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

async fn answer(
    state: Arc<State>,
    peer: Option<Arc<Peer>>,
    mut request: http::Request<Incoming>,
) -> Result<http::Response<Body>, Infallible> {
    let peer = peer.filter(|peer| peer.counts(state.members.as_deref(), state.clock.now()));
    if let Some(other) = state.beside.iter().find(|other| other.takes(request.uri().path())) {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        let answered = AssertUnwindSafe(other.answer(request, Inside::of(&state))).catch_unwind().await;
        return Ok(answered.map_or_else(|_panic| bug(), |response| response.map(Body::Foreign)));
    }
    let certificate = peer.as_ref().and_then(|peer| peer.name_at(state.clock.now()));
    let answering = dispatch::answer(&state, certificate, request);
    let answered = AssertUnwindSafe(answering).catch_unwind().await;
    Ok(answered.unwrap_or_else(|_panic| bug()))
}

fn bug() -> http::Response<Body> {
    Style::default().write(Answer::from(Status::internal_error("a bug of the server, see its log")))
}

/// Binds the address, before anything is promised to anybody.
///
/// # Errors
/// What the system says.
pub async fn bind(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}
