//! How many certificates are asked for: by one sender, and by all of them.
//!
//! A flood costs a look-up each and nothing else: no key is verified and nothing is signed for what is over the bound.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Certificates that one sender may ask for at once.
pub const SENDER_BURST: f64 = 10.0;
/// How often one sender gets another one.
pub const SENDER_EVERY: Duration = Duration::from_secs(2);
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
    senders: HashMap<String, Bucket>,
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

impl Rate {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new(now: Instant) -> Rate {
        let all = Bucket { left: ALL_BURST, at: now };
        Rate { state: Mutex::new(State { all, senders: HashMap::new() }) }
    }

    /// Counts one request of a sender.
    ///
    /// # Errors
    /// When to come again.
    pub fn take(&self, sender: &str, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { all, senders } = &mut *state;
        if senders.len() >= SENDERS_MAX && !senders.contains_key(sender) {
            senders.retain(|_, bucket| {
                bucket.refill(SENDER_BURST, SENDER_EVERY, now);
                bucket.left < SENDER_BURST
            });
            if senders.len() >= SENDERS_MAX {
                return Err(SENDER_EVERY);
            }
        }
        let mine = senders.entry(sender.to_owned()).or_insert(Bucket { left: SENDER_BURST, at: now });
        mine.refill(SENDER_BURST, SENDER_EVERY, now);
        mine.take(SENDER_EVERY)?;
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
        let given = (0..100).filter(|_| rate.take("cart-1", Instant::now()).is_ok()).count();
        assert_eq!(given, SENDER_BURST as usize);

        assert!(rate.take("cart-2", Instant::now()).is_ok());
        let wait = rate.take("cart-1", Instant::now()).expect_err("it has to wait");

        tokio::time::advance(wait).await;
        assert!(rate.take("cart-1", Instant::now()).is_ok());
        assert!(rate.take("cart-1", Instant::now()).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_under_many_names_is_bounded_as_a_whole_and_in_memory() {
        let rate = Rate::new(Instant::now());

        let given =
            (0..SENDERS_MAX * 2).filter(|name| rate.take(&name.to_string(), Instant::now()).is_ok()).count();

        assert_eq!(given, ALL_BURST as usize);
        assert!(rate.state.lock().expect("sound").senders.len() <= SENDERS_MAX);
    }
}
