//! Sockets, TLS and HTTP/2 below the services.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Hub, answer};

/// Most connections at once. Past it new ones wait in the kernel.
const CONNECTIONS_MAX: usize = 10_000;
/// Longest time for a handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Time between two questions whether a silent proxy is still there.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
/// Time for the answer, after which the connection is closed.
const KEEP_ALIVE_WITHIN: Duration = Duration::from_secs(10);
/// Pause after the system refused a connection, so that a lack of file descriptors does not keep a core busy.
const BREATH: Duration = Duration::from_millis(50);

/// Serves proxies. Dropping the future closes every connection.
///
/// # Errors
/// Never by itself: what goes wrong with one connection concerns no other.
pub async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, hub: Arc<Hub>) -> Infallible {
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            let _ended = connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, acceptor.clone(), hub.clone()));
            }
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, hub: Arc<Hub>) {
    // A proxy that breaks off, or is no proxy, concerns nobody else.
    let _ended = carry(stream, acceptor, hub).await;
}

async fn carry(stream: TcpStream, acceptor: TlsAcceptor, hub: Arc<Hub>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await??;
    let service = service_fn(move |request| {
        let hub = hub.clone();
        async move { Ok::<_, Infallible>(answer(hub, request).await) }
    });
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_EVERY)
        .keep_alive_timeout(KEEP_ALIVE_WITHIN)
        .max_concurrent_streams(8)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}
