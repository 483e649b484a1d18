//! Which Pods and Workloads a Service selects, and which Services select one, without looking at all there are.
//!
//! A mesh has ten thousand replicas and a thousand Services, mostly in few namespaces; most changes are one replica.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use model::kinds::{Kind, Service};
use model::resources::Typed;
use model::{Resource, ResourceKey, Resources};

/// One label in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Line {
    namespace: Arc<str>,
    key: Arc<str>,
    value: Arc<str>,
}

/// Pods and Workloads by every label they have, Services by the first one they ask for.
#[derive(Debug, Default)]
pub(super) struct Selection {
    replicas: HashMap<Line, BTreeSet<ResourceKey>>,
    services: HashMap<Line, BTreeSet<ResourceKey>>,
}

impl Selection {
    /// Takes in that an object comes or goes.
    pub(super) fn change(&mut self, resource: &Resource, comes: bool) {
        let namespace: Arc<str> = resource.namespace().into();
        let line = |(key, value): (&Arc<str>, &Arc<str>)| Line {
            namespace: namespace.clone(),
            key: key.clone(),
            value: value.clone(),
        };
        match &resource.kind {
            Kind::Pod(_) | Kind::Workload(_) => {
                resource.meta.labels.iter().for_each(|label| {
                    note(&mut self.replicas, line(label), &resource.key, comes);
                });
            }
            Kind::Service(service) => {
                if let Some(first) = service.spec.selector.iter().next() {
                    note(&mut self.services, line(first), &resource.key, comes);
                }
            }
            _ => {} // Nothing else selects or is selected.
        }
    }

    /// The Pods and Workloads that a Service selects.
    pub(super) fn behind<'r>(
        &self,
        service: Typed<'_, Service>,
        resources: &'r Resources,
    ) -> Vec<&'r Arc<Resource>> {
        let namespace: Arc<str> = service.resource.namespace().into();
        let lines = service.content.spec.selector.iter().map(|(key, value)| {
            let line = Line { namespace: namespace.clone(), key: key.clone(), value: value.clone() };
            self.replicas.get(&line)
        });
        // One that nobody has is answered at once; else the rarest is looked through.
        let Some(lines) = lines.collect::<Option<Vec<_>>>() else { return Vec::new() };
        let rarest = lines.into_iter().min_by_key(|keys| keys.len());
        let found = rarest.into_iter().flatten().filter_map(|key| resources.get(key));
        found.filter(|replica| selects(service.content, replica)).collect()
    }

    /// The Services that select an object by the labels it has.
    pub(super) fn selecting<'r>(
        &self,
        replica: &Resource,
        resources: &'r Resources,
    ) -> Vec<Typed<'r, Service>> {
        let namespace: Arc<str> = replica.namespace().into();
        let keys = replica.meta.labels.iter().filter_map(|(key, value)| {
            let line = Line { namespace: namespace.clone(), key: key.clone(), value: value.clone() };
            self.services.get(&line)
        });
        let services = keys.flatten().filter_map(|key| {
            let resource = resources.get(key)?;
            Some(Typed { resource, content: resource.content::<Service>()? })
        });
        services.filter(|service| selects(service.content, replica)).collect()
    }
}

fn note(lines: &mut HashMap<Line, BTreeSet<ResourceKey>>, line: Line, key: &ResourceKey, comes: bool) {
    if comes {
        lines.entry(line).or_default().insert(key.clone());
    } else if let Some(known) = lines.get_mut(&line) {
        known.remove(key);
        if known.is_empty() {
            lines.remove(&line);
        }
    }
}

/// Whether a Service picks a Pod or Workload by its labels. A Service without a selector picks none.
pub(super) fn selects(service: &Service, replica: &Resource) -> bool {
    let selector = &service.spec.selector;
    !selector.is_empty() && selector.iter().all(|(key, value)| replica.meta.labels.get(key) == Some(value))
}
