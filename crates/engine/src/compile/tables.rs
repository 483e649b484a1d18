//! Which routes stand in the table of which host, kept up to date route by route.
//!
//! A host whose routes did not change keeps its table by pointer; only hosts that were touched are built again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::rules::Template;
use crate::matching::{Entry, HostMap, HostPattern, HostTable, Listener};

/// All listeners by their unique name.
#[derive(Debug, Default)]
pub(super) struct Tables {
    listeners: HashMap<Arc<str>, Hosts>,
}

/// The hosts of one listener.
#[derive(Debug)]
struct Hosts {
    by_host: HashMap<HostPattern, Cell>,
    touched: BTreeSet<HostPattern>,
    built: Arc<Listener>,
}

#[derive(Debug, Default)]
struct Cell {
    /// By the route's stable number.
    contributions: BTreeMap<u32, Contribution>,
}

/// What one route brings to one host.
#[derive(Clone, Debug)]
pub(super) struct Contribution {
    /// The route's own hostname that led here.
    pub(super) own: HostPattern,
    pub(super) templates: Arc<[Template]>,
}

impl Contribution {
    fn is(&self, other: &Contribution) -> bool {
        self.own == other.own && Arc::ptr_eq(&self.templates, &other.templates)
    }
}

impl Tables {
    /// Puts a route's matches into a host.
    pub(super) fn put(&mut self, listener: &Arc<str>, host: &HostPattern, route: u32, new: Contribution) {
        let hosts = self.hosts(listener);
        let cell = hosts.by_host.entry(host.clone()).or_default();
        if cell.contributions.get(&route).is_some_and(|old| old.is(&new)) {
            return;
        }
        cell.contributions.insert(route, new);
        hosts.touched.insert(host.clone());
    }

    /// Takes a route out of a host.
    pub(super) fn take(&mut self, listener: &Arc<str>, host: &HostPattern, route: u32) {
        let hosts = self.hosts(listener);
        if let Some(cell) = hosts.by_host.get_mut(host)
            && cell.contributions.remove(&route).is_some()
        {
            hosts.touched.insert(host.clone());
        }
    }

    fn hosts(&mut self, listener: &Arc<str>) -> &mut Hosts {
        self.listeners.entry(listener.clone()).or_insert_with(|| Hosts::new(listener))
    }

    /// The listener as it is now. Unchanged listeners and hosts are the same by pointer.
    pub(super) fn listener(&mut self, name: &Arc<str>) -> Arc<Listener> {
        let hosts = self.hosts(name);
        hosts.rebuild();
        hosts.built.clone()
    }

    /// The same where there is one with any host; nothing is kept for those that no route has named.
    pub(super) fn listener_with_hosts(&mut self, name: &Arc<str>) -> Option<Arc<Listener>> {
        let hosts = self.listeners.get_mut(name)?;
        hosts.rebuild();
        (!hosts.built.hosts.is_empty()).then(|| hosts.built.clone())
    }

    /// Forgets listeners that are gone.
    pub(super) fn retain(&mut self, is_known: impl Fn(&str) -> bool) {
        self.listeners.retain(|name, _| is_known(name));
    }
}

impl Hosts {
    fn new(listener: &Arc<str>) -> Self {
        let built = Arc::new(Listener { name: listener.clone(), hosts: HostMap::default() });
        Hosts { by_host: HashMap::new(), touched: BTreeSet::new(), built }
    }

    fn rebuild(&mut self) {
        if self.touched.is_empty() {
            return;
        }
        let mut map = self.built.hosts.clone();
        for host in std::mem::take(&mut self.touched) {
            let Some(cell) = self.by_host.get(&host) else { continue };
            if cell.contributions.is_empty() {
                self.by_host.remove(&host);
                map.remove(&host);
                continue;
            }
            let entries = cell.contributions.values().flat_map(Contribution::entries).collect();
            map.insert(&host, Arc::new(HostTable::new(entries)));
        }
        self.built = Arc::new(Listener { name: self.built.name.clone(), hosts: map });
    }
}

impl Contribution {
    fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.templates.iter().map(|template| Entry {
            hostname: self.own.clone(),
            path: template.path.clone(),
            requirements: template.requirements.clone(),
            seniority: template.seniority.clone(),
            rule: template.rule.clone(),
        })
    }
}
