//! Bounds of time on a rule: 504 in time, the upstream let go, and no bound where none is written.

use serde_json::{Value, json};
use tests::client::{RawClient, exchange, fetch, get};
use tests::gate::Gate;
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::script::{self, Step};
use tests::upstream::Upstream;

async fn bounded(timeouts: Value, upstream: &Upstream) -> Gateway {
    let mut scene = Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    scene.route(
        "all",
        json!({ "rules": [{
        "timeouts": timeouts,
        "backendRefs": [{ "name": "shop", "port": 80 }],
    }] }),
    );
    scene.start().await
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_a_504_and_is_let_go() {
    let vectors = [
        (json!({ "request": "150ms" }), "request_timeout"),
        (json!({ "backendRequest": "150ms" }), "upstream_timeout"),
        (json!({ "request": "5s", "backendRequest": "150ms" }), "upstream_timeout"),
    ];
    for (timeouts, code) in vectors {
        let upstream = Upstream::always(vec![Step::Hang]).await;
        let gateway = bounded(timeouts, &upstream).await;

        let answer = fetch(gateway.entry, "h", "/slow").await;

        assert_eq!(answer.is_failure(504, code), Ok(()));
        tests::until::eventually("the upstream connection is closed", || upstream.connections()[0].ended)
            .await;
    }
}

#[tokio::test]
async fn a_bound_of_zero_or_none_does_not_bound() {
    for timeouts in
        [json!({ "request": "0s" }), json!({ "request": "0s", "backendRequest": "0s" }), json!({})]
    {
        let (arrived, go) = (Gate::closed(), Gate::closed());
        let (there, wait) = (arrived.clone(), go.clone());
        let upstream = Upstream::scripted(move |_| {
            vec![
                Step::Open(there.clone()),
                Step::Wait(wait.clone()),
                Step::Send(script::response("200 OK", &[], b"late")),
            ]
        })
        .await;
        let gateway = bounded(timeouts, &upstream).await;
        let mut client = RawClient::connect(gateway.entry).await;

        client.send(get("h", "/", "")).await;
        arrived.passed().await;
        go.open();

        assert_eq!(client.answer().await.text(), "late");
    }
}

#[tokio::test]
async fn a_body_that_stalls_past_the_bound_is_cut_and_never_presented_as_whole() {
    let upstream = Upstream::always(vec![
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec()),
        Step::Hang,
    ])
    .await;
    let gateway = bounded(json!({ "request": "200ms" }), &upstream).await;

    let answer = exchange(gateway.entry, get("h", "/", "")).await;

    let problem = answer.expect_err("a body that stopped short counted as whole");
    assert!(problem.contains("too early"), "{problem}");
}

#[tokio::test]
async fn a_timeout_does_not_take_other_requests_with_it() {
    let upstream = Upstream::scripted(|request| {
        if request.target == "/slow" { vec![Step::Hang] } else { script::honest(request) }
    })
    .await;
    let gateway = bounded(json!({ "request": "200ms" }), &upstream).await;
    let mut client = RawClient::connect(gateway.entry).await;

    client.send(get("h", "/slow", "")).await;
    assert_eq!(client.answer().await.status, 504);
    client.send(get("h", "/fast", "")).await;

    assert_eq!(client.answer().await.text(), "GET /fast", "the client's connection goes on");
}
