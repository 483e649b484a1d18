//! A client that writes exactly the bytes it is given and reads strictly what comes back.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::{self, Answer, Ending};
use crate::reader;
use crate::recorded::Recorded;
use crate::until::within;

/// Any byte stream: plain or TLS.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// Makes the close of a socket a reset instead of an orderly end.
pub fn reset_on_close(socket: &socket2::Socket) {
    let _ = socket.set_linger(Some(std::time::Duration::ZERO));
}

/// One client connection.
pub struct RawClient {
    stream: Box<dyn Duplex>,
    socket: Option<socket2::Socket>,
    unread: Vec<u8>,
    ended: bool,
}

impl RawClient {
    /// Connects in the clear.
    ///
    /// # Panics
    /// When the connection is not accepted.
    pub async fn connect(address: SocketAddr) -> RawClient {
        RawClient::try_connect(address).await.expect("the gateway accepts a connection")
    }

    /// Connects in the clear.
    ///
    /// # Errors
    /// When the connection is not accepted.
    pub async fn try_connect(address: SocketAddr) -> Result<RawClient, String> {
        let stream = within("a connection", TcpStream::connect(address)).await?;
        let stream = stream.map_err(|failure| format!("connect {address}: {failure}"))?;
        stream.set_nodelay(true).map_err(|failure| failure.to_string())?;
        let socket = socket2::SockRef::from(&stream).try_clone().ok();
        Ok(RawClient { stream: Box::new(stream), socket, unread: Vec::new(), ended: false })
    }

    /// Speaks over a stream that is already open, for example TLS.
    #[must_use]
    pub fn over(stream: impl Duplex + 'static) -> RawClient {
        RawClient { stream: Box::new(stream), socket: None, unread: Vec::new(), ended: false }
    }

    /// Makes the kernel buffer few bytes for us, so that a reader that does not read is felt soon.
    pub fn shrink_receive_buffer(&self) {
        if let Some(socket) = &self.socket {
            let _ = socket.set_recv_buffer_size(4096);
        }
    }

    /// Writes bytes. That the peer may have closed already shows when its answer is read.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.try_send(bytes).await;
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// When the peer does not take them.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), String> {
        let writing = async {
            self.stream.write_all(bytes.as_ref()).await?;
            self.stream.flush().await
        };
        within("the peer to take bytes", writing).await?.map_err(|failure| format!("write: {failure}"))
    }

    /// Writes bytes with a bound of its own, for peers that are expected to stop taking them.
    ///
    /// # Errors
    /// When the peer does not take them in time.
    pub async fn try_send_within(
        &mut self,
        bytes: &[u8],
        patience: std::time::Duration,
    ) -> Result<(), String> {
        let written =
            crate::until::within_time(patience, "the peer to take bytes", self.stream.write_all(bytes))
                .await?;
        written.map_err(|failure| format!("write: {failure}"))
    }

    /// Waits until the text has arrived somewhere in what is not yet read; nothing is taken.
    ///
    /// # Errors
    /// When it does not arrive.
    pub async fn peek_for(&mut self, text: &str) -> Result<(), String> {
        while !String::from_utf8_lossy(&self.unread).contains(text) {
            if !self.fill(text).await? {
                return Err(format!("the connection ended before `{text}`"));
            }
        }
        Ok(())
    }

    /// Writes each piece with a write of its own.
    pub async fn send_pieces(&mut self, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        for piece in pieces {
            self.send(piece).await;
            tokio::task::yield_now().await;
        }
    }

    /// Writes bytes after a pause, as a client does that wants to hold a connection for ever.
    ///
    /// # Errors
    /// When the peer has ended the connection.
    pub async fn drip(&mut self, bytes: &[u8], pause: std::time::Duration) -> Result<(), String> {
        let ended = tokio::time::timeout(pause, self.stream.read_buf(&mut self.unread)).await;
        if matches!(ended, Ok(Ok(0) | Err(_))) {
            self.ended = true;
            return Err("the peer ended the connection".to_owned());
        }
        self.try_send(bytes).await
    }

    /// Ends our direction; the other stays open.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Ends the connection with a reset.
    pub fn reset(mut self) {
        self.socket.take().inspect(reset_on_close);
    }

    /// The next final response to a request other than HEAD.
    ///
    /// # Errors
    /// When none comes whole, or a strict client would not accept it.
    pub async fn try_answer(&mut self) -> Result<Answer, String> {
        self.try_answer_to("GET").await
    }

    /// The next final response.
    ///
    /// # Panics
    /// When none comes whole, or a strict client would not accept it.
    pub async fn answer(&mut self) -> Answer {
        self.answer_to("GET").await
    }

    /// The next final response to `method`.
    ///
    /// # Panics
    /// When none comes whole, or a strict client would not accept it.
    pub async fn answer_to(&mut self, method: &str) -> Answer {
        match self.try_answer_to(method).await {
            Ok(answer) => answer,
            Err(problem) => panic!("no answer: {problem}"),
        }
    }

    /// The next final response to `method`.
    ///
    /// # Errors
    /// When none comes whole, or a strict client would not accept it.
    pub async fn try_answer_to(&mut self, method: &str) -> Result<Answer, String> {
        let mut interim = Vec::new();
        loop {
            let (mut answer, ending) = self.try_head(method).await?;
            if matches!(answer.status, 100 | 102..=199) {
                interim.push(answer.status);
                continue;
            }
            answer.interim = interim;
            self.rest(&mut answer, ending).await?;
            return Ok(answer);
        }
    }

    /// The next response head, interim ones included; its body stays to be read.
    ///
    /// # Errors
    /// When none comes whole, or a strict client would not accept it.
    pub async fn try_head(&mut self, method: &str) -> Result<(Answer, Ending), String> {
        loop {
            if let Some((answer, ending, length)) = answer::head(&self.unread, method)? {
                self.unread.drain(..length);
                return Ok((answer, ending));
            }
            if !self.fill("a response head").await? {
                let got = String::from_utf8_lossy(&self.unread).into_owned();
                return Err(format!("the connection ended before a whole response head; got {got:?}"));
            }
        }
    }

    /// Reads the body that follows a head.
    ///
    /// # Errors
    /// When it does not end as its framing says.
    pub async fn rest(&mut self, answer: &mut Answer, ending: Ending) -> Result<(), String> {
        let framing = match ending {
            Ending::None => reader::Body::None,
            Ending::Length(length) => reader::Body::Length(length),
            Ending::Chunked => reader::Body::Chunked,
            Ending::Close => {
                answer.body = self.until_closed().await?;
                answer.complete = true;
                return Ok(());
            }
        };
        loop {
            let mut seen = Recorded::default();
            if let Some(length) = reader::body(&self.unread, framing, &mut seen)? {
                self.unread.drain(..length);
                (answer.body, answer.trailers, answer.complete) = (seen.body, seen.trailers, true);
                return Ok(());
            }
            if !self.fill("the rest of a response body").await? {
                let seen = seen.body.len();
                return Err(format!(
                    "status {}: the body ended after {seen} bytes, too early",
                    answer.status
                ));
            }
        }
    }

    /// Exactly `count` raw bytes.
    ///
    /// # Errors
    /// When fewer come.
    pub async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, String> {
        while self.unread.len() < count {
            if !self.fill("more bytes").await? {
                return Err(format!("the connection ended after {} of {count} bytes", self.unread.len()));
            }
        }
        Ok(self.unread.drain(..count).collect())
    }

    /// Raw bytes until the connection ends; an end by reset counts as one.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn until_closed(&mut self) -> Result<Vec<u8>, String> {
        while self.fill("the end of the connection").await? {}
        Ok(std::mem::take(&mut self.unread))
    }

    /// Checks that nothing more comes and the connection ends.
    ///
    /// # Errors
    /// When bytes come or it stays open.
    pub async fn closes(&mut self) -> Result<(), String> {
        let rest = self.until_closed().await?;
        if rest.is_empty() {
            return Ok(());
        }
        Err(format!("more came before the end: {:?}", String::from_utf8_lossy(&rest)))
    }

    /// Waits for the end of the connection with a bound of its own, whatever comes before it.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn try_closed_within(&mut self, patience: std::time::Duration) -> Result<(), String> {
        let reading =
            async { while !matches!(self.stream.read_buf(&mut self.unread).await, Ok(0) | Err(_)) {} };
        crate::until::within_time(patience, "the end of the connection", reading).await
    }

    /// The next answer, or `None` when the connection ends without one.
    pub async fn until_closed_or_answer(&mut self) -> Option<Answer> {
        self.try_answer().await.ok()
    }

    /// Reads what is there; `false` at the end of the connection.
    async fn fill(&mut self, what: &str) -> Result<bool, String> {
        if !self.ended {
            let read = within(what, self.stream.read_buf(&mut self.unread)).await;
            let read = read.map_err(|problem| {
                let got = String::from_utf8_lossy(&self.unread[..self.unread.len().min(300)]).into_owned();
                format!("{problem}; got so far {got:?}")
            })?;
            self.ended = matches!(read, Ok(0) | Err(_));
        }
        Ok(!self.ended)
    }
}

/// One request on a connection of its own.
///
/// # Errors
/// When no whole answer comes.
pub async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> Result<Answer, String> {
    let mut client = RawClient::try_connect(address).await?;
    client.send(request).await;
    client.try_answer().await
}

/// The bytes of a plain GET with more header lines (each ending in CRLF) if wanted.
#[must_use]
pub fn get(host: &str, target: &str, more: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")
}

/// The answer to a plain GET.
///
/// # Panics
/// When none comes whole.
pub async fn fetch(address: SocketAddr, host: &str, target: &str) -> Answer {
    fetch_with(address, host, target, "").await
}

/// The answer to a GET with more header lines.
///
/// # Panics
/// When none comes whole.
pub async fn fetch_with(address: SocketAddr, host: &str, target: &str, more: &str) -> Answer {
    match exchange(address, get(host, target, more)).await {
        Ok(answer) => answer,
        Err(problem) => panic!("GET {host}{target}: {problem}"),
    }
}
