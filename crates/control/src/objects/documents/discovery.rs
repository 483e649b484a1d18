//! Discovery: which groups, versions and kinds there are, and what can be done with them.

use model::kinds::{CORE_GROUP, KindName, Scope};
use model::schema;
use serde_json::{Map, Value, json};

use super::names::{GroupVersion, categories, group_versions, groups, short_names, singular};
use crate::api::EVENTS;
use crate::told;

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];
/// What is told is nobody's to change.
const TOLD_VERBS: [&str; 2] = ["get", "list"];

/// There are never any events, and never new ones; see [`crate::api`].
const EVENT_VERBS: [&str; 2] = ["list", "watch"];

/// Which form of the aggregated discovery a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregated {
    /// `apidiscovery.k8s.io/v2`.
    V2,
    /// `apidiscovery.k8s.io/v2beta1`.
    V2Beta1,
}

/// `/api`: the versions of the core group. `address` is `host:port` of this server as clients reach it.
#[must_use]
pub fn api_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": versions("").iter().map(|one| one.version).collect::<Vec<_>>(),
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `/apis`: all other groups.
#[must_use]
pub fn api_groups() -> Value {
    let groups: Vec<Value> = groups()
        .into_iter()
        .chain([told::GROUP])
        .filter(|group| !group.is_empty())
        .map(|group| Value::Object(one_group(group)))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`.
#[must_use]
pub fn api_group(group: &str) -> Option<Value> {
    let mut groups = groups().into_iter().chain([told::GROUP]);
    let group = groups.find(|known| !known.is_empty() && *known == group)?;
    let mut document = Map::new();
    document.insert("kind".to_owned(), "APIGroup".into());
    document.insert("apiVersion".to_owned(), "v1".into());
    document.extend(one_group(group));
    Some(Value::Object(document))
}

fn one_group(group: &'static str) -> Map<String, Value> {
    let versions: Vec<Value> = versions(group)
        .into_iter()
        .map(|one| json!({"groupVersion": one.text(), "version": one.version}))
        .collect();
    let mut map = Map::new();
    map.insert("name".to_owned(), group.into());
    map.insert("preferredVersion".to_owned(), versions.first().cloned().unwrap_or_default());
    map.insert("versions".to_owned(), versions.into());
    map
}

fn versions(group: &str) -> Vec<GroupVersion> {
    let told = GroupVersion { group: told::GROUP, version: told::VERSION };
    group_versions().into_iter().chain([told]).filter(|one| one.group == group).collect()
}

/// `/api/v1` and `/apis/GROUP/VERSION`: the kinds of a version.
#[must_use]
pub fn api_resources(group: &str, version: &str) -> Option<Value> {
    let one = versions(group).into_iter().find(|one| one.version == version)?;
    let mut resources = Vec::new();
    for kind in told_in(one) {
        resources.push(json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.is_namespaced,
            "kind": kind.kind, "verbs": TOLD_VERBS,
        }));
    }
    if one.group == CORE_GROUP {
        resources.push(json!({
            "name": EVENTS, "singularName": "event", "namespaced": true, "kind": "Event", "verbs": EVENT_VERBS,
            "shortNames": ["ev"],
        }));
    }
    for kind in one.kinds() {
        let mut resource = json!({
            "name": kind.plural(), "singularName": singular(kind), "namespaced": kind.scope() == Scope::Namespaced,
            "kind": kind.as_str(), "verbs": VERBS,
        });
        names_into(&mut resource, kind);
        resources.push(resource);
        if schema::status(kind).is_some() {
            resources.push(json!({
                "name": format!("{}/status", kind.plural()), "singularName": "",
                "namespaced": kind.scope() == Scope::Namespaced, "kind": kind.as_str(), "verbs": STATUS_VERBS,
            }));
        }
    }
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": one.text(), "resources": resources,
    }))
}

/// What the control plane tells about itself; it is no kind of the model, because nothing of it is kept.
fn told_in(one: GroupVersion) -> impl Iterator<Item = &'static told::Kind> {
    told::KINDS.into_iter().filter(move |_| one.group == told::GROUP)
}

fn names_into(resource: &mut Value, kind: KindName) {
    for (field, names) in [("shortNames", short_names(kind)), ("categories", categories(kind))] {
        if !names.is_empty() {
            resource[field] = names.into();
        }
    }
}

/// `/api` (`core`) and `/apis` for clients that want everything in one answer.
#[must_use]
pub fn discover(core: bool, form: Aggregated) -> Value {
    let api_version = match form {
        Aggregated::V2 => "apidiscovery.k8s.io/v2",
        Aggregated::V2Beta1 => "apidiscovery.k8s.io/v2beta1",
    };
    let items: Vec<Value> = groups()
        .into_iter()
        .chain([told::GROUP])
        .filter(|group| group.is_empty() == core)
        .map(|group| {
            let versions: Vec<Value> = versions(group).into_iter().map(discovered).collect();
            let mut metadata = json!({"creationTimestamp": null});
            if !group.is_empty() {
                metadata["name"] = group.into();
            }
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items})
}

fn discovered(one: GroupVersion) -> Value {
    let told = told_in(one).map(|kind| {
        let response = json!({"group": one.group, "version": one.version, "kind": kind.kind});
        let scope = if kind.is_namespaced { "Namespaced" } else { "Cluster" };
        json!({
            "resource": kind.plural, "responseKind": response, "scope": scope,
            "singularResource": kind.singular, "verbs": TOLD_VERBS,
        })
    });
    let events = (one.group == CORE_GROUP).then(|| {
        let response = json!({"group": CORE_GROUP, "version": one.version, "kind": "Event"});
        json!({
            "resource": EVENTS, "responseKind": response, "scope": "Namespaced", "singularResource": "event",
            "verbs": EVENT_VERBS, "shortNames": ["ev"],
        })
    });
    let resources: Vec<Value> = one
        .kinds()
        .map(|kind| {
            let response = json!({"group": one.group, "version": one.version, "kind": kind.as_str()});
            let scope = match kind.scope() {
                Scope::Namespaced => "Namespaced",
                Scope::Cluster => "Cluster",
            };
            let mut resource = json!({
                "resource": kind.plural(), "responseKind": response, "scope": scope,
                "singularResource": singular(kind), "verbs": VERBS,
            });
            names_into(&mut resource, kind);
            if schema::status(kind).is_some() {
                resource["subresources"] =
                    json!([{"subresource": "status", "responseKind": response, "verbs": STATUS_VERBS}]);
            }
            resource
        })
        .chain(told)
        .chain(events)
        .collect();
    json!({"version": one.version, "resources": resources, "freshness": "Current"})
}

/// `/version`: which Kubernetes this is like, and which Selvedge it is.
#[must_use]
pub fn version(selvedge: &str) -> Value {
    json!({
        "major": KUBERNETES.0, "minor": KUBERNETES.1,
        "gitVersion": format!("v{}.{}.0+selvedge-{selvedge}", KUBERNETES.0, KUBERNETES.1),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "",
        "compiler": "rustc", "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// The version of the Kubernetes API that answers are shaped like.
const KUBERNETES: (&str, &str) = ("1", "33");
