//! What becomes of updates, good and bad.

use std::net::Ipv4Addr;

use engine::config::{Action, Backends, Target as BackendTarget};
use serde_json::{Value, json};

use super::*;

fn name(of: &str, called: &str) -> ObjectName {
    ObjectName { of: TypeName::new(of), name: called.into() }
}

fn content(json: Vec<u8>, parents: &[&str], denies: bool) -> Content {
    Content {
        json: json.into(),
        parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
        denies,
    }
}

fn received(content: &Content) -> Received {
    let bytes = content.encode_to_vec();
    Received { version: Version::of(&bytes), content: bytes.into() }
}

fn object(value: Value) -> (ObjectName, Received) {
    let kind = value["kind"].as_str().expect("a kind").to_owned();
    let called = value["metadata"]["name"].as_str().expect("a name");
    let called = match value["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{namespace}/{called}"),
        None => called.to_owned(),
    };
    (name(&kind, &called), received(&content(value.to_string().into_bytes(), &[], false)))
}

fn route(hostname: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": "shop", "namespace": "a" },
        "spec": {
            "parentRefs": [{ "name": "edge" }], "hostnames": [hostname],
            "rules": [{ "backendRefs": [{ "name": "cart", "port": 80 }] }],
        },
    })
}

fn scene() -> Vec<(ObjectName, Received)> {
    let documents = [
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": { "name": "selvedge" },
            "spec": { "controllerName": "selvedge.dev/gateway-controller" },
        }),
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": { "name": "edge", "namespace": "a" },
            "spec": {
                "gatewayClassName": "selvedge", "listeners": [{ "name": "http", "port": 8080, "protocol": "HTTP" }],
            },
        }),
        route("first.example"),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "cart", "namespace": "a" },
            "spec": { "ports": [{ "name": "main", "port": 80 }] },
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": { "name": "cart-1", "namespace": "a", "labels": { "kubernetes.io/service-name": "cart" } },
            "addressType": "IPv4", "ports": [{ "name": "main", "port": 9000 }],
            "endpoints": [{ "addresses": ["127.0.0.1"] }],
        }),
    ];
    documents.into_iter().map(object).collect()
}

fn update(epoch: u64, put: Vec<(ObjectName, Received)>, removed: &[ObjectName]) -> Update {
    Update { epoch, put: put.into_iter().collect(), removed: removed.to_vec() }
}

fn replica() -> Replica {
    let mut replica = Replica::new(Ipv4Addr::LOCALHOST.into(), &Interest::All, ServiceBlock::default());
    let taken = replica.take(&update(1, scene(), &[]));
    assert!(taken.rejections.is_empty(), "{:?}", taken.rejections);
    replica
}

/// Hosts that are served, each with whether requests are refused there.
fn served(config: &Config) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for port in &config.ports {
        for (_, listener) in port.table().expect("requests").listeners().sorted() {
            for (host, entries) in listener.hosts.sorted() {
                for entry in entries.entries() {
                    let leads_nowhere = |backends: &Backends| {
                        backends
                            .choices
                            .iter()
                            .all(|choice| matches!(choice.target, BackendTarget::Invalid { .. }))
                    };
                    let refused = match &entry.rule.action {
                        Action::Refuse { .. } => true,
                        Action::Forward(backends) => leads_nowhere(backends),
                        Action::Redirect(_) | Action::Answer(_) | Action::Mock(_) => false,
                    };
                    found.push((host.to_string(), refused));
                }
            }
        }
    }
    found
}

fn config(taken: Taken) -> Arc<Config> {
    taken.config.expect("another config")
}

const BROKEN: &[u8] = b"{ \"kind\": \"HTTPRoute\", \"spec\": 7 }";

fn broken(of: &str, called: &str, parents: &[&str], denies: bool) -> (ObjectName, Received) {
    (name(of, called), received(&content(BROKEN.to_vec(), parents, denies)))
}

#[test]
fn one_broken_route_keeps_its_last_good_version_and_everything_else_applies() {
    let mut replica = replica();
    let mut second = route("second.example");
    second["metadata"]["name"] = json!("other");
    let put = vec![broken("HTTPRoute", "a/shop", &["Gateway/a/edge"], false), object(second)];

    let taken = replica.take(&update(2, put, &[]));

    let named: Vec<String> = taken.rejections.iter().map(|rejection| rejection.object.to_string()).collect();
    assert_eq!(named, ["HTTPRoute a/shop"]);
    let wanted = [("first.example".to_owned(), false), ("second.example".to_owned(), false)];
    assert_eq!(served(&config(taken)), wanted);
}

#[test]
fn a_rejected_object_that_is_removed_is_gone_with_its_last_good_version() {
    let mut replica = replica();
    replica.take(&update(2, vec![broken("HTTPRoute", "a/shop", &[], false)], &[]));

    let taken = replica.take(&update(3, Vec::new(), &[name("HTTPRoute", "a/shop")]));

    assert_eq!(served(&config(taken)), []);
}

#[test]
fn a_policy_that_cannot_be_read_makes_its_target_refuse_until_it_can() {
    let mut replica = replica();
    let policy = broken("BackendTLSPolicy", "a/tls", &["Service/a/cart"], true);
    let called = policy.0.clone();

    let taken = replica.take(&update(2, vec![policy], &[]));
    assert_eq!(taken.rejections.len(), 1);
    assert_eq!(served(&config(taken)), [("first.example".to_owned(), true)]);
    assert_eq!(replica.denying().collect::<Vec<_>>(), [&called]);

    let taken = replica.take(&update(3, Vec::new(), &[called]));
    assert_eq!(served(&config(taken)), [("first.example".to_owned(), false)]);
}

#[test]
fn a_policy_of_a_kind_that_is_newer_than_the_proxy_denies_what_it_was_to_protect() {
    for parent in ["HTTPRoute/a/shop", "Gateway/a/edge", "Service/a/cart"] {
        let mut replica = replica();

        let taken =
            replica.take(&update(2, vec![broken("PolicyOfTomorrow", "a/strict", &[parent], true)], &[]));

        assert!(taken.rejections[0].problem.contains("upgrade it"), "{:?}", taken.rejections);
        assert_eq!(served(&config(taken)), [("first.example".to_owned(), true)], "{parent}");
    }
}

#[test]
fn a_policy_that_names_nobody_denies_all_of_its_namespace_and_nothing_beyond() {
    let mut replica = replica();
    let taken = replica.take(&update(2, vec![broken("BackendTLSPolicy", "b/tls", &[], true)], &[]));
    assert_eq!(served(&config(taken)), [("first.example".to_owned(), false)]);

    let bytes: Vec<u8> = b"\xff no message".to_vec();
    let unreadable = Received { version: Version::of(&bytes), content: bytes.into() };
    let taken = replica.take(&update(3, vec![(name("BackendTLSPolicy", "a/tls"), unreadable)], &[]));
    assert_eq!(served(&config(taken)), [("first.example".to_owned(), true)]);
}

#[test]
fn a_target_that_is_not_known_here_denies_everything() {
    let mut replica = replica();

    let taken = replica.take(&update(2, vec![broken("NewPolicy", "b/strict", &["Mesh/b/all"], true)], &[]));

    assert_eq!(served(&config(taken)), [("first.example".to_owned(), true)]);
}

#[test]
fn an_object_of_an_unknown_kind_that_protects_nothing_is_told_and_passed_over() {
    let mut replica = replica();

    let taken = replica.take(&update(2, vec![broken("NewRoute", "a/x", &["Gateway/a/edge"], false)], &[]));

    assert_eq!(taken.rejections.len(), 1);
    assert_eq!(served(&config(taken)), [("first.example".to_owned(), false)]);
}

#[test]
fn what_is_not_what_it_says_is_rejected() {
    let mut replica = replica();
    let (_, good) = object(route("first.example"));
    let altered = Received { version: Version::stated("0"), ..good.clone() };

    let put = vec![(name("HTTPRoute", "a/altered"), altered), (name("HTTPRoute", "a/renamed"), good)];
    let taken = replica.take(&update(2, put, &[]));

    let problems: Vec<&str> = taken.rejections.iter().map(|rejection| rejection.problem.as_str()).collect();
    assert_eq!(problems, ["its content is not that of its version", "it calls itself HTTPRoute/a/shop"]);
}

#[test]
fn an_update_without_a_difference_is_no_new_config() {
    let mut replica = replica();

    assert!(replica.take(&update(2, Vec::new(), &[])).config.is_none());
}

#[test]
fn every_kind_has_a_word_of_its_own() {
    let words: BTreeSet<&str> = KindName::ALL.iter().map(|kind| kind.as_str()).collect();

    assert_eq!(
        words.len(),
        KindName::ALL.len(),
        "types on the stream are told apart by the word of the kind"
    );
}
