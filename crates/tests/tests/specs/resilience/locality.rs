//! Endpoints nearby come first; the others get what those nearby cannot take.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::json;
use tests::client::fetch;
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::script;
use tests::upstream::Upstream;

use super::{HOST, metric_is, resilience, service};

const UNHEALTHY: &str = "selvedge_upstream_endpoints_unhealthy";

struct Stage {
    gateway: Gateway,
    near: [Upstream; 2],
    far: Upstream,
    /// While set, the first or both nearby fail their checks.
    ill: [Arc<AtomicBool>; 2],
}

impl Stage {
    /// A gateway in zone `a`, two endpoints there and one in `b`.
    async fn new() -> Stage {
        let ill = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
        let near = [checked(&ill[0]).await, checked(&ill[1]).await];
        let far = Upstream::recording().await;
        let mut scene = Scene::new();
        scene.http();
        scene.service("shop", &[]);
        for (number, (upstream, zone)) in
            [(&near[0], "a"), (&near[1], "a"), (&far, "b")].into_iter().enumerate()
        {
            scene.document(json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "name": format!("shop-{number}"), "namespace": "default",
                    "labels": { "kubernetes.io/service-name": "shop" },
                },
                "addressType": "IPv4",
                "ports": [{ "name": "main", "port": upstream.address.port() }],
                "endpoints": [{ "addresses": [upstream.address.ip().to_string()], "zone": zone }],
            }));
        }
        scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
        resilience(
            &mut scene,
            service("shop"),
            json!({
                "locality": { "preferLocal": true, "overflowPercent": 100 },
                "healthChecks": {
                    "http": { "path": "/ready" }, "interval": "100ms",
                    "healthyThreshold": 1, "unhealthyThreshold": 1,
                },
                "outlierDetection": { "panicThresholdPercent": 0 },
            }),
        );
        let flags = ["--workers", "1", "--locality", "north/a"];
        let gateway = Gateway::start_with(&scene.yaml(), scene.entry(), &flags).await;
        Stage { gateway, near, far, ill }
    }

    /// How many of so many requests went far.
    async fn far_of(&self, count: usize) -> usize {
        let worked =
            |upstream: &Upstream| upstream.lines().iter().filter(|line| *line == "GET /work").count();
        let before = worked(&self.far);
        for _ in 0..count {
            assert_eq!(fetch(self.gateway.entry, HOST, "/work").await.status, 200);
        }
        assert!(self.near.iter().all(|upstream| upstream.exact().is_ok()));
        worked(&self.far) - before
    }
}

async fn checked(ill: &Arc<AtomicBool>) -> Upstream {
    let ill = ill.clone();
    Upstream::scripted(move |request| match request.target == "/ready" && ill.load(SeqCst) {
        true => script::answer("503 Service Unavailable", &[], b""),
        false => script::honest(request),
    })
    .await
}

#[tokio::test]
async fn those_nearby_take_all_until_too_few_of_them_are_well() {
    let stage = Stage::new().await;

    assert_eq!(stage.far_of(40).await, 0);

    stage.ill[0].store(true, SeqCst);
    metric_is(&stage.gateway, UNHEALTHY, "shop", 1).await;
    // Half of 200, with a deviation of 7.1; six of them are allowed.
    let far = stage.far_of(200).await;
    assert!((57..=143).contains(&far), "{far} of 200 went far");

    stage.ill[1].store(true, SeqCst);
    metric_is(&stage.gateway, UNHEALTHY, "shop", 2).await;
    assert_eq!(stage.far_of(40).await, 40);

    stage.ill.iter().for_each(|ill| ill.store(false, SeqCst));
    metric_is(&stage.gateway, UNHEALTHY, "shop", 0).await;
    assert_eq!(stage.far_of(40).await, 0);
}
