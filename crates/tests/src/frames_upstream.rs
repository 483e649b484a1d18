//! An upstream that writes HTTP/2 frames one by one, lawful or not.
//!
//! The library of the other HTTP/2 upstream would refuse to send what a broken or hostile server sends. Of the
//! requests only the numbers of their streams are understood: what they say is other specs' business.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::address;
use crate::frames::{END_HEADERS, END_STREAM, frame, kind};
use crate::hpack;

/// What the upstream does when the head of a request has come, in order.
#[derive(Clone, Debug)]
pub enum Act {
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Writes these bytes again and again, until the gateway takes no more.
    Flood(Vec<u8>),
    /// Closes the connection in good order.
    Close,
}

/// One request as it came: nothing but where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Number of the connection, from 0 in order of acceptance.
    pub connection: usize,
    /// Number of the stream.
    pub stream: u32,
}

type Handler = Arc<dyn Fn(Arrival) -> Vec<Act> + Send + Sync>;

/// An upstream of frames. Dropping it closes everything.
pub struct FrameUpstream {
    /// Where it listens.
    pub address: SocketAddr,
    log: Arc<Mutex<Vec<Arrival>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FrameUpstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FrameUpstream {
    /// Does what `handler` says for each request.
    ///
    /// # Panics
    /// When no loopback address can be bound.
    pub async fn acting(handler: impl Fn(Arrival) -> Vec<Act> + Send + Sync + 'static) -> FrameUpstream {
        let listener =
            TcpListener::bind((address::loopback(), 0)).await.expect("a loopback address can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        let log = Arc::default();
        let task = tokio::spawn(accept(listener, Arc::new(handler), Arc::clone(&log)));
        FrameUpstream { address, log, task }
    }

    /// Every request so far.
    ///
    /// # Panics
    /// When a writer has.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.log.lock().expect("no writer panics").clone()
    }
}

async fn accept(listener: TcpListener, handler: Handler, log: Arc<Mutex<Vec<Arrival>>>) {
    let mut connections = tokio::task::JoinSet::new();
    let mut number = 0;
    while let Ok((stream, _)) = listener.accept().await {
        let (handler, log) = (handler.clone(), log.clone());
        connections.spawn(async move {
            // A gateway that gives up shows in what it answers.
            let _ = serve(stream, number, &handler, &log).await;
        });
        number += 1;
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    handler: &Handler,
    log: &Mutex<Vec<Arrival>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    stream.write_all(&frame(kind::SETTINGS, 0, 0, &[])).await?;
    let mut payload = Vec::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        payload.resize(u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize, 0);
        stream.read_exact(&mut payload).await?;
        let number = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        match head[3] {
            kind::SETTINGS if head[4] & END_STREAM == 0 => {
                stream.write_all(&frame(kind::SETTINGS, END_STREAM, 0, &[])).await?;
            }
            kind::HEADERS => {
                let arrival = Arrival { connection, stream: number };
                log.lock().expect("no writer panics").push(arrival);
                for act in handler(arrival) {
                    match act {
                        Act::Send(bytes) => stream.write_all(&bytes).await?,
                        Act::Flood(bytes) => loop {
                            stream.write_all(&bytes).await?;
                        },
                        Act::Close => return stream.shutdown().await,
                    }
                }
            }
            _ => {}
        }
    }
}

/// The head of a response without an end.
#[must_use]
pub fn head(stream: u32, status: &str) -> Vec<u8> {
    frame(kind::HEADERS, END_HEADERS, stream, &hpack::literals(&[(b":status", status.as_bytes())]))
}

/// A whole response with this body.
#[must_use]
pub fn whole(stream: u32, body: &[u8]) -> Vec<u8> {
    [head(stream, "200"), frame(kind::DATA, END_STREAM, stream, body)].concat()
}

/// A GOAWAY that names the last stream that was or may be processed.
#[must_use]
pub fn go_away(last: u32, code: u32) -> Vec<u8> {
    frame(kind::GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

/// A reset of a stream.
#[must_use]
pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &code.to_be_bytes())
}
