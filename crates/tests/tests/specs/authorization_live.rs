//! A change closes nothing by itself; with `live: Enforce` it ends what it forbids, and only that.

use serde_json::{Value, json};
use tests::client::{RawClient, get};
use tests::gate::Gate;
use tests::gateway::Gateway;
use tests::h2_client::{H2Client, request};
use tests::scene::Scene;
use tests::script::Step;
use tests::upstream::Upstream;

const HOST: &str = "a.example";
const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// `/tunnel` becomes a tunnel, `/stream` begins an answer that never ends, `/wait` is not answered.
async fn stage() -> (Scene, Gateway, Upstream) {
    let upstream = Upstream::scripted(|request| match request.target.as_str() {
        "/tunnel" => vec![Step::Send(SWITCHING.to_vec()), Step::Echo],
        "/stream" => {
            let begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec();
            vec![Step::Send(begun), Step::Wait(Gate::closed())]
        }
        "/wait" => vec![Step::Wait(Gate::closed())],
        _ => tests::script::honest(request),
    })
    .await;
    let scene = Scene::forwarding(&upstream);
    let gateway = scene.start().await;
    (scene, gateway, upstream)
}

async fn applied(scene: &mut Scene, gateway: &Gateway, spec: Value) {
    scene.policy("change", spec);
    gateway.edit(&scene.yaml()).await;
    gateway.until(HOST, "/probe", |answer| answer.status == 403).await;
}

fn forbidding(live: &str, paths: Value) -> Value {
    json!({ "action": "Deny", "live": live, "rules": [{ "to": [{ "paths": paths }] }] })
}

async fn tunnel(gateway: &Gateway) -> RawClient {
    let mut client = RawClient::connect(gateway.entry).await;
    client.send(get(HOST, "/tunnel", WEBSOCKET)).await;
    let (answer, _) = client.try_head("GET").await.expect("an answer");
    assert_eq!(answer.status, 101);
    client.send("ping").await;
    assert_eq!(client.exactly(4).await.as_deref(), Ok(&b"ping"[..]));
    client
}

#[tokio::test]
async fn enforce_ends_tunnels_streams_and_requests_that_wait() {
    let (mut scene, gateway, upstream) = stage().await;
    let mut tunnel = tunnel(&gateway).await;
    let mut stream = RawClient::connect(gateway.entry).await;
    stream.send(get(HOST, "/stream", "")).await;
    let (head, _) = stream.try_head("GET").await.expect("a head");
    assert_eq!(head.status, 200);
    let mut waiting = RawClient::connect(gateway.entry).await;
    waiting.send(get(HOST, "/wait", "")).await;
    upstream.seen(3).await;

    applied(&mut scene, &gateway, forbidding("Enforce", json!(["/*"]))).await;

    assert_eq!(tunnel.closes().await, Ok(()));
    assert!(stream.until_closed().await.is_ok(), "it was broken off");
    assert_eq!(waiting.answer().await.is_failure(403, "denied_by_policy"), Ok(()));
}

#[tokio::test]
async fn enforce_ends_nothing_that_is_still_allowed() {
    let (mut scene, gateway, _upstream) = stage().await;
    let mut tunnel = tunnel(&gateway).await;

    applied(&mut scene, &gateway, forbidding("Enforce", json!(["/probe"]))).await;

    tunnel.send("still").await;
    assert_eq!(tunnel.exactly(5).await.as_deref(), Ok(&b"still"[..]));
}

#[tokio::test]
async fn without_enforce_what_is_open_goes_on_and_what_is_new_does_not() {
    let (mut scene, gateway, _upstream) = stage().await;
    let mut tunnel = tunnel(&gateway).await;

    applied(&mut scene, &gateway, forbidding("Keep", json!(["/*"]))).await;

    tunnel.send("still").await;
    assert_eq!(tunnel.exactly(5).await.as_deref(), Ok(&b"still"[..]));
}

#[tokio::test]
async fn an_allow_that_was_narrowed_ends_what_it_no_longer_allows() {
    let (mut scene, gateway, _upstream) = stage().await;
    let mut tunnel = tunnel(&gateway).await;

    let narrow =
        json!({ "action": "Allow", "live": "Enforce", "rules": [{ "to": [{ "paths": ["/other"] }] }] });
    applied(&mut scene, &gateway, narrow).await;

    assert_eq!(tunnel.closes().await, Ok(()));
}

#[tokio::test]
async fn one_stream_of_a_connection_ends_and_the_others_do_not() {
    let (mut scene, gateway, upstream) = stage().await;
    let mut client = H2Client::connect(gateway.entry).await;
    let (response, _) = client.open(request("GET", HOST, "/stream"), true).await.expect("a stream");
    upstream.seen(1).await;

    applied(&mut scene, &gateway, forbidding("Enforce", json!(["/stream", "/probe"]))).await;

    assert!(
        tests::h2_client::whole(response).await.map_or(true, |answer| !answer.complete),
        "it was broken off"
    );
    assert_eq!(client.get(HOST, "/fine").await.status, 200);
}
