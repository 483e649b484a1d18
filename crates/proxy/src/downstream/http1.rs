//! A client's HTTP/1 connection: one request after the other.
//!
//! While it waits for a request, a connection is this file's small future and nothing else: no buffer, and not
//! the future of the pipeline, which is borrowed from the worker for the length of a request.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::buffer::{Buffer, Text};
use crate::codec::http1::{Parsed, Resume, Rules, parse_request};
use crate::emit::{put, write_decimal};
use crate::exchange::{Exchange, Peer, Request};
use crate::exchanges::{Exchanges, Seat};
use crate::failure::{Blame, Failure};
use crate::io::{Hangup, Io};
use crate::limits::DRAINED_BODY_BYTES_MAX;
use crate::message::{Framing, Known, Method, RequestHead, ResponseHead, Version};
use crate::pipeline;
use crate::respond::{self, Answer};
use crate::state::deadlines::whole_seconds;
use crate::state::open::OpenRequest;
use crate::state::ports::{Pinned, PortState};
use crate::stream::{Form, Frames, Http1Stream, Next, Piece, Sink, Source, Trailers};
use crate::waits::Waits;
use crate::worker::Worker;

/// An HTTP/1 connection to a client.
#[derive(Debug)]
pub struct Http1Downstream {
    stream: Http1Stream,
    /// Who is at the other end.
    pub peer: Rc<Peer>,
    /// The client understands HTTP/1.1.
    modern: bool,
    /// The answer that is being written ends with the connection, or something went wrong with it.
    closing: bool,
    /// The answer was broken off.
    aborted: bool,
    /// Whether it is worth looking for the client's departure.
    watching: bool,
    /// The place of its requests among those that wait; while one is carried, that has it.
    open: Option<OpenRequest>,
}

/// Serves HTTP/1 connections; borrows the futures of their exchanges.
#[derive(Debug)]
pub struct Http1Server<F> {
    exchanges: Rc<Exchanges<Begun, After, F>>,
}

/// A connection on which a request has begun, with what has arrived of it.
#[derive(Debug)]
pub struct Begun {
    connection: Box<Http1Downstream>,
    received: Buffer,
    worker: Rc<Worker>,
    port: Rc<PortState>,
}

/// A server for the connections of one port.
#[must_use]
pub fn server() -> Http1Server<impl Future<Output = Infallible>> {
    Http1Server { exchanges: Rc::new(Exchanges::new(requests)) }
}

/// Carries requests until the connection ends.
pub async fn serve<F: Future<Output = Infallible>>(
    server: Rc<Http1Server<F>>,
    (io, received): (Io, Option<Buffer>),
    peer: Peer,
    worker: Rc<Worker>,
    port: Rc<PortState>,
) {
    let deadline = worker.deadlines.register(io.socket());
    let stream = Http1Stream::new(io, deadline, Blame::Client);
    let mut connection = Box::new(Http1Downstream {
        stream,
        peer: Rc::new(peer),
        modern: true,
        closing: false,
        aborted: false,
        watching: false,
        open: None,
    });
    let mut received = received;
    loop {
        // The config is let go of at once: a connection that waits must not keep a retired one alive.
        let idle_timeout = port.pin().port().settings.limits.idle_timeout;
        connection.stream.deadline.idle(whole_seconds(idle_timeout), &port);
        let buffer = match received.take() {
            Some(buffer) => buffer,
            None => match poll_fn(|cx| connection.stream.io.poll_fill_new(cx, Buffer::for_head)).await {
                Ok(Some(buffer)) => buffer,
                Ok(None) | Err(_) => return,
            },
        };
        let begun = Begun { connection, received: buffer, worker: worker.clone(), port: port.clone() };
        let Some((next, rest)) = server.exchanges.place(begun).await else { return };
        connection = next;
        received = rest;
    }
}

/// The connection, with what has already arrived of its next request; `None` when it has ended.
pub type After = Option<(Box<Http1Downstream>, Option<Buffer>)>;

/// Carries one request after the other, of whatever connection.
async fn requests(seat: Rc<Seat<Begun, After>>) -> Infallible {
    loop {
        let begun = seat.next().await;
        seat.finish(one_request(begun).await);
    }
}

/// Reads one request head and carries the request. `None` when the connection is to end.
async fn one_request(begun: Begun) -> After {
    let Begun { mut connection, received: buffer, worker, port } = begun;
    let pinned = port.pin();
    let waits = Waits::of(&pinned.port().settings.limits);
    connection.stream.set_waits(waits.body, waits.stall);
    let peer = connection.peer.clone();
    let open = connection.open.take().unwrap_or_else(|| worker.open.request());
    let mut request = Request::begun(worker.clock.now());
    let failure = match connection.read_head(&mut request.head, buffer, &pinned).await {
        Ok((buffer, length)) => {
            let rest = request.take_text(buffer, length);
            connection.begin_request(&request.head, rest, &pinned);
            None
        }
        Err(failure) => {
            request.head = RequestHead::default(); // What was read of it points into a buffer that is gone.
            Some(failure)
        }
    };
    let persistent = request.head.persistent;
    let mut downstream = super::Downstream::Http1(connection);
    {
        // It ends with the block: given to `drop`, it would be moved.
        let mut exchange = Exchange::new(&worker, &port, &pinned, &peer, &open, request);
        match failure {
            None => pipeline::run(&mut downstream, &mut exchange).await,
            Some(Failure::ClientClosed) => exchange.fail(Failure::ClientClosed),
            Some(failure) => pipeline::refuse(&mut downstream, &mut exchange, failure).await,
        }
    }
    let super::Downstream::Http1(mut connection) = downstream else { return None };
    open.rests();
    connection.open = Some(open);
    connection.after(persistent && !port.is_draining()).await
}

impl Http1Downstream {
    async fn read_head(
        &mut self,
        head: &mut RequestHead,
        mut buffer: Buffer,
        pinned: &Pinned,
    ) -> Result<(Buffer, usize), Failure> {
        let settings = &pinned.port().settings;
        let rules = Rules { path: settings.path_policy, underscores: settings.underscores };
        let mut resume = Resume::default();
        let mut begun = false;
        self.closing = true; // Until the head is understood, there is no next request to be found.
        loop {
            match parse_request(buffer.filled_mut(), head, &rules, &mut resume) {
                Parsed::Complete { length } => return Ok((buffer, length)),
                Parsed::Failed(failure) => return Err(failure),
                Parsed::Incomplete if buffer.is_full() => return Err(Failure::HeadTooLarge),
                Parsed::Incomplete => {}
            }
            if !std::mem::replace(&mut begun, true) {
                self.stream.deadline.reading(whole_seconds(settings.limits.head_timeout));
            }
            match poll_fn(|cx| self.stream.io.poll_fill(cx, &mut buffer)).await {
                Ok(count) if count > 0 => {}
                _ if self.stream.deadline.fired() => return Err(Failure::HeadTimeout),
                _ => return Err(Failure::ClientClosed),
            }
        }
    }

    fn begin_request(&mut self, head: &RequestHead, rest: Buffer, pinned: &Pinned) {
        let limit = pinned.port().settings.limits.request_body_bytes_max;
        let allowance = if limit == 0 { u64::MAX } else { limit };
        self.modern = head.version != Version::Http10;
        self.closing = !head.persistent;
        self.stream.begin_reading(head.framing, Form::Raw, Some(rest), allowance);
        self.stream.deadline.none();
        self.watching = true;
    }

    /// See [`super::Downstream::poll_given_up`].
    pub fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.watching || !self.stream.is_read() {
            return Poll::Pending; // Who reads the body learns of its end.
        }
        match ready!(self.stream.io.poll_hangup(cx)) {
            Hangup::Gone => Poll::Ready(()),
            Hangup::Talking => {
                self.watching = false; // The next request has come early; looking again would tell nothing new.
                Poll::Pending
            }
        }
    }

    /// See [`super::Downstream::set_body_wait`].
    pub fn set_body_wait(&mut self, exchange: &Exchange<'_>) {
        let waits = exchange.waits();
        self.stream.set_waits(waits.body, waits.stall);
    }

    /// See [`super::Downstream::bound_body`].
    pub fn bound_body(&mut self, bytes_max: u64) {
        self.stream.bound_reading(bytes_max);
    }

    /// See [`super::Downstream::set_form`].
    pub fn set_form(&mut self, form: Form) {
        self.stream.set_form(form);
    }

    /// See [`super::Downstream::invite_body`].
    pub fn invite_body(&mut self, exchange: &Exchange<'_>) {
        if exchange.request.head.expects_continue && !self.stream.has_waiting() {
            let mut interim = Text::new();
            interim.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.stream.begin_writing(interim, Frames::Plain);
        }
    }

    /// See [`super::Downstream::begin`].
    pub fn begin(&mut self, exchange: &Exchange<'_>, head: &ResponseHead, bytes: &[u8], from: Form) -> Form {
        let (frames, form) = match (head.framing, from) {
            (Framing::None | Framing::Length(_), _) => (Frames::Plain, Form::Raw),
            (Framing::Chunked, Form::Raw) if self.modern => (Frames::Raw, Form::Raw),
            (Framing::Chunked | Framing::UntilClose, _) if self.modern => (Frames::Chunked, Form::Content),
            // HTTP/1.0 knows no frames: the end of the connection is the end of the content.
            (Framing::Chunked | Framing::UntilClose, _) => {
                self.closing = true;
                (Frames::Plain, Form::Content)
            }
        };
        let mut out = Text::new();
        respond::write_status(head.status, head.reason.of(bytes), &mut out);
        respond::write_fields(exchange, head, bytes, &mut out);
        if frames != Frames::Plain {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        } else if ends_unsaid(exchange, head, bytes) {
            out.extend_from_slice(b"content-length: 0\r\n");
        }
        if head.status == 101 {
            let protocol = head.view(bytes).known(Known::Upgrade).unwrap_or_default();
            out.extend_from_slice(b"connection: upgrade\r\n");
            put(&mut out, b"upgrade", protocol);
            out.extend_from_slice(b"\r\n");
            self.closing = true; // What follows is not HTTP; there is no next request.
        } else {
            self.end_head(exchange, &mut out);
        }
        self.stream.begin_writing(out, frames);
        form
    }

    fn end_head(&mut self, exchange: &Exchange<'_>, out: &mut Text) {
        self.closing |= exchange.port.is_draining()
            || self.stream.is_broken()
            || self.stream.io.retires()
            || exchange.outcome.failure.is_some_and(Failure::ends_connection);
        if self.closing {
            out.extend_from_slice(b"connection: close\r\n");
        } else if !self.modern {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// See [`super::Downstream::answer`].
    pub fn answer(&mut self, exchange: &Exchange<'_>, answer: Answer) {
        let mut out = Text::new();
        respond::write_status(answer.status, respond::reason(answer.status).as_bytes(), &mut out);
        answer.visit_fields(exchange, |name, value| put(&mut out, name, value));
        if answer.status != 204 {
            out.extend_from_slice(b"content-length: ");
            write_decimal(answer.content.len() as u64, &mut out);
            out.extend_from_slice(b"\r\n");
        }
        // A body that nobody will read stands between this answer and the next request.
        self.closing |= !self.stream.is_read() && exchange.request.head.expects_continue;
        self.end_head(exchange, &mut out);
        if exchange.request.head.method != crate::message::Method::Head {
            out.extend_from_slice(&answer.content);
        }
        self.stream.begin_writing(out, Frames::Plain);
    }

    /// See [`super::Downstream::abort`].
    pub fn abort(&mut self) {
        self.aborted = true;
    }

    /// See [`super::Downstream::received`].
    #[must_use]
    pub fn received(&self) -> u64 {
        self.stream.received()
    }

    /// See [`super::Downstream::written`].
    #[must_use]
    pub fn written(&self) -> u64 {
        self.stream.written()
    }

    /// The bare connection, for a tunnel.
    pub fn stream(&mut self) -> &mut Http1Stream {
        &mut self.stream
    }

    /// What happens behind an answer: the next request, or the end.
    async fn after(mut self: Box<Self>, persistent: bool) -> After {
        if self.aborted {
            return None;
        }
        if !persistent || self.closing {
            self.linger().await;
            return None;
        }
        if !self.stream.is_read() && !self.discard_body().await {
            return None;
        }
        self.stream.rest();
        let received = self.stream.take_waiting();
        Some((self, received))
    }

    /// Reads a body that nobody wanted, if it is short. `false` when the connection cannot go on.
    async fn discard_body(&mut self) -> bool {
        let mut discarded = 0;
        self.stream.set_form(Form::Raw);
        while discarded <= DRAINED_BODY_BYTES_MAX {
            match poll_fn(|cx| self.stream.poll_piece(cx)).await {
                Ok(Next::Piece(piece)) => discarded += piece.bytes().len(),
                Ok(Next::Last(_) | Next::End(_)) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    /// Ends a connection so that its last answer arrives: a socket closed with unread bytes in it resets the
    /// connection and may take the answer along (RFC 9112 section 9.6).
    async fn linger(mut self: Box<Self>) {
        if self.aborted {
            return;
        }
        if tokio::io::AsyncWriteExt::shutdown(&mut self.stream.io).await.is_err() || self.stream.is_read() {
            return;
        }
        self.stream.deadline.moving(2);
        let mut discarded = 0;
        while discarded <= DRAINED_BODY_BYTES_MAX {
            match poll_fn(|cx| self.stream.io.poll_fill_new(cx, Buffer::for_body)).await {
                Ok(Some(buffer)) => discarded += buffer.len(),
                Ok(None) | Err(_) => return,
            }
        }
    }
}

impl Source for Http1Downstream {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        self.stream.poll_piece(cx)
    }
}

impl Sink for Http1Downstream {
    fn push(&mut self, piece: Piece) {
        self.stream.push(piece);
    }

    fn finish(&mut self, trailers: Option<Box<Trailers>>) {
        self.stream.finish(trailers);
    }

    fn is_blocked(&self) -> bool {
        self.stream.is_blocked()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.stream.poll_flush(cx)
    }
}

/// Whether an answer without content does not say so: in HTTP/2 the end of the stream says it, and in HTTP/1 a client
/// would wait for the end of the connection (RFC 9112 section 6.3).
fn ends_unsaid(exchange: &Exchange<'_>, head: &ResponseHead, bytes: &[u8]) -> bool {
    head.version == Version::Http2
        && head.framing == Framing::None
        && !matches!(head.status, 204 | 304)
        && exchange.request.head.method != Method::Head
        && exchange.answer_length.is_none()
        && head.view(bytes).known(Known::ContentLength).is_none()
}
