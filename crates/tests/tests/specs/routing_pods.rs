//! Services that select Pods: traffic goes where ready Pods are, and follows them.

use serde_json::{Value, json};
use tests::client::{RawClient, fetch, get};
use tests::scene::Scene;
use tests::upstream::Upstream;

/// A route to a Service that selects `app: shop` and names the port of its Pods.
fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.http();
    scene.document(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "shop", "namespace": "default" },
        "spec": { "selector": { "app": "shop" }, "ports": [{ "port": 80, "targetPort": "web" }] },
    }));
    scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    scene
}

fn pod(name: &str, at: &Upstream, ready: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": "default", "labels": { "app": "shop", "pod": name } },
        "spec": { "containers": [{
            "name": "main", "image": "shop",
            "ports": [{ "name": "web", "containerPort": at.address.port() }],
        }] },
        "status": {
            "phase": "Running",
            "podIP": at.address.ip().to_string(),
            "conditions": [{ "type": "Ready", "status": ready }],
        },
    })
}

fn with(scene: &Scene, pods: &[Value]) -> String {
    let mut scene = scene.clone();
    pods.iter().for_each(|pod| scene.document(pod.clone()));
    scene.yaml()
}

#[tokio::test]
async fn an_edit_of_pods_moves_traffic_without_closing_a_connection() {
    let (old, new) = (Upstream::recording().await, Upstream::recording().await);
    let scene = scene();
    let mut first = scene.clone();
    first.document(pod("old", &old, "True"));
    first.document(pod("new", &new, "False"));
    let gateway = first.start().await;
    let mut client = RawClient::connect(gateway.entry).await;
    client.send(get("h", "/before", "")).await;
    assert_eq!(client.answer().await.text(), "GET /before");
    for number in 0..10 {
        assert_eq!(fetch(gateway.entry, "h", &format!("/{number}")).await.status, 200);
    }
    assert!(new.requests().is_empty(), "it was not ready");

    let mut ends = pod("old", &old, "True");
    ends["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    gateway.edit(&with(&scene, &[ends, pod("new", &new, "True")])).await;
    tests::until::eventually_some("traffic to move", || async {
        fetch(gateway.entry, "h", "/probe").await;
        (!new.requests().is_empty()).then_some(())
    })
    .await;

    let seen_by_old = old.requests().len();
    client.send(get("h", "/after", "")).await;
    assert_eq!(client.answer().await.text(), "GET /after");
    assert!(new.lines().contains(&"GET /after".to_owned()));
    assert_eq!(old.requests().len(), seen_by_old, "a Pod that ends is sent nothing new");
}

#[tokio::test]
async fn a_service_whose_pods_are_all_unready_is_a_503_until_one_is_ready() {
    let upstream = Upstream::recording().await;
    let scene = scene();
    let mut first = scene.clone();
    first.document(pod("one", &upstream, "False"));
    let gateway = first.start().await;
    assert_eq!(fetch(gateway.entry, "h", "/").await.is_failure(503, "no_endpoint"), Ok(()));

    gateway.edit(&with(&scene, &[pod("one", &upstream, "True")])).await;
    gateway.until("h", "/ready", |answer| answer.text() == "GET /ready").await;

    gateway.edit(&with(&scene, &[])).await;
    gateway.until("h", "/gone", |answer| answer.is_failure(503, "no_endpoint").is_ok()).await;
}
