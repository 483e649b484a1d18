//! Bytes between a client and an upstream, both ways at once, until both sides have ended.
//!
//! Nothing is waited for: whoever speaks first is heard first. A side that ends its sending may go on receiving, in
//! either direction. A side that breaks is not passed off as one that ended: the other one is reset, because a clean
//! end would make half of an answer look whole.

mod flow;
mod pipes;
mod watch;

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;

pub use watch::Bounds;

use crate::buffer::Buffer;
use crate::io::Io;
use crate::limits::TUNNEL_TURN_BYTES;
use crate::state::deadlines::Deadlines;
use crate::state::ports::PortState;
use flow::{Broken, Flow};
use watch::Watch;

/// Why a tunnel is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Both sides ended in order.
    Closed,
    /// The client's connection broke.
    ClientBroke,
    /// The upstream's connection broke.
    UpstreamBroke,
    /// Nothing moved for too long.
    Idle,
    /// One side took nothing for too long.
    Stalled,
    /// It has lasted as long as it may.
    Lifetime,
    /// Its port is gone, and so is the time it had left.
    Drained,
    /// A policy forbids it by now.
    Revoked,
}

/// A tunnel.
#[derive(Debug)]
pub struct Relay {
    there: Flow,
    back: Flow,
    watch: Watch,
}

impl Relay {
    /// A tunnel of which each side may have sent something already.
    pub fn new(
        deadlines: &Rc<Deadlines>,
        bounds: Bounds,
        from_client: Option<Buffer>,
        from_upstream: Option<Buffer>,
    ) -> Relay {
        Relay {
            there: Flow::beginning_with(from_client),
            back: Flow::beginning_with(from_upstream),
            watch: Watch::new(deadlines, bounds),
        }
    }

    /// Bytes that the upstream has taken.
    pub fn to_upstream(&self) -> u64 {
        self.there.moved()
    }

    /// Bytes that the client has taken.
    pub fn to_client(&self) -> u64 {
        self.back.moved()
    }

    /// Moves bytes until the tunnel is over, and tells `progress` how many have moved. `revoked` is asked whenever
    /// something happens, and wakes the task when it has something to say. Unless both sides ended in
    /// order, both are reset when they are dropped.
    pub async fn run(
        &mut self,
        client: &mut Io,
        upstream: &mut Io,
        port: &PortState,
        mut progress: impl FnMut(&Relay),
        mut revoked: impl FnMut(&Context<'_>) -> Poll<()>,
    ) -> End {
        let mut ending = false;
        let mut drain = std::pin::pin!(port.drain_begins.notified());
        let end = std::future::poll_fn(|cx| {
            // A port may be closed first and drain later.
            while !ending && drain.as_mut().poll(cx).is_ready() {
                drain.set(port.drain_begins.notified());
            }
            if port.is_ending() && !ending {
                ending = true;
                self.watch.drain();
            }
            let end = self.poll(cx, client, upstream);
            progress(self);
            if end.is_pending() && revoked(cx).is_ready() { Poll::Ready(End::Revoked) } else { end }
        })
        .await;
        if end != End::Closed {
            reset(client);
            reset(upstream);
        }
        end
    }

    fn poll(&mut self, cx: &mut Context<'_>, client: &mut Io, upstream: &mut Io) -> Poll<End> {
        let mut turn = TUNNEL_TURN_BYTES;
        let there = self.there.poll(cx, client, upstream, &mut turn);
        let mut turn = TUNNEL_TURN_BYTES;
        let back = self.back.poll(cx, upstream, client, &mut turn);
        match (there, back) {
            (Poll::Ready(Err(Broken::Source)), _) | (_, Poll::Ready(Err(Broken::Sink))) => {
                Poll::Ready(End::ClientBroke)
            }
            (Poll::Ready(Err(Broken::Sink)), _) | (_, Poll::Ready(Err(Broken::Source))) => {
                Poll::Ready(End::UpstreamBroke)
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(End::Closed),
            (Poll::Pending, _) | (_, Poll::Pending) => {
                let moved = self.there.moved() + self.back.moved();
                self.watch.poll(cx, moved, self.there.is_blocked() || self.back.is_blocked())
            }
        }
    }
}

/// Makes a connection end with a reset instead of an orderly end, once it is dropped.
pub fn reset(io: &Io) {
    // A socket that is gone already needs no reset.
    let _ = SockRef::from(io.tcp()).set_linger(Some(Duration::ZERO));
}
