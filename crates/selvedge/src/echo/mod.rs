//! A small honest upstream: it answers with what it received.
//!
//! Examples, specs and people who debug a route need to see what arrived behind the gateway, over every
//! protocol the gateway speaks. So this server invents nothing: every header it reports was on the wire, in the
//! order hyper hands them over (repeated names stand together, names are in lower case). It is control-side
//! code; speed is not its point.

mod answer;
mod body;
mod certificate;
mod report;
mod websocket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsAcceptor;

use report::{Connection, Tls};

/// Connections served at once. Past it: new ones wait in the kernel's backlog.
pub const CONNECTIONS_MAX: usize = 4096;

/// How long to wait after a failed accept, so that a lasting failure does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What it calls itself in every answer.
    pub name: String,
    /// Names for a certificate made at start; `None` serves cleartext.
    pub tls_names: Option<Vec<String>>,
}

/// A running upstream. Dropping it closes its listener and its connections.
#[derive(Debug)]
pub struct Echo {
    address: SocketAddr,
    authority_pem: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Echo {
    /// Binds, and serves on a thread of its own until dropped.
    pub fn start(options: Options) -> io::Result<Echo> {
        let listener = std::net::TcpListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let made = match &options.tls_names {
            Some(names) => Some(certificate::make(&names_of(names, &options.name, address.ip()))?),
            None => None,
        };
        let authority_pem = made.as_ref().map(|made| made.authority_pem.clone());
        let acceptor = made.map(|made| TlsAcceptor::from(made.server));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let name: Arc<str> = options.name.into();
        let thread = std::thread::Builder::new().name(format!("echo-{name}")).spawn(move || {
            let serving = serve(listener, acceptor, name);
            runtime.block_on(async {
                tokio::select! {
                    result = serving => drop(result),
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Echo { address, authority_pem, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the authority made at start, PEM; `None` when serving cleartext.
    #[must_use]
    pub fn authority_pem(&self) -> Option<&str> {
        self.authority_pem.as_deref()
    }

    /// Blocks until the server ends, which it does only when its listener fails.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // The handle is kept alive here, so nobody can ask the thread to stop meanwhile.
            let _ended = thread.join();
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// The names asked for, and those under which it is reached on this machine.
fn names_of(asked: &[String], name: &str, ip: IpAddr) -> Vec<String> {
    let mut names = asked.to_vec();
    for more in ["localhost".to_owned(), name.to_owned(), "127.0.0.1".to_owned(), ip.to_string()] {
        let unspecified = more.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
        if !unspecified && !more.is_empty() && !names.contains(&more) {
            names.push(more);
        }
    }
    names
}

async fn serve(
    listener: std::net::TcpListener,
    acceptor: Option<TlsAcceptor>,
    name: Arc<str>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return Ok(()) };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // A client that is gone before it was accepted is no reason to stop; neither is a full table of
            // descriptors, which empties as connections end.
            Err(_) => {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, name) = (acceptor.clone(), Arc::clone(&name));
        tokio::spawn(async move {
            connection(stream, peer, acceptor, name).await;
            drop(permit);
        });
    }
}

/// One connection to its end. Whatever ends it early was the client's doing and is the client's to see.
async fn connection(stream: TcpStream, peer: SocketAddr, acceptor: Option<TlsAcceptor>, name: Arc<str>) {
    let _best_effort = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return exchange(TokioIo::new(stream), Connection { name, peer, tls: None }).await;
    };
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let session = stream.get_ref().1;
    let tls = Tls {
        sni: session.server_name().map(str::to_owned),
        alpn: session.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
    };
    exchange(TokioIo::new(stream), Connection { name, peer, tls: Some(tls) }).await;
}

async fn exchange<S>(stream: S, from: Connection)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let from = Arc::new(from);
    let service = service_fn(move |request| answer::answer(request, Arc::clone(&from)));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new());
    server.http2().timer(TokioTimer::new());
    let _ended = server.serve_connection_with_upgrades(stream, service).await;
}
