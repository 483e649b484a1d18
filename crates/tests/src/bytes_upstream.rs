//! An upstream for connections that carry bytes: it hands each one to the spec as it is, and does nothing by itself.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::address;
use crate::until::within;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order.
    Orderly,
    /// By a reset.
    Reset,
}

/// A listener whose connections the spec plays itself.
#[derive(Debug)]
pub struct BytesUpstream {
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
}

impl BytesUpstream {
    /// Listens on an address of its own.
    ///
    /// # Panics
    /// When no loopback address can be bound.
    pub async fn new() -> BytesUpstream {
        let listener =
            TcpListener::bind((address::loopback(), 0)).await.expect("a loopback address can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        BytesUpstream { address, listener }
    }

    /// The next connection.
    ///
    /// # Panics
    /// When none comes.
    pub async fn accepted(&self) -> TcpStream {
        let accepted = within("a connection to come", self.listener.accept()).await;
        let (stream, _) = accepted.unwrap_or_else(|problem| panic!("{problem}")).expect("a connection");
        stream
    }

    /// From now on says one byte on each connection and closes it when the other side has.
    #[must_use]
    pub fn saying(self, byte: u8) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = self.listener.accept().await {
                tokio::spawn(async move {
                    let _ = stream.write_all(&[byte]).await;
                    let _ = stream.read(&mut [0]).await;
                });
            }
        })
    }
}

/// Connects a client.
///
/// # Panics
/// When the connection is refused.
pub async fn connect(address: SocketAddr) -> TcpStream {
    let connected = within("a connection", TcpStream::connect(address)).await;
    connected.unwrap_or_else(|problem| panic!("{problem}")).expect("the gateway listens")
}

/// What a client hears first from whoever is behind an address; `None` when it is reset, be it before it has heard that
/// it was connected.
///
/// # Panics
/// When nothing happens, or the connection ends in order.
pub async fn first_byte(address: SocketAddr) -> Option<u8> {
    let hearing = async {
        let mut byte = [0];
        TcpStream::connect(address).await?.read_exact(&mut byte).await?;
        Ok::<u8, std::io::Error>(byte[0])
    };
    let heard = within("a first byte", hearing).await.unwrap_or_else(|problem| panic!("{problem}"));
    match heard {
        Ok(byte) => Some(byte),
        Err(failure) if failure.kind() == std::io::ErrorKind::ConnectionReset => None,
        Err(failure) => panic!("{failure}"),
    }
}

/// Sends a text one way and checks that it arrives.
///
/// # Panics
/// When it does not.
pub async fn say(from: &mut TcpStream, to: &mut TcpStream, text: &str) {
    from.write_all(text.as_bytes()).await.expect("the connection takes bytes");
    let mut got = vec![0; text.len()];
    let read = within(text, to.read_exact(&mut got)).await.unwrap_or_else(|problem| panic!("{problem}"));
    read.unwrap_or_else(|failure| panic!("{text} did not arrive: {failure}"));
    assert_eq!(String::from_utf8_lossy(&got), text);
}

/// Waits for the end of what the other side sends; nothing more may come before it.
///
/// # Panics
/// When bytes come, or no end.
pub async fn ending(stream: &mut TcpStream) -> Ending {
    let mut byte = [0];
    let read = within("the connection to end", stream.read(&mut byte)).await;
    match read.unwrap_or_else(|problem| panic!("{problem}")) {
        Ok(0) => Ending::Orderly,
        Ok(_) => panic!("`{}` came instead of the end", byte.escape_ascii()),
        Err(_) => Ending::Reset,
    }
}

/// Ends a connection by a reset.
///
/// # Panics
/// When the socket is gone.
pub fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
    drop(stream);
}
