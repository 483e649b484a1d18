//! Bodies that the echo sends: a pattern of a given length, lines one by one, or the request's own.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;

/// Any body of an answer.
pub type Answer = UnsyncBoxBody<Bytes, hyper::Error>;

/// What `/bytes` sends, over and over.
const PATTERN: &[u8; 16] = b"0123456789abcde\n";
const PIECE_BYTES: usize = 64 * 1024;

/// A body that is at hand.
pub fn whole(bytes: impl Into<Bytes>) -> Answer {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body at hand with trailers behind it. Its length is not announced: HTTP/1.1 has trailers only after chunks.
pub fn with_trailers(bytes: impl Into<Bytes>, trailers: HeaderMap) -> Answer {
    let frames = [Frame::data(bytes.into()), Frame::trailers(trailers)];
    StreamBody::new(futures_util::stream::iter(frames.map(Ok))).boxed_unsync()
}

/// `length` bytes, announced by their length.
pub fn pattern(length: u64) -> Answer {
    let piece: Bytes = PATTERN.iter().copied().cycle().take(PIECE_BYTES).collect();
    Pattern { piece, left: length }.map_err(|never| match never {}).boxed_unsync()
}

/// `count` lines, each in a frame of its own, with no length announced.
pub fn lines(count: u64) -> Answer {
    let line = move |at| Ok(Frame::data(format!("chunk {at} of {count}\n").into()));
    StreamBody::new(futures_util::stream::iter((1..=count).map(line))).boxed_unsync()
}

/// The request's body as it arrives, and then these trailers.
pub fn mirror(request: Incoming, trailers: Option<HeaderMap>) -> Answer {
    Mirror { request, trailers, ended: false }.boxed_unsync()
}

struct Pattern {
    piece: Bytes,
    left: u64,
}

impl Body for Pattern {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let now = self.left.min(PIECE_BYTES as u64);
        self.left -= now;
        Poll::Ready(Some(Ok(Frame::data(self.piece.slice(..now as usize)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

struct Mirror {
    request: Incoming,
    trailers: Option<HeaderMap>,
    ended: bool,
}

impl Body for Mirror {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        while !self.ended {
            match ready!(Pin::new(&mut self.request).poll_frame(context)) {
                Some(Ok(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(_trailers_of_the_request)) => {}
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.ended = true,
            }
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }
}
