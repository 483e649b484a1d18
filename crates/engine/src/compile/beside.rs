//! Who stands beside what a Service leads to, and what its ports are called: by both policies find their place.

use std::sync::Arc;

use model::kinds::{Pod, Service, Workload};
use model::resources::Typed;
use model::{Resource, Resources};

pub(super) fn port_name(
    namespace: &str,
    service: &str,
    port: u16,
    resources: &Resources,
) -> Option<Arc<str>> {
    let service = resources.find::<Service>(namespace, service)?;
    service.content.spec.ports.iter().find(|known| known.port == port)?.name.clone()
}

/// Whether a proxy stands beside everything that a Service leads to, ready or not. Pods and slices have none.
pub(super) fn asks_for_itself(service: Typed<'_, Service>, resources: &Resources) -> bool {
    let (namespace, name) = (service.resource.namespace(), service.resource.key.name.as_str());
    let selector = &service.content.spec.selector;
    let selects = |object: &Resource| {
        !selector.is_empty() && selector.iter().all(|(key, value)| object.meta.labels.get(key) == Some(value))
    };
    let workloads = resources.within::<Workload>(namespace).filter(|workload| selects(workload.resource));
    let mut some = false;
    for workload in workloads {
        if workload.content.spec.sidecar.is_none() {
            return false;
        }
        some = true;
    }
    some && resources.endpoint_slices(namespace, name).next().is_none()
        && !resources.within::<Pod>(namespace).any(|pod| selects(pod.resource))
}
