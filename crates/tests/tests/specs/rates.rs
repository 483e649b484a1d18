//! RateLimitPolicy at a real gateway: who is counted with whom, what is refused, and what callers are told.

use serde_json::{Value, json};
use tests::answer::Answer;
use tests::client::{fetch, fetch_with};
use tests::gateway::Gateway;
use tests::h2_client::{H2Client, request};
use tests::scene::Scene;
use tests::upstream::Upstream;

const HOST: &str = "a.example";

/// A gateway with two routes to one upstream, `/` and `/other`.
fn scene(upstream: &Upstream) -> Scene {
    let mut scene = Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    let to_shop = json!([{ "name": "shop", "port": 80 }]);
    scene.route("all", json!({ "rules": [{ "name": "only", "backendRefs": to_shop }] }));
    let other = json!([{ "path": { "type": "PathPrefix", "value": "/other" } }]);
    scene.route("other", json!({ "rules": [{ "matches": other, "backendRefs": to_shop }] }));
    scene
}

fn target(kind: &str, name: &str) -> Value {
    json!({ "group": "gateway.networking.k8s.io", "kind": kind, "name": name })
}

/// A policy of limits that give so much in a day, so that no test waits for a limit to give more.
fn limit(scene: &mut Scene, name: &str, target: Value, limits: Value) {
    scene.document(json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "RateLimitPolicy",
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "targetRefs": [target], "limits": limits },
    }));
}

fn a_day(name: &str, requests: u32) -> Value {
    json!({ "name": name, "requests": requests, "per": "24h" })
}

async fn statuses(gateway: &Gateway, path: &str, fields: &str, times: usize) -> Vec<u16> {
    let mut found = Vec::new();
    for _ in 0..times {
        found.push(fetch_with(gateway.entry, HOST, path, fields).await.status);
    }
    found
}

#[tokio::test]
async fn callers_are_told_what_is_left_and_then_which_limit_refuses_and_when_to_come_back() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&upstream);
    limit(&mut scene, "fair-use", target("HTTPRoute", "all"), json!([a_day("daily", 2)]));
    let gateway = scene.start().await;

    let told = |answer: &Answer| answer.header("ratelimit").map(str::to_owned).unwrap_or_default();
    let first = fetch(gateway.entry, HOST, "/x").await;
    assert_eq!((first.status, first.header("ratelimit-policy")), (200, Some("\"daily\";q=2;w=86400")));
    assert_eq!(told(&first), "\"daily\";r=1;t=43200");
    assert_eq!(fetch(gateway.entry, HOST, "/x").await.status, 200);

    let refused = fetch(gateway.entry, HOST, "/x").await;
    assert_eq!((refused.status, refused.code().as_deref()), (429, Some("rate_limited")));
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert!(told(&refused).starts_with("\"daily\";r=0;t=86"), "{}", told(&refused));
    let problem: Value = serde_json::from_str(&refused.text()).expect("a problem document");
    assert_eq!((&problem["limit"], &problem["requests"]), (&json!("daily"), &json!(2)));
    assert_eq!(problem["policy"], "RateLimitPolicy default/fair-use");
    assert_eq!(refused.header("link"), None, "no plan would help");
    assert_eq!(refused.header("retry-after"), Some(problem["retryAfterSeconds"].to_string().as_str()));
    assert_eq!(upstream.requests().len(), 2, "what is refused reaches nobody");
}

#[tokio::test]
async fn a_gateways_limit_counts_all_of_its_routes_and_no_route_loosens_it() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&upstream);
    limit(&mut scene, "all", target("Gateway", "edge"), json!([a_day("whole", 3)]));
    limit(&mut scene, "loose", target("HTTPRoute", "all"), json!([a_day("loose", 1000)]));
    let gateway = scene.start().await;

    assert_eq!(statuses(&gateway, "/x", "", 2).await, [200, 200]);
    assert_eq!(statuses(&gateway, "/other", "", 2).await, [200, 429]);
    assert_eq!(statuses(&gateway, "/x", "", 1).await, [429]);
}

#[tokio::test]
async fn callers_are_told_apart_by_what_the_limit_says() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&upstream);
    let mut by_tenant = a_day("tenant", 1);
    by_tenant["by"] = json!([{ "type": "Header", "name": "X-Tenant" }]);
    limit(&mut scene, "tenants", target("HTTPRoute", "all"), json!([by_tenant]));
    let mut by_address = a_day("client", 1);
    by_address["by"] = json!([{ "type": "Address" }]);
    limit(&mut scene, "clients", target("HTTPRoute", "other"), json!([by_address]));
    let gateway = scene.start().await;

    assert_eq!(statuses(&gateway, "/x", "x-tenant: blue\r\n", 2).await, [200, 429]);
    assert_eq!(statuses(&gateway, "/x", "x-tenant: red\r\n", 2).await, [200, 429]);
    assert_eq!(statuses(&gateway, "/x", "", 2).await, [200, 429], "those without one share a limit");
    let forged = "x-forwarded-for: 192.0.2.7\r\n";
    assert_eq!(statuses(&gateway, "/other", "", 1).await, [200]);
    assert_eq!(
        statuses(&gateway, "/other", forged, 1).await,
        [429],
        "nobody chooses an address to be counted under"
    );
}

#[tokio::test]
async fn a_limit_is_about_the_requests_that_it_names() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&upstream);
    let mut searches = a_day("searches", 1);
    searches["when"] = json!([{ "header": "x-search" }]);
    limit(&mut scene, "searches", target("HTTPRoute", "all"), json!([searches]));
    let gateway = scene.start().await;

    assert_eq!(statuses(&gateway, "/x", "x-search: shoes\r\n", 2).await, [200, 429]);
    let other = fetch(gateway.entry, HOST, "/x").await;
    assert_eq!((other.status, other.header("ratelimit")), (200, None), "others are not told of it");
}

#[tokio::test]
async fn what_one_limit_refuses_is_not_charged_by_another() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&upstream);
    let mut tight = a_day("tight", 1);
    tight["when"] = json!([{ "header": "x-tight" }]);
    limit(&mut scene, "both", target("HTTPRoute", "all"), json!([a_day("wide", 3), tight]));
    let gateway = scene.start().await;

    assert_eq!(statuses(&gateway, "/x", "x-tight: 1\r\n", 10).await[..2], [200, 429]);
    assert_eq!(statuses(&gateway, "/x", "", 3).await, [200, 200, 429], "two of three were left");
}

#[tokio::test]
async fn a_limit_holds_over_all_workers_together_and_over_a_change() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&upstream);
    limit(&mut scene, "all", target("Gateway", "edge"), json!([a_day("whole", 20)]));
    let gateway = Gateway::start_with(&scene.yaml(), scene.entry(), &["--workers", "2"]).await;

    // Each request comes on a connection of its own, which the kernel deals to either worker.
    let admitted = statuses(&gateway, "/x", "", 15).await.into_iter().filter(|status| *status == 200).count();
    assert_eq!(admitted, 15);
    let redirect = json!([{ "type": "RequestRedirect", "requestRedirect": { "path": { "type": "ReplaceFullPath", "replaceFullPath": "/y" } } }]);
    let matches = json!([{ "path": { "type": "PathPrefix", "value": "/new" } }]);
    scene.route("new", json!({ "rules": [{ "matches": matches, "filters": redirect }] }));
    gateway.edit(&scene.yaml()).await;
    gateway.until(HOST, "/new", |answer| [302, 429].contains(&answer.status)).await;

    let later = statuses(&gateway, "/x", "", 15).await;
    assert!(
        later.iter().filter(|status| **status == 200).count() < 5,
        "what was given before still counts: {later:?}"
    );
}

#[tokio::test]
async fn a_grpc_caller_is_refused_in_its_own_terms() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&upstream);
    limit(&mut scene, "all", target("Gateway", "edge"), json!([a_day("whole", 1)]));
    let gateway = scene.start().await;
    assert_eq!(fetch(gateway.entry, HOST, "/x").await.status, 200);
    let mut client = H2Client::connect(gateway.entry).await;
    let mut call = request("POST", HOST, "/pkg.Shop/Buy");
    call.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));

    let answer = client.exchange(call, &[0, 0, 0, 0, 0], None).await.expect("an answer");

    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("8")), "RESOURCE_EXHAUSTED");
    assert_eq!(answer.header("ratelimit-policy"), Some("\"whole\";q=1;w=86400"));
}
