//! Connections that changed their protocol (RFC 9110 section 7.8): bytes both ways until both sides have ended.
//!
//! What a client sent behind its upgrade request was held back until the upstream agreed; had it refused, the
//! same bytes could have been read as a request of somebody else's.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

use crate::buffer::Buffer;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::message::{Known, ResponseHead};
use crate::revocation;
use crate::stream::{Http1Stream, Transfer};
use crate::upstream::Upstream;

/// Passes the upstream's agreement on and then everything else.
///
/// # Errors
/// The upstream agreed to something nobody asked for, or a change has forbidden the tunnel.
pub async fn run(
    downstream: &mut Downstream,
    exchange: &mut Exchange<'_>,
    upstream: Upstream,
    head: &ResponseHead,
    mut received: Buffer,
) -> Result<(), Failure> {
    let asked = exchange.request.head.upgrade.map(|upgrade| upgrade.of(&exchange.request.text));
    let agreed = head.view(received.filled()).known(Known::Upgrade);
    let fits = matches!((asked, agreed), (Some(asked), Some(agreed)) if offers(asked, agreed));
    let (true, Upstream::Http1(upstream), Downstream::Http1(client)) = (fits, upstream, downstream) else {
        return Err(Failure::UpstreamProtocol);
    };
    client.begin(exchange, head, received.filled(), crate::stream::Form::Raw);
    exchange.outcome.status = head.status;
    received.start += head.head_bytes;
    let (mut upstream, _open) = upstream.into_stream();
    let client = client.stream();
    upstream.begin_tunnel(Some(received));
    let waiting = client.take_waiting();
    client.begin_tunnel(waiting);
    upstream.begin_writing(crate::buffer::Text::empty(), crate::stream::Frames::Plain);
    let mut there = Direction::default();
    let mut back = Direction::default();
    poll_fn(|cx| {
        let there = there.poll(cx, client, &mut upstream);
        let back = back.poll(cx, &mut upstream, client);
        match (there, back) {
            (Poll::Ready(false), _) | (_, Poll::Ready(false)) => Poll::Ready(Ok(())),
            (Poll::Ready(true), Poll::Ready(true)) => Poll::Ready(Ok(())),
            _ => revocation::poll(exchange, cx).map(|()| Err(Failure::DeniedByPolicy)),
        }
    })
    .await
}

/// Whether one of the protocols asked for is the one agreed to.
fn offers(asked: &[u8], agreed: &[u8]) -> bool {
    asked.split(|byte| *byte == b',').any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(agreed))
}

/// One direction: the bytes, then the end of them.
#[derive(Default)]
struct Direction {
    transfer: Transfer,
    closed: bool,
}

impl Direction {
    /// `true` when this direction ended in order, `false` when the connection broke.
    fn poll(&mut self, cx: &mut Context<'_>, from: &mut Http1Stream, to: &mut Http1Stream) -> Poll<bool> {
        if self.closed {
            return Poll::Ready(true);
        }
        match self.transfer.poll(cx, from, to) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(false),
            Poll::Ready(Ok(())) => {}
        }
        match Pin::new(&mut to.io).poll_shutdown(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => {
                self.closed = true;
                Poll::Ready(result.is_ok())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::offers;

    #[test]
    fn an_upstream_may_only_agree_to_what_was_asked_for() {
        assert!(offers(b"websocket", b"WebSocket"));
        assert!(offers(b"foo/1, websocket", b"websocket"));
        assert!(!offers(b"websocket", b"h2c"));
        assert!(!offers(b"websocket", b""));
    }
}
