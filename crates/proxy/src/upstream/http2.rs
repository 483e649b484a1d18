//! HTTP/2 connections to an endpoint: many requests at once on one connection.

mod connection;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};

pub use connection::Http2Upstream;

use crate::buffer::Buffer;
use crate::codec::http2;
use crate::exchange::Exchange;
use crate::failure::{Blame, Failure};
use crate::limits::INTERIM_RESPONSES_MAX;
use crate::message::{Framing, Method, ResponseHead};
use crate::state::alarms::Alarm;
use crate::state::clusters::ClusterState;
use crate::stream::{Http2Receiver, Http2Sender, Next, Piece, Sink, Source, Trailers};
use crate::upstream::send;
use crate::wire::OpenStream;

/// One request on a connection that others share.
#[derive(Debug)]
pub struct Http2Request {
    sender: SendRequest<Bytes>,
    /// The connection had carried a request before this one.
    reused: bool,
    /// It is one of the mesh, and so encrypted.
    within_mesh: bool,
    response: Option<ResponseFuture>,
    send: Option<Http2Sender>,
    receive: Option<Http2Receiver>,
    idle: Alarm,
    idle_seconds: u32,
    seen: Seen,
    interim: usize,
    open: OpenStream,
}

/// What an upstream that failed may have seen of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// There is no telling.
    Perhaps,
    /// Nothing, as it said itself (RFC 9113 section 8.7), or because nothing was sent.
    Never,
}

impl Http2Request {
    fn new(sender: SendRequest<Bytes>, reused: bool, within_mesh: bool, open: OpenStream) -> Http2Request {
        Http2Request {
            sender,
            reused,
            within_mesh,
            response: None,
            send: None,
            receive: None,
            idle: Alarm::default(),
            idle_seconds: 0,
            seen: Seen::Perhaps,
            interim: 0,
            open,
        }
    }

    /// Opens the stream.
    ///
    /// # Errors
    /// The rewritten host or path is not a valid one. A connection that takes no more streams shows when the
    /// response is asked for.
    pub fn begin(&mut self, exchange: &Exchange<'_>, cluster: &ClusterState) -> Result<(), Failure> {
        let secure = self.within_mesh || cluster.tls.is_some();
        let head = send::http2_head(exchange, cluster.cluster.credential.as_deref(), secure, !self.reused)?;
        let waits = exchange.waits();
        self.idle_seconds = waits.upstream;
        let ends = exchange.request.head.framing == Framing::None;
        match self.sender.send_request(head, ends) {
            Ok((response, stream)) => {
                self.response = Some(response);
                self.send = Some(Http2Sender::new(stream, Blame::Upstream, ends, waits.stall));
            }
            Err(_) => self.seen = Seen::Never,
        }
        Ok(())
    }

    /// Whether a failure may stem from a connection that had died unnoticed.
    #[must_use]
    pub fn may_be_stale(&self) -> bool {
        self.receive.is_none() && (self.reused || self.seen == Seen::Never)
    }

    /// Whether the upstream has processed nothing of the request, so that any method may be sent again.
    #[must_use]
    pub fn was_never_seen(&self) -> bool {
        self.seen == Seen::Never
    }

    /// See [`super::Upstream::poll_response`].
    pub fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut ResponseHead,
        method: Method,
    ) -> Poll<Result<Buffer, Failure>> {
        let Some(response) = &mut self.response else { return Poll::Ready(Err(Failure::UpstreamReset)) };
        while let Poll::Ready(Some(Ok(_))) = response.poll_informational(cx) {
            self.interim += 1;
            if self.interim > INTERIM_RESPONSES_MAX {
                self.open.retire(); // Who does this will not listen either.
                return Poll::Ready(Err(Failure::UpstreamProtocol));
            }
        }
        let response = match Pin::new(response).poll(cx) {
            Poll::Ready(response) => response,
            Poll::Pending => {
                ready!(self.idle.poll(self.idle_seconds, cx));
                return Poll::Ready(Err(Failure::UpstreamTimeout));
            }
        };
        self.idle.rest();
        let (parts, body) = response.map_err(|error| self.failure(&error))?.into_parts();
        let mut buffer = Buffer::for_head();
        http2::response(&parts, body.is_end_stream(), method, head, &mut buffer)?;
        self.receive = Some(Http2Receiver::new(body, Blame::Upstream, u64::MAX, self.idle_seconds));
        Poll::Ready(Ok(buffer))
    }

    fn failure(&mut self, error: &h2::Error) -> Failure {
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        // The library fails a stream with the GOAWAY itself only if its number is beyond the last one named.
        let beyond = error.is_go_away();
        if error.is_remote() && (refused || beyond) {
            self.seen = Seen::Never;
        }
        match error.is_remote() || error.is_io() {
            true => Failure::UpstreamReset,
            false => Failure::UpstreamProtocol,
        }
    }

    /// See [`super::Upstream::begin_reading`].
    pub fn begin_reading(&mut self, framing: Framing) {
        if framing == Framing::None {
            self.receive = None;
        }
    }
}

impl Source for Http2Request {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        match &mut self.receive {
            Some(receive) => receive.poll_piece(cx),
            None => Poll::Ready(Ok(Next::End(None))),
        }
    }
}

impl Sink for Http2Request {
    fn push(&mut self, piece: Piece) {
        self.idle.rest(); // While the request moves, the answer is not late.
        if let Some(send) = &mut self.send {
            send.push(piece);
        }
    }

    fn finish(&mut self, trailers: Option<Box<Trailers>>) {
        self.idle.rest();
        if let Some(send) = &mut self.send {
            send.finish(trailers);
        }
    }

    fn is_blocked(&self) -> bool {
        self.send.as_ref().is_some_and(Sink::is_blocked)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        match &mut self.send {
            Some(send) => send.poll_flush(cx),
            None => Poll::Ready(Err(Failure::UpstreamReset)),
        }
    }
}
