//! Where a backend reference leads.
//!
//! The order of questions is part of the promise: the kind first, then whether one may refer there at all, and
//! only then whether the object exists, so that nobody can probe another namespace for names.

use std::fmt;
use std::sync::Arc;

use model::Resources;
use model::kinds::http_route::{HttpRoute, HttpRule};
use model::kinds::references::BackendObjectRef;
use model::kinds::service::Transport;
use model::kinds::{CORE_GROUP, HttpFilter, KindName, MESH_GROUP};
use model::resources::{Referred, Referrer};

use super::callers::Caller;
use super::clusters::ClusterBook;
use crate::config::{ClusterSlot, Target};
use crate::mesh::spoken::Spoken;
use crate::status::Reason;

/// What a destination is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ClusterKey {
    /// One port of a Service.
    Service { namespace: Arc<str>, name: Arc<str>, port: u16 },
    /// A Backend.
    Backend { namespace: Arc<str>, name: Arc<str> },
    /// A port of the application beside which this proxy stands.
    Application { namespace: Arc<str>, name: Arc<str>, port: u16, spoken: Spoken },
}

impl fmt::Display for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClusterKey::Service { namespace, name, port } => write!(f, "Service/{namespace}/{name}:{port}"),
            ClusterKey::Backend { namespace, name } => write!(f, "Backend/{namespace}/{name}"),
            ClusterKey::Application { namespace, name, port, spoken: _ } => {
                write!(f, "Workload/{namespace}/{name}:{port}")
            }
        }
    }
}

/// A destination as one caller reaches it. Its text is the name of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reached {
    pub(super) to: ClusterKey,
    /// Whether HTTP/2 is spoken there whatever its object says, because it is called over gRPC.
    pub(super) over_http2: bool,
    /// The Gateway, where it shows a certificate of its own.
    pub(super) by: Option<Caller>,
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to.fmt(f)?;
        if self.over_http2 {
            f.write_str("/grpc")?;
        }
        self.by.iter().try_for_each(|caller| write!(f, "@{caller}"))
    }
}

/// An object a route may lead to, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    pub(super) service: bool,
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
}

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    Cluster(ClusterSlot),
    Invalid(Broken, String),
}

impl Resolution {
    pub(super) fn target(&self) -> Target {
        match self {
            Resolution::Cluster(slot) => Target::Cluster(*slot),
            Resolution::Invalid(reason, _) => Target::Invalid { reason: reason.code() },
        }
    }
}

/// Every different reference of a route with where it leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    all: Vec<(BackendObjectRef, Resolution)>,
}

impl Resolved {
    /// Resolves all references of a route.
    pub(super) fn of<'r>(
        from: Referrer<'_>,
        references: impl Iterator<Item = &'r BackendObjectRef>,
        resources: &Resources,
        book: &mut ClusterBook,
    ) -> Self {
        let mut resolved = Resolved::default();
        for reference in references {
            if resolved.get(reference).is_none() {
                let resolution = resolve(from, reference, resources, book);
                resolved.all.push((reference.clone(), resolution));
            }
        }
        resolved
    }

    /// The same references as a caller with a certificate of its own follows them.
    pub(super) fn reached_by(&self, caller: &Caller, book: &mut ClusterBook) -> Self {
        let mut reached = |resolution: &Resolution| match resolution {
            Resolution::Cluster(slot) => Resolution::Cluster(book.slot_for(*slot, caller)),
            Resolution::Invalid(reason, message) => Resolution::Invalid(*reason, message.clone()),
        };
        let all = self.all.iter().map(|(reference, resolution)| (reference.clone(), reached(resolution)));
        Resolved { all: all.collect() }
    }

    pub(super) fn get(&self, reference: &BackendObjectRef) -> Option<&Resolution> {
        self.all.iter().find(|(known, _)| known == reference).map(|(_, resolution)| resolution)
    }

    pub(super) fn clusters(&self) -> impl Iterator<Item = ClusterSlot> + '_ {
        self.all.iter().filter_map(|(_, resolution)| match resolution {
            Resolution::Cluster(slot) => Some(*slot),
            Resolution::Invalid(..) => None,
        })
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = (Reason, String)> + '_ {
        self.all.iter().filter_map(|(_, resolution)| match resolution {
            Resolution::Cluster(_) => None,
            Resolution::Invalid(reason, message) => Some((reason.reason(), message.clone())),
        })
    }

    /// Whether some reference leads into another namespace, so that a ReferenceGrant may change it.
    pub(super) fn crosses(&self, namespace: &str) -> bool {
        self.all
            .iter()
            .any(|(reference, _)| reference.namespace.as_deref().is_some_and(|other| other != namespace))
    }

    /// The objects whose coming and going may change it.
    pub(super) fn destinations<'s>(&'s self, namespace: &'s str) -> impl Iterator<Item = Destination> + 's {
        self.all.iter().map(move |(reference, _)| Destination {
            service: *reference.kind == *"Service",
            namespace: reference.namespace.clone().unwrap_or_else(|| namespace.into()),
            name: reference.name.clone(),
        })
    }
}

/// Every reference of an HTTPRoute in the order written, those of mirrors included.
pub(super) fn of_http_route(route: &HttpRoute) -> impl Iterator<Item = &BackendObjectRef> {
    route.spec.rules.iter().flat_map(references)
}

/// Who refers: routes of a kind in a namespace.
pub(super) fn referrer<'n>(kind: KindName, namespace: &'n str) -> Referrer<'n> {
    Referrer { group: kind.group(), kind: kind.as_str(), namespace }
}

fn references(rule: &HttpRule) -> impl Iterator<Item = &BackendObjectRef> {
    let own = rule.filters.iter();
    let of_backends = rule.backend_refs.iter().flat_map(|backend| &backend.filters);
    let mirrors = own.chain(of_backends).filter_map(|filter| match filter {
        HttpFilter::RequestMirror { request_mirror } => Some(&request_mirror.backend_ref),
        HttpFilter::RequestHeaderModifier { .. }
        | HttpFilter::ResponseHeaderModifier { .. }
        | HttpFilter::RequestRedirect { .. }
        | HttpFilter::UrlRewrite { .. }
        | HttpFilter::Cors { .. }
        | HttpFilter::ExtensionRef { .. } => None,
    });
    rule.backend_refs.iter().map(|backend| &backend.target).chain(mirrors)
}

fn resolve(
    from: Referrer<'_>,
    reference: &BackendObjectRef,
    resources: &Resources,
    book: &mut ClusterBook,
) -> Resolution {
    let BackendObjectRef { group, kind, name, namespace: elsewhere, port } = reference;
    let is_service = **group == *CORE_GROUP && **kind == *"Service";
    let is_backend = **group == *MESH_GROUP && **kind == *"Backend";
    if !is_service && !is_backend {
        let shown = if group.is_empty() { kind.to_string() } else { format!("{group}/{kind}") };
        return Resolution::Invalid(Broken::Kind, format!("kind `{shown}` cannot be a backend"));
    }
    let target = elsewhere.as_deref().unwrap_or(from.namespace);
    if !resources.may_refer(from, Referred { group, kind, namespace: target, name }) {
        let message = format!(
            "no ReferenceGrant in `{target}` lets {}s of `{}` use {kind} `{name}`",
            from.kind, from.namespace
        );
        return Resolution::Invalid(Broken::NotPermitted, message);
    }
    let found = if is_service {
        service_port(target, name, *port, resources)
    } else {
        backend(target, name, resources)
    };
    match found {
        Ok(()) => Resolution::Cluster(book.slot(cluster_key(is_service, target, name, *port))),
        Err(message) => Resolution::Invalid(Broken::NotFound, message),
    }
}

fn cluster_key(service: bool, namespace: &str, name: &Arc<str>, port: Option<u16>) -> ClusterKey {
    let (namespace, name) = (namespace.into(), name.clone());
    match port {
        Some(port) if service => ClusterKey::Service { namespace, name, port },
        _ => ClusterKey::Backend { namespace, name },
    }
}

fn service_port(namespace: &str, name: &str, port: Option<u16>, resources: &Resources) -> Result<(), String> {
    let service = resources
        .service(namespace, name)
        .ok_or_else(|| format!("no Service `{namespace}/{name}` exists"))?;
    let port = port.ok_or_else(|| format!("a reference to Service `{namespace}/{name}` needs a port"))?;
    let ports = &service.content.spec.ports;
    if ports.iter().any(|known| known.port == port && known.protocol == Transport::Tcp) {
        return Ok(());
    }
    let known: Vec<String> = ports.iter().map(|known| known.port.to_string()).collect();
    Err(format!("Service `{namespace}/{name}` has no TCP port {port}, only: {}", known.join(", ")))
}

fn backend(namespace: &str, name: &str, resources: &Resources) -> Result<(), String> {
    let found = resources.backend(namespace, name);
    found.map(|_| ()).ok_or_else(|| format!("no Backend `{namespace}/{name}` exists"))
}

/// What can be wrong with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    Kind,
    NotPermitted,
    NotFound,
}

impl Broken {
    /// The word in a condition.
    pub(super) fn reason(self) -> Reason {
        match self {
            Broken::Kind => Reason::InvalidKind,
            Broken::NotPermitted => Reason::RefNotPermitted,
            Broken::NotFound => Reason::BackendNotFound,
        }
    }

    /// The word in logs and metrics.
    fn code(self) -> &'static str {
        match self {
            Broken::Kind => "invalid_kind",
            Broken::NotPermitted => "ref_not_permitted",
            Broken::NotFound => "backend_not_found",
        }
    }
}
