//! Bodies on a stream of an HTTP/2 connection, in both roles.
//!
//! The library keeps the windows; this side only gives room back when a piece has been passed on, which is what
//! makes a slow reader at one end slow the sender at the other.

use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};

use crate::buffer::Text;
use crate::codec::http1::names;
use crate::codec::http1::trailers::{Sender, is_carried};
use crate::codec::http2::FieldMap;
use crate::failure::{Blame, Failure};
use crate::limits::HTTP2_MOVING_BYTES_MIN;
use crate::message::{Field, Span};
use crate::state::alarms::Alarm;
use crate::stream::{Next, Piece, Sink, Source, Trailers};

/// Reads a body.
#[derive(Debug)]
pub struct Http2Receiver {
    stream: RecvStream,
    blame: Blame,
    allowance: u64,
    received: u64,
    content_ended: bool,
    done: bool,
    idle: Alarm,
    idle_seconds: u32,
}

impl Http2Receiver {
    /// Reads from a stream; `blame` says whose stream it is, `allowance` how many bytes it may bring,
    /// `idle_seconds` how long it may bring none.
    #[must_use]
    pub fn new(stream: RecvStream, blame: Blame, allowance: u64, idle_seconds: u32) -> Http2Receiver {
        let done = stream.is_end_stream();
        Http2Receiver {
            stream,
            blame,
            allowance,
            received: 0,
            content_ended: false,
            done,
            idle: Alarm::default(),
            idle_seconds,
        }
    }

    /// Changes how long it may bring nothing, before it was first asked.
    pub fn set_wait(&mut self, seconds: u32) {
        self.idle_seconds = seconds;
    }

    /// Lets no more come than so many bytes, before it was first asked.
    pub fn bound(&mut self, bytes_max: u64) {
        self.allowance = self.allowance.min(bytes_max);
    }

    /// Bytes of content received.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    fn failure(&self, error: &h2::Error) -> Failure {
        match self.blame {
            Blame::Client if error.is_reset() || error.is_io() || error.is_go_away() => Failure::ClientClosed,
            Blame::Client => Failure::Http2Protocol,
            Blame::Upstream | Blame::Config | Blame::Proxy if error.is_reset() || error.is_io() => {
                Failure::UpstreamTruncated
            }
            Blame::Upstream | Blame::Config | Blame::Proxy => Failure::UpstreamProtocol,
        }
    }
}

impl Source for Http2Receiver {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        if self.done {
            return Poll::Ready(Ok(Next::End(None)));
        }
        let next = self.poll_next(cx);
        if next.is_ready() {
            self.idle.rest();
            return next;
        }
        ready!(self.idle.poll(self.idle_seconds, cx));
        self.idle.rest();
        Poll::Ready(Err(match self.blame {
            Blame::Client => Failure::BodyTimeout,
            Blame::Upstream | Blame::Config | Blame::Proxy => Failure::UpstreamTimeout,
        }))
    }
}

impl Http2Receiver {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        if !self.content_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(bytes)) => return Poll::Ready(self.take(bytes)),
                Some(Err(error)) => return Poll::Ready(Err(self.failure(&error))),
                None => self.content_ended = true,
            }
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => {
                self.done = true;
                let trailers = trailers.map(|fields| Box::new(carried(&fields, self.blame)));
                Poll::Ready(Ok(Next::End(trailers)))
            }
            Err(error) => Poll::Ready(Err(self.failure(&error))),
        }
    }

    fn take(&mut self, bytes: Bytes) -> Result<Next, Failure> {
        let length = bytes.len();
        self.received += length as u64;
        self.allowance = self.allowance.checked_sub(length as u64).ok_or(Failure::BodyTooLarge)?;
        // The next piece is asked for only when this one was written, so this is at most one piece ahead.
        if self.stream.flow_control().release_capacity(length).is_err() {
            return Err(self.failure(&h2::Error::from(h2::Reason::FLOW_CONTROL_ERROR)));
        }
        if self.stream.is_end_stream() {
            self.done = true;
            return Ok(Next::Last(Piece::Shared(bytes)));
        }
        Ok(Next::Piece(Piece::Shared(bytes)))
    }
}

fn carried(fields: &http::HeaderMap, blame: Blame) -> Trailers {
    let sender = match blame {
        Blame::Client => Sender::Client,
        Blame::Upstream | Blame::Config | Blame::Proxy => Sender::Upstream,
    };
    let mut trailers = Trailers { text: Text::new(), fields: Vec::new() };
    for (name, value) in fields {
        let known = names::classify(name.as_str().as_bytes());
        if is_carried(name.as_str().as_bytes(), known, sender) {
            let field = append(&mut trailers.text, name.as_str().as_bytes(), value.as_bytes());
            trailers.fields.push(Field { known, ..field });
        }
    }
    trailers
}

/// Appends a field's text and says where it lies; it is classified as nothing special.
pub(crate) fn append(text: &mut Text, name: &[u8], value: &[u8]) -> Field {
    let start = text.len();
    text.extend_from_slice(name);
    let middle = text.len();
    text.extend_from_slice(value);
    Field {
        name: Span::new(start, middle),
        value: Span::new(middle, text.len()),
        known: crate::message::Known::Other,
    }
}

/// Writes a body.
#[derive(Debug)]
pub struct Http2Sender {
    stream: SendStream<Bytes>,
    blame: Blame,
    piece: Bytes,
    ending: Option<Option<Box<Trailers>>>,
    ended: bool,
    blocked: bool,
    total: u64,
    stall: Alarm,
    stall_seconds: u32,
    /// What `total` was when the wait for room began.
    stalled_at: u64,
}

impl Http2Sender {
    /// Writes to a stream; `ended` when its head already said that nothing follows. `stall_seconds` is how long it
    /// waits for room.
    #[must_use]
    pub fn new(stream: SendStream<Bytes>, blame: Blame, ended: bool, stall_seconds: u32) -> Http2Sender {
        Http2Sender {
            stream,
            blame,
            piece: Bytes::new(),
            ending: None,
            ended,
            blocked: false,
            total: 0,
            stall: Alarm::default(),
            stall_seconds,
            stalled_at: 0,
        }
    }

    /// Bytes of content written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.total
    }

    /// Breaks the stream off, so that what was sent cannot be taken for whole.
    pub fn abort(&mut self) {
        if !self.ended {
            self.stream.send_reset(h2::Reason::INTERNAL_ERROR);
        }
    }

    fn failure(&self) -> Failure {
        match self.blame {
            Blame::Client => Failure::ClientClosed,
            Blame::Upstream | Blame::Config | Blame::Proxy => Failure::UpstreamReset,
        }
    }

    /// Whether the other side has given the stream up.
    pub fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended { Poll::Pending } else { self.stream.poll_reset(cx).map(|_| ()) }
    }

    /// There is no room. A window that is opened by a few bytes at a time does not count as moving.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.total - self.stalled_at >= HTTP2_MOVING_BYTES_MIN {
            self.stall.rest();
            self.stalled_at = self.total;
        }
        ready!(self.stall.poll(self.stall_seconds, cx));
        Poll::Ready(Err(match self.blame {
            Blame::Client => Failure::ClientStalled,
            Blame::Upstream | Blame::Config | Blame::Proxy => Failure::UpstreamTimeout,
        }))
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while !self.piece.is_empty() {
            self.stream.reserve_capacity(self.piece.len());
            let room = match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(room))) => room,
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(self.failure())),
                Poll::Pending => return self.poll_stall(cx),
            };
            let part = self.piece.split_to(room.min(self.piece.len()));
            let last = self.piece.is_empty() && matches!(self.ending, Some(None));
            self.total += part.len() as u64;
            if self.stream.send_data(part, last).is_err() {
                return Poll::Ready(Err(self.failure()));
            }
            self.ended = last;
        }
        if self.blocked {
            self.stall.rest();
            self.stalled_at = self.total;
        }
        Poll::Ready(Ok(()))
    }
}

impl Sink for Http2Sender {
    fn push(&mut self, piece: Piece) {
        debug_assert!(!self.piece.has_remaining(), "a piece was pushed before the last one was written");
        self.piece = piece.into_shared();
    }

    fn finish(&mut self, trailers: Option<Box<Trailers>>) {
        self.ending = Some(trailers);
    }

    fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let content = self.poll_content(cx);
        self.blocked = content.is_pending();
        ready!(content)?;
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        let Some(ending) = self.ending.take() else { return Poll::Ready(Ok(())) };
        self.ended = true;
        let sent = match ending {
            None => self.stream.send_data(Bytes::new(), true),
            Some(trailers) => self.stream.send_trailers(field_map(&trailers)),
        };
        Poll::Ready(sent.map_err(|_| self.failure()))
    }
}

fn field_map(trailers: &Trailers) -> http::HeaderMap {
    let mut map = FieldMap::default();
    for (name, value) in trailers.iter() {
        map.put(name, value);
    }
    map.finish(false)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use super::*;
    use crate::state::alarms;

    const WRITE_STALL_SECONDS: u32 = 60;
    const UPSTREAM_IDLE_SECONDS: u32 = 60;

    /// The server's and the client's side of a stream whose client has given `window` bytes of room.
    async fn stream(window: u32) -> (SendStream<Bytes>, RecvStream) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window);
        let client = async {
            let (mut sender, connection) = builder.handshake::<_, Bytes>(theirs).await.unwrap();
            tokio::task::spawn_local(connection);
            let request = http::Request::get("http://example.com/").body(()).unwrap();
            sender.send_request(request, true).unwrap().0.await.unwrap().into_body()
        };
        let server = async {
            let mut connection = h2::server::handshake(ours).await.unwrap();
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            tokio::task::spawn_local(async move { while connection.accept().await.is_some() {} });
            respond.send_response(http::Response::new(()), false).unwrap()
        };
        tokio::join!(server, client)
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(tokio::task::LocalSet::new().run_until(test));
    }

    /// Lets the tasks of both connections do what they can.
    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    fn poll(sender: &mut Http2Sender) -> Poll<Result<(), Failure>> {
        sender.poll_flush(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_client_that_gives_no_room_is_given_up() {
        run(async {
            let (send, _body) = stream(0).await;
            let mut sender = Http2Sender::new(send, Blame::Client, false, WRITE_STALL_SECONDS);
            sender.push(Piece::Shared(Bytes::from_static(b"hello")));
            assert!(poll(&mut sender).is_pending());
            for _ in 0..=WRITE_STALL_SECONDS {
                assert!(poll(&mut sender).is_pending());
                alarms::tick();
            }
            assert_eq!(poll(&mut sender), Poll::Ready(Err(Failure::ClientStalled)));
        });
    }

    #[test]
    fn a_client_that_gives_room_for_a_byte_at_a_time_is_given_up() {
        run(async {
            let (send, mut body) = stream(1).await;
            let mut sender = Http2Sender::new(send, Blame::Client, false, WRITE_STALL_SECONDS);
            sender.push(Piece::Shared(vec![b'a'; 10_000].into()));
            let mut seconds = 0;
            while poll(&mut sender).is_pending() {
                settle().await;
                if let Poll::Ready(Some(part)) = poll_fn(|cx| Poll::Ready(body.poll_data(cx))).await {
                    body.flow_control().release_capacity(part.unwrap().len()).unwrap();
                }
                settle().await;
                alarms::tick();
                seconds += 1;
            }
            assert_eq!(seconds, WRITE_STALL_SECONDS + 1);
            assert!(sender.written() > 10, "{} bytes moved", sender.written());
        });
    }

    #[test]
    fn a_client_that_is_slow_but_moves_is_waited_for() {
        run(async {
            let (send, mut body) = stream(HTTP2_MOVING_BYTES_MIN as u32).await;
            let mut sender = Http2Sender::new(send, Blame::Client, false, WRITE_STALL_SECONDS);
            sender.push(Piece::Shared(vec![b'a'; 10_000].into()));
            let mut received = 0;
            while poll(&mut sender).is_pending() {
                for _ in 0..WRITE_STALL_SECONDS {
                    alarms::tick();
                }
                settle().await;
                while let Poll::Ready(Some(part)) = poll_fn(|cx| Poll::Ready(body.poll_data(cx))).await {
                    let length = part.unwrap().len();
                    received += length;
                    body.flow_control().release_capacity(length).unwrap();
                }
                settle().await;
            }
            assert_eq!(sender.written(), 10_000);
            assert!(received >= 8_000);
        });
    }

    #[test]
    fn an_upstream_that_falls_silent_inside_its_answer_is_given_up() {
        run(async {
            let (mut send, body) = stream(1000).await;
            let mut receiver = Http2Receiver::new(body, Blame::Upstream, u64::MAX, UPSTREAM_IDLE_SECONDS);
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..2 {
                for _ in 0..=UPSTREAM_IDLE_SECONDS {
                    assert!(receiver.poll_piece(&mut cx).is_pending());
                    alarms::tick();
                }
                // A word in time begins the wait anew.
                send.send_data("tick".into(), false).unwrap();
                settle().await;
                assert!(matches!(receiver.poll_piece(&mut cx), Poll::Ready(Ok(Next::Piece(_)))));
            }
            for _ in 0..=UPSTREAM_IDLE_SECONDS {
                assert!(receiver.poll_piece(&mut cx).is_pending());
                alarms::tick();
            }
            let ended = receiver.poll_piece(&mut cx);
            assert!(matches!(ended, Poll::Ready(Err(Failure::UpstreamTimeout))), "{ended:?}");
        });
    }
}
