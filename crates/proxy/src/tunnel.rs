//! Connections that changed their protocol (RFC 9110 section 7.8): bytes both ways until both sides have ended.
//!
//! What a client sent behind its upgrade request was held back until the upstream agreed; had it refused, the
//! same bytes could have been read as a request of somebody else's.

use std::future::poll_fn;
use std::task::Context;
use std::time::Duration;

use crate::buffer::Buffer;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::limits::TUNNEL_IDLE_SECONDS;
use crate::message::{Known, ResponseHead};
use crate::relay::{Bounds, End, Relay};
use crate::revocation;
use crate::stream::Sink;
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
    poll_fn(|cx| client.poll_flush(cx)).await?;
    client.rest();
    // From here on the relay bounds their silence.
    client.deadline.none();
    upstream.deadline.none();
    let worker = exchange.worker;
    let bounds = Bounds {
        idle: Duration::from_secs(u64::from(TUNNEL_IDLE_SECONDS)),
        stall: Duration::from_secs(u64::from(client.stall_seconds())),
        lifetime: Duration::ZERO,
        drain: worker.drain,
    };
    let mut relay = Relay::new(&worker.deadlines, bounds, client.take_waiting(), Some(received));
    let exchange = &*exchange;
    let revoked = |cx: &Context<'_>| revocation::poll(exchange, cx);
    let end = relay.run(&mut client.io, &mut upstream.io, exchange.port, |_| {}, revoked).await;
    client.count_tunnelled(relay.to_upstream(), relay.to_client());
    if end == End::Revoked { Err(Failure::DeniedByPolicy) } else { Ok(()) }
}

/// Whether one of the protocols asked for is the one agreed to.
fn offers(asked: &[u8], agreed: &[u8]) -> bool {
    asked.split(|byte| *byte == b',').any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(agreed))
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
