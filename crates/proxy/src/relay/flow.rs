//! One direction of a tunnel: the bytes, then the end of them.
//!
//! It begins by copying through a buffer, which costs two system calls a message and is best for the short messages
//! of most protocols. Once a read fills a whole buffer there is more to come, and between two cleartext sockets the
//! kernel moves the rest through a pipe without a copy. While nothing moves, neither buffer nor pipe is held.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;

use super::pipes::{self, Lent};
use crate::buffer::Buffer;
use crate::io::Io;
use crate::limits::BODY_BUFFER_BYTES;

/// Bytes on their way.
#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    Buffer(Buffer),
    Pipe(Lent),
}

/// How bytes are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Manner {
    /// Through a buffer.
    #[default]
    Copying,
    /// Through a pipe, because there are many.
    Splicing,
    /// Through a buffer, because no pipe is to be had.
    OnlyCopying,
}

/// Which side of a direction broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Where bytes come from.
    Source,
    /// Where they go.
    Sink,
}

/// One direction.
#[derive(Debug, Default)]
pub struct Flow {
    held: Held,
    manner: Manner,
    /// The source has ended.
    ended: bool,
    /// The sink was told so.
    closed: bool,
    /// What was written may still stand in a TLS session.
    unflushed: bool,
    /// Bytes taken since the source last had nothing.
    run: usize,
    moved: u64,
}

impl Flow {
    /// A direction of which something has already arrived.
    pub fn beginning_with(received: Option<Buffer>) -> Flow {
        let held = received.filter(|buffer| !buffer.is_empty()).map_or(Held::Nothing, Held::Buffer);
        Flow { held, ..Flow::default() }
    }

    /// Bytes that the sink has taken.
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// Whether bytes wait for a sink that does not take them.
    pub fn is_blocked(&self) -> bool {
        match &self.held {
            Held::Nothing => false,
            Held::Buffer(buffer) => !buffer.is_empty(),
            Held::Pipe(pipe) => pipe.held() > 0,
        }
    }

    /// Moves what can be moved now, at most about `turn` bytes, so that one tunnel does not keep all others waiting.
    /// Ready when the source has ended and the sink was told.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Io,
        to: &mut Io,
        turn: &mut usize,
    ) -> Poll<Result<(), Broken>> {
        loop {
            ready!(self.poll_write(cx, to)).map_err(|_| Broken::Sink)?;
            if self.closed {
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                self.held = Held::Nothing;
                ready!(Pin::new(&mut *to).poll_shutdown(cx)).map_err(|_| Broken::Sink)?;
                self.closed = true;
                return Poll::Ready(Ok(()));
            }
            if *turn == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.poll_read(cx, from, !to.is_tls()) {
                Poll::Ready(Ok(0)) => self.ended = true,
                Poll::Ready(Ok(count)) => *turn = turn.saturating_sub(count),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Source)),
                Poll::Pending => {
                    self.rest();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Nothing has come: gives back what moved the last bytes.
    fn rest(&mut self) {
        if self.manner == Manner::Splicing && self.run < BODY_BUFFER_BYTES {
            self.manner = Manner::Copying;
        }
        self.run = 0;
        self.held = Held::Nothing;
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Io,
        plain_sink: bool,
    ) -> Poll<io::Result<usize>> {
        let count = match (self.manner, &mut *from) {
            (Manner::Splicing, Io::Plain(stream)) => ready!(self.poll_splice(cx, stream))?,
            _ => None,
        };
        let count = match count {
            Some(count) => count,
            None => ready!(self.poll_copy(cx, from, plain_sink))?,
        };
        self.run = self.run.saturating_add(count);
        Poll::Ready(Ok(count))
    }

    fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Io,
        plain_sink: bool,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = match std::mem::take(&mut self.held) {
            Held::Buffer(mut buffer) => {
                (buffer.start, buffer.end) = (0, 0);
                buffer
            }
            Held::Nothing | Held::Pipe(_) => Buffer::for_body(),
        };
        let count = ready!(from.poll_fill(cx, &mut buffer))?;
        if buffer.is_full() && plain_sink && !from.is_tls() && self.manner == Manner::Copying {
            self.manner = Manner::Splicing;
        }
        self.held = Held::Buffer(buffer);
        Poll::Ready(Ok(count))
    }

    /// `None` when there is no pipe.
    fn poll_splice(&mut self, cx: &mut Context<'_>, from: &TcpStream) -> Poll<io::Result<Option<usize>>> {
        loop {
            ready!(from.poll_read_ready(cx))?;
            let mut pipe = match std::mem::take(&mut self.held) {
                Held::Pipe(pipe) => pipe,
                Held::Nothing | Held::Buffer(_) => match pipes::lend() {
                    Some(pipe) => pipe,
                    None => {
                        self.manner = Manner::OnlyCopying;
                        return Poll::Ready(Ok(None));
                    }
                },
            };
            match from.try_io(Interest::READABLE, || pipe.fill(from)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                filled => {
                    self.held = Held::Pipe(pipe);
                    return Poll::Ready(filled.map(Some));
                }
            }
        }
    }

    /// Writes everything that is held.
    fn poll_write(&mut self, cx: &mut Context<'_>, to: &mut Io) -> Poll<io::Result<()>> {
        loop {
            let count = match &mut self.held {
                Held::Buffer(buffer) if !buffer.is_empty() => {
                    let count = ready!(to.poll_write_both(cx, buffer.filled(), &[]))?;
                    buffer.start += count;
                    count
                }
                Held::Pipe(pipe) if pipe.held() > 0 => ready!(poll_drain(cx, pipe, to))?,
                Held::Nothing | Held::Buffer(_) | Held::Pipe(_) => break,
            };
            self.moved += count as u64;
            self.unflushed = to.is_tls();
        }
        if self.unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

fn poll_drain(cx: &mut Context<'_>, pipe: &mut Lent, to: &mut Io) -> Poll<io::Result<usize>> {
    // Pipes are used between cleartext sockets only.
    let Io::Plain(stream) = to else { return Poll::Ready(Err(io::ErrorKind::Unsupported.into())) };
    loop {
        ready!(stream.poll_write_ready(cx))?;
        match stream.try_io(Interest::WRITABLE, || pipe.drain(&*stream)) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            drained => return Poll::Ready(drained),
        }
    }
}
