//! Nobody gives away what they do not have.
//!
//! Without this, who may write roles may do everything: they would write one for themselves. So whoever writes a role
//! has to have everything in it, whoever binds one everything that it gives, and whoever makes a token has to be the
//! one it stands for. Three verbs lift this, as they do in Kubernetes: `escalate` on roles, `bind` on the role that is
//! bound, `impersonate` on users and groups.

use std::sync::Arc;

use model::Resource;
use model::kinds::access_token::AccessTokenSpec;
use model::kinds::role::PolicyRule;
use model::kinds::role_binding::{RoleKind, RoleRef};
use model::kinds::{CORE_GROUP, Kind, KindName, RBAC_GROUP};

use super::builtin::everything;
use super::request::{Request, ResourceRequest};
use super::rule::{atoms, includes};
use super::rules::Rules;
use super::user::{AUTHENTICATED, User};

/// Most single grants that a rule may be made of to be compared with what its writer has. Past it the rule is refused
/// unless its writer may escalate: verbs, groups, resources and names multiply.
pub const GRANTS_COMPARED_MAX: usize = 10_000;

/// Most missing grants that a message names.
const GRANTS_SHOWN_MAX: usize = 5;

/// Whether somebody who may write an object may write this in it; if not, why. `before` is the object as it was.
///
/// # Errors
/// What the writer lacks, as a sentence.
pub fn check(rules: &Rules, user: &User, before: Option<&Resource>, after: &Resource) -> Result<(), String> {
    if before.is_some_and(|before| before.kind == after.kind) {
        return Ok(());
    }
    let namespace = after.key.namespace.as_ref().map(model::Namespace::to_arc);
    match &after.kind {
        Kind::Role(role) => write_role(rules, user, after, &role.rules),
        Kind::ClusterRole(role) if role.aggregation_rule.is_none() => {
            write_role(rules, user, after, &role.rules)
        }
        // What it picks may change at any time, so only who has everything may say what it picks.
        Kind::ClusterRole(_) => write_role(rules, user, after, &everything()),
        Kind::RoleBinding(binding) => bind(rules, user, namespace.as_ref(), &binding.role_ref),
        Kind::ClusterRoleBinding(binding) => bind(rules, user, None, &binding.role_ref),
        Kind::AccessToken(token) => issue(rules, user, &token.spec),
        Kind::Namespace(_)
        | Kind::Secret(_)
        | Kind::ConfigMap(_)
        | Kind::Service(_)
        | Kind::Pod(_)
        | Kind::EndpointSlice(_)
        | Kind::GatewayClass(_)
        // An identity of the mesh may do nothing here but what bindings give it, and those are judged above.
        | Kind::JoinToken(_)
        | Kind::Team(_)
        | Kind::Developer(_)
        | Kind::Application(_)
        | Kind::Subscription(_)
        | Kind::Credential(_)
        | Kind::TrustBundle(_)
        | Kind::Api(_)
        | Kind::ApiVersion(_)
        | Kind::ApiRevision(_)
        | Kind::ApiBinding(_)
        | Kind::ApiProduct(_)
        | Kind::Plan(_)
        | Kind::Gateway(_)
        | Kind::HttpRoute(_)
        | Kind::TcpRoute(_)
        | Kind::ReferenceGrant(_)
        | Kind::BackendTlsPolicy(_)
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
        | Kind::Backend(_)
        | Kind::GatewayParameters(_)
        | Kind::Mesh(_)
        | Kind::Workload(_) => Ok(()),
    }
}

fn write_role(rules: &Rules, user: &User, role: &Resource, wanted: &[PolicyRule]) -> Result<(), String> {
    let namespace: Arc<str> = role.key.namespace.as_ref().map_or_else(|| "".into(), model::Namespace::to_arc);
    let plural = role.kind.name().plural();
    let escalate = verb("escalate", RBAC_GROUP, plural, &namespace, role.key.name.as_str());
    if rules.allows(user, &escalate).allowed {
        return Ok(());
    }
    has_all(rules, user, &namespace, wanted, "put into a role")
}

fn bind(rules: &Rules, user: &User, namespace: Option<&Arc<str>>, role: &RoleRef) -> Result<(), String> {
    let place: Arc<str> = namespace.cloned().unwrap_or_else(|| "".into());
    let plural = match role.kind {
        RoleKind::Role => KindName::Role.plural(),
        RoleKind::ClusterRole => KindName::ClusterRole.plural(),
    };
    if rules.allows(user, &verb("bind", RBAC_GROUP, plural, &place, &role.name)).allowed {
        return Ok(());
    }
    let Some(given) = rules.role(namespace, role) else {
        return Err(format!(
            "there is no role `{}` yet; make it first, so that it is known what is given",
            role.name
        ));
    };
    has_all(rules, user, &place, &given, "give to others")
}

fn issue(rules: &Rules, user: &User, token: &AccessTokenSpec) -> Result<(), String> {
    let may = |resource: &str, name: &str| {
        rules.allows(user, &verb("impersonate", CORE_GROUP, resource, "", name)).allowed
    };
    if token.user != user.name && !may("users", &token.user) {
        return Err(format!(
            "{user} cannot make a token for user `{}`; needed is the verb `impersonate` on `users`",
            token.user
        ));
    }
    let own = |group: &str| group == AUTHENTICATED || user.is_in(group);
    match token.groups.iter().find(|group| !own(group) && !may("groups", group)) {
        None => Ok(()),
        Some(group) => Err(format!(
            "{user} cannot make a token of group `{group}`; needed is the verb `impersonate` on `groups`"
        )),
    }
}

/// Whether somebody has everything in some rules, in a namespace or (with an empty one) everywhere.
fn has_all(
    rules: &Rules,
    user: &User,
    namespace: &str,
    wanted: &[PolicyRule],
    purpose: &str,
) -> Result<(), String> {
    let own = rules.rules(user, namespace);
    let mut missing = Vec::new();
    for rule in wanted.iter().filter(|rule| !own.iter().any(|has| whole(has, rule))) {
        if atoms(rule).nth(GRANTS_COMPARED_MAX).is_some() {
            return Err(format!(
                "a rule is made of more than {GRANTS_COMPARED_MAX} single grants; write several rules"
            ));
        }
        let lacking = atoms(rule).filter(|atom| !own.iter().any(|has| includes(has, atom)));
        missing.extend(lacking.take(GRANTS_SHOWN_MAX));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = missing.iter().take(GRANTS_SHOWN_MAX).map(describe).collect();
    Err(format!("{user} cannot {purpose} what they do not have themselves: {}", shown.join("; ")))
}

/// Whether one rule includes another one as it stands, list by list.
fn whole(has: &PolicyRule, wanted: &PolicyRule) -> bool {
    has == wanted || (wanted.non_resource_urls.is_empty() && includes(has, wanted))
}

fn verb(verb: &str, group: &str, resource: &str, namespace: &str, name: &str) -> Request {
    Request::Resource(ResourceRequest {
        verb: verb.into(),
        group: group.into(),
        resource: resource.into(),
        subresource: "".into(),
        namespace: namespace.into(),
        name: name.into(),
    })
}

/// A single grant, for people.
fn describe(atom: &PolicyRule) -> String {
    let first = |list: &[Arc<str>]| list.first().cloned().unwrap_or_else(|| "".into());
    if let Some(path) = atom.non_resource_urls.first() {
        return format!("{} {path}", first(&atom.verbs));
    }
    let group = first(&atom.api_groups);
    let dot = if group.is_empty() { "" } else { "." };
    let name = atom.resource_names.first().map(|name| format!(" \"{name}\"")).unwrap_or_default();
    format!("{} {}{dot}{group}{name}", first(&atom.verbs), first(&atom.resources))
}
