//! What must refuse because something that was to protect it cannot be read.
//!
//! The compiler is shown the world without it: a Service that is denied does not exist, a route that is denied has
//! nowhere to go. Whoever asks is answered 500, or reset, and nothing reaches a backend, whatever the policy would have been. No
//! rule of the engine has to know about it, so none can forget it.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::kinds::{Kind, KindName};
use model::{Resource, Resources};

/// An object that a policy is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    kind: Arc<str>,
    namespace: Arc<str>,
    name: Arc<str>,
}

impl Target {
    /// Reads `Kind/namespace/name`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Target> {
        let mut parts = text.split('/');
        let (kind, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next().is_none().then(|| Target {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        })
    }

    fn is(&self, kind: KindName, namespace: &str, name: &str) -> bool {
        *self.kind == *kind.as_str() && *self.namespace == *namespace && *self.name == *name
    }
}

/// What one unreadable object denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// These.
    Targets(BTreeSet<Target>),
    /// Every route and destination of a namespace, because nobody can tell which were meant.
    Namespace(Arc<str>),
    /// Everything, for the same reason.
    Everything,
}

impl Denied {
    fn is(&self, kind: KindName, namespace: &str, name: &str) -> bool {
        match self {
            Denied::Targets(targets) => targets.iter().any(|target| target.is(kind, namespace, name)),
            Denied::Namespace(denied) => **denied == *namespace,
            Denied::Everything => true,
        }
    }

    /// Targets of kinds whose traffic we cannot tell apart from other traffic.
    fn is_beyond_us(&self) -> bool {
        let known = [
            KindName::Gateway,
            KindName::HttpRoute,
            KindName::TcpRoute,
            KindName::Service,
            KindName::Backend,
        ];
        match self {
            Denied::Targets(targets) => {
                targets.iter().any(|target| known.iter().all(|kind| *target.kind != *kind.as_str()))
            }
            Denied::Namespace(_) | Denied::Everything => false,
        }
    }
}

/// The objects as the compiler may see them.
pub fn without<'d>(held: &Resources, denying: impl Iterator<Item = &'d Denied>) -> Resources {
    let mut denying: Vec<Denied> = denying.cloned().collect();
    if denying.iter().any(Denied::is_beyond_us) {
        denying.push(Denied::Everything);
    }
    let denied = |kind: KindName, namespace: &str, name: &str| {
        denying.iter().any(|denied| denied.is(kind, namespace, name))
    };
    let mut seen = held.clone();
    for resource in held.iter() {
        let (namespace, name) = (resource.namespace(), resource.key.name.as_str());
        let kind = resource.kind_name();
        match kind {
            KindName::Service | KindName::Backend if denied(kind, namespace, name) => {
                seen.remove(&resource.key);
            }
            KindName::HttpRoute | KindName::TcpRoute
                if denied(kind, namespace, name) || has_denied_parent(resource, &denied) =>
            {
                seen.put(going_nowhere(resource));
            }
            KindName::Namespace
            | KindName::Secret
            | KindName::ConfigMap
            | KindName::Service
            | KindName::Pod
            | KindName::EndpointSlice
            | KindName::GatewayClass
            | KindName::Gateway
            | KindName::HttpRoute
            | KindName::TcpRoute
            | KindName::ReferenceGrant
            | KindName::BackendTlsPolicy
            | KindName::Backend
            | KindName::GatewayParameters
            | KindName::Role
            | KindName::ClusterRole
            | KindName::RoleBinding
            | KindName::ClusterRoleBinding
            | KindName::AccessToken => {}
        }
    }
    seen
}

fn has_denied_parent(resource: &Resource, denied: &impl Fn(KindName, &str, &str) -> bool) -> bool {
    resource.kind.parent_refs().iter().any(|parent| {
        let namespace = parent.namespace.as_deref().unwrap_or(resource.namespace());
        KindName::find(&parent.group, &parent.kind).is_some_and(|kind| denied(kind, namespace, &parent.name))
    })
}

/// The same route, leading to no backend and doing nothing else.
fn going_nowhere(resource: &Resource) -> Resource {
    let mut standing_in = resource.clone();
    if let Kind::HttpRoute(route) = &mut standing_in.kind {
        for rule in &mut route.spec.rules {
            rule.backend_refs.clear();
            rule.filters.clear();
        }
    }
    if let Kind::TcpRoute(route) = &mut standing_in.kind {
        route.spec.rules.iter_mut().for_each(|rule| rule.backend_refs.clear());
    }
    standing_in
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::kinds::TcpRoute;
    use serde_json::json;

    #[test]
    fn a_tcp_route_of_a_gateway_that_is_denied_leads_nowhere() {
        let mut held = Resources::new();
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "TCPRoute",
            "metadata": { "name": "database", "namespace": "a" },
            "spec": { "parentRefs": [{ "name": "edge" }], "rules": [{ "backendRefs": [{ "name": "db", "port": 1 }] }] },
        });
        held.put(model::yaml::read_value(route).expect("a sound document"));
        let backends = |resources: &Resources| {
            resources
                .all::<TcpRoute>()
                .map(|route| route.content.spec.rules[0].backend_refs.len())
                .sum::<usize>()
        };

        for target in ["Gateway/a/edge", "TCPRoute/a/database"] {
            let denied = Denied::Targets(Target::parse(target).into_iter().collect());
            assert_eq!(backends(&without(&held, [&denied].into_iter())), 0, "{target}");
        }
        let other = Denied::Targets(Target::parse("Gateway/b/edge").into_iter().collect());
        assert_eq!(backends(&without(&held, [&other].into_iter())), 1);
    }
}
