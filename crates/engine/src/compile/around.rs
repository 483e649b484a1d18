//! What changed around the routes: which of those that did not change themselves have to be looked at again.

use std::collections::HashSet;
use std::sync::Arc;

use super::references::{Destination, Resolved};

/// What changed around the routes.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// Listeners or namespaces are different: every route must be attached again.
    pub(super) listeners: bool,
    /// ReferenceGrants are different.
    pub(super) grants: bool,
    /// Services and Backends that are different.
    pub(super) destinations: HashSet<Destination>,
    /// Routes, by namespace and name, of which policies say something else.
    pub(super) spoken_of: HashSet<(Arc<str>, Arc<str>)>,
    /// APIProducts, likewise.
    pub(super) products: HashSet<(Arc<str>, Arc<str>)>,
    /// Services of which it is said anew from where they may be reached.
    pub(super) kept: HashSet<Destination>,
    /// Policies about callers are different.
    pub(super) authorization: bool,
}

impl Around {
    /// Whether routes that did not change may have to be looked at.
    pub(super) fn concerns_routes(&self) -> bool {
        let quiet = self.destinations.is_empty()
            && self.spoken_of.is_empty()
            && self.products.is_empty()
            && self.kept.is_empty();
        self.listeners || self.grants || self.authorization || !quiet
    }

    /// Whether references of a route of this namespace may lead elsewhere now.
    pub(super) fn concerns(&self, resolved: &Resolved, namespace: &str) -> bool {
        (self.grants && resolved.crosses(namespace))
            || resolved.destinations(namespace).any(|place| self.destinations.contains(&place))
    }

    /// Whether a route of this namespace leads to a Service of which it is said anew from where it may be reached.
    pub(super) fn keeps(&self, resolved: &Resolved, namespace: &str) -> bool {
        !self.kept.is_empty() && resolved.destinations(namespace).any(|place| self.kept.contains(&place))
    }
}
