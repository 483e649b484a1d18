//! How long a tunnel may be silent, stalled or open.
//!
//! Bytes are only counted when they move; the clock is looked at when an alarm goes off, which is seldom. So a busy
//! tunnel pays one comparison a turn for its bounds.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::End;
use crate::state::alarms::Alarm;
use crate::state::deadlines::{Deadlines, whole_seconds};

const NEVER: u32 = u32::MAX;

/// Bounds of a tunnel; [`Duration::ZERO`] means none.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Without a byte either way.
    pub idle: Duration,
    /// In which one side takes nothing of what waits for it.
    pub stall: Duration,
    /// In all.
    pub lifetime: Duration,
    /// After its port began to drain.
    pub drain: Duration,
}

/// Looks after the bounds of one tunnel.
#[derive(Debug)]
pub struct Watch {
    deadlines: Rc<Deadlines>,
    idle: u32,
    stall: u32,
    /// The second at which it ends in any case, and why.
    due: (u32, End),
    /// Seconds that are granted when the port drains; [`NEVER`] once it does.
    drain: u32,
    /// The total at the last look, and the second of it.
    seen: u64,
    moved_at: u32,
    alarm: Alarm,
}

impl Watch {
    /// Begins to watch a tunnel that begins now.
    pub fn new(deadlines: &Rc<Deadlines>, bounds: Bounds) -> Watch {
        let now = deadlines.now();
        let lifetime = seconds(bounds.lifetime);
        Watch {
            deadlines: deadlines.clone(),
            idle: seconds(bounds.idle),
            stall: seconds(bounds.stall),
            due: (now.saturating_add(lifetime), End::Lifetime),
            drain: whole_seconds(bounds.drain),
            seen: 0,
            moved_at: now,
            alarm: Alarm::default(),
        }
    }

    /// The port drains.
    pub fn drain(&mut self) {
        let due = self.deadlines.now().saturating_add(self.drain);
        if due < self.due.0 {
            self.due = (due, End::Drained);
        }
        self.alarm.rest(); // It may be due earlier than the alarm.
    }

    /// Ready when a bound is passed. `moved` is all that has moved so far.
    pub fn poll(&mut self, cx: &Context<'_>, moved: u64, is_blocked: bool) -> Poll<End> {
        let now = self.deadlines.now();
        if moved != self.seen {
            self.seen = moved;
            self.moved_at = now;
        }
        let (silence, end) = if is_blocked && self.stall < self.idle {
            (self.stall, End::Stalled)
        } else {
            (self.idle, End::Idle)
        };
        let silent = (self.moved_at.saturating_add(silence), end);
        let (due, end) = if silent.0 < self.due.0 { silent } else { self.due };
        if due == NEVER {
            return Poll::Pending;
        }
        if due <= now {
            return Poll::Ready(end);
        }
        while self.alarm.poll(due - now, cx).is_ready() {
            self.alarm.rest(); // Set for an earlier moment, which has passed without harm.
        }
        Poll::Pending
    }
}

fn seconds(bound: Duration) -> u32 {
    if bound.is_zero() { NEVER } else { whole_seconds(bound) }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    const NONE: Bounds = Bounds {
        idle: Duration::ZERO,
        stall: Duration::ZERO,
        lifetime: Duration::ZERO,
        drain: Duration::ZERO,
    };

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn poll(watch: &mut Watch, moved: u64, is_blocked: bool) -> Poll<End> {
        watch.poll(&Context::from_waker(Waker::noop()), moved, is_blocked)
    }

    #[test]
    fn a_tunnel_that_moves_bytes_is_not_idle_and_one_that_does_not_is() {
        let deadlines = Rc::new(Deadlines::default());
        let mut watch = Watch::new(&deadlines, Bounds { idle: seconds(3), ..NONE });

        for moved in 1..10 {
            deadlines.tick();
            assert!(poll(&mut watch, moved, false).is_pending());
        }
        deadlines.tick();
        deadlines.tick();
        assert!(poll(&mut watch, 9, false).is_pending());
        deadlines.tick();
        assert_eq!(poll(&mut watch, 9, false), Poll::Ready(End::Idle));
    }

    #[test]
    fn a_lifetime_ends_a_busy_tunnel_and_a_drain_ends_it_earlier() {
        let deadlines = Rc::new(Deadlines::default());
        let mut long = Watch::new(&deadlines, Bounds { lifetime: seconds(5), drain: seconds(30), ..NONE });
        let mut short = Watch::new(&deadlines, Bounds { lifetime: seconds(60), drain: seconds(1), ..NONE });
        long.drain();
        short.drain();

        deadlines.tick();
        assert_eq!(poll(&mut short, 1, false), Poll::Ready(End::Drained));
        for moved in 0..4 {
            assert!(poll(&mut long, moved, false).is_pending());
            deadlines.tick();
        }
        assert_eq!(poll(&mut long, 9, false), Poll::Ready(End::Lifetime));
    }

    #[test]
    fn a_side_that_takes_nothing_is_stalled_only_while_something_waits_for_it() {
        let deadlines = Rc::new(Deadlines::default());
        let mut watch = Watch::new(&deadlines, Bounds { idle: seconds(60), stall: seconds(2), ..NONE });

        deadlines.tick();
        deadlines.tick();
        assert!(poll(&mut watch, 0, false).is_pending());
        assert_eq!(poll(&mut watch, 0, true), Poll::Ready(End::Stalled));
    }

    #[test]
    fn without_bounds_nothing_ever_ends() {
        let deadlines = Rc::new(Deadlines::default());
        let mut watch = Watch::new(&deadlines, NONE);

        (0..100).for_each(|_| deadlines.tick());

        assert!(poll(&mut watch, 0, true).is_pending());
    }
}
