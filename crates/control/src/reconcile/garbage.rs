//! What nobody owns any more goes, and what waits for that is let go: owner references and their two finalizers.
//!
//! The rules are Kubernetes'. An object whose owners are all gone is deleted; one that has lost only some of them
//! forgets those. An owner that is deleted in the foreground waits for its dependents, one that orphans them lets them
//! go first. An owner of a kind that we do not have may exist elsewhere, so it counts as alive.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::Resource;
use model::kinds::KindName;
use serde_json::Value;

use super::driver::{Reconcile, Run, Summary};
use super::write::{Change, Writer};
use crate::api::{FOREGROUND, ORPHAN};
use crate::objects::deletion;
use crate::store::{Fence, StoreError};
use crate::world::{Event, Moment};

/// Most objects that one run changes; the next follows at once.
const CHANGES_MAX: usize = 500;

/// The loop.
#[derive(Debug)]
pub struct Garbage {
    writer: Writer,
}

impl Garbage {
    /// The loop over the objects of a writer's world.
    #[must_use]
    pub fn new(writer: Writer) -> Garbage {
        Garbage { writer }
    }

    async fn sweep(&self, fence: &Fence) -> Result<Summary, StoreError> {
        let moment = self.writer.world().now();
        let mut changes = Graph::of(&moment).changes();
        let more = changes.len() > CHANGES_MAX;
        changes.truncate(CHANGES_MAX);
        self.writer.write(fence, changes, more).await
    }
}

impl Reconcile for Garbage {
    fn run<'a>(&'a self, fence: &'a Fence) -> Run<'a> {
        Box::pin(self.sweep(fence))
    }

    fn concerns(&self, event: &Event) -> bool {
        // Who has lost an owner may be what that owner waited for.
        let had_owners = event.before.as_ref().is_some_and(|before| has_owners(before));
        had_owners || event.after.as_ref().is_none_or(|after| has_owners(after) || is_ending(after))
    }
}

/// Cheap and sometimes wrong: that what it says no to has no owners is certain.
fn has_owners(object: &Resource) -> bool {
    object.written.json().contains("\"ownerReferences\"")
}

fn is_ending(object: &Resource) -> bool {
    object.written.json().contains("\"deletionTimestamp\"")
}

/// Who owns whom.
struct Graph {
    /// Every object that may own something.
    alive: HashMap<Arc<str>, Arc<Resource>>,
    /// Objects that name owners.
    dependents: Vec<Dependent>,
    /// Objects that are going away, with their finalizers.
    ending: Vec<(Arc<Resource>, Value)>,
    /// Ids of owners that wait for their dependents, and of those that let them go.
    foreground: HashSet<Arc<str>>,
    orphaning: HashSet<Arc<str>>,
}

struct Dependent {
    object: Arc<Resource>,
    value: Value,
    owners: Vec<Owner>,
}

struct Owner {
    uid: Arc<str>,
    blocks: bool,
    /// Whether it is of a kind that we have, so that we can say that it is gone.
    is_known: bool,
}

/// What is true of the owner that a reference names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tie {
    Holds,
    Gone,
    Waits,
    LetsGo,
}

impl Graph {
    fn of(moment: &Moment) -> Graph {
        let mut graph = Graph {
            alive: HashMap::new(),
            dependents: Vec::new(),
            ending: Vec::new(),
            foreground: HashSet::new(),
            orphaning: HashSet::new(),
        };
        for object in moment.resources.iter() {
            if let Some(uid) = &object.meta.uid {
                graph.alive.insert(Arc::clone(uid), Arc::clone(object));
            }
            if has_owners(object) {
                let value = object.written.value();
                let owners = owners(&value);
                graph.dependents.push(Dependent { object: Arc::clone(object), value, owners });
            }
            if is_ending(object) {
                graph.end(object);
            }
        }
        graph
    }

    fn end(&mut self, object: &Arc<Resource>) {
        let value = object.written.value();
        if value.pointer("/metadata/deletionTimestamp").is_none() {
            return;
        }
        if let Some(uid) = &object.meta.uid {
            if has_finalizer(&value, FOREGROUND) {
                self.foreground.insert(Arc::clone(uid));
            }
            if has_finalizer(&value, ORPHAN) {
                self.orphaning.insert(Arc::clone(uid));
            }
        }
        self.ending.push((Arc::clone(object), value));
    }

    fn changes(&self) -> Vec<Change> {
        let of_dependents = self.dependents.iter().filter_map(|dependent| self.mend(dependent));
        let of_owners = self.ending.iter().filter_map(|(object, value)| self.finish(object, value));
        of_dependents.chain(of_owners).collect()
    }

    fn tie(&self, dependent: &Dependent, owner: &Owner) -> Tie {
        if !owner.is_known {
            return Tie::Holds;
        }
        let Some(found) = self.alive.get(&owner.uid) else { return Tie::Gone };
        // An owner lives beside what it owns, or outside of namespaces.
        let is_beside = found.namespace().is_empty() || found.namespace() == dependent.object.namespace();
        match () {
            () if !is_beside => Tie::Gone,
            () if self.orphaning.contains(&owner.uid) => Tie::LetsGo,
            () if self.foreground.contains(&owner.uid) => Tie::Waits,
            () => Tie::Holds,
        }
    }

    fn mend(&self, dependent: &Dependent) -> Option<Change> {
        let ties: Vec<(Tie, &Owner)> =
            dependent.owners.iter().map(|owner| (self.tie(dependent, owner), owner)).collect();
        let any = |wanted: Tie| ties.iter().any(|(tie, _)| *tie == wanted);
        let lost: HashSet<&str> =
            ties.iter().filter(|(tie, _)| *tie != Tie::Holds).map(|(_, owner)| &*owner.uid).collect();
        if lost.is_empty() {
            return None;
        }
        if any(Tie::Holds) || any(Tie::LetsGo) {
            // Of an owner that waits, whoever still has another one need not go.
            let released = deletion::released(&dependent.value, &|uid| lost.contains(uid))?;
            return Some(Change::put(&dependent.object, released));
        }
        let is_ending = dependent.value.pointer("/metadata/deletionTimestamp").is_some();
        if is_ending {
            return None;
        }
        let waits_itself = any(Tie::Waits) && self.owns_any(&dependent.object);
        Some(Change::delete(&dependent.object, waits_itself.then_some(FOREGROUND)))
    }

    fn owns_any(&self, object: &Resource) -> bool {
        let Some(uid) = &object.meta.uid else { return false };
        self.dependents.iter().any(|other| other.owners.iter().any(|owner| owner.uid == *uid))
    }

    /// Lets an owner go when nothing keeps it any more.
    fn finish(&self, object: &Arc<Resource>, value: &Value) -> Option<Change> {
        let uid = object.meta.uid.as_ref()?;
        let named_by = |counts: &dyn Fn(&Owner) -> bool| {
            self.dependents.iter().any(|other| {
                let is_beside =
                    object.namespace().is_empty() || object.namespace() == other.object.namespace();
                is_beside && other.owners.iter().any(|owner| owner.uid == *uid && counts(owner))
            })
        };
        let waited = has_finalizer(value, FOREGROUND) && !named_by(&|owner| owner.blocks);
        let let_go = has_finalizer(value, ORPHAN) && !named_by(&|_| true);
        match (waited, let_go) {
            (false, false) => None,
            (true, false) => Some(Change::without_finalizers(object, value, &[FOREGROUND])),
            (false, true) => Some(Change::without_finalizers(object, value, &[ORPHAN])),
            (true, true) => Some(Change::without_finalizers(object, value, &[FOREGROUND, ORPHAN])),
        }
    }
}

fn owners(value: &Value) -> Vec<Owner> {
    let references =
        value.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
    references
        .filter_map(|reference| {
            let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or_default();
            let group = text("apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
            Some(Owner {
                uid: reference.get("uid")?.as_str()?.into(),
                blocks: reference.get("blockOwnerDeletion").and_then(Value::as_bool).unwrap_or(false),
                is_known: KindName::find(group, text("kind")).is_some(),
            })
        })
        .collect()
}

fn has_finalizer(value: &Value, name: &str) -> bool {
    let finalizers = value.pointer("/metadata/finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|finalizers| finalizers.iter().any(|finalizer| finalizer == name))
}
