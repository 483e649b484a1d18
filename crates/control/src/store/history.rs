//! Keeps the history of a store short: who is further behind than it goes reads everything anew, which costs less than
//! keeping every change for ever.

use std::time::Duration;

use super::{Revision, Store, StoreError};
use crate::world::CHANGES_KEPT_MAX;

/// How many changes are kept: as many as watchers may be behind.
pub const CHANGES_KEPT: Revision = CHANGES_KEPT_MAX as Revision;

/// How many are forgotten in one transaction, so that none takes long.
pub const CHANGES_FORGOTTEN_MAX: Revision = 2_000;

/// How often there is a look.
const EVERY: Duration = Duration::from_secs(60);

/// Keeps the history short for as long as it is polled. One process of several need do it.
pub async fn keep_short(store: &dyn Store) {
    loop {
        // Another time will do; who cannot reach the store says so elsewhere.
        let _ = forget(store, CHANGES_KEPT, CHANGES_FORGOTTEN_MAX).await;
        tokio::time::sleep(EVERY).await;
    }
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
