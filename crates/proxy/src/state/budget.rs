//! How many retries a cluster may be given, so that a herd of them cannot keep down what has just come back.
//!
//! Requests and retries are counted by the second over a sliding window. A retry is granted as long as all those of
//! the window stay within a part of its requests, or within a small number that keeps quiet clusters from having none.

use std::cell::Cell;

use engine::config::RetryBudget;

use crate::limits::RETRY_WINDOW_SECONDS;

/// Requests and retries of the last seconds.
#[derive(Debug, Default)]
pub struct RetryCounts {
    seconds: [Cell<Second>; RETRY_WINDOW_SECONDS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u32,
    requests: u32,
    retries: u32,
}

impl RetryCounts {
    /// Counts a request; `now` is in the seconds that deadlines count.
    pub fn request(&self, now: u32) {
        self.change(now, |second| second.requests = second.requests.saturating_add(1));
    }

    /// Grants a retry and counts it, if the budget allows one.
    #[must_use]
    pub fn grant(&self, now: u32, budget: &RetryBudget) -> bool {
        let (requests, retries) = self.sums(now);
        let share = requests * u64::from(budget.percent) / 100;
        let least = u64::from(budget.min_per_second) * RETRY_WINDOW_SECONDS as u64;
        let granted = retries < share.max(least);
        if granted {
            self.change(now, |second| second.retries = second.retries.saturating_add(1));
        }
        granted
    }

    /// Requests and retries of the window.
    fn sums(&self, now: u32) -> (u64, u64) {
        let oldest = (now + 1).saturating_sub(RETRY_WINDOW_SECONDS as u32);
        let known = self.seconds.iter().map(Cell::get).filter(|second| second.number >= oldest);
        known.fold((0, 0), |(requests, retries), second| {
            (requests + u64::from(second.requests), retries + u64::from(second.retries))
        })
    }

    fn change(&self, now: u32, change: impl FnOnce(&mut Second)) {
        let cell = &self.seconds[now as usize % RETRY_WINDOW_SECONDS];
        let mut second = cell.get();
        if second.number != now {
            second = Second { number: now, ..Second::default() };
        }
        change(&mut second);
        cell.set(second);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quiet_cluster_has_some_retries_and_a_busy_one_its_share() {
        let budget = RetryBudget { percent: 20, min_per_second: 1 };
        let counts = RetryCounts::default();

        assert_eq!((0..100).filter(|_| counts.grant(0, &budget)).count(), RETRY_WINDOW_SECONDS);
        (0..1000).for_each(|_| counts.request(1));
        assert_eq!((0..1000).filter(|_| counts.grant(1, &budget)).count(), 200 - RETRY_WINDOW_SECONDS);
        let later = 2 + RETRY_WINDOW_SECONDS as u32;
        assert_eq!((0..100).filter(|_| counts.grant(later, &budget)).count(), RETRY_WINDOW_SECONDS);
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_retries_than_its_budget(
            percent in 0_u8..=100,
            min_per_second in 0_u32..4,
            // How many seconds pass before an event, and whether it is a request or a wish to retry.
            events in prop::collection::vec((prop_oneof![9 => Just(0_u32), 1 => 1_u32..20], any::<bool>()), 1..400),
        ) {
            let budget = RetryBudget { percent, min_per_second };
            let counts = RetryCounts::default();
            let mut now = 0;
            let mut seen: Vec<(u32, bool)> = Vec::new();
            for (pause, is_request) in events {
                now += pause;
                let window = RETRY_WINDOW_SECONDS as u32;
                let within = |seen: &[(u32, bool)], wanted: bool| {
                    seen.iter().filter(|(at, request)| *request == wanted && at + window > now).count() as u64
                };
                if is_request {
                    counts.request(now);
                    seen.push((now, true));
                } else {
                    let allowed = (within(&seen, true) * u64::from(percent) / 100)
                        .max(u64::from(min_per_second) * u64::from(window));
                    let granted = counts.grant(now, &budget);
                    prop_assert_eq!(granted, within(&seen, false) < allowed);
                    if granted {
                        seen.push((now, false));
                    }
                }
            }
        }
    }
}
