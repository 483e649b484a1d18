//! Connections are used again while they are good, and a stale one costs no request.

use crate::stage::{HOST, Stage};
use tests::client::{exchange, fetch, get};
use tests::recorded::Recorded;
use tests::script::{self, Step};

#[tokio::test]
async fn one_upstream_connection_serves_many_clients_in_turn() {
    let stage = Stage::new().await;

    for number in 0..50 {
        assert_eq!(fetch(stage.gateway.entry, HOST, &format!("/{number}")).await.status, 200);
    }

    assert_eq!(stage.upstream.connections().len(), 1);
}

#[tokio::test]
async fn one_client_connection_carries_many_requests() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;

    for number in 0..200 {
        client.send(get(HOST, &format!("/{number}"), "")).await;
        assert_eq!(client.answer().await.text(), format!("GET /{number}"));
    }

    assert_eq!(stage.upstream.connections().len(), 1);
}

#[tokio::test]
async fn requests_at_the_same_time_have_connections_of_their_own() {
    let gate = tests::gate::Gate::closed();
    let held = gate.clone();
    let stage = Stage::attacked_by(move |request: &Recorded| {
        [vec![Step::Wait(held.clone())], script::honest(request)].concat()
    })
    .await;
    let mut clients = Vec::new();
    for number in 0..10 {
        let mut client = stage.client().await;
        client.send(get(HOST, &format!("/attack/{number}"), "")).await;
        clients.push(client);
    }
    stage.upstream.seen(10).await;
    assert_eq!(stage.upstream.connections().len(), 10);

    gate.open();

    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.answer().await.text(), format!("GET /attack/{number}"));
    }
    assert_eq!(stage.bystander().await, Ok(()));
    assert_eq!(stage.upstream.connections().len(), 10, "an idle one was used again");
}

/// Answers and closes without saying so first.
fn closes_silently(request: &Recorded) -> Vec<Step> {
    [script::honest(request), vec![Step::Close]].concat()
}

#[tokio::test]
async fn a_pooled_connection_that_the_upstream_closed_costs_no_request() {
    let stage = Stage::with_upstream(tests::upstream::Upstream::scripted(closes_silently).await).await;

    for number in 0..20 {
        assert_eq!(
            fetch(stage.gateway.entry, HOST, &format!("/{number}")).await.text(),
            format!("GET /{number}")
        );
        tests::until::eventually("the upstream closed", || {
            stage.upstream.connections().iter().all(|connection| connection.ended)
        })
        .await;
    }
}

#[tokio::test]
async fn a_connection_that_dies_under_an_idempotent_request_is_replaced_once() {
    // The second request on a connection is received and dropped, as when an idle timeout fires upstream.
    let upstream = tests::upstream::Upstream::scripted({
        let count = std::sync::atomic::AtomicUsize::new(0);
        move |request| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            1 => vec![Step::Reset],
            _ => script::honest(request),
        }
    })
    .await;
    let stage = Stage::with_upstream(upstream).await;

    assert_eq!(fetch(stage.gateway.entry, HOST, "/first").await.text(), "GET /first");
    assert_eq!(fetch(stage.gateway.entry, HOST, "/second").await.text(), "GET /second");

    assert_eq!(stage.upstream.lines(), ["GET /first", "GET /second", "GET /second"]);
}

#[tokio::test]
async fn a_post_that_may_have_been_seen_is_not_sent_twice() {
    let upstream = tests::upstream::Upstream::scripted({
        let count = std::sync::atomic::AtomicUsize::new(0);
        move |request| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            1 => vec![Step::ReadBody, Step::Reset],
            _ => script::honest(request),
        }
    })
    .await;
    let stage = Stage::with_upstream(upstream).await;
    let post =
        |target: &str| format!("POST {target} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2\r\n\r\nhi");

    let first = exchange(stage.gateway.entry, post("/first")).await.expect("an answer");
    let second = exchange(stage.gateway.entry, post("/second")).await.expect("an answer");

    assert_eq!(first.status, 200);
    assert_eq!(second.is_failure(502, "upstream_reset"), Ok(()));
    assert_eq!(stage.upstream.lines(), ["POST /first", "POST /second"]);
}

#[tokio::test]
async fn http_1_0_clients_are_served_and_closed_unless_they_ask_otherwise() {
    let stage = Stage::new().await;
    let mut plain = stage.client().await;
    plain.send(format!("GET /old HTTP/1.0\r\nHost: {HOST}\r\n\r\n")).await;
    assert_eq!(plain.answer().await.text(), "GET /old");
    assert_eq!(plain.closes().await, Ok(()));

    let chunked = Stage::attacked_by(|_| {
        vec![Step::Send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_vec(),
        )]
    })
    .await;
    let mut old = chunked.client().await;
    old.send(format!("GET /attack HTTP/1.0\r\nHost: {HOST}\r\n\r\n")).await;
    let answer = old.answer().await;
    assert_eq!(answer.header_all("transfer-encoding"), Vec::<&str>::new(), "chunks are unknown to HTTP/1.0");
    assert_eq!(answer.text(), "ok");
}
