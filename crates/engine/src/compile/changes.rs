//! What changed since the last compile, told by pointer.
//!
//! The set of resources keeps what did not change by pointer, so comparing two moments costs one comparison an
//! object and no look at its content.

use std::sync::Arc;

use model::Resource;

/// The objects of one kind at the last compile, in their order.
#[derive(Debug, Default)]
pub(super) struct Watched {
    seen: Vec<Arc<Resource>>,
}

/// One difference.
#[derive(Debug)]
pub(super) struct Change {
    /// As it was; `None` for a new object.
    pub(super) before: Option<Arc<Resource>>,
    /// As it is; `None` for one that is gone.
    pub(super) after: Option<Arc<Resource>>,
}

impl Change {
    /// Whether the object only stands on other lines of its file now.
    pub(super) fn is_move(&self) -> bool {
        matches!((&self.before, &self.after), (Some(before), Some(after)) if after.is_moved(before))
    }

    /// Both sides that exist.
    pub(super) fn sides(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.before.iter().chain(self.after.iter())
    }
}

impl Watched {
    /// Takes in the objects of a kind as they are now, sorted by key, and tells what is different.
    pub(super) fn update<'r>(&mut self, now: impl Iterator<Item = &'r Arc<Resource>>) -> Vec<Change> {
        let now: Vec<&Arc<Resource>> = now.collect();
        let same = self.seen.len() == now.len()
            && self.seen.iter().zip(&now).all(|(before, after)| Arc::ptr_eq(before, after));
        if same {
            return Vec::new();
        }
        let now: Vec<Arc<Resource>> = now.into_iter().cloned().collect();
        let changes = difference(&self.seen, &now);
        self.seen = now;
        changes
    }
}

fn difference(before: &[Arc<Resource>], after: &[Arc<Resource>]) -> Vec<Change> {
    let mut changes = Vec::new();
    let (mut left, mut right) = (before.iter().peekable(), after.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return changes,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) if Arc::ptr_eq(old, new) => std::cmp::Ordering::Equal,
            (Some(old), Some(new)) => old.key.cmp(&new.key),
        };
        let before = if order.is_le() { left.next().cloned() } else { None };
        let after = if order.is_ge() { right.next().cloned() } else { None };
        let unchanged = matches!(
            (&before, &after),
            // A write of a status alone makes a new object that means what the old one meant. What stands on other
            // lines of its file means the same as well, but whoever tells of lines must know.
            (Some(old), Some(new)) if Arc::ptr_eq(old, new) || (new.stands_as(old) && new.means_the_same(old))
        );
        if !unchanged {
            changes.push(Change { before, after });
        }
    }
}
