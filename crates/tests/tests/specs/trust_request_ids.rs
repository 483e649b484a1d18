//! `X-Request-Id`: kept from a trusted proxy in front, replaced for everybody else, the same wherever it shows.

use crate::stage::{HOST, Stage};
use serde_json::json;
use tests::broken::{Broken, same};
use tests::client::{exchange, get};

const CLAIMED: &str = "Root=1-67891233-abcdef012345678912345678";

async fn behind(hops: u8) -> Stage {
    Stage::with_parameters(json!({ "trustedHops": hops })).await
}

/// The id in the answer and at the upstream, which must be one.
async fn told(stage: &Stage, lines: &str) -> Result<String, String> {
    let answer = exchange(stage.gateway.entry, get(HOST, "/", lines)).await?;
    let id = answer.header("x-request-id").ok_or("an answer without an id")?.to_owned();
    same("id at the upstream", &stage.upstream.last().header("x-request-id"), &Some(id.as_str()))?;
    Ok(id)
}

fn is_our_own(id: &str) -> bool {
    id.len() == 36 && id.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

#[tokio::test]
async fn an_id_from_a_trusted_proxy_is_kept_in_answer_upstream_and_log() {
    let stage = behind(1).await;

    let id = told(&stage, &format!("X-Request-Id: {CLAIMED}\r\n")).await;

    assert_eq!(id.as_deref(), Ok(CLAIMED));
    stage.gateway.logged("a line with the id that was kept", |line| line["id"] == CLAIMED).await;
}

#[tokio::test]
async fn an_id_from_a_client_nobody_vouches_for_is_replaced() {
    let stage = behind(0).await;

    let id = told(&stage, &format!("X-Request-Id: {CLAIMED}\r\n")).await.expect("an id");

    assert!(is_our_own(&id), "{id}");
}

#[tokio::test]
async fn an_id_that_could_not_be_written_anywhere_as_it_is_is_replaced() {
    let stage = behind(1).await;
    let long = "a".repeat(129);
    let longest = "a".repeat(128);
    let mut broken = Broken::new();
    for (name, lines) in [
        ("empty", "X-Request-Id:\r\n".to_owned()),
        ("too long", format!("X-Request-Id: {long}\r\n")),
        ("with a space", "X-Request-Id: a b\r\n".to_owned()),
        ("with a quotation mark", "X-Request-Id: a\",\"status\":\"200\r\n".to_owned()),
        ("with a backslash", "X-Request-Id: a\\u0022\r\n".to_owned()),
        ("not ASCII", "X-Request-Id: a\u{e9}\r\n".to_owned()),
        ("two", "X-Request-Id: a\r\nX-Request-Id: b\r\n".to_owned()),
        ("none", String::new()),
    ] {
        let id = told(&stage, &lines).await;
        broken.note(name, id.and_then(|id| if is_our_own(&id) { Ok(()) } else { Err(id) }));
    }
    broken.none();
    assert_eq!(told(&stage, &format!("X-Request-Id: {longest}\r\n")).await, Ok(longest));
}

#[tokio::test]
async fn a_request_that_no_route_matches_is_told_by_the_id_that_was_kept() {
    let mut scene = tests::scene::Scene::new();
    let entry = scene.http();
    scene.parameters(json!({ "trustedHops": 1 }));
    let _gateway = scene.start().await;

    let answer =
        exchange(entry, get(HOST, "/", &format!("X-Request-Id: {CLAIMED}\r\n"))).await.expect("an answer");

    assert_eq!(answer.is_failure(404, "no_route"), Ok(()));
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("a problem document");
    assert_eq!(problem["requestId"], CLAIMED);
}

#[tokio::test]
async fn the_same_holds_over_http2() {
    for (hops, kept) in [(0, false), (1, true)] {
        let stage = behind(hops).await;
        let mut client = tests::h2_client::H2Client::connect(stage.gateway.entry).await;
        let mut request = tests::h2_client::request("GET", HOST, "/h2");
        request.headers_mut().insert("x-request-id", http::HeaderValue::from_static(CLAIMED));

        let answer = client.exchange(request, b"", None).await.expect("an answer");

        let id = answer.header("x-request-id").expect("an id");
        assert_eq!(id == CLAIMED, kept, "{hops} trusted hops: {id}");
        assert_eq!(stage.upstream.last().header("x-request-id"), Some(id));
    }
}
