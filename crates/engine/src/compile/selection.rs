//! Which Pods a Service selects, and which Services a Pod that came, went or changed may concern.
//!
//! Both questions are answered from the lines of selectors and labels, not by holding every Service against every
//! Pod: a cluster has thousands of each, and most changes are one Pod that has become ready.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use model::kinds::{Pod, Service};
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

/// Pods by every label they have, Services by one label they ask for.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pods: HashMap<Line, BTreeMap<Arc<str>, Arc<Resource>>>,
    services: HashMap<Line, BTreeSet<Arc<str>>>,
}

impl Selection {
    /// Takes in what changed and tells the Services whose endpoints a changed Pod may be, or may have been.
    pub(super) fn update(
        &mut self,
        services: &[Change],
        pods: &[Change],
        resources: &Resources,
    ) -> HashSet<Destination> {
        for Change { before, after } in services {
            before.iter().for_each(|service| self.forget_service(service));
            after.iter().for_each(|service| self.know_service(service));
        }
        for Change { before, after } in pods {
            before.iter().for_each(|pod| self.forget_pod(pod));
            after.iter().for_each(|pod| self.know_pod(pod));
        }
        let sides = pods.iter().flat_map(Change::sides);
        sides.flat_map(|pod| self.services_of(pod, resources)).collect()
    }

    /// The Pods of a namespace that have all labels of a selector, by name. An empty selector picks none: its
    /// Service has its endpoints from elsewhere.
    pub(super) fn pods<'s>(
        &'s self,
        namespace: &Arc<str>,
        selector: &'s Labels,
    ) -> impl Iterator<Item = Typed<'s, Pod>> + use<'s> {
        let known = lines(namespace, selector).map(|line| self.pods.get(&line));
        // A label that no Pod has decides; else the rarest one is walked.
        let rarest = known.min_by_key(|pods| pods.map_or(0, BTreeMap::len)).flatten();
        let all = rarest.into_iter().flat_map(BTreeMap::values);
        all.filter(|pod| selects(selector, &pod.meta.labels))
            .filter_map(|pod| Some(Typed { resource: pod, content: pod.content::<Pod>()? }))
    }

    fn services_of(&self, pod: &Resource, resources: &Resources) -> Vec<Destination> {
        let namespace: Arc<str> = pod.namespace().into();
        let names = lines(&namespace, &pod.meta.labels).filter_map(|line| self.services.get(&line)).flatten();
        let selecting = names.filter(|name| {
            let service = resources.service(&namespace, name);
            service.is_some_and(|service| selects(&service.content.spec.selector, &pod.meta.labels))
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

    fn know_pod(&mut self, pod: &Arc<Resource>) {
        for line in lines(&pod.namespace().into(), &pod.meta.labels) {
            self.pods.entry(line).or_default().insert(pod.key.name.to_arc(), pod.clone());
        }
    }

    fn forget_pod(&mut self, pod: &Resource) {
        for line in lines(&pod.namespace().into(), &pod.meta.labels) {
            if let Some(pods) = self.pods.get_mut(&line) {
                pods.remove(pod.key.name.as_str());
                if pods.is_empty() {
                    self.pods.remove(&line);
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

/// The first line of a Service's selector: a Pod that it selects has that label, whatever else it has.
fn line_of_service(service: &Resource) -> Option<Line> {
    let selector = &service.content::<Service>()?.spec.selector;
    lines(&service.namespace().into(), selector).next()
}

fn selects(selector: &Labels, labels: &Labels) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
