//! What the proxy beside a Workload is told, and what it is not.

use super::*;

fn beside(place: &str) -> Interest {
    Interest::Workload(place.into())
}

fn workload(namespace: &str, name: &str, app: &str, reaches: Option<&[&str]>) -> Value {
    let mut spec = json!({ "address": "10.0.0.7", "sidecar": {} });
    if let Some(reaches) = reaches {
        spec["reaches"] = json!(reaches);
    }
    json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
        "metadata": { "name": name, "namespace": namespace, "labels": { "app": app } },
        "spec": spec,
    })
}

fn mesh(action: &str) -> Value {
    json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Mesh", "metadata": { "name": "default" },
        "spec": { "defaultAction": action },
    })
}

fn route_before(namespace: &str, name: &str, service: (&str, &str)) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "parentRefs": [{ "group": "", "kind": "Service", "name": service.1, "namespace": service.0 }] },
    })
}

/// Two namespaces with a Service and a replica each, and somebody who calls one of them.
fn shops(reaches: Option<&[&str]>) -> Scene {
    Scene::new(&[
        mesh("Allow"),
        service("shop", "cart"),
        service("bank", "ledger"),
        service("bank", "vault"),
        workload("shop", "cart-1", "cart", reaches),
        workload("bank", "ledger-1", "ledger", None),
        workload("bank", "vault-1", "vault", None),
        secret("shop", "pair"),
    ])
}

fn told(scene: &mut Scene) -> BTreeSet<String> {
    names(&scene.view(&beside("shop/cart-1")))
}

fn knows(told: &BTreeSet<String>, what: &str) -> bool {
    told.contains(&what.replacen("/", " ", 1))
}

#[test]
fn a_sidecar_is_told_of_what_its_workload_calls_and_of_its_own_services() {
    let told = told(&mut shops(Some(&["bank/ledger"])));

    for known in
        ["Workload/shop/cart-1", "Service/shop/cart", "Service/bank/ledger", "Workload/bank/ledger-1"]
    {
        assert!(knows(&told, known), "{known} in {told:?}");
    }
    assert!(knows(&told, "Mesh/default"), "{told:?}");
    for unknown in ["Service/bank/vault", "Workload/bank/vault-1", "Secret/shop/pair"] {
        assert!(!knows(&told, unknown), "{unknown} in {told:?}");
    }
}

#[test]
fn who_does_not_say_whom_it_calls_is_told_of_every_service() {
    let mut scene = shops(None);
    assert!(knows(&told(&mut scene), "Workload/bank/vault-1"));

    scene.edit(&[service("bank", "new")], &[]);
    assert!(knows(&told(&mut scene), "Service/bank/new"));

    scene.edit(&[workload("shop", "cart-1", "cart", Some(&["bank/new"]))], &[]);
    let told = told(&mut scene);
    assert!(knows(&told, "Service/bank/new") && !knows(&told, "Service/bank/vault"), "{told:?}");
}

#[test]
fn routes_of_the_producer_and_of_ones_own_namespace_come_along() {
    let mut scene = shops(Some(&["bank/*"]));

    scene.edit(
        &[
            route_before("bank", "producer", ("bank", "ledger")),
            route_before("shop", "consumer", ("bank", "ledger")),
            route_before("other", "stranger", ("bank", "ledger")),
        ],
        &[],
    );

    let now = told(&mut scene);
    assert!(knows(&now, "HTTPRoute/bank/producer") && knows(&now, "HTTPRoute/shop/consumer"));
    assert!(!knows(&now, "HTTPRoute/other/stranger"), "{now:?}");
    scene.edit(&[], &[&route_before("bank", "producer", ("bank", "ledger"))]);
    assert!(!knows(&told(&mut scene), "HTTPRoute/bank/producer"));
}

#[test]
fn routes_of_connections_come_along_like_those_of_requests() {
    let mut scene = shops(Some(&["bank/*"]));
    let mut route = route_before("bank", "producer", ("bank", "ledger"));
    route["kind"] = json!("TCPRoute");
    route["spec"]["rules"] = json!([{ "backendRefs": [{ "name": "vault", "port": 80 }] }]);

    scene.edit(&[route.clone()], &[]);

    assert!(knows(&told(&mut scene), "TCPRoute/bank/producer"));
    scene.edit(&[], &[&route]);
    assert!(!knows(&told(&mut scene), "TCPRoute/bank/producer"));
}

#[test]
fn a_replica_that_changes_is_heard_of_by_those_who_call_it_and_by_nobody_else() {
    let mut scene = shops(Some(&["bank/ledger"]));
    let before = scene.view(&beside("shop/cart-1")).epoch();
    let mut moved = workload("bank", "ledger-1", "ledger", None);

    moved["spec"]["address"] = json!("10.0.0.8");
    scene.edit(&[moved.clone()], &[]);
    assert!(scene.view(&beside("shop/cart-1")).epoch() > before);

    let caller = scene.view(&beside("shop/cart-1")).epoch();
    moved["status"] = json!({ "lastSeen": "2026-01-01T00:00:00Z" });
    scene.edit(&[moved, workload("bank", "vault-1", "vault", Some(&[]))], &[]);
    assert_eq!(scene.view(&beside("shop/cart-1")).epoch(), caller, "a heartbeat is not a message");
}

#[test]
fn a_workload_that_comes_after_its_proxy_is_told_to_it() {
    let mut scene = Scene::new(&[mesh("Allow"), service("shop", "cart")]);
    assert!(!knows(&told(&mut scene), "Service/shop/cart"), "who nobody knows is told of no Service");

    scene.edit(&[workload("shop", "cart-1", "cart", Some(&[]))], &[]);

    let now = told(&mut scene);
    assert!(knows(&now, "Workload/shop/cart-1") && knows(&now, "Service/shop/cart"), "{now:?}");
}

#[test]
fn what_the_mesh_is_reaches_gateways_and_sidecars() {
    let mut scene = shops(Some(&[]));
    let before = scene.view(&beside("shop/cart-1")).epoch();

    scene.edit(&[mesh("Deny"), class(), gateway("shop", "edge", "pair", json!({ "from": "Same" }))], &[]);

    assert!(scene.view(&beside("shop/cart-1")).epoch() > before);
    assert!(knows(&scene.of("shop/edge"), "Mesh/default"));
}
