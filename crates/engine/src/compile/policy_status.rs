//! What is told about policies about callers: one entry a target, because that is where a policy has its effect.

use std::sync::Arc;

use model::Resources;
use model::kinds::AuthenticationPolicy;
use model::kinds::authorization_policy::{AuthorizationPolicy, ROOT_NAMESPACE};
use model::kinds::backend_tls_policy::PolicyTargetRef;
use model::kinds::external_authorization_policy::ExternalAuthorizationPolicy;
use model::kinds::references::ParentRef;
use model::kinds::{CORE_GROUP, Gateway, HttpRoute, KindName, Scope, Service, TcpRoute};
use model::resources::Typed;
use model::{Resource, ResourceKey};

use super::authentication::AuthenticationBook;
use super::protection::PolicyBook;
use crate::status::{AncestorStatus, Condition, ConditionType, PolicyStatus, Reason};

/// The status of every policy.
pub(super) fn statuses(
    controller: &Arc<str>,
    resources: &Resources,
    policies: &PolicyBook,
) -> Vec<(Arc<Resource>, PolicyStatus)> {
    let authentication = &policies.authentication;
    let authorizing = resources.all::<AuthorizationPolicy>().map(|policy: Typed<'_, AuthorizationPolicy>| {
        let more = |_| Ok(());
        (
            policy.resource.clone(),
            status(controller, (policy.resource, &policy.content.spec.target_refs), resources, more),
        )
    });
    let authenticating =
        resources.all::<AuthenticationPolicy>().map(|policy: Typed<'_, AuthenticationPolicy>| {
            let more = |at| judge_authentication(policy.resource, at, authentication);
            (
                policy.resource.clone(),
                status(controller, (policy.resource, &policy.content.spec.target_refs), resources, more),
            )
        });
    let asking = resources.all::<ExternalAuthorizationPolicy>().map(
        |policy: Typed<'_, ExternalAuthorizationPolicy>| {
            let more = |_| match policies.authorizers.unresolved(&policy.resource.key) {
                Some((reason, why)) => Err((*reason, format!("{why}; nobody is let in"))),
                None => Ok(()),
            };
            (
                policy.resource.clone(),
                status(controller, (policy.resource, &policy.content.spec.target_refs), resources, more),
            )
        },
    );
    authorizing.chain(authenticating).chain(asking).collect()
}

/// What is wrong with a policy beyond a target of it that exists.
fn judge_authentication(
    policy: &Resource,
    target: usize,
    authentication: &AuthenticationBook,
) -> Result<(), (Reason, String)> {
    if authentication.has_lost(&policy.key, target) {
        return Err((Reason::Conflicted, "an older policy already holds for this target".to_owned()));
    }
    match authentication.unusable(&policy.key) {
        Some(why) => Err((Reason::Invalid, format!("{why}; nobody is let in"))),
        None => Ok(()),
    }
}

fn status(
    controller: &Arc<str>,
    (policy, targets): (&Resource, &[PolicyTargetRef]),
    resources: &Resources,
    more: impl Fn(usize) -> Result<(), (Reason, String)>,
) -> PolicyStatus {
    let generation = policy.meta.generation;
    let namespace: Arc<str> = policy.namespace().into();
    let entry = |ancestor_ref: ParentRef, judged: Result<(), (Reason, String)>| AncestorStatus {
        ancestor_ref,
        controller_name: controller.clone(),
        conditions: vec![match judged {
            Ok(()) => Condition::yes(ConditionType::Accepted, Reason::Accepted, generation),
            Err((reason, text)) => Condition::no(ConditionType::Accepted, reason, text, generation),
        }],
    };
    if targets.is_empty() {
        let whole = ParentRef {
            group: CORE_GROUP.into(),
            kind: "Namespace".into(),
            namespace: None,
            name: namespace,
            section_name: None,
            port: None,
        };
        return PolicyStatus { ancestors: vec![entry(whole, more(0))] };
    }
    let ancestors = targets.iter().enumerate().map(|(at, target)| {
        let judged = judge(target, &namespace, resources).and_then(|()| more(at));
        let reference = ParentRef {
            group: target.group.clone(),
            kind: target.kind.clone(),
            namespace: (*target.kind != *"Mesh").then(|| namespace.clone()),
            name: target.name.clone(),
            section_name: target.section_name.clone(),
            port: None,
        };
        entry(reference, judged)
    });
    PolicyStatus { ancestors: ancestors.collect() }
}

fn judge(target: &PolicyTargetRef, namespace: &str, resources: &Resources) -> Result<(), (Reason, String)> {
    let PolicyTargetRef { group, kind, name, section_name } = target;
    let missing = |text: String| Err((Reason::TargetNotFound, text));
    let Some(known) = KindName::find(group, kind) else {
        return missing(format!("objects of kind `{kind}` are not known here"));
    };
    let within = match known.scope() {
        Scope::Namespaced => namespace,
        Scope::Cluster if namespace != ROOT_NAMESPACE => {
            let text = format!("only policies of namespace `{ROOT_NAMESPACE}` may be for a whole {kind}");
            return Err((Reason::RefNotPermitted, text));
        }
        Scope::Cluster => "",
    };
    let place = if within.is_empty() { name.to_string() } else { format!("{within}/{name}") };
    let Some(object) = resources.get(&key(known, within, name)).filter(|_| !name.is_empty()) else {
        return missing(format!("no {kind} `{place}` exists; nothing is protected by this"));
    };
    match (section_name, sections(object)) {
        (Some(section), Some(names)) if !names.contains(section) => {
            let names = names.iter().map(|name| &**name).collect::<Vec<_>>().join(", ");
            let there =
                if names.is_empty() { "none has a name".to_owned() } else { format!("there are: {names}") };
            missing(format!("{kind} `{place}` has no section `{section}`; {there}"))
        }
        _ => Ok(()),
    }
}

fn key(kind: KindName, namespace: &str, name: &str) -> ResourceKey {
    ResourceKey {
        group: kind.group().into(),
        kind: kind.as_str().into(),
        namespace: namespace.parse().ok(),
        // A name that no object can have finds none.
        name: name.parse().unwrap_or_else(|_| "no-such-name".parse().expect("a name")),
    }
}

/// Names of the sections of an object: listeners, rules, ports. `None` for one that has none.
fn sections(object: &Resource) -> Option<Vec<Arc<str>>> {
    let listeners = |gateway: &Gateway| gateway.spec.listeners.iter().map(|each| each.name.clone()).collect();
    let rules = |route: &HttpRoute| route.spec.rules.iter().filter_map(|each| each.name.clone()).collect();
    let tcp_rules = |route: &TcpRoute| route.spec.rules.iter().filter_map(|each| each.name.clone()).collect();
    let ports = |service: &Service| service.spec.ports.iter().filter_map(|each| each.name.clone()).collect();
    let of_gateway = object.content::<Gateway>().map(listeners);
    let of_route = || object.content().map(rules).or_else(|| object.content().map(tcp_rules));
    of_gateway.or_else(of_route).or_else(|| object.content().map(ports))
}
