//! C3: `X_Auth_User` is `X-Auth-User` to many servers, so it is refused unless somebody says otherwise.

use crate::stage::{HOST, Stage, get_with};
use serde_json::json;
use tests::broken::Broken;
use tests::client::get;
use tests::frames::{FrameClient, Outcome, request};

const ALIASES: [&str; 7] = [
    "X_Forwarded_For",
    "x_forwarded_for",
    "X_Auth_User",
    "x-auth_user",
    "Content_Length",
    "Transfer_Encoding",
    "_",
];

#[tokio::test]
async fn a_name_with_an_underscore_is_refused_by_default() {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    for name in ALIASES {
        broken.note(name, stage.refuses(get_with(&format!("{name}: 1\r\n")), "400 header_underscore").await);
    }
    broken.none();
}

#[tokio::test]
async fn a_name_with_an_underscore_is_refused_in_http2_as_well() {
    let stage = Stage::new().await;
    let mut frames = FrameClient::connect(stage.gateway.entry).await;

    let block = request("GET", HOST, "/", &[(b"x_auth_user", b"admin")]);
    frames.send(tests::frames::kind::HEADERS, 5, 1, &block).await;

    match frames.outcome(1).await.expect("an outcome") {
        Outcome::Answered(400, body) => assert!(String::from_utf8_lossy(&body).contains("header_underscore")),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.upstream.requests().len(), 0);
}

#[tokio::test]
async fn such_a_name_can_be_dropped_instead() {
    let stage = Stage::with_parameters(json!({ "underscores": "Drop" })).await;

    let seen =
        stage.forwarded(get(HOST, "/", "X_Auth_User: admin\r\nX-Other: 1\r\n")).await.expect("forwarded");

    assert_eq!(seen.header_all("x_auth_user"), Vec::<&str>::new());
    assert_eq!(seen.header("x-other"), Some("1"));
}

#[tokio::test]
async fn such_a_name_can_be_kept_but_never_as_an_alias_of_framing() {
    let stage = Stage::with_parameters(json!({ "underscores": "Keep" })).await;

    let seen = stage.forwarded(get(HOST, "/", "X_Auth_User: admin\r\n")).await.expect("forwarded");

    assert_eq!(seen.header("x_auth_user"), Some("admin"));
    assert_eq!(stage.upstream.exact(), Ok(()));
}
