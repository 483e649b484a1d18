//! What a proxy has of each object: its name and its version.
//!
//! It is asked for when a connection begins, so that only the difference travels, and written to by every update. A
//! proxy keeps it for as long as it runs, one entry for every replica it may call, so it is kept packed: a sorted list
//! for each type instead of one table with room to spare.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::object::{ObjectName, TypeName, Version};

/// One object of a type.
type Entry = (Arc<str>, Version);

/// What is in use, by name. What was rejected last stands there as [`Version::unusable`], whatever older version of it
/// may be in use: the next connection is to bring it again, or that it is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// By name.
    of_type: BTreeMap<TypeName, Vec<Entry>>,
}

impl Held {
    /// Nothing.
    #[must_use]
    pub fn new() -> Held {
        Held::default()
    }

    /// Every object with its version, by type and name.
    pub fn iter(&self) -> impl Iterator<Item = (&TypeName, &str, &Version)> {
        self.of_type
            .iter()
            .flat_map(|(of, entries)| entries.iter().map(move |(name, version)| (of, &**name, version)))
    }

    /// The version of an object, if it is held.
    #[must_use]
    pub fn version(&self, name: &ObjectName) -> Option<&Version> {
        let entries = self.of_type.get(&name.of)?;
        let at = entries.binary_search_by(|entry| entry.0.cmp(&name.name)).ok()?;
        Some(&entries[at].1)
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.of_type.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of_type.is_empty()
    }

    /// These are gone.
    pub fn remove(&mut self, names: &[ObjectName]) {
        let mut gone: BTreeMap<&TypeName, Vec<&str>> = BTreeMap::new();
        names.iter().for_each(|name| gone.entry(&name.of).or_default().push(&name.name));
        for (of, mut names) in gone {
            let Some(entries) = self.of_type.get_mut(of) else { continue };
            names.sort_unstable();
            entries.retain(|(name, _)| names.binary_search(&&**name).is_err());
            pack(entries);
            if entries.is_empty() {
                self.of_type.remove(of);
            }
        }
    }
}

impl Extend<(ObjectName, Version)> for Held {
    /// Objects that are new, or of another version.
    fn extend<I: IntoIterator<Item = (ObjectName, Version)>>(&mut self, objects: I) {
        let mut fresh: BTreeMap<TypeName, Vec<Entry>> = BTreeMap::new();
        for (ObjectName { of, name }, version) in objects {
            fresh.entry(of).or_default().push((name, version));
        }
        for (of, fresh) in fresh {
            let entries = self.of_type.entry(of).or_default();
            let known = entries.len();
            for (name, version) in fresh {
                match entries[..known].binary_search_by(|entry| entry.0.cmp(&name)) {
                    Ok(at) => entries[at].1 = version,
                    Err(_) => entries.push((name, version)),
                }
            }
            if entries.len() > known {
                entries.sort_by(|left, right| left.0.cmp(&right.0));
                // Of those that came twice the later one counts; sorting has kept their order.
                entries.dedup_by(|later, kept| {
                    later.0 == kept.0 && {
                        std::mem::swap(&mut later.1, &mut kept.1);
                        true
                    }
                });
                pack(entries);
            }
        }
    }
}

impl FromIterator<(ObjectName, Version)> for Held {
    fn from_iter<I: IntoIterator<Item = (ObjectName, Version)>>(objects: I) -> Held {
        let mut held = Held::new();
        held.extend(objects);
        held
    }
}

/// Gives back room that is more than an eighth.
fn pack(entries: &mut Vec<Entry>) {
    if entries.capacity() - entries.len() > entries.len() / 8 {
        entries.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn name(of: &str, name: &str) -> ObjectName {
        ObjectName { of: TypeName::new(of), name: name.into() }
    }

    fn names() -> impl Strategy<Value = ObjectName> {
        ("[AB]", "[a-f]").prop_map(|(of, called)| name(&of, &called))
    }

    proptest! {
        #[test]
        fn after_any_updates_it_holds_what_a_table_would(
            updates in proptest::collection::vec(
                (proptest::collection::vec(names(), 0..4), proptest::collection::vec((names(), "[0-9]"), 0..8)),
                0..6,
            ),
        ) {
            let (mut held, mut table) = (Held::new(), HashMap::new());
            for (removed, put) in updates {
                held.remove(&removed);
                removed.iter().for_each(|name| drop(table.remove(name)));
                let put = put.into_iter().map(|(name, text)| (name, Version::stated(&text)));
                let put: Vec<_> = put.collect();
                held.extend(put.clone());
                table.extend(put);
            }

            let found: HashMap<ObjectName, Version> =
                held.iter().map(|(of, called, version)| (name(of.as_str(), called), version.clone())).collect();
            prop_assert_eq!(held.len(), table.len());
            prop_assert_eq!(found, table);
        }
    }

    #[test]
    fn it_keeps_no_room_for_what_may_come() {
        let objects = (0..1000).map(|number| (name("Workload", &format!("a/{number}")), Version::of(b"")));

        let held: Held = objects.collect();

        let entries = &held.of_type[&TypeName::new("Workload")];
        assert!(entries.capacity() <= 1125, "{}", entries.capacity());
        assert!(size_of::<Entry>() <= 40);
    }
}
