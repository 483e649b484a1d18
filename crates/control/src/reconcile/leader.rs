//! Which of several control planes does the work that only one may do.
//!
//! A lease in the store decides. Its holder prolongs it well before it ends; whoever could not stops at once, and what
//! it may still write is refused by the store, because the proof it carries is older than its successor's.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::store::{Fence, Store};

/// Name of the lease.
pub const LEASE: &str = "leader";
/// How long the lease lasts. A leader that dies is replaced after this long at the latest.
pub const LEASE_LASTS: Duration = Duration::from_secs(15);
/// How often it is prolonged, or asked for.
pub const LEASE_ASKED_EVERY: Duration = Duration::from_secs(4);

/// Tells whether this control plane leads, and with what proof.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Option<Fence>>);

impl Leadership {
    /// The proof, while this control plane leads.
    #[must_use]
    pub fn fence(&self) -> Option<Fence> {
        self.0.borrow().clone()
    }

    /// Waits until this control plane leads; `None` when nobody runs for it any more.
    pub async fn led(&mut self) -> Option<Fence> {
        let led = self.0.wait_for(Option::is_some).await.ok()?;
        led.clone()
    }

    /// Leadership that is always held, for whoever is alone.
    #[must_use]
    pub fn held(fence: Fence) -> Leadership {
        let (_, receiver) = watch::channel(Some(fence));
        Leadership(receiver)
    }
}

/// Runs for leadership.
#[derive(Debug)]
pub struct Leader {
    store: Arc<dyn Store>,
    holder: Arc<str>,
    tell: watch::Sender<Option<Fence>>,
}

impl Leader {
    /// A candidate. `holder` tells it from all others; made anew at each start.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, holder: impl Into<Arc<str>>) -> (Leader, Leadership) {
        let (tell, told) = watch::channel(None);
        (Leader { store, holder: holder.into(), tell }, Leadership(told))
    }

    /// Runs until `stopping` turns true, and gives the lease back then.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        loop {
            self.ask().await;
            tokio::select! {
                () = tokio::time::sleep(LEASE_ASKED_EVERY) => {}
                _ = stopping.wait_for(|stop| *stop) => break,
            }
        }
        if let Some(fence) = self.tell.send_replace(None) {
            // Should it fail, the lease ends by itself.
            let _ended = self.store.release(&fence).await;
        }
    }

    /// Takes or prolongs the lease. An answer that does not come in time is as good as none.
    async fn ask(&self) {
        let milliseconds = u64::try_from(LEASE_LASTS.as_millis()).unwrap_or(u64::MAX);
        let asking = self.store.lease(LEASE, &self.holder, milliseconds);
        let answered = tokio::time::timeout(LEASE_LASTS - LEASE_ASKED_EVERY * 2, asking).await;
        let fence = answered.ok().and_then(Result::ok).flatten();
        self.tell.send_if_modified(|told| {
            let changed = *told != fence;
            *told = fence;
            changed
        });
    }
}
