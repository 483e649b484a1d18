//! What has changed between two descriptions, and whom it breaks.
//!
//! The rule is that of types: what callers send may only be taken more widely, what they get may only become narrower.
//! Where that cannot be told, a change counts as breaking: being asked once too often costs a look, being told too
//! little costs somebody's night. The model of a change knows no protocol; only who finds changes does.

mod bodies;
mod operations;
mod parameters;
pub(crate) mod print;
mod rules;
mod schemas;
mod security;
pub(crate) mod view;

use std::fmt;

use crate::check::Direction;
use crate::description::Description;
use crate::op_key::OpKey;

/// What a change means for those who call today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Some call that works today does not work afterwards, or its answer is none that was promised.
    Breaking,
    /// It cannot be told; treated as breaking.
    Unknown,
    /// Every call that works today works afterwards.
    Compatible,
}

impl Class {
    /// The word for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Class::Breaking => "breaking",
            Class::Unknown => "unknown",
            Class::Compatible => "compatible",
        }
    }

    /// Whether callers have to be asked.
    #[must_use]
    pub fn breaks(self) -> bool {
        self != Class::Compatible
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The operation; `None` when it concerns all of them.
    pub operation: Option<OpKey>,
    /// What it means.
    pub class: Class,
    /// Where: `request body /name`, `answer 200 application/json /items/*`, `query parameter limit`.
    pub place: String,
    /// The name of the sort of change, for programs: `property-removed`.
    pub rule: &'static str,
    /// What has changed, as the end of a sentence.
    pub what: String,
    /// Line of the operation in the new description, or in the old one if it is gone; 0 when all are concerned.
    pub line: u32,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.class.word())?;
        if let Some(operation) = &self.operation {
            write!(f, "  {operation}")?;
        }
        if !self.place.is_empty() {
            write!(f, "  {}", self.place)?;
        }
        let what: String = self.what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        write!(f, "\n    {what}")
    }
}

/// Everything that has changed, what breaks first.
#[must_use]
pub fn compare(old: &Description, new: &Description) -> Vec<Change> {
    let mut report = Report::default();
    operations::compare(old, new, &mut report);
    let mut changes = report.changes;
    changes.sort_by(|left, right| {
        (left.class, &left.operation, &left.place, &left.what).cmp(&(
            right.class,
            &right.operation,
            &right.place,
            &right.what,
        ))
    });
    changes.dedup();
    changes
}

/// Changes that were found so far, and the place that is being looked at.
#[derive(Default)]
struct Report {
    changes: Vec<Change>,
    operation: Option<OpKey>,
    line: u32,
    place: String,
}

impl Report {
    fn add(&mut self, class: Class, rule: &'static str, what: impl Into<String>) {
        self.changes.push(Change {
            operation: self.operation.clone(),
            class,
            place: self.place.trim_end().to_owned(),
            rule,
            what: what.into(),
            line: self.line,
        });
    }

    /// Looks at a place inside of the present one.
    fn within<T>(&mut self, step: &str, look: impl FnOnce(&mut Report) -> T) -> T {
        let before = self.place.len();
        self.place.push_str(step);
        let found = look(self);
        self.place.truncate(before);
        found
    }

    /// Fewer values than before: callers who send others break.
    fn narrower(&mut self, direction: Direction, rule: &'static str, what: impl Into<String>) {
        let class = match direction {
            Direction::Request => Class::Breaking,
            Direction::Answer => Class::Compatible,
        };
        self.add(class, rule, what);
    }

    /// More values than before: callers who get them break.
    fn wider(&mut self, direction: Direction, rule: &'static str, what: impl Into<String>) {
        let class = match direction {
            Direction::Request => Class::Compatible,
            Direction::Answer => Class::Breaking,
        };
        self.add(class, rule, what);
    }
}
