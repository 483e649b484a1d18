//! What grows with customers, as rows of their own: teams, developers, applications, subscriptions, credentials.
//!
//! There may be millions of them, so nobody loads them all: they are asked for by name, by page, by parent
//! and by bucket.
//! They have an epoch of their own, so that a busy shop does not wake those who follow the configuration, and the other
//! way round. Each write is one transaction, kept with its line in the audit log.

#[cfg(test)]
pub(super) mod contract;
pub(super) mod sql;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::kinds::KindName;

use super::{Answer, AuditEntry, Expect, Revision};

/// Most changes that are kept for who follows. Who is further behind reads anew.
pub const CHANGES_KEPT_MAX: u64 = 100_000;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The kind; one of those that [`KindName::is_customer`].
    pub kind: KindName,
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
    /// What tells it from a row of the same name that was deleted before.
    pub uid: Arc<str>,
    /// The number of its first write, which no other row ever has; given by the store.
    pub number: u64,
    /// The number of its last write; given by the store.
    pub revision: Revision,
    /// The name, in the same namespace, of what it belongs to: a team or an application.
    pub parent: Option<Arc<str>>,
    /// The number of the application that it belongs to.
    pub owner: Option<u64>,
    /// The bucket in which it travels to proxies. For an application it is worked out by the store, from its number.
    pub place: Option<u32>,
    /// What no two rows may have alike.
    pub claim: Option<Arc<str>>,
    /// The whole object, `metadata.resourceVersion` excepted.
    pub json: Arc<str>,
}

/// What tells a row from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The kind.
    pub kind: KindName,
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Row {
    /// What tells it from all others.
    #[must_use]
    pub fn key(&self) -> Key {
        Key { kind: self.kind, namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

impl Key {
    /// A key.
    #[must_use]
    pub fn new(kind: KindName, namespace: &str, name: &str) -> Key {
        Key { kind, namespace: namespace.into(), name: name.into() }
    }
}

/// One write.
#[derive(Clone, Debug)]
pub enum RowWrite {
    /// Keep this row, in place of the one of the same key.
    Put {
        /// The row.
        row: Row,
        /// What must be true before.
        expect: Expect,
        /// When time changes it next, in seconds since 1970: from then on it is among those that are
        /// [due](CustomerRows::due).
        due: Option<i64>,
    },
    /// Keep it no longer.
    Delete {
        /// The row.
        key: Key,
        /// What must be true before.
        expect: Expect,
    },
}

/// Writes that happen together or not at all.
#[derive(Clone, Debug, Default)]
pub struct RowSet {
    /// The writes, in this order.
    pub writes: Vec<RowWrite>,
    /// What the audit log keeps of them.
    pub audit: Vec<AuditEntry>,
}

/// What happened to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// The row as it is; as it was, where it is gone. Its revision is that of the change.
    pub row: Row,
    /// The object before, if there was one.
    pub before: Option<Arc<str>>,
    /// Whether it is gone.
    pub is_gone: bool,
    /// When it was asked for, in milliseconds since 1970; 0 where nobody said.
    pub at: u64,
}

/// What became of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of it happened.
    Done(Vec<RowChange>),
    /// None of it: somebody else was faster.
    Conflict(Key),
    /// None of it: what a row claims belongs to another one.
    Taken(Key),
}

/// The part of a page that a list begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The kind.
    pub kind: KindName,
    /// The namespace; all when absent.
    pub namespace: Option<Arc<str>>,
    /// Namespace and name after which it begins.
    pub after: Option<(Arc<str>, Arc<str>)>,
    /// Most rows in it.
    pub limit: usize,
}

/// The rows of customers in a store.
pub trait CustomerRows: Send + Sync {
    /// Does all of a set, durably, or none of it.
    fn write_rows(&self, set: RowSet) -> Answer<'_, Written>;

    /// One row.
    fn row(&self, key: Key) -> Answer<'_, Option<Row>>;

    /// Some rows of a kind in the order of namespace and name, and the epoch at which they were so.
    fn page(&self, page: Page) -> Answer<'_, (Revision, Vec<Row>)>;

    /// The rows of a kind that belong to a parent, at most `limit`.
    fn children(&self, kind: KindName, namespace: &str, parent: &str, limit: usize) -> Answer<'_, Vec<Row>>;

    /// The rows of these kinds in the buckets from `first` to `last`, and the epoch at which they were so.
    fn buckets(&self, kinds: [KindName; 2], first: u32, last: u32) -> Answer<'_, (Revision, Vec<Row>)>;

    /// The rows that time should have changed by a moment, in seconds since 1970, the oldest first, at most `limit`.
    fn due(&self, now: i64, limit: usize) -> Answer<'_, Vec<Row>>;

    /// The number of the last write.
    fn row_epoch(&self) -> Answer<'_, Revision>;

    /// What happened after a revision, in order, at most `limit` changes.
    ///
    /// # Errors
    /// [`super::StoreError::Compacted`] when some of it is no longer kept.
    fn row_changes(&self, after: Revision, limit: usize) -> Answer<'_, Vec<RowChange>>;

    /// Waits until the epoch may have grown beyond a revision, at most for the store's own polling interval.
    fn wait_rows(&self, beyond: Revision) -> Answer<'_, ()>;

    /// The secret from which fingerprints are made: the one that is kept or, where there is none yet, the one that is
    /// offered, which is kept from then on. It is sealed in the store.
    fn pepper(&self, offered: [u8; 32]) -> Answer<'_, [u8; 32]>;
}

/// A pepper as text, for sealing.
pub(super) fn written(pepper: &[u8; 32]) -> String {
    BASE64.encode(pepper)
}

/// A pepper that was unsealed.
pub(super) fn read(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text).ok()?.try_into().ok()
}
