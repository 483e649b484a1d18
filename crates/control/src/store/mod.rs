//! Where the truth is kept: every object at its revision, every change in order, nothing acknowledged ever lost.
//!
//! Nothing in here knows what an object means. A store takes change sets, each of them whole or not at all, and gives
//! every write in them a revision of its own out of one sequence without gaps; so whoever has read up to a revision
//! can ask for exactly what came after it. The trait is small because every engine must keep all of its promises,
//! which one suite of tests (`contract`) shows for each of them.

pub mod backoff;
#[cfg(test)]
mod contract;
pub mod customers;
mod decide;
mod errors;
pub mod history;
pub mod keys;
#[cfg(test)]
mod kills;
mod leases;
mod line;
pub mod postgres;
pub mod quotas;
mod rows;
pub mod sqlite;
pub mod usage;
mod writer;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use model::{ResourceKey, Source};

/// The number of a write, one sequence for the whole store, from 1. What Kubernetes calls `resourceVersion`; the
/// number of the last one is the *epoch*.
pub type Revision = u64;

/// What a store answers, some time later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// One object as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What tells it from all others.
    pub key: ResourceKey,
    /// What tells it from an object of the same key that was deleted before.
    pub uid: Arc<str>,
    /// Its last write.
    pub revision: Revision,
    /// The whole object, `metadata.resourceVersion` excepted, which is the revision.
    pub json: Arc<str>,
    /// The file and line that asked for it, when one did.
    pub source: Option<Box<Source>>,
}

/// What must be true of an object for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is none of this key.
    Absent,
    /// Its last write was this one.
    Revision(Revision),
    /// Nothing.
    Whatever,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Keep this object, in place of the one with its key.
    Put {
        /// The object; its revision is given by the store.
        object: Object,
        /// What must be true before.
        expect: Expect,
    },
    /// Keep it no longer.
    Delete {
        /// The object.
        key: ResourceKey,
        /// What must be true before. With [`Expect::Whatever`] deleting what is not there does nothing.
        expect: Expect,
    },
}

impl Write {
    /// The object that is written.
    #[must_use]
    pub fn key(&self) -> &ResourceKey {
        match self {
            Write::Put { object, .. } => &object.key,
            Write::Delete { key, .. } => key,
        }
    }
}

/// Who did what, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Milliseconds since 1970 (UTC).
    pub at: u64,
    /// Who asked: a user name.
    pub who: Arc<str>,
    /// What was asked: `create`, `update`, `patch`, `delete`, ...
    pub verb: Arc<str>,
    /// On what: `httproutes.gateway.networking.k8s.io shop/checkout`.
    pub what: Arc<str>,
    /// What became of it: `allowed`, `denied`, or why it failed.
    pub outcome: Arc<str>,
}

/// Writes that happen together or not at all.
#[derive(Clone, Debug, Default)]
pub struct ChangeSet {
    /// The writes, applied in this order.
    pub writes: Vec<Write>,
    /// What the audit log keeps of them, in the same transaction.
    pub audit: Vec<AuditEntry>,
    /// When given, nothing is written unless this lease is still held: a leader that was replaced without noticing
    /// cannot write over its successor.
    pub fence: Option<Fence>,
}

/// A lease as proof of leadership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Name of the lease.
    pub lease: Arc<str>,
    /// The number with which it was granted; each grant to another holder has a larger one.
    pub token: u64,
}

/// What happened to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is now this.
    Put(Object),
    /// It is gone; the revision is that of the deletion.
    Deleted {
        /// The object.
        key: ResourceKey,
        /// When.
        revision: Revision,
    },
}

impl Change {
    /// The object it happened to.
    #[must_use]
    pub fn key(&self) -> &ResourceKey {
        match self {
            Change::Put(object) => &object.key,
            Change::Deleted { key, .. } => key,
        }
    }

    /// The number of the write.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Change::Put(object) => object.revision,
            Change::Deleted { revision, .. } => *revision,
        }
    }
}

/// Why a store did not do what was asked. Nothing was written then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// An expectation was not met.
    #[error("{key} was changed by somebody else meanwhile")]
    Conflict {
        /// The first object whose expectation was not met.
        key: ResourceKey,
        /// Its revision now; `None` when it does not exist.
        found: Option<Revision>,
    },
    /// The lease that should have protected the writes is held by somebody else.
    #[error("the lease `{lease}` is no longer held with token {token}")]
    Fenced {
        /// Name of the lease.
        lease: Arc<str>,
        /// The token that is no longer good.
        token: u64,
    },
    /// What came after the revision asked for is no longer kept change by change.
    #[error("changes up to revision {compacted} are no longer kept")]
    Compacted {
        /// The last revision that was forgotten.
        compacted: Revision,
    },
    /// The store cannot be reached or used now; trying again later may help. Whether a commit that ends so happened
    /// is not known, except where the message says so.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The store is damaged, or is none of ours; trying again does not help.
    #[error("the store cannot be used: {0}")]
    Broken(String),
}

/// A place that keeps objects.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Does all of a change set, durably, or none of it. Answers with what happened to each object in the order of
    /// the writes; deleting what was not there happened to nobody.
    fn commit(&self, set: ChangeSet) -> Answer<'_, Vec<Change>>;

    /// Every object, and the epoch at which this is the whole truth.
    fn load(&self) -> Answer<'_, (Revision, Vec<Object>)>;

    /// The number of the last write.
    fn epoch(&self) -> Answer<'_, Revision>;

    /// What happened after a revision, in order, at most `limit` changes.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when some of it is no longer kept: then `load` again.
    fn changes(&self, after: Revision, limit: usize) -> Answer<'_, Vec<Change>>;

    /// Forgets the changes up to a revision; the objects themselves stay.
    fn compact(&self, up_to: Revision) -> Answer<'_, ()>;

    /// Waits until the epoch may have grown beyond a revision, at most for the store's own polling interval. A hint:
    /// it may come for nothing, and a store without notifications simply lets the interval pass.
    fn wait(&self, beyond: Revision) -> Answer<'_, ()>;

    /// Takes or prolongs a lease for some milliseconds, by the clock of the store. `None` when another holder has it.
    fn lease(&self, name: &str, holder: &str, milliseconds: u64) -> Answer<'_, Option<Fence>>;

    /// Gives a lease back before its time.
    fn release(&self, fence: &Fence) -> Answer<'_, ()>;

    /// Keeps entries of the audit log that belong to no write (what was refused).
    fn audit(&self, entries: Vec<AuditEntry>) -> Answer<'_, ()>;

    /// The newest entries of the audit log, newest first.
    fn audited(&self, limit: usize) -> Answer<'_, Vec<AuditEntry>>;

    /// Forgets the oldest entries of the audit log beyond so many, in steps that are short; says whether more are to be
    /// forgotten. Nothing else ever takes an entry out of it.
    fn shorten_audit(&self, kept: u64) -> Answer<'_, bool>;

    /// The rows of customers; none where nobody keeps any.
    fn customers(&self) -> Option<&dyn customers::CustomerRows> {
        None
    }

    /// The rows of quotas; none where nobody lends any.
    fn quotas(&self) -> Option<&dyn quotas::QuotaRows> {
        None
    }

    /// The usage ledger; none where nobody keeps one.
    fn usage(&self) -> Option<&dyn usage::UsageRows> {
        None
    }

    /// Does what waits to be written, then lets go of everything: connections, files, locks. Whatever is asked of it
    /// afterwards is [`StoreError::Unavailable`]; closing it again does nothing.
    fn close(&self) -> Answer<'_, ()>;
}
