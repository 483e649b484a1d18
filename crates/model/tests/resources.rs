//! What a set of resources promises: clones that never change, ages that outlive an edit, quick ways in.

use std::sync::Arc;

use model::resources::{Referred, Referrer};
use model::{Resource, Resources, yaml};

fn read(text: &str) -> Vec<Resource> {
    let read = yaml::read(text, "test.yaml");
    assert!(read.violations.is_empty(), "{}", read.violations);
    read.resources
}

fn set(text: &str) -> Resources {
    Resources::new().reread(read(text))
}

fn maps(entries: &[(&str, &str)]) -> String {
    let document = |(name, value): &(&str, &str)| {
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: {value}}}\n")
    };
    entries.iter().map(document).collect()
}

#[test]
fn a_clone_does_not_see_later_edits() {
    let mut resources = set(&maps(&[("a", "one")]));
    let before = resources.clone();

    let key = resources.iter().next().expect("a resource").key.clone();
    resources.remove(&key);

    assert!(resources.is_empty());
    assert_eq!(before.len(), 1);
    assert!(before.config_map("default", "a").is_some());
}

#[test]
fn a_re_read_keeps_ages_and_what_did_not_change() {
    let first = set(&maps(&[("b", "one"), ("a", "one")]));
    let second = first.reread(read(&maps(&[("b", "one"), ("new", "one"), ("a", "two")])));

    let object =
        |set: &Resources, name: &str| set.config_map("default", name).expect("a map").resource.clone();
    assert!(Arc::ptr_eq(&object(&first, "b"), &object(&second, "b")), "an unchanged object was replaced");
    assert_eq!(object(&second, "a").age, object(&first, "a").age);
    assert_eq!((object(&first, "a").meta.generation, object(&second, "a").meta.generation), (1, 2));
    assert!(object(&second, "b").age < object(&second, "a").age, "the order of the first reading is lost");
    assert!(object(&second, "a").age < object(&second, "new").age);
}

#[test]
fn a_removed_object_that_returns_is_new() {
    let first = set(&maps(&[("a", "one"), ("b", "one")]));
    let without = first.reread(read(&maps(&[("b", "one")])));
    let again = without.reread(read(&maps(&[("a", "one"), ("b", "one")])));

    let age = |name: &str| again.config_map("default", name).expect("a map").resource.age;
    assert!(age("b") < age("a"));
}

#[test]
fn a_stated_creation_time_decides_who_is_older() {
    let text = maps(&[("late", "x"), ("early", "x")])
        .replace("{name: late}", "{name: late, creationTimestamp: 2026-01-02T00:00:00Z}")
        .replace("{name: early}", "{name: early, creationTimestamp: '2026-01-02T00:30:00+01:00'}");

    let resources = set(&text);

    let age = |name: &str| resources.config_map("default", name).expect("a map").resource.age;
    assert!(age("early") < age("late"));
}

#[test]
fn slices_are_found_by_their_service_and_follow_edits() {
    let slice = |name: &str, service: &str| {
        format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}, namespace: shop, labels: {{kubernetes.io/service-name: {service}}}}}\naddressType: IPv4\n"
        )
    };
    let names = |set: &Resources, service: &str| -> Vec<String> {
        set.endpoint_slices("shop", service).map(|slice| slice.resource.key.name.to_string()).collect()
    };
    let mut resources = set(&format!("{}{}{}", slice("b", "cart"), slice("a", "cart"), slice("c", "other")));
    assert_eq!(names(&resources, "cart"), ["a", "b"]);

    read(&slice("b", "other")).into_iter().for_each(|moved| drop(resources.insert(moved)));
    assert_eq!(names(&resources, "cart"), ["a"]);
    assert_eq!(names(&resources, "other"), ["b", "c"]);

    let key = resources.endpoint_slices("shop", "cart").next().expect("a slice").resource.key.clone();
    resources.remove(&key);
    assert!(names(&resources, "cart").is_empty());
}

#[test]
fn every_namespace_exists_and_carries_its_name() {
    let resources = set("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: a}}\n");

    let label =
        |namespace: &str, key: &str| resources.namespace_labels(namespace).get(key).map(ToString::to_string);
    assert_eq!(label("shop", "team").as_deref(), Some("a"));
    assert_eq!(label("shop", "kubernetes.io/metadata.name").as_deref(), Some("shop"));
    assert_eq!(label("undeclared", "kubernetes.io/metadata.name").as_deref(), Some("undeclared"));
}

#[test]
fn a_reference_across_namespaces_needs_a_grant_of_the_namespace_referred_to() {
    let grant = "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: a, namespace: backends}\nspec:\n  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]\n  to: [{group: '', kind: Service, name: cart}]\n";
    let resources = set(grant);
    let route = |namespace| Referrer { group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace };
    let service = |namespace, name| Referred { group: "", kind: "Service", namespace, name };

    assert!(resources.may_refer(route("shop"), service("shop", "any")));
    assert!(resources.may_refer(route("shop"), service("backends", "cart")));
    assert!(!resources.may_refer(route("shop"), service("backends", "other")));
    assert!(!resources.may_refer(route("other"), service("backends", "cart")));
    assert!(
        !resources.may_refer(Referrer { kind: "GRPCRoute", ..route("shop") }, service("backends", "cart"))
    );
}
