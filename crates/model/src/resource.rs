//! One object as a user wrote it and as the program understands it, side by side.
//!
//! The typed content is what code works on; what was written is what is shown and stored, and leads every message
//! back to its line in the file.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::kinds::{Kind, KindName, KindType};
use crate::labels::Labels;
use crate::names::{Namespace, ResourceKey};
use crate::path::{FieldPath, Step};
use crate::units::Moment;
use crate::violation::{Subject, Violation};
use crate::written::Written;

/// The metadata that has a meaning here. Name and namespace stand in the key; annotations are only shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Labels, shared by what has the same ones.
    pub labels: Arc<Labels>,
    /// Unique id, when a store gave one.
    pub uid: Option<Arc<str>>,
    /// Grows when the wanted state changes; 1 for a new object.
    pub generation: u64,
    /// When it was made, if it says so.
    pub creation_timestamp: Option<Moment>,
    /// When it began to end, if it does.
    pub deletion_timestamp: Option<Moment>,
    /// Version in a store, opaque.
    pub resource_version: Option<Arc<str>>,
}

impl ObjectMeta {
    /// Whether both mean the same. A store numbers every write, those of a status included; the number says nothing.
    fn means_the_same(&self, other: &ObjectMeta) -> bool {
        let ObjectMeta {
            labels,
            uid,
            generation,
            creation_timestamp,
            deletion_timestamp,
            resource_version: _,
        } = self;
        *labels == other.labels
            && *uid == other.uid
            && *generation == other.generation
            && *creation_timestamp == other.creation_timestamp
            && *deletion_timestamp == other.deletion_timestamp
    }
}

/// Where a resource was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// File, as the user named it.
    pub file: Arc<str>,
    /// Line its document starts on, from 1.
    pub line: u32,
}

/// How old a resource is, for "the oldest wins". A moment that it states itself comes first; among those
/// without one, the order in which they were first seen decides.
#[derive(Clone, Copy, Debug)]
pub struct Age {
    moment: Option<Moment>,
    seen: u64,
}

impl Age {
    /// When an object was seen orders only those that do not state when they were made: what does is older or younger
    /// than another by that alone, so that two programs that saw them in different order agree.
    fn order(&self) -> (bool, Option<Moment>, u64) {
        let unstated = self.moment.is_none();
        (unstated, self.moment, if unstated { self.seen } else { 0 })
    }
}

impl PartialEq for Age {
    fn eq(&self, other: &Age) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Age {}

impl PartialOrd for Age {
    fn partial_cmp(&self, other: &Age) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Age {
    fn cmp(&self, other: &Age) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl Age {
    pub(crate) fn new(moment: Option<Moment>, seen: u64) -> Self {
        Age { moment, seen }
    }

    /// The position at which the object was first seen.
    #[must_use]
    pub fn seen(self) -> u64 {
        self.seen
    }
}

/// One object.
#[derive(Clone, PartialEq)]
pub struct Resource {
    /// What tells it from all others.
    pub key: ResourceKey,
    /// Metadata.
    pub meta: ObjectMeta,
    /// Version it was written in.
    pub api_version: Arc<str>,
    /// Content.
    pub kind: Kind,
    /// Where it was read, when from a file.
    pub source: Option<Box<Source>>,
    /// The whole object with defaults filled in, and the lines of its fields.
    pub written: Written,
    /// How old it is; given by the set it is put into.
    pub age: Age,
}

impl Resource {
    /// Which kind it is.
    #[must_use]
    pub fn kind_name(&self) -> KindName {
        self.kind.name()
    }

    /// The typed content, if it is of this kind.
    #[must_use]
    pub fn content<T: KindType>(&self) -> Option<&T> {
        T::of(&self.kind)
    }

    /// Whether both mean the same, wherever they were read: for compilers that keep what did not change. Moving
    /// an object down a file changes its lines, not its meaning.
    #[must_use]
    pub fn means_the_same(&self, other: &Resource) -> bool {
        self.key == other.key
            && self.age == other.age
            && self.meta.means_the_same(&other.meta)
            && self.kind == other.kind
    }

    /// Whether it stands on the lines on which the other one stood; what came from no file has none.
    #[must_use]
    pub fn stands_as(&self, before: &Resource) -> bool {
        match (&self.source, &before.source) {
            (None, None) => true,
            (now, then) => now == then && self.written.has_lines_of(&before.written),
        }
    }

    /// Whether it is the other one and only stands on other lines of the same file.
    #[must_use]
    pub fn is_moved(&self, before: &Resource) -> bool {
        let (Some(now), Some(then)) = (&self.source, &before.source) else { return false };
        let by = i64::from(now.line) - i64::from(then.line);
        now.file == then.file
            && self.api_version == before.api_version
            && self.means_the_same(before)
            && self.written.is_moved(&before.written, by)
    }

    /// Its namespace as text; empty outside of namespaces.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.key.namespace.as_ref().map_or("", Namespace::as_str)
    }

    /// The line of a field, or of the nearest thing around it that was written.
    #[must_use]
    pub fn line_of(&self, field: &FieldPath) -> Option<u32> {
        self.source.as_ref().map(|_| self.written.line_of(field))
    }

    /// The same object some lines further down its file, or up.
    #[must_use]
    pub fn moved(&self, by: i64) -> Resource {
        let mut moved = self.clone();
        if let Some(source) = &mut moved.source {
            source.line = moved_line(source.line, by);
        }
        moved.written.move_lines(by);
        moved
    }

    /// A violation about one of its fields, with file and line.
    #[must_use]
    pub fn violation(
        &self,
        field: FieldPath,
        problem: impl Into<String>,
        remedy: Option<String>,
    ) -> Violation {
        Violation {
            resource: Subject::from(&self.key),
            file: self.source.as_ref().map(|source| source.file.clone()),
            line: self.line_of(&field),
            field,
            problem: problem.into(),
            remedy,
        }
    }
}

pub(crate) fn moved_line(line: u32, by: i64) -> u32 {
    u32::try_from(i64::from(line) + by).unwrap_or(u32::MAX)
}

impl fmt::Debug for Resource {
    /// Names the object only: its content may hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("key", &format_args!("{}", self.key))
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Lines of a tree while it is read: a node for each node of the tree, children in the same order. Fields that were
/// filled in by defaults stand behind those that were written and have no node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Line the node (for a field: its key) starts on, from 1.
    pub line: u32,
    /// Nodes of the elements or fields, in the order written.
    pub children: Vec<Lines>,
}

impl Lines {
    /// The line of a field, or of the nearest thing around it that was written.
    #[must_use]
    pub fn find(&self, tree: &Value, field: &FieldPath) -> u32 {
        let (mut lines, mut value) = (self, tree);
        for step in field.steps() {
            let next = match (step, value) {
                (Step::Index(index), Value::Array(list)) => list.get(*index).map(|inner| (*index, inner)),
                (Step::Field(name), Value::Object(map)) => map
                    .iter()
                    .enumerate()
                    .find(|(_, (key, _))| **key == **name)
                    .map(|(at, (_, inner))| (at, inner)),
                (Step::Index(_) | Step::Field(_), _) => None,
            };
            let Some((position, inner)) = next else { break };
            let Some(child) = lines.children.get(position) else { break };
            (lines, value) = (child, inner);
        }
        lines.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_states_its_age_is_older_than_what_does_not() {
        let stated = Age::new(Some(Moment(50)), 9);
        let earlier = Age::new(Some(Moment(40)), 10);
        let (first, second) = (Age::new(None, 1), Age::new(None, 2));

        let mut ages = [second, stated, first, earlier];
        ages.sort();

        assert_eq!(ages, [earlier, stated, first, second]);
    }

    #[test]
    fn what_was_made_in_the_same_moment_is_of_one_age_whoever_saw_it_first() {
        assert_eq!(Age::new(Some(Moment(50)), 1), Age::new(Some(Moment(50)), 2));
        assert_ne!(Age::new(None, 1), Age::new(None, 2));
    }
}
