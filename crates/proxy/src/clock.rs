//! The only place in the data path that asks what time it is.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that moves with the machine's monotonic one and knows what the wall said when it started.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    wall: Duration,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Clock {
        Clock {
            started: Instant::now(),
            wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }

    /// Now, for durations.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// Nanoseconds since this clock started; they never go back.
    #[inline]
    #[must_use]
    pub fn nanoseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Time since the Unix epoch as the wall has it now, steps included: certificates are valid by the wall, and a
    /// machine that slept must not take an expired one for valid.
    #[must_use]
    pub fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// The same in whole seconds, as calendars have it.
    #[must_use]
    pub fn wall_seconds(&self) -> i64 {
        i64::try_from(self.wall().as_secs()).unwrap_or(i64::MAX)
    }

    /// Time since the Unix epoch at a moment. Steps of the wall clock after the start are not followed, so
    /// that log lines never run backwards.
    #[must_use]
    pub fn unix(&self, moment: Instant) -> Duration {
        self.wall + moment.saturating_duration_since(self.started)
    }
}
