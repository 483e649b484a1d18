//! Keeps the history of a store short: who is further behind than it goes reads everything anew, which costs less than
//! keeping every change for ever. The audit log has its own, much longer measure: it is for people.

use std::time::Duration;

use super::{Revision, Store, StoreError};
use crate::world::CHANGES_KEPT_MAX;

/// How many changes are kept: as many as watchers may be behind.
pub const CHANGES_KEPT: Revision = CHANGES_KEPT_MAX as Revision;

/// How many are forgotten in one transaction, so that none takes long.
pub const CHANGES_FORGOTTEN_MAX: Revision = 2_000;

/// How many entries of the audit log are kept, the newest. Past it the oldest go; who wants to keep them longer copies
/// them out before. Some 200 MiB.
pub const AUDIT_ENTRIES_KEPT: u64 = 1_000_000;

/// How many entries of the audit log are forgotten in one transaction.
const AUDIT_FORGOTTEN_MAX: i64 = 5_000;

/// How often there is a look.
const EVERY: Duration = Duration::from_secs(60);

/// Keeps the history short for as long as it is polled. One process of several need do it.
pub async fn keep_short(store: &dyn Store) {
    loop {
        // Another time will do; who cannot reach the store says so elsewhere.
        let _ = forget(store, CHANGES_KEPT, CHANGES_FORGOTTEN_MAX).await;
        while store.shorten_audit(AUDIT_ENTRIES_KEPT).await == Ok(true) {}
        tokio::time::sleep(EVERY).await;
    }
}

/// Up to which entry of the audit log the next step forgets, and whether another one follows; of a log with these first
/// and last entries, numbered without large gaps.
pub(super) fn audit_step(first: i64, last: i64, kept: u64) -> Option<(i64, bool)> {
    let target = last.saturating_sub(i64::try_from(kept).unwrap_or(i64::MAX));
    let up_to = target.min(first.saturating_add(AUDIT_FORGOTTEN_MAX - 1));
    (up_to >= first).then_some((up_to, up_to < target))
}

/// Forgets all but the newest changes, in steps.
///
/// # Errors
/// What the store says; what was forgotten until then stays forgotten.
pub async fn forget(store: &dyn Store, kept: Revision, step: Revision) -> Result<(), StoreError> {
    let target = store.epoch().await?.saturating_sub(kept);
    let mut forgotten = match store.changes(0, 1).await {
        Ok(first) => first.first().map_or(target, |change| change.revision() - 1),
        Err(StoreError::Compacted { compacted }) => compacted,
        Err(error) => return Err(error),
    };
    while forgotten < target {
        forgotten = (forgotten + step).min(target);
        store.compact(forgotten).await?;
    }
    Ok(())
}
