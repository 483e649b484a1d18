//! What becomes of change sets that came at the same time, given what the store holds: the same answer on every
//! engine, without a database.
//!
//! An engine reads what the sets depend on, asks here, and writes what it is told, all in one transaction. Because
//! every expectation is looked at before the first write, a set that is refused leaves no trace to take back, and the
//! sets behind it see the ones before it as done.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use model::ResourceKey;

use super::{AuditEntry, Change, ChangeSet, Expect, Fence, Object, Revision, StoreError, Write};

/// What an engine holds of the things that some sets depend on.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The last write.
    pub epoch: Revision,
    /// Objects among those written that exist, with their last write.
    pub revisions: HashMap<ResourceKey, Revision>,
    /// Leases among the fences that are held at this moment, with their tokens.
    pub leases: HashMap<Arc<str>, u64>,
}

/// What an engine has to write, and to answer once that is durable.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// One answer for each set.
    pub answers: Vec<Result<Vec<Change>, StoreError>>,
    /// Everything that happened, in order.
    pub log: Vec<Change>,
    /// Each object that was written, with the place in the log of the last thing that happened to it.
    pub last: BTreeMap<ResourceKey, usize>,
    /// What the audit log keeps.
    pub audit: Vec<AuditEntry>,
    /// The last write afterwards.
    pub epoch: Revision,
}

/// Objects that sets depend on, each once.
pub(super) fn keys(sets: &[ChangeSet]) -> BTreeSet<&ResourceKey> {
    sets.iter().flat_map(|set| &set.writes).map(Write::key).collect()
}

/// Leases that sets depend on, each once.
pub(super) fn fences(sets: &[ChangeSet]) -> BTreeSet<&Arc<str>> {
    sets.iter().filter_map(|set| set.fence.as_ref()).map(|fence| &fence.lease).collect()
}

/// Decides about sets one after the other.
pub(super) fn decide(sets: &[ChangeSet], known: Known) -> Decision {
    let mut decision = Decision { epoch: known.epoch, ..Decision::default() };
    let mut revisions = known.revisions;
    for set in sets {
        let answer = held(set.fence.as_ref(), &known.leases)
            .and_then(|()| Trial::new(&revisions, decision.epoch).run(&set.writes));
        match answer {
            Ok(trial) => {
                let Trial { changes, written, epoch, .. } = trial;
                for (key, revision) in written {
                    match revision {
                        Some(revision) => revisions.insert(key, revision),
                        None => revisions.remove(&key),
                    };
                }
                decision.keep(&changes, epoch, &set.audit);
                decision.answers.push(Ok(changes));
            }
            Err(error) => decision.answers.push(Err(error)),
        }
    }
    decision
}

impl Decision {
    fn keep(&mut self, changes: &[Change], epoch: Revision, audit: &[AuditEntry]) {
        for change in changes {
            self.last.insert(change.key().clone(), self.log.len());
            self.log.push(change.clone());
        }
        self.audit.extend_from_slice(audit);
        self.epoch = epoch;
    }

    /// Whether there is nothing to write at all.
    pub fn is_empty(&self) -> bool {
        self.log.is_empty() && self.audit.is_empty()
    }
}

fn held(fence: Option<&Fence>, leases: &HashMap<Arc<str>, u64>) -> Result<(), StoreError> {
    match fence {
        Some(fence) if leases.get(&fence.lease) != Some(&fence.token) => {
            Err(StoreError::Fenced { lease: fence.lease.clone(), token: fence.token })
        }
        Some(_) | None => Ok(()),
    }
}

/// One set, tried on what is there; dropped when it fails half-way.
struct Trial<'a> {
    before: &'a HashMap<ResourceKey, Revision>,
    /// What this set did so far; `None` for what it deleted.
    written: HashMap<ResourceKey, Option<Revision>>,
    changes: Vec<Change>,
    epoch: Revision,
}

impl<'a> Trial<'a> {
    fn new(before: &'a HashMap<ResourceKey, Revision>, epoch: Revision) -> Self {
        Trial { before, written: HashMap::new(), changes: Vec::new(), epoch }
    }

    fn run(mut self, writes: &[Write]) -> Result<Self, StoreError> {
        for write in writes {
            let found = self.found(write.key());
            match write {
                Write::Put { object, expect } => {
                    meets(*expect, found, &object.key)?;
                    self.epoch += 1;
                    self.written.insert(object.key.clone(), Some(self.epoch));
                    self.changes.push(Change::Put(Object { revision: self.epoch, ..object.clone() }));
                }
                Write::Delete { key, expect } => {
                    meets(*expect, found, key)?;
                    if found.is_none() {
                        continue;
                    }
                    self.epoch += 1;
                    self.written.insert(key.clone(), None);
                    self.changes.push(Change::Deleted { key: key.clone(), revision: self.epoch });
                }
            }
        }
        Ok(self)
    }

    fn found(&self, key: &ResourceKey) -> Option<Revision> {
        self.written.get(key).copied().unwrap_or_else(|| self.before.get(key).copied())
    }
}

fn meets(expect: Expect, found: Option<Revision>, key: &ResourceKey) -> Result<(), StoreError> {
    let met = match expect {
        Expect::Absent => found.is_none(),
        Expect::Revision(revision) => found == Some(revision),
        Expect::Whatever => true,
    };
    if met { Ok(()) } else { Err(StoreError::Conflict { key: key.clone(), found }) }
}
