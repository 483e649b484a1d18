//! What must refuse because something that was to protect it cannot be read.
//!
//! The compiler is shown the world without it: a Service that is denied does not exist, a route that is denied has
//! nowhere to go. Whoever asks is answered 500, or reset, and nothing reaches a backend, whatever the policy would
//! have been. No rule of the engine has to know about it, so none can forget it. A policy about callers that cannot be
//! read is stood in for by an AuthorizationPolicy that denies. A Workload is called by ports of its own too, which only
//! policies close: so it has one that denies as soon as a Service that selects it is denied.

use std::collections::BTreeSet;
use std::sync::Arc;

use discovery::ObjectName;
use model::kinds::{ApiProduct, Kind, KindName, Service};
use model::{Resource, Resources, yaml};
use serde_json::{Value, json};

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

    /// As a policy names it; `None` for a kind that is not known here.
    fn reference(&self) -> Option<Value> {
        let kind = KindName::ALL.iter().find(|kind| kind.as_str() == &*self.kind)?;
        Some(json!({ "group": kind.group(), "kind": kind.as_str(), "name": &*self.name }))
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
            KindName::ApiVersion,
            KindName::ApiProduct,
            KindName::Service,
            KindName::Backend,
            KindName::Workload,
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
pub fn without<'d>(
    held: &Resources,
    denying: impl Iterator<Item = (&'d ObjectName, &'d Denied)>,
) -> Resources {
    let about_callers = [
        KindName::AuthorizationPolicy,
        KindName::AuthenticationPolicy,
        KindName::ExternalAuthorizationPolicy,
    ];
    let (policies, others): (Vec<_>, Vec<_>) =
        denying.partition(|(name, _)| about_callers.iter().any(|kind| name.of.as_str() == kind.as_str()));
    let mut denying: Vec<Denied> = others.into_iter().map(|(_, denied)| denied.clone()).collect();
    let mut seen = held.clone();
    for (name, denied) in policies {
        match standing_in(name, denied) {
            Some(policy) => drop(seen.put(policy)),
            None => denying.push(Denied::Everything),
        }
    }
    if denying.iter().any(Denied::is_beyond_us) {
        denying.push(Denied::Everything);
    }
    let denied = |kind: KindName, namespace: &str, name: &str| {
        denying.iter().any(|denied| denied.is(kind, namespace, name))
    };
    for resource in held.iter() {
        let (namespace, name) = (resource.namespace(), resource.key.name.as_str());
        let kind = resource.kind_name();
        match kind {
            KindName::Service | KindName::Backend if denied(kind, namespace, name) => {
                seen.remove(&resource.key);
            }
            KindName::HttpRoute | KindName::TcpRoute | KindName::ApiVersion
                if denied(kind, namespace, name)
                    || has_denied_parent(resource, &denied)
                    || is_of_denied_product(resource, held, &denied) =>
            {
                seen.put(going_nowhere(resource));
            }
            KindName::Workload if denied(kind, namespace, name) || is_selected(resource, held, &denied) => {
                seen.put(closing(resource));
            }
            // Nothing else carries traffic.
            _ => {}
        }
    }
    seen
}

/// An AuthorizationPolicy that denies everything on the same targets, so that whoever is refused is told so as by any
/// other policy. It has the name of the one it stands in for, or one that tells of what kind that was. A target that
/// cannot be named stands for all of the namespace.
fn standing_in(name: &ObjectName, denied: &Denied) -> Option<Resource> {
    let (namespace, called) = name.name.split_once('/')?;
    let called = match name.of.as_str() {
        of if of == KindName::AuthenticationPolicy.as_str() => format!("authentication.{called}"),
        of if of == KindName::ExternalAuthorizationPolicy.as_str() => format!("external.{called}"),
        _ => called.to_owned(),
    };
    let mut spec = json!({ "action": "Deny", "rules": [{ "name": "rejected" }] });
    if let Denied::Targets(targets) = denied {
        let all: Option<Vec<Value>> = targets.iter().map(Target::reference).collect();
        if let Some(all) = all {
            spec["targetRefs"] = all.into();
        }
    }
    let kind = KindName::AuthorizationPolicy;
    let object = |spec: Value| {
        yaml::read_value(json!({
            "apiVersion": kind.api_version(), "kind": kind.as_str(),
            "metadata": { "namespace": namespace, "name": called }, "spec": spec,
        }))
    };
    // Targets that make no sense to the schema are as good as none.
    let whole = json!({ "action": "Deny", "rules": [{ "name": "rejected" }] });
    object(spec).or_else(|_| object(whole)).ok()
}

/// A version of an API is sold by its products: what one of them must refuse, it must.
fn is_of_denied_product(
    resource: &Resource,
    held: &Resources,
    denied: &impl Fn(KindName, &str, &str) -> bool,
) -> bool {
    let (namespace, name) = (resource.namespace(), resource.key.name.as_str());
    resource.kind_name() == KindName::ApiVersion
        && held.within::<ApiProduct>(namespace).any(|product| {
            product.content.spec.apis.iter().any(|api| *api.version == *name)
                && denied(KindName::ApiProduct, namespace, product.resource.key.name.as_str())
        })
}

/// Whether a Service that is denied selects a Workload.
fn is_selected(
    workload: &Resource,
    held: &Resources,
    denied: &impl Fn(KindName, &str, &str) -> bool,
) -> bool {
    let labels = &workload.meta.labels;
    held.within::<Service>(workload.namespace()).any(|service| {
        let selector = &service.content.spec.selector;
        let selects =
            !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value));
        selects && denied(KindName::Service, workload.namespace(), service.resource.key.name.as_str())
    })
}

/// A policy that lets nobody in to a Workload.
fn closing(workload: &Resource) -> Resource {
    let kind = KindName::AuthorizationPolicy;
    let name = workload.key.name.as_str();
    let target =
        json!({ "group": KindName::Workload.group(), "kind": KindName::Workload.as_str(), "name": name });
    let policy = yaml::read_value(json!({
        "apiVersion": kind.api_version(), "kind": kind.as_str(),
        "metadata": { "namespace": workload.namespace(), "name": format!("rejected.{name}") },
        "spec": { "action": "Deny", "rules": [{ "name": "rejected" }], "targetRefs": [target] },
    }));
    policy.unwrap_or_else(|problem| unreachable!("a policy of ours is sound: {problem}"))
}

fn has_denied_parent(resource: &Resource, denied: &impl Fn(KindName, &str, &str) -> bool) -> bool {
    resource.kind.parent_refs().iter().any(|parent| {
        let namespace = parent.namespace.as_deref().unwrap_or(resource.namespace());
        KindName::find(&parent.group, &parent.kind).is_some_and(|kind| denied(kind, namespace, &parent.name))
    })
}

/// The same route, leading to no backend and doing nothing else; a version of an API is held.
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
    if let Kind::ApiVersion(version) = &mut standing_in.kind {
        version.spec.hold = true;
    }
    standing_in
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::kinds::TcpRoute;
    use serde_json::json;

    #[test]
    fn a_policy_about_callers_that_cannot_be_read_denies_its_targets() {
        for kind in ["AuthorizationPolicy", "AuthenticationPolicy", "ExternalAuthorizationPolicy"] {
            let whose = ObjectName { of: discovery::object::TypeName::new(kind), name: "a/p".into() };
            let denied = Denied::Targets(Target::parse("HTTPRoute/a/r").into_iter().collect());

            let seen = without(&Resources::new(), [(&whose, &denied)].into_iter());

            let policy =
                seen.all::<model::kinds::AuthorizationPolicy>().next().expect("a policy that denies");
            assert_eq!(policy.content.spec.action, model::kinds::authorization_policy::PolicyAction::Deny);
            assert_eq!(&*policy.content.spec.target_refs[0].name, "r", "{kind}");
        }
    }

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

        let whose = ObjectName { of: discovery::object::TypeName::new("IpPolicy"), name: "a/office".into() };
        for target in ["Gateway/a/edge", "TCPRoute/a/database"] {
            let denied = Denied::Targets(Target::parse(target).into_iter().collect());
            assert_eq!(backends(&without(&held, [(&whose, &denied)].into_iter())), 0, "{target}");
        }
        let other = Denied::Targets(Target::parse("Gateway/b/edge").into_iter().collect());
        assert_eq!(backends(&without(&held, [(&whose, &other)].into_iter())), 1);
    }
}
