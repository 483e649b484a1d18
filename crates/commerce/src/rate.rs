//! Rates over short times: so many requests in a second, some of them at once.
//!
//! The generic cell rate algorithm (ITU-T I.371) needs one number for each limited party: the moment at which it
//! will have paid for everything it was given. One number fits into one atomic, so workers share a limit without a
//! lock, and a party that is never seen again costs eight bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::shares::WHOLE;

/// How often somebody may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Nanoseconds that one request costs.
    interval: u64,
    /// Requests that may come at once.
    burst: u32,
}

/// Why a rate cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Nobody could ever ask.
    #[error("a rate of no requests admits nobody; deny by an AuthorizationPolicy instead")]
    NoRequests,
    /// No time, or more than can be counted.
    #[error("the time of a rate must be between 1ms and 24h; longer limits are quotas")]
    Time,
    /// More than one request in a nanosecond.
    #[error("{0} requests in that time are more than one a nanosecond, which limits nobody")]
    TooMany(u32),
    /// No request would ever be admitted.
    #[error("a burst of 0 admits nobody; leave it out for a burst of one period's requests")]
    NoBurst,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It may go on.
    Admitted(Left),
    /// It may not.
    Refused {
        /// Until the same question would be admitted, if nobody else asks; `None` when it asks for more than a burst.
        retry_after: Option<Duration>,
        /// What is left for smaller questions.
        left: Left,
    },
}

/// What a limit still gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Requests that would be admitted now.
    pub requests: u32,
    /// Until a whole burst would be admitted.
    pub until_whole: Duration,
}

impl Rate {
    /// Longest time over which a rate counts.
    pub const LONGEST: Duration = Duration::from_hours(24);
    /// Shortest time over which a rate counts.
    pub const SHORTEST: Duration = Duration::from_millis(1);

    /// So many requests in a time, `burst` of them at once (those of one whole time, when it is not given).
    ///
    /// What does not divide evenly is rounded so that never more than `requests` come in a time.
    ///
    /// # Errors
    /// When nobody would be admitted, or nobody limited.
    pub fn new(requests: u32, per: Duration, burst: Option<u32>) -> Result<Rate, RateError> {
        if requests == 0 {
            return Err(RateError::NoRequests);
        }
        if !(Rate::SHORTEST..=Rate::LONGEST).contains(&per) {
            return Err(RateError::Time);
        }
        let burst = burst.unwrap_or(requests);
        if burst == 0 {
            return Err(RateError::NoBurst);
        }
        let time = nanoseconds(per);
        if time < u64::from(requests) {
            return Err(RateError::TooMany(requests));
        }
        Ok(Rate { interval: time.div_ceil(u64::from(requests)), burst })
    }

    /// The part of this rate that one of several gateways gives, in millionths; never less than a burst of one.
    #[must_use]
    pub fn share(self, millionths: u32) -> Rate {
        if millionths >= WHOLE {
            return self;
        }
        let millionths = u64::from(millionths.max(1));
        let interval = u128::from(self.interval) * 1_000_000 / u128::from(millionths);
        let burst = (u64::from(self.burst) * millionths / 1_000_000).max(1);
        Rate {
            interval: u64::try_from(interval).unwrap_or(u64::MAX),
            burst: u32::try_from(burst).unwrap_or(u32::MAX),
        }
    }

    /// Requests that may come at once.
    #[must_use]
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// Seconds in which one request is paid for.
    #[must_use]
    pub fn interval_seconds(self) -> f64 {
        Duration::from_nanos(self.interval).as_secs_f64()
    }

    /// Decides about `cost` requests at `now` (nanoseconds of any clock that never goes back) for a party that will
    /// have paid at `paid`. Answers with what becomes of it and when the party will have paid then.
    #[must_use]
    pub fn ask(self, paid: u64, now: u64, cost: u32) -> (Asked, u64) {
        let capacity = self.interval.saturating_mul(u64::from(self.burst));
        let from = paid.max(now);
        let would = from.saturating_add(self.interval.saturating_mul(u64::from(cost)));
        if would - now <= capacity {
            return (Asked::Admitted(self.left(would - now, capacity)), would);
        }
        let retry_after = (cost <= self.burst).then(|| Duration::from_nanos(would - now - capacity));
        (Asked::Refused { retry_after, left: self.left(from - now, capacity) }, paid)
    }

    fn left(self, owed: u64, capacity: u64) -> Left {
        let requests = capacity.saturating_sub(owed) / self.interval;
        Left {
            requests: u32::try_from(requests).unwrap_or(u32::MAX),
            until_whole: Duration::from_nanos(owed),
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The state of one limited party, for every thread that asks.
#[derive(Debug, Default)]
pub struct Account(AtomicU64);

impl Account {
    /// Decides about `cost` requests at `now`. What is refused is not charged.
    ///
    /// Threads that ask at once are put in some order; none of them sees a limit that another has used up already.
    pub fn ask(&self, rate: Rate, now: u64, cost: u32) -> Asked {
        let mut paid = self.0.load(Ordering::Relaxed);
        loop {
            let (asked, then) = rate.ask(paid, now, cost);
            if matches!(asked, Asked::Refused { .. }) {
                return asked;
            }
            // Nothing else is published by this number, so no order with other memory is needed.
            match self.0.compare_exchange_weak(paid, then, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return asked,
                Err(seen) => paid = seen,
            }
        }
    }

    /// Takes back what was admitted, as if it had not been asked for.
    pub fn forgive(&self, rate: Rate, cost: u32) {
        let back = rate.interval.saturating_mul(u64::from(cost));
        let _ =
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid| Some(paid.saturating_sub(back)));
    }

    /// Whether forgetting the party at `now` changes nothing: it has paid for everything.
    #[must_use]
    pub fn is_settled(&self, now: u64) -> bool {
        self.0.load(Ordering::Relaxed) <= now
    }
}
