//! A8: a connection changes its protocol only when both ends said so, and nothing slips through before.

use crate::stage::{HOST, SMUGGLED, Stage, get_with};
use tests::broken::Broken;
use tests::recorded::Recorded;
use tests::script::{self, Script, Step};

const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[tokio::test]
async fn after_101_bytes_flow_both_ways_untouched() {
    let stage = Stage::attacked_by(|_| vec![Step::Send(SWITCHING.to_vec()), Step::Echo]).await;
    let mut client = stage.client().await;

    client.send(tests::client::get(HOST, "/attack", WEBSOCKET)).await;
    let (answer, _) = client.try_head("GET").await.expect("an answer");
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    client.send(b"\x81\x05hello\0\r\n\r\n").await;

    assert_eq!(client.exactly(12).await.as_deref(), Ok(&b"\x81\x05hello\0\r\n\r\n"[..]));
    let request = stage.upstream.requests().remove(0);
    assert_eq!(request.header("upgrade"), Some("websocket"));
    assert!(request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")));
    assert_eq!(request.header("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    client.finish().await;
    assert_eq!(client.closes().await, Ok(()));
    assert_eq!(stage.bystander().await, Ok(()));
}

#[tokio::test]
async fn bytes_sent_too_early_wait_for_101_and_then_arrive_first() {
    let stage = Stage::attacked_by(|_| vec![Step::Send(SWITCHING.to_vec()), Step::Echo]).await;
    let mut client = stage.client().await;

    client.send(tests::client::get(HOST, "/attack", WEBSOCKET) + "early").await;

    let (answer, _) = client.try_head("GET").await.expect("an answer");
    assert_eq!(answer.status, 101);
    assert_eq!(client.exactly(5).await.as_deref(), Ok(&b"early"[..]));
}

#[tokio::test]
async fn bytes_behind_a_refused_upgrade_never_reach_the_upstream_as_they_are() {
    for status in ["200 OK", "403 Forbidden", "426 Upgrade Required"] {
        let stage = Stage::attacked_by(move |_| script::answer(status, &[], b"no")).await;
        let mut client = stage.client().await;

        client.send(get_with(WEBSOCKET)).await;
        let answer = client.answer().await;
        let next = client.until_closed_or_answer().await;

        assert_eq!(answer.text(), "no", "{status}");
        if let Some(next) = next {
            assert_eq!(next.text(), "GET /smuggled", "{status}");
        }
        assert_eq!(stage.bystander().await, Ok(()), "{status}");
    }
}

#[tokio::test]
async fn a_connection_that_refused_an_upgrade_is_not_used_again() {
    let stage = Stage::attacked_by(|_| script::answer("403 Forbidden", &[], b"no")).await;

    let answer = stage.get("/attack", WEBSOCKET).await;

    assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
    assert_eq!(stage.bystander().await, Ok(()));
    let requests = stage.upstream.requests();
    assert_ne!(requests[0].connection, requests[1].connection);
}

#[tokio::test]
async fn an_upgrade_with_a_body_is_refused() {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    for lines in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let bytes = get_with(&format!("{WEBSOCKET}{lines}"));
        broken.note(lines, stage.refuses(bytes, "400 bad_upgrade").await);
    }
    broken.none();
}

#[tokio::test]
async fn an_upgrade_that_connection_does_not_list_is_not_one() {
    let stage = Stage::new().await;

    let seen = stage.forwarded(tests::client::get(HOST, "/", "Upgrade: websocket\r\n")).await;

    assert_eq!(seen.expect("forwarded").header_all("upgrade"), Vec::<&str>::new());
}

#[tokio::test]
async fn an_upgrade_to_http2_ends_at_the_gateway() {
    let stage = Stage::new().await;
    let lines = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";

    let judged = stage
        .refuses_or(tests::client::get(HOST, "/h2c", lines), "400 bad_upgrade", |seen: &Recorded| {
            let left = [
                seen.header_all("upgrade"),
                seen.header_all("http2-settings"),
                seen.header_all("connection"),
            ];
            let left: Vec<&str> = left.concat().into_iter().filter(|value| *value != "keep-alive").collect();
            if left.is_empty() { Ok(()) } else { Err(format!("the upstream was asked for {left:?}")) }
        })
        .await;

    assert_eq!(judged, Ok(()));
}

#[tokio::test]
async fn a_101_nobody_asked_for_is_a_broken_upstream() {
    let fake: [(&str, &str, Script); 3] = [
        ("without asking", "", vec![Step::Send(SWITCHING.to_vec()), Step::Echo]),
        ("no upgrade field", WEBSOCKET, vec![Step::Send(b"HTTP/1.1 101 Fine\r\n\r\n".to_vec()), Step::Echo]),
        (
            "another protocol",
            WEBSOCKET,
            vec![
                Step::Send(b"HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n".to_vec()),
                Step::Echo,
            ],
        ),
    ];
    let mut broken = Broken::new();
    for (name, lines, script) in fake {
        let stage = Stage::attacked_by(move |_| script.clone()).await;
        let mut client = stage.client().await;
        client.send(tests::client::get(HOST, "/attack", lines) + SMUGGLED).await;
        let head = client.try_head("GET").await;
        let result = match head {
            Ok((answer, _)) if answer.status == 502 => stage.bystander().await,
            Ok((answer, _)) => Err(format!("the client got {}", answer.status)),
            Err(problem) => Err(problem),
        };
        broken.note(name, result);
    }
    broken.none();
}

#[tokio::test]
async fn a_tunnel_that_the_upstream_resets_ends_for_the_client() {
    let stage = Stage::attacked_by(|_| vec![Step::Send(SWITCHING.to_vec()), Step::Reset]).await;
    let mut client = stage.client().await;

    client.send(tests::client::get(HOST, "/attack", WEBSOCKET)).await;
    let (answer, _) = client.try_head("GET").await.expect("an answer");

    assert_eq!(answer.status, 101);
    assert_eq!(client.closes().await, Ok(()));
    assert_eq!(stage.bystander().await, Ok(()));
}
