//! A12: trailers are not a second chance to send what headers may not say.

use crate::stage::{Stage, post};
use tests::broken::Broken;
use tests::frames::{END_HEADERS, END_STREAM, FrameClient, Outcome, kind, request};
use tests::hpack::literals;
use tests::script::Step;

const FORBIDDEN: [(&str, &str); 12] = [
    ("content-length", "3"),
    ("transfer-encoding", "chunked"),
    ("host", "b.example"),
    ("authorization", "Bearer stolen"),
    ("cookie", "session=stolen"),
    ("x-forwarded-for", "1.2.3.4"),
    ("x-forwarded-host", "b.example"),
    ("x-forwarded-client-cert", "By=spiffe://evil"),
    ("x-consumer-id", "admin"),
    ("x-spiffe-id", "spiffe://evil"),
    ("x_auth_user", "admin"),
    ("connection", "close"),
];

#[tokio::test]
async fn forbidden_trailers_never_reach_the_upstream() {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    for (name, value) in FORBIDDEN {
        let bytes =
            post("Transfer-Encoding: chunked\r\n", &format!("2\r\nhi\r\n0\r\n{name}: {value}\r\n\r\n"));
        let before = stage.upstream.requests().len();
        let _ = tests::client::exchange(stage.gateway.entry, bytes).await;
        let arrived = carries(&stage, before, name);
        broken.note(&format!("HTTP/1 {name}"), arrived.and(stage.bystander().await));

        let mut frames = FrameClient::connect(stage.gateway.entry).await;
        let before = stage.upstream.requests().len();
        frames.send(kind::HEADERS, END_HEADERS, 1, &request("POST", "a.example", "/h2", &[])).await;
        frames.send(kind::DATA, 0, 1, b"hi").await;
        let block = literals(&[(name.as_bytes(), value.as_bytes())]);
        frames.send(kind::HEADERS, END_HEADERS | END_STREAM, 1, &block).await;
        let _ = frames.outcome(1).await;
        let arrived = carries(&stage, before, name);
        broken.note(&format!("HTTP/2 {name}"), arrived.and(stage.bystander().await));
    }
    broken.none();
}

/// Looks for the field among the trailers of what arrived since.
fn carries(stage: &Stage, since: usize, name: &str) -> Result<(), String> {
    let seen = stage.upstream.requests();
    let carried =
        seen[since..].iter().any(|one| one.trailers.iter().any(|field| field.0.eq_ignore_ascii_case(name)));
    if carried { Err("it was carried as a trailer".to_owned()) } else { Ok(()) }
}

#[tokio::test]
async fn trailers_that_only_make_sense_after_a_body_are_carried_both_ways() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 77\r\n\r\n";
    let stage = Stage::attacked_by(|_| vec![Step::ReadBody, Step::Send(answer.to_vec())]).await;
    let mut client = stage.client().await;

    client
        .send(post(
            "TE: trailers\r\nTransfer-Encoding: chunked\r\n",
            "2\r\nhi\r\n0\r\nX-Checksum-Crc: 42\r\nX-Other: 1\r\n\r\n",
        ))
        .await;
    let answer = client.answer_to("POST").await;

    let carried = stage.upstream.last().trailers;
    assert!(
        carried.iter().any(|(name, value)| name.eq_ignore_ascii_case("x-checksum-crc") && value == "42"),
        "{carried:?}"
    );
    assert_eq!(answer.trailer_all("x-sum"), ["77"]);
}

#[tokio::test]
async fn http2_trailers_become_chunk_trailers_upstream() {
    let stage = Stage::new().await;
    let mut frames = FrameClient::connect(stage.gateway.entry).await;

    frames.send(kind::HEADERS, END_HEADERS, 1, &request("POST", "a.example", "/h2", &[])).await;
    frames.send(kind::DATA, 0, 1, b"hi").await;
    frames
        .send(
            kind::HEADERS,
            END_HEADERS | END_STREAM,
            1,
            &literals(&[(b"content-digest", b"42"), (b"x-other", b"1")]),
        )
        .await;

    assert_eq!(frames.outcome(1).await, Ok(Outcome::Answered(200, b"POST /h2".to_vec())));
    let seen = stage.upstream.last();
    assert_eq!(seen.body, b"hi");
    assert_eq!(seen.trailers, [("content-digest".to_owned(), "42".to_owned())]);
}

#[tokio::test]
async fn too_many_or_too_large_trailers_are_refused() {
    let stage = Stage::new().await;
    let many = format!("2\r\nhi\r\n0\r\n{}\r\n", "X-T: a\r\n".repeat(500));
    let large = format!("2\r\nhi\r\n0\r\nX-T: {}\r\n\r\n", "a".repeat(100 * 1024));
    let mut broken = Broken::new();
    for (name, body) in [("many", many), ("large", large)] {
        let bytes = post("Transfer-Encoding: chunked\r\n", &body);
        broken.note(name, stage.refuses_in_body(bytes, "400 bad_chunk").await);
    }
    broken.none();
}
