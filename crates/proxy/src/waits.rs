//! How long an exchange waits for either side to go on, in the whole seconds that deadlines count.
//!
//! The Gateway bounds silence. A rule that writes a bound of its own for the time as a whole, be it none, has
//! decided that: its streams may be silent for as long as they may last. That the other side takes what is sent to
//! it is bounded in any case; nothing but a stalled peer hides behind that.

use std::time::Duration;

use engine::config::{Limits, Timeouts};

use crate::state::deadlines::whole_seconds;

/// No bound.
const FOREVER: u32 = u32::MAX;

/// Bounds of one exchange, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// For the next byte of the request's body.
    pub body: u32,
    /// For the next byte from the upstream.
    pub upstream: u32,
    /// For room to write, on both sides.
    pub stall: u32,
}

impl Waits {
    /// As a Gateway bounds them, before a rule is known.
    #[inline]
    #[must_use]
    pub fn of(limits: &Limits) -> Waits {
        Waits {
            body: bound(limits.body_idle_timeout),
            upstream: bound(limits.upstream_idle_timeout),
            stall: bound(limits.write_stall_timeout),
        }
    }

    /// As a rule leaves them.
    #[inline]
    #[must_use]
    pub fn under(self, timeouts: &Timeouts) -> Waits {
        Waits {
            body: if timeouts.client_may_pause { FOREVER } else { self.body },
            upstream: match timeouts.upstream_idle {
                Some(idle) => bound(idle),
                None if timeouts.upstream_may_pause => FOREVER,
                None => self.upstream,
            },
            stall: self.stall,
        }
    }
}

#[inline]
fn bound(limit: Duration) -> u32 {
    if limit.is_zero() { FOREVER } else { whole_seconds(limit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_bounds_the_whole_leaves_silence_alone_but_not_a_stalled_reader() {
        let waits = Waits::of(&Limits::default());
        let written = |request, backend| Timeouts {
            client_may_pause: request,
            upstream_may_pause: request || backend,
            ..Timeouts::default()
        };

        assert_eq!(waits, Waits { body: 60, upstream: 60, stall: 60 });
        assert_eq!(waits.under(&written(false, false)), waits);
        assert_eq!(waits.under(&written(false, true)), Waits { upstream: FOREVER, ..waits });
        assert_eq!(waits.under(&written(true, false)), Waits { body: FOREVER, upstream: FOREVER, stall: 60 });
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        let limits = Limits { body_idle_timeout: Duration::ZERO, ..Limits::default() };

        assert_eq!(Waits::of(&limits), Waits { body: FOREVER, upstream: 60, stall: 60 });
    }
}
