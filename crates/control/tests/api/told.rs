//! What the control plane tells about itself, as `docs/status-api.md` promises it.

use std::collections::BTreeSet;

use discovery::Interest;
use discovery::messages::Rejected;
use discovery::reports::{Bound, Caller, Certificate, DURATION_BUCKETS, Report, Route};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::server::Server;

const ROOT: &str = "/apis/status.selvedge.dev/v1alpha1";

fn report(epoch: u64) -> Report {
    let mut durations = vec![0; DURATION_BUCKETS];
    durations[5] = 20;
    Report {
        proxy: "edge-1".to_owned(),
        version: "9.9.9".to_owned(),
        epoch,
        interval_ms: 2_000,
        serves: vec!["*".to_owned()],
        connections: 3,
        warnings: vec!["a certificate expired".to_owned()],
        certificate: Some(Certificate { not_after: 1_800_000_000, ..Certificate::default() }),
        routes: vec![Route { route: "shop/cart".to_owned(), requests: 20, errors: 2, durations }],
        bound: vec![Bound { ip: "127.0.0.1".to_owned(), port: 80, error: "Permission denied".to_owned() }],
        rejected: vec![Rejected {
            type_name: "HTTPRoute".to_owned(),
            name: "shop/cart".to_owned(),
            problem: "too large".to_owned(),
            ..Rejected::default()
        }],
        ..Report::default()
    }
}

async fn list(server: &Server, what: &str) -> Value {
    server.admin().get(&format!("{ROOT}/{what}")).await.fine()
}

/// A gateway of ours, which concerns a proxy that serves all.
async fn create_gateway(server: &Server) {
    let group = "gateway.networking.k8s.io/v1";
    let class = json!({
        "apiVersion": group, "kind": "GatewayClass", "metadata": { "name": "selvedge" },
        "spec": { "controllerName": "selvedge.dev/gateway-controller" },
    });
    let gateway = json!({
        "apiVersion": group, "kind": "Gateway", "metadata": { "name": "edge", "namespace": "shop" },
        "spec": {
            "gatewayClassName": "selvedge", "listeners": [{ "name": "web", "port": 8080, "protocol": "HTTP" }],
        },
    });
    let admin = server.admin();
    admin.post(&format!("/apis/{group}/gatewayclasses"), &class).await.fine();
    admin.post(&format!("/apis/{group}/namespaces/shop/gateways"), &gateway).await.fine();
    server.views.catch_up();
}

/// Who stands beside the cart, which the Gateway calls.
fn beside_cart() -> Report {
    let caller = Caller { identity: identity("gateway-edge"), requests: 8, errors: 2, is_connected: true };
    let certificate = Certificate { not_after: 1_800_000_000, ..Certificate::default() };
    Report {
        proxy: "shop/cart-1".to_owned(),
        epoch: 1,
        interval_ms: 2_000,
        serves: Interest::Workload("shop/cart-1".into()).names(),
        certificate: Some(certificate),
        callers: vec![caller],
        ..Report::default()
    }
}

fn identity(account: &str) -> String {
    format!("spiffe://bank.example/ns/shop/sa/{account}")
}

/// A mesh in which the Gateway may call the cart, and the till may and does not.
async fn create_mesh(server: &Server) {
    let ours = "mesh.selvedge.dev/v1alpha1";
    let mesh = json!({
        "apiVersion": ours, "kind": "Mesh", "metadata": { "name": "default" },
        "spec": { "trustDomain": "bank.example", "defaultAction": "Deny", "mtls": { "mode": "Strict" } },
    });
    let workload = |name: &str, account: &str| {
        json!({
            "apiVersion": ours, "kind": "Workload",
            "metadata": { "namespace": "shop", "name": name, "labels": { "app": account } },
            "spec": {
                "address": "10.0.0.7", "serviceAccount": account, "sidecar": {},
                "ports": [{ "name": "http", "port": 8080, "protocol": "HTTP" }],
            },
        })
    };
    let service = |name: &str, selector: Value| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "shop", "name": name },
            "spec": { "selector": selector, "ports": [{ "name": "http", "port": 8080 }] },
        })
    };
    let policy = json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthorizationPolicy",
        "metadata": { "namespace": "shop", "name": "readers" },
        "spec": {
            "targetRefs": [{ "group": "", "kind": "Service", "name": "cart" }], "action": "Allow",
            "rules": [{ "name": "known", "from": [{ "identities": [identity("gateway-edge"), identity("till")] }] }],
        },
    });
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "namespace": "shop", "name": "cart" },
        "spec": { "parentRefs": [{ "name": "edge" }], "rules": [{ "backendRefs": [{ "name": "cart", "port": 8080 }] }] },
    });
    let admin = server.admin();
    admin.post(&format!("/apis/{ours}/meshes"), &mesh).await.fine();
    for workload in [workload("cart-1", "cart"), workload("till-1", "till")] {
        admin.post(&format!("/apis/{ours}/namespaces/shop/workloads"), &workload).await.fine();
    }
    for service in [service("cart", json!({ "app": "cart" })), service("ledger", json!({ "app": "ledger" }))]
    {
        admin.post("/api/v1/namespaces/shop/services", &service).await.fine();
    }
    let policies = "/apis/policy.selvedge.dev/v1alpha1/namespaces/shop/authorizationpolicies";
    admin.post(policies, &policy).await.fine();
    admin.post("/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes", &route).await.fine();
    server.views.catch_up();
}

#[tokio::test]
async fn the_picture_of_a_mesh_shows_who_is_in_it_who_may_call_whom_and_who_does() {
    let server = Server::start().await;
    create_gateway(&server).await;
    create_mesh(&server).await;
    server.proxies.report(&"cart".into(), beside_cart(), Instant::now()).expect("taken");

    let told = list(&server, "meshpictures").await["items"][0]["status"].clone();

    let names = |of: &str, field: &str| -> Vec<String> {
        let all = told[of].as_array().expect("a list").iter();
        all.map(|one| one[field].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(
        names("parties", "name"),
        ["gateway shop/edge", "shop/cart", "shop/till", "service shop/ledger"]
    );
    let cart = &told["parties"][1];
    assert_eq!((&cart["services"], &cart["open"]), (&json!(["shop/cart"]), &json!(false)));
    assert_eq!(cart["replicas"][0]["mtls"], json!(["Strict"]));
    assert_eq!(cart["replicas"][0]["certificate"]["notAfter"], "2027-01-15T08:00:00Z");
    let (made, may) = (&told["calls"][0], &told["calls"][1]);
    assert_eq!((&made["from"], &made["to"]), (&json!("gateway shop/edge"), &json!("shop/cart")));
    assert_eq!((&made["requestsPerSecond"], &made["connected"]), (&json!(4.0), &json!(true)));
    assert_eq!(made["because"], json!(["Allow shop/readers rule `known`", "HTTPRoute shop/cart"]));
    assert_eq!(
        (&may["from"], &may["may"], &may["connected"]),
        (&json!("shop/till"), &json!("Everything"), &json!(false))
    );
    assert_eq!(told["calls"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn every_field_of_the_promise_is_told_and_no_other() {
    let server = Server::start().await;
    server.proxies.report(&"peer".into(), report(1), Instant::now()).expect("taken");
    server.proxies.report(&"cart".into(), beside_cart(), Instant::now()).expect("taken");
    let beside_till = Report {
        proxy: "shop/till-1".to_owned(),
        serves: Interest::Workload("shop/till-1".into()).names(),
        ..beside_cart()
    };
    server.proxies.report(&"till".into(), beside_till, Instant::now()).expect("taken");
    let page = include_str!("../../../../docs/status-api.md");
    let examples: Vec<Value> = page
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split("```").next().unwrap_or_default()).expect("JSON"))
        .collect();
    assert_eq!(examples.len(), 4);
    create_gateway(&server).await;
    create_mesh(&server).await;

    for example in examples {
        let kind = example["kind"].as_str().expect("a kind");
        let what = match kind {
            "ProxyList" => "proxies",
            "RouteTrafficList" => "routes",
            "MeshPictureList" => "meshpictures",
            _ => "controlplanes",
        };
        let told = list(&server, what).await;
        assert_eq!((&told["kind"], &told["apiVersion"]), (&example["kind"], &example["apiVersion"]));
        assert_eq!(fields(&told["items"][0]["status"]), fields(&example["items"][0]["status"]), "{kind}");
    }
}

/// Every path to a value, without the positions in lists.
fn fields(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![(String::new(), value)];
    while let Some((path, value)) = waiting.pop() {
        match value {
            Value::Object(map) => {
                waiting.extend(map.iter().map(|(name, inner)| (format!("{path}/{name}"), inner)))
            }
            Value::Array(all) => waiting.extend(all.iter().map(|inner| (format!("{path}/*"), inner))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                found.insert(path);
            }
        }
    }
    found
}

#[tokio::test]
async fn a_proxy_that_lacks_nothing_is_at_the_epoch_of_the_list_and_one_that_lacks_something_is_behind() {
    let server = Server::start().await;
    create_gateway(&server).await;
    let _follower = server.views.join(&Interest::All);
    let epoch = server.views.epoch_of(&Interest::All).expect("it is followed");
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "no-ones" } });
    server.admin().post("/api/v1/namespaces/shop/configmaps", &map).await.fine();
    server.views.catch_up();

    server.proxies.report(&"peer".into(), report(epoch), Instant::now()).expect("taken");
    let current = list(&server, "proxies").await;
    server.proxies.report(&"peer".into(), report(1), Instant::now()).expect("taken");
    let behind = list(&server, "proxies").await;
    let unconfirmed = Report { from_cache: true, ..report(epoch) };
    server.proxies.report(&"peer".into(), unconfirmed, Instant::now()).expect("taken");
    let from_cache = list(&server, "proxies").await;

    let revision: u64 =
        current["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).expect("one");
    assert!(revision > epoch, "the ConfigMap concerns no proxy");
    let status = |list: &Value| list["items"][0]["status"].clone();
    assert_eq!(
        (&status(&current)["appliedEpoch"], &status(&current)["behindSeconds"]),
        (&json!(revision), &json!(0.0))
    );
    assert_eq!(status(&behind)["appliedEpoch"], 1);
    assert!(status(&behind)["behindSeconds"].as_f64().expect("seconds") >= 0.0);
    assert_eq!(status(&from_cache)["appliedEpoch"], epoch, "what stands on a disk is confirmed by nobody");
}

#[tokio::test]
async fn what_is_told_can_be_had_as_a_table_and_one_by_one() {
    let server = Server::start().await;
    server.proxies.report(&"peer".into(), report(1), Instant::now()).expect("taken");
    let admin = server.admin();

    let table = admin.accepting("application/json;as=Table;v=v1;g=meta.k8s.io");
    let table = table.get(&format!("{ROOT}/proxies")).await.fine();
    let one = list(&server, "proxies/edge-1").await;
    let (code, _, message) = admin.get(&format!("{ROOT}/proxies/none")).await.refusal();

    assert_eq!(table["kind"], "Table");
    let cells = table["rows"][0]["cells"].as_array().expect("cells");
    assert_eq!((&cells[0], &cells[1], &cells[5]), (&json!("edge-1"), &json!("*"), &json!(1)));
    assert_eq!((&one["kind"], &one["status"]["connections"]), (&json!("Proxy"), &json!(3)));
    assert_eq!(code, 404);
    assert!(message.ends_with("no proxy `none` is known"), "{message}");
}

#[tokio::test]
async fn traffic_is_told_by_namespace_and_requests_of_no_route_by_the_control_plane() {
    let server = Server::start().await;
    let unmatched = Route { route: String::new(), requests: 4, ..Route::default() };
    let mut report = report(1);
    report.routes.push(unmatched);
    server.proxies.report(&"peer".into(), report, Instant::now()).expect("taken");

    let everywhere = list(&server, "routes").await;
    let here = list(&server, "namespaces/shop/routes").await;
    let elsewhere = list(&server, "namespaces/other/routes").await;
    let one = list(&server, "namespaces/shop/routes/httproute.cart").await;
    let plane = list(&server, "controlplanes/this").await;

    assert_eq!(everywhere["items"], here["items"]);
    assert_eq!(elsewhere["items"], json!([]));
    assert_eq!(one["status"]["requestsPerSecond"], 10.0);
    assert_eq!(one["status"]["errorsPerSecond"], 1.0);
    assert_eq!(one["status"]["p99Milliseconds"], 2.048);
    assert_eq!(plane["status"]["unmatched"]["requestsPerSecond"], 2.0);
}

#[tokio::test]
async fn what_cannot_be_done_with_it_is_refused_and_not_passed_over() {
    let server = Server::start().await;
    let admin = server.admin();

    assert_eq!(admin.get(&format!("{ROOT}/proxies?watch=true")).await.code, StatusCode::BAD_REQUEST);
    assert_eq!(admin.get(&format!("{ROOT}/proxies?labelSelector=a")).await.code, StatusCode::BAD_REQUEST);
    let posted = admin.post(&format!("{ROOT}/proxies"), &json!({})).await;
    assert_eq!(posted.code, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn clients_discover_it() {
    let server = Server::start().await;

    let kinds = server.admin().get(ROOT).await.fine();
    let groups = server.admin().get("/apis").await.fine();

    let named = |resource: &Value| resource["name"].as_str().unwrap_or_default().to_owned();
    let resources = kinds["resources"].as_array().expect("resources");
    assert_eq!(
        resources.iter().map(named).collect::<Vec<_>>(),
        ["controlplanes", "meshpictures", "proxies", "routes"]
    );
    assert!(
        groups["groups"]
            .as_array()
            .expect("groups")
            .iter()
            .any(|group| named(group) == "status.selvedge.dev")
    );
}
