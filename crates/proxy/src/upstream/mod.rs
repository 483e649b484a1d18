//! Asks an endpoint: choose it, connect or reuse, send, wait for the head of its answer.
//!
//! Attempts are repeated only where a repetition is safe: nothing was sent yet, or a kept connection turned out
//! to be dead and the request has no body and may be repeated by its method (RFC 9110 section 9.2.2).

mod balance;
mod connect;
mod http1;
mod http2;
mod retry;
pub mod send;

use std::rc::Rc;
use std::task::{Context, Poll};

pub use balance::{choose, draw};
pub use connect::{Held, Wish, acquire, reach};
pub use http1::Http1Upstream;
pub use http2::{Http2Request, Http2Upstream};
pub use retry::{Tries, Why};

use crate::buffer::Buffer;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::message::{Framing, Method, ResponseHead};
use crate::state::clusters::{ClusterState, EndpointState};
use crate::stream::{Form, Next, Piece, Sink, Source, Trailers};

/// One request on its way to one endpoint.
#[derive(Debug)]
pub enum Upstream {
    /// On an HTTP/1.1 connection of its own.
    Http1(Box<Http1Upstream>),
    /// As one of the streams of an HTTP/2 connection.
    Http2(Box<Http2Request>),
}

macro_rules! each {
    ($upstream:expr, $it:ident => $call:expr) => {
        match $upstream {
            Upstream::Http1($it) => $call,
            Upstream::Http2($it) => $call,
        }
    };
}

impl Upstream {
    /// Whether chunk frames may be passed on to it as they are.
    #[must_use]
    pub fn takes(&self) -> Form {
        match self {
            Upstream::Http1(_) => Form::Raw,
            Upstream::Http2(_) => Form::Content,
        }
    }

    /// Writes the request's head; it leaves with the first flush.
    ///
    /// # Errors
    /// The head cannot be expressed in the upstream's version of HTTP, or the connection is gone.
    pub fn begin(&mut self, exchange: &Exchange<'_>, cluster: &ClusterState) -> Result<(), Failure> {
        match self {
            Upstream::Http1(upstream) => upstream.begin(exchange, cluster),
            Upstream::Http2(upstream) => upstream.begin(exchange, cluster)?,
        }
        Ok(())
    }

    /// The head of the response. Its spans point into the buffer that is returned, from the buffer's start.
    pub fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut ResponseHead,
        method: Method,
    ) -> Poll<Result<Buffer, Failure>> {
        each!(self, upstream => upstream.poll_response(cx, head, method))
    }

    /// Prepares to read the body. `received` holds what arrived behind the head.
    pub fn begin_reading(&mut self, framing: Framing, form: Form, received: Buffer) {
        match self {
            Upstream::Http1(upstream) => upstream.begin_reading(framing, form, received),
            Upstream::Http2(upstream) => upstream.begin_reading(framing),
        }
    }

    /// Whether a failure may stem from a kept connection that had died unnoticed.
    #[must_use]
    pub fn may_be_stale(&self) -> bool {
        match self {
            Upstream::Http1(upstream) => upstream.is_reused() && !upstream.has_answered(),
            Upstream::Http2(upstream) => upstream.may_be_stale(),
        }
    }

    /// Whether the upstream said that it has processed nothing of the request (RFC 9113 section 8.7).
    #[must_use]
    pub fn was_never_seen(&self) -> bool {
        match self {
            Upstream::Http1(_) => false,
            Upstream::Http2(upstream) => upstream.was_never_seen(),
        }
    }

    /// Keeps the connection for the next request when both messages ended cleanly; closes it otherwise.
    pub fn finish(self, endpoint: &Rc<EndpointState>, clean: bool) {
        match self {
            Upstream::Http1(upstream) if clean => upstream.keep(endpoint),
            Upstream::Http1(_) | Upstream::Http2(_) => {}
        }
    }
}

impl Source for Upstream {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        each!(self, upstream => upstream.poll_piece(cx))
    }
}

impl Sink for Upstream {
    fn push(&mut self, piece: Piece) {
        each!(self, upstream => upstream.push(piece));
    }

    fn finish(&mut self, trailers: Option<Box<Trailers>>) {
        each!(self, upstream => Sink::finish(&mut **upstream, trailers));
    }

    fn is_blocked(&self) -> bool {
        each!(self, upstream => upstream.is_blocked())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        each!(self, upstream => upstream.poll_flush(cx))
    }
}
