//! What is in a view, and above all what is not.

mod access;
mod sidecar;

use std::collections::BTreeSet;

use model::yaml;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A world without a store, and the views of it.
struct Scene {
    resources: Resources,
    state: State,
}

impl Scene {
    fn new(documents: &[Value]) -> Scene {
        let mut scene = Scene { resources: Resources::new(), state: State::new(0, Resources::new()) };
        scene.edit(documents, &[]);
        scene
    }

    /// Puts and removes objects, as one change.
    fn edit(&mut self, put: &[Value], removed: &[&Value]) {
        let revision = self.state.revision + 1;
        let mut events = Vec::new();
        for document in put {
            let resource = yaml::read_value(document.clone()).expect("a sound document");
            let before = self.resources.get(&resource.key).cloned();
            let after = Some(self.resources.put(resource));
            events.push(Event { revision, before, after });
        }
        for document in removed {
            let key = yaml::read_value((*document).clone()).expect("a sound document").key;
            let before = self.resources.remove(&key);
            events.push(Event { revision, before, after: None });
        }
        self.state.advance(revision, self.resources.clone(), &events);
    }

    fn view(&mut self, interest: &Interest) -> Arc<View> {
        let id = self.state.find(interest);
        self.state.views[&id].current.borrow().clone()
    }

    /// Names of everything in the view of one Gateway.
    fn of(&mut self, gateway: &str) -> BTreeSet<String> {
        names(&self.view(&one(gateway)))
    }
}

fn one(gateway: &str) -> Interest {
    Interest::Gateways([gateway.into()].into())
}

fn names(view: &View) -> BTreeSet<String> {
    view.iter().map(|object| object.name.to_string()).collect()
}

fn class() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": { "name": "selvedge" },
        "spec": { "controllerName": "selvedge.dev/gateway-controller" },
    })
}

fn gateway(namespace: &str, name: &str, secret: &str, from: Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "gatewayClassName": "selvedge", "listeners": [{
            "name": "https", "port": 8443, "protocol": "HTTPS",
            "tls": { "certificateRefs": [{ "name": secret }] },
            "allowedRoutes": { "namespaces": from },
        }] },
    })
}

fn route(namespace: &str, name: &str, gateway: (&str, &str), service: (&str, &str)) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "parentRefs": [{ "name": gateway.1, "namespace": gateway.0 }],
            "rules": [{ "backendRefs": [{ "name": service.1, "namespace": service.0, "port": 80 }] }],
        },
    })
}

fn tcp_route(namespace: &str, name: &str, gateway: (&str, &str), service: (&str, &str)) -> Value {
    let mut route = route(namespace, name, gateway, service);
    route["kind"] = "TCPRoute".into();
    route
}

fn guard(namespace: &str, name: &str, kind: &str, target: &str) -> Value {
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthorizationPolicy",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "targetRefs": [{ "group": "gateway.networking.k8s.io", "kind": kind, "name": target }],
            "action": "Deny", "rules": [{ "name": "all", "from": [{ "ipBlocks": ["10.0.0.0/8"] }] }],
        },
    })
}

fn service(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": namespace },
        "spec": { "ports": [{ "port": 80 }], "selector": { "app": name } },
    })
}

fn slice(namespace: &str, service: &str, number: u32) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-{number}"), "namespace": namespace,
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4", "ports": [{ "name": "", "port": 80 }],
        "endpoints": [{ "addresses": [format!("10.0.0.{number}")] }],
    })
}

fn pod(namespace: &str, name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": namespace, "labels": { "app": app } },
        "status": { "podIP": "10.0.0.9" },
    })
}

fn secret(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": namespace },
        "type": "kubernetes.io/tls", "data": { "tls.crt": "aGk=", "tls.key": "aGk=" },
    })
}

fn config_map(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": namespace },
        "data": { "ca.crt": "pem" },
    })
}

fn policy(namespace: &str, name: &str, service: &str, ca: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "targetRefs": [{ "group": "", "kind": "Service", "name": service }],
            "validation": {
                "hostname": "a.example", "caCertificateRefs": [{ "group": "", "kind": "ConfigMap", "name": ca }],
            },
        },
    })
}

fn grant(namespace: &str, name: &str, from: &str, to: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "from": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": from }],
            "to": [{ "group": "", "kind": to }],
        },
    })
}

fn namespace(name: &str, tier: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": { "tier": tier } } })
}

/// Two tenants with the same names in different namespaces, and things nobody refers to.
fn two_tenants() -> Vec<Value> {
    let mut all = vec![class(), config_map("a", "unused"), secret("a", "password"), service("a", "idle")];
    ["a", "b"].iter().for_each(|name| all.extend(tenant(name)));
    all
}

/// Everything that one tenant has, with the same names as all others.
fn tenant(tenant: &str) -> [Value; 7] {
    [
        gateway(tenant, "edge", "pair", json!({ "from": "Same" })),
        secret(tenant, "pair"),
        route(tenant, "shop", (tenant, "edge"), (tenant, "cart")),
        service(tenant, "cart"),
        slice(tenant, "cart", 1),
        policy(tenant, "tls", "cart", "ca"),
        config_map(tenant, "ca"),
    ]
}

#[test]
fn tenants_whose_names_begin_alike_see_nothing_of_each_other_even_when_one_is_made_anew() {
    let tenants = ["a", "ab", "a-b", "b"];
    let mut scene = Scene::new(&[class()]);
    let everything: Vec<Value> = tenants.iter().flat_map(|name| tenant(name)).collect();
    scene.edit(&everything, &[]);
    let check = |scene: &mut Scene| {
        for tenant in tenants {
            let found = scene.of(&format!("{tenant}/edge"));
            let own =
                |name: &&String| name.contains(&format!(" {tenant}/")) || *name == "GatewayClass selvedge";
            assert_eq!((found.len(), found.iter().filter(own).count()), (8, 8), "{tenant}: {found:?}");
        }
    };

    check(&mut scene);
    let (first, others) = everything.split_at(7);
    let before: Vec<_> =
        ["ab", "a-b", "b"].map(|name| scene.view(&one(&format!("{name}/edge"))).epoch()).into();
    scene.edit(&[], &first.iter().collect::<Vec<_>>());
    assert_eq!(scene.of("a/edge").len(), 0, "nothing is left of it");
    scene.edit(first, &[]);

    check(&mut scene);
    let after: Vec<_> =
        ["ab", "a-b", "b"].map(|name| scene.view(&one(&format!("{name}/edge"))).epoch()).into();
    assert_eq!((before, others.len()), (after, 21), "the others heard nothing of it");
}

#[test]
fn a_view_holds_what_its_gateway_needs_and_nothing_of_anybody_else() {
    let mut scene = Scene::new(&two_tenants());

    let found = scene.of("a/edge");

    let wanted = [
        "BackendTLSPolicy a/tls",
        "ConfigMap a/ca",
        "EndpointSlice a/cart-1",
        "Gateway a/edge",
        "GatewayClass selvedge",
        "HTTPRoute a/shop",
        "Secret a/pair",
        "Service a/cart",
    ];
    assert_eq!(found, wanted.map(str::to_owned).into());
}

/// A ResiliencePolicy.
fn patience(namespace: &str, name: &str, group: &str, kind: &str, target: &str) -> Value {
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "ResiliencePolicy",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "targetRefs": [{ "group": group, "kind": kind, "name": target }],
            "timeouts": { "connect": "1s" },
        },
    })
}

#[test]
fn a_policy_is_in_the_views_that_hold_one_of_its_targets_and_in_no_others() {
    const API: &str = "gateway.networking.k8s.io";
    let mut scene = Scene::new(&two_tenants());
    let policies = |scene: &mut Scene| -> Vec<String> {
        scene.of("a/edge").into_iter().filter(|name| name.starts_with("ResiliencePolicy")).collect()
    };
    assert!(policies(&mut scene).is_empty());

    scene.edit(
        &[
            patience("a", "of-gateway", API, "Gateway", "edge"),
            patience("a", "of-route", API, "HTTPRoute", "shop"),
            patience("a", "of-service", "", "Service", "cart"),
            patience("a", "of-idle", "", "Service", "idle"),
            patience("b", "of-other", "", "Service", "cart"),
        ],
        &[],
    );
    let wanted = ["of-gateway", "of-route", "of-service"].map(|name| format!("ResiliencePolicy a/{name}"));
    assert_eq!(policies(&mut scene), wanted);

    scene.edit(
        &[patience("a", "of-service", "", "Service", "idle")],
        &[&patience("a", "of-route", API, "HTTPRoute", "shop")],
    );
    assert_eq!(policies(&mut scene), wanted[..1]);
}

#[test]
fn all_gateways_are_those_of_our_class() {
    let mut foreign = gateway("c", "foreign", "pair", json!({ "from": "Same" }));
    foreign["spec"]["gatewayClassName"] = json!("other");
    let mut scene = Scene::new(&two_tenants());
    scene.edit(&[foreign, secret("c", "pair")], &[]);

    let found = names(&scene.view(&Interest::All));

    assert!(found.contains("Gateway a/edge") && found.contains("Secret b/pair"), "{found:?}");
    assert!(!found.contains("Gateway c/foreign") && !found.contains("Secret c/pair"), "{found:?}");
    assert!(!found.contains("Secret a/password") && !found.contains("ConfigMap a/unused"), "{found:?}");
}

#[test]
fn a_route_that_no_listener_admits_brings_nothing_along() {
    let mut scene = Scene::new(&two_tenants());
    scene.edit(&[route("c", "stranger", ("a", "edge"), ("c", "own")), service("c", "own")], &[]);

    assert!(scene.of("a/edge").iter().all(|name| !name.contains("c/")));

    scene.edit(&[gateway("a", "edge", "pair", json!({ "from": "All" }))], &[]);
    let found = scene.of("a/edge");
    assert!(found.contains("HTTPRoute c/stranger") && found.contains("Service c/own"), "{found:?}");
}

#[test]
fn labels_of_a_namespace_let_its_routes_in_and_out() {
    let picks = json!({ "from": "Selector", "selector": { "matchLabels": { "tier": "gold" } } });
    let documents = [
        class(),
        gateway("a", "edge", "pair", picks),
        route("c", "guest", ("a", "edge"), ("c", "own")),
        service("c", "own"),
        namespace("c", "tin"),
    ];
    let mut scene = Scene::new(&documents);
    assert!(!scene.of("a/edge").contains("HTTPRoute c/guest"));

    scene.edit(&[namespace("c", "gold")], &[]);
    let found = scene.of("a/edge");
    assert!(found.contains("HTTPRoute c/guest") && found.contains("Namespace c"), "{found:?}");

    scene.edit(&[namespace("c", "tin")], &[]);
    assert!(!scene.of("a/edge").iter().any(|name| name.contains('c') && name.contains("guest")));
}

#[test]
fn a_reference_into_another_namespace_needs_its_grant() {
    let mut scene = Scene::new(&two_tenants());
    scene.edit(&[route("a", "across", ("a", "edge"), ("b", "cart"))], &[]);
    assert!(scene.of("a/edge").iter().all(|name| !name.contains("b/")));

    scene.edit(&[grant("b", "lets", "a", "Service"), grant("b", "others", "x", "Service")], &[]);
    let found = scene.of("a/edge");
    assert!(found.contains("Service b/cart") && found.contains("EndpointSlice b/cart-1"), "{found:?}");
    assert!(
        found.contains("ReferenceGrant b/lets") && !found.contains("ReferenceGrant b/others"),
        "{found:?}"
    );
    assert!(!found.contains("Secret b/pair"), "{found:?}");

    scene.edit(&[], &[&grant("b", "lets", "a", "Service")]);
    assert!(scene.of("a/edge").iter().all(|name| !name.contains("b/")));
}

#[test]
fn pods_stand_in_for_slices_that_are_not_there() {
    let documents = [
        class(),
        gateway("a", "edge", "pair", json!({ "from": "Same" })),
        route("a", "shop", ("a", "edge"), ("a", "cart")),
        service("a", "cart"),
        pod("a", "cart-x", "cart"),
        pod("a", "other", "other"),
    ];
    let mut scene = Scene::new(&documents);
    let found = scene.of("a/edge");
    assert!(found.contains("Pod a/cart-x") && !found.contains("Pod a/other"), "{found:?}");

    scene.edit(&[slice("a", "cart", 1)], &[]);
    let found = scene.of("a/edge");
    assert!(found.contains("EndpointSlice a/cart-1") && !found.contains("Pod a/cart-x"), "{found:?}");

    scene.edit(&[], &[&slice("a", "cart", 1)]);
    scene.edit(&[pod("a", "cart-y", "cart")], &[]);
    assert!(scene.of("a/edge").contains("Pod a/cart-y"));
}

#[test]
fn a_change_moves_on_only_the_views_it_concerns() {
    let mut scene = Scene::new(&two_tenants());
    let (a, b) = (scene.view(&one("a/edge")), scene.view(&one("b/edge")));

    scene.edit(&[slice("a", "cart", 2)], &[]);
    scene.edit(&[service("c", "nobodys"), secret("a", "password")], &[]);

    let moved = scene.view(&one("a/edge"));
    assert_eq!(moved.since(&a).len(), 1);
    assert!(Arc::ptr_eq(&scene.view(&one("b/edge")), &b), "a view that is not concerned stays the same");
}

#[test]
fn a_write_that_proxies_are_not_told_of_moves_nothing() {
    let mut scene = Scene::new(&two_tenants());
    let before = scene.view(&one("a/edge"));
    let mut talked_about = route("a", "shop", ("a", "edge"), ("a", "cart"));
    talked_about["metadata"]["annotations"] = json!({ "seen": "today" });
    talked_about["status"] = json!({ "parents": [] });

    scene.edit(&[talked_about], &[]);

    assert!(Arc::ptr_eq(&scene.view(&one("a/edge")), &before));
}

#[test]
fn like_proxies_share_a_view_and_objects_are_encoded_once() {
    let mut scene = Scene::new(&two_tenants());
    let (all, some) = (scene.view(&Interest::All), scene.view(&one("a/edge")));

    assert!(Arc::ptr_eq(&scene.view(&one("a/edge")), &some));
    for object in some.iter() {
        let same = all.get(&object.name).expect("all is more than some");
        assert!(Arc::ptr_eq(object, same), "{} was encoded twice", object.name);
    }
}

#[test]
fn a_gateway_that_comes_later_is_served_when_it_comes() {
    let mut documents = two_tenants();
    let held_back = documents.remove(0);
    let mut scene = Scene::new(&documents);
    assert!(!scene.of("a/edge").contains("HTTPRoute a/shop"), "nobody looks after the class");

    scene.edit(&[held_back], &[]);

    assert!(scene.of("a/edge").contains("HTTPRoute a/shop"));
    assert!(names(&scene.view(&Interest::All)).contains("Secret b/pair"));
}

#[test]
fn what_nobody_needs_any_more_is_forgotten() {
    let mut scene = Scene::new(&two_tenants());
    let _ = scene.of("a/edge");
    let documents = two_tenants();

    scene.edit(&[], &documents.iter().collect::<Vec<_>>());

    assert!(scene.of("a/edge").is_empty());
    assert!(scene.state.encoded.is_empty());
    let asked_for = super::roots(&one("a/edge")).len();
    assert_eq!(scene.state.having.len(), asked_for, "only what the proxy asks for is waited for");
}

/// Every document that a random scene may hold.
fn pool() -> Vec<Value> {
    let mut all = two_tenants();
    all.extend([
        route("a", "across", ("a", "edge"), ("b", "cart")),
        route("c", "guest", ("a", "edge"), ("c", "cart")),
        service("c", "cart"),
        slice("c", "cart", 1),
        slice("a", "cart", 2),
        patience("a", "of-gateway", "gateway.networking.k8s.io", "Gateway", "edge"),
        patience("a", "of-service", "", "Service", "cart"),
        pod("c", "cart-x", "cart"),
        pod("a", "cart-x", "cart"),
        grant("b", "lets", "a", "Service"),
        namespace("c", "gold"),
        namespace("a", "tin"),
    ]);
    all
}

/// Another edition of an object, where there is one.
fn edited(document: &Value) -> Value {
    match document["kind"].as_str() {
        Some("Gateway") => {
            let picks = json!({ "from": "Selector", "selector": { "matchLabels": { "tier": "gold" } } });
            let name = |field: &str| document["metadata"][field].as_str().unwrap_or_default().to_owned();
            gateway(&name("namespace"), &name("name"), "other", picks)
        }
        Some("HTTPRoute") => {
            let mut other = document.clone();
            other["spec"]["parentRefs"] = json!([{ "name": "edge", "namespace": "b" }]);
            other
        }
        Some("Namespace") => {
            let mut other = document.clone();
            other["metadata"]["labels"]["tier"] = json!("gold");
            other
        }
        Some("GatewayClass") => {
            let mut other = document.clone();
            other["spec"]["controllerName"] = json!("somebody.example/else");
            other
        }
        _ => document.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// The incremental way and the direct one come to the same, whatever happened before.
    #[test]
    fn a_view_is_what_it_would_be_if_it_were_made_anew(
        steps in proptest::collection::vec(proptest::collection::vec((0..pool().len(), 0..3u8), 1..5), 1..12),
    ) {
        let pool = pool();
        let interests = [Interest::All, one("a/edge"), one("b/edge"), one("x/none")];
        let mut scene = Scene::new(&[]);
        let mut sent: Vec<Arc<View>> = interests.iter().map(|interest| scene.view(interest)).collect();
        for step in steps {
            let (mut put, mut removed) = (Vec::new(), Vec::new());
            for (at, what) in step.into_iter().collect::<std::collections::BTreeMap<usize, u8>>() {
                match what {
                    0 => put.push(pool[at].clone()),
                    1 => put.push(edited(&pool[at])),
                    _ => removed.push(&pool[at]),
                }
            }
            scene.edit(&put, &removed);
            prop_assert_eq!(scene.state.names.borrow().len(), scene.state.having.len(), "each node is kept once");
            let mut anew = State::new(scene.state.revision, scene.resources.clone());
            for (interest, before) in interests.iter().zip(&mut sent) {
                let now = scene.view(interest);
                let id = anew.find(interest);
                let direct = anew.views[&id].current.borrow().clone();
                prop_assert_eq!(names(&now), names(&direct), "{}", interest);
                prop_assert!(now.iter().all(|object| direct.get(&object.name) == Some(object)));
                let mut replayed = names(before);
                for change in now.since(before) {
                    match change {
                        Change::Put(object) => replayed.insert(object.name.to_string()),
                        Change::Removed(name) => replayed.remove(&name.to_string()),
                    };
                }
                prop_assert_eq!(&replayed, &names(&now));
                *before = now;
            }
        }
    }
}

#[test]
fn a_tcp_route_is_seen_by_its_gateway_with_what_it_leads_to_as_long_as_it_names_it() {
    let before = [
        class(),
        gateway("a", "edge", "pair", json!({ "from": "Same" })),
        tcp_route("a", "database", ("a", "edge"), ("a", "postgres")),
        service("a", "postgres"),
        slice("a", "postgres", 1),
        guard("a", "closed", "TCPRoute", "database"),
    ];
    let mut scene = Scene::new(&before);
    let all = [
        "TCPRoute a/database",
        "Service a/postgres",
        "EndpointSlice a/postgres-1",
        "AuthorizationPolicy a/closed",
    ];
    for name in all {
        assert!(scene.of("a/edge").contains(name), "{name}: {:?}", scene.of("a/edge"));
    }

    scene.edit(&[tcp_route("a", "database", ("a", "other"), ("a", "postgres"))], &[]);

    for name in all {
        assert!(!scene.of("a/edge").contains(name), "{name}");
    }
}

#[test]
fn keys_of_callers_travel_with_the_policy_that_asks_for_them_and_with_no_other() {
    let keys = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "policy.selvedge.dev/api-keys",
            "metadata": { "name": name, "namespace": "a" }, "data": { "partner": "MDEyMzQ1Njc4OWFiY2RlZg==" },
        })
    };
    let asks = |secret: &str| {
        json!({
            "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthenticationPolicy",
            "metadata": { "name": "keys", "namespace": "a" },
            "spec": {
                "targetRefs": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "r" }],
                "methods": [{ "apiKey": { "secretRef": { "name": secret } } }],
            },
        })
    };
    let before = [
        class(),
        gateway("a", "edge", "pair", json!({ "from": "Same" })),
        route("a", "r", ("a", "edge"), ("a", "cart")),
        keys("one"),
        keys("two"),
        asks("one"),
    ];
    let mut scene = Scene::new(&before);
    assert!(scene.of("a/edge").contains("AuthenticationPolicy a/keys"), "{:?}", scene.of("a/edge"));
    assert!(scene.of("a/edge").contains("Secret a/one"));
    assert!(!scene.of("a/edge").contains("Secret a/two"));

    scene.edit(&[asks("two")], &[]);

    assert!(!scene.of("a/edge").contains("Secret a/one"));
    assert!(scene.of("a/edge").contains("Secret a/two"));
}
