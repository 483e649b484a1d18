//! Who points at whom, upside down: the routes of a Gateway, the policies of a Service.
//!
//! Children point to their parents; a parent does not know them. Without this every change would have to look at all
//! routes to find those of one Gateway.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use model::kinds::authorization_policy::ROOT_NAMESPACE;
use model::kinds::backend_tls_policy::PolicyTargetRef;
use model::kinds::{BackendTlsPolicy, Kind, KindName, Scope};
use model::{Resource, ResourceKey, Resources};

use super::selection::Selection;

/// Namespace and name.
pub(super) type Place = (Arc<str>, Arc<str>);
/// What a policy about callers protects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Guarded {
    /// Everything.
    Mesh,
    /// A namespace.
    Namespace(Arc<str>),
    /// One object, whatever part of it.
    Object(KindName, Arc<str>, Arc<str>),
}

type Children = HashMap<Place, BTreeSet<ResourceKey>>;

/// An object by kind, namespace and name.
pub(super) type Target = (KindName, Arc<str>, Arc<str>);

/// Children by parent.
#[derive(Debug, Default)]
pub(super) struct Index {
    routes: Children,
    /// Routes by the Services that are their parents, and by the namespace the routes are in.
    service_routes: HashMap<(Place, Arc<str>), BTreeSet<ResourceKey>>,
    policies: Children,
    /// Policies that name what they are about, whatever its kind.
    attached: HashMap<Target, BTreeSet<ResourceKey>>,
    /// Policies about callers by what they protect.
    guards: HashMap<Guarded, BTreeSet<ResourceKey>>,
    /// Services and what they select.
    pub(super) selection: Selection,
}

impl Index {
    pub(super) fn new(resources: &Resources) -> Index {
        let mut index = Index::default();
        resources.iter().for_each(|resource| index.change(None, Some(resource)));
        index
    }

    /// Takes in what happened to an object.
    pub(super) fn change(&mut self, before: Option<&Resource>, after: Option<&Arc<Resource>>) {
        if let Some(before) = before {
            self.remove(before);
            self.detach(before);
        }
        if let Some(after) = after {
            self.insert(after);
            for target in targets_of(after) {
                self.attached.entry(target).or_default().insert(after.key.clone());
            }
        }
    }

    /// The routes of a namespace that stand before a Service.
    pub(super) fn routes_before(&self, service: &Place, of: &Arc<str>) -> impl Iterator<Item = &ResourceKey> {
        self.service_routes.get(&(service.clone(), of.clone())).into_iter().flatten()
    }

    fn stand_before_services(&mut self, resource: &Resource, comes: bool) {
        if !matches!(resource.kind, Kind::HttpRoute(_) | Kind::TcpRoute(_) | Kind::ApiVersion(_)) {
            return;
        }
        for service in parent_services(resource) {
            let key = (service, resource.namespace().into());
            let known = self.service_routes.entry(key.clone()).or_default();
            if comes {
                known.insert(resource.key.clone());
            } else {
                known.remove(&resource.key);
            }
            if known.is_empty() {
                self.service_routes.remove(&key);
            }
        }
    }

    /// The policies about callers of something.
    pub(super) fn guards_of(&self, guarded: &Guarded) -> impl Iterator<Item = &ResourceKey> {
        self.guards.get(guarded).into_iter().flatten()
    }

    fn guard(&mut self, resource: &Resource, comes: bool) {
        for guarded in guarded_by(resource) {
            let known = self.guards.entry(guarded.clone()).or_default();
            if comes {
                known.insert(resource.key.clone());
            } else {
                known.remove(&resource.key);
            }
            if known.is_empty() {
                self.guards.remove(&guarded);
            }
        }
    }

    pub(super) fn routes_of(&self, namespace: &str, gateway: &str) -> impl Iterator<Item = &ResourceKey> {
        self.routes.get(&(namespace.into(), gateway.into())).into_iter().flatten()
    }

    pub(super) fn policies_of(&self, namespace: &str, service: &str) -> impl Iterator<Item = &ResourceKey> {
        self.policies.get(&(namespace.into(), service.into())).into_iter().flatten()
    }

    /// Policies that name an object as their target.
    pub(super) fn attached_to(&self, resource: &Resource) -> impl Iterator<Item = &ResourceKey> {
        let name = resource.key.name.to_arc();
        let target = (resource.kind_name(), resource.namespace().into(), name);
        self.attached.get(&target).into_iter().flatten()
    }

    fn detach(&mut self, policy: &Resource) {
        for target in targets_of(policy) {
            if let Some(known) = self.attached.get_mut(&target) {
                known.remove(&policy.key);
                if known.is_empty() {
                    self.attached.remove(&target);
                }
            }
        }
    }

    fn insert(&mut self, resource: &Resource) {
        self.selection.change(resource, true);
        self.guard(resource, true);
        self.stand_before_services(resource, true);
        let Some((children, parents)) = self.side(resource) else { return };
        for parent in parents {
            children.entry(parent).or_default().insert(resource.key.clone());
        }
    }

    fn remove(&mut self, resource: &Resource) {
        self.selection.change(resource, false);
        self.guard(resource, false);
        self.stand_before_services(resource, false);
        let Some((children, parents)) = self.side(resource) else { return };
        for parent in parents {
            if let Some(known) = children.get_mut(&parent) {
                known.remove(&resource.key);
                if known.is_empty() {
                    children.remove(&parent);
                }
            }
        }
    }

    fn side(&mut self, resource: &Resource) -> Option<(&mut Children, Vec<Place>)> {
        match &resource.kind {
            Kind::HttpRoute(_) | Kind::TcpRoute(_) | Kind::ApiVersion(_) => {
                Some((&mut self.routes, gateways_of(resource)))
            }
            Kind::BackendTlsPolicy(policy) => Some((&mut self.policies, services_of(resource, policy))),
            Kind::Namespace(_)
            | Kind::Secret(_)
            | Kind::ConfigMap(_)
            | Kind::Service(_)
            | Kind::Pod(_)
            | Kind::EndpointSlice(_)
            | Kind::GatewayClass(_)
            | Kind::Gateway(_)
            | Kind::ReferenceGrant(_)
            | Kind::Backend(_)
            | Kind::GatewayParameters(_)
            | Kind::ResiliencePolicy(_)
            | Kind::FaultPolicy(_)
            | Kind::TransformPolicy(_)
            | Kind::RateLimitPolicy(_)
            | Kind::IpPolicy(_)
            | Kind::CorsPolicy(_)
            | Kind::ValidationPolicy(_)
            | Kind::AuthenticationPolicy(_)
            | Kind::ExternalAuthorizationPolicy(_)
            | Kind::TelemetryPolicy(_)
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
            | Kind::ApiBinding(_)
            | Kind::ApiProduct(_)
            | Kind::Plan(_) => None,
        }
    }
}

/// What a policy about callers protects, whether it may or not: who compiles judges that. Nothing, for other objects.
pub(super) fn guarded_by(resource: &Resource) -> Vec<Guarded> {
    let namespace: Arc<str> = resource.namespace().into();
    let targets = match &resource.kind {
        Kind::AuthorizationPolicy(policy) => &policy.spec.target_refs,
        Kind::AuthenticationPolicy(policy) => &policy.spec.target_refs,
        Kind::ExternalAuthorizationPolicy(policy) => &policy.spec.target_refs,
        _ => return Vec::new(),
    };
    if targets.is_empty() {
        let root = *namespace == *ROOT_NAMESPACE;
        return vec![if root { Guarded::Mesh } else { Guarded::Namespace(namespace) }];
    }
    let one = |target: &PolicyTargetRef| match &*target.kind {
        "Mesh" => Some(Guarded::Mesh),
        kind => {
            let kind = KindName::find(&target.group, kind)?;
            Some(Guarded::Object(kind, namespace.clone(), target.name.clone()))
        }
    };
    targets.iter().filter_map(one).collect()
}

/// The Services a route names as its parents.
pub(super) fn parent_services(resource: &Resource) -> Vec<Place> {
    parents(resource, KindName::Service)
}

/// The Gateways a route names as its parents.
pub(super) fn gateways_of(resource: &Resource) -> Vec<Place> {
    parents(resource, KindName::Gateway)
}

fn parents(resource: &Resource, kind: KindName) -> Vec<Place> {
    let parents = resource.kind.parent_refs().iter();
    parents
        .filter(|parent| *parent.group == *kind.group() && *parent.kind == *kind.as_str())
        .map(|parent| {
            (parent.namespace.clone().unwrap_or_else(|| resource.namespace().into()), parent.name.clone())
        })
        .collect()
}

/// What a policy names as its targets, and what a part of an API names as that of which it is a part.
pub(super) fn targets_of(resource: &Resource) -> Vec<Target> {
    let whole = |kind: KindName, name: &Arc<str>| (kind, resource.namespace().into(), name.clone());
    match &resource.kind {
        Kind::ApiBinding(binding) => return vec![whole(KindName::ApiVersion, &binding.spec.version)],
        Kind::ApiProduct(product) => {
            let versions = product.spec.apis.iter();
            return versions.map(|api| whole(KindName::ApiVersion, &api.version)).collect();
        }
        Kind::Plan(plan) => return vec![whole(KindName::ApiProduct, &plan.spec.product)],
        _ => {}
    }
    let references: &[PolicyTargetRef] = match &resource.kind {
        Kind::ResiliencePolicy(policy) => &policy.spec.target_refs,
        Kind::FaultPolicy(policy) => &policy.spec.target_refs,
        Kind::TelemetryPolicy(policy) => &policy.spec.target_refs,
        Kind::TransformPolicy(policy) => &policy.spec.target_refs,
        Kind::RateLimitPolicy(policy) => &policy.spec.target_refs,
        Kind::IpPolicy(policy) => &policy.spec.target_refs,
        Kind::CorsPolicy(policy) => &policy.spec.target_refs,
        Kind::ValidationPolicy(policy) => &policy.spec.target_refs,
        _ => &[],
    };
    let target = |reference: &PolicyTargetRef| {
        let kind = KindName::find(&reference.group, &reference.kind)?;
        let namespace = if kind.scope() == Scope::Cluster { "" } else { resource.namespace() };
        Some((kind, namespace.into(), reference.name.clone()))
    };
    references.iter().filter_map(target).collect()
}

/// The Services a policy is about.
pub(super) fn services_of(resource: &Resource, policy: &BackendTlsPolicy) -> Vec<Place> {
    let service = KindName::Service;
    let targets = policy.spec.target_refs.iter();
    targets
        .filter(|target| *target.group == *service.group() && *target.kind == *service.as_str())
        .map(|target| (resource.namespace().into(), target.name.clone()))
        .collect()
}
