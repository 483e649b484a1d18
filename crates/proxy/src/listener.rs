//! Accepts connections and finds out what they speak.

use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::buffer::Buffer;
use crate::downstream::{self, After, Http1Server};
use crate::exchange::Peer;
use crate::failure::Failure;
use crate::io::Io;
use crate::state::deadlines::whole_seconds;
use crate::state::ports::PortState;
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

fn accept<F: Future<Output = After> + 'static>(
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

async fn serve<F: Future<Output = After>>(
    stream: TcpStream,
    server: Rc<Http1Server<F>>,
    worker: Rc<Worker>,
    port: Rc<PortState>,
) {
    // A proxy writes whole messages; waiting for more to fill a packet only adds delay.
    let Ok(()) = stream.set_nodelay(true) else { return };
    let Ok(address) = stream.peer_addr() else { return };
    let ip = address.ip().to_canonical().to_string().into_boxed_str();
    // Let go of the config before the connection begins to wait: it must not keep a retired one alive.
    let (context, rule) = {
        let pinned = port.pin();
        (pinned.tls().cloned(), pinned.port().carries.rule().cloned())
    };
    let Some(context) = context else {
        let peer = Peer { address, ip, listener: None, vouched: None };
        if let Some(rule) = rule {
            // Nothing is sniffed: on such a port the upstream may be the first to speak.
            return Box::pin(tcp::serve(Io::Plain(stream), peer, rule, worker, port)).await;
        }
        let Some((io, buffer)) = sniff(stream, &worker, &port).await else { return };
        if buffer.filled().starts_with(HTTP2_PREFACE) {
            return Box::pin(downstream::serve_http2(io, Some(buffer), peer, worker, port)).await;
        }
        return downstream::serve_http1(server, (io, Some(buffer)), peer, worker, port).await;
    };
    // Boxed: what happens once must not make every idle connection's future larger.
    let accepted = match rule {
        None => Box::pin(tls::accept(stream, context, port.pin())).await,
        Some(_) => Box::pin(tls::accept_bytes(stream, context, port.pin())).await,
    };
    match accepted {
        Ok(accepted) => {
            worker.metrics.handshakes.add(1);
            let listener = Some(accepted.listener);
            let peer = Peer { address, ip, listener, vouched: accepted.vouched };
            if let Some(rule) = accepted.rule {
                return Box::pin(tcp::serve(accepted.io, peer, rule, worker, port)).await;
            }
            if accepted.http2 {
                return Box::pin(downstream::serve_http2(accepted.io, None, peer, worker, port)).await;
            }
            downstream::serve_http1(server, (accepted.io, None), peer, worker, port).await;
        }
        Err(failure) => worker.metrics.failures[failure as usize].add(1),
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
