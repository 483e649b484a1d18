//! D6: control frames that cost nothing to send; and honest traffic that looks a little like them.

use crate::stage::{HOST, Stage};
use serde_json::json;
use tests::broken::Broken;
use tests::client::fetch;
use tests::frames::{END_HEADERS, END_STREAM, FrameClient, Outcome, frame, kind, request};
use tests::h2_client::{H2Client, piece};
use tests::h2_upstream::{H2Upstream, Reply};
use tests::scene::Scene;

#[tokio::test]
async fn a_flood_of_control_frames_closes_its_connection_only() {
    let priority = [0, 0, 0, 0, 16];
    let floods: [(&str, Vec<u8>); 8] = [
        ("PING", frame(kind::PING, 0, 0, b"12345678")),
        ("PING acknowledgements", frame(kind::PING, END_STREAM, 0, b"12345678")),
        ("SETTINGS", frame(kind::SETTINGS, 0, 0, &[])),
        ("SETTINGS with values", frame(kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])),
        ("PRIORITY", frame(kind::PRIORITY, 0, 3, &priority)),
        ("WINDOW_UPDATE", frame(kind::WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes())),
        ("empty DATA", frame(kind::DATA, 0, 1, &[])),
        ("unknown frames", frame(0x77, 0, 0, b"?")),
    ];
    let mut broken = Broken::new();
    for (name, one) in floods {
        let stage = Stage::new().await;
        let before = stage.gateway.resident_bytes();
        let mut client = FrameClient::connect(stage.gateway.entry).await;
        client.send(kind::HEADERS, END_HEADERS, 1, &request("POST", HOST, "/attack", &[])).await;
        let batch = one.repeat(100);
        let mut sent = 0;
        while sent < 50_000 && client.try_raw(&batch).await {
            sent += 100;
        }
        let result = match client.given_up().await {
            Ok(_) => stage.bystander().await,
            Err(problem) => Err(format!("after {sent} frames: {problem}")),
        };
        broken.note(name, result);
        let grown = stage.gateway.resident_bytes().saturating_sub(before);
        broken.note(name, if grown < 16 << 20 { Ok(()) } else { Err(format!("it grew by {grown} bytes")) });
    }
    broken.none();
}

#[tokio::test]
async fn data_in_crumbs_is_a_flood_only_when_it_carries_nothing() {
    let stage = Stage::new().await;
    let mut client = FrameClient::connect(stage.gateway.entry).await;
    client.send(kind::HEADERS, END_HEADERS, 1, &request("POST", HOST, "/crumbs", &[])).await;

    client.raw(&frame(kind::DATA, 0, 1, b"x").repeat(2000)).await;
    client.send(kind::DATA, END_STREAM, 1, b"").await;

    assert_eq!(client.outcome(1).await, Ok(Outcome::Answered(200, b"POST /crumbs".to_vec())));
    assert_eq!(stage.upstream.last().body.len(), 2000);
}

fn small_grpc_reply() -> Reply {
    Reply::Whole {
        status: 200,
        headers: vec![("content-type", "application/grpc".to_owned())],
        body: vec![0, 0, 0, 0, 1, 7],
        trailers: vec![("grpc-status", "0")],
    }
}

async fn grpc_scene() -> (tests::gateway::Gateway, H2Upstream) {
    let upstream = H2Upstream::serving(|_| small_grpc_reply()).await;
    let mut scene = Scene::new();
    scene.http();
    scene.service_speaking("rpc", "kubernetes.io/h2c", &[upstream.address]);
    scene.route("rpc", json!({ "rules": [{ "backendRefs": [{ "name": "rpc", "port": 80 }] }] }));
    (scene.start().await, upstream)
}

fn grpc(target: &str) -> http::Request<()> {
    let mut request = tests::h2_client::request("POST", HOST, target);
    request.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert("te", http::HeaderValue::from_static("trailers"));
    request
}

#[tokio::test]
async fn three_hundred_small_grpc_replies_on_one_connection_all_arrive() {
    let (gateway, upstream) = grpc_scene().await;
    let mut client = H2Client::connect(gateway.entry).await;

    // In waves below the stream limit, all answers of a wave left unread until all its requests were sent.
    for wave in 0..3 {
        let mut waiting = Vec::new();
        for number in 0..100 {
            let (response, mut sending) =
                client.open(grpc(&format!("/s/{wave}-{number}")), false).await.expect("room for a stream");
            sending.send_data(bytes::Bytes::from_static(&[0, 0, 0, 0, 0]), true).expect("data is taken");
            waiting.push(response);
        }
        upstream.seen((wave + 1) * 100).await;
        for response in waiting {
            let answer = tests::h2_client::whole(response).await.expect("an answer");
            assert_eq!((answer.status, answer.body.len()), (200, 6));
            assert_eq!(answer.trailer_all("grpc-status"), ["0"]);
        }
    }
    assert_eq!(upstream.requests().len(), 300);
}

#[tokio::test]
async fn a_stream_of_many_small_messages_is_not_a_flood() {
    let upstream = H2Upstream::serving(|_| Reply::Echo {
        kind: "application/grpc",
        trailers: vec![("grpc-status", "0")],
    })
    .await;
    let mut scene = Scene::new();
    scene.http();
    scene.service_speaking("rpc", "kubernetes.io/h2c", &[upstream.address]);
    scene.route("rpc", json!({ "rules": [{ "backendRefs": [{ "name": "rpc", "port": 80 }] }] }));
    let gateway = scene.start().await;
    let mut client = H2Client::connect(gateway.entry).await;
    let (response, mut sending) = client.open(grpc("/chat"), false).await.expect("room for a stream");
    let mut body = response.await.expect("a head at once").into_body();

    let mut back = 0;
    for _ in 0..1000 {
        sending.send_data(bytes::Bytes::from_static(&[0, 0, 0, 0, 1, 9]), false).expect("data is taken");
        while back < 6 {
            back += piece(&mut body).await.expect("the stream lives").expect("more comes").len();
        }
        back -= 6;
    }
    sending.send_data(bytes::Bytes::new(), true).expect("the end is taken");

    while piece(&mut body).await.expect("the stream lives").is_some() {}
    let trailers = body.trailers().await.expect("trailers come").expect("trailers are there");
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn a_client_that_acknowledges_and_pings_now_and_then_is_left_alone() {
    let stage = Stage::new().await;
    let mut client = FrameClient::connect(stage.gateway.entry).await;
    for number in 0..100u32 {
        assert_eq!(client.lives().await, Ok(()));
        client.send(kind::WINDOW_UPDATE, 0, 0, &1000u32.to_be_bytes()).await;
        client.get(number * 2 + 1, HOST, "/ping").await;
        assert_eq!(client.outcome(number * 2 + 1).await, Ok(Outcome::Answered(200, b"GET /ping".to_vec())));
    }
    assert_eq!(fetch(stage.gateway.entry, HOST, "/other").await.status, 200);
}
