//! A resolver for one application: names of the mesh lead to its sidecar, all others where they always did.
//!
//! It listens on the loopback only, over UDP and TCP (RFC 7766), answers from memory and keeps nothing. What it says is
//! decided in [`answer`], whom else it asks in [`forward`].

pub mod answer;
pub mod forward;
pub mod limits;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hickory_proto::op::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::names::Names;
use answer::Outcome;
use forward::{Forward, Others, Transport};
use limits::{ANSWER_BYTES_MAX, CONNECTION_IDLE, CONNECTIONS_MAX, QUESTION_BYTES_MAX};

/// How often another port is tried when any will do and TCP has it taken.
const TRIES: usize = 16;

/// A resolver that has its sockets and answers nothing yet.
#[derive(Debug)]
pub struct Resolver {
    udp: UdpSocket,
    tcp: TcpListener,
    answering: Answering,
}

#[derive(Clone, Debug)]
struct Answering {
    names: watch::Receiver<Arc<Names>>,
    forward: Arc<Forward>,
}

impl Resolver {
    /// Takes an address, the same for UDP and TCP. Port 0 is any that both have free.
    ///
    /// # Errors
    /// The address is in use, or needs a privilege.
    pub async fn bind(
        address: SocketAddr,
        others: Others,
        names: watch::Receiver<Arc<Names>>,
    ) -> io::Result<Resolver> {
        let (udp, tcp) = sockets(address).await?;
        let forward = Arc::new(Forward::new(others, udp.local_addr()?));
        Ok(Resolver { udp, tcp, answering: Answering { names, forward } })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Answers for as long as it is polled. Needs a [`tokio::task::LocalSet`] or local runtime.
    pub async fn run(self) {
        let Resolver { udp, tcp, answering } = self;
        tokio::join!(datagrams(Arc::new(udp), answering.clone()), connections(tcp, answering));
    }
}

async fn sockets(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if address.port() == 0 => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

async fn datagrams(socket: Arc<UdpSocket>, answering: Answering) {
    let mut buffer = vec![0; QUESTION_BYTES_MAX];
    loop {
        // What fails here is what came before: that an earlier answer met a closed port.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        let question = buffer[..length].to_vec();
        let (socket, answering) = (socket.clone(), answering.clone());
        let answer = async move {
            if let Some(answer) = answering.answer(question, Transport::Udp).await {
                let _ = socket.send_to(&answer, from).await; // Whoever asked may be gone.
            }
        };
        tokio::task::spawn(answer);
    }
}

async fn connections(listener: TcpListener, answering: Answering) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let Ok(room) = room.clone().try_acquire_owned() else { continue };
        let answering = answering.clone();
        tokio::task::spawn(async move {
            let _ended = converse(stream, &answering).await; // A client that breaks off concerns nobody else.
            drop(room);
        });
    }
}

async fn converse(mut stream: TcpStream, answering: &Answering) -> io::Result<()> {
    loop {
        let length = usize::from(timeout(CONNECTION_IDLE, stream.read_u16()).await??);
        if length > QUESTION_BYTES_MAX {
            return Ok(());
        }
        let mut question = vec![0; length];
        timeout(CONNECTION_IDLE, stream.read_exact(&mut question)).await??;
        let Some(answer) = answering.answer(question, Transport::Tcp).await else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes(), answer.as_slice()].concat();
        timeout(CONNECTION_IDLE, stream.write_all(&framed)).await??;
    }
}

impl Answering {
    async fn answer(&self, bytes: Vec<u8>, transport: Transport) -> Option<Vec<u8>> {
        let Ok(question) = Message::from_vec(&bytes) else {
            return answer::unreadable(&bytes)?.to_vec().ok();
        };
        if question.metadata.message_type == hickory_proto::op::MessageType::Response {
            return None;
        }
        let names = self.names.borrow().clone();
        let answer = match answer::decide(&question, &names, self.forward.asks()) {
            Outcome::Answer(answer) => *answer,
            Outcome::Forward => match self.forward.ask(&question, &bytes, transport).await {
                Some(answer) => return Some(answer),
                None => answer::failed(&question),
            },
        };
        let written = answer.to_vec().ok()?;
        let fits = usize::from(question.max_payload().min(ANSWER_BYTES_MAX));
        match transport {
            Transport::Udp if written.len() > fits => answer.truncate().to_vec().ok(),
            Transport::Udp | Transport::Tcp => Some(written),
        }
    }
}
