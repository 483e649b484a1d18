//! A lawful HTTP/2 client, over the `h2` library.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::client::Duplex;
use crate::until::within;

/// One HTTP/2 connection.
pub struct H2Client {
    requests: SendRequest<Bytes>,
    connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Drop for H2Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl H2Client {
    /// Connects with prior knowledge (h2c).
    ///
    /// # Panics
    /// When the connection or its handshake fails.
    pub async fn connect(address: SocketAddr) -> H2Client {
        let stream = TcpStream::connect(address).await.expect("the gateway accepts a connection");
        stream.set_nodelay(true).expect("a fresh socket takes options");
        H2Client::over(stream).await
    }

    /// Speaks over an open stream.
    ///
    /// # Panics
    /// When the handshake fails.
    pub async fn over(stream: impl Duplex + 'static) -> H2Client {
        let (requests, connection) =
            h2::client::handshake(stream).await.expect("the HTTP/2 handshake succeeds");
        H2Client { requests, connection: tokio::spawn(connection) }
    }

    /// Sends a head; with `end`, that is the whole request.
    ///
    /// # Errors
    /// When the connection takes no more requests.
    pub async fn open(
        &mut self,
        request: Request<()>,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), String> {
        let ready = within("room for a stream", self.requests.clone().ready()).await?;
        let mut ready = ready.map_err(|failure| failure.to_string())?;
        ready.send_request(request, end).map_err(|failure| failure.to_string())
    }

    /// A whole exchange.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn exchange(
        &mut self,
        request: Request<()>,
        body: &[u8],
        trailers: Option<HeaderMap>,
    ) -> Result<Answer, String> {
        let (response, mut sending) = self.open(request, body.is_empty() && trailers.is_none()).await?;
        if !body.is_empty() {
            let body = Bytes::copy_from_slice(body);
            sending.send_data(body, trailers.is_none()).map_err(|failure| failure.to_string())?;
        }
        if let Some(trailers) = trailers {
            sending.send_trailers(trailers).map_err(|failure| failure.to_string())?;
        }
        whole(response).await
    }

    /// A GET.
    ///
    /// # Panics
    /// When the stream fails.
    pub async fn get(&mut self, host: &str, target: &str) -> Answer {
        let answer = self.exchange(request("GET", host, target), &[], None).await;
        answer.unwrap_or_else(|problem| panic!("GET {host}{target}: {problem}"))
    }

    /// Waits for the connection to end; `true` when it ended in good order.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn ended(&mut self) -> Result<bool, String> {
        let ended = within("the connection to end", &mut self.connection).await?;
        Ok(matches!(ended, Ok(Ok(()))))
    }
}

/// A request head without a body.
///
/// # Panics
/// When host or target cannot stand in a URL.
#[must_use]
pub fn request(method: &str, host: &str, target: &str) -> Request<()> {
    let url = format!("http://{host}{target}");
    Request::builder().method(method).uri(url).body(()).expect("specs use valid URLs")
}

/// The whole response.
///
/// # Errors
/// When the stream fails.
pub async fn whole(response: ResponseFuture) -> Result<Answer, String> {
    let response = within("a response head", response).await?.map_err(|failure| failure.to_string())?;
    let (head, mut body) = response.into_parts();
    let mut answer =
        Answer { status: head.status.as_u16(), headers: pairs(&head.headers), ..Answer::default() };
    while let Some(data) = piece(&mut body).await? {
        answer.body.extend_from_slice(&data);
    }
    let trailers = within("trailers", body.trailers()).await?.map_err(|failure| failure.to_string())?;
    answer.trailers = trailers.map(|trailers| pairs(&trailers)).unwrap_or_default();
    answer.complete = true;
    Ok(answer)
}

/// The next piece of a body; `None` at its end.
///
/// # Errors
/// When the stream fails or nothing comes.
pub async fn piece(body: &mut RecvStream) -> Result<Option<Bytes>, String> {
    let Some(data) = within("a piece of a body", body.data()).await? else { return Ok(None) };
    let data = data.map_err(|failure| failure.to_string())?;
    let _ = body.flow_control().release_capacity(data.len());
    Ok(Some(data))
}

/// Fields as pairs of text.
#[must_use]
pub fn pairs(fields: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    fields.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
