//! The only place of this crate that looks at a clock. Everything else is handed the time.

use std::time::{Duration, Instant, SystemTime};

/// The time of day, for the validity of certificates.
#[allow(clippy::disallowed_methods, reason = "this is the clock")]
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Tells how long something took.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
