//! What was lent of quotas: one row for each quota of a subscription in each of its periods.
//!
//! Control planes share these rows without a leader. Each row has a version; whoever writes it says which version it
//! has read, and of two that have read the same only one is heard. The other one reads again.

#[cfg(test)]
pub(super) mod contract;
pub(super) mod sql;

use std::sync::Arc;

use super::Answer;

/// What tells a row from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuotaKey {
    /// Number of the subscription.
    pub subscription: [u8; 16],
    /// Name of the quota.
    pub quota: Arc<str>,
    /// The first second of the period, since 1970 (UTC).
    pub start: i64,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaRow {
    /// What tells it from all others.
    pub key: QuotaKey,
    /// The first second of the next period.
    pub end: i64,
    /// How often it was written, this time included.
    pub version: u64,
    /// What was lent to whom, as JSON.
    pub books: Arc<str>,
}

/// What became of a row that was to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// It is written.
    Done,
    /// Somebody else has written it meanwhile. This is what it is now, so that whoever is late need not read it, and be
    /// late again.
    Late(Option<QuotaRow>),
}

/// The rows of quotas in a store.
pub trait QuotaRows: Send + Sync {
    /// Those of the rows that there are.
    fn read_quotas(&self, keys: Vec<QuotaKey>) -> Answer<'_, Vec<QuotaRow>>;

    /// Writes rows durably, those of them that nobody has written since the version before theirs, and says what became
    /// of each. When this fails nobody knows which were written.
    fn write_quotas(&self, rows: Vec<QuotaRow>) -> Answer<'_, Vec<Wrote>>;

    /// The rows of a subscription, the newest period first.
    fn quotas_of(&self, subscription: [u8; 16]) -> Answer<'_, Vec<QuotaRow>>;

    /// Forgets periods that ended before a moment, in seconds since 1970.
    fn forget_quotas(&self, ended_before: i64) -> Answer<'_, ()>;
}
