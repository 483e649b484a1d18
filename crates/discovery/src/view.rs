//! What a proxy is to have, at one epoch, and what is different from what it has.
//!
//! A view never changes; the next one shares with it whatever is the same, and remembers by which names it differs, so
//! that bringing a hundred proxies from one to the next costs a look at those names and not at all objects.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::limits::STEPS_KEPT_MAX;
use crate::object::{Object, ObjectName, TypeName, Version};

type Shelf = BTreeMap<Arc<str>, Arc<Object>>;

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is now this.
    Put(Arc<Object>),
    /// It is gone.
    Removed(ObjectName),
}

impl Change {
    /// The object.
    #[must_use]
    pub fn name(&self) -> &ObjectName {
        match self {
            Change::Put(object) => &object.name,
            Change::Removed(name) => name,
        }
    }
}

/// What a proxy says it has.
pub type Stated = HashMap<ObjectName, Version>;

/// All that a proxy is to have at one epoch.
#[derive(Clone, Debug)]
pub struct View {
    epoch: u64,
    shelves: BTreeMap<TypeName, Arc<Shelf>>,
    /// Those before it, the latest last: from which epoch, and the names that were touched.
    steps: VecDeque<Arc<Step>>,
    /// Tells views that came out of each other from those that did not.
    line: Arc<()>,
}

#[derive(Debug)]
struct Step {
    from: u64,
    touched: Box<[ObjectName]>,
}

impl View {
    /// A view of nothing, to begin a line with.
    #[must_use]
    pub fn empty(epoch: u64) -> View {
        View { epoch, shelves: BTreeMap::new(), steps: VecDeque::new(), line: Arc::new(()) }
    }

    /// The next view.
    #[must_use]
    pub fn next(&self, epoch: u64, changes: Vec<Change>) -> View {
        let mut next = self.clone();
        next.epoch = epoch;
        let touched: Vec<ObjectName> = changes.iter().map(|change| change.name().clone()).collect();
        changes.into_iter().for_each(|change| next.take(change));
        if epoch == self.epoch {
            // Two views of one epoch could be taken for each other: this one begins a line of its own.
            next.line = Arc::new(());
            next.steps.clear();
            return next;
        }
        next.steps.push_back(Arc::new(Step { from: self.epoch, touched: touched.into() }));
        if next.steps.len() > STEPS_KEPT_MAX {
            next.steps.pop_front();
        }
        next
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Put(object) => {
                let shelf = self.shelves.entry(object.name.of.clone()).or_default();
                Arc::make_mut(shelf).insert(object.name.name.clone(), object);
            }
            Change::Removed(name) => {
                let Some(shelf) = self.shelves.get_mut(&name.of) else { return };
                Arc::make_mut(shelf).remove(&name.name);
                if shelf.is_empty() {
                    self.shelves.remove(&name.of);
                }
            }
        }
    }

    /// The number of the last change that is in it.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// An object.
    #[must_use]
    pub fn get(&self, name: &ObjectName) -> Option<&Arc<Object>> {
        self.shelves.get(&name.of)?.get(&name.name)
    }

    /// All objects, type by type.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.shelves.values().flat_map(|shelf| shelf.values())
    }

    /// Whether there are objects of a type.
    #[must_use]
    pub fn has_any(&self, of: &str) -> bool {
        self.shelves.contains_key(&TypeName::new(of))
    }

    /// Number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shelves.values().map(|shelf| shelf.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shelves.is_empty()
    }

    /// What is different from an earlier view, sorted by name.
    #[must_use]
    pub fn since(&self, before: &View) -> Vec<Change> {
        match self.touched_since(before) {
            Some(touched) => touched.into_iter().filter_map(|name| self.differs(name, before)).collect(),
            None => self.beside(before),
        }
    }

    /// What is different from what a proxy says it has.
    #[must_use]
    pub fn beyond(&self, stated: &Stated) -> Vec<Change> {
        let known = |object: &&Arc<Object>| stated.get(&object.name) == Some(&object.version);
        let put = self.iter().filter(|object| !known(object)).cloned().map(Change::Put);
        let gone = stated.keys().filter(|name| self.get(name).is_none()).cloned().map(Change::Removed);
        sorted(put.chain(gone).collect())
    }

    /// Names of which one may differ; `None` when the way from there to here is not remembered.
    fn touched_since(&self, before: &View) -> Option<BTreeSet<&ObjectName>> {
        if !Arc::ptr_eq(&self.line, &before.line) || before.epoch > self.epoch {
            return None;
        }
        if before.epoch == self.epoch {
            return Some(BTreeSet::new());
        }
        let first = self.steps.iter().position(|step| step.from == before.epoch)?;
        Some(self.steps.iter().skip(first).flat_map(|step| step.touched.iter()).collect())
    }

    fn differs(&self, name: &ObjectName, before: &View) -> Option<Change> {
        match (before.get(name), self.get(name)) {
            (Some(old), Some(new)) if old.version == new.version => None,
            (_, Some(new)) => Some(Change::Put(new.clone())),
            (Some(_), None) => Some(Change::Removed(name.clone())),
            (None, None) => None,
        }
    }

    fn beside(&self, before: &View) -> Vec<Change> {
        let put = self.iter().filter_map(|object| self.differs(&object.name, before));
        let gone = before.iter().filter(|object| self.get(&object.name).is_none());
        sorted(put.chain(gone.map(|object| Change::Removed(object.name.clone()))).collect())
    }
}

fn sorted(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by(|left, right| left.name().cmp(right.name()));
    changes
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::messages::Content;

    fn name(text: &str) -> ObjectName {
        ObjectName { of: TypeName::new("Service"), name: text.into() }
    }

    fn put(text: &str, json: &'static str) -> Change {
        let content =
            Content { json: Bytes::from_static(json.as_bytes()), parents: Vec::new(), denies: false };
        Change::Put(Arc::new(Object::new(name(text), &content)))
    }

    fn removed(text: &str) -> Change {
        Change::Removed(name(text))
    }

    #[test]
    fn several_steps_are_one_difference() {
        let first = View::empty(1).next(2, vec![put("a", "1"), put("b", "1")]);
        let later =
            first.next(3, vec![put("a", "2")]).next(5, vec![put("a", "1"), removed("b"), put("c", "1")]);

        assert_eq!(later.since(&first), [removed("b"), put("c", "1")]);
        assert_eq!(later.since(&later), []);
    }

    #[test]
    fn a_view_of_another_line_is_compared_object_by_object() {
        let ours = View::empty(1).next(2, vec![put("a", "1"), put("b", "1")]);
        let other = View::empty(7).next(8, vec![put("a", "1"), put("c", "1")]);

        assert_eq!(other.since(&ours), [removed("b"), put("c", "1")]);
    }

    #[test]
    fn what_a_view_began_with_is_not_looked_at_again_with_its_first_change() {
        let first = View::empty(7).next(7, (0..50).map(|number| put(&format!("n{number}"), "1")).collect());
        let second = first.next(8, vec![put("n3", "2")]);

        assert_eq!(second.touched_since(&first).map(|touched| touched.len()), Some(1));
        assert_eq!(second.since(&first), [put("n3", "2")]);
        assert_eq!(first.since(&View::empty(7)).len(), 50);
    }

    #[test]
    fn who_is_too_far_behind_is_compared_object_by_object() {
        let first = View::empty(0).next(1, vec![put("a", "1"), put("b", "1")]);
        let mut now = first.clone();
        for epoch in 2..2 + 2 * STEPS_KEPT_MAX as u64 {
            now = now.next(epoch, vec![put("a", if epoch % 2 == 0 { "2" } else { "3" })]);
        }

        assert!(now.touched_since(&first).is_none());
        assert_eq!(now.since(&first).len(), 1);
    }

    #[test]
    fn what_a_proxy_has_already_is_not_sent_again() {
        let view = View::empty(1).next(2, vec![put("a", "1"), put("b", "2")]);
        let Change::Put(known) = put("a", "1") else { unreachable!() };
        let stated = [
            (name("a"), known.version.clone()),
            (name("b"), known.version.clone()),
            (name("z"), known.version.clone()),
        ];

        assert_eq!(view.beyond(&stated.into()), [put("b", "2"), removed("z")]);
    }
}
