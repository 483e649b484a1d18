//! The bytes below an HTTP/2 connection: watched on the way in, gathered on the way out.
//!
//! The library writes each frame of content with a system call of its own, and reads a few kilobytes at a time. Here
//! its writes are gathered, and leave when the connection's task has nothing more to do: answers that became ready
//! together leave together. What has come in is read at once.
//! What comes in is shown to a [`Guard`] first, so that abuse ends a connection before it has cost anything.
//! The deadlines of a connection are kept here as well, because this is where its bytes move.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::buffer::Buffer;
use crate::codec::http2::{Abuse, Guard};
use crate::io::Io;
use crate::limits::{HTTP2_LINGER_BYTES_MAX, HTTP2_LINGER_SECONDS};
use crate::state::deadlines::{Deadline, Deadlines};

/// Why a connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A budget was exceeded.
    Abuse,
    /// A request head, or the first frame, was begun and not finished in time.
    HeadTimeout,
    /// Nothing was asked for in time.
    Idle,
}

/// How long the connection may wait for something, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the rest of a request head, or the first frame.
    pub head: u32,
    /// For the next request.
    pub idle: u32,
    /// For room to write.
    pub stall: u32,
}

/// What the deadline of the socket is set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nothing,
    Head,
    Idle,
    Write,
    End,
}

/// The side that the library reads and writes.
#[derive(Debug)]
pub struct Wire(Rc<RefCell<Inner>>);

/// The side that the connection's task keeps.
#[derive(Clone, Debug)]
pub struct Tap(Rc<RefCell<Inner>>);

#[derive(Debug)]
struct Inner {
    // Before the socket, see `Deadline`.
    deadline: Deadline,
    clock: Rc<Deadlines>,
    io: Io,
    received: Option<Buffer>,
    out: Option<Buffer>,
    guard: Option<Box<Guard>>,
    patience: Patience,
    waiting: Waiting,
    streams: u32,
    stalled: bool,
    leaving: bool,
    ended: Option<Ended>,
}

/// Puts a wire around a connection. A client's connection gets a guard; an upstream's does not, it was chosen.
pub fn wire(
    io: Io,
    received: Option<Buffer>,
    guard: Option<Box<Guard>>,
    deadlines: &Rc<Deadlines>,
    patience: Patience,
) -> (Wire, Tap) {
    let inner = Inner {
        deadline: deadlines.register(io.socket()),
        clock: deadlines.clone(),
        io,
        received,
        out: None,
        guard,
        patience,
        waiting: Waiting::Nothing,
        streams: 0,
        stalled: false,
        leaving: false,
        ended: None,
    };
    let shared = Rc::new(RefCell::new(inner));
    shared.borrow_mut().set_deadline();
    (Wire(shared.clone()), Tap(shared))
}

impl Tap {
    /// Why the connection must end, if it must.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.0.borrow().ended
    }

    /// Whether it ended because the other side read nothing.
    #[must_use]
    pub fn has_stalled(&self) -> bool {
        let inner = self.0.borrow();
        inner.deadline.fired() && inner.waiting == Waiting::Write
    }

    /// Sends what was gathered.
    pub fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_drain(cx)
    }

    /// A stream has been opened; it ends when the result is dropped.
    #[must_use]
    pub fn open_stream(&self) -> OpenStream {
        let mut inner = self.0.borrow_mut();
        inner.streams += 1;
        inner.set_deadline();
        drop(inner);
        OpenStream(self.clone())
    }

    /// Streams that are open.
    #[must_use]
    pub fn streams(&self) -> u32 {
        self.0.borrow().streams
    }

    /// Whether more streams may be opened on it: no deadline has ended it and it does not go away.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let inner = self.0.borrow();
        inner.ended.is_none() && !inner.leaving && !inner.deadline.fired()
    }

    /// The connection goes away: it may wait for nothing any more but for the streams that are open.
    pub fn leave(&self) {
        let mut inner = self.0.borrow_mut();
        inner.leaving = true;
        inner.ended = None;
        inner.set_deadline();
    }

    /// Reads and forgets what still comes in, for a bounded time: a socket closed with unread bytes in it resets
    /// the connection, and the reason that was given would be lost.
    pub async fn linger(&self) {
        let mut discarded = 0;
        self.0.borrow().deadline.moving(HTTP2_LINGER_SECONDS);
        while discarded <= HTTP2_LINGER_BYTES_MAX {
            let read = std::future::poll_fn(|cx| self.0.borrow_mut().io.poll_fill_new(cx, Buffer::for_body));
            match read.await {
                Ok(Some(buffer)) => discarded += buffer.len(),
                Ok(None) | Err(_) => return,
            }
        }
    }
}

/// Counts a stream as open for as long as it lives.
#[derive(Debug)]
pub struct OpenStream(Tap);

impl OpenStream {
    /// No stream is to be opened on this connection any more; it ends with those that are open.
    pub fn retire(&self) {
        self.0.leave();
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut inner = self.0.0.borrow_mut();
        inner.streams -= 1;
        if inner.streams == 0 {
            inner.set_deadline();
        }
    }
}

impl Inner {
    /// What the connection waits for now. A deadline that was set for the same thing keeps running.
    fn set_deadline(&mut self) {
        let is_head = self.guard.as_ref().is_some_and(|guard| !guard.has_begun() || guard.is_inside_head());
        let waiting = match () {
            () if self.stalled => Waiting::Write,
            () if self.leaving && self.streams == 0 => Waiting::End,
            () if is_head => Waiting::Head,
            () if self.streams == 0 => Waiting::Idle,
            () => Waiting::Nothing,
        };
        if waiting == self.waiting {
            return;
        }
        self.waiting = waiting;
        match waiting {
            Waiting::Nothing => self.deadline.none(),
            Waiting::Head => self.deadline.reading(self.patience.head),
            Waiting::Idle => self.deadline.reading(self.patience.idle),
            Waiting::Write => self.deadline.moving(self.patience.stall),
            Waiting::End => self.deadline.moving(HTTP2_LINGER_SECONDS),
        }
    }

    fn end_of_stream(&mut self) -> Option<Ended> {
        if !self.deadline.fired() || self.leaving {
            return None;
        }
        match self.waiting {
            Waiting::Head => Some(Ended::HeadTimeout),
            Waiting::Idle => Some(Ended::Idle),
            Waiting::Write | Waiting::Nothing | Waiting::End => None,
        }
    }

    /// Everything that has come in, in one system call: the room that the library offers is what is left of a block
    /// of eight kilobytes, which the frames of a few streams fill.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Buffer>>> {
        match ready!(self.io.poll_fill_new(cx, Buffer::for_body)) {
            // Within TLS, the end that a deadline makes looks like a truncation.
            Err(_) if self.deadline.fired() => Poll::Ready(Ok(None)),
            received => Poll::Ready(received),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ended.is_some() {
            return Poll::Pending; // The task looks at the reason as soon as the library rests.
        }
        let before = room.filled().len();
        if self.received.is_none() {
            self.received = ready!(self.poll_receive(cx))?;
        }
        if let Some(received) = &mut self.received {
            let count = received.len().min(room.remaining());
            room.put_slice(&received.filled()[..count]);
            received.start += count;
            if received.is_empty() {
                self.received = None;
            }
        }
        let bytes = &room.filled()[before..];
        if bytes.is_empty() {
            self.ended = self.end_of_stream();
            return if self.ended.is_some() { Poll::Pending } else { Poll::Ready(Ok(())) };
        }
        if let Some(guard) = &mut self.guard {
            if let Err(Abuse) = guard.received(bytes, self.clock.now()) {
                room.set_filled(before);
                self.ended = Some(Ended::Abuse);
                return Poll::Pending;
            }
            self.set_deadline();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(out) = &mut self.out {
            match self.io.poll_write_both(cx, out.filled(), &[]) {
                Poll::Ready(Ok(count)) => {
                    out.start += count;
                    if out.is_empty() {
                        self.out = None;
                    }
                    self.stalled = false; // Something moved: the wait begins anew.
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.set_stalled(true);
                    return Poll::Pending;
                }
            }
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx); // TLS keeps records of its own.
        self.set_stalled(flushed.is_pending());
        flushed
    }

    fn set_stalled(&mut self, stalled: bool) {
        if stalled && !self.stalled {
            self.waiting = Waiting::Nothing; // Whatever was waited for, the wait for room begins now.
        }
        self.stalled = stalled;
        self.set_deadline();
    }

    fn poll_gather(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let out = self.out.get_or_insert_with(Buffer::for_body);
        if out.is_full() {
            ready!(self.poll_drain(cx))?;
        }
        let out = self.out.get_or_insert_with(Buffer::for_body);
        let count = bytes.len().min(out.room().len());
        out.room()[..count].copy_from_slice(&bytes[..count]);
        out.end += count;
        if let Some(guard) = &mut self.guard {
            guard.sent(&bytes[..count]);
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_read(cx, room)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().poll_gather(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.0.borrow_mut();
        let mut total = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            match inner.poll_gather(cx, slice) {
                Poll::Ready(Ok(count)) => {
                    total += count;
                    if count < slice.len() {
                        break;
                    }
                }
                _ if total > 0 => break, // What was gathered must be told; the rest comes up again.
                other => return other,
            }
        }
        Poll::Ready(Ok(total))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing leaves here: the library flushes after every frame. The connection's task drains the wire.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        ready!(inner.poll_drain(cx))?;
        Pin::new(&mut inner.io).poll_shutdown(cx)
    }
}
