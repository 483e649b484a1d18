//! The spans of time in which is counted.

use std::time::Duration;

/// Length of a window.
pub const WINDOW_SECONDS: u64 = 60;

/// A window: minutes since 1970 (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window(pub u32);

impl Window {
    /// The window of a moment, given as time since 1970.
    #[must_use]
    pub fn of(since_epoch: Duration) -> Window {
        Window(u32::try_from(since_epoch.as_secs() / WINDOW_SECONDS).unwrap_or(u32::MAX))
    }

    /// Its first second, since 1970.
    #[must_use]
    pub fn begins(self) -> u64 {
        u64::from(self.0) * WINDOW_SECONDS
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Window {
        Window(self.0.saturating_add(1))
    }

    /// How much of it is left at a moment, given as time since 1970; nothing when it is over.
    #[must_use]
    pub fn left(self, since_epoch: Duration) -> Duration {
        Duration::from_secs(self.next().begins()).saturating_sub(since_epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_minute_of_the_wall_clock() {
        let moment = Duration::from_millis(1_700_000_039_250);
        let window = Window::of(moment);

        assert_eq!(window.begins(), 1_699_999_980);
        assert_eq!(window.left(moment), Duration::from_millis(750));
        assert_eq!(window.left(moment + Duration::from_secs(2)), Duration::ZERO);
        assert_eq!(Window::of(moment + Duration::from_secs(1)), window.next());
    }
}
