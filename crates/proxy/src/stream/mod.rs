//! How bodies move: from a source to a sink, piece by piece, no faster than the slower of the two.
//!
//! The request goes from the client's stream to the upstream's, the response the other way, and both may move
//! at once. A sink takes one piece and is asked for the next only when that has been written, which is all the
//! back-pressure there is to it.

mod http1;
mod http2;
mod replay;
mod room;
mod tee;
mod whole;

use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};

pub use http1::{Form, Frames, Http1Stream};
pub use http2::{Http2Receiver, Http2Sender};
pub use replay::{Again, Replay};
pub use tee::{Copy, Tee, Whole};
pub use whole::{Intake, Untaken, WholeBody};

use crate::buffer::{Buffer, Text};
use crate::failure::Failure;
use crate::message::Field;

/// Bytes of a body on their way.
#[derive(Debug)]
pub enum Piece {
    /// As they were read from a socket.
    Buffer(Buffer),
    /// As the HTTP/2 library handed them out.
    Shared(Bytes),
}

impl Piece {
    /// What is left of it.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Piece::Buffer(buffer) => buffer.filled(),
            Piece::Shared(bytes) => bytes,
        }
    }

    /// Forgets its first bytes.
    #[inline]
    pub fn advance(&mut self, count: usize) {
        match self {
            Piece::Buffer(buffer) => buffer.start += count,
            Piece::Shared(bytes) => bytes.advance(count),
        }
    }

    /// As shared bytes; copies what lies in a buffer, because buffers return to their worker.
    #[must_use]
    pub fn into_shared(self) -> Bytes {
        match self {
            Piece::Buffer(buffer) => Bytes::copy_from_slice(buffer.filled()),
            Piece::Shared(bytes) => bytes,
        }
    }
}

/// Fields that came after a body and may be passed on.
#[derive(Debug, Default)]
pub struct Trailers {
    /// The text the fields point into.
    pub text: Text,
    /// The fields.
    pub fields: Vec<Field>,
}

impl Trailers {
    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (field.name.of(&self.text), field.value.of(&self.text)))
    }
}

/// What a source has next.
#[derive(Debug)]
pub enum Next {
    /// Some bytes, and more to come.
    Piece(Piece),
    /// The last bytes; no trailers follow.
    Last(Piece),
    /// Nothing more.
    End(Option<Box<Trailers>>),
}

/// Where a body comes from.
pub trait Source {
    /// The next piece.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>>;
}

/// Where a body goes.
pub trait Sink {
    /// Takes a piece. Only to be called when the last flush was complete.
    fn push(&mut self, piece: Piece);

    /// Takes the end of the body.
    fn finish(&mut self, trailers: Option<Box<Trailers>>);

    /// Whether an earlier flush could not write everything.
    fn is_blocked(&self) -> bool;

    /// Writes what was taken.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>>;
}

/// One direction of an exchange.
#[derive(Debug, Default)]
pub struct Transfer {
    ended: bool,
    done: bool,
}

impl Transfer {
    /// A transfer whose body is known to be empty and whose sink was already told so.
    #[must_use]
    pub fn ended() -> Transfer {
        Transfer { ended: true, done: false }
    }

    /// Whether everything has been written.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Moves what can be moved now. What the sink already holds (a head) leaves together with the first piece.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Source,
        sink: &mut impl Sink,
    ) -> Poll<Result<(), Failure>> {
        if self.done {
            return Poll::Ready(Ok(()));
        }
        if sink.is_blocked() {
            ready!(sink.poll_flush(cx))?;
        }
        while !self.ended {
            match source.poll_piece(cx)? {
                Poll::Ready(Next::Piece(piece)) => sink.push(piece),
                Poll::Ready(Next::Last(piece)) => {
                    sink.push(piece);
                    sink.finish(None);
                    self.ended = true;
                }
                Poll::Ready(Next::End(trailers)) => {
                    sink.finish(trailers);
                    self.ended = true;
                }
                Poll::Pending => {
                    ready!(sink.poll_flush(cx))?;
                    return Poll::Pending;
                }
            }
            if !self.ended {
                ready!(sink.poll_flush(cx))?;
            }
        }
        ready!(sink.poll_flush(cx))?;
        self.done = true;
        Poll::Ready(Ok(()))
    }
}
