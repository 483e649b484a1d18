//! Questions that are not ours go to the name servers of the system, as they came.
//!
//! The bytes are passed on and not rebuilt, so that options and types that nobody here knows survive. Each question
//! goes out with a number and a port of its own, and only an answer that repeats both and the question is believed
//! (RFC 5452). Nothing is kept: whoever answers keeps it already.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use hickory_proto::op::{Message, MessageType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::limits::{ANSWER_WITHIN, FORWARDED_MAX, SERVERS_ASKED_MAX, SERVERS_BELIEVED};

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Others {
    /// The name servers that a file of the form of `/etc/resolv.conf` lists, as it is now.
    Listed(PathBuf),
    /// These.
    Servers(Vec<SocketAddr>),
    /// Nobody: what is not ours is refused.
    Nobody,
}

/// How a question came, and so how it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram.
    Udp,
    /// Over a connection.
    Tcp,
}

/// Asks others.
#[derive(Debug)]
pub struct Forward {
    others: Others,
    /// Where we listen ourselves, which is not asked.
    own: SocketAddr,
    room: Semaphore,
    listed: Mutex<Option<(Instant, Vec<SocketAddr>)>>,
}

impl Forward {
    /// Asks these others, but never `own`.
    #[must_use]
    pub fn new(others: Others, own: SocketAddr) -> Forward {
        Forward { others, own, room: Semaphore::new(FORWARDED_MAX), listed: Mutex::default() }
    }

    /// Whether anybody is asked at all.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.others != Others::Nobody
    }

    /// The answer of the first server that gives one; `None` when none does, or too many questions are under way.
    pub async fn ask(&self, question: &Message, bytes: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let _room = self.room.try_acquire().ok()?;
        for server in self.servers().await {
            let asked = async {
                match transport {
                    Transport::Udp => over_udp(server, question, bytes).await,
                    Transport::Tcp => over_tcp(server, question, bytes).await,
                }
            };
            if let Ok(Ok(answer)) = timeout(ANSWER_WITHIN, asked).await {
                return Some(answer);
            }
        }
        None
    }

    async fn servers(&self) -> Vec<SocketAddr> {
        let mut servers = match &self.others {
            Others::Nobody => Vec::new(),
            Others::Servers(servers) => servers.clone(),
            Others::Listed(path) => match self.known() {
                Some(servers) => servers,
                None => {
                    let servers = listed(&tokio::fs::read_to_string(path).await.unwrap_or_default());
                    *self.listed.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some((Instant::now(), servers.clone()));
                    servers
                }
            },
        };
        servers.retain(|server| *server != self.own);
        servers.truncate(SERVERS_ASKED_MAX);
        servers
    }

    fn known(&self) -> Option<Vec<SocketAddr>> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, servers) = listed.as_ref()?;
        (read.elapsed() < SERVERS_BELIEVED).then(|| servers.clone())
    }
}

/// The `nameserver` lines of a resolv.conf(5). Without any it is this machine, as the manual says.
fn listed(text: &str) -> Vec<SocketAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some("nameserver")
            && let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok())
        {
            servers.push(SocketAddr::new(address, 53));
        }
    }
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, 53).into());
    }
    servers
}

async fn over_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let (id, renumbered) = renumbered(bytes);
    socket.send(&renumbered).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = believed(&buffer[..length], id, question) {
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let (id, renumbered) = renumbered(bytes);
    let length = u16::try_from(renumbered.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), renumbered.as_slice()].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    believed(&answer, id, question).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The same question under a number that nobody else can know.
fn renumbered(bytes: &[u8]) -> (u16, Vec<u8>) {
    let id = Message::query().metadata.id;
    (id, numbered(bytes, id))
}

fn numbered(bytes: &[u8], id: u16) -> Vec<u8> {
    let mut numbered = bytes.to_vec();
    if let Some(place) = numbered.get_mut(..2) {
        place.copy_from_slice(&id.to_be_bytes());
    }
    numbered
}

/// An answer to our question, under the number that the one who asked gave it.
fn believed(answer: &[u8], id: u16, question: &Message) -> Option<Vec<u8>> {
    let read = Message::from_vec(answer).ok()?;
    let is_ours = read.metadata.id == id
        && read.metadata.message_type == MessageType::Response
        && (read.queries == question.queries || read.queries.is_empty());
    is_ours.then(|| numbered(answer, question.metadata.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_the_manual_says() {
        let text =
            "# comment\nnameserver 10.0.0.2\n nameserver fd00::1\nsearch a b\nnameserver fe80::1%eth0\n";
        assert_eq!(listed(text), ["10.0.0.2:53".parse().expect("one"), "[fd00::1]:53".parse().expect("two")]);
        assert_eq!(listed(""), ["127.0.0.1:53".parse().expect("this machine")]);
    }

    #[tokio::test]
    async fn we_do_not_ask_ourselves() {
        let own = "127.0.0.1:53".parse().expect("an address");
        let forward = Forward::new(Others::Servers(vec![own]), own);
        assert!(forward.servers().await.is_empty());
    }
}
