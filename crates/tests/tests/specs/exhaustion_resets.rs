//! D1, D2: streams that are opened to be torn down, by the client or by making the gateway do it.

use crate::stage::{HOST, SMUGGLED, Stage};
use tests::broken::Broken;
use tests::frames::{END_HEADERS, END_STREAM, FrameClient, frame, kind, request};

const ATTEMPTS: u32 = 20_000;

/// Far more than the budget of a connection, far less than what an attacker asked for.
const REQUESTS_TOLERATED: usize = 400;

/// Repeats what `frames_of` makes for each new stream until the gateway gives the connection up.
async fn given_up(stage: &Stage, frames_of: impl Fn(u32) -> Vec<u8>) -> Result<(), String> {
    let mut client = FrameClient::connect(stage.gateway.entry).await;
    let mut stream = 1;
    let mut taken = true;
    while taken && stream < 2 * ATTEMPTS {
        let mut batch = Vec::new();
        for _ in 0..50 {
            batch.extend(frames_of(stream));
            stream += 2;
        }
        taken = client.try_raw(&batch).await;
    }
    match client.given_up().await {
        Ok(_) => {}
        Err(problem) => return Err(format!("after {} streams: {problem}", stream / 2)),
    }
    let requests = stage.upstream.requests().len();
    if requests > REQUESTS_TOLERATED {
        return Err(format!("the upstream was sent {requests} requests"));
    }
    stage.bystander().await
}

#[tokio::test]
async fn a_client_that_resets_what_it_opens_is_given_up_soon() {
    let stage = Stage::new().await;
    let judged = given_up(&stage, |stream| {
        let block = request("GET", HOST, "/attack", &[]);
        let mut bytes = frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block);
        bytes.extend(frame(kind::RST_STREAM, 0, stream, &8u32.to_be_bytes()));
        bytes
    });
    assert_eq!(judged.await, Ok(()));
}

#[tokio::test]
async fn a_client_that_resets_uploads_is_given_up_soon() {
    let stage = Stage::new().await;
    let judged = given_up(&stage, |stream| {
        let block = request("POST", HOST, "/attack", &[]);
        let mut bytes = frame(kind::HEADERS, END_HEADERS, stream, &block);
        bytes.extend(frame(kind::DATA, 0, stream, SMUGGLED.as_bytes()));
        bytes.extend(frame(kind::RST_STREAM, 0, stream, &8u32.to_be_bytes()));
        bytes
    });
    assert_eq!(judged.await, Ok(()));
}

#[tokio::test]
async fn a_client_that_makes_the_gateway_reset_its_streams_is_given_up_soon() {
    let head = |stream: u32, flags: u8| {
        frame(kind::HEADERS, END_HEADERS | flags, stream, &request("POST", HOST, "/attack", &[]))
    };
    type Provoke = Box<dyn Fn(u32) -> Vec<u8>>;
    let provocations: Vec<(&str, Provoke)> = vec![
        (
            "a window update of zero",
            Box::new(move |stream| {
                let mut bytes = head(stream, 0);
                bytes.extend(frame(kind::WINDOW_UPDATE, 0, stream, &0u32.to_be_bytes()));
                bytes
            }),
        ),
        (
            "a window that overflows",
            Box::new(move |stream| {
                let mut bytes = head(stream, 0);
                bytes.extend(frame(kind::WINDOW_UPDATE, 0, stream, &0x7fff_ffffu32.to_be_bytes()));
                bytes
            }),
        ),
        (
            "data after the end",
            Box::new(move |stream| {
                let mut bytes = head(stream, END_STREAM);
                bytes.extend(frame(kind::DATA, END_STREAM, stream, b"more"));
                bytes
            }),
        ),
        (
            "a head after the end",
            Box::new(move |stream| {
                let mut bytes = head(stream, END_STREAM);
                bytes.extend(head(stream, END_STREAM));
                bytes
            }),
        ),
        (
            "a stream that depends on itself",
            Box::new(move |stream| {
                let mut bytes = head(stream, 0);
                let mut priority = stream.to_be_bytes().to_vec();
                priority.push(1);
                bytes.extend(frame(kind::PRIORITY, 0, stream, &priority));
                bytes.extend(frame(kind::RST_STREAM, 0, stream, &8u32.to_be_bytes()));
                bytes
            }),
        ),
        (
            "a malformed request",
            Box::new(move |stream| {
                frame(
                    kind::HEADERS,
                    END_HEADERS | END_STREAM,
                    stream,
                    &request("GET", HOST, "/attack", &[(b"connection", b"close")]),
                )
            }),
        ),
        (
            "a length that is not kept",
            Box::new(move |stream| {
                let block = request("POST", HOST, "/attack", &[(b"content-length", b"5")]);
                let mut bytes = frame(kind::HEADERS, END_HEADERS, stream, &block);
                bytes.extend(frame(kind::DATA, END_STREAM, stream, b"123456789"));
                bytes
            }),
        ),
    ];
    let mut broken = Broken::new();
    for (name, provoke) in provocations {
        let stage = Stage::new().await;
        broken.note(name, given_up(&stage, provoke).await);
    }
    broken.none();
}

#[tokio::test]
async fn a_browser_that_cancels_a_few_requests_is_not_an_attacker() {
    let stage = Stage::new().await;
    let mut client = FrameClient::connect(stage.gateway.entry).await;
    let mut stream = 1;
    for _ in 0..20 {
        client.get(stream, HOST, "/cancelled").await;
        client.send(kind::RST_STREAM, 0, stream, &8u32.to_be_bytes()).await;
        client.get(stream + 2, HOST, "/wanted").await;
        let outcome = client.outcome(stream + 2).await;
        assert_eq!(outcome, Ok(tests::frames::Outcome::Answered(200, b"GET /wanted".to_vec())));
        stream += 4;
    }
}

/// Resets that are sent in all, by a client that connects anew whenever it is given up.
const RESETS: usize = 100_000;

/// Streams of one connection; more than any budget of a connection allows.
const STREAMS: u32 = 400;

#[tokio::test]
async fn a_hundred_thousand_resets_over_ever_new_connections_leave_the_process_small_and_serving() {
    let stage = Stage::new().await;
    assert_eq!(stage.bystander().await, Ok(()));
    let before = stage.gateway.resident_bytes_peak();
    let mut all = Vec::new();
    for stream in (1..2 * STREAMS).step_by(2) {
        let block = request("GET", HOST, "/attack", &[]);
        all.extend(frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block));
        all.extend(frame(kind::RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }

    let mut connections = 0;
    for _ in 0..RESETS / STREAMS as usize {
        let mut client = FrameClient::connect(stage.gateway.entry).await;
        client.try_raw(&all).await;
        assert!(client.given_up().await.is_ok(), "connection {connections} is not given up");
        connections += 1;
        if connections % 50 == 0 {
            assert_eq!(stage.bystander().await, Ok(()), "after {connections} connections");
        }
    }

    let grown = stage.gateway.resident_bytes_peak().saturating_sub(before);
    assert!(grown < 16 << 20, "{connections} connections made it grow by {grown} bytes");
    let requests = stage.upstream.requests().len();
    assert!(requests < connections * 110, "the upstream was sent {requests} requests");
    let metrics = stage.gateway.admin("/metrics").await.text();
    let given_up = format!("selvedge_failures_total{{code=\"http2_abuse\"}} {connections}");
    assert!(metrics.contains(&given_up), "every one was given up by its name");
}
