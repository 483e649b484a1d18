//! ResiliencePolicy and FaultPolicy at a real gateway, before upstreams that misbehave as they are told (F6, F7, F8).

mod deadlines;
mod faults;
mod health;
mod limits;
mod locality;
mod retries;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::until::{PATIENCE, within_time};

const HOST: &str = "a.example";
const VERSION: &str = "policy.selvedge.dev/v1alpha1";

/// Twice as long as a spec waits for other things: ejections and checks are counted in whole seconds.
const LONG: Duration = PATIENCE.saturating_mul(3);

/// A gateway that sends everything to these addresses, as Service `shop`.
fn scene(addresses: &[SocketAddr]) -> Scene {
    let mut scene = Scene::new();
    scene.http();
    scene.service("shop", addresses);
    scene.route(
        "all",
        json!({ "rules": [{ "name": "only", "backendRefs": [{ "name": "shop", "port": 80 }] }] }),
    );
    scene
}

fn service(name: &str) -> Value {
    json!({ "group": "", "kind": "Service", "name": name })
}

fn route(name: &str) -> Value {
    json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": name })
}

fn rule(route: &str, name: &str) -> Value {
    json!({ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route, "sectionName": name })
}

/// Adds a policy for a target.
fn policy(scene: &mut Scene, kind: &str, name: &str, target: Value, mut spec: Value) {
    spec["targetRefs"] = json!([target]);
    scene.document(json!({
        "apiVersion": VERSION, "kind": kind,
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    }));
}

fn resilience(scene: &mut Scene, target: Value, spec: Value) {
    policy(scene, "ResiliencePolicy", "resilience", target, spec);
}

/// The sum of all series of a metric whose labels contain a text.
async fn metric(gateway: &Gateway, name: &str, labels: &str) -> u64 {
    let text = gateway.admin("/metrics").await.text();
    let series = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(labels)
    });
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Waits until a metric says so.
async fn metric_is(gateway: &Gateway, name: &str, labels: &str, wanted: u64) {
    let waiting = async {
        while metric(gateway, name, labels).await != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within_time(LONG, &format!("{name} to be {wanted}"), waiting)
        .await
        .unwrap_or_else(|problem| panic!("{problem}"));
}
