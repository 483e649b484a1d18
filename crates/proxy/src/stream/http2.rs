//! Bodies on a stream of an HTTP/2 connection, in both roles.
//!
//! The library keeps the windows; this side only gives room back when a piece has been passed on, which is what
//! makes a slow reader at one end slow the sender at the other.

use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};

use crate::buffer::Text;
use crate::codec::http1::names;
use crate::codec::http1::trailers::{Sender, is_carried};
use crate::codec::http2::FieldMap;
use crate::failure::{Blame, Failure};
use crate::limits::{BODY_IDLE_SECONDS, HTTP2_MOVING_BYTES_MIN, UPSTREAM_IDLE_SECONDS, WRITE_STALL_SECONDS};
use crate::message::{Field, Span};
use crate::state::alarms::Alarm;
use crate::stream::{Next, Piece, Sink, Source, Trailers};

/// Reads a body.
#[derive(Debug)]
pub struct Http2Receiver {
    stream: RecvStream,
    blame: Blame,
    allowance: u64,
    received: u64,
    content_ended: bool,
    done: bool,
    idle: Alarm,
}

impl Http2Receiver {
    /// Reads from a stream; `blame` says whose stream it is, `allowance` how many bytes it may bring.
    #[must_use]
    pub fn new(stream: RecvStream, blame: Blame, allowance: u64) -> Http2Receiver {
        let done = stream.is_end_stream();
        Http2Receiver {
            stream,
            blame,
            allowance,
            received: 0,
            content_ended: false,
            done,
            idle: Alarm::default(),
        }
    }

    /// Bytes of content received.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    fn failure(&self, error: &h2::Error) -> Failure {
        match self.blame {
            Blame::Client if error.is_reset() || error.is_io() || error.is_go_away() => Failure::ClientClosed,
            Blame::Client => Failure::Http2Protocol,
            Blame::Upstream | Blame::Config | Blame::Proxy if error.is_reset() || error.is_io() => {
                Failure::UpstreamTruncated
            }
            Blame::Upstream | Blame::Config | Blame::Proxy => Failure::UpstreamProtocol,
        }
    }
}

impl Source for Http2Receiver {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        if self.done {
            return Poll::Ready(Ok(Next::End(None)));
        }
        let next = self.poll_next(cx);
        if next.is_ready() {
            self.idle.rest();
            return next;
        }
        let (seconds, failure) = match self.blame {
            Blame::Client => (BODY_IDLE_SECONDS, Failure::BodyTimeout),
            Blame::Upstream | Blame::Config | Blame::Proxy => {
                (UPSTREAM_IDLE_SECONDS, Failure::UpstreamTimeout)
            }
        };
        ready!(self.idle.poll(seconds, cx));
        self.idle.rest();
        Poll::Ready(Err(failure))
    }
}

impl Http2Receiver {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        if !self.content_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(bytes)) => return Poll::Ready(self.take(bytes)),
                Some(Err(error)) => return Poll::Ready(Err(self.failure(&error))),
                None => self.content_ended = true,
            }
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => {
                self.done = true;
                let trailers = trailers.map(|fields| Box::new(carried(&fields, self.blame)));
                Poll::Ready(Ok(Next::End(trailers)))
            }
            Err(error) => Poll::Ready(Err(self.failure(&error))),
        }
    }

    fn take(&mut self, bytes: Bytes) -> Result<Next, Failure> {
        let length = bytes.len();
        self.received += length as u64;
        self.allowance = self.allowance.checked_sub(length as u64).ok_or(Failure::BodyTooLarge)?;
        // The next piece is asked for only when this one was written, so this is at most one piece ahead.
        if self.stream.flow_control().release_capacity(length).is_err() {
            return Err(self.failure(&h2::Error::from(h2::Reason::FLOW_CONTROL_ERROR)));
        }
        if self.stream.is_end_stream() {
            self.done = true;
            return Ok(Next::Last(Piece::Shared(bytes)));
        }
        Ok(Next::Piece(Piece::Shared(bytes)))
    }
}

fn carried(fields: &http::HeaderMap, blame: Blame) -> Trailers {
    let sender = match blame {
        Blame::Client => Sender::Client,
        Blame::Upstream | Blame::Config | Blame::Proxy => Sender::Upstream,
    };
    let mut trailers = Trailers { text: Text::new(), fields: Vec::new() };
    for (name, value) in fields {
        let known = names::classify(name.as_str().as_bytes());
        if is_carried(name.as_str().as_bytes(), known, sender) {
            let field = append(&mut trailers.text, name.as_str().as_bytes(), value.as_bytes());
            trailers.fields.push(Field { known, ..field });
        }
    }
    trailers
}

/// Appends a field's text and says where it lies; it is classified as nothing special.
pub(crate) fn append(text: &mut Text, name: &[u8], value: &[u8]) -> Field {
    let start = text.len();
    text.extend_from_slice(name);
    let middle = text.len();
    text.extend_from_slice(value);
    Field {
        name: Span::new(start, middle),
        value: Span::new(middle, text.len()),
        known: crate::message::Known::Other,
    }
}

/// Writes a body.
#[derive(Debug)]
pub struct Http2Sender {
    stream: SendStream<Bytes>,
    blame: Blame,
    piece: Bytes,
    ending: Option<Option<Box<Trailers>>>,
    ended: bool,
    blocked: bool,
    total: u64,
    stall: Alarm,
    /// What `total` was when the wait for room began.
    stalled_at: u64,
}

impl Http2Sender {
    /// Writes to a stream; `ended` when its head already said that nothing follows.
    #[must_use]
    pub fn new(stream: SendStream<Bytes>, blame: Blame, ended: bool) -> Http2Sender {
        Http2Sender {
            stream,
            blame,
            piece: Bytes::new(),
            ending: None,
            ended,
            blocked: false,
            total: 0,
            stall: Alarm::default(),
            stalled_at: 0,
        }
    }

    /// Bytes of content written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.total
    }

    /// Breaks the stream off, so that what was sent cannot be taken for whole.
    pub fn abort(&mut self) {
        if !self.ended {
            self.stream.send_reset(h2::Reason::INTERNAL_ERROR);
        }
    }

    fn failure(&self) -> Failure {
        match self.blame {
            Blame::Client => Failure::ClientClosed,
            Blame::Upstream | Blame::Config | Blame::Proxy => Failure::UpstreamReset,
        }
    }

    /// Whether the other side has given the stream up.
    pub fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended { Poll::Pending } else { self.stream.poll_reset(cx).map(|_| ()) }
    }

    /// There is no room. A window that is opened by a few bytes at a time does not count as moving.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.total - self.stalled_at >= HTTP2_MOVING_BYTES_MIN {
            self.stall.rest();
            self.stalled_at = self.total;
        }
        ready!(self.stall.poll(WRITE_STALL_SECONDS, cx));
        Poll::Ready(Err(match self.blame {
            Blame::Client => Failure::ClientStalled,
            Blame::Upstream | Blame::Config | Blame::Proxy => Failure::UpstreamTimeout,
        }))
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while !self.piece.is_empty() {
            self.stream.reserve_capacity(self.piece.len());
            let room = match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(room))) => room,
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(self.failure())),
                Poll::Pending => return self.poll_stall(cx),
            };
            let part = self.piece.split_to(room.min(self.piece.len()));
            let last = self.piece.is_empty() && matches!(self.ending, Some(None));
            self.total += part.len() as u64;
            if self.stream.send_data(part, last).is_err() {
                return Poll::Ready(Err(self.failure()));
            }
            self.ended = last;
        }
        if self.blocked {
            self.stall.rest();
            self.stalled_at = self.total;
        }
        Poll::Ready(Ok(()))
    }
}

impl Sink for Http2Sender {
    fn push(&mut self, piece: Piece) {
        debug_assert!(!self.piece.has_remaining(), "a piece was pushed before the last one was written");
        self.piece = piece.into_shared();
    }

    fn finish(&mut self, trailers: Option<Box<Trailers>>) {
        self.ending = Some(trailers);
    }

    fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let content = self.poll_content(cx);
        self.blocked = content.is_pending();
        ready!(content)?;
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        let Some(ending) = self.ending.take() else { return Poll::Ready(Ok(())) };
        self.ended = true;
        let sent = match ending {
            None => self.stream.send_data(Bytes::new(), true),
            Some(trailers) => self.stream.send_trailers(field_map(&trailers)),
        };
        Poll::Ready(sent.map_err(|_| self.failure()))
    }
}

fn field_map(trailers: &Trailers) -> http::HeaderMap {
    let mut map = FieldMap::default();
    for (name, value) in trailers.iter() {
        map.put(name, value);
    }
    map.finish()
}
