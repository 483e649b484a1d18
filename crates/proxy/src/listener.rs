//! Accepts connections and finds out what they speak.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::config::{Carries, Security, TcpRule};
use tokio::net::TcpStream;

use crate::buffer::Buffer;
use crate::downstream::{self, Http1Server};
use crate::exchange::Peer;
use crate::failure::Failure;
use crate::io::Io;
use crate::limits::MESH_SNIFF_MILLISECONDS;
use crate::mesh::{self, Carried};
use crate::state::deadlines::whole_seconds;
use crate::state::ports::{Pinned, PortState};
use crate::tcp;
use crate::tls;
use crate::worker::Worker;

/// How an HTTP/2 connection begins (RFC 9113 section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long to wait before accepting again when the system is out of descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// Begins to accept on a socket, until the port drains.
///
/// # Errors
/// The socket cannot be handed to the runtime.
pub fn open(socket: TcpListener, worker: &Rc<Worker>, port: &Rc<PortState>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let (worker, port) = (worker.clone(), port.clone());
    let server = Rc::new(downstream::http1_server());
    tokio::task::spawn_local(async move {
        loop {
            // Biased: what the kernel has accepted already is served before a drained socket is closed.
            let accepted = tokio::select! {
                biased;
                accepted = listener.accept() => accepted,
                () = port.drain_begins.notified() => return,
                () = std::future::ready(()), if port.is_draining() => return,
            };
            match accepted {
                Ok((stream, _)) => accept(stream, &server, &worker, &port),
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => tokio::time::sleep(EXHAUSTED_PAUSE).await,
            }
        }
    });
    Ok(())
}

/// Whether an error of `accept` concerns the connection that came and went, and not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn accept<F: Future<Output = Infallible> + 'static>(
    stream: TcpStream,
    server: &Rc<Http1Server<F>>,
    worker: &Rc<Worker>,
    port: &Rc<PortState>,
) {
    worker.metrics.connections.add(1);
    let open = Open::new(worker, port);
    if port.connections.get() > port.pin().port().settings.limits.connections_max {
        worker.metrics.failures[Failure::ConnectionLimit as usize].add(1);
        return;
    }
    let (server, worker, port) = (server.clone(), worker.clone(), port.clone());
    tokio::task::spawn_local(async move {
        let _open = open;
        serve(stream, server, worker, port).await;
    });
}

async fn serve<F: Future<Output = Infallible>>(
    stream: TcpStream,
    server: Rc<Http1Server<F>>,
    worker: Rc<Worker>,
    port: Rc<PortState>,
) {
    // A proxy writes whole messages; waiting for more to fill a packet only adds delay.
    let Ok(()) = stream.set_nodelay(true) else { return };
    let Ok(address) = stream.peer_addr() else { return };
    let ip = address.ip().to_canonical().to_string().into_boxed_str();
    let peer = Peer { address, ip, listener: None, server_name: None, vouched: None, counterpart: None };
    // Boxed: what happens once must not make every idle connection's future larger.
    let arrived = match door(&port) {
        Door::Cleartext => cleartext(stream, peer, &worker, &port).await,
        // Nothing is sniffed: on such a port the upstream may be the first to speak.
        Door::Bytes(rule) => Some(Arrived::Tcp(Io::Plain(stream), peer, rule)),
        Door::Tls(context) => Box::pin(behind_tls(stream, context, peer, &worker, &port)).await,
        Door::Mesh => Box::pin(behind_mesh(stream, peer, &worker, &port)).await,
    };
    match arrived {
        None => {}
        Some(Arrived::Http1(io, buffer, peer)) => {
            downstream::serve_http1(server, (io, buffer), peer, worker, port).await;
        }
        Some(Arrived::Http2(io, buffer, peer)) => {
            Box::pin(downstream::serve_http2(io, buffer, peer, worker, port)).await;
        }
        Some(Arrived::Tcp(io, peer, rule)) => Box::pin(tcp::serve(io, peer, rule, worker, port)).await,
    }
}

/// How a port's connections begin.
enum Door {
    Cleartext,
    Bytes(Arc<TcpRule>),
    Tls(Arc<rustls::ServerConfig>),
    Mesh,
}

/// Looked up at once and let go of: a connection that waits must not keep a retired config alive.
fn door(port: &Rc<PortState>) -> Door {
    let pinned = port.pin();
    match (&pinned.port().security, pinned.tls()) {
        (Security::Mesh(_), _) => Door::Mesh,
        (Security::Plain | Security::Tls(_), Some(context)) => Door::Tls(context.clone()),
        (Security::Plain | Security::Tls(_), None) => match &pinned.port().carries {
            Carries::Http(_) => Door::Cleartext,
            Carries::Tcp(rule) => Door::Bytes(rule.clone()),
        },
    }
}

/// A connection of which is known what it speaks, and who speaks.
enum Arrived {
    Http1(Io, Option<Buffer>, Peer),
    Http2(Io, Option<Buffer>, Peer),
    Tcp(Io, Peer, Arc<TcpRule>),
}

async fn cleartext(
    stream: TcpStream,
    peer: Peer,
    worker: &Rc<Worker>,
    port: &Rc<PortState>,
) -> Option<Arrived> {
    let (io, buffer) = sniff(stream, worker, port).await?;
    if buffer.filled().starts_with(HTTP2_PREFACE) {
        return Some(Arrived::Http2(io, Some(buffer), peer));
    }
    Some(Arrived::Http1(io, Some(buffer), peer))
}

async fn behind_tls(
    stream: TcpStream,
    context: Arc<rustls::ServerConfig>,
    peer: Peer,
    worker: &Rc<Worker>,
    port: &Rc<PortState>,
) -> Option<Arrived> {
    let pinned = port.pin();
    let accepted = match pinned.port().carries {
        Carries::Http(_) => tls::accept(stream, context, pinned).await,
        Carries::Tcp(_) => tls::accept_bytes(stream, context, pinned).await,
    };
    match accepted {
        Ok(accepted) => {
            worker.metrics.handshakes.add(1);
            let listener = Some(accepted.listener);
            let (server_name, vouched) = (accepted.server_name, accepted.vouched);
            let peer = Peer { listener, server_name, vouched, ..peer };
            Some(match (accepted.rule, accepted.http2) {
                (Some(rule), _) => Arrived::Tcp(accepted.io, peer, rule),
                (None, true) => Arrived::Http2(accepted.io, None, peer),
                (None, false) => Arrived::Http1(accepted.io, None, peer),
            })
        }
        Err(failure) => {
            worker.metrics.failures[failure as usize].add(1);
            None
        }
    }
}

async fn behind_mesh(
    stream: TcpStream,
    peer: Peer,
    worker: &Rc<Worker>,
    port: &Rc<PortState>,
) -> Option<Arrived> {
    let pinned = port.pin();
    if !mesh::is_closed_to_strangers(pinned.port()) && is_cleartext(&stream, &pinned).await? {
        return match &pinned.port().carries {
            Carries::Http(_) => cleartext(stream, peer, worker, port).await,
            Carries::Tcp(rule) => Some(Arrived::Tcp(Io::Plain(stream), peer, rule.clone())),
        };
    }
    match mesh::accept(stream, worker, pinned).await {
        Ok(accepted) => {
            worker.metrics.handshakes.add(1);
            let peer = Peer { counterpart: Some(accepted.counterpart), ..peer };
            Some(match accepted.carried {
                Carried::Http1 => Arrived::Http1(accepted.io, None, peer),
                Carried::Http2 => Arrived::Http2(accepted.io, None, peer),
                Carried::Tcp(rule) => Arrived::Tcp(accepted.io, peer, rule),
            })
        }
        Err(failure) => {
            worker.metrics.failures[failure as usize].add(1);
            None
        }
    }
}

/// The first byte of a TLS record that carries a handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Whether a connection to a permissive port of the mesh begins without TLS; `None` when nothing came in time.
/// Members always speak first, so where bytes are carried silence belongs to a client whose server speaks first.
async fn is_cleartext(stream: &TcpStream, pinned: &Pinned) -> Option<bool> {
    let (limit, silent) = match &pinned.port().carries {
        Carries::Http(_) => (pinned.port().settings.limits.head_timeout, None),
        Carries::Tcp(_) => (Duration::from_millis(MESH_SNIFF_MILLISECONDS), Some(true)),
    };
    let mut first = [0];
    match tokio::time::timeout(limit, stream.peek(&mut first)).await {
        Ok(Ok(1)) => Some(first[0] != TLS_HANDSHAKE),
        Ok(Ok(_) | Err(_)) => None,
        Err(_elapsed) => silent,
    }
}

/// Reads the first bytes of a cleartext connection: HTTP/2 is recognised by its preface, everything else is
/// HTTP/1.
async fn sniff(stream: TcpStream, worker: &Worker, port: &Rc<PortState>) -> Option<(Io, Buffer)> {
    let deadline = worker.deadlines.register(stream.as_raw_fd());
    deadline.idle(whole_seconds(port.pin().port().settings.limits.head_timeout), port);
    let mut io = Io::Plain(stream);
    let mut buffer = poll_fn(|cx| io.poll_fill_new(cx, Buffer::for_head)).await.ok().flatten()?;
    while buffer.len() < HTTP2_PREFACE.len() && HTTP2_PREFACE.starts_with(buffer.filled()) {
        if poll_fn(|cx| io.poll_fill(cx, &mut buffer)).await.ok()? == 0 {
            return None;
        }
    }
    Some((io, buffer))
}

/// Counts a connection for as long as it is open.
struct Open {
    worker: Rc<Worker>,
    port: Rc<PortState>,
}

impl Open {
    fn new(worker: &Rc<Worker>, port: &Rc<PortState>) -> Open {
        port.connections.set(port.connections.get() + 1);
        worker.metrics.connections_open.add(1);
        Open { worker: worker.clone(), port: port.clone() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.port.connections.set(self.port.connections.get() - 1);
        self.worker.metrics.connections_open.take(1);
    }
}
