//! A client's HTTP/2 connection: many requests at once, each a task of its own.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::buffer::{Buffer, Text};
use crate::codec::http2::{self, BadHead};
use crate::exchange::{Exchange, Peer, Request};
use crate::failure::{Blame, Failure};
use crate::io::Io;
use crate::limits::{
    HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_HEADER_LIST_BYTES_MAX, HTTP2_RESETS_MAX, HTTP2_STREAMS_MAX,
    HTTP2_WINDOW_BYTES,
};
use crate::message::{Framing, Method, ResponseHead};
use crate::pipeline;
use crate::respond::{self, Answer};
use crate::state::ports::PortState;
use crate::stream::{Form, Http2Receiver, Http2Sender, Next, Piece, Sink, Source, Trailers};
use crate::worker::Worker;

/// One stream of a client's HTTP/2 connection.
#[derive(Debug)]
pub struct Http2Downstream {
    receive: Http2Receiver,
    respond: SendResponse<Bytes>,
    send: Option<Http2Sender>,
    broken: bool,
}

/// Carries requests until the connection ends.
pub async fn serve(io: Io, received: Option<Buffer>, peer: Peer, worker: Rc<Worker>, port: Rc<PortState>) {
    let deadline = worker.deadlines.register(io.socket());
    let limits = port.pin().port().settings.limits;
    deadline.moving(limits.head_timeout.as_secs() as u32);
    let Ok(mut connection) = builder().handshake::<_, Bytes>(Rewound { received, io }).await else {
        worker.metrics.failures[Failure::Http2Protocol as usize].add(1);
        return;
    };
    let peer = Rc::new(peer);
    let open = Rc::new(());
    let mut draining = false;
    loop {
        if Rc::strong_count(&open) == 1 {
            deadline.idle(limits.idle_timeout.as_secs() as u32, &port);
        } else {
            deadline.none();
        }
        if port.is_draining() && !draining {
            draining = true;
            connection.graceful_shutdown();
        }
        let stream = tokio::select! {
            stream = connection.accept() => stream,
            () = port.drain_begins.notified(), if !draining => continue,
        };
        match stream {
            Some(Ok((request, respond))) => {
                let (peer, worker, port, open) = (peer.clone(), worker.clone(), port.clone(), open.clone());
                tokio::task::spawn_local(async move {
                    one_stream(request, respond, &peer, &worker, &port).await;
                    drop(open);
                });
            }
            Some(Err(error)) => {
                note(&worker, &error);
                return;
            }
            None => return,
        }
    }
}

fn note(worker: &Worker, error: &h2::Error) {
    let failure = match error.reason() {
        Some(h2::Reason::ENHANCE_YOUR_CALM) => Failure::Http2Abuse,
        Some(_) => Failure::Http2Protocol,
        None => return, // The client went away, which is not a failure of its protocol.
    };
    worker.metrics.failures[failure as usize].add(1);
}

fn builder() -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(HTTP2_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(HTTP2_HEADER_LIST_BYTES_MAX)
        .max_concurrent_reset_streams(HTTP2_RESETS_MAX)
        .max_pending_accept_reset_streams(HTTP2_RESETS_MAX)
        .max_local_error_reset_streams(Some(HTTP2_RESETS_MAX))
        .max_send_buffer_size(HTTP2_WINDOW_BYTES as usize);
    builder
}

async fn one_stream(
    request: http::Request<h2::RecvStream>,
    respond: SendResponse<Bytes>,
    peer: &Rc<Peer>,
    worker: &Rc<Worker>,
    port: &Rc<PortState>,
) {
    let started = worker.clock.now();
    let pinned = port.pin();
    let settings = &pinned.port().settings;
    let (parts, body) = request.into_parts();
    let mut text = Text::new();
    let parsed = http2::request(&parts, body.is_end_stream(), settings, &mut text);
    let limit = settings.limits.request_body_bytes_max;
    let receive = Http2Receiver::new(body, Blame::Client, if limit == 0 { u64::MAX } else { limit });
    let mut downstream =
        super::Downstream::Http2(Box::new(Http2Downstream { receive, respond, send: None, broken: false }));
    let head_bytes = text.len() as u64;
    let (head, failure) = match parsed {
        Ok(head) => (head, None),
        Err(BadHead { head, failure }) => (*head, Some(failure)),
    };
    let mut exchange =
        Exchange::new(worker, port, &pinned, peer, Request { head, text, started, head_bytes });
    match failure {
        None => pipeline::run(&mut downstream, &mut exchange).await,
        Some(failure) => pipeline::refuse(&mut downstream, &mut exchange, failure).await,
    }
}

impl Http2Downstream {
    /// Whether the client has given this request up.
    pub fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.respond.poll_reset(cx).map(|_| ())
    }

    /// See [`super::Downstream::begin`].
    pub fn begin(&mut self, exchange: &Exchange<'_>, head: &ResponseHead, bytes: &[u8], _from: Form) -> Form {
        let mut fields = http::HeaderMap::with_capacity(head.fields.len() + 4);
        respond::visit_fields(exchange, head, bytes, |name, value| put(&mut fields, name, value));
        self.start(head.status, fields, head.framing == Framing::None);
        Form::Content
    }

    /// See [`super::Downstream::answer`].
    pub fn answer(&mut self, exchange: &Exchange<'_>, answer: Answer) {
        let mut fields = http::HeaderMap::new();
        answer.visit_fields(exchange, |name, value| put(&mut fields, name, value));
        let content = exchange.request.head.method != Method::Head && !answer.content.is_empty();
        if !answer.content.is_empty() {
            fields.insert(http::header::CONTENT_LENGTH, answer.content.len().into());
        }
        self.start(answer.status, fields, !content);
        if content {
            self.push(Piece::Shared(answer.content.into()));
            Sink::finish(self, None);
        }
    }

    fn start(&mut self, status: u16, fields: http::HeaderMap, ends: bool) {
        let mut response = http::Response::new(());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::BAD_GATEWAY);
        *response.headers_mut() = fields;
        match self.respond.send_response(response, ends) {
            Ok(stream) => self.send = Some(Http2Sender::new(stream, Blame::Client, ends)),
            Err(_) => self.broken = true,
        }
    }

    /// See [`super::Downstream::abort`].
    pub fn abort(&mut self) {
        match &mut self.send {
            Some(send) => send.abort(),
            None => self.respond.send_reset(h2::Reason::INTERNAL_ERROR),
        }
    }

    /// See [`super::Downstream::received`].
    #[must_use]
    pub fn received(&self) -> u64 {
        self.receive.received()
    }

    /// See [`super::Downstream::written`].
    #[must_use]
    pub fn written(&self) -> u64 {
        self.send.as_ref().map_or(0, Http2Sender::written)
    }
}

fn put(fields: &mut http::HeaderMap, name: &[u8], value: &[u8]) {
    // Both were validated when they were parsed; what cannot be expressed is left out rather than mangled.
    if let (Ok(name), Ok(value)) = (http::HeaderName::from_bytes(name), http::HeaderValue::from_bytes(value))
    {
        fields.append(name, value);
    }
}

impl Source for Http2Downstream {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        self.receive.poll_piece(cx)
    }
}

impl Sink for Http2Downstream {
    fn push(&mut self, piece: Piece) {
        if let Some(send) = &mut self.send {
            send.push(piece);
        }
    }

    fn finish(&mut self, trailers: Option<Box<Trailers>>) {
        if let Some(send) = &mut self.send {
            send.finish(trailers);
        }
    }

    fn is_blocked(&self) -> bool {
        self.send.as_ref().is_some_and(Sink::is_blocked)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        match &mut self.send {
            Some(send) => send.poll_flush(cx),
            None if self.broken => Poll::Ready(Err(Failure::ClientClosed)),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// A stream whose first bytes were read before it was known what it speaks.
struct Rewound {
    received: Option<Buffer>,
    io: Io,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(received) = &mut self.received else { return Pin::new(&mut self.io).poll_read(cx, room) };
        let count = received.len().min(room.remaining());
        room.put_slice(&received.filled()[..count]);
        received.start += count;
        if received.is_empty() {
            self.received = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
