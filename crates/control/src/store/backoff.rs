//! How long to wait before trying again: longer each time, never too long, and never as long as the neighbours do.

use std::time::Duration;

/// Before the second try.
const FIRST: Duration = Duration::from_millis(50);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);

/// Pauses between tries.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Begins anew, after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next pause: between half of a length that doubles and all of it, at most five seconds.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "pauses are no sequence that somebody would collect")]
    pub fn next(&mut self) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let mut chance = [0; 2];
        // Without random numbers the pause is the shorter one, which is well enough.
        let _ = aws_lc_rs::rand::fill(&mut chance);
        longest / 2 + longest / 2 * u32::from(u16::from_be_bytes(chance)) / 65_536
    }

    /// Waits for the next pause.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.next()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..40).map(|_| backoff.next()).collect();

        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST);
        assert!(pauses[1] >= FIRST && pauses[1] <= FIRST * 2);
        assert!(pauses[10..].iter().all(|pause| (LONGEST / 2..=LONGEST).contains(pause)));
        assert!(pauses[10..].windows(2).any(|two| two[0] != two[1]), "{pauses:?}");

        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
