//! One type for every kind of byte stream a connection can be.
//!
//! An enum and not a trait object: the compiler sees through it, and the plain case costs one branch.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::buffer::Buffer;
use crate::counterpart::Counterpart;
use crate::state::counterparts::Known;

/// A connection's bytes.
#[derive(Debug)]
pub enum Io {
    /// Cleartext.
    Plain(TcpStream),
    /// TLS, we are the server.
    Server(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    /// TLS, we are the client.
    Client(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    /// TLS with a member of the mesh, whoever called.
    Mesh(Box<MeshStream>),
}

/// A connection with a member of the mesh.
#[derive(Debug)]
pub struct MeshStream {
    // Before the socket, see `Known`.
    /// Who is at the other end; trust in it may end before the connection does.
    pub known: Known,
    /// The encrypted stream.
    pub stream: tokio_rustls::TlsStream<TcpStream>,
}

/// What is the matter with a connection that nothing is expected from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// The other side has gone.
    Gone,
    /// It has sent something ahead of time.
    Talking,
}

macro_rules! each {
    ($io:expr, $stream:ident => $call:expr) => {
        match $io {
            Io::Plain($stream) => $call,
            Io::Server($stream) => $call,
            Io::Client($stream) => $call,
            Io::Mesh(mesh) => {
                let $stream = &mut mesh.stream;
                $call
            }
        }
    };
}

impl Io {
    /// The connection below.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Io::Plain(stream) => stream,
            Io::Server(stream) => stream.get_ref().0,
            Io::Client(stream) => stream.get_ref().0,
            Io::Mesh(mesh) => mesh.stream.get_ref().0,
        }
    }

    /// The descriptor of the socket below.
    #[must_use]
    pub fn socket(&self) -> RawFd {
        self.tcp().as_raw_fd()
    }

    /// Who is at the other end, on a connection of the mesh.
    #[must_use]
    pub fn counterpart(&self) -> Option<&Rc<Counterpart>> {
        match self {
            Io::Mesh(mesh) => Some(&mesh.known.counterpart),
            Io::Plain(_) | Io::Server(_) | Io::Client(_) => None,
        }
    }

    /// Whether no further request may begin on it.
    #[inline]
    #[must_use]
    pub fn retires(&self) -> bool {
        self.counterpart().is_some_and(|counterpart| counterpart.retires())
    }

    /// Whether bytes are encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        !matches!(self, Io::Plain(_))
    }

    /// Waits until the other side has gone, or has sent something that nobody reads yet. Looking costs no system
    /// call as long as nothing happens.
    ///
    /// A side that only ended its sending counts as gone, as nginx and Envoy have it: whether it still listens
    /// could only be found out by sending.
    pub fn poll_hangup(&self, cx: &mut Context<'_>) -> Poll<Hangup> {
        let mut byte = [0; 1];
        match ready!(self.tcp().poll_peek(cx, &mut ReadBuf::new(&mut byte))) {
            Ok(0) | Err(_) => Poll::Ready(Hangup::Gone),
            Ok(_) => Poll::Ready(Hangup::Talking),
        }
    }

    /// Reads into the room of a buffer. `Ok(0)` is the end of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut Buffer) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(buffer.room());
        ready!(each!(self, stream => Pin::new(stream).poll_read(cx, &mut room)))?;
        let count = room.filled().len();
        buffer.end += count;
        Poll::Ready(Ok(count))
    }

    /// Reads into a fresh buffer, which is borrowed only once there is something to put into it.
    pub fn poll_fill_new(
        &mut self,
        cx: &mut Context<'_>,
        make: fn() -> Buffer,
    ) -> Poll<io::Result<Option<Buffer>>> {
        let mut buffer = make();
        match ready!(self.poll_fill(cx, &mut buffer))? {
            0 => Poll::Ready(Ok(None)),
            _ => Poll::Ready(Ok(Some(buffer))),
        }
    }

    /// Whether an idle connection is still usable: nothing has arrived and it was not closed. Costs no system
    /// call, since the reactor remembers that nothing has happened.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0; 1];
        if let Io::Plain(stream) = self {
            // Asked without a waker: nobody is to be told when something comes.
            return stream.try_read(&mut byte).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        }
        let mut room = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        each!(self, stream => Pin::new(stream).poll_read(&mut cx, &mut room)).is_pending()
    }

    /// Writes one slice, or two at once.
    pub fn poll_write_both(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match (first.is_empty(), second.is_empty()) {
            (_, true) => ready!(each!(self, stream => Pin::new(stream).poll_write(cx, first)))?,
            (true, false) => ready!(each!(self, stream => Pin::new(stream).poll_write(cx, second)))?,
            (false, false) => {
                let slices = [IoSlice::new(first), IoSlice::new(second)];
                ready!(each!(self, stream => Pin::new(stream).poll_write_vectored(cx, &slices)))?
            }
        };
        if written == 0 {
            Poll::Ready(Err(io::ErrorKind::WriteZero.into()))
        } else {
            Poll::Ready(Ok(written))
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, room))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}
