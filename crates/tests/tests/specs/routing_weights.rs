//! Shares of traffic: as written, within what chance allows; invalid shares are failures, not gifts.

use crate::routing_matches::Named;
use serde_json::{Value, json};
use tests::client::{RawClient, get};
use tests::gateway::Gateway;

const REQUESTS: usize = 2000;

async fn shares(gateway: &Gateway) -> std::collections::BTreeMap<String, usize> {
    let mut client = RawClient::connect(gateway.entry).await;
    let mut shares = std::collections::BTreeMap::new();
    for _ in 0..REQUESTS {
        client.send(get("h", "/", "")).await;
        let answer = client.answer().await;
        let who = if answer.status == 200 { answer.text() } else { answer.status.to_string() };
        *shares.entry(who).or_default() += 1;
    }
    shares
}

async fn split(backends: Value) -> (Gateway, Vec<tests::upstream::Upstream>) {
    let mut named = Named::new(&["left", "right"]).await;
    named.scene.route("split", json!({ "rules": [{ "backendRefs": backends }] }));
    named.start().await
}

/// Four standard deviations of a fair draw: a correct gateway fails once in some ten thousand runs.
fn near(count: Option<&usize>, share: f64) -> bool {
    let expected = REQUESTS as f64 * share;
    let deviation = (REQUESTS as f64 * share * (1.0 - share)).sqrt();
    (count.copied().unwrap_or(0) as f64 - expected).abs() <= 4.0 * deviation
}

#[tokio::test]
async fn traffic_is_split_by_weight() {
    let (gateway, _upstreams) = split(
        json!([{ "name": "left", "port": 80, "weight": 9 }, { "name": "right", "port": 80, "weight": 1 }]),
    )
    .await;

    let shares = shares(&gateway).await;

    assert!(near(shares.get("left"), 0.9) && near(shares.get("right"), 0.1), "{shares:?}");
}

#[tokio::test]
async fn a_weight_that_is_not_written_is_one() {
    let (gateway, _upstreams) =
        split(json!([{ "name": "left", "port": 80 }, { "name": "right", "port": 80, "weight": 3 }])).await;

    let shares = shares(&gateway).await;

    assert!(near(shares.get("left"), 0.25), "{shares:?}");
}

#[tokio::test]
async fn a_weight_of_zero_gets_nothing() {
    let (gateway, _upstreams) = split(
        json!([{ "name": "left", "port": 80, "weight": 0 }, { "name": "right", "port": 80, "weight": 5 }]),
    )
    .await;

    let shares = shares(&gateway).await;

    assert_eq!(shares.get("right"), Some(&REQUESTS), "{shares:?}");
}

#[tokio::test]
async fn the_share_of_a_backend_that_does_not_exist_fails_with_500() {
    let (gateway, _upstreams) = split(
        json!([{ "name": "left", "port": 80, "weight": 3 }, { "name": "nobody", "port": 80, "weight": 1 }]),
    )
    .await;

    let shares = shares(&gateway).await;

    assert!(near(shares.get("500"), 0.25) && near(shares.get("left"), 0.75), "{shares:?}");
}

#[tokio::test]
async fn all_endpoints_of_a_service_take_part() {
    let mut scene = tests::scene::Scene::new();
    scene.http();
    let mut upstreams = Vec::new();
    for _ in 0..3 {
        upstreams.push(tests::upstream::Upstream::recording().await);
    }
    let addresses: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
    scene.service("shop", &addresses);
    scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    let gateway = scene.start().await;

    for number in 0..90 {
        assert_eq!(tests::client::fetch(gateway.entry, "h", &format!("/{number}")).await.status, 200);
    }

    let counts: Vec<usize> = upstreams.iter().map(|upstream| upstream.requests().len()).collect();
    assert!(counts.iter().all(|count| *count >= 5), "{counts:?}");
}
