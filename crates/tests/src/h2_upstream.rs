//! An HTTP/2 upstream that remembers requests, over the `h2` library.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::address;
use crate::client::Duplex;
use crate::gate::Gate;
use crate::h2_client::{pairs, piece};
use crate::recorded::Recorded;
use crate::until::eventually;

/// What the upstream does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Reads the request, then answers with these fields, this body and these trailers.
    Whole {
        /// Status.
        status: u16,
        /// Fields.
        headers: Vec<(&'static str, String)>,
        /// Body.
        body: Vec<u8>,
        /// Trailers; none when empty.
        trailers: Vec<(&'static str, &'static str)>,
    },
    /// Answers at once and sends every piece back as it comes, then these trailers.
    Echo {
        /// Content type of the answer.
        kind: &'static str,
        /// Trailers.
        trailers: Vec<(&'static str, &'static str)>,
    },
    /// Answers at once with the head and holds body and end back until the gate opens.
    Hold(Gate),
    /// Resets the stream.
    Reset(Reason),
}

/// A recording HTTP/2 upstream. Dropping it closes everything.
pub struct H2Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    log: Arc<Mutex<Vec<Recorded>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for H2Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Handler = Arc<dyn Fn(&Recorded) -> Reply + Send + Sync>;
type Log = Arc<Mutex<Vec<Recorded>>>;

impl H2Upstream {
    /// Answers 200 with `METHOD target` as the body.
    pub async fn recording() -> H2Upstream {
        H2Upstream::serving(|request| Reply::Whole {
            status: 200,
            headers: vec![("content-type", "text/plain".to_owned())],
            body: request.line().into_bytes(),
            trailers: Vec::new(),
        })
        .await
    }

    /// Speaks h2c and does what `handler` says.
    pub async fn serving(handler: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> H2Upstream {
        H2Upstream::listening(Arc::new(handler), None).await
    }

    /// As [`H2Upstream::serving`], behind TLS.
    pub async fn tls(
        acceptor: TlsAcceptor,
        handler: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
    ) -> H2Upstream {
        H2Upstream::listening(Arc::new(handler), Some(acceptor)).await
    }

    async fn listening(handler: Handler, acceptor: Option<TlsAcceptor>) -> H2Upstream {
        let listener =
            TcpListener::bind((address::loopback(), 0)).await.expect("a loopback address can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        let log = Log::default();
        let task = tokio::spawn(accept(listener, acceptor, handler, log.clone()));
        H2Upstream { address, log, task }
    }

    /// Every request so far. `target` is the path, `:authority` is kept as a field of that name.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.log.lock().expect("no writer panics").clone()
    }

    /// Waits until so many requests arrived whole.
    pub async fn seen(&self, count: usize) {
        eventually(&format!("the HTTP/2 upstream has seen {count} whole requests"), || {
            self.requests().iter().filter(|request| request.complete).count() >= count
        })
        .await;
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, handler: Handler, log: Log) {
    let mut connections = tokio::task::JoinSet::new();
    let mut number = 0;
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        connections.spawn(connection(stream, acceptor.clone(), number, handler.clone(), log.clone()));
        number += 1;
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    number: usize,
    handler: Handler,
    log: Log,
) {
    let stream: Box<dyn Duplex> = match acceptor {
        None => Box::new(stream),
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => Box::new(stream),
            Err(_) => return,
        },
    };
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut streams = tokio::task::JoinSet::new();
    while let Some(Ok((request, response))) = connection.accept().await {
        streams.spawn(serve(request, response, number, handler.clone(), log.clone()));
        while streams.try_join_next().is_some() {}
    }
}

async fn serve(
    request: Request<RecvStream>,
    mut response: SendResponse<Bytes>,
    number: usize,
    handler: Handler,
    log: Log,
) {
    let (head, mut body) = request.into_parts();
    let mut recorded = Recorded {
        connection: number,
        method: head.method.to_string(),
        target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: pairs(&head.headers),
        ..Recorded::default()
    };
    if let Some(authority) = head.uri.authority() {
        recorded.headers.insert(0, (":authority".to_owned(), authority.to_string()));
    }
    let index = {
        let mut log = log.lock().expect("no writer panics");
        log.push(recorded.clone());
        log.len() - 1
    };
    let note = |recorded: &Recorded| log.lock().expect("no writer panics")[index] = recorded.clone();
    // A stream that fails shows at the client; the log keeps what arrived.
    let _ = match handler(&recorded) {
        Reply::Reset(reason) => {
            response.send_reset(reason);
            Ok(())
        }
        Reply::Whole { status, headers, body: bytes, trailers } => {
            let read = read(&mut body, &mut recorded).await;
            note(&recorded);
            match read {
                Ok(()) => whole(&mut response, status, &headers, bytes, &trailers),
                Err(problem) => Err(problem),
            }
        }
        Reply::Echo { kind, trailers } => {
            echo(&mut response, &mut body, &mut recorded, kind, &trailers, note).await
        }
        Reply::Hold(gate) => hold(&mut response, &gate).await,
    };
}

async fn read(body: &mut RecvStream, recorded: &mut Recorded) -> Result<(), String> {
    while let Some(data) = piece(body).await? {
        recorded.body.extend_from_slice(&data);
    }
    let trailers = body.trailers().await.map_err(|failure| failure.to_string())?;
    recorded.trailers = trailers.map(|trailers| pairs(&trailers)).unwrap_or_default();
    recorded.complete = true;
    Ok(())
}

fn whole(
    response: &mut SendResponse<Bytes>,
    status: u16,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
    trailers: &[(&'static str, &'static str)],
) -> Result<(), String> {
    let mut head = Response::builder().status(status);
    for (name, value) in headers {
        head = head.header(*name, value);
    }
    let head = head.body(()).map_err(|failure| failure.to_string())?;
    let over = body.is_empty() && trailers.is_empty();
    let mut sending = response.send_response(head, over).map_err(|failure| failure.to_string())?;
    if !body.is_empty() {
        sending.send_data(body.into(), trailers.is_empty()).map_err(|failure| failure.to_string())?;
    }
    if !trailers.is_empty() {
        sending.send_trailers(fields(trailers)).map_err(|failure| failure.to_string())?;
    }
    Ok(())
}

async fn echo(
    response: &mut SendResponse<Bytes>,
    body: &mut RecvStream,
    recorded: &mut Recorded,
    kind: &'static str,
    trailers: &[(&'static str, &'static str)],
    note: impl Fn(&Recorded),
) -> Result<(), String> {
    let head =
        Response::builder().header("content-type", kind).body(()).map_err(|failure| failure.to_string())?;
    let mut sending = response.send_response(head, false).map_err(|failure| failure.to_string())?;
    while let Some(data) = piece(body).await? {
        recorded.body.extend_from_slice(&data);
        note(recorded);
        sending.send_data(data, false).map_err(|failure| failure.to_string())?;
    }
    recorded.complete = true;
    note(recorded);
    sending.send_trailers(fields(trailers)).map_err(|failure| failure.to_string())
}

async fn hold(response: &mut SendResponse<Bytes>, gate: &Gate) -> Result<(), String> {
    let mut sending =
        response.send_response(Response::new(()), false).map_err(|failure| failure.to_string())?;
    gate.passed().await;
    sending.send_data(Bytes::from_static(b"held"), true).map_err(|failure| failure.to_string())
}

fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    pairs.iter().map(pair).collect()
}
