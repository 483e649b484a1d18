//! Which of the Services that a workload may name its sidecar is told of: those that policy might let it in to.
//!
//! Who learns of a Service that refuses it in any case can only run against it, and learns where others live. Whether
//! it is refused is asked of the code that refuses; in doubt the Service is told. A change is looked at where it can
//! matter: at the Services that a policy guards, and in the views that name them.

use std::sync::Arc;

use engine::compile::Behind;
use model::kinds::{Kind, KindName, Service, Workload};
use model::labels::SERVICE_NAME;
use model::resources::Typed;
use model::{Resource, Resources};

use super::closure::Around;
use super::index::{Guarded, Index, Place, guarded_by, parent_services};
use super::needs::{Node, place_of};
use super::touch::{Touch, is_same_replica};
use crate::world::Event;

/// Whether the sidecar for which a view is made is told of a Service.
pub(super) fn is_told(service: &Place, around: Around<'_>) -> bool {
    let Around { resources, index, reachable, caller, .. } = around;
    let Some(caller) = caller else { return true };
    let own = resources.workload(&caller.0, &caller.1);
    let Some((own, called)) = own.zip(resources.service(&service.0, &service.1)) else { return true };
    // Routes may lead to others, who judge for themselves.
    let is_routed = |of: &Arc<str>| index.routes_before(service, of).next().is_some();
    is_routed(&service.0)
        || is_routed(&caller.0)
        || reachable.could_call(own, service, called, || behind(called, around))
}

fn behind<'r>(service: Typed<'r, Service>, around: Around<'r>) -> Behind<'r> {
    let Around { resources, index, .. } = around;
    let (namespace, name) = (service.resource.namespace(), service.resource.key.name.as_str());
    let mut behind =
        Behind { others: resources.endpoint_slices(namespace, name).next().is_some(), ..Behind::default() };
    for resource in index.selection.behind(service, resources) {
        match resource.content::<Workload>() {
            Some(content) => behind.workloads.push(Typed { resource, content }),
            None => behind.others = true,
        }
    }
    behind
}

/// What an event may open or close, with the objects as they are after it.
pub(super) fn touches(event: &Event, resources: &Resources, index: &Index) -> Vec<Touch> {
    let mut services: Vec<Place> = Vec::new();
    for side in event.before.iter().chain(&event.after) {
        match &side.kind {
            Kind::AuthorizationPolicy(_) => {
                let guarded = guarded_by(side);
                services
                    .extend(guarded.iter().flat_map(|guarded| guarded_services(guarded, resources, index)));
            }
            Kind::Mesh(_) => services.extend(guarded_services(&Guarded::Mesh, resources, index)),
            Kind::Workload(_) | Kind::Pod(_) if !is_same_replica(event) => {
                services.extend(selecting(side, resources, index));
            }
            Kind::EndpointSlice(_) => {
                let owner = side.meta.labels.get(SERVICE_NAME);
                services.extend(owner.map(|name| (side.namespace().into(), name.clone())));
            }
            Kind::Service(_) => services.push(place_of(side)),
            Kind::HttpRoute(_) | Kind::TcpRoute(_) => services.extend(parent_services(side)),
            _ => {} // Nothing else has a say in who is let in.
        }
    }
    let mut touches: Vec<Touch> =
        services.into_iter().map(|service| Touch::Refresh(Node::Access(service))).collect();
    touches.extend(is_somebody_else(event).map(|place| Touch::Rebuild(Node::Sidecar(place))));
    touches
}

/// The Services that something protects, as a whole or in part.
fn guarded_services(guarded: &Guarded, resources: &Resources, index: &Index) -> Vec<Place> {
    match guarded {
        Guarded::Mesh => resources.all::<Service>().map(|service| place_of(service.resource)).collect(),
        Guarded::Namespace(namespace) => {
            resources.within::<Service>(namespace).map(|service| place_of(service.resource)).collect()
        }
        Guarded::Object(KindName::Service, namespace, name) => vec![(namespace.clone(), name.clone())],
        Guarded::Object(KindName::Workload, namespace, name) => {
            let workload = resources.workload(namespace, name);
            workload.map_or_else(Vec::new, |workload| selecting(workload.resource, resources, index))
        }
        Guarded::Object(..) => Vec::new(),
    }
}

/// The Services that select an object as it is on one side.
fn selecting(side: &Resource, resources: &Resources, index: &Index) -> Vec<Place> {
    let services = index.selection.selecting(side, resources);
    services.iter().map(|service| place_of(service.resource)).collect()
}

/// The workload that calls as somebody else from here on.
fn is_somebody_else(event: &Event) -> Option<Place> {
    let account = |side: &Arc<Resource>| Some(side.content::<Workload>()?.spec.service_account.clone());
    let (before, after) = (event.before.as_ref()?, event.after.as_ref()?);
    (account(before) != account(after)).then(|| place_of(after))
}
