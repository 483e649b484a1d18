//! D8: at the limit, one past it, and far past it.
//!
//! The numbers are those of the limit table; a change there is a change of a promise and shows here.

use crate::stage::{HOST, SMUGGLED, Stage, post};
use serde_json::json;
use tests::broken::{Broken, same};
use tests::client::{exchange, get};

const TARGET_BYTES: usize = 8 * 1024;
const HEAD_BYTES: usize = 32 * 1024;
const FIELDS: usize = 128;

fn target_of(length: usize) -> String {
    format!("/{}", "t".repeat(length - 1))
}

/// A whole head of exactly so many bytes, its final empty line included.
fn head_of(length: usize) -> String {
    let empty = get(HOST, "/big", "X-Fill: \r\n").len();
    get(HOST, "/big", &format!("X-Fill: {}\r\n", "f".repeat(length - empty)))
}

/// A head with exactly so many fields, `Host` included.
fn fields_of(count: usize) -> String {
    get(HOST, "/many", &"X: y\r\n".repeat(count - 1))
}

async fn carried(stage: &Stage, bytes: String) -> Result<(), String> {
    stage.forwarded(bytes).await.map(drop)
}

#[tokio::test]
async fn heads_are_carried_up_to_the_limit_and_refused_past_it() {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    broken.note("target at the limit", carried(&stage, get(HOST, &target_of(TARGET_BYTES), "")).await);
    broken.note("head at the limit", carried(&stage, head_of(HEAD_BYTES)).await);
    broken.note("fields at the limit", carried(&stage, fields_of(FIELDS)).await);
    let past = [
        ("target + 1", get(HOST, &target_of(TARGET_BYTES + 1), ""), "414 target_too_long"),
        ("target x 3", get(HOST, &target_of(TARGET_BYTES * 3), ""), "414 target_too_long"),
        (
            "target x 100",
            get(HOST, &target_of(TARGET_BYTES * 100), ""),
            "414 target_too_long | 431 head_too_large",
        ),
        ("head + 1", head_of(HEAD_BYTES + 1), "431 head_too_large"),
        ("head x 100", head_of(HEAD_BYTES * 100), "431 head_too_large"),
        ("fields + 1", fields_of(FIELDS + 1), "431 headers_too_many"),
        ("fields x 100", fields_of(FIELDS * 100), "431 headers_too_many | 431 head_too_large"),
    ];
    for (name, bytes, wanted) in past {
        broken.note(name, stage.refuses(bytes, wanted).await);
    }
    broken.none();
}

#[tokio::test]
async fn http2_heads_have_the_same_limits() {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    let vectors = [
        ("target + 1", target_of(TARGET_BYTES + 1), 0),
        ("fields + 1", "/many".to_owned(), FIELDS + 1),
        ("fields x 10", "/many".to_owned(), FIELDS * 10),
    ];
    for (name, target, fields) in vectors {
        let mut frames = tests::frames::FrameClient::connect(stage.gateway.entry).await;
        let more: Vec<(&[u8], &[u8])> = vec![(b"x", b"y"); fields];
        let block = tests::frames::request("GET", HOST, &target, &more);
        frames.send(tests::frames::kind::HEADERS, 5, 1, &block).await;
        let result = match frames.outcome(1).await {
            Ok(tests::frames::Outcome::Answered(414 | 431, _) | tests::frames::Outcome::Reset(_)) => Ok(()),
            Ok(other) => Err(format!("{other:?}")),
            Err(problem) => Err(problem),
        };
        broken.note(name, result.and(stage.bystander().await));
    }
    broken.none();
}

async fn small_bodies() -> Stage {
    Stage::with_parameters(json!({ "limits": { "requestBody": 1000 } })).await
}

#[tokio::test]
async fn a_declared_body_past_the_limit_is_refused_before_the_upstream_hears_of_it() {
    let stage = small_bodies().await;
    let declared =
        |length: usize| post(&format!("Content-Length: {length}\r\n"), &"b".repeat(length.min(2000)));

    let at_limit = stage.forwarded(declared(1000)).await.expect("forwarded");
    assert_eq!(at_limit.body.len(), 1000);
    for length in [1001, 100_000, usize::MAX / 2] {
        assert_eq!(stage.refuses(declared(length), "413 body_too_large").await, Ok(()), "{length}");
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let stage = small_bodies().await;
    let chunked = |length: usize, behind: &str| {
        let body = "b".repeat(length);
        let chunks: String = body
            .as_bytes()
            .chunks(100)
            .map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)))
            .collect();
        post("Transfer-Encoding: chunked\r\n", &format!("{chunks}0\r\n\r\n{behind}"))
    };

    let mut client = stage.client().await;
    client.send(chunked(1000, "")).await;
    assert_eq!(client.answer_to("POST").await.status, 200);
    assert_eq!(stage.upstream.requests()[0].body.len(), 1000);

    for length in [1001, 100_000] {
        let judged = stage.refuses_in_body(chunked(length, SMUGGLED), "413 body_too_large").await;
        assert_eq!(judged, Ok(()), "{length}");
    }
    let longest = stage.upstream.requests().iter().map(|one| one.body.len()).max();
    assert!(longest <= Some(1000), "the upstream was sent {longest:?} bytes");
}

#[tokio::test]
async fn an_http2_body_is_cut_off_at_the_limit() {
    let stage = small_bodies().await;
    let mut client = tests::h2_client::H2Client::connect(stage.gateway.entry).await;
    let request = || tests::h2_client::request("POST", HOST, "/h2");

    let at_limit = client.exchange(request(), &[b'b'; 1000], None).await.expect("an answer");
    let past = client.exchange(request(), &[b'b'; 1001], None).await;

    assert_eq!(at_limit.status, 200);
    if let Ok(past) = past {
        assert_eq!(past.is_failure(413, "body_too_large"), Ok(()));
    }
    assert!(stage.upstream.requests().iter().all(|one| one.body.len() <= 1000));
    assert_eq!(stage.bystander().await, Ok(()));
}

#[tokio::test]
async fn without_a_limit_a_large_body_passes() {
    let stage = Stage::new().await;
    let body = "b".repeat(4 << 20);

    let answer =
        exchange(stage.gateway.entry, post(&format!("Content-Length: {}\r\n", body.len()), &body)).await;

    assert_eq!(answer.expect("an answer").status, 200);
    assert_eq!(same("length", &stage.upstream.last().body.len(), &body.len()), Ok(()));
}
