//! How many proxies may join at once.
//!
//! A join is the one expensive moment of a stream: a proxy states all it has and may be sent all there is. When
//! three hundred come back at once, some are served, some wait in order, and the rest are told when to come again,
//! spread out, so that they do not come back together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Joins that are served at once.
pub const JOINS_MAX: usize = 16;
/// Joins that wait for their turn. Past it a proxy is told to come again.
pub const JOINS_WAITING_MAX: usize = 512;
/// Shortest time after which a proxy is told to come again.
const COME_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The door.
#[derive(Debug)]
pub struct Admission {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
    refused: AtomicU64,
}

/// Holds a place at the door until the proxy has what it came for.
#[derive(Debug)]
pub struct Turn {
    _turn: OwnedSemaphorePermit,
}

/// There is no room to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// When to come again.
    pub after: Duration,
}

impl Default for Admission {
    fn default() -> Self {
        Admission::new(JOINS_MAX, JOINS_WAITING_MAX)
    }
}

impl Admission {
    /// A door for so many at once, and so many who wait.
    #[must_use]
    pub fn new(joins: usize, waiting: usize) -> Admission {
        Admission {
            turns: Arc::new(Semaphore::new(joins)),
            places: Arc::new(Semaphore::new(waiting)),
            refused: AtomicU64::new(0),
        }
    }

    /// Waits for a turn, in the order of coming.
    ///
    /// # Errors
    /// There is no room to wait.
    pub async fn enter(&self) -> Result<Turn, Full> {
        if let Ok(turn) = self.turns.clone().try_acquire_owned() {
            return Ok(Turn { _turn: turn });
        }
        let Ok(_place) = self.places.clone().try_acquire_owned() else { return Err(self.full()) };
        let turn = self.turns.clone().acquire_owned().await;
        turn.map(|turn| Turn { _turn: turn }).map_err(|_closed| self.full())
    }

    /// Each one that is refused is sent to the next of ten slots, so that a crowd comes back as ten smaller ones.
    fn full(&self) -> Full {
        let slot = self.refused.fetch_add(1, Ordering::Relaxed) % 10;
        Full { after: COME_AGAIN_AFTER + COME_AGAIN_AFTER.mul_f64(slot as f64 / 5.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_is_served_one_waits_and_the_rest_come_again_spread_out() {
        let door = Admission::new(1, 1);
        let first = door.enter().await.expect("a turn");
        let mut second = std::pin::pin!(door.enter());

        assert!(futures_now(second.as_mut()).await.is_none(), "the second waits for the first");
        let (one, two) = (door.enter().await.expect_err("no room"), door.enter().await.expect_err("no room"));
        drop(first);

        assert!(one.after < two.after, "{one:?} {two:?}");
        assert!(second.await.is_ok());
    }

    /// What a future says when it is asked once.
    async fn futures_now<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = std::future::ready(()) => None,
        }
    }
}
