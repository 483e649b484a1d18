//! One stream of a client's HTTP/2 connection.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;

use super::Shared;
use crate::buffer::Text;
use crate::codec::http2::{self, BadHead, FieldMap};
use crate::downstream::Downstream;
use crate::exchange::{Exchange, Request};
use crate::failure::{Blame, Failure};
use crate::message::{Framing, Method, ResponseHead};
use crate::pipeline;
use crate::respond::{self, Answer};
use crate::state::ports::Pinned;
use crate::stream::{Form, Http2Receiver, Http2Sender, Next, Piece, Sink, Source, Trailers};
use crate::waits::Waits;
use crate::wire::OpenStream;

/// The number of a client's first stream (RFC 9113 section 5.1.1).
const FIRST_STREAM: u32 = 1;

/// One stream of a client's HTTP/2 connection.
#[derive(Debug)]
pub struct Http2Downstream {
    receive: Http2Receiver,
    respond: SendResponse<Bytes>,
    send: Option<Http2Sender>,
    broken: bool,
    /// It opened its connection.
    is_first: bool,
}

/// A request whose head was read.
pub(super) struct Begun {
    downstream: Downstream,
    request: Request,
    pinned: Pinned,
    /// Why it is refused, if it is.
    refused: Option<Failure>,
}

/// Reads a request's head. Apart from [`carry`], whose future would otherwise have room for everything that is only
/// looked at here, for as long as the stream lasts.
pub(super) fn begin(
    request: http::Request<h2::RecvStream>,
    respond: SendResponse<Bytes>,
    shared: &Shared,
) -> Begun {
    let started = shared.worker.clock.now();
    let pinned = shared.port.pin();
    let settings = &pinned.port().settings;
    let (parts, body) = request.into_parts();
    let mut text = Text::new();
    let parsed = http2::request(&parts, body.is_end_stream(), settings, &mut text);
    drop(parts); // A header map may be large, and a stream may last.
    let limit = settings.limits.request_body_bytes_max;
    let waits = Waits::of(&settings.limits);
    let receive =
        Http2Receiver::new(body, Blame::Client, if limit == 0 { u64::MAX } else { limit }, waits.body);
    let is_first = respond.stream_id().as_u32() == FIRST_STREAM;
    let downstream = Downstream::Http2(Box::new(Http2Downstream {
        receive,
        respond,
        send: None,
        broken: false,
        is_first,
    }));
    let head_bytes = text.len() as u64;
    let (head, refused) = match parsed {
        Ok(head) => (head, None),
        Err(BadHead { head, failure }) => (*head, Some(failure)),
    };
    Begun { downstream, request: Request { head, text, started, head_bytes }, pinned, refused }
}

/// Carries the request of one stream, which is open until then.
pub(super) async fn carry(begun: Begun, shared: Rc<Shared>, open: OpenStream) {
    let Begun { mut downstream, request, pinned, mut refused } = begun;
    if refused.is_none() && request.head.framing == Framing::None {
        refused = poll_fn(|cx| downstream.poll_piece(cx)).await.map_or_else(Some, not_empty);
    }
    let Shared { peer, worker, port, dismissed } = &*shared;
    let waiting = worker.open.request();
    let mut exchange = Exchange::new(worker, port, &pinned, peer, &waiting, request);
    match refused {
        None => pipeline::run(&mut downstream, &mut exchange).await,
        Some(failure) => pipeline::refuse(&mut downstream, &mut exchange, failure).await,
    }
    if exchange.outcome.failure.is_some_and(Failure::ends_connection) {
        dismissed.notify_one();
    }
    drop(exchange);
    drop(downstream);
    drop(open);
}

/// A request without content may end with its head or with an empty frame; anything else contradicts what it
/// declared, and is found out before an upstream hears of it.
fn not_empty(next: Next) -> Option<Failure> {
    match next {
        Next::End(_) => None,
        Next::Last(piece) | Next::Piece(piece) => (!piece.bytes().is_empty()).then_some(Failure::BadFraming),
    }
}

impl Http2Downstream {
    /// Whether the client has given this request up.
    pub fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.send {
            Some(send) => send.poll_given_up(cx),
            None => self.respond.poll_reset(cx).map(|_| ()),
        }
    }

    /// See [`super::super::Downstream::set_body_wait`].
    pub fn set_body_wait(&mut self, exchange: &Exchange<'_>) {
        self.receive.set_wait(exchange.waits().body);
    }

    /// See [`super::super::Downstream::bound_body`].
    pub fn bound_body(&mut self, bytes_max: u64) {
        self.receive.bound(bytes_max);
    }

    /// See [`super::super::Downstream::invite_body`].
    pub fn invite_body(&mut self, exchange: &Exchange<'_>) {
        if exchange.request.head.expects_continue {
            let mut interim = http::Response::new(());
            *interim.status_mut() = http::StatusCode::CONTINUE;
            self.broken |= self.respond.send_informational(interim).is_err();
        }
    }

    /// See [`super::super::Downstream::begin`].
    pub fn begin(&mut self, exchange: &Exchange<'_>, head: &ResponseHead, bytes: &[u8], _from: Form) -> Form {
        let mut fields = FieldMap::default();
        respond::visit_fields(exchange, head, bytes, |name, value| fields.put(name, value));
        self.start(exchange, head.status, fields.finish(self.is_first), head.framing == Framing::None);
        Form::Content
    }

    /// See [`super::super::Downstream::answer`].
    pub fn answer(&mut self, exchange: &Exchange<'_>, answer: Answer) {
        let mut fields = FieldMap::default();
        answer.visit_fields(exchange, |name, value| fields.put(name, value));
        let mut fields = fields.finish(self.is_first);
        let content = exchange.request.head.method != Method::Head && !answer.content.is_empty();
        if !answer.content.is_empty() {
            fields.insert(http::header::CONTENT_LENGTH, answer.content.len().into());
        }
        self.start(exchange, answer.status, fields, !content);
        if content {
            self.push(Piece::Shared(answer.content.into()));
            Sink::finish(self, None);
        }
    }

    fn start(&mut self, exchange: &Exchange<'_>, status: u16, fields: http::HeaderMap, ends: bool) {
        let stall = exchange.waits().stall;
        let mut response = http::Response::new(());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::BAD_GATEWAY);
        *response.headers_mut() = fields;
        match self.respond.send_response(response, ends) {
            Ok(stream) => self.send = Some(Http2Sender::new(stream, Blame::Client, ends, stall)),
            Err(_) => self.broken = true,
        }
    }

    /// See [`super::super::Downstream::abort`].
    pub fn abort(&mut self) {
        match &mut self.send {
            Some(send) => send.abort(),
            None => self.respond.send_reset(h2::Reason::INTERNAL_ERROR),
        }
    }

    /// See [`super::super::Downstream::received`].
    #[must_use]
    pub fn received(&self) -> u64 {
        self.receive.received()
    }

    /// See [`super::super::Downstream::written`].
    #[must_use]
    pub fn written(&self) -> u64 {
        self.send.as_ref().map_or(0, Http2Sender::written)
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
