//! How many watch at once, wherever they stand, and how one more begins.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{Filter, Tap};
use crate::limits::{TAP_LINES_WAITING_MAX, TAPS_MAX};
use crate::worker::Order;

/// Lets people watch.
#[derive(Clone, Debug)]
pub struct Watchers {
    room: Arc<Semaphore>,
    workers: Arc<[mpsc::Sender<Order>]>,
}

/// Somebody who watches, until this is dropped.
#[derive(Debug)]
pub struct Watched {
    /// What passes, a line each.
    pub lines: mpsc::Receiver<Vec<u8>>,
    tap: Arc<Tap>,
    _place: OwnedSemaphorePermit,
}

impl Watchers {
    /// Nobody yet.
    #[must_use]
    pub fn new(workers: Vec<mpsc::Sender<Order>>) -> Watchers {
        Watchers { room: Arc::new(Semaphore::new(TAPS_MAX)), workers: workers.into() }
    }

    /// A place for one more, if there is any.
    #[must_use]
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Begins to watch; when it returns, everything that ends from now on is seen.
    pub async fn watch(&self, filter: Filter, place: OwnedSemaphorePermit) -> Watched {
        let (sender, lines) = mpsc::channel(TAP_LINES_WAITING_MAX);
        let tap = Arc::new(Tap::new(filter, sender));
        for worker in self.workers.iter() {
            let (done, watched) = oneshot::channel();
            // A worker that ended has nothing to show.
            if worker.send(Order::Tap { tap: tap.clone(), done }).await.is_ok() {
                let _ = watched.await;
            }
        }
        Watched { lines, tap, _place: place }
    }
}

impl Watched {
    /// Lines that were not shown so far.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.tap.missed()
    }
}
