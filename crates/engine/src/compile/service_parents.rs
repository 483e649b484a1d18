//! Services as parents of routes (GAMMA, GEP-1426): what a route says there holds for callers, at the proxy beside
//! each.
//!
//! A route in the namespace of the Service is its producer's and holds for everybody; one in another namespace is a
//! consumer's and holds for the workloads of that namespace only, and there it takes the place of the producer's.
//! Whoever is compiled for decides which ports there are to attach to; whether a parent is accepted does not depend
//! on it, so that the control plane can say so for all.

use std::sync::Arc;

use model::Resources;
use model::kinds::references::ParentRef;
use model::kinds::service::{ServicePort, Transport};
use model::kinds::{CORE_GROUP, KindName, Service};
use model::resources::Typed;

use super::attach::Place;
use super::listeners::{ListenerView, ParentKind, RouteSource};
use super::references::Destination;
use super::resilience::GatewaySide;
use crate::matching::HostPattern;
use crate::mesh::spoken::Spoken;
use crate::status::Reason;

/// Whether a parent is a Service.
pub(super) fn is_service(parent: &ParentRef) -> bool {
    *parent.group == *CORE_GROUP && *parent.kind == *KindName::Service.as_str()
}

/// The Services that a route of a namespace names as its parents.
pub(super) fn named(namespace: &str, parents: &[ParentRef]) -> Vec<Destination> {
    let services = parents.iter().filter(|parent| is_service(parent));
    services
        .map(|parent| Destination {
            service: true,
            namespace: parent.namespace.clone().unwrap_or_else(|| namespace.into()),
            name: parent.name.clone(),
        })
        .collect()
}

/// The ports of a Service that a parent means, where there is somebody to attach to; the error says why the parent is
/// not accepted.
pub(super) fn choose<'v>(
    parent: &ParentRef,
    kind: KindName,
    namespace: &str,
    views: &'v [ListenerView],
    resources: &Resources,
) -> Result<Vec<&'v ListenerView>, (Reason, String)> {
    let refused = |message: String| Err((Reason::NoMatchingParent, message));
    let shown = format!("{namespace}/{}", parent.name);
    if resources.mesh().is_none() {
        return refused("there is no Mesh, so no proxy stands before callers of Services".to_owned());
    }
    let Some(service) = resources.service(namespace, &parent.name) else {
        return refused(format!("no Service `{shown}` exists"));
    };
    let meant: Vec<&ServicePort> = ports(service).filter(|port| means(parent, port)).collect();
    if meant.is_empty() {
        let known: Vec<String> = ports(service).map(|port| port.port.to_string()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return refused(format!("Service `{shown}` has no such TCP port; it has: {known}"));
    }
    let meant: Vec<u16> =
        meant.into_iter().filter(|port| takes(port).contains(&kind)).map(|port| port.port).collect();
    if meant.is_empty() {
        let message = format!("no port of Service `{shown}` that is meant carries what a {kind} is about");
        return Err((Reason::NotAllowedByListeners, message));
    }
    let mine = views.iter().filter(|view| view.parent == ParentKind::Service);
    let mine = mine.filter(|view| *view.namespace == *namespace && view.gateway == parent.name);
    Ok(mine.filter(|view| meant.contains(&view.port)).collect())
}

/// Where a route stands at a port of a Service: at any host, because callers call a Service by many names. What the
/// route says of hosts is not asked (GEP-1426).
pub(super) fn place(view: &ListenerView) -> Place {
    Place { listener: view.unique.clone(), host: HostPattern::Any, own: HostPattern::Any }
}

/// The two places for routes at a port of a Service: its producer's, and that of the consumer's namespace.
pub(super) fn views(service: Typed<'_, Service>, port: &ServicePort, home: &str) -> Vec<ListenerView> {
    let namespace = service.resource.namespace();
    let view = |whose: &str, from: RouteSource| ListenerView {
        parent: ParentKind::Service,
        namespace: namespace.into(),
        gateway: service.resource.key.name.to_arc(),
        name: port.name.clone().unwrap_or_default(),
        unique: unique(namespace, service.resource.key.name.as_str(), port.port, whose),
        hostname: HostPattern::Any,
        port: port.port,
        tls: false,
        takes: takes(port),
        from,
        caller: None,
        served: true,
        says: GatewaySide::default(),
    };
    let producer = view(PRODUCER, RouteSource::Same);
    let consumer = (home != namespace).then(|| view(CONSUMER, RouteSource::Only(home.into())));
    std::iter::once(producer).chain(consumer).collect()
}

/// The kinds of routes that a port may have. One that says nothing is whatever its routes say that it is, and requests
/// come first.
fn takes(port: &ServicePort) -> &'static [KindName] {
    match Spoken::of(port) {
        Spoken::Http1 | Spoken::Http2 => &[KindName::HttpRoute],
        Spoken::Bytes => &[KindName::TcpRoute],
        Spoken::Unsaid => &[KindName::HttpRoute, KindName::TcpRoute],
    }
}

/// Routes of a Service's own namespace.
pub(super) const PRODUCER: &str = "producer";
/// Routes of the caller's namespace.
pub(super) const CONSUMER: &str = "consumer";

/// Name of a place for routes at a port of a Service.
pub(super) fn unique(namespace: &str, service: &str, port: u16, whose: &str) -> Arc<str> {
    format!("Service/{namespace}/{service}:{port}/{whose}").into()
}

/// The ports that can be carried.
pub(super) fn ports<'r>(service: Typed<'r, Service>) -> impl Iterator<Item = &'r ServicePort> + use<'r> {
    service.content.spec.ports.iter().filter(|port| port.protocol == Transport::Tcp)
}

fn means(parent: &ParentRef, port: &ServicePort) -> bool {
    parent.port.is_none_or(|number| number == port.port)
        && parent.section_name.as_ref().is_none_or(|name| port.name.as_ref() == Some(name))
}
