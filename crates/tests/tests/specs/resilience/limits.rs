//! Limits of a destination, and an upstream that is slow for a while (F6).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::json;
use tests::client::{RawClient, fetch, get};
use tests::gate::Gate;
use tests::script::{self, Step};
use tests::upstream::Upstream;

use super::{HOST, metric, metric_is, resilience, scene, service};

/// Holds requests for `/held` until the gate opens.
async fn holding(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::scripted(move |request| {
        let mut steps = script::honest(request);
        if request.target.starts_with("/held") {
            steps.insert(0, Step::Wait(gate.clone()));
        }
        steps
    })
    .await
}

async fn ask(address: std::net::SocketAddr, target: &str) -> RawClient {
    let mut client = RawClient::connect(address).await;
    client.send(get(HOST, target, "")).await;
    client
}

#[tokio::test]
async fn past_a_limit_on_requests_they_are_refused_until_one_has_ended() {
    for (limits, code, label) in [
        (json!({ "requests": 1 }), "upstream_limit_requests", "requests"),
        (json!({ "perEndpoint": { "requests": 1 } }), "upstream_limit_endpoint", "endpoint"),
    ] {
        let gate = Gate::closed();
        let upstream = holding(&gate).await;
        let mut scene = scene(&[upstream.address]);
        resilience(&mut scene, service("shop"), json!({ "limits": limits }));
        let gateway = scene.start().await;

        let mut held = ask(gateway.entry, "/held").await;
        upstream.seen(1).await;
        let refused = fetch(gateway.entry, HOST, "/second").await;
        gate.open();

        assert_eq!(refused.is_failure(503, code), Ok(()));
        assert_eq!(held.answer().await.status, 200);
        assert_eq!(fetch(gateway.entry, HOST, "/third").await.status, 200);
        let overflows = format!("limit=\"{label}\"");
        assert_eq!(metric(&gateway, "selvedge_upstream_overflows_total", &overflows).await, 1);
    }
}

#[tokio::test]
async fn past_a_limit_on_connections_requests_wait_and_past_the_next_they_are_refused() {
    let gate = Gate::closed();
    let upstream = holding(&gate).await;
    let mut scene = scene(&[upstream.address]);
    resilience(
        &mut scene,
        service("shop"),
        json!({ "limits": { "connections": 1, "pendingRequests": 1 }, "timeouts": { "connect": "1h" } }),
    );
    let gateway = scene.start().await;

    let mut held = ask(gateway.entry, "/held").await;
    upstream.seen(1).await;
    let mut waiting = ask(gateway.entry, "/a").await;
    // Which of the two waits and which is refused is theirs to settle.
    let mut other = ask(gateway.entry, "/b").await;
    metric_is(&gateway, "selvedge_upstream_overflows_total", "limit=\"pending\"", 1).await;
    gate.open();

    let mut answers = [waiting.answer().await, other.answer().await];
    answers.sort_by_key(|answer| answer.status);
    assert_eq!(held.answer().await.status, 200);
    assert_eq!(answers[0].status, 200);
    assert_eq!(answers[1].is_failure(503, "upstream_limit_pending"), Ok(()));
    assert_eq!(upstream.connections().len(), 1);
}

#[tokio::test]
async fn an_idle_connection_to_another_endpoint_makes_room() {
    let upstreams = [Upstream::recording().await, Upstream::recording().await];
    let mut scene = scene(&[upstreams[0].address, upstreams[1].address]);
    resilience(&mut scene, service("shop"), json!({ "limits": { "connections": 1, "pendingRequests": 0 } }));
    let gateway = scene.start().await;

    for _ in 0..40 {
        assert_eq!(fetch(gateway.entry, HOST, "/x").await.status, 200);
    }

    assert!(upstreams.iter().all(|upstream| !upstream.requests().is_empty()), "both have their share");
}

#[tokio::test]
async fn after_a_time_of_slowness_everything_is_answered_at_once() {
    const REQUESTS: usize = 40;
    let slow = Arc::new(AtomicBool::new(true));
    let is_slow = slow.clone();
    let upstream = Upstream::scripted(move |request| match is_slow.load(SeqCst) {
        true => vec![Step::ReadBody, Step::Hang],
        false => script::honest(request),
    })
    .await;
    let mut scene = scene(&[upstream.address]);
    let spec = json!({
        "timeouts": { "request": "5s", "attempt": "100ms" },
        "retries": {
            "attempts": 5, "retryOn": [504], "backoff": { "base": "1ms", "max": "1ms" },
            "budget": { "percent": 20, "minRetriesPerSecond": 0 },
        },
    });
    resilience(&mut scene, service("shop"), spec);
    let gateway = scene.start().await;

    let mut asked = tokio::task::JoinSet::new();
    let entry = gateway.entry;
    (0..REQUESTS).for_each(|_| drop(asked.spawn(async move { fetch(entry, HOST, "/x").await })));
    let answers = asked.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 504));
    let retried = upstream.requests().len() - REQUESTS;
    assert!(retried * 100 <= REQUESTS * 20, "{retried} retries of {REQUESTS} requests");

    slow.store(false, SeqCst);
    for _ in 0..REQUESTS {
        assert_eq!(fetch(gateway.entry, HOST, "/x").await.status, 200);
    }
}
