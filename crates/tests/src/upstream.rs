//! A raw upstream that remembers every byte and where each request began and ended.
//!
//! It is the judge of the framing specs: whatever confusion an attacker causes between client and gateway
//! shows here as a request nobody sent, a byte that belongs to none, or a flaw a strict reader names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::address;
use crate::client::{Duplex, reset_on_close};
use crate::reader::{self, Body};
use crate::recorded::{Connection, Recorded};
use crate::script::{self, Handler, Script, Step};
use crate::until::eventually;

/// A recording upstream. Dropping it closes its listener and its connections.
#[derive(Debug)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    log: Arc<Mutex<Log>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Log {
    connections: Vec<Connection>,
    requests: Vec<Recorded>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upstream {
    /// Answers 200 with `METHOD target` as the body.
    pub async fn recording() -> Upstream {
        Upstream::scripted(script::honest).await
    }

    /// As [`Upstream::recording`], where the name `localhost` leads.
    pub async fn at_localhost() -> Upstream {
        Upstream::listening(Ipv4Addr::LOCALHOST.into(), Arc::new(script::honest), None).await
    }

    /// Does what `handler` says for each request.
    pub async fn scripted(handler: impl Fn(&Recorded) -> Script + Send + Sync + 'static) -> Upstream {
        Upstream::listening(address::loopback(), Arc::new(handler), None).await
    }

    /// As [`Upstream::scripted`], behind TLS.
    pub async fn tls(
        acceptor: TlsAcceptor,
        handler: impl Fn(&Recorded) -> Script + Send + Sync + 'static,
    ) -> Upstream {
        Upstream::listening(address::loopback(), Arc::new(handler), Some(acceptor)).await
    }

    /// Answers every request with the same steps.
    pub async fn always(script: Script) -> Upstream {
        Upstream::scripted(move |_| script.clone()).await
    }

    async fn listening(ip: IpAddr, handler: Handler, acceptor: Option<TlsAcceptor>) -> Upstream {
        let listener = TcpListener::bind((ip, 0)).await.expect("a loopback address can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        let log = Arc::new(Mutex::new(Log::default()));
        let task = tokio::spawn(accept(listener, handler, acceptor, log.clone()));
        Upstream { address, log, task }
    }

    /// Every request so far, in order of arrival, unfinished ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.log.lock().expect("no writer panics").requests.clone()
    }

    /// Every connection so far.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        self.log.lock().expect("no writer panics").connections.clone()
    }

    /// `METHOD target` of every request so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Recorded::line).collect()
    }

    /// The last request.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn last(&self) -> Recorded {
        self.requests().pop().expect("the upstream saw a request")
    }

    /// Waits until so many requests arrived whole.
    pub async fn seen(&self, count: usize) {
        eventually(&format!("the upstream has seen {count} whole requests"), || {
            self.requests().iter().filter(|request| request.complete).count() >= count
        })
        .await;
    }

    /// Checks that every byte on every connection belongs to a request and none is malformed. What is found is
    /// told once, so that in a table the vector is blamed that caused it and not those behind it.
    ///
    /// # Errors
    /// What a strict upstream found.
    pub fn exact(&self) -> Result<(), String> {
        let mut log = self.log.lock().expect("no writer panics");
        for (number, connection) in log.connections.iter_mut().enumerate() {
            if let Some(flaw) = connection.flaw.take() {
                return Err(format!("upstream connection {number}: {flaw}"));
            }
            if !connection.leftover.is_empty() {
                let left = String::from_utf8_lossy(&std::mem::take(&mut connection.leftover)).into_owned();
                return Err(format!("upstream connection {number}: bytes of no request: {left:?}"));
            }
        }
        Ok(())
    }
}

async fn accept(
    listener: TcpListener,
    handler: Handler,
    acceptor: Option<TlsAcceptor>,
    log: Arc<Mutex<Log>>,
) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let number = {
            let mut log = log.lock().expect("no writer panics");
            log.connections.push(Connection::default());
            log.connections.len() - 1
        };
        connections.spawn(serve(stream, acceptor.clone(), number, handler.clone(), log.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    number: usize,
    handler: Handler,
    log: Arc<Mutex<Log>>,
) {
    let raw = reset_handle(&stream);
    let stream: Box<dyn Duplex> = match acceptor {
        None => Box::new(stream),
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let shown = shown.map(|leaf| leaf.to_vec());
                log.lock().expect("no writer panics").connections[number].certificate = shown;
                Box::new(stream)
            }
            Err(failure) => {
                let mut log = log.lock().expect("no writer panics");
                log.connections[number].flaw = Some(format!("TLS: {failure}"));
                return;
            }
        },
    };
    let mut session = Session { stream, raw, number, log, unread: Vec::new(), received: 0 };
    let flaw = session.run(&handler).await.err();
    let mut log = session.log.lock().expect("no writer panics");
    let connection = &mut log.connections[number];
    if flaw.is_none() {
        connection.leftover = std::mem::take(&mut session.unread);
    }
    connection.flaw = flaw;
    connection.ended = true;
}

/// A second handle on the socket, to make its close a reset whatever wraps it.
fn reset_handle(stream: &TcpStream) -> Option<socket2::Socket> {
    socket2::SockRef::from(stream).try_clone().ok()
}

struct Session {
    stream: Box<dyn Duplex>,
    raw: Option<socket2::Socket>,
    number: usize,
    log: Arc<Mutex<Log>>,
    /// Bytes received that belong to no request yet.
    unread: Vec<u8>,
    /// Bytes received in all.
    received: usize,
}

/// Whether the connection goes on after a script.
#[derive(PartialEq, Eq)]
enum Next {
    Request,
    End,
}

impl Session {
    async fn run(&mut self, handler: &Handler) -> Result<(), String> {
        loop {
            let Some((mut request, body, length)) = self.head().await? else { return Ok(()) };
            request.connection = self.number;
            let start = self.received - self.unread.len();
            self.unread.drain(..length);
            request.range = (start, start + length);
            request.complete = body == Body::None;
            let index = {
                let mut log = self.log.lock().expect("no writer panics");
                log.requests.push(request.clone());
                log.requests.len() - 1
            };
            if self.play(handler(&request), body, index).await? == Next::End {
                return Ok(());
            }
        }
    }

    async fn head(&mut self) -> Result<Option<(Recorded, Body, usize)>, String> {
        loop {
            if let Some(found) = reader::head(&self.unread)? {
                return Ok(Some(found));
            }
            if self.fill().await == 0 {
                return Ok(None);
            }
        }
    }

    async fn play(&mut self, script: Script, body: Body, index: usize) -> Result<Next, String> {
        let mut body = Some(body);
        for step in script {
            match step {
                Step::ReadBody => self.body(body.take(), index).await?,
                Step::ForgetBody => body = None,
                Step::Send(bytes) => self.send(&bytes).await,
                Step::Repeat(bytes, times) => {
                    for _ in 0..times {
                        self.send(&bytes).await;
                    }
                }
                Step::Wait(gate) => gate.passed().await,
                Step::Open(gate) => gate.open(),
                Step::Close => {
                    self.leave_body(body);
                    let _ = self.stream.shutdown().await;
                    return Ok(Next::End);
                }
                Step::Reset => {
                    self.leave_body(body);
                    self.raw.take().inspect(reset_on_close);
                    return Ok(Next::End);
                }
                Step::Hang => {
                    while self.fill().await > 0 {}
                    self.leave_body(body);
                    return Ok(Next::End);
                }
                Step::Echo => return Ok(self.echo().await),
            }
        }
        self.body(body.take(), index).await.map(|()| Next::Request)
    }

    /// What has arrived of a body that the script never read is no leftover.
    fn leave_body(&mut self, body: Option<Body>) {
        if !matches!(body, None | Some(Body::None)) {
            self.unread.clear();
        }
    }

    async fn body(&mut self, body: Option<Body>, index: usize) -> Result<(), String> {
        let Some(body) = body else { return Ok(()) };
        loop {
            let mut request = self.log.lock().expect("no writer panics").requests[index].clone();
            let taken = reader::body(&self.unread, body, &mut request)?;
            request.complete = taken.is_some();
            if let Some(taken) = taken {
                self.unread.drain(..taken);
                request.range.1 = self.received - self.unread.len();
            }
            self.log.lock().expect("no writer panics").requests[index] = request;
            if taken.is_some() {
                return Ok(());
            }
            if self.fill().await == 0 {
                self.unread.clear(); // They are the beginning of this request's body, which is marked incomplete.
                return Ok(());
            }
        }
    }

    async fn echo(&mut self) -> Next {
        loop {
            let bytes = std::mem::take(&mut self.unread);
            self.send(&bytes).await;
            if self.fill().await == 0 {
                let _ = self.stream.shutdown().await;
                return Next::End;
            }
        }
    }

    /// A peer that is gone is not the upstream's problem: the spec sees it at the client.
    async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    async fn fill(&mut self) -> usize {
        let before = self.unread.len();
        let count = self.stream.read_buf(&mut self.unread).await.unwrap_or(0);
        let new = &self.unread[before..];
        self.log.lock().expect("no writer panics").connections[self.number].bytes.extend_from_slice(new);
        self.received += count;
        count
    }
}
