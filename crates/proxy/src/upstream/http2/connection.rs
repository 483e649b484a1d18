//! A connection to an endpoint, with the task that moves its frames.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Connection, SendRequest};

use super::Http2Request;
use crate::counterpart::Counterpart;
use crate::failure::Failure;
use crate::io::Io;
use crate::limits::{
    HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_HEADER_LIST_BYTES_MAX, HTTP2_STALL_SECONDS, HTTP2_STREAMS_MAX,
    HTTP2_WINDOW_BYTES, POOL_IDLE_SECONDS,
};
use crate::state::breakers::OpenConnection;
use crate::state::deadlines::Deadlines;
use crate::wire::{self, Patience, Tap, Wire};

/// A connection that requests can be opened on.
#[derive(Debug)]
pub struct Http2Upstream {
    sender: SendRequest<Bytes>,
    tap: Tap,
    closed: Rc<Cell<bool>>,
    used: Cell<bool>,
    /// Its place under a limit.
    _open: Option<OpenConnection>,
    /// Who is at the other end, on a connection of the mesh.
    counterpart: Option<Rc<Counterpart>>,
}

impl Http2Upstream {
    /// Begins HTTP/2 on a connection.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn open(
        io: Io,
        deadlines: &Rc<Deadlines>,
        place: Option<OpenConnection>,
    ) -> Result<Http2Upstream, Failure> {
        let mut builder = h2::client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(HTTP2_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HTTP2_HEADER_LIST_BYTES_MAX)
            .max_send_buffer_size(HTTP2_WINDOW_BYTES as usize);
        let patience =
            Patience { head: POOL_IDLE_SECONDS, idle: POOL_IDLE_SECONDS, stall: HTTP2_STALL_SECONDS };
        let counterpart = io.counterpart().cloned();
        let (wire, tap) = wire::wire(io, None, None, deadlines, patience);
        let (sender, connection) = builder.handshake(wire).await.map_err(|_| Failure::UpstreamProtocol)?;
        let closed = Rc::new(Cell::new(false));
        tokio::task::spawn_local(carry(connection, tap.clone(), closed.clone()));
        Ok(Http2Upstream { sender, tap, closed, used: Cell::new(false), _open: place, counterpart })
    }

    /// Whether it takes no further request.
    fn retires(&self) -> bool {
        self.counterpart.as_ref().is_some_and(|counterpart| counterpart.retires())
    }

    /// Whether requests can be opened on it.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        // After a GOAWAY the library refuses; otherwise it is always ready for a first request of a handle.
        let mut cx = Context::from_waker(Waker::noop());
        !self.closed.get()
            && !self.retires()
            && self.tap.is_alive()
            && !matches!(self.sender.clone().poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// A request of its own on this connection, if it has room for one.
    #[must_use]
    pub fn request(&self) -> Option<Http2Request> {
        if self.closed.get() || self.retires() || !self.tap.is_alive() {
            return None;
        }
        let room = self.sender.current_max_send_streams().min(HTTP2_STREAMS_MAX as usize);
        if self.tap.streams() as usize >= room {
            return None;
        }
        let mut sender = self.sender.clone();
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Err(_)) = sender.poll_ready(&mut cx) {
            return None;
        }
        let within_mesh = self.counterpart.is_some();
        Some(Http2Request::new(sender, self.used.replace(true), within_mesh, self.tap.open_stream()))
    }
}

/// Moves frames until the connection ends. Its streams report what went wrong with them.
async fn carry(mut connection: Connection<Wire, Bytes>, tap: Tap, closed: Rc<Cell<bool>>) {
    poll_fn(|cx| {
        let ended = Pin::new(&mut connection).poll(cx).is_ready()
            || tap.ended().is_some()
            || matches!(tap.poll_drain(cx), Poll::Ready(Err(_)));
        if ended { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    closed.set(true);
}
