//! Which Pods and Workloads a Service selects, and which Services one that came, went or changed may concern.
//!
//! Both questions are answered from the lines of selectors and labels, not by holding every Service against every
//! Pod: a cluster has thousands of each, and most changes are one Pod that has become ready.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use model::kinds::{KindType, Pod, Service, Workload};
use model::labels::Labels;
use model::resources::Typed;
use model::{Resource, Resources};

use super::changes::Change;
use super::references::Destination;

/// One label of one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Line {
    namespace: Arc<str>,
    key: Arc<str>,
    value: Arc<str>,
}

/// Pods and Workloads by every label they have, Services by one label they ask for.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pods: Shelf,
    workloads: Shelf,
    services: HashMap<Line, BTreeSet<Arc<str>>>,
}

/// Objects of one kind by every label they have.
#[derive(Debug, Default)]
struct Shelf {
    by_line: HashMap<Line, BTreeMap<Arc<str>, Arc<Resource>>>,
}

/// What changed of the kinds that have a part in selections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selecting<'c> {
    pub(super) services: &'c [Change],
    pub(super) pods: &'c [Change],
    pub(super) workloads: &'c [Change],
}

impl Selection {
    /// Takes in what changed and tells the Services whose endpoints a changed Pod or Workload may be, or may have been.
    pub(super) fn update(&mut self, changes: Selecting<'_>, resources: &Resources) -> HashSet<Destination> {
        for Change { before, after } in changes.services {
            before.iter().for_each(|service| self.forget_service(service));
            after.iter().for_each(|service| self.know_service(service));
        }
        self.pods.update(changes.pods);
        self.workloads.update(changes.workloads);
        let sides = changes.pods.iter().chain(changes.workloads).flat_map(Change::sides);
        sides.flat_map(|selected| self.services_of(selected, resources)).collect()
    }

    /// The Pods of a namespace that have all labels of a selector, by name. An empty selector picks none: its
    /// Service has its endpoints from elsewhere.
    pub(super) fn pods<'s>(
        &'s self,
        namespace: &Arc<str>,
        selector: &'s Labels,
    ) -> impl Iterator<Item = Typed<'s, Pod>> + use<'s> {
        self.pods.selected(namespace, selector)
    }

    /// The Workloads of a namespace that have all labels of a selector, by name.
    pub(super) fn workloads<'s>(
        &'s self,
        namespace: &Arc<str>,
        selector: &'s Labels,
    ) -> impl Iterator<Item = Typed<'s, Workload>> + use<'s> {
        self.workloads.selected(namespace, selector)
    }

    /// The Services that select an object by its labels.
    pub(super) fn services_of(&self, selected: &Resource, resources: &Resources) -> Vec<Destination> {
        let namespace: Arc<str> = selected.namespace().into();
        let labels = &selected.meta.labels;
        let names = lines(&namespace, labels).filter_map(|line| self.services.get(&line)).flatten();
        let selecting = names.filter(|name| {
            let service = resources.service(&namespace, name);
            service.is_some_and(|service| selects(&service.content.spec.selector, labels))
        });
        let destination =
            |name: &Arc<str>| Destination { service: true, namespace: namespace.clone(), name: name.clone() };
        selecting.map(destination).collect()
    }

    fn know_service(&mut self, service: &Resource) {
        if let Some(line) = line_of_service(service) {
            self.services.entry(line).or_default().insert(service.key.name.to_arc());
        }
    }

    fn forget_service(&mut self, service: &Resource) {
        let Some(line) = line_of_service(service) else { return };
        if let Some(names) = self.services.get_mut(&line) {
            names.remove(service.key.name.as_str());
            if names.is_empty() {
                self.services.remove(&line);
            }
        }
    }
}

impl Shelf {
    fn update(&mut self, changes: &[Change]) {
        for Change { before, after } in changes {
            before.iter().for_each(|object| self.forget(object));
            after.iter().for_each(|object| self.know(object));
        }
    }

    fn selected<'s, T: KindType>(
        &'s self,
        namespace: &Arc<str>,
        selector: &'s Labels,
    ) -> impl Iterator<Item = Typed<'s, T>> + use<'s, T> {
        let known = lines(namespace, selector).map(|line| self.by_line.get(&line));
        // A label that nobody has decides; else the rarest one is walked.
        let rarest = known.min_by_key(|objects| objects.map_or(0, BTreeMap::len)).flatten();
        let all = rarest.into_iter().flat_map(BTreeMap::values);
        all.filter(|object| selects(selector, &object.meta.labels))
            .filter_map(|object| Some(Typed { resource: object, content: object.content::<T>()? }))
    }

    fn know(&mut self, object: &Arc<Resource>) {
        for line in lines(&object.namespace().into(), &object.meta.labels) {
            self.by_line.entry(line).or_default().insert(object.key.name.to_arc(), object.clone());
        }
    }

    fn forget(&mut self, object: &Resource) {
        for line in lines(&object.namespace().into(), &object.meta.labels) {
            if let Some(objects) = self.by_line.get_mut(&line) {
                objects.remove(object.key.name.as_str());
                if objects.is_empty() {
                    self.by_line.remove(&line);
                }
            }
        }
    }
}

fn lines(namespace: &Arc<str>, labels: &Labels) -> impl Iterator<Item = Line> {
    let namespace = namespace.clone();
    labels.iter().map(move |(key, value)| Line {
        namespace: namespace.clone(),
        key: key.clone(),
        value: value.clone(),
    })
}

/// The first line of a Service's selector: what it selects has that label, whatever else it has.
fn line_of_service(service: &Resource) -> Option<Line> {
    let selector = &service.content::<Service>()?.spec.selector;
    lines(&service.namespace().into(), selector).next()
}

fn selects(selector: &Labels, labels: &Labels) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
