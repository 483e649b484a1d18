//! Bodies flow as they come, both ways, and whoever reads slowly slows the sender instead of filling memory.

use crate::stage::{HOST, Stage, post};
use tests::client::{RawClient, get};
use tests::gate::Gate;
use tests::script::{Script, Step};

const MIB: usize = 1024 * 1024;

/// Far less than the bodies below, far more than the buffers of one connection.
const GROWTH_MAX: u64 = 12 * MIB as u64;

#[tokio::test]
async fn the_first_bytes_of_an_answer_arrive_before_the_last_are_sent() {
    for (head, first, rest) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "first", "-last"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "5\r\nfirst\r\n",
            "5\r\n-last\r\n0\r\n\r\n",
        ),
    ] {
        let gate = Gate::closed();
        let script: Script = vec![
            Step::Send([head, first].concat().into_bytes()),
            Step::Wait(gate.clone()),
            Step::Send(rest.as_bytes().to_vec()),
        ];
        let stage = Stage::attacked_by(move |_| script.clone()).await;
        let mut client = stage.client().await;

        client.send(get(HOST, "/attack", "")).await;
        let (mut answer, ending) = client.try_head("GET").await.expect("a head at once");
        let peeked = client.peek_for("first").await;
        gate.open();

        assert_eq!(peeked, Ok(()), "{head}");
        client.rest(&mut answer, ending).await.expect("the rest");
        assert_eq!(answer.text(), "first-last");
    }
}

#[tokio::test]
async fn the_first_bytes_of_a_request_arrive_before_the_last_are_sent() {
    let stage = Stage::new().await;
    for (lines, first, rest) in [
        ("Content-Length: 10\r\n", "first", "-last"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nfirst\r\n", "5\r\n-last\r\n0\r\n\r\n"),
    ] {
        let before = stage.upstream.requests().len();
        let mut client = stage.client().await;

        client.send(post(lines, first)).await;
        tests::until::eventually("the upstream sees the first half", || {
            stage.upstream.requests().get(before).is_some_and(|one| one.body == b"first" && !one.complete)
        })
        .await;
        client.send(rest).await;

        assert_eq!(client.answer_to("POST").await.status, 200);
        assert_eq!(stage.upstream.last().body, b"first-last");
    }
}

/// An endless upstream: sixty-four mebibytes in pieces.
fn large(request: &tests::recorded::Recorded) -> Script {
    let head = match request.target.as_str() {
        "/attack/chunks" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        _ => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 * MIB),
    };
    let piece = vec![b'x'; 64 * 1024];
    let (piece, end) = match request.target.as_str() {
        "/attack/chunks" => ([b"10000\r\n", &piece[..], b"\r\n"].concat(), b"0\r\n\r\n".to_vec()),
        _ => (piece, Vec::new()),
    };
    vec![Step::Send(head.into_bytes()), Step::Repeat(piece, 1024), Step::Send(end)]
}

#[tokio::test]
async fn a_client_that_does_not_read_bounds_the_memory_of_an_endless_answer() {
    for target in ["/attack/length", "/attack/chunks"] {
        let stage = Stage::attacked_by(large).await;
        assert_eq!(stage.bystander().await, Ok(()));
        let before = stage.gateway.resident_bytes();
        let mut crowd = Vec::new();
        for _ in 0..4 {
            let mut client = RawClient::connect(stage.gateway.entry).await;
            client.shrink_receive_buffer();
            client.send(get(HOST, target, "")).await;
            client.try_head("GET").await.expect("a head");
            crowd.push(client);
        }

        // A bystander's whole exchange later, all that will be buffered has been.
        for _ in 0..20 {
            assert_eq!(stage.bystander().await, Ok(()));
        }
        let grown = stage.gateway.resident_bytes().saturating_sub(before);

        assert!(grown < GROWTH_MAX, "{target}: four stalled readers made it grow by {grown} bytes");
    }
}

#[tokio::test]
async fn a_large_answer_arrives_whole_when_it_is_read() {
    let stage = Stage::attacked_by(large).await;
    let before = stage.gateway.resident_bytes();
    let mut client = stage.client().await;

    client.send(get(HOST, "/attack/length", "")).await;
    let (answer, _) = client.try_head("GET").await.expect("a head");
    let mut left = 64 * MIB;
    while left > 0 {
        let piece = client.exactly(left.min(MIB)).await.expect("more");
        assert!(piece.iter().all(|byte| *byte == b'x'));
        left -= piece.len();
    }

    assert_eq!(answer.status, 200);
    let grown = stage.gateway.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "it grew by {grown} bytes");
    client.send(get(HOST, "/after", "")).await;
    assert_eq!(client.answer().await.text(), "GET /after");
}

#[tokio::test]
async fn an_upstream_that_does_not_read_bounds_the_memory_of_an_endless_request() {
    let gate = Gate::closed();
    let held = gate.clone();
    let stage = Stage::attacked_by(move |_| vec![Step::Wait(held.clone()), Step::Close]).await;
    assert_eq!(stage.bystander().await, Ok(()));
    let before = stage.gateway.resident_bytes();
    let mut client = stage.client().await;
    client.send(post("Content-Length: 1073741824\r\n", "")).await;
    let piece = vec![b'x'; 256 * 1024];

    let pouring = async {
        loop {
            if client.try_send_within(&piece, std::time::Duration::from_millis(500)).await.is_err() {
                return;
            }
        }
    };
    tests::until::within("the gateway to stop taking bytes", pouring).await.expect("back-pressure");
    let grown = stage.gateway.resident_bytes().saturating_sub(before);

    assert!(grown < GROWTH_MAX, "it grew by {grown} bytes");
    assert_eq!(stage.bystander().await, Ok(()));
    gate.open();
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_upstream_request_with_it() {
    let stage = Stage::attacked_by(|_| {
        vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome".to_vec()), Step::Hang]
    })
    .await;
    let mut client = stage.client().await;
    client.send(get(HOST, "/attack", "")).await;
    client.try_head("GET").await.expect("a head");

    client.reset();

    tests::until::eventually("the upstream connection ends", || stage.upstream.connections()[0].ended).await;
    assert_eq!(stage.bystander().await, Ok(()));
}

#[tokio::test]
async fn head_answers_keep_their_length_and_have_no_body() {
    let stage =
        Stage::attacked_by(|_| vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n".to_vec())])
            .await;
    let mut client = stage.client().await;

    client.send(format!("HEAD /attack HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    let answer = client.answer_to("HEAD").await;
    client.send(get(HOST, "/after", "")).await;

    assert_eq!((answer.status, answer.header("content-length")), (200, Some("1234")));
    assert_eq!(client.answer().await.text(), "GET /after");
}

#[tokio::test]
async fn answers_without_a_body_end_with_their_head() {
    for (status, bytes) in [
        (204, "HTTP/1.1 204 No Content\r\n\r\n"),
        (304, "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 99\r\n\r\n"),
    ] {
        let stage = Stage::attacked_by(move |_| vec![Step::Send(bytes.as_bytes().to_vec())]).await;
        let mut client = stage.client().await;

        client.send(get(HOST, "/attack", "")).await;
        assert_eq!(client.answer().await.status, status);
        client.send(get(HOST, "/after", "")).await;

        assert_eq!(client.answer().await.text(), "GET /after");
    }
}
