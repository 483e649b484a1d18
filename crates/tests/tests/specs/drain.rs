//! SIGTERM: what is under way ends well, what is idle goes at once, and all of it is bounded.

use crate::stage::{HOST, Stage};
use tests::client::{RawClient, get};
use tests::gate::Gate;
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::script::{self, Step};
use tests::upstream::Upstream;

/// A stage whose upstream holds `/attack` back, and the gates of that.
async fn held() -> (Stage, Gate, Gate) {
    let (arrived, go) = (Gate::closed(), Gate::closed());
    let (there, wait) = (arrived.clone(), go.clone());
    let stage = Stage::attacked_by(move |_| {
        vec![
            Step::Open(there.clone()),
            Step::Wait(wait.clone()),
            Step::Send(script::response("200 OK", &[], b"finished")),
        ]
    })
    .await;
    (stage, arrived, go)
}

#[tokio::test]
async fn a_request_under_way_is_answered_and_told_to_close() {
    let (mut stage, arrived, go) = held().await;
    let mut client = stage.client().await;
    client.send(get(HOST, "/attack", "")).await;
    arrived.passed().await;

    stage.gateway.terminate();
    refuses_connections(&stage.gateway).await;
    go.open();

    let answer = client.answer().await;
    assert_eq!(answer.text(), "finished");
    assert!(
        answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        "{}",
        answer.head
    );
    assert_eq!(client.closes().await, Ok(()));
    assert!(stage.gateway.ended().await, "it ended with a failure");
}

async fn refuses_connections(gateway: &Gateway) {
    tests::until::eventually_some("new connections to be refused", || async {
        RawClient::try_connect(gateway.entry).await.is_err().then_some(())
    })
    .await;
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let mut stage = Stage::new().await;
    let mut used = stage.client().await;
    used.send(get(HOST, "/once", "")).await;
    used.answer().await;
    let mut fresh = stage.client().await;
    let mut two = tests::h2_client::H2Client::connect(stage.gateway.entry).await;
    two.get(HOST, "/once").await;
    assert_eq!(stage.bystander().await, Ok(()));

    stage.gateway.terminate();

    assert_eq!(used.closes().await, Ok(()));
    assert_eq!(fresh.closes().await, Ok(()));
    let ended = tests::until::within("the gateway to end, being idle", stage.gateway.ended()).await;
    assert_eq!(ended, Ok(true));
}

#[tokio::test]
async fn an_http2_connection_is_told_to_go_and_its_streams_finish() {
    let (mut stage, arrived, go) = held().await;
    let mut client = tests::h2_client::H2Client::connect(stage.gateway.entry).await;
    let request = tests::h2_client::request("GET", HOST, "/attack");
    let (response, _) = client.open(request, true).await.expect("room");
    arrived.passed().await;

    stage.gateway.terminate();
    refuses_connections(&stage.gateway).await;
    go.open();

    assert_eq!(tests::h2_client::whole(response).await.expect("an answer").text(), "finished");
    assert_eq!(client.ended().await, Ok(true), "GOAWAY in good order");
    assert!(stage.gateway.ended().await);
}

#[tokio::test]
async fn goaway_is_sent_while_a_stream_is_still_under_way() {
    let (stage, arrived, go) = held().await;
    let mut frames = tests::frames::FrameClient::connect(stage.gateway.entry).await;
    frames.get(1, HOST, "/attack").await;
    arrived.passed().await;

    stage.gateway.terminate();

    assert_eq!(frames.given_up().await, Ok(Some(0)), "GOAWAY with NO_ERROR");
    go.open();
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_at_the_bound() {
    let upstream = Upstream::always(vec![Step::Hang]).await;
    let scene = Scene::forwarding(&upstream);
    let mut gateway =
        Gateway::start_with(&scene.yaml(), scene.entry(), &["--workers", "1", "--drain", "1"]).await;
    let mut client = RawClient::connect(gateway.entry).await;
    client.send(get(HOST, "/forever", "")).await;
    tests::until::eventually("the upstream has it", || !upstream.requests().is_empty()).await;

    gateway.terminate();

    let ended = tests::until::within("the gateway to end at its bound", gateway.ended()).await;
    assert_eq!(ended, Ok(true));
}

#[tokio::test]
async fn readiness_goes_first() {
    let (stage, arrived, go) = held().await;
    let mut client = stage.client().await;
    client.send(get(HOST, "/attack", "")).await;
    arrived.passed().await;
    assert_eq!(stage.gateway.admin("/ready").await.status, 200);

    stage.gateway.terminate();

    tests::until::eventually_some("/ready to say no", || async {
        (stage.gateway.admin("/ready").await.status == 503).then_some(())
    })
    .await;
    go.open();
    assert_eq!(client.answer().await.text(), "finished");
}
