//! Endpoints that fail are left alone and come back; never so many that none is left (F7).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::json;
use tests::client::fetch;
use tests::h2_upstream::{H2Upstream, Reply};
use tests::script;
use tests::until::eventually_within;
use tests::upstream::Upstream;

use super::{HOST, LONG, metric, metric_is, resilience, scene, service};

const EJECTED: &str = "selvedge_upstream_endpoints_ejected";
const UNHEALTHY: &str = "selvedge_upstream_endpoints_unhealthy";
const PANIC: &str = "selvedge_upstream_panic";

/// An upstream that fails while the flag is set.
async fn fickle(bad: &Arc<AtomicBool>) -> Upstream {
    let bad = bad.clone();
    Upstream::scripted(move |request| match bad.load(SeqCst) {
        true => script::answer("500 Internal Server Error", &[], b"bad"),
        false => script::honest(request),
    })
    .await
}

/// So many upstreams, the first `bad` of which fail.
async fn some(bad: usize, all: usize) -> (Vec<Upstream>, Arc<AtomicBool>) {
    let (flag, good) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let mut upstreams = Vec::new();
    for number in 0..all {
        upstreams.push(fickle(if number < bad { &flag } else { &good }).await);
    }
    (upstreams, flag)
}

fn addresses(upstreams: &[Upstream]) -> Vec<std::net::SocketAddr> {
    upstreams.iter().map(|upstream| upstream.address).collect()
}

#[tokio::test]
async fn endpoints_that_keep_failing_are_left_alone_and_asked_again_later() {
    let (upstreams, bad) = some(2, 5).await;
    let mut scene = scene(&addresses(&upstreams));
    let outlier = json!({ "outlierDetection": { "consecutiveErrors": 2, "baseEjection": "2s" } });
    resilience(&mut scene, service("shop"), outlier);
    let gateway = scene.start().await;

    let mut rounds = 0;
    while metric(&gateway, EJECTED, "shop").await < 2 {
        rounds += 1;
        assert!(rounds < 50, "two endpoints of five fail each time they are asked");
        for _ in 0..20 {
            fetch(gateway.entry, HOST, "/x").await;
        }
    }
    let before: usize = upstreams[..2].iter().map(|upstream| upstream.requests().len()).sum();
    assert!(metric(&gateway, "selvedge_upstream_ejections_total", "shop").await >= 2);
    assert_eq!(metric(&gateway, PANIC, "shop").await, 0);

    bad.store(false, SeqCst);
    metric_is(&gateway, EJECTED, "shop", 0).await;
    for _ in 0..100 {
        assert_eq!(fetch(gateway.entry, HOST, "/x").await.status, 200);
    }
    let after: usize = upstreams[..2].iter().map(|upstream| upstream.requests().len()).sum();
    assert!(after > before, "they are asked again");
}

#[tokio::test]
async fn with_most_endpoints_bad_all_are_asked_and_never_none() {
    let (upstreams, _bad) = some(3, 5).await;
    let mut scene = scene(&addresses(&upstreams));
    let outlier = json!({ "outlierDetection": {
        "consecutiveErrors": 2, "baseEjection": "1h", "maxEjectionPercent": 100, "panicThresholdPercent": 50,
    } });
    resilience(&mut scene, service("shop"), outlier);
    let gateway = scene.start().await;

    let mut rounds = 0;
    while metric(&gateway, PANIC, "shop").await < 1 {
        rounds += 1;
        assert!(rounds < 50, "three endpoints of five fail each time they are asked");
        for _ in 0..20 {
            assert!(matches!(fetch(gateway.entry, HOST, "/x").await.status, 200 | 500));
        }
    }
    let before: Vec<usize> = upstreams.iter().map(|upstream| upstream.requests().len()).collect();
    for _ in 0..200 {
        assert!(matches!(fetch(gateway.entry, HOST, "/x").await.status, 200 | 500), "never no endpoint");
    }
    for (upstream, before) in upstreams.iter().zip(before) {
        assert!(upstream.requests().len() > before, "every endpoint has its share of the load");
    }
}

#[tokio::test]
async fn no_more_endpoints_are_left_alone_than_the_policy_allows() {
    let (upstreams, _bad) = some(4, 4).await;
    let mut scene = scene(&addresses(&upstreams));
    let outlier = json!({ "outlierDetection": {
        "consecutiveErrors": 1, "baseEjection": "1h", "maxEjectionPercent": 25, "panicThresholdPercent": 0,
    } });
    resilience(&mut scene, service("shop"), outlier);
    let gateway = scene.start().await;

    for _ in 0..60 {
        assert_eq!(fetch(gateway.entry, HOST, "/x").await.status, 500);
        assert!(metric(&gateway, EJECTED, "shop").await <= 1);
    }

    assert_eq!(metric(&gateway, EJECTED, "shop").await, 1);
}

#[tokio::test]
async fn a_health_check_takes_an_endpoint_out_and_brings_it_back() {
    let (upstreams, bad) = some(1, 2).await;
    bad.store(false, SeqCst);
    let mut scene = scene(&addresses(&upstreams));
    let checks = json!({ "healthChecks": {
        "http": { "path": "/ready?deep=1", "host": "checks.example" },
        "interval": "100ms", "healthyThreshold": 1, "unhealthyThreshold": 2,
    } });
    resilience(&mut scene, service("shop"), checks);
    let gateway = scene.start().await;
    eventually_within(LONG, "both are asked how they are", || {
        upstreams.iter().all(|upstream| upstream.lines().contains(&"GET /ready?deep=1".to_owned()))
    })
    .await;
    assert_eq!(upstreams[0].requests()[0].header("host"), Some("checks.example"));

    bad.store(true, SeqCst);
    metric_is(&gateway, UNHEALTHY, "shop", 1).await;
    for _ in 0..30 {
        assert_eq!(fetch(gateway.entry, HOST, "/work").await.status, 200);
    }
    let worked = |upstream: &Upstream| upstream.lines().iter().filter(|line| *line == "GET /work").count();
    assert_eq!((worked(&upstreams[0]), worked(&upstreams[1])), (0, 30));

    bad.store(false, SeqCst);
    metric_is(&gateway, UNHEALTHY, "shop", 0).await;
    let mut tries = 0;
    while worked(&upstreams[0]) == 0 {
        tries += 1;
        assert!(tries < 200, "it is asked again");
        fetch(gateway.entry, HOST, "/work").await;
    }
}

#[tokio::test]
async fn an_endpoint_that_accepts_no_connection_fails_its_check() {
    let upstream = Upstream::recording().await;
    let mut scene = scene(&[upstream.address, tests::address::free()]);
    let checks = json!({ "healthChecks": { "tcp": {}, "interval": "100ms", "unhealthyThreshold": 1 } });
    resilience(&mut scene, service("shop"), checks);
    let gateway = scene.start().await;

    metric_is(&gateway, UNHEALTHY, "shop", 1).await;
    let failures = metric(&gateway, "selvedge_upstream_connect_failures_total", "").await;
    for _ in 0..20 {
        assert_eq!(fetch(gateway.entry, HOST, "/x").await.status, 200);
    }

    assert_eq!(metric(&gateway, "selvedge_upstream_connect_failures_total", "").await, failures);
}

#[tokio::test]
async fn an_endpoint_that_speaks_http2_is_asked_in_it() {
    let upstream = H2Upstream::serving(|seen| Reply::Whole {
        status: if seen.target == "/ready" { 204 } else { 200 },
        headers: Vec::new(),
        body: Vec::new(),
        trailers: Vec::new(),
    })
    .await;
    let mut scene = tests::scene::Scene::new();
    scene.http();
    scene.service_speaking("shop", "kubernetes.io/h2c", &[upstream.address]);
    scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    let checks = json!({ "healthChecks": {
        "http": { "path": "/ready", "expectedStatuses": [200] }, "interval": "100ms", "unhealthyThreshold": 1,
    } });
    resilience(&mut scene, service("shop"), checks);
    let gateway = scene.start().await;

    metric_is(&gateway, UNHEALTHY, "shop", 1).await;

    // The only endpoint is still asked: never none.
    assert_eq!(fetch(gateway.entry, HOST, "/x").await.status, 200);
}

/// A gRPC server of which the only endpoint is in trouble, or not, as its health service says.
async fn health_by_grpc(serving: &Arc<AtomicBool>) -> H2Upstream {
    let serving = serving.clone();
    H2Upstream::serving(move |seen| {
        let asks_health = seen.target == "/grpc.health.v1.Health/Check";
        let status = if serving.load(SeqCst) { 1 } else { 2 };
        Reply::Whole {
            status: 200,
            headers: vec![("content-type", "application/grpc".to_owned())],
            body: if asks_health { vec![0, 0, 0, 0, 2, 8, status] } else { Vec::new() },
            trailers: vec![("grpc-status", "0")],
        }
    })
    .await
}

#[tokio::test]
async fn an_endpoint_that_speaks_grpc_is_asked_by_its_health_service() {
    let serving = Arc::new(AtomicBool::new(false));
    let upstream = health_by_grpc(&serving).await;
    let mut scene = tests::scene::Scene::new();
    scene.http();
    scene.service_speaking("shop", "kubernetes.io/h2c", &[upstream.address]);
    scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    let checks = json!({ "healthChecks": {
        "grpc": { "service": "shop.Cart" }, "interval": "100ms", "healthyThreshold": 1, "unhealthyThreshold": 1,
    } });
    resilience(&mut scene, service("shop"), checks);
    let gateway = scene.start().await;

    metric_is(&gateway, UNHEALTHY, "shop", 1).await;
    serving.store(true, SeqCst);
    metric_is(&gateway, UNHEALTHY, "shop", 0).await;

    let asked = upstream.requests().into_iter().find(|request| request.complete).expect("it was asked");
    assert_eq!(asked.line(), "POST /grpc.health.v1.Health/Check");
    assert_eq!(asked.header("content-type"), Some("application/grpc"));
    assert_eq!(asked.body, b"\0\0\0\0\x0b\x0a\x09shop.Cart");
}
