//! When a certificate is renewed, and when a failed attempt is made again. Pure: time and chance are handed in.
//!
//! Certificates are valid by the wall clock, which steps: forward after a sleep, back when somebody sets it right. So
//! it can bring a renewal forward and never put it off: what has passed by the machine's own count has passed.
//!
//! A certificate is renewed when at most half of its life is over, so that whoever holds one can go on for the other
//! half without any issuer. Chance spreads those who began together; it only ever makes the moment earlier.

use std::time::Duration;

/// The earliest part of its life at which a certificate is renewed; the latest is a half.
const EARLIEST: f64 = 0.4;
/// Bound of the first wait after a failed attempt; it doubles with each one that fails.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Largest bound of a wait.
const RETRY_LAST: Duration = Duration::from_secs(60);
/// Longest time that passes until a certificate is renewed because another authority signs now.
const MOVE_WITHIN: Duration = Duration::from_secs(60);
/// The same as a part of a certificate's life.
const MOVE_PART: u32 = 20;

/// One moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the Unix epoch; it may step.
    pub wall: Duration,
    /// Since some moment of this process; it never steps.
    pub running: Duration,
}

/// What is known of the certificate in use. Times are since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// When it was had.
    pub since: Duration,
    /// The same moment as the process counts; `None` when it is from another process.
    pub had: Option<Duration>,
    /// Its last moment.
    pub until: Duration,
    /// Whether another authority than its issuer signs now.
    pub is_of_old_root: bool,
}

impl Held {
    fn life(&self) -> Duration {
        self.until.saturating_sub(self.since)
    }

    /// What of its life has passed, by the clock that says more.
    fn age(&self, now: Moment) -> Duration {
        let counted = self.had.map_or(Duration::ZERO, |had| now.running.saturating_sub(had));
        now.wall.saturating_sub(self.since).max(counted)
    }
}

/// How long to wait before the next attempt. `failures` counts those since the last success; `chance` is anything from
/// 0 to 1.
#[must_use]
pub fn wait(held: Option<Held>, failures: u32, now: Moment, chance: f64) -> Duration {
    if failures > 0 {
        return retry(held, failures, now.wall, chance);
    }
    let Some(held) = held else { return Duration::ZERO };
    if held.is_of_old_root {
        return (held.life() / MOVE_PART).min(MOVE_WITHIN).mul_f64(chance);
    }
    let part = EARLIEST + (0.5 - EARLIEST) * chance;
    held.life().mul_f64(part).saturating_sub(held.age(now))
}

/// The more often it failed the longer, but never so long that few attempts are left before the end.
fn retry(held: Option<Held>, failures: u32, now: Duration, chance: f64) -> Duration {
    let left = held.map(|held| held.until.saturating_sub(now)).filter(|left| !left.is_zero());
    let bound = (RETRY_FIRST * 2_u32.saturating_pow(failures.min(16) - 1)).min(RETRY_LAST);
    let bound = left.map_or(bound, |left| bound.min((left / 8).max(RETRY_FIRST)));
    bound.mul_f64(0.5 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    /// When the process began, by a wall clock that did not step.
    const BOOT: Duration = Duration::from_secs(1_700_000_000);

    fn at(wall: Duration) -> Moment {
        Moment { wall, running: wall - BOOT }
    }

    fn held(since: Duration) -> Held {
        Held { since, had: Some(since - BOOT), until: since + DAY, is_of_old_root: false }
    }

    #[test]
    fn a_certificate_is_renewed_between_two_fifths_and_half_of_its_life() {
        let since = Duration::from_secs(1_800_000_000);
        for step in 0..=100 {
            let wait = wait(Some(held(since)), 0, at(since), f64::from(step) / 100.0);
            assert!(wait >= DAY.mul_f64(0.4) && wait <= DAY.mul_f64(0.5), "{wait:?}");
        }
        assert_eq!(
            wait(Some(held(since)), 0, at(since + DAY.mul_f64(0.6)), 1.0),
            Duration::ZERO,
            "it is overdue"
        );
        assert_eq!(wait(None, 0, at(since), 1.0), Duration::ZERO, "nobody has to wait to be somebody");
    }

    #[test]
    fn when_every_issuer_dies_at_any_moment_half_a_life_is_left() {
        let mut now = Duration::from_secs(1_800_000_000);
        let mut since = now;
        for round in 0..1_000_u32 {
            let chance = f64::from(round % 11) / 10.0;
            now += wait(Some(held(since)), 0, at(now), chance);
            let left = (since + DAY).saturating_sub(now);
            assert!(left >= DAY / 2, "{left:?} in round {round}");
            since = now;
        }
    }

    #[test]
    fn attempts_that_fail_are_made_again_ever_later_and_often_enough_before_the_end() {
        let since = Duration::from_secs(1_800_000_000);
        let waits: Vec<Duration> =
            (1..12).map(|failures| wait(Some(held(since)), failures, at(since), 1.0)).collect();
        assert!(waits.is_sorted() && waits[0] <= RETRY_FIRST && waits[10] == RETRY_LAST, "{waits:?}");

        let (mut now, mut attempts) = (since + DAY - Duration::from_secs(600), 0);
        while now < since + DAY {
            attempts += 1;
            now += wait(Some(held(since)), attempts + 10, at(now), 1.0);
        }
        assert!(attempts >= 20, "{attempts} attempts in the last ten minutes");
    }

    #[test]
    fn who_holds_a_certificate_of_an_old_root_gets_another_soon_but_not_all_at_once() {
        let since = Duration::from_secs(1_800_000_000);
        let old = Held { is_of_old_root: true, ..held(since) };

        assert_eq!(wait(Some(old), 0, at(since), 1.0), MOVE_WITHIN);
        assert_eq!(wait(Some(old), 0, at(since), 0.0), Duration::ZERO);
    }

    #[test]
    fn a_wall_clock_that_steps_brings_a_renewal_forward_and_never_puts_it_off() {
        let since = Duration::from_secs(1_800_000_000);
        let hours = |hours: u64| Duration::from_secs(3_600 * hours);
        let after = |passed: Duration| at(since + passed);
        let left = |now: Moment| wait(Some(held(since)), 0, now, 1.0);
        assert_eq!(left(after(hours(2))), hours(10));

        // An hour or a day back: as much is left as before.
        for back in [hours(1), hours(24)] {
            let now = after(hours(2));
            assert_eq!(left(Moment { wall: now.wall - back, ..now }), hours(10));
        }
        // Forward, or asleep: the certificate has aged.
        let now = after(hours(2));
        assert_eq!(left(Moment { wall: now.wall + hours(1), ..now }), hours(9));
        assert_eq!(left(Moment { wall: now.wall + hours(24), ..now }), Duration::ZERO);
        // One from the disk has only the wall clock.
        let kept = Held { had: None, ..held(since) };
        assert_eq!(wait(Some(kept), 0, after(hours(2)), 1.0), hours(10));
    }
}
