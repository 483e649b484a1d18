//! ClusterRoles that are always there, for the different people in the life of an API.
//!
//! They are given with bindings like any others; in one namespace with a RoleBinding, everywhere with a
//! ClusterRoleBinding. One that is stored under the same name takes the place of ours. The three names that Kubernetes
//! uses for the first three are understood as well. The kinds that say who somebody is are in none of them but the one
//! that allows everything: who may make tokens at will is whoever they like.

use std::sync::Arc;

use model::kinds::role::{ALL, PolicyRule};
use model::kinds::{CORE_GROUP, GATEWAY_GROUP, KindName, MESH_GROUP, POLICY_GROUP, RBAC_GROUP};

/// Products, plans, subscriptions and the portal.
const PRODUCT_GROUP: &str = "product.selvedge.dev";
/// Addresses of Services.
const DISCOVERY_GROUP: &str = "discovery.k8s.io";

/// The path of the stream from which a proxy gets its configuration: gRPC's for Envoy's incremental discovery. The
/// server shows each proxy only what it serves.
pub const STREAM: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];
const WORK: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// A role and what it allows: verbs, group, resources.
type Line = (&'static [&'static str], &'static str, &'static [&'static str]);

const ROUTES: &[&str] = &["httproutes", "grpcroutes", "tlsroutes", "tcproutes", "udproutes"];
const ROUTES_STATUS: &[&str] =
    &["httproutes/status", "grpcroutes/status", "tlsroutes/status", "tcproutes/status", "udproutes/status"];
const GATEWAYS: &[&str] = &["gateways", "listenersets", "referencegrants", "backendtlspolicies"];
const WORKLOADS: &[&str] = &["services", "configmaps", "pods"];
/// Every kind of its group with what is said of it, and not what else hangs at a kind: whoever may read a Gateway may
/// not therefore watch what passes it (`gateways/tap`), as they might with `*`.
const KINDS: &str = "kinds";
/// There are none; but clients ask for them when they describe something.
const EVENTS: &[&str] = &["events"];

/// All of a namespace, who may do what in it included. Given everywhere, all of everything.
const ADMIN: &[Line] = &[
    (WORK, CORE_GROUP, &["namespaces", "services", "configmaps", "pods", "secrets"]),
    (READ, CORE_GROUP, EVENTS),
    (WORK, DISCOVERY_GROUP, &["endpointslices"]),
    (WORK, GATEWAY_GROUP, &[KINDS]),
    (WORK, MESH_GROUP, &[KINDS]),
    (WORK, POLICY_GROUP, &[ALL]),
    (WORK, PRODUCT_GROUP, &[ALL]),
    (WORK, RBAC_GROUP, &["roles", "rolebindings"]),
];

/// Writes everything that carries traffic, but neither says who may what nor which gateway classes there are.
const EDITOR: &[Line] = &[
    (READ, CORE_GROUP, &["namespaces"]),
    (WORK, CORE_GROUP, &["services", "configmaps", "pods", "secrets"]),
    (READ, CORE_GROUP, EVENTS),
    (WORK, DISCOVERY_GROUP, &["endpointslices"]),
    (READ, GATEWAY_GROUP, &[KINDS]),
    (WRITE, GATEWAY_GROUP, ROUTES),
    (WRITE, GATEWAY_GROUP, GATEWAYS),
    (READ, MESH_GROUP, &[KINDS]),
    (WRITE, MESH_GROUP, &["backends", "gatewayparameters", "workloads"]),
    (WORK, POLICY_GROUP, &[ALL]),
    (READ, PRODUCT_GROUP, &[ALL]),
];

/// Sees everything but secrets, and who may what.
const VIEWER: &[Line] = &[
    (READ, CORE_GROUP, &["namespaces"]),
    (READ, CORE_GROUP, WORKLOADS),
    (READ, CORE_GROUP, EVENTS),
    (READ, DISCOVERY_GROUP, &["endpointslices"]),
    (READ, GATEWAY_GROUP, &[KINDS]),
    (READ, MESH_GROUP, &[KINDS]),
    (READ, POLICY_GROUP, &[ALL]),
    (READ, PRODUCT_GROUP, &[ALL]),
];

/// Makes APIs and their revisions, routes them and sets their policies; sees, but does not set, what they cost.
const API_OWNER: &[Line] = &[
    (READ, CORE_GROUP, &["namespaces", "services", "configmaps"]),
    (READ, CORE_GROUP, EVENTS),
    (READ, DISCOVERY_GROUP, &["endpointslices"]),
    (READ, GATEWAY_GROUP, &["gateways", "gatewayclasses", "referencegrants"]),
    (WORK, GATEWAY_GROUP, ROUTES),
    (READ, GATEWAY_GROUP, ROUTES_STATUS),
    (WORK, GATEWAY_GROUP, &["backendtlspolicies"]),
    (WORK, MESH_GROUP, &["backends"]),
    (WORK, POLICY_GROUP, &[ALL]),
    (WORK, PRODUCT_GROUP, &["apis", "apiversions", "apirevisions"]),
    (READ, PRODUCT_GROUP, &["products", "plans", "planversions", "subscriptions", "usage"]),
];

/// Bundles APIs into products, sets plans and decides about subscriptions; sees the APIs.
const PLAN_OWNER: &[Line] = &[
    (READ, CORE_GROUP, &["namespaces"]),
    (
        READ,
        PRODUCT_GROUP,
        &["apis", "apiversions", "apirevisions", "teams", "developers", "applications", "usage"],
    ),
    (WORK, PRODUCT_GROUP, &["products", "plans", "planversions", "ratecards", "subscriptions"]),
    (&["update", "patch"], PRODUCT_GROUP, &["subscriptions/approval"]),
];

/// Runs the portal and looks after those who use it; sees what is offered there.
const PORTAL_ADMIN: &[Line] = &[
    (READ, CORE_GROUP, &["namespaces"]),
    (READ, PRODUCT_GROUP, &["apis", "apiversions", "products", "plans", "planversions", "subscriptions"]),
    (WORK, PRODUCT_GROUP, &["portals", "portalpages", "teams", "developers", "applications"]),
];

/// What a name stands for.
enum Allows {
    Lines(&'static [Line]),
    /// Paths that may be posted to.
    Paths(&'static [&'static str]),
    Everything,
}

#[rustfmt::skip] // the table is the point
const ROLES: &[(&str, Allows)] = &[
    ("cluster-admin", Allows::Everything),
    ("admin",         Allows::Lines(ADMIN)),
    ("editor",        Allows::Lines(EDITOR)),
    ("edit",          Allows::Lines(EDITOR)),
    ("viewer",        Allows::Lines(VIEWER)),
    ("view",          Allows::Lines(VIEWER)),
    ("api-owner",     Allows::Lines(API_OWNER)),
    ("plan-owner",    Allows::Lines(PLAN_OWNER)),
    ("portal-admin",  Allows::Lines(PORTAL_ADMIN)),
    ("gateway",       Allows::Paths(&[STREAM])),
];

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROLES.iter().map(|(name, _)| *name)
}

/// The roles, by name.
pub fn cluster_roles() -> impl Iterator<Item = (Arc<str>, Arc<[PolicyRule]>)> {
    ROLES.iter().map(|(name, allows)| (Arc::from(*name), rules(allows).into()))
}

/// What may be done by who may do everything.
#[must_use]
pub fn everything() -> Vec<PolicyRule> {
    let all = || vec![Arc::from(ALL)];
    let paths = PolicyRule { verbs: all(), non_resource_urls: all(), ..PolicyRule::default() };
    vec![PolicyRule { verbs: all(), api_groups: all(), resources: all(), ..PolicyRule::default() }, paths]
}

fn rules(allows: &Allows) -> Vec<PolicyRule> {
    match allows {
        Allows::Everything => everything(),
        Allows::Paths(paths) => {
            vec![PolicyRule {
                verbs: words(&["post"]),
                non_resource_urls: words(paths),
                ..PolicyRule::default()
            }]
        }
        Allows::Lines(lines) => lines
            .iter()
            .map(|(verbs, group, resources)| PolicyRule {
                verbs: words(verbs),
                api_groups: words(&[group]),
                resources: named(group, resources),
                ..PolicyRule::default()
            })
            .collect(),
    }
}

fn named(group: &str, resources: &[&str]) -> Vec<Arc<str>> {
    let kinds = || KindName::ALL.iter().filter(|kind| kind.group() == group);
    let both = |kind: &KindName| [Arc::from(kind.plural()), Arc::from(format!("{}/status", kind.plural()))];
    match resources {
        [KINDS] => kinds().flat_map(both).collect(),
        written => words(written),
    }
}

fn words(words: &[&str]) -> Vec<Arc<str>> {
    words.iter().map(|word| Arc::from(*word)).collect()
}
