//! Promises about rates.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use commerce::rate::{Account, Asked, Rate, RateError};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

fn ten_a_second(burst: u32) -> Rate {
    Rate::new(10, Duration::from_secs(1), Some(burst)).unwrap()
}

fn admitted(asked: Asked) -> bool {
    matches!(asked, Asked::Admitted(_))
}

#[test]
fn a_burst_comes_at_once_and_the_next_request_waits_for_its_turn() {
    let account = Account::default();
    let rate = ten_a_second(3);
    for left in [2, 1, 0] {
        let Asked::Admitted(told) = account.ask(rate, 5 * SECOND, 1) else { panic!("within the burst") };
        assert_eq!(told.requests, left);
    }
    let Asked::Refused { retry_after, left } = account.ask(rate, 5 * SECOND, 1) else { panic!("beyond it") };
    assert_eq!(retry_after, Some(Duration::from_millis(100)));
    assert_eq!((left.requests, left.until_whole), (0, Duration::from_millis(300)));
    assert!(!admitted(account.ask(rate, 5 * SECOND + SECOND / 10 - 1, 1)), "a nanosecond early");
    assert!(admitted(account.ask(rate, 5 * SECOND + SECOND / 10, 1)), "when it was told to come");
}

#[test]
fn refused_requests_do_not_consume() {
    let account = Account::default();
    let rate = ten_a_second(1);
    assert!(admitted(account.ask(rate, 0, 1)));
    for _ in 0..1000 {
        assert!(!admitted(account.ask(rate, SECOND / 20, 1)));
    }
    assert!(admitted(account.ask(rate, SECOND / 10, 1)));
}

#[test]
fn a_question_for_more_than_a_burst_is_never_admitted_and_says_so() {
    let (asked, _) = ten_a_second(3).ask(0, 0, 4);
    assert!(matches!(asked, Asked::Refused { retry_after: None, left } if left.requests == 3));
}

#[test]
fn without_a_burst_the_requests_of_one_time_may_come_at_once() {
    assert_eq!(Rate::new(10, Duration::from_secs(1), None).unwrap().burst(), 10);
}

#[test]
fn rates_that_admit_nobody_or_limit_nobody_are_refused_with_a_reason() {
    let second = Duration::from_secs(1);
    assert_eq!(Rate::new(0, second, None), Err(RateError::NoRequests));
    assert_eq!(Rate::new(1, second, Some(0)), Err(RateError::NoBurst));
    assert_eq!(Rate::new(1, Duration::ZERO, None), Err(RateError::Time));
    assert_eq!(Rate::new(1, Duration::from_hours(25), None), Err(RateError::Time));
    assert_eq!(Rate::new(2_000_000_000, second, None), Err(RateError::TooMany(2_000_000_000)));
}

#[test]
fn threads_that_ask_at_once_are_given_one_burst_together() {
    let (account, given) = (Account::default(), AtomicU32::new(0));
    let rate = ten_a_second(1000);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    given.fetch_add(u32::from(admitted(account.ask(rate, SECOND, 1))), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(given.into_inner(), 1000);
}

#[test]
fn a_party_that_has_paid_may_be_forgotten() {
    let account = Account::default();
    assert!(admitted(account.ask(ten_a_second(5), SECOND, 2)));
    assert!(!account.is_settled(SECOND + SECOND / 10));
    assert!(account.is_settled(SECOND + SECOND / 5));
}

proptest! {
    /// Whatever the schedule: in every stretch of time no more than a burst and what the stretch pays for.
    #[test]
    fn no_stretch_of_time_admits_more_than_a_burst_and_its_own_requests(
        requests in 1_u32..50,
        burst in 1_u32..50,
        gaps in prop::collection::vec(0_u64..300_000_000, 1..200),
    ) {
        let rate = Rate::new(requests, Duration::from_secs(1), Some(burst)).unwrap();
        let account = Account::default();
        let mut now = 0;
        let mut times = Vec::new();
        for gap in gaps {
            now += gap;
            if admitted(account.ask(rate, now, 1)) {
                times.push(now);
            }
        }
        for (first, start) in times.iter().enumerate() {
            for (last, end) in times.iter().enumerate().skip(first) {
                let paid = (u128::from(end - start) * u128::from(requests)).div_ceil(u128::from(SECOND));
                prop_assert!((last - first + 1) as u128 <= u128::from(burst) + paid);
            }
        }
    }

    /// Who comes when it was told to is admitted.
    #[test]
    fn whoever_waits_as_told_is_admitted(
        requests in 1_u32..1000, burst in 1_u32..100, owed in 0_u64..10_000_000_000, cost in 1_u32..100,
    ) {
        let rate = Rate::new(requests, Duration::from_secs(1), Some(burst)).unwrap();
        let now = 1_000_000;
        if let (Asked::Refused { retry_after: Some(wait), .. }, paid) = rate.ask(now + owed, now, cost) {
            let later = now + u64::try_from(wait.as_nanos()).unwrap();
            prop_assert!(admitted(rate.ask(paid, later, cost).0));
            prop_assert!(!admitted(rate.ask(paid, later - 1, cost).0), "and no sooner");
        }
    }

    /// The shares of several gateways together are never more than the whole, but for a burst of one each.
    #[test]
    fn shares_of_a_rate_add_up_to_no_more_than_the_rate(
        requests in 1_u32..100_000, shares in prop::collection::vec(1_u32..1000, 1..10),
    ) {
        let total: u32 = shares.iter().sum();
        let whole = Rate::new(requests, Duration::from_secs(1), None).unwrap();
        let minute = 60 * SECOND;
        let admitted_in_a_minute = |rate: Rate| {
            // A party that asks as often as it may.
            let (mut paid, mut now, mut count) = (0, 0, 0_u64);
            while now <= minute && count < 10_000 {
                match rate.ask(paid, now, 1) {
                    (Asked::Admitted(_), then) => { paid = then; count += 1; }
                    (Asked::Refused { retry_after, .. }, _) => now += u64::try_from(retry_after.unwrap().as_nanos()).unwrap(),
                }
            }
            (count, now.min(minute))
        };
        for part in &shares {
            let millionths = u32::try_from(u64::from(*part) * 1_000_000 / u64::from(total)).unwrap();
            let (count, time) = admitted_in_a_minute(whole.share(millionths));
            let fair = u128::from(time) * u128::from(requests) * u128::from(millionths) / u128::from(SECOND) / 1_000_000;
            let burst = u128::from(requests) * u128::from(millionths) / 1_000_000;
            prop_assert!(u128::from(count) <= fair + burst.max(1) + 1, "{count} of {fair} + {burst}");
        }
    }
}
