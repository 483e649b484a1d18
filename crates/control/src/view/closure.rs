//! All that one interest needs, kept up to date from change to change.
//!
//! Each member counts who needs it, so that a Service which the last route has left goes, and one that two routes share
//! stays. A change looks at the members it concerns and at nothing else.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use engine::compile::Reachable;
use model::{ResourceKey, Resources};

use super::index::{Index, Place};
use super::names::Names;
use super::needs::{Node, needs};

/// Where needs are looked up.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) resources: &'a Resources,
    pub(super) index: &'a Index,
    pub(super) reachable: &'a Reachable,
    /// The workload beside which the proxy stands, if it stands beside one.
    pub(super) caller: Option<&'a Place>,
    /// The nodes of all views.
    pub(super) names: &'a RefCell<Names>,
}

impl Around<'_> {
    /// The one copy of a node.
    pub(super) fn known(&self, node: Node) -> Arc<Node> {
        self.names.borrow_mut().known(node)
    }

    /// What a node needs, sorted.
    fn needs(self, node: &Node) -> Box<[Arc<Node>]> {
        let mut nodes: Vec<Arc<Node>> = needs(node, self).into_iter().map(|node| self.known(node)).collect();
        nodes.sort_unstable();
        nodes.into()
    }
}

/// The members of a view.
#[derive(Debug, Default)]
pub(super) struct Closure {
    members: HashMap<Arc<Node>, Member>,
}

#[derive(Debug, Default)]
struct Member {
    /// How many others need it.
    needed_by: u32,
    /// What it needs itself, sorted. There is a set for each member of each view: this is the smallest.
    needs: Box<[Arc<Node>]>,
}

/// What a change did to a closure.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) entered: Vec<Arc<Node>>,
    pub(super) left: Vec<Arc<Node>>,
    /// Objects that may be different now.
    pub(super) touched: BTreeSet<ResourceKey>,
}

impl Moved {
    fn touch(&mut self, node: &Node) {
        if let Node::Object(key) = node {
            self.touched.insert(key.clone());
        }
    }
}

impl Closure {
    pub(super) fn has(&self, node: &Node) -> bool {
        self.members.contains_key(node)
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.members.keys()
    }

    /// Somebody more needs a node.
    pub(super) fn enter(&mut self, node: &Arc<Node>, around: Around<'_>, moved: &mut Moved) {
        if let Some(member) = self.members.get_mut(node) {
            member.needed_by += 1;
            return;
        }
        let needed = around.needs(node);
        self.members.insert(node.clone(), Member { needed_by: 1, needs: needed.clone() });
        moved.touch(node);
        moved.entered.push(node.clone());
        needed.iter().for_each(|needed| self.enter(needed, around, moved));
    }

    /// Somebody less does.
    pub(super) fn leave(&mut self, node: &Arc<Node>, moved: &mut Moved) {
        let Some(member) = self.members.get_mut(node) else { return };
        member.needed_by -= 1;
        if member.needed_by > 0 {
            return;
        }
        let gone = self.members.remove(node).unwrap_or_default();
        moved.touch(node);
        moved.left.push(node.clone());
        gone.needs.iter().for_each(|needed| self.leave(needed, moved));
    }

    /// A member is not what it was.
    pub(super) fn refresh(&mut self, node: &Node, around: Around<'_>, moved: &mut Moved) {
        let Some(member) = self.members.get_mut(node) else { return };
        moved.touch(node);
        let now = around.needs(node);
        let before = std::mem::replace(&mut member.needs, now.clone());
        let only = |these: &[Arc<Node>], those: &[Arc<Node>]| -> Vec<Arc<Node>> {
            these.iter().filter(|node| those.binary_search(node).is_err()).cloned().collect()
        };
        // Enter before leaving: what both need must not go and come.
        only(&now, &before).iter().for_each(|needed| self.enter(needed, around, moved));
        only(&before, &now).iter().for_each(|needed| self.leave(needed, moved));
    }

    /// A member needs a child now, or does not need it, whatever was before.
    pub(super) fn child(
        &mut self,
        parent: &Node,
        child: &Node,
        needed: bool,
        around: Around<'_>,
        moved: &mut Moved,
    ) {
        let Some(member) = self.members.get_mut(parent) else { return };
        match (needed, member.needs.binary_search_by(|known| (**known).cmp(child))) {
            (true, Err(at)) => {
                let child = around.known(child.clone());
                member.change(|needs| needs.insert(at, child.clone()));
                self.enter(&child, around, moved);
            }
            (false, Ok(at)) => {
                let child = member.change(|needs| needs.remove(at));
                self.leave(&child, moved);
            }
            (true, Ok(_)) | (false, Err(_)) => {}
        }
    }
}

impl Member {
    fn change<T>(&mut self, change: impl FnOnce(&mut Vec<Arc<Node>>) -> T) -> T {
        let mut needs = std::mem::take(&mut self.needs).into_vec();
        let changed = change(&mut needs);
        self.needs = needs.into();
        changed
    }
}
