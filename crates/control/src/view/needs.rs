//! What an object needs beside it, one step at a time.
//!
//! From a Gateway down: its class and settings, the Secrets and ConfigMaps it names, the routes that may attach, their
//! destinations, the addresses of those. Who must be asked before a step is taken is asked here: a route in a namespace
//! that no listener admits and a reference that nobody granted bring nothing along, so no proxy learns of what it could
//! not use.

use std::collections::HashSet;
use std::sync::Arc;

use model::kinds::gateway::{FromNamespaces, Gateway, RouteNamespaces};
use model::kinds::references::{BackendObjectRef, LocalObjectRef, ObjectRef};
use model::kinds::service::Service;
use model::kinds::workload::Reach;
use model::kinds::{
    ApiBinding, ApiVersion, Backend, BackendTlsPolicy, GATEWAY_GROUP, GatewayClass, HttpFilter, HttpRoute,
    Kind, KindName, TcpRoute, TelemetryPolicy, TrustBundle,
};
use model::resources::{Referred, Referrer, Typed};
use model::{Resource, ResourceKey, Resources};

use super::access;
use super::closure::Around;
use super::index::{Guarded, Index, Place};

/// What can be needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    /// An object, whether it exists or not: when it comes, it is sent.
    Object(ResourceKey),
    /// Every Gateway of our class.
    OurGateways,
    /// The roots of every mesh.
    TrustBundles,
    /// All that the proxy beside a Workload needs, whether the Workload exists or not.
    Sidecar(Place),
    /// A Service that the workload may name, called if policy might let it in.
    Access(Place),
    /// A Service that is called from a namespace, with the routes that hold there.
    Called {
        /// The Service.
        service: Place,
        /// Namespace of the caller.
        home: Arc<str>,
    },
    /// Routes of a namespace that stand before a Service.
    RoutesBefore {
        /// The Service.
        service: Place,
        /// Namespace of the routes.
        of: Arc<str>,
    },
    /// Which Services there are in a namespace, and what they select; everywhere when empty.
    ServicesOf(Arc<str>),
    /// Whatever grants references into this namespace.
    GrantsOf(Arc<str>),
    /// Policies about callers of something as a whole: of the mesh, a namespace or an object.
    Guards(Guarded),
    /// The labels of namespaces, by which listeners choose routes.
    NamespaceLabels,
}

/// What a node needs.
pub(super) fn needs(node: &Node, around: Around<'_>) -> HashSet<Node> {
    let Around { resources, index, .. } = around;
    let mut found = Needs { resources, index, nodes: HashSet::new() };
    match node {
        Node::Object(key) => {
            if let Some(resource) = resources.get(key) {
                found.of_object(resource);
            }
        }
        Node::OurGateways => {
            let ours = resources.gateways().filter(|gateway| is_ours(gateway.content, resources));
            found.nodes.extend(ours.map(|gateway| Node::Object(gateway.resource.key.clone())));
        }
        Node::TrustBundles => {
            let bundles = resources.all::<TrustBundle>();
            found.nodes.extend(bundles.map(|bundle| Node::Object(bundle.resource.key.clone())));
        }
        Node::Sidecar(place) => found.of_sidecar(place),
        Node::Access(service) => {
            if let Some((home, _)) = around.caller.filter(|_| access::is_told(service, around)) {
                found.call(service.clone(), home);
            }
        }
        Node::Called { service, home } => {
            found.add(KindName::Service, &service.0, &service.1);
            found.nodes.extend(
                [service.0.clone(), home.clone()]
                    .map(|of| Node::RoutesBefore { service: service.clone(), of }),
            );
        }
        Node::RoutesBefore { service, of } => {
            let routes = index.routes_before(service, of);
            found.nodes.extend(routes.map(|key| Node::Object(key.clone())));
        }
        Node::Guards(guarded) => {
            let policies = index.guards_of(guarded);
            found.nodes.extend(policies.map(|key| Node::Object(key.clone())));
            if *guarded == Guarded::Mesh {
                // It says what holds where no policy speaks, and whose names are our own.
                let meshes = resources.of(KindName::Mesh);
                found.nodes.extend(meshes.map(|mesh| Node::Object(mesh.key.clone())));
            }
        }
        Node::GrantsOf(_) | Node::NamespaceLabels | Node::ServicesOf(_) => {}
    }
    found.nodes
}

/// Whether a Gateway is of a class of ours.
pub(super) fn is_ours(gateway: &Gateway, resources: &Resources) -> bool {
    let class = resources.gateway_class(&gateway.spec.gateway_class_name);
    class.is_some_and(|class| class.content.is_ours())
}

/// Whether some listener of a Gateway lets in routes of this one's namespace.
pub(super) fn may_attach(route: &Resource, gateway: &Resource, resources: &Resources) -> bool {
    let Some(content) = gateway.content::<Gateway>() else { return false };
    let from = route.namespace();
    let admits = |namespaces: &RouteNamespaces| match namespaces.from {
        FromNamespaces::All => true,
        FromNamespaces::Same => gateway.namespace() == from,
        FromNamespaces::None => false,
        FromNamespaces::Selector => {
            let selector = namespaces.selector.as_ref();
            selector.is_some_and(|selector| selector.matches(&resources.namespace_labels(from)))
        }
    };
    content.spec.listeners.iter().any(|listener| admits(&listener.allowed_routes.namespaces))
}

/// The node of an object that a reference names; `None` for a name that no object can have.
pub(super) fn object(kind: KindName, namespace: &str, name: &str) -> Option<Node> {
    let namespace = if namespace.is_empty() { None } else { Some(namespace.parse().ok()?) };
    Some(Node::Object(ResourceKey {
        group: kind.group().into(),
        kind: kind.as_str().into(),
        namespace,
        name: name.parse().ok()?,
    }))
}

struct Needs<'a> {
    resources: &'a Resources,
    index: &'a Index,
    nodes: HashSet<Node>,
}

impl Needs<'_> {
    fn of_object(&mut self, resource: &Arc<Resource>) {
        let policies = self.index.attached_to(resource);
        self.nodes.extend(policies.map(|key| Node::Object(key.clone())));
        match &resource.kind {
            Kind::Gateway(gateway) => self.of_gateway(resource, gateway),
            Kind::GatewayClass(class) => self.of_class(class),
            Kind::HttpRoute(route) => self.of_route(resource, route),
            Kind::TcpRoute(route) => self.of_tcp_route(resource, route),
            Kind::ApiVersion(version) => self.of_version(resource, version),
            Kind::ApiBinding(binding) => self.of_binding(resource, binding),
            Kind::ApiProduct(_) => self.guards(KindName::ApiProduct, resource),
            Kind::Service(service) => self.of_service(resource, service),
            Kind::Backend(backend) => self.of_backend(resource, backend),
            Kind::BackendTlsPolicy(policy) => self.of_policy(resource, policy),
            Kind::AuthenticationPolicy(policy) => {
                let secrets = policy.spec.secrets();
                secrets.for_each(|secret| self.add(KindName::Secret, resource.namespace(), &secret.name));
            }
            Kind::TelemetryPolicy(policy) => self.of_collector(resource, policy),
            Kind::ExternalAuthorizationPolicy(policy) => {
                let kind = KindName::ExternalAuthorizationPolicy;
                let namespace = resource.namespace();
                let from = Referrer { group: kind.group(), kind: kind.as_str(), namespace };
                policy.spec.backend_ref().into_iter().for_each(|asked| self.destination(from, asked));
            }
            Kind::ValidationPolicy(policy) => {
                if let Some(described) = &policy.spec.description {
                    self.add(KindName::ApiRevision, resource.namespace(), &described.revision);
                }
            }
            Kind::Namespace(_)
            | Kind::Secret(_)
            | Kind::ConfigMap(_)
            | Kind::Pod(_)
            | Kind::EndpointSlice(_)
            | Kind::ReferenceGrant(_)
            | Kind::GatewayParameters(_)
            | Kind::ResiliencePolicy(_)
            | Kind::FaultPolicy(_)
            | Kind::TransformPolicy(_)
            | Kind::RateLimitPolicy(_)
            | Kind::IpPolicy(_)
            | Kind::CorsPolicy(_)
            | Kind::AuthorizationPolicy(_)
            | Kind::Mesh(_)
            | Kind::Workload(_)
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
            | Kind::JoinToken(_)
            | Kind::TrustBundle(_)
            | Kind::Api(_)
            | Kind::ApiRevision(_)
            | Kind::Plan(_) => {}
        }
    }

    fn of_gateway(&mut self, resource: &Resource, gateway: &Gateway) {
        let namespace = resource.namespace();
        self.add(KindName::GatewayClass, "", &gateway.spec.gateway_class_name);
        if !is_ours(gateway, self.resources) {
            return;
        }
        self.nodes.insert(Node::Guards(Guarded::Mesh));
        self.guards(KindName::Gateway, resource);
        let parameters = gateway.spec.infrastructure.as_ref().and_then(|part| part.parameters_ref.as_ref());
        if let Some(LocalObjectRef { group, kind, name }) = parameters {
            self.named(group, kind, namespace, name, &[KindName::GatewayParameters]);
        }
        let from = Referrer { group: GATEWAY_GROUP, kind: "Gateway", namespace };
        for reference in secrets_of(gateway) {
            self.refer(from, reference, KindName::Secret);
        }
        for reference in anchors_of(gateway) {
            self.refer(from, reference, KindName::ConfigMap);
        }
        let listeners = &gateway.spec.listeners;
        if listeners.iter().any(|each| each.allowed_routes.namespaces.from == FromNamespaces::Selector) {
            self.nodes.insert(Node::NamespaceLabels);
        }
        for key in self.index.routes_of(namespace, resource.key.name.as_str()) {
            if self.resources.get(key).is_some_and(|route| may_attach(route, resource, self.resources)) {
                self.nodes.insert(Node::Object(key.clone()));
            }
        }
    }

    /// What the proxy beside a Workload needs: the Workload, the Services that it may call, those that lead to it, and
    /// who may come in. A Workload that says whom it calls is told of nobody else, and of nobody who lets it in never.
    fn of_sidecar(&mut self, place: &Place) {
        let (home, name) = place;
        self.add(KindName::Workload, home, name);
        self.nodes.extend([Node::Guards(Guarded::Mesh), Node::ServicesOf(home.clone())]);
        self.add(KindName::Namespace, "", home);
        let Some(own) = self.resources.workload(home, name) else { return };
        self.guards(KindName::Workload, own.resource);
        let leading = self.index.selection.selecting(own.resource, self.resources);
        leading.iter().for_each(|service| self.call(place_of(service.resource), home));
        let Some(reaches) = &own.content.spec.reaches else {
            self.nodes.insert(Node::ServicesOf("".into()));
            self.may_call(self.resources.all::<Service>());
            return;
        };
        for Reach(reach) in reaches {
            match reach.split_once('/') {
                Some((namespace, "*")) => {
                    self.nodes.insert(Node::ServicesOf(namespace.into()));
                    self.may_call(self.resources.within::<Service>(namespace));
                }
                Some((namespace, service)) => {
                    self.nodes.insert(Node::Access((namespace.into(), service.into())));
                }
                None => {
                    self.nodes.insert(Node::Access((home.clone(), reach.clone())));
                }
            }
        }
    }

    fn may_call<'r>(&mut self, services: impl Iterator<Item = Typed<'r, Service>>) {
        self.nodes.extend(services.map(|service| Node::Access(place_of(service.resource))));
    }

    fn call(&mut self, service: Place, home: &Arc<str>) {
        self.nodes.insert(Node::Called { service, home: home.clone() });
    }

    fn of_class(&mut self, class: &GatewayClass) {
        if let Some(ObjectRef { group, kind, name, namespace: Some(namespace) }) = &class.spec.parameters_ref
        {
            self.named(group, kind, namespace, name, &[KindName::GatewayParameters]);
        }
    }

    fn of_route(&mut self, resource: &Resource, route: &HttpRoute) {
        let namespace = resource.namespace();
        self.add(KindName::Namespace, "", namespace);
        self.guards(KindName::HttpRoute, resource);
        let from = Referrer { group: GATEWAY_GROUP, kind: "HTTPRoute", namespace };
        for rule in &route.spec.rules {
            self.mirrors(from, &rule.filters);
            for backend in &rule.backend_refs {
                self.destination(from, &backend.target);
                self.mirrors(from, &backend.filters);
            }
        }
    }

    fn of_tcp_route(&mut self, resource: &Resource, route: &TcpRoute) {
        let namespace = resource.namespace();
        self.add(KindName::Namespace, "", namespace);
        self.guards(KindName::TcpRoute, resource);
        let from = Referrer { group: GATEWAY_GROUP, kind: KindName::TcpRoute.as_str(), namespace };
        for backend in route.spec.rules.iter().flat_map(|rule| &rule.backend_refs) {
            self.destination(from, &backend.target);
        }
    }

    /// Of a version: what describes it and what takes its place. What answers it points here.
    fn of_version(&mut self, resource: &Resource, version: &ApiVersion) {
        let (namespace, spec) = (resource.namespace(), &version.spec);
        self.add(KindName::Namespace, "", namespace);
        self.guards(KindName::ApiVersion, resource);
        self.add(KindName::Api, namespace, &spec.api);
        for revision in spec.revision.iter().chain(&spec.candidate) {
            self.add(KindName::ApiRevision, namespace, revision);
        }
        if let Some(successor) = &spec.successor {
            self.add(KindName::ApiVersion, namespace, successor);
        }
    }

    fn of_binding(&mut self, resource: &Resource, binding: &ApiBinding) {
        let kind = KindName::ApiBinding;
        let from = Referrer { group: kind.group(), kind: kind.as_str(), namespace: resource.namespace() };
        for backend in binding.spec.targets().flat_map(|target| &target.backend_refs) {
            self.destination(from, &backend.target);
        }
    }

    fn mirrors(&mut self, from: Referrer<'_>, filters: &[HttpFilter]) {
        for filter in filters {
            match filter {
                HttpFilter::RequestMirror { request_mirror } => {
                    self.destination(from, &request_mirror.backend_ref)
                }
                HttpFilter::RequestHeaderModifier { .. }
                | HttpFilter::ResponseHeaderModifier { .. }
                | HttpFilter::RequestRedirect { .. }
                | HttpFilter::UrlRewrite { .. }
                | HttpFilter::Cors { .. }
                | HttpFilter::ExtensionRef { .. } => {}
            }
        }
    }

    fn destination(&mut self, from: Referrer<'_>, target: &BackendObjectRef) {
        let BackendObjectRef { group, kind, name, namespace, port: _ } = target;
        let reference = ObjectRef {
            group: group.clone(),
            kind: kind.clone(),
            name: name.clone(),
            namespace: namespace.clone(),
        };
        self.refer(from, &reference, KindName::Service);
        self.refer(from, &reference, KindName::Backend);
    }

    fn of_service(&mut self, resource: &Arc<Resource>, service: &Service) {
        let (namespace, name) = (resource.namespace(), resource.key.name.as_str());
        let slices = self.resources.endpoint_slices(namespace, name);
        let keys: Vec<Node> = slices.map(|slice| Node::Object(slice.resource.key.clone())).collect();
        let selected = self.index.selection.behind(Typed { resource, content: service }, self.resources);
        // Pods stand in for slices that are not there.
        let counts = |kind: KindName| kind == KindName::Workload || keys.is_empty();
        let selected = selected.into_iter().filter(|replica| counts(replica.kind_name()));
        self.nodes.extend(selected.map(|replica| Node::Object(replica.key.clone())));
        self.nodes.extend(keys);
        self.guards(KindName::Service, resource);
        let policies = self.index.policies_of(namespace, name);
        self.nodes.extend(policies.map(|key| Node::Object(key.clone())));
    }

    /// Who may come in to an object and its namespace.
    fn guards(&mut self, kind: KindName, resource: &Resource) {
        let namespace: Arc<str> = resource.namespace().into();
        self.nodes.insert(Node::Guards(Guarded::Object(kind, namespace.clone(), resource.key.name.to_arc())));
        self.nodes.insert(Node::Guards(Guarded::Namespace(namespace)));
    }

    fn of_backend(&mut self, resource: &Resource, backend: &Backend) {
        self.guards(KindName::Backend, resource);
        let references = backend.spec.tls.iter().flat_map(|tls| &tls.ca_certificate_refs);
        for LocalObjectRef { group, kind, name } in references {
            self.named(group, kind, resource.namespace(), name, &[KindName::ConfigMap, KindName::Secret]);
        }
        if let Some(credential) = &backend.spec.credential {
            self.add(KindName::Secret, resource.namespace(), &credential.secret_ref.name);
        }
    }

    /// Of a policy about traces: what its collector is shown, and by whom it is known.
    fn of_collector(&mut self, resource: &Resource, policy: &TelemetryPolicy) {
        let Some(tracing) = &policy.spec.tracing else { return };
        let references = tracing.tls.iter().flat_map(|tls| &tls.ca_certificate_refs);
        for LocalObjectRef { group, kind, name } in references {
            self.named(group, kind, resource.namespace(), name, &[KindName::ConfigMap, KindName::Secret]);
        }
        if let Some(credential) = &tracing.credential {
            self.add(KindName::Secret, resource.namespace(), &credential.secret_ref.name);
        }
    }

    fn of_policy(&mut self, resource: &Resource, policy: &BackendTlsPolicy) {
        for LocalObjectRef { group, kind, name } in &policy.spec.validation.ca_certificate_refs {
            self.named(group, kind, resource.namespace(), name, &[KindName::ConfigMap]);
        }
    }

    /// A reference that may lead into another namespace, if it is to this kind.
    fn refer(&mut self, from: Referrer<'_>, reference: &ObjectRef, kind: KindName) {
        let namespace = reference.namespace.as_deref().unwrap_or(from.namespace);
        if *reference.group != *kind.group() || *reference.kind != *kind.as_str() {
            return;
        }
        let to = Referred { group: kind.group(), kind: kind.as_str(), namespace, name: &reference.name };
        if namespace != from.namespace {
            self.nodes.insert(Node::GrantsOf(namespace.into()));
            self.grants(from, to);
        }
        if self.resources.may_refer(from, to) {
            self.add(kind, namespace, &reference.name);
        }
    }

    fn grants(&mut self, from: Referrer<'_>, to: Referred<'_>) {
        for grant in self.resources.reference_grants(to.namespace) {
            let spec = &grant.content.spec;
            let covers = spec.from.iter().any(|who| who.covers(from.group, from.kind, from.namespace))
                && spec.to.iter().any(|what| what.covers(to.group, to.kind, to.name));
            if covers {
                self.nodes.insert(Node::Object(grant.resource.key.clone()));
            }
        }
    }

    fn named(&mut self, group: &str, kind: &str, namespace: &str, name: &str, allowed: &[KindName]) {
        let found = allowed.iter().find(|known| known.group() == group && known.as_str() == kind);
        if let Some(kind) = found {
            self.add(*kind, namespace, name);
        }
    }

    fn add(&mut self, kind: KindName, namespace: &str, name: &str) {
        self.nodes.extend(object(kind, namespace, name));
    }
}

pub(super) fn place_of(resource: &Resource) -> Place {
    (resource.namespace().into(), resource.key.name.to_arc())
}

fn secrets_of(gateway: &Gateway) -> impl Iterator<Item = &ObjectRef> {
    let listeners = gateway.spec.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let backend = gateway.spec.tls.as_ref().and_then(|tls| tls.backend.as_ref());
    let own = backend.and_then(|backend| backend.client_certificate_ref.as_ref());
    listeners.flat_map(|tls| &tls.certificate_refs).chain(own)
}

fn anchors_of(gateway: &Gateway) -> impl Iterator<Item = &ObjectRef> {
    let frontend = gateway.spec.tls.iter().filter_map(|tls| tls.frontend.as_ref());
    let configs = frontend.flat_map(|frontend| {
        std::iter::once(&frontend.default).chain(frontend.per_port.iter().map(|port| &port.tls))
    });
    configs
        .filter_map(|config| config.validation.as_ref())
        .flat_map(|validation| &validation.ca_certificate_refs)
}
