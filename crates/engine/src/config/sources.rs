//! Where rules were read, for people.
//!
//! It stands beside the rules and not in them: one more line at the top of a file moves everything below it, and
//! must not make other rules, and so other tables, of what only stands elsewhere now.

use std::sync::Arc;

use super::{Origin, Rule, RuleSlot};

/// Files and lines of rules, by their slots.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    by_slot: Vec<Option<RuleSource>>,
}

/// Where the matches of one rule were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleSource {
    pub(crate) file: Arc<str>,
    /// Line on which the document begins.
    pub(crate) start: u32,
    /// Lines of the matches, counted from there.
    pub(crate) below: Arc<[u32]>,
}

impl Sources {
    /// `file:line` of a rule's match, when it came from a file.
    #[must_use]
    pub fn of(&self, rule: &Rule) -> Option<String> {
        self.at(rule.slot, &rule.origin)
    }

    /// `file:line` of what has this slot and origin, when it came from a file.
    #[must_use]
    pub fn at(&self, slot: RuleSlot, origin: &Origin) -> Option<String> {
        let source = self.by_slot.get(slot.0 as usize)?.as_ref()?;
        let below = source.below.get(usize::from(origin.matched))?;
        Some(format!("{}:{}", source.file, source.start + below))
    }

    pub(crate) fn put(&mut self, slot: RuleSlot, source: Option<RuleSource>) {
        let index = slot.0 as usize;
        if self.by_slot.len() <= index {
            self.by_slot.resize(index + 1, None);
        }
        self.by_slot[index] = source;
    }

    pub(crate) fn start_at(&mut self, slot: RuleSlot, line: u32) {
        if let Some(Some(source)) = self.by_slot.get_mut(slot.0 as usize) {
            source.start = line;
        }
    }
}
