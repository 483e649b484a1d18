//! Bodies on an HTTP/1 connection, in both roles: towards a client and towards an upstream.
//!
//! A chunked body that goes to another HTTP/1 connection is validated and passed on as it is; taking its frames
//! off and putting the same frames on again cost more than everything else. Towards HTTP/2 and HTTP/1.0 it is
//! decoded in place, and a body without a length that comes from HTTP/2 gets frames here.

use std::io;
use std::task::{Context, Poll, ready};

use crate::buffer::{Buffer, Text};
use crate::codec::http1::{
    Body, BodyState, Decoded, LAST_CHUNK, Parsed, Resume, Sender, chunk_header, parse_trailers,
};
use crate::failure::{Blame, Failure};
use crate::io::Io;
use crate::message::Framing;
use crate::state::deadlines::Deadline;
use crate::stream::{Next, Piece, Sink, Source, Trailers};

/// Pieces up to this size are copied behind the head to leave in one plain write.
const COALESCE_BYTES_MAX: usize = 4096;

/// Whether chunk frames are passed on or taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As received; for a sink that speaks HTTP/1.1.
    Raw,
    /// Content only.
    Content,
}

/// What frames the body being written has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// None: it has a length, or ends with the connection. Trailers have no place then and are dropped.
    Plain,
    /// The pieces bring their chunk frames along.
    Raw,
    /// Each piece gets a chunk frame here.
    Chunked,
}

/// An HTTP/1 connection with the two bodies that may move on it.
#[derive(Debug)]
pub struct Http1Stream {
    /// Ends the connection when nothing moves; declared before `io`, so that it lets go of the socket first.
    pub deadline: Deadline,
    /// The bytes.
    pub io: Io,
    read: Reading,
    write: Writing,
}

#[derive(Debug)]
struct Reading {
    body: Body,
    form: Form,
    /// Bytes received and not yet looked at.
    waiting: Option<Buffer>,
    /// Whose fault it is when they make no sense.
    blame: Blame,
    /// Seconds without a byte after which the connection is ended.
    idle_seconds: u32,
    /// Bytes of content that may come in all.
    allowance: u64,
    /// Bytes of body handed out.
    total: u64,
    /// A trailer section that has begun.
    trailers: Option<Section>,
    done: bool,
    broken: bool,
}

#[derive(Debug, Default)]
struct Section {
    trailers: Box<Trailers>,
    resume: Resume,
}

#[derive(Debug)]
struct Writing {
    out: Text,
    written: usize,
    piece: Option<Piece>,
    frames: Frames,
    blocked: bool,
    stall_seconds: u32,
    /// Bytes written since the exchange began.
    total: u64,
}

impl Http1Stream {
    /// A connection on which nothing moves yet. It waits for nothing until it is told how long:
    /// [`Http1Stream::set_waits`].
    #[must_use]
    pub fn new(io: Io, deadline: Deadline, blame: Blame) -> Http1Stream {
        let read = Reading {
            body: Body::new(Framing::None),
            form: Form::Raw,
            waiting: None,
            blame,
            idle_seconds: 0,
            allowance: u64::MAX,
            total: 0,
            trailers: None,
            done: true,
            broken: false,
        };
        let write = Writing {
            out: Text::empty(),
            written: 0,
            piece: None,
            frames: Frames::Plain,
            blocked: false,
            stall_seconds: 0,
            total: 0,
        };
        Http1Stream { deadline, io, read, write }
    }

    /// Says how many seconds may pass without a byte of the body being read, and without room for what is written.
    #[inline]
    pub fn set_waits(&mut self, idle_seconds: u32, stall_seconds: u32) {
        self.read.idle_seconds = idle_seconds;
        self.write.stall_seconds = stall_seconds;
    }

    /// Ends the connection if nothing comes within the time that a body may pause.
    pub fn await_byte(&self) {
        self.deadline.moving(self.read.idle_seconds);
    }

    /// Prepares to read a body. `received` holds what has already arrived behind the head.
    pub fn begin_reading(&mut self, framing: Framing, form: Form, received: Option<Buffer>, allowance: u64) {
        self.read.body = Body::new(framing);
        self.read.form = form;
        self.read.waiting = received.filter(|buffer| !buffer.is_empty());
        self.read.allowance = allowance;
        self.read.total = 0;
        self.read.trailers = None;
        self.read.done = framing == Framing::None;
    }

    /// Bytes that a tunnel has moved on this connection, as part of the message each way.
    pub fn count_tunnelled(&mut self, received: u64, written: u64) {
        self.read.total += received;
        self.write.total += written;
    }

    /// Seconds that may pass without room for what is written.
    #[must_use]
    pub fn stall_seconds(&self) -> u32 {
        self.write.stall_seconds
    }

    /// Changes how the body is handed out, before the first piece was.
    pub fn set_form(&mut self, form: Form) {
        self.read.form = form;
    }

    /// Lets no more content come than so many bytes, before the first piece was handed out.
    pub fn bound_reading(&mut self, bytes_max: u64) {
        self.read.allowance = self.read.allowance.min(bytes_max);
    }

    /// Whether the message being read has ended.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.read.done
    }

    /// What has arrived behind the end of the message.
    pub fn take_waiting(&mut self) -> Option<Buffer> {
        self.read.waiting.take()
    }

    /// Whether something has arrived that was not asked for.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        self.read.waiting.is_some()
    }

    /// Prepares to write a message: `head` leaves first, together with what follows at once.
    pub fn begin_writing(&mut self, head: Text, frames: Frames) {
        self.write.out = head;
        self.write.written = 0;
        self.write.piece = None;
        self.write.frames = frames;
        self.write.blocked = false;
        self.write.total = 0;
    }

    /// Gives the room for the last message's head back: an idle connection owns no buffer.
    pub fn rest(&mut self) {
        self.write.out = Text::empty();
    }

    /// Bytes of body handed out so far, chunk frames included when they are passed on.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.read.total
    }

    /// Bytes written of the message so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.write.total
    }

    fn broken(&self) -> Failure {
        match self.read.blame {
            Blame::Client => Failure::BadChunk,
            Blame::Upstream | Blame::Config | Blame::Proxy => Failure::UpstreamProtocol,
        }
    }

    fn cut_short(&self) -> Failure {
        match (self.read.blame, self.deadline.fired()) {
            (Blame::Client, true) => Failure::BodyTimeout,
            (Blame::Client, false) => Failure::ClientClosed,
            (_, true) => Failure::UpstreamTimeout,
            (_, false) => Failure::UpstreamTruncated,
        }
    }

    /// The end of the stream where a body was expected.
    fn end_of_stream(&mut self) -> Result<Next, Failure> {
        self.read.done = true;
        if self.read.body.close() && !self.deadline.fired() {
            return Ok(Next::End(None));
        }
        Err(self.cut_short())
    }

    /// Splits a buffer into the part that belongs to the body and the rest, which waits.
    fn divide(&mut self, mut buffer: Buffer) -> Result<Option<(Piece, BodyState)>, Failure> {
        let split = match self.read.form {
            Form::Raw => self.read.body.pass_in_place(buffer.filled_mut()),
            Form::Content => self.read.body.decode_in_place(buffer.filled_mut()),
        };
        let Decoded { data: mut length, mut consumed, mut state } = split.map_err(|_| self.broken())?;
        if state == BodyState::Trailers && buffer.filled()[consumed..].starts_with(b"\r\n") {
            // No trailers, as nearly always: the end leaves with the last piece and not in a write of its own.
            state = BodyState::Done;
            consumed += 2;
            if self.read.form == Form::Raw {
                buffer.filled_mut().copy_within(consumed - 2..consumed, length);
                length += 2;
            }
        }
        if self.read.body.content_bytes() > self.read.allowance {
            return Err(Failure::BodyTooLarge);
        }
        self.read.total += length as u64;
        if consumed < buffer.len() {
            self.read.waiting = Some(Buffer::with_rest(&buffer.filled()[consumed..]));
        }
        self.read.done = state == BodyState::Done;
        if state == BodyState::Trailers {
            self.read.trailers = Some(Section::default());
        }
        buffer.end = buffer.start + length;
        Ok((!buffer.is_empty()).then_some((Piece::Buffer(buffer), state)))
    }

    /// Collects the trailer section; `Some` when it is complete.
    fn collect_trailers(&mut self, buffer: &Buffer) -> Result<Option<Box<Trailers>>, Failure> {
        let sender = match self.read.blame {
            Blame::Client => Sender::Client,
            Blame::Upstream | Blame::Config | Blame::Proxy => Sender::Upstream,
        };
        let Some(section) = &mut self.read.trailers else { return Ok(None) };
        section.trailers.text.extend_from_slice(buffer.filled());
        let Trailers { text, fields } = &mut *section.trailers;
        let end = match parse_trailers(text, fields, sender, &mut section.resume) {
            Parsed::Incomplete => return Ok(None),
            Parsed::Failed(failure) => return Err(failure),
            Parsed::Complete { length } => length,
        };
        if end < text.len() {
            self.read.waiting = Some(Buffer::with_rest(&text[end..]));
        }
        self.read.body.finish_trailers();
        self.read.done = true;
        Ok(self.read.trailers.take().map(|section| section.trailers))
    }

    fn write_failure(&self) -> Failure {
        match (self.read.blame, self.deadline.fired()) {
            (Blame::Client, true) => Failure::ClientStalled,
            (Blame::Client, false) => Failure::ClientClosed,
            (_, true) => Failure::UpstreamTimeout,
            (_, false) => Failure::UpstreamReset,
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let write = &mut self.write;
        loop {
            let head = &write.out[write.written..];
            let piece = write.piece.as_ref().map_or(&[][..], Piece::bytes);
            if head.is_empty() && piece.is_empty() {
                break;
            }
            let count = ready!(self.io.poll_write_both(cx, head, piece))?;
            write.total += count as u64;
            let of_head = count.min(head.len());
            write.written += of_head;
            if let Some(piece) = &mut write.piece {
                piece.advance(count - of_head);
            }
        }
        write.out.clear();
        write.written = 0;
        write.piece = None;
        if self.io.is_tls() {
            ready!(
                std::pin::Pin::new(&mut self.io as &mut (dyn tokio::io::AsyncWrite + Unpin)).poll_flush(cx)
            )?;
        }
        Poll::Ready(Ok(()))
    }
}

impl Source for Http1Stream {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        let polled = self.poll_next(cx);
        if let Poll::Ready(Err(_)) = &polled {
            self.read.broken = true;
        }
        if polled.is_ready() && self.read.done && self.read.blame == Blame::Client {
            self.deadline.none(); // It waited for this body; an answer may take longer.
        }
        polled
    }
}

impl Http1Stream {
    /// Whether the body that was read made no sense, so that nothing behind it can be told apart.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.read.broken
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        loop {
            if self.read.done {
                return Poll::Ready(Ok(Next::End(None)));
            }
            let buffer = match self.read.waiting.take() {
                Some(buffer) => buffer,
                None => match ready!(self.poll_receive(cx)) {
                    Some(buffer) => buffer,
                    None => return Poll::Ready(self.end_of_stream()),
                },
            };
            if self.read.trailers.is_some() {
                if let Some(trailers) = self.collect_trailers(&buffer)? {
                    return Poll::Ready(Ok(Next::End(Some(trailers))));
                }
                continue;
            }
            if let Some((piece, state)) = self.divide(buffer)? {
                return Poll::Ready(Ok(match state {
                    BodyState::Done => Next::Last(piece),
                    BodyState::More | BodyState::Trailers => Next::Piece(piece),
                }));
            }
        }
    }
}

impl Http1Stream {
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Buffer>> {
        match self.io.poll_fill_new(cx, Buffer::for_body) {
            Poll::Ready(received) => Poll::Ready(received.unwrap_or(None)),
            Poll::Pending => {
                match self.read.blame {
                    Blame::Client => self.deadline.reading(self.read.idle_seconds),
                    Blame::Upstream | Blame::Config | Blame::Proxy => {
                        self.deadline.moving(self.read.idle_seconds)
                    }
                }
                Poll::Pending
            }
        }
    }
}

impl Sink for Http1Stream {
    fn push(&mut self, piece: Piece) {
        let write = &mut self.write;
        let bytes = piece.bytes();
        if bytes.is_empty() {
            return;
        }
        if write.frames == Frames::Chunked {
            let mut room = [0; 18];
            write.out.extend_from_slice(chunk_header(bytes.len(), &mut room));
            write.out.extend_from_slice(bytes);
            write.out.extend_from_slice(b"\r\n");
        } else if !write.out.is_empty() && bytes.len() <= COALESCE_BYTES_MAX {
            write.out.extend_from_slice(bytes);
        } else {
            write.piece = Some(piece);
        }
    }

    fn finish(&mut self, trailers: Option<Box<Trailers>>) {
        let out = &mut self.write.out;
        match (self.write.frames, trailers) {
            (Frames::Plain, _) | (Frames::Raw, None) => {}
            (Frames::Chunked, None) => out.extend_from_slice(LAST_CHUNK),
            (frames @ (Frames::Chunked | Frames::Raw), Some(trailers)) => {
                if frames == Frames::Chunked {
                    out.extend_from_slice(b"0\r\n"); // The blank line comes behind the trailers.
                }
                for (name, value) in trailers.iter() {
                    for part in [name, b": ", value, b"\r\n"] {
                        out.extend_from_slice(part);
                    }
                }
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    fn is_blocked(&self) -> bool {
        self.write.blocked
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        match self.poll_write(cx) {
            Poll::Ready(Ok(())) => {
                self.write.blocked = false;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(_)) => Poll::Ready(Err(self.write_failure())),
            Poll::Pending => {
                self.write.blocked = true;
                self.deadline.moving(self.write.stall_seconds);
                Poll::Pending
            }
        }
    }
}
