//! HTTP/2 connections to an endpoint: many requests at once on one connection.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};

use crate::buffer::Buffer;
use crate::codec::http2;
use crate::exchange::Exchange;
use crate::failure::{Blame, Failure};
use crate::io::Io;
use crate::limits::{
    HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_HEADER_LIST_BYTES_MAX, HTTP2_STREAMS_MAX, HTTP2_WINDOW_BYTES,
};
use crate::message::{Framing, Method, ResponseHead};
use crate::state::clusters::ClusterState;
use crate::state::deadlines::Deadline;
use crate::stream::{Http2Receiver, Http2Sender, Next, Piece, Sink, Source, Trailers};

/// A connection that requests can be opened on.
#[derive(Debug)]
pub struct Http2Upstream {
    sender: SendRequest<Bytes>,
    shared: Rc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    closed: Cell<bool>,
    active: Cell<u32>,
}

impl Http2Upstream {
    /// Begins HTTP/2 on a connection.
    ///
    /// # Errors
    /// The other side does not speak HTTP/2.
    pub async fn open(io: Io, deadline: Deadline) -> Result<Http2Upstream, Failure> {
        let mut builder = h2::client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(HTTP2_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HTTP2_HEADER_LIST_BYTES_MAX)
            .max_send_buffer_size(HTTP2_WINDOW_BYTES as usize);
        let (sender, connection) = builder.handshake(io).await.map_err(|_| Failure::UpstreamProtocol)?;
        let shared = Rc::new(Shared::default());
        let told = shared.clone();
        tokio::task::spawn_local(async move {
            let _deadline = deadline; // Lives as long as the socket does.
            let _ = connection.await; // Its streams report what went wrong with them.
            told.closed.set(true);
        });
        Ok(Http2Upstream { sender, shared })
    }

    /// Whether requests can be opened on it.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.shared.closed.get()
    }

    /// A request of its own on this connection, if it has room for one.
    #[must_use]
    pub fn request(&self) -> Option<Http2Request> {
        let active = self.shared.active.get();
        if !self.is_usable() || active >= HTTP2_STREAMS_MAX {
            return None;
        }
        self.shared.active.set(active + 1);
        let active = Active(self.shared.clone());
        Some(Http2Request {
            sender: self.sender.clone(),
            stage: Stage::Fresh,
            receive: None,
            _active: active,
        })
    }
}

/// Counts a stream as open for as long as it lives.
#[derive(Debug)]
struct Active(Rc<Shared>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
    }
}

/// One request on a connection that others share.
#[derive(Debug)]
pub struct Http2Request {
    sender: SendRequest<Bytes>,
    stage: Stage,
    receive: Option<Http2Receiver>,
    _active: Active,
}

#[derive(Debug)]
enum Stage {
    Fresh,
    Waiting(Box<http::Request<()>>, bool, Vec<Piece>, Option<Option<Box<Trailers>>>),
    Sent { response: Option<ResponseFuture>, send: Http2Sender },
    Failed,
}

impl Http2Request {
    /// Builds the request's head; it is sent when the connection has room for another stream.
    ///
    /// # Errors
    /// The rewritten host or path is not a valid one.
    pub fn begin(&mut self, exchange: &Exchange<'_>, cluster: &ClusterState) -> Result<(), Failure> {
        let head = http2::upstream_request(exchange, cluster)?;
        let ends = exchange.request.head.framing == Framing::None;
        self.stage = Stage::Waiting(Box::new(head), ends, Vec::new(), None);
        Ok(())
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if !matches!(self.stage, Stage::Waiting(..)) {
            return Poll::Ready(Ok(()));
        }
        if ready!(self.sender.poll_ready(cx)).is_err() {
            self.stage = Stage::Failed;
            return Poll::Ready(Err(Failure::UpstreamReset));
        }
        let Stage::Waiting(head, ends, pieces, ending) = std::mem::replace(&mut self.stage, Stage::Failed)
        else {
            return Poll::Ready(Ok(()));
        };
        let Ok((response, stream)) = self.sender.send_request(*head, ends) else {
            return Poll::Ready(Err(Failure::UpstreamReset));
        };
        let mut send = Http2Sender::new(stream, Blame::Upstream, ends);
        for piece in pieces {
            send.push(piece);
        }
        if let Some(trailers) = ending {
            send.finish(trailers);
        }
        self.stage = Stage::Sent { response: Some(response), send };
        Poll::Ready(Ok(()))
    }

    /// See [`super::Upstream::poll_response`].
    pub fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut ResponseHead,
        method: Method,
    ) -> Poll<Result<Buffer, Failure>> {
        ready!(self.poll_send(cx))?;
        let Stage::Sent { response: Some(response), .. } = &mut self.stage else {
            return Poll::Ready(Err(Failure::UpstreamReset));
        };
        let response = match ready!(std::pin::Pin::new(response).poll(cx)) {
            Ok(response) => response,
            Err(error) if error.is_reset() || error.is_io() || error.is_go_away() => {
                return Poll::Ready(Err(Failure::UpstreamReset));
            }
            Err(_) => return Poll::Ready(Err(Failure::UpstreamProtocol)),
        };
        let (parts, body) = response.into_parts();
        let mut buffer = Buffer::for_head();
        http2::response(&parts, body.is_end_stream(), method, head, &mut buffer)?;
        self.receive = Some(Http2Receiver::new(body, Blame::Upstream, u64::MAX));
        Poll::Ready(Ok(buffer))
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
        match &mut self.stage {
            Stage::Waiting(_, _, pieces, _) => pieces.push(piece),
            Stage::Sent { send, .. } => send.push(piece),
            Stage::Fresh | Stage::Failed => {}
        }
    }

    fn finish(&mut self, trailers: Option<Box<Trailers>>) {
        match &mut self.stage {
            Stage::Waiting(_, _, _, ending) => *ending = Some(trailers),
            Stage::Sent { send, .. } => send.finish(trailers),
            Stage::Fresh | Stage::Failed => {}
        }
    }

    fn is_blocked(&self) -> bool {
        match &self.stage {
            Stage::Waiting(_, _, pieces, _) => !pieces.is_empty(),
            Stage::Sent { send, .. } => send.is_blocked(),
            Stage::Fresh | Stage::Failed => false,
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        ready!(self.poll_send(cx))?;
        match &mut self.stage {
            Stage::Sent { send, .. } => send.poll_flush(cx),
            Stage::Fresh | Stage::Waiting(..) => Poll::Ready(Ok(())),
            Stage::Failed => Poll::Ready(Err(Failure::UpstreamReset)),
        }
    }
}
