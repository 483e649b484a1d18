//! Which members of which views a change can concern.
//!
//! An object concerns those that need it, and those that it makes itself a child of: a route concerns its Gateways
//! before they know of it. Kinds that change who may refer to whom are rare; views that depend on one are looked at
//! as a whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::kinds::{Kind, KindName, Service, Workload};
use model::labels::SERVICE_NAME;
use model::{Resource, Resources};

use super::access;
use super::index::{Guarded, Index, gateways_of, guarded_by, parent_services, services_of, targets_of};
use super::needs::{Node, is_ours, may_attach, object};
use crate::world::Event;

/// What is to be looked at again, in every view that has the (first) node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Touch {
    /// A member is not what it was.
    Refresh(Node),
    /// A member may have won or lost a child.
    Child { parent: Node, child: Node, needed: bool },
    /// Everything.
    Rebuild(Node),
}

/// What an event concerns, with the objects as they are after it.
pub(super) fn touches(event: &Event, resources: &Resources, index: &Index) -> BTreeSet<Touch> {
    let mut found: BTreeSet<Touch> = access::touches(event, resources, index).into_iter().collect();
    for side in event.before.iter().chain(&event.after) {
        let own = Node::Object(side.key.clone());
        found.insert(Touch::Refresh(own.clone()));
        found.extend(policy_touches(side));
        match &side.kind {
            Kind::Gateway(_) => {
                let now = resources.gateway(side.namespace(), side.key.name.as_str());
                let needed = now.is_some_and(|gateway| is_ours(gateway.content, resources));
                found.insert(Touch::Child { parent: Node::OurGateways, child: own, needed });
            }
            Kind::GatewayClass(_) => {
                found.insert(Touch::Rebuild(own));
                found.insert(Touch::Rebuild(Node::OurGateways));
            }
            Kind::HttpRoute(_) | Kind::TcpRoute(_) | Kind::ApiVersion(_) => {
                found.extend(route_touches(side, resources));
            }
            Kind::Mesh(_) => {
                found.insert(Touch::Refresh(Node::Guards(Guarded::Mesh)));
            }
            Kind::EndpointSlice(_) => {
                let owner = side.meta.labels.get(SERVICE_NAME);
                found.extend(owner.and_then(|name| service(side.namespace(), name)));
            }
            Kind::Pod(_) if is_relabelled(event) => found.extend(selecting(side, resources, index)),
            // What is only reported of a replica, every few seconds, concerns nobody's choice.
            Kind::Workload(_) if !is_same_replica(event) => {
                found.extend(selecting(side, resources, index));
                let place = (side.namespace().into(), side.key.name.to_arc());
                found.insert(Touch::Refresh(Node::Sidecar(place)));
            }
            // Who calls everything, or is led to by a selector, learns of it.
            Kind::Service(_) if is_other_selection(event) => {
                found.insert(Touch::Rebuild(Node::ServicesOf(side.namespace().into())));
                found.insert(Touch::Rebuild(Node::ServicesOf("".into())));
            }
            Kind::ReferenceGrant(_) => {
                found.insert(Touch::Rebuild(Node::GrantsOf(side.namespace().into())));
            }
            Kind::Namespace(_) => {
                found.insert(Touch::Rebuild(Node::NamespaceLabels));
            }
            Kind::TrustBundle(_) => {
                let needed = resources.get(&side.key).is_some();
                found.insert(Touch::Child { parent: Node::TrustBundles, child: own, needed });
            }
            // What a policy concerns was asked above; of the rest only itself.
            _ => {}
        }
    }
    found
}

/// What a route concerns: its parents.
fn route_touches(side: &Resource, resources: &Resources) -> Vec<Touch> {
    let gateways = gateways_of(side);
    let attached = gateways.iter().filter_map(|(namespace, name)| attached(side, namespace, name, resources));
    let services = parent_services(side).into_iter().map(|service| {
        let of: Arc<str> = side.namespace().into();
        Touch::Refresh(Node::RoutesBefore { service, of })
    });
    attached.chain(services).collect()
}

/// What a policy concerns: all that it is about.
fn policy_touches(side: &Resource) -> Vec<Touch> {
    match &side.kind {
        Kind::BackendTlsPolicy(policy) => {
            let services = services_of(side, policy);
            services.iter().filter_map(|(namespace, name)| service(namespace, name)).collect()
        }
        Kind::ResiliencePolicy(_)
        | Kind::FaultPolicy(_)
        | Kind::TransformPolicy(_)
        | Kind::RateLimitPolicy(_)
        | Kind::IpPolicy(_)
        | Kind::CorsPolicy(_)
        | Kind::ValidationPolicy(_)
        | Kind::TelemetryPolicy(_)
        | Kind::ApiBinding(_)
        | Kind::ApiProduct(_)
        | Kind::Plan(_) => {
            let targets = targets_of(side).into_iter();
            let nodes = targets.filter_map(|(kind, namespace, name)| object(kind, &namespace, &name));
            nodes.map(Touch::Refresh).collect()
        }
        Kind::AuthorizationPolicy(_)
        | Kind::AuthenticationPolicy(_)
        | Kind::ExternalAuthorizationPolicy(_) => {
            let guarded = guarded_by(side).into_iter();
            guarded.map(|guarded| Touch::Refresh(Node::Guards(guarded))).collect()
        }
        _ => Vec::new(),
    }
}

/// The Services that select an object as it is on one side.
fn selecting(side: &Resource, resources: &Resources, index: &Index) -> Vec<Touch> {
    let services = index.selection.selecting(side, resources).into_iter();
    services.map(|service| Touch::Refresh(Node::Object(service.resource.key.clone()))).collect()
}

/// Whether an object came, went, or has other labels than before.
fn is_relabelled(event: &Event) -> bool {
    let labels = |side: &Option<Arc<Resource>>| side.as_ref().map(|side| side.meta.labels.clone());
    labels(&event.before) != labels(&event.after)
}

/// Whether nothing is different about a replica but what is reported of it.
pub(super) fn is_same_replica(event: &Event) -> bool {
    let (Some(before), Some(after)) = (&event.before, &event.after) else { return false };
    let same_spec = match (before.content::<Workload>(), after.content::<Workload>()) {
        (Some(before), Some(after)) => before.spec == after.spec,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    same_spec && !is_relabelled(event)
}

/// Whether a Service came, went, or selects others than before.
fn is_other_selection(event: &Event) -> bool {
    let selector = |side: &Option<Arc<Resource>>| {
        let service = side.as_ref().and_then(|side| side.content::<Service>());
        service.map(|service| service.spec.selector.clone())
    };
    selector(&event.before) != selector(&event.after)
}

fn service(namespace: &str, name: &str) -> Option<Touch> {
    object(KindName::Service, namespace, name).map(Touch::Refresh)
}

/// Whether the route as it is now is a child of a Gateway that it named before or names now.
fn attached(side: &Resource, namespace: &str, name: &str, resources: &Resources) -> Option<Touch> {
    let parent = object(KindName::Gateway, namespace, name)?;
    let route = resources.get(&side.key);
    let gateway = resources.gateway(namespace, name);
    let needed = route.zip(gateway).is_some_and(|(route, gateway)| {
        let names_it =
            gateways_of(route).iter().any(|(within, called)| **within == *namespace && **called == *name);
        names_it && is_ours(gateway.content, resources) && may_attach(route, gateway.resource, resources)
    });
    Some(Touch::Child { parent, child: Node::Object(side.key.clone()), needed })
}
