//! B4: targets that are not a path are refused before any rule looks at them.

use crate::stage::{HOST, Stage};
use tests::broken::Broken;
use tests::frames::{END_HEADERS, END_STREAM, FrameClient, Outcome, kind, request};
use tests::hpack::literals;

#[tokio::test]
async fn http2_paths_that_are_not_paths_are_refused() {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    for path in
        ["", "*", "Service/Method", "a.example/x", "http://b.example/", "?q", "/a b", "/a\u{7f}", "\\admin"]
    {
        let mut frames = FrameClient::connect(stage.gateway.entry).await;
        frames.get(1, HOST, path).await;
        let result = match frames.outcome(1).await {
            Ok(Outcome::Answered(400, _) | Outcome::Reset(_) | Outcome::GoneAway(_)) => Ok(()),
            Ok(other) => Err(format!("{other:?}")),
            Err(problem) => Err(problem),
        };
        broken.note(&format!("{path:?}"), result);
    }
    broken.note("bystander", stage.bystander().await);
    broken.note("upstream", tests::broken::same("requests", &stage.upstream.requests().len(), &1));
    broken.none();
}

#[tokio::test]
async fn a_fragment_in_an_http2_path_is_refused_or_ends_at_the_gateway() {
    let stage = Stage::new().await;
    for path in ["/a#f", "/a?q#f", "/admin#"] {
        let mut frames = FrameClient::connect(stage.gateway.entry).await;
        frames.get(1, HOST, path).await;
        let outcome = frames.outcome(1).await.expect("an outcome");
        let fine = matches!(outcome, Outcome::Answered(200 | 400, _) | Outcome::Reset(_));
        assert!(fine, "{path}: {outcome:?}");
    }
    assert!(stage.upstream.requests().iter().all(|one| !one.target.contains(['#', 'f'])));
}

#[tokio::test]
async fn connect_over_http2_is_refused() {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    let plain = literals(&[(b":method", b"CONNECT"), (b":authority", b"a.example:443")]);
    let extended = literals(&[
        (b":method", b"CONNECT"),
        (b":protocol", b"websocket"),
        (b":scheme", b"http"),
        (b":authority", b"a.example"),
        (b":path", b"/"),
    ]);
    let with_path = request("CONNECT", HOST, "/", &[]);
    for (name, block) in [("plain", plain), ("extended", extended), ("with a path", with_path)] {
        let mut frames = FrameClient::connect(stage.gateway.entry).await;
        frames.send(kind::HEADERS, END_HEADERS, 1, &block).await;
        frames.send(kind::DATA, END_STREAM, 1, b"GET /smuggled HTTP/1.1\r\n\r\n").await;
        let result = match frames.outcome(1).await {
            Ok(Outcome::Answered(400 | 405 | 501, _) | Outcome::Reset(_) | Outcome::GoneAway(_)) => Ok(()),
            Ok(other) => Err(format!("{other:?}")),
            Err(problem) => Err(problem),
        };
        broken.note(name, result.and(stage.bystander().await));
    }
    broken.none();
    assert!(stage.upstream.lines().iter().all(|line| line.starts_with("GET /victim/")));
}

#[tokio::test]
async fn options_for_the_whole_server_is_answered_or_refused_but_never_misread() {
    let stage = Stage::new().await;

    let judged = stage
        .refuses_or(
            format!("OPTIONS * HTTP/1.1\r\nHost: {HOST}\r\n\r\n"),
            "400 bad_target | 404 no_route",
            |seen| tests::broken::same("target", &seen.target.as_str(), &"*"),
        )
        .await;

    assert_eq!(judged, Ok(()));
}
