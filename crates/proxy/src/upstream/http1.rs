//! An HTTP/1.1 connection to an endpoint, from the request's head to the pool.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::buffer::{Buffer, Text};
use crate::codec::http1::{Parsed, Resume, parse_response};
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::limits::{INTERIM_RESPONSES_MAX, POOL_IDLE_SECONDS};
use crate::message::{Framing, Method, ResponseHead, Version};
use crate::state::breakers::OpenConnection;
use crate::state::clusters::{ClusterState, EndpointState};
use crate::stream::{Form, Frames, Http1Stream, Next, Piece, Sink, Source, Trailers};
use crate::upstream::send;

/// A connection, idle in a pool or carrying one request.
#[derive(Debug)]
pub struct Http1Upstream {
    stream: Http1Stream,
    reused: bool,
    answered: bool,
    interim: usize,
    /// The beginning of a head.
    partial: Option<Buffer>,
    /// Bytes behind an interim response.
    unparsed: Option<Buffer>,
    resume: Resume,
    /// Its place under a limit; declared last, so that it is given back when the connection is closed.
    open: Option<OpenConnection>,
}

impl Http1Upstream {
    /// A connection that was just opened.
    #[must_use]
    pub fn new(stream: Http1Stream, open: Option<OpenConnection>) -> Http1Upstream {
        Http1Upstream {
            stream,
            reused: false,
            answered: false,
            interim: 0,
            partial: None,
            unparsed: None,
            resume: Resume::default(),
            open,
        }
    }

    /// Whether it served another request before this one.
    #[must_use]
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Whether a byte of an answer has arrived.
    #[must_use]
    pub fn has_answered(&self) -> bool {
        self.answered
    }

    /// Whether an idle connection can take a request.
    pub fn is_usable(&mut self) -> bool {
        !self.stream.deadline.fired() && !self.stream.io.retires() && self.stream.io.is_quiet()
    }

    /// Back into the pool.
    pub fn keep(mut self: Box<Self>, endpoint: &Rc<EndpointState>) {
        if self.stream.has_waiting() || !self.stream.is_read() || self.stream.is_blocked() {
            return; // Something arrived that nobody asked for: the next response must not begin with it.
        }
        if self.stream.io.retires() {
            return;
        }
        self.reused = true;
        self.stream.rest();
        self.stream.deadline.moving(POOL_IDLE_SECONDS);
        if let Some(open) = &self.open {
            open.rests();
        }
        endpoint.keep(self);
    }

    /// Gives the bare connection away, for a tunnel, with its place under a limit.
    #[must_use]
    pub fn into_stream(self) -> (Http1Stream, Option<OpenConnection>) {
        (self.stream, self.open)
    }

    /// Writes the request's head.
    pub fn begin(&mut self, exchange: &Exchange<'_>, cluster: &ClusterState) {
        self.answered = false;
        self.interim = 0;
        let waits = exchange.waits();
        self.stream.set_waits(waits.upstream, waits.stall);
        let mut head = Text::new();
        send::write_head(exchange, cluster.cluster.credential.as_deref(), &mut head);
        let request = &exchange.request.head;
        let frames = match (request.framing, request.version) {
            // What was kept or copied is content.
            (Framing::Chunked, _) if exchange.is_copy || exchange.keeps_body => Frames::Chunked,
            (Framing::Chunked, Version::Http2) => Frames::Chunked,
            (Framing::Chunked, Version::Http11 | Version::Http10) => Frames::Raw,
            (Framing::None | Framing::Length(_) | Framing::UntilClose, _) => Frames::Plain,
        };
        self.stream.begin_writing(head, frames);
    }

    /// See [`super::Upstream::poll_response`].
    pub fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut ResponseHead,
        method: Method,
    ) -> Poll<Result<Buffer, Failure>> {
        loop {
            let mut buffer = match self.unparsed.take() {
                Some(buffer) => buffer,
                None => ready!(self.poll_receive(cx))?,
            };
            self.answered = true;
            match parse_response(buffer.filled_mut(), head, method, &mut self.resume) {
                Parsed::Incomplete if buffer.is_full() => {
                    return Poll::Ready(Err(Failure::UpstreamHeadTooLarge));
                }
                Parsed::Incomplete => self.partial = Some(buffer),
                Parsed::Failed(failure) => return Poll::Ready(Err(failure)),
                Parsed::Complete { length } if is_interim(head.status) => {
                    self.interim += 1;
                    if self.interim > INTERIM_RESPONSES_MAX {
                        return Poll::Ready(Err(Failure::UpstreamProtocol));
                    }
                    // What follows may be complete already, without another byte arriving.
                    let rest = &buffer.filled()[length..];
                    self.unparsed = (!rest.is_empty()).then(|| Buffer::with_rest(rest));
                }
                Parsed::Complete { length } => {
                    head.head_bytes = length;
                    return Poll::Ready(Ok(buffer));
                }
            }
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Buffer, Failure>> {
        let received = match self.partial.take() {
            None => self.stream.io.poll_fill_new(cx, Buffer::for_head),
            Some(mut partial) => match self.stream.io.poll_fill(cx, &mut partial) {
                Poll::Ready(result) => Poll::Ready(result.map(|count| (count > 0).then_some(partial))),
                Poll::Pending => {
                    self.partial = Some(partial);
                    Poll::Pending
                }
            },
        };
        if received.is_pending() {
            // Counted from the last thing that moved, so a long upload does not look like a slow answer.
            self.stream.await_byte();
        }
        match ready!(received) {
            Ok(Some(buffer)) => Poll::Ready(Ok(buffer)),
            Ok(None) | Err(_) if self.stream.deadline.fired() => Poll::Ready(Err(Failure::UpstreamTimeout)),
            Ok(None) | Err(_) => Poll::Ready(Err(Failure::UpstreamReset)),
        }
    }

    /// Prepares to read the body; `received` begins with the head.
    pub fn begin_reading(&mut self, framing: Framing, form: Form, received: Buffer) {
        self.stream.begin_reading(framing, form, Some(received), u64::MAX);
    }
}

fn is_interim(status: u16) -> bool {
    status < 200 && status != 101
}

impl Source for Http1Upstream {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        self.stream.poll_piece(cx)
    }
}

impl Sink for Http1Upstream {
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
