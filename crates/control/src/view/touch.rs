//! Which members of which views a change can concern.
//!
//! An object concerns those that need it, and those that it makes itself a child of: a route concerns its Gateways
//! before they know of it. Kinds that change who may refer to whom are rare; views that depend on one are looked at
//! as a whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::kinds::{Kind, KindName, Service};
use model::labels::SERVICE_NAME;
use model::{Resource, Resources};

use super::index::{Guarded, gateways_of, guarded_by, parent_services, services_of, targets_of};
use super::needs::{Node, is_ours, may_attach, object, selects};
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
pub(super) fn touches(event: &Event, resources: &Resources) -> BTreeSet<Touch> {
    let mut found = BTreeSet::new();
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
            Kind::HttpRoute(_) | Kind::TcpRoute(_) => {
                found.extend(route_touches(side, resources));
            }
            Kind::Mesh(_) => {
                found.insert(Touch::Refresh(Node::Guards(Guarded::Mesh)));
            }
            Kind::EndpointSlice(_) => {
                let owner = side.meta.labels.get(SERVICE_NAME);
                found.extend(owner.and_then(|name| service(side.namespace(), name)));
            }
            Kind::Pod(_) => found.extend(selecting(side, resources)),
            Kind::Workload(_) => {
                found.extend(selecting(side, resources));
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
            Kind::BackendTlsPolicy(_)
            | Kind::ResiliencePolicy(_)
            | Kind::FaultPolicy(_)
            | Kind::AuthenticationPolicy(_)
            | Kind::AuthorizationPolicy(_)
            | Kind::Secret(_)
            | Kind::ConfigMap(_)
            | Kind::Service(_)
            | Kind::Backend(_)
            | Kind::GatewayParameters(_)
            | Kind::Role(_)
            | Kind::ClusterRole(_)
            | Kind::RoleBinding(_)
            | Kind::ClusterRoleBinding(_)
            | Kind::AccessToken(_)
            | Kind::Team(_)
            | Kind::Developer(_)
            | Kind::Application(_)
            | Kind::Subscription(_)
            | Kind::Credential(_)
            | Kind::JoinToken(_) => {}
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
        Kind::ResiliencePolicy(_) | Kind::FaultPolicy(_) => {
            let targets = targets_of(side).into_iter();
            let nodes = targets.filter_map(|(kind, namespace, name)| object(kind, &namespace, &name));
            nodes.map(Touch::Refresh).collect()
        }
        Kind::AuthorizationPolicy(_) | Kind::AuthenticationPolicy(_) => {
            let guarded = guarded_by(side).into_iter();
            guarded.map(|guarded| Touch::Refresh(Node::Guards(guarded))).collect()
        }
        _ => Vec::new(),
    }
}

/// The Services that select an object as it is on one side.
fn selecting(side: &Resource, resources: &Resources) -> Vec<Touch> {
    let services = resources.within::<Service>(side.namespace());
    let mine = services.filter(|service| selects(service.content, side));
    mine.map(|service| Touch::Refresh(Node::Object(service.resource.key.clone()))).collect()
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
