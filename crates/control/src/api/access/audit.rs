//! What was refused or failed is kept in the audit log, without letting an attacker write our disk full.
//!
//! What succeeds is logged in the transaction that does it. The rest has no transaction: it waits in a short line and
//! is written in batches. When more comes than can be written, the surplus is counted, and the count is what is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::authorize::Wish;
use crate::clock::Clock;
use crate::store::{AuditEntry, Store};

/// Most entries that wait to be written. Past it they are counted instead.
pub const AUDIT_WAITING_MAX: usize = 1_024;
/// Most entries written at once.
const AUDIT_BATCH_MAX: usize = 256;

/// Where entries go that belong to no write.
#[derive(Clone, Debug)]
pub struct Audit {
    clock: Clock,
    waiting: mpsc::Sender<AuditEntry>,
    lost: Arc<AtomicU64>,
}

/// Writes what waits, until nobody can add to it any more.
#[derive(Debug)]
pub struct AuditWriter {
    clock: Clock,
    store: Arc<dyn Store>,
    waiting: mpsc::Receiver<AuditEntry>,
    lost: Arc<AtomicU64>,
}

/// Both ends.
#[must_use]
pub fn audit(store: Arc<dyn Store>, clock: Clock) -> (Audit, AuditWriter) {
    let (sender, receiver) = mpsc::channel(AUDIT_WAITING_MAX);
    let lost = Arc::new(AtomicU64::new(0));
    let writer = AuditWriter { clock: clock.clone(), store, waiting: receiver, lost: Arc::clone(&lost) };
    (Audit { clock, waiting: sender, lost }, writer)
}

impl Audit {
    /// An entry about a wish, to be written with what fulfils it.
    #[must_use]
    pub fn entry(&self, who: &str, wish: &Wish, outcome: &str) -> AuditEntry {
        AuditEntry {
            at: self.clock.milliseconds(),
            who: who.into(),
            verb: wish.verb.as_str().into(),
            what: wish.what().into(),
            outcome: outcome.into(),
        }
    }

    /// Keeps an entry that belongs to no write.
    pub fn keep(&self, entry: AuditEntry) {
        if self.waiting.try_send(entry).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl AuditWriter {
    /// Runs until the last [`Audit`] is gone and everything is written.
    pub async fn run(mut self) {
        let mut batch = Vec::new();
        while self.waiting.recv_many(&mut batch, AUDIT_BATCH_MAX).await > 0 {
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                batch.push(self.surplus(lost));
            }
            let entries = std::mem::take(&mut batch);
            let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
            if self.store.audit(entries).await.is_err() {
                // The store is away; how much is missing will be told when it is back.
                self.lost.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    fn surplus(&self, lost: u64) -> AuditEntry {
        AuditEntry {
            at: self.clock.milliseconds(),
            who: "selvedge".into(),
            verb: "audit".into(),
            what: format!("{lost} refused or failed requests").into(),
            outcome: "not kept one by one".into(),
        }
    }
}
