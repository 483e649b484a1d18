//! Which endpoints are asked: those that are healthy, those nearby first, and never none.
//!
//! Two judges: the worker's own requests (an endpoint that fails many times in a row is ejected for a while, longer each
//! time) and the health checks of the process. When too few are left, the judges are more likely wrong than the
//! endpoints, or the load would break the rest: then all are asked (the panic threshold).

use std::cell::Cell;

use engine::config::Outlier;

use crate::limits::EJECTION_SECONDS_MAX;
use crate::state::deadlines::whole_seconds;

/// What one worker thinks of one endpoint. Times are in the seconds that deadlines count.
#[derive(Debug, Default)]
pub struct Health {
    failures_in_row: Cell<u32>,
    /// When it may be asked again; `None` while it may be.
    ejected_until: Cell<Option<u32>>,
    /// Ejections that are not forgotten yet.
    ejections: Cell<u32>,
    /// Since when it has behaved.
    good_since: Cell<u32>,
    /// Whether health checks say that it is not well.
    failed_checks: Cell<bool>,
}

impl Health {
    /// Whether it may be asked.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.ejected_until.get().is_none() && !self.failed_checks.get()
    }

    /// When its ejection ends, if it is ejected.
    #[must_use]
    pub fn ejected_until(&self) -> Option<u32> {
        self.ejected_until.get()
    }

    /// Whether health checks say that it is not well.
    #[must_use]
    pub fn has_failed_checks(&self) -> bool {
        self.failed_checks.get()
    }

    /// Takes in what health checks say; returns whether that is news.
    pub fn checked(&self, failed: bool) -> bool {
        self.failed_checks.replace(failed) != failed
    }

    /// It has answered well.
    pub fn succeeded(&self) {
        self.failures_in_row.set(0);
    }

    /// It has failed; returns whether it has done so too often in a row.
    #[must_use]
    pub fn failed(&self, outlier: &Outlier) -> bool {
        if self.ejected_until.get().is_some() {
            return false;
        }
        self.failures_in_row.set(self.failures_in_row.get().saturating_add(1));
        self.failures_in_row.get() >= outlier.consecutive_errors
    }

    /// Leaves it alone from now on, twice as long as the last time.
    pub fn eject(&self, now: u32, outlier: &Outlier) {
        let base = whole_seconds(outlier.base_ejection).max(1);
        let doubled = 1_u32.checked_shl(self.ejections.get()).unwrap_or(u32::MAX);
        let seconds = base.saturating_mul(doubled).min(EJECTION_SECONDS_MAX.max(base));
        self.ejected_until.set(Some(now.saturating_add(seconds)));
        self.ejections.set(self.ejections.get().saturating_add(1));
        self.failures_in_row.set(0);
    }

    /// Asks it again from now on.
    pub fn bring_back(&self, now: u32) {
        self.ejected_until.set(None);
        self.good_since.set(now);
    }

    /// A second has passed: ends an ejection whose time is over, and forgets an old one for good behaviour. Returns
    /// whether it may be asked again.
    pub fn tick(&self, now: u32, outlier: &Outlier) -> bool {
        if self.ejected_until.get().is_some_and(|until| until <= now) {
            self.bring_back(now);
            return true;
        }
        let behaved = now.saturating_sub(self.good_since.get()) >= whole_seconds(outlier.interval).max(1);
        if self.ejections.get() > 0 && self.ejected_until.get().is_none() && behaved {
            self.ejections.set(self.ejections.get() - 1);
            self.good_since.set(now);
        }
        false
    }
}

/// Whether one more of `all` endpoints may be ejected when `ejected` are.
#[must_use]
pub fn may_eject(ejected: usize, all: usize, outlier: &Outlier) -> bool {
    (ejected + 1) * 100 <= all * usize::from(outlier.max_ejection_percent)
}

/// What is known of an endpoint when it is decided who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Whether it is healthy.
    pub good: bool,
    /// How far it is.
    pub distance: u8,
}

/// Who is asked, by position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Those that come first.
    pub near: Vec<usize>,
    /// Those that get the rest.
    pub far: Vec<usize>,
    /// How many requests in a hundred go to those that come first.
    pub near_percent: u32,
    /// Whether unhealthy ones are asked because too few are healthy.
    pub panics: bool,
}

/// Decides who is asked. Of some endpoints it is never none.
#[must_use]
pub fn choose(all: &[Candidate], panic_threshold_percent: u8, overflow_percent: Option<u8>) -> Choice {
    let good = all.iter().filter(|candidate| candidate.good).count();
    let panics = good == 0 || good * 100 < all.len() * usize::from(panic_threshold_percent);
    let panics = panics && good < all.len();
    let usable = |candidate: &Candidate| panics || candidate.good;
    let positions = |wanted: &dyn Fn(&Candidate) -> bool| -> Vec<usize> {
        let fits = all.iter().enumerate().filter(|(_, candidate)| wanted(candidate));
        fits.map(|(position, _)| position).collect()
    };
    let nearest = all.iter().map(|candidate| candidate.distance).min().unwrap_or(0);
    let is_near = |candidate: &Candidate| candidate.distance == nearest;
    let near = positions(&|candidate| usable(candidate) && is_near(candidate));
    let far = positions(&|candidate| usable(candidate) && !is_near(candidate));
    let everybody = |list: Vec<usize>| Choice { near: list, far: Vec::new(), near_percent: 100, panics };
    let Some(overflow) = overflow_percent else { return everybody(positions(&usable)) };
    if near.is_empty() || far.is_empty() {
        return everybody(if near.is_empty() { far } else { near });
    }
    let all_near = all.iter().filter(|candidate| is_near(candidate)).count();
    let healthy = near.len() * 100 / all_near;
    let near_percent = (healthy * 100 / usize::from(overflow.max(1))).min(100) as u32;
    Choice { near, far, near_percent, panics }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn outlier(max_ejection_percent: u8) -> Outlier {
        Outlier {
            consecutive_errors: 2,
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection_percent,
        }
    }

    fn candidates(good: &[bool]) -> Vec<Candidate> {
        good.iter().map(|good| Candidate { good: *good, distance: 2 }).collect()
    }

    #[test]
    fn an_endpoint_is_left_alone_longer_each_time_and_forgiven_for_good_behaviour() {
        let (health, outlier) = (Health::default(), outlier(100));
        let eject = |now| {
            assert!(!health.failed(&outlier) && health.failed(&outlier));
            health.eject(now, &outlier);
            health.ejected_until().expect("an end") - now
        };

        assert_eq!(eject(0), 30);
        assert!(!health.tick(29, &outlier) && health.tick(30, &outlier) && health.is_good());
        assert_eq!(eject(31), 60);
        assert!(health.tick(91, &outlier));
        // Twenty seconds of good behaviour take both ejections back.
        (92..=111).for_each(|now| assert!(!health.tick(now, &outlier)));
        assert_eq!(eject(112), 30);
    }

    #[test]
    fn a_success_between_failures_begins_the_count_anew() {
        let (health, outlier) = (Health::default(), outlier(100));

        assert!(!health.failed(&outlier));
        health.succeeded();

        assert!(!health.failed(&outlier));
    }

    #[test]
    fn with_most_endpoints_bad_all_are_asked() {
        let choice = choose(&candidates(&[true, true, false, false, false]), 50, None);
        assert_eq!((choice.near.len(), choice.panics), (5, true));

        let choice = choose(&candidates(&[true, true, true, false, false]), 50, None);
        assert_eq!((choice.near, choice.panics), (vec![0, 1, 2], false));
    }

    #[test]
    fn those_nearby_are_asked_first_and_share_when_too_few_of_them_are_well() {
        let near = |good| Candidate { good, distance: 0 };
        let far = Candidate { good: true, distance: 2 };

        let well = choose(&[near(true), near(true), far], 0, Some(70));
        assert_eq!((well.near, well.far, well.near_percent), (vec![0, 1], vec![2], 100));
        let half = choose(&[near(true), near(false), far], 0, Some(100));
        assert_eq!((half.near, half.far, half.near_percent), (vec![0], vec![2], 50));
        let none = choose(&[near(false), near(false), far], 0, Some(70));
        assert_eq!((none.near, none.far, none.near_percent), (vec![2], vec![], 100));
    }

    proptest! {
        #[test]
        fn of_some_endpoints_never_none_is_asked_and_each_at_most_once(
            all in prop::collection::vec((any::<bool>(), 0_u8..3), 1..20),
            threshold in 0_u8..=100,
            overflow in prop::option::of(1_u8..=100),
        ) {
            let all: Vec<Candidate> =
                all.into_iter().map(|(good, distance)| Candidate { good, distance }).collect();

            let Choice { near, far, near_percent, panics } = choose(&all, threshold, overflow);

            prop_assert!(!near.is_empty());
            prop_assert!(near_percent <= 100 && (near_percent == 100 || !far.is_empty()));
            prop_assert!(near.iter().all(|position| !far.contains(position)));
            let good = all.iter().filter(|candidate| candidate.good).count();
            let asked_bad = near.iter().chain(&far).any(|position| !all[*position].good);
            prop_assert_eq!(panics, asked_bad);
            prop_assert!(!panics || good * 100 < all.len() * usize::from(threshold) || good == 0);
        }

        #[test]
        fn never_more_are_ejected_than_may_be(
            count in 1_usize..20,
            percent in 0_u8..=100,
            failures in prop::collection::vec(0_usize..20, 0..200),
        ) {
            let outlier = outlier(percent);
            let all: Vec<Health> = (0..count).map(|_| Health::default()).collect();
            for (now, failing) in failures.into_iter().enumerate() {
                let health = &all[failing % count];
                let ejected = all.iter().filter(|health| health.ejected_until().is_some()).count();
                if health.failed(&outlier) && may_eject(ejected, count, &outlier) {
                    health.eject(now as u32, &outlier);
                }
                all.iter().for_each(|health| {
                    health.tick(now as u32, &outlier);
                });
                let ejected = all.iter().filter(|health| health.ejected_until().is_some()).count();
                prop_assert!(ejected * 100 <= count * usize::from(percent));
            }
        }
    }
}
