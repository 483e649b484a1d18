//! A11: what an upstream says wrongly costs its own request and nobody else's.

use crate::stage::{HOST, Stage, is_one_of};
use tests::broken::Broken;
use tests::client::{RawClient, get};
use tests::script::{self, Script, Step};

fn send(bytes: &str) -> Script {
    vec![Step::ReadBody, Step::Send(bytes.as_bytes().to_vec())]
}

/// The client gets `wanted`, a bystander is unharmed, and the connection was not pooled.
async fn answered(script: Script, request: &str, wanted: &str) -> Result<(), String> {
    let stage = Stage::attacked_by(move |_| script.clone()).await;
    let answer = tests::client::exchange(stage.gateway.entry, request).await?;
    is_one_of(&answer, wanted)?;
    not_pooled(&stage).await
}

async fn not_pooled(stage: &Stage) -> Result<(), String> {
    let attacked = stage.upstream.last().connection;
    stage.bystander().await?;
    if stage.upstream.last().connection == attacked {
        return Err("the connection was pooled and used again".to_owned());
    }
    Ok(())
}

#[tokio::test]
async fn an_ambiguous_or_malformed_response_is_a_502() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let vectors = [
        format!("{ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        format!("{ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk"),
        format!("{ok}Content-Length: 2, 3\r\n\r\nokk"),
        format!("{ok}Content-Length: +2\r\n\r\nok"),
        format!("{ok}Content-Length: 0x2\r\n\r\nok"),
        format!("{ok}Content-Length: \r\n\r\nok"),
        format!("{ok}Content-Length: 18446744073709551618\r\n\r\nok"),
        format!("{ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        format!("{ok}Transfer-Encoding: identity\r\n\r\nok"),
        format!("{ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{ok}Content-Length : 2\r\n\r\nok"),
        format!("{ok}X: a\r\n b\r\nContent-Length: 2\r\n\r\nok"),
        format!("{ok}X: a\0b\r\nContent-Length: 2\r\n\r\nok"),
        format!("{ok}X: a\rb\r\nContent-Length: 2\r\n\r\nok"),
        format!("{ok}: a\r\nContent-Length: 2\r\n\r\nok"),
        format!("{ok}no colon\r\nContent-Length: 2\r\n\r\nok"),
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok".to_owned(),
        "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "ICY 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "hello, I am not HTTP\r\n\r\n".to_owned(),
        "\r\n\r\n\r\n".to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(100) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n".repeat(1000),
    ];
    let mut broken = Broken::new();
    for bytes in vectors {
        let name = format!("{:?}", &bytes[..bytes.len().min(70)]);
        let judged = answered(send(&bytes), &get(HOST, "/attack", ""), "502 upstream_protocol").await;
        broken.note(&name, judged);
    }
    broken.none();
}

#[tokio::test]
async fn response_heads_have_a_limit() {
    let big = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 2\r\n\r\nok", "a".repeat(1024 * 1024));
    let many = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\nok", "X: a\r\n".repeat(500));
    let mut broken = Broken::new();
    for (name, bytes) in [("1 MiB in one field", big), ("500 fields", many)] {
        let judged = answered(send(&bytes), &get(HOST, "/attack", ""), "502 upstream_head_too_large").await;
        broken.note(name, judged);
    }
    broken.none();
}

#[tokio::test]
async fn an_upstream_that_hangs_up_before_it_answers_is_a_502() {
    let vectors: [(&str, Script); 4] = [
        ("closes", vec![Step::ReadBody, Step::Close]),
        ("resets", vec![Step::ReadBody, Step::Reset]),
        ("closes inside the head", vec![Step::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Step::Close]),
        ("closes after 100", vec![Step::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()), Step::Close]),
    ];
    let mut broken = Broken::new();
    for (name, script) in vectors {
        let request = format!("POST /attack HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2\r\n\r\nhi");
        let judged = answered(script, &request, "502 upstream_reset | 502 upstream_truncated").await;
        broken.note(name, judged);
    }
    broken.none();
}

#[tokio::test]
async fn a_body_that_stops_short_is_never_presented_as_whole() {
    let vectors: [(&str, &str); 4] = [
        ("length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        ("chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nhalf"),
        ("no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        ("malformed chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxyz\r\n"),
    ];
    let mut broken = Broken::new();
    for (name, bytes) in vectors {
        for last in [Step::Close, Step::Reset] {
            let script = vec![Step::ReadBody, Step::Send(bytes.as_bytes().to_vec()), last.clone()];
            let stage = Stage::attacked_by(move |_| script.clone()).await;
            let result = match tests::client::exchange(stage.gateway.entry, get(HOST, "/attack", "")).await {
                Ok(answer) if answer.status == 502 => not_pooled(&stage).await,
                Ok(answer) => Err(format!("{last:?}: whole answer {} {:?}", answer.status, answer.text())),
                Err(_) => not_pooled(&stage).await,
            };
            broken.note(name, result);
        }
    }
    broken.none();
}

#[tokio::test]
async fn bytes_behind_a_response_are_given_to_nobody() {
    let stolen = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen";
    let vectors = [
        ("second response", "GET", format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{stolen}")),
        (
            "after the last chunk",
            "GET",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{stolen}"),
        ),
        ("after 204", "GET", format!("HTTP/1.1 204 No Content\r\n\r\n{stolen}")),
        ("204 with length", "GET", format!("HTTP/1.1 204 No Content\r\nContent-Length: 40\r\n\r\n{stolen}")),
        ("after 304", "GET", format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 40\r\n\r\n{stolen}")),
        ("HEAD with a body", "HEAD", format!("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{stolen}")),
        (
            "HEAD with chunks",
            "HEAD",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{stolen}"),
        ),
        (
            "after close",
            "GET",
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok{stolen}"),
        ),
        ("garbage", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!!".to_owned()),
    ];
    let mut broken = Broken::new();
    for (name, method, bytes) in vectors {
        let script = send(&bytes);
        let stage = Stage::attacked_by(move |_| script.clone()).await;
        let mut client = RawClient::connect(stage.gateway.entry).await;
        client.send(format!("{method} /attack HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")).await;
        let result = match client.try_answer_to(method).await {
            Ok(answer) if answer.text().contains("stolen") => Err("the client read them".to_owned()),
            Ok(_) => match client.closes().await {
                Ok(()) => not_pooled(&stage).await,
                Err(problem) => Err(problem),
            },
            Err(problem) => Err(problem),
        };
        broken.note(name, result);
    }
    broken.none();
}

#[tokio::test]
async fn interim_answers_within_the_limit_do_no_harm() {
    let bytes = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let script = send(bytes);
    let stage = Stage::attacked_by(move |_| script.clone()).await;

    let answer = stage.get("/attack", "").await;

    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(stage.bystander().await, Ok(()));
}

#[tokio::test]
async fn a_response_until_close_is_carried_whole() {
    let script = vec![Step::Send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end".to_vec()), Step::Close];
    let stage = Stage::attacked_by(move |_| script.clone()).await;

    let answer = stage.get("/attack", "").await;

    assert_eq!((answer.status, answer.text().as_str()), (200, "until the end"));
    assert_eq!(stage.bystander().await, Ok(()));
}

#[tokio::test]
async fn an_http_1_0_response_does_not_leave_its_connection_pooled() {
    let script = script_of_1_0();
    let stage = Stage::attacked_by(move |_| script.clone()).await;

    let answer = stage.get("/attack", "").await;

    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(not_pooled(&stage).await, Ok(()));
}

fn script_of_1_0() -> Script {
    let mut bytes = script::response("200 OK", &[], b"ok");
    bytes[7] = b'0';
    vec![Step::Send(bytes), Step::Close]
}
