//! How many certificates are asked for: under one name, by one holder of a token, and by all of them.
//!
//! A flood costs a look-up each and nothing else: no key is verified and nothing is signed for what is over the bound.
//! A name is chosen by who asks, what it holds is not: one token under many names leaves three quarters to the others.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Certificates that one sender may ask for at once.
pub const SENDER_BURST: f64 = 10.0;
/// How often one sender gets another one.
pub const SENDER_EVERY: Duration = Duration::from_secs(2);
/// Certificates that may be asked for at once with one token, or as one member.
pub const HOLDER_BURST: f64 = 200.0;
/// How often one token, or one member, gets another one.
pub const HOLDER_EVERY: Duration = Duration::from_millis(20);
/// Certificates that all may ask for at once.
pub const ALL_BURST: f64 = 500.0;
/// How often all together get another one.
pub const ALL_EVERY: Duration = Duration::from_millis(5);
/// Senders that are remembered. Past it, those who have not asked for long are forgotten; if all have, new ones wait.
pub const SENDERS_MAX: usize = 20_000;

/// Counts requests.
#[derive(Debug)]
pub struct Rate {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    all: Bucket,
    holders: Buckets,
    senders: Buckets,
}

/// A bucket for each of many.
#[derive(Debug)]
struct Buckets {
    burst: f64,
    every: Duration,
    by_name: HashMap<String, Bucket>,
}

/// What is left, and when it was counted.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn refill(&mut self, burst: f64, every: Duration, now: Instant) {
        let more = now.saturating_duration_since(self.at).as_secs_f64() / every.as_secs_f64();
        *self = Bucket { left: (self.left + more).min(burst), at: now };
    }

    /// Takes one, or says how long it takes until there is one.
    fn take(&mut self, every: Duration) -> Result<(), Duration> {
        if self.left < 1.0 {
            return Err(every.mul_f64(1.0 - self.left));
        }
        self.left -= 1.0;
        Ok(())
    }
}

impl Buckets {
    fn new(burst: f64, every: Duration) -> Buckets {
        Buckets { burst, every, by_name: HashMap::new() }
    }

    /// Takes one from the bucket of this name. Those that are full again are forgotten when there are too many.
    fn take(&mut self, name: &str, now: Instant) -> Result<(), Duration> {
        let Buckets { burst, every, by_name } = self;
        if by_name.len() >= SENDERS_MAX && !by_name.contains_key(name) {
            by_name.retain(|_, bucket| {
                bucket.refill(*burst, *every, now);
                bucket.left < *burst
            });
            if by_name.len() >= SENDERS_MAX {
                return Err(*every);
            }
        }
        let mine = by_name.entry(name.to_owned()).or_insert(Bucket { left: *burst, at: now });
        mine.refill(*burst, *every, now);
        mine.take(*every)
    }
}

impl Rate {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new(now: Instant) -> Rate {
        let all = Bucket { left: ALL_BURST, at: now };
        let holders = Buckets::new(HOLDER_BURST, HOLDER_EVERY);
        let senders = Buckets::new(SENDER_BURST, SENDER_EVERY);
        Rate { state: Mutex::new(State { all, holders, senders }) }
    }

    /// Counts one request of a holder under a name. What one bound refuses, the next one does not count.
    ///
    /// # Errors
    /// When to come again.
    pub fn take(&self, holder: &str, sender: &str, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { all, holders, senders } = &mut *state;
        holders.take(holder, now)?;
        senders.take(sender, now)?;
        all.refill(ALL_BURST, ALL_EVERY, now);
        all.take(ALL_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sender_gets_its_burst_then_one_at_a_time_and_takes_nothing_from_others() {
        let rate = Rate::new(Instant::now());
        let given = (0..100).filter(|_| rate.take("token", "cart-1", Instant::now()).is_ok()).count();
        assert_eq!(given, SENDER_BURST as usize);

        assert!(rate.take("token", "cart-2", Instant::now()).is_ok());
        let wait = rate.take("token", "cart-1", Instant::now()).expect_err("it has to wait");

        tokio::time::advance(wait).await;
        assert!(rate.take("token", "cart-1", Instant::now()).is_ok());
        assert!(rate.take("token", "cart-1", Instant::now()).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_under_many_names_is_bounded_as_a_whole_and_in_memory() {
        let rate = Rate::new(Instant::now());

        let take = |name: usize| rate.take(&name.to_string(), &name.to_string(), Instant::now());

        let given = (0..SENDERS_MAX * 2).filter(|name| take(*name).is_ok()).count();

        assert_eq!(given, ALL_BURST as usize);
        let state = rate.state.lock().expect("sound");
        assert!(state.holders.by_name.len().max(state.senders.by_name.len()) <= SENDERS_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn one_token_under_many_names_takes_nothing_from_other_tokens() {
        let rate = Rate::new(Instant::now());

        let take = |name: usize| rate.take("shop/cart", &name.to_string(), Instant::now());
        let given = (0..SENDERS_MAX * 2).filter(|name| take(*name).is_ok()).count();

        assert_eq!(given, HOLDER_BURST as usize);
        assert!(rate.take("shop/web", "shop/web-1", Instant::now()).is_ok());
    }
}
