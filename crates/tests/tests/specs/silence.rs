//! D7: who may be silent, for how long, and by which name the silence is ended.
//!
//! Every limit is short here. Where a silence must outlast one, another that must not is the clock: it begins later
//! and is over earlier.

use bytes::Bytes;
use serde_json::{Value, json};
use tests::client::{RawClient, exchange, get};
use tests::frames::{FrameClient, Outcome};
use tests::gate::Gate;
use tests::gateway::Gateway;
use tests::h2_client::{H2Client, piece, request, whole};
use tests::h2_upstream::{H2Upstream, Reply};
use tests::scene::Scene;
use tests::script::{self, Step};
use tests::until::{eventually, eventually_some};
use tests::upstream::Upstream;

const HOST: &str = "a.example";

/// `/free…` under these timeouts, everything else without any; all limits on silence are a second.
async fn impatient(upstream: std::net::SocketAddr, protocol: Option<&str>, timeouts: Value) -> Gateway {
    let mut scene = Scene::new();
    scene.http();
    scene.service_in("default", "shop", protocol, &[upstream]);
    let backend = json!([{ "name": "shop", "port": 80 }]);
    let free = json!([{ "path": { "type": "PathPrefix", "value": "/free" } }]);
    scene.route(
        "all",
        json!({ "rules": [
        { "matches": free, "timeouts": timeouts, "backendRefs": backend },
        { "backendRefs": backend },
    ] }),
    );
    scene.parameters(json!({ "limits": {
        "bodyIdleTimeout": "1s", "upstreamIdleTimeout": "1s", "writeStallTimeout": "1s",
    } }));
    scene.start().await
}

const H2C: Option<&str> = Some("kubernetes.io/h2c");

/// An upstream that reads a request and then says nothing.
async fn mute() -> Upstream {
    Upstream::always(vec![Step::ReadBody, Step::Hang]).await
}

/// An HTTP/2 upstream that answers with a head and nothing else.
async fn mute_over_http2() -> H2Upstream {
    H2Upstream::serving(|_| Reply::Hold(Gate::closed())).await
}

#[tokio::test]
async fn an_upstream_that_says_nothing_is_a_504() {
    let upstream = mute().await;
    let gateway = impatient(upstream.address, None, json!({})).await;

    let answer = exchange(gateway.entry, get(HOST, "/", "")).await.expect("an answer");

    assert_eq!(answer.is_failure(504, "upstream_timeout"), Ok(()));
    eventually("the upstream is let go", || upstream.connections()[0].ended).await;
}

#[tokio::test]
async fn an_upstream_that_falls_silent_inside_its_answer_breaks_it_off() {
    let upstream = mute_over_http2().await;
    let gateway = impatient(upstream.address, H2C, json!({})).await;
    let mut client = FrameClient::connect(gateway.entry).await;

    client.get(1, HOST, "/").await;
    let outcome = client.outcome(1).await;

    assert_eq!(outcome, Ok(Outcome::Answered(200, Vec::new())), "the head, then a reset and no end");
    gateway.logged("the reason in the log", |line| line["failure"] == "upstream_timeout").await;
}

#[tokio::test]
async fn a_client_that_says_half_of_its_body_is_a_408() {
    let upstream = Upstream::recording().await;
    let gateway = impatient(upstream.address, None, json!({})).await;
    let mut client = RawClient::connect(gateway.entry).await;

    client.send("POST /half HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhello").await;

    assert_eq!(client.answer().await.is_failure(408, "body_timeout"), Ok(()));
    assert_eq!(client.closes().await, Ok(()));
    assert!(upstream.requests().iter().all(|request| !request.complete));
}

#[tokio::test]
async fn a_client_that_says_half_of_its_body_over_http2_is_a_408_and_others_go_on() {
    let upstream = Upstream::recording().await;
    let gateway = impatient(upstream.address, None, json!({})).await;
    let mut client = H2Client::connect(gateway.entry).await;

    let (response, mut sending) = client.open(request("POST", HOST, "/half"), false).await.expect("a stream");
    sending.send_data(Bytes::from_static(b"hello"), false).expect("room");
    let answer = whole(response).await.expect("an answer");

    assert_eq!(answer.is_failure(408, "body_timeout"), Ok(()));
    assert_eq!(client.get(HOST, "/other").await.text(), "GET /other");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_closed_and_its_upstream_let_go() {
    let body = vec![b'x'; 12 << 20];
    let upstream = Upstream::scripted(move |_| script::answer("200 OK", &[], &body)).await;
    let gateway = impatient(upstream.address, None, json!({})).await;
    let mut client = RawClient::connect(gateway.entry).await;

    client.send(get(HOST, "/large", "")).await;

    gateway.logged("the client to be given up", |line| line["failure"] == "client_stalled").await;
    eventually("the upstream is let go", || upstream.connections()[0].ended).await;
    let received = client.until_closed().await.expect("the gateway closes");
    assert!(received.len() < 12 << 20, "what was cut counts as whole");
}

#[tokio::test]
async fn a_stream_without_window_is_reset_and_its_connection_goes_on() {
    let body = vec![b'x'; 4 << 20];
    let upstream = Upstream::scripted(move |request| {
        if request.target == "/large" {
            script::answer("200 OK", &[], &body)
        } else {
            script::honest(request)
        }
    })
    .await;
    let gateway = impatient(upstream.address, None, json!({})).await;
    let mut client = FrameClient::connect(gateway.entry).await;

    client.get(1, HOST, "/large").await;
    let outcome = client.outcome(1).await;
    let logged =
        gateway.logged("the stream to be given up", |line| line["failure"] == "client_stalled").await;

    // The first window of 65,535 bytes is all that was given.
    let Ok(Outcome::Answered(200, received)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(received.len(), 65_535);
    assert_eq!(logged["path"], "/large");
    eventually("the upstream is let go", || upstream.connections()[0].ended).await;
    client.send(tests::frames::kind::WINDOW_UPDATE, 0, 0, &100_000u32.to_be_bytes()).await;
    client.get(3, HOST, "/small").await;
    assert_eq!(client.outcome(3).await, Ok(Outcome::Answered(200, b"GET /small".to_vec())));
}

#[tokio::test]
async fn a_crowd_of_stalled_streams_gives_everything_back() {
    let body = vec![b'x'; 1 << 20];
    let upstream = Upstream::scripted(move |_| script::answer("200 OK", &[], &body)).await;
    let gateway = impatient(upstream.address, None, json!({})).await;
    let mut crowd = Vec::new();
    for _ in 0..10 {
        let mut client = FrameClient::connect_with(gateway.entry, &[(4, 0)]).await;
        for stream in 0..20 {
            client.get(2 * stream + 1, HOST, "/large").await;
        }
        crowd.push(client);
    }

    let stalled = "selvedge_failures_total{code=\"client_stalled\"} 200";
    eventually_some("every stalled stream to be given up", || async {
        gateway.admin("/metrics").await.text().contains(stalled).then_some(())
    })
    .await;

    eventually("every upstream connection is let go", || {
        upstream.connections().iter().all(|connection| connection.ended)
    })
    .await;
    assert_eq!(crowd.len(), 10, "the clients were there all the time");
}

#[tokio::test]
async fn an_upstream_that_reads_nothing_is_a_504() {
    let upstream = Upstream::always(vec![Step::Wait(Gate::closed())]).await;
    let gateway = impatient(upstream.address, None, json!({})).await;
    let mut client = RawClient::connect(gateway.entry).await;
    let length = 16 << 20;

    client.send(format!("POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: {length}\r\n\r\n")).await;
    let block = vec![b'x'; 1 << 20];
    for _ in 0..length >> 20 {
        if client.try_send_within(&block, std::time::Duration::from_millis(500)).await.is_err() {
            break;
        }
    }

    assert_eq!(client.answer().await.is_failure(504, "upstream_timeout"), Ok(()));
}

/// A gRPC stream that says one word, pauses for longer than any limit, and says another.
async fn pausing_stream(timeouts: Value) -> Result<(), String> {
    let upstream = H2Upstream::serving(|request| {
        if request.target.starts_with("/free") {
            return Reply::Echo { kind: "application/grpc", trailers: vec![("grpc-status", "0")] };
        }
        Reply::Hold(Gate::closed())
    })
    .await;
    let gateway = impatient(upstream.address, H2C, timeouts).await;
    let mut client = H2Client::connect(gateway.entry).await;
    let (response, mut sending) = client.open(request("POST", HOST, "/free/stream"), false).await?;
    sending.send_data(Bytes::from_static(b"one"), false).map_err(|failure| failure.to_string())?;
    let mut body = response.await.map_err(|failure| failure.to_string())?.into_body();
    let first = piece(&mut body).await?;

    let mut clock = FrameClient::connect(gateway.entry).await;
    for tick in 0..2 {
        clock.get(2 * tick + 1, HOST, "/clock").await;
        clock.outcome(2 * tick + 1).await?;
    }
    sending.send_data(Bytes::from_static(b"two"), true).map_err(|failure| failure.to_string())?;

    let second = piece(&mut body).await?;
    let trailers = body.trailers().await.map_err(|failure| failure.to_string())?;
    let said = (first.as_deref(), second.as_deref(), trailers.is_some());
    tests::broken::same("what was said", &said, &(Some(&b"one"[..]), Some(&b"two"[..]), true))
}

#[tokio::test]
async fn a_stream_may_be_silent_for_as_long_as_its_rule_says() {
    for timeouts in [json!({ "request": "0s" }), json!({ "request": "60s" })] {
        assert_eq!(pausing_stream(timeouts.clone()).await, Ok(()), "{timeouts}");
    }
    let ended = pausing_stream(json!({})).await;
    assert!(ended.is_err(), "without a word of the rule the Gateway's limit ends it");
}

#[tokio::test]
async fn a_long_poll_waits_for_as_long_as_its_rule_says() {
    for timeouts in [json!({ "request": "0s" }), json!({ "backendRequest": "60s" })] {
        let go = Gate::closed();
        let wait = go.clone();
        let upstream = Upstream::scripted(move |request| {
            if !request.target.starts_with("/free") {
                return vec![Step::Hang];
            }
            vec![Step::Wait(wait.clone()), Step::Send(script::response("200 OK", &[], b"late"))]
        })
        .await;
        let gateway = impatient(upstream.address, None, timeouts.clone()).await;
        let mut client = RawClient::connect(gateway.entry).await;

        client.send(get(HOST, "/free/poll", "")).await;
        upstream.seen(1).await;
        for _ in 0..2 {
            let clock = exchange(gateway.entry, get(HOST, "/clock", "")).await.expect("an answer");
            assert_eq!(clock.status, 504);
        }
        go.open();

        assert_eq!(client.answer().await.text(), "late", "{timeouts}");
    }
}

#[tokio::test]
async fn an_upload_may_pause_for_as_long_as_its_rule_says() {
    let upstream = Upstream::recording().await;
    let gateway = impatient(upstream.address, None, json!({ "request": "60s" })).await;
    let half = |target: &str| {
        format!("POST {target} HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhello")
    };
    let mut client = RawClient::connect(gateway.entry).await;

    client.send(half("/free/upload")).await;
    eventually("the upload has begun", || !upstream.requests().is_empty()).await;
    for _ in 0..2 {
        let mut clock = RawClient::connect(gateway.entry).await;
        clock.send(half("/clock")).await;
        assert_eq!(clock.answer().await.status, 408);
    }
    client.send("world").await;

    assert_eq!(client.answer().await.text(), "POST /free/upload");
    assert_eq!(upstream.requests()[0].body, b"helloworld");
}
