//! Keeps the keys of token issuers fresh, off the path of requests.
//!
//! Each source is asked by one task of its own, so there is one question at a time however many workers miss a key.
//! Keys that are known stay in use while their issuer does not answer; who has none waits for a bounded time. An
//! issuer is asked again at once when a token names a key that is not known, but not oftener than every few seconds:
//! who sends tokens must not be able to have others asked.

mod fetch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::Config;
use engine::authentication::{KeySlot, KeySource};
use model::jwk::KeySet;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use crate::limits::{KEYS_AGAIN_SECONDS, KEYS_REFRESH_SECONDS, KEYS_RETRY_SECONDS_MAX};
use crate::worker::Order;

/// Keys for all workers.
#[derive(Debug)]
pub struct KeyKeeper {
    runtime: Handle,
    workers: Vec<mpsc::Sender<Order>>,
    watched: Arc<Mutex<HashMap<KeySlot, Watched>>>,
}

#[derive(Debug)]
struct Watched {
    source: Arc<KeySource>,
    missing: Arc<Notify>,
    task: AbortHandle,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl KeyKeeper {
    /// Begins to look after keys; `missing` tells which are missed.
    #[must_use]
    pub fn new(
        runtime: Handle,
        workers: Vec<mpsc::Sender<Order>>,
        missing: mpsc::Receiver<KeySlot>,
    ) -> KeyKeeper {
        let watched: Arc<Mutex<HashMap<KeySlot, Watched>>> = Arc::default();
        runtime.spawn(pass_on(missing, watched.clone()));
        KeyKeeper { runtime, workers, watched }
    }

    /// Follows the sources of a new config.
    pub fn follow(&self, config: &Config) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, known| config.key_sources.contains(&known.source));
        for source in config.key_sources.iter() {
            watched.entry(source.slot).or_insert_with(|| {
                let missing = Arc::<Notify>::default();
                let task = self.runtime.spawn(keep(source.clone(), self.workers.clone(), missing.clone()));
                Watched { source: source.clone(), missing, task: task.abort_handle() }
            });
        }
    }
}

async fn pass_on(mut missing: mpsc::Receiver<KeySlot>, watched: Arc<Mutex<HashMap<KeySlot, Watched>>>) {
    while let Some(slot) = missing.recv().await {
        let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = watched.get(&slot) {
            known.missing.notify_one();
        }
    }
}

/// Asks one source for ever.
async fn keep(source: Arc<KeySource>, workers: Vec<mpsc::Sender<Order>>, missing: Arc<Notify>) {
    let mut known: Option<Arc<KeySet>> = None;
    let mut failed: u32 = 0;
    loop {
        let pause = match fetch::fetch(&source).await {
            Ok(keys) => {
                failed = 0;
                // The same keys stay the same by pointer: what was verified by them stays verified.
                if known.as_deref() != Some(&keys) {
                    known = Some(Arc::new(keys));
                }
                Duration::from_secs(KEYS_REFRESH_SECONDS)
            }
            Err(why) => {
                if failed == 0 {
                    eprintln!("selvedge: no keys from {}: {why}", source.fetch.url.as_str());
                }
                failed = (failed + 1).min(16);
                Duration::from_secs((1 << failed.min(8)).min(KEYS_RETRY_SECONDS_MAX))
            }
        };
        for worker in &workers {
            let order = Order::Keys { slot: source.slot, keys: known.clone() };
            let _ = worker.send(order).await; // A worker that has ended needs no keys.
        }
        let least = Duration::from_secs(KEYS_AGAIN_SECONDS).min(pause);
        tokio::time::sleep(least).await;
        tokio::select! {
            () = tokio::time::sleep(pause.saturating_sub(least)) => {}
            () = missing.notified() => {}
        }
    }
}
