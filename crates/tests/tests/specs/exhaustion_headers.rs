//! D3–D5: header blocks that never end, or that are a thousand times larger than they look.

use crate::stage::{HOST, Stage};
use tests::broken::Broken;
use tests::frames::{END_HEADERS, END_STREAM, FrameClient, kind, request};
use tests::hpack;

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn continuation_without_an_end_is_cut_off() {
    let filler = hpack::literals(&[(b"x", &[b'a'; 100])]);
    let vectors: [(&str, Vec<u8>); 3] =
        [("fields", filler.repeat(10)), ("one byte at a time", vec![0x00]), ("empty frames", Vec::new())];
    let mut broken = Broken::new();
    for (name, payload) in vectors {
        let stage = Stage::new().await;
        let before = stage.gateway.resident_bytes();
        let mut client = FrameClient::connect(stage.gateway.entry).await;
        client.send(kind::HEADERS, END_STREAM, 1, &request("GET", HOST, "/attack", &[])).await;
        let mut batch = Vec::new();
        for _ in 0..100 {
            batch.extend(tests::frames::frame(kind::CONTINUATION, 0, 1, &payload));
        }
        let mut sent = 0;
        while sent < 200_000 && client.try_raw(&batch).await {
            sent += 100;
        }
        let grown = stage.gateway.resident_bytes().saturating_sub(before);
        let result = match client.given_up().await {
            Ok(_) if grown > 16 * MIB => Err(format!("it grew by {grown} bytes")),
            Ok(_) => tests::broken::same("requests", &stage.upstream.requests().len(), &0),
            Err(problem) => Err(format!("after {sent} frames: {problem}")),
        };
        broken.note(name, result.and(stage.bystander().await));
    }
    broken.none();
}

/// A block of `repeat` one-byte references to one field, on many streams, with a window that lets no answer out.
async fn bomb(field: (&[u8], &[u8]), repeat: usize, cookie: bool) -> Result<(), String> {
    let stage = Stage::new().await;
    stage.bystander().await?;
    let before = stage.gateway.resident_bytes_peak();
    let mut client = FrameClient::connect_with(stage.gateway.entry, &[(4, 0)]).await;
    let mut sent = 0u64;
    for number in 0..100u32 {
        let mut block = request("GET", HOST, "/attack", &[]);
        if number == 0 {
            block.extend(hpack::indexed_literal(field.0, field.1));
        }
        block.extend(vec![hpack::NEWEST; repeat]);
        sent += block.len() as u64;
        let mut first = true;
        let pieces = block.chunks(16_000).count();
        for (index, piece) in block.chunks(16_000).enumerate() {
            let end = if index + 1 == pieces { END_HEADERS } else { 0 };
            let (kind, flags) =
                if first { (kind::HEADERS, END_STREAM | end) } else { (kind::CONTINUATION, end) };
            if !client.try_raw(&tests::frames::frame(kind, flags, number * 2 + 1, piece)).await {
                break;
            }
            first = false;
        }
    }
    stage.bystander().await?;
    let grown = stage.gateway.resident_bytes_peak().saturating_sub(before);
    // A hundred times what was sent would be a bug by anybody's threat model; half of it is ours.
    if grown > 50 * sent || grown > 64 * MIB {
        return Err(format!("{sent} bytes made it grow by {grown}"));
    }
    let carried = stage.upstream.requests().iter().filter(|one| one.target == "/attack").count();
    if carried > 0 && !cookie {
        return Err(format!("{carried} bombs were carried upstream"));
    }
    Ok(())
}

#[tokio::test]
async fn a_block_that_unpacks_to_far_more_than_it_weighs_stays_small() {
    let large = vec![b'v'; 3900];
    let mut broken = Broken::new();
    broken.note("a tiny field 16,000 times", bomb((b"a", b""), 16_000, false).await);
    broken.note("a large field 16,000 times", bomb((b"x-large", &large), 16_000, false).await);
    broken.note("cookie crumbs", bomb((b"cookie", b"a=b"), 16_000, false).await);
    broken.none();
}

#[tokio::test]
async fn an_ordinary_browser_with_many_cookies_passes() {
    let stage = Stage::new().await;
    let mut client = tests::h2_client::H2Client::connect(stage.gateway.entry).await;
    let mut request = tests::h2_client::request("GET", HOST, "/cookies");
    for number in 0..90 {
        let crumb =
            http::HeaderValue::try_from(format!("crumb-{number}=value-{number}")).expect("a valid value");
        request.headers_mut().append("cookie", crumb);
    }

    let answer = client.exchange(request, b"", None).await.expect("an answer");

    assert_eq!(answer.status, 200);
    let cookie = stage.upstream.last().header("cookie").unwrap_or_default().to_owned();
    assert_eq!(cookie.split("; ").count(), 90, "{cookie}");
}
