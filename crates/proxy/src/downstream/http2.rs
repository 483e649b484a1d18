//! A client's HTTP/2 connection: many requests at once, each a task of its own.
//!
//! The connection's own task reads frames, opens streams and writes what the streams' tasks have made ready. It
//! is also the one place that ends a connection: for abuse, for idleness, for a drain.

mod stream;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection, SendResponse};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

pub use stream::Http2Downstream;

use crate::buffer::Buffer;
use crate::exchange::Peer;
use crate::failure::Failure;
use crate::io::Io;
use crate::limits::{
    HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_HEADER_LIST_BYTES_MAX, HTTP2_RESETS_MAX, HTTP2_STREAMS_MAX,
    HTTP2_WINDOW_BYTES,
};
use crate::state::deadlines::whole_seconds;
use crate::state::ports::PortState;
use crate::waits::Waits;
use crate::wire::{self, Ended, Patience, Tap, Wire};
use crate::worker::Worker;

/// What the streams of a connection share.
#[derive(Debug)]
struct Shared {
    peer: Rc<Peer>,
    worker: Rc<Worker>,
    port: Rc<PortState>,
    /// Tells the connection's task that the client needs another connection.
    dismissed: Notify,
}

impl Shared {
    /// Whether what its member has proven has aged, so that the connection is to end. Looked at with every frame.
    fn retires(&self) -> bool {
        self.peer.counterpart.as_ref().is_some_and(|counterpart| counterpart.retires())
    }
}

/// Carries requests until the connection ends.
pub async fn serve(io: Io, received: Option<Buffer>, peer: Peer, worker: Rc<Worker>, port: Rc<PortState>) {
    let limits = port.pin().port().settings.limits;
    let patience = Patience {
        head: whole_seconds(limits.head_timeout),
        idle: whole_seconds(limits.idle_timeout),
        stall: Waits::of(&limits).stall,
    };
    let (wire, tap) = wire::wire(io, received, Some(Box::default()), &worker.deadlines, patience);
    let Some(connection) = handshake(wire, &tap).await else {
        let timed_out = tap.ended() == Some(Ended::HeadTimeout);
        let failure = if timed_out { Failure::HeadTimeout } else { Failure::Http2Protocol };
        worker.metrics.failures[failure as usize].add(1);
        return;
    };
    let shared = Rc::new(Shared { peer: Rc::new(peer), worker, port, dismissed: Notify::new() });
    let mut server = Server { connection, tap, shared, draining: false, told: false };
    let error = server.run().await;
    server.close(error).await;
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(HTTP2_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(HTTP2_HEADER_LIST_BYTES_MAX)
        .max_concurrent_reset_streams(HTTP2_RESETS_MAX)
        .max_pending_accept_reset_streams(HTTP2_RESETS_MAX)
        .max_local_error_reset_streams(Some(HTTP2_RESETS_MAX))
        .max_send_buffer_size(HTTP2_WINDOW_BYTES as usize);
    builder
}

async fn handshake(wire: Wire, tap: &Tap) -> Option<Connection<Wire, Bytes>> {
    let mut handshake = builder().handshake::<_, Bytes>(wire);
    poll_fn(|cx| match Pin::new(&mut handshake).poll(cx) {
        Poll::Ready(done) => Poll::Ready(done.ok()),
        Poll::Pending if tap.ended().is_some() => Poll::Ready(None),
        Poll::Pending => match tap.poll_drain(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(None),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        },
    })
    .await
}

struct Server {
    connection: Connection<Wire, Bytes>,
    tap: Tap,
    shared: Rc<Shared>,
    draining: bool,
    /// The client was told why the connection ends.
    told: bool,
}

#[expect(clippy::large_enum_variant, reason = "made and taken apart at once, never kept")]
enum Event {
    Request(http::Request<h2::RecvStream>, SendResponse<Bytes>),
    /// The drain has begun, or the client was told to open another connection.
    MustLeave,
    MustEnd(Ended),
    Closed(Option<h2::Error>),
}

impl Server {
    /// Until the connection is closed; returns what was wrong with it, if anything.
    async fn run(&mut self) -> Option<h2::Error> {
        let shared = self.shared.clone();
        let mut drain = pin!(shared.port.drain_begins.notified());
        drain.as_mut().enable(); // From here on no drain goes unnoticed; what began before is looked up.
        let mut dismissed = pin!(shared.dismissed.notified());
        loop {
            match poll_fn(|cx| self.poll_event(cx, drain.as_mut(), dismissed.as_mut())).await {
                Event::Request(request, respond) => {
                    let open = self.tap.open_stream();
                    let begun = stream::begin(request, respond, &shared);
                    // Boxed here: on its way into a task, a future is moved half a dozen times.
                    tokio::task::spawn_local(Box::pin(stream::carry(begun, shared.clone(), open)));
                }
                Event::MustLeave => {
                    self.draining = true;
                    self.connection.graceful_shutdown();
                    self.tap.leave();
                }
                Event::MustEnd(ended) => self.end(ended),
                Event::Closed(error) => return error,
            }
        }
    }

    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        drain: Pin<&mut Notified<'_>>,
        dismissed: Pin<&mut Notified<'_>>,
    ) -> Poll<Event> {
        match self.connection.poll_accept(cx) {
            Poll::Ready(Some(Ok((request, respond)))) => {
                return Poll::Ready(Event::Request(request, respond));
            }
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Event::Closed(Some(error))),
            Poll::Ready(None) => return Poll::Ready(Event::Closed(None)),
            Poll::Pending => {}
        }
        if let Some(ended) = self.tap.ended() {
            return Poll::Ready(Event::MustEnd(ended));
        }
        let port = &self.shared.port;
        if !self.draining
            && (port.is_draining()
                || self.shared.retires()
                || drain.poll(cx).is_ready()
                || dismissed.poll(cx).is_ready())
        {
            return Poll::Ready(Event::MustLeave);
        }
        match self.tap.poll_drain(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(Event::Closed(None)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// Tells the client why, and ends every stream.
    fn end(&mut self, ended: Ended) {
        let reason = match ended {
            Ended::Abuse => {
                self.count(Failure::Http2Abuse);
                Reason::ENHANCE_YOUR_CALM
            }
            Ended::HeadTimeout => {
                self.count(Failure::HeadTimeout);
                Reason::NO_ERROR
            }
            Ended::Idle => Reason::NO_ERROR,
        };
        self.told = true;
        self.connection.abrupt_shutdown(reason);
        self.tap.leave();
    }

    async fn close(self, error: Option<h2::Error>) {
        if self.tap.has_stalled() {
            return self.count(Failure::ClientStalled);
        }
        let by_library = error.as_ref().is_some_and(h2::Error::is_library);
        match error.as_ref().and_then(h2::Error::reason) {
            Some(Reason::ENHANCE_YOUR_CALM) if by_library => self.count(Failure::Http2Abuse),
            Some(_) if by_library => self.count(Failure::Http2Protocol),
            _ => {} // The client went away, which is not a failure of its protocol.
        }
        if self.told || by_library {
            self.tap.linger().await;
        }
    }

    fn count(&self, failure: Failure) {
        self.shared.worker.metrics.failures[failure as usize].add(1);
    }
}
