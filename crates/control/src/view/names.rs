//! One copy of each node for all views that have it.
//!
//! A view is some hundreds of nodes, each named by whoever needs it, and thousands of proxies have much the same: what
//! is kept for each of them are pointers.

use std::collections::HashSet;
use std::sync::Arc;

use super::needs::Node;

/// The nodes that are kept.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<Arc<Node>>);

impl Names {
    /// The copy of a node.
    pub(super) fn known(&mut self, node: Node) -> Arc<Node> {
        if let Some(known) = self.0.get(&node) {
            return Arc::clone(known);
        }
        let fresh = Arc::new(node);
        self.0.insert(Arc::clone(&fresh));
        fresh
    }

    /// A view has this copy for good. Another view may have let go of the node while this one was taking it in.
    pub(super) fn keep(&mut self, node: &Arc<Node>) {
        if !self.0.contains(node) {
            self.0.insert(Arc::clone(node));
        }
    }

    /// No view has a node any more. Who still holds a copy may go on with it.
    pub(super) fn forget(&mut self, node: &Node) {
        self.0.remove(node);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
