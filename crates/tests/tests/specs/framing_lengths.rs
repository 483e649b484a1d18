//! A1–A3: how long a body is, said twice, said oddly, or said in two languages.

use crate::stage::{SMUGGLED, Stage, post};
use tests::broken::Broken;

/// Sends each as the header lines of a POST whose body hides another request.
async fn all_refused(vectors: &[(&str, &str)]) {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    for (lines, wanted) in vectors {
        let rest = format!("0\r\n\r\n{SMUGGLED}");
        broken.note(&format!("{lines:?}"), stage.refuses(post(lines, &rest), wanted).await);
    }
    broken.none();
}

#[tokio::test]
async fn a_request_with_length_and_chunks_is_refused() {
    all_refused(&[
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "400 bad_framing"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "400 bad_framing"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "400 bad_framing"),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "400 bad_framing"),
        ("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "400 bad_framing"),
        ("content-length: 5\r\nTRANSFER-ENCODING: CHUNKED\r\n", "400 bad_framing"),
        (
            "Content-Length: 5\r\nConnection: content-length\r\nTransfer-Encoding: chunked\r\n",
            "400 bad_framing",
        ),
        (
            "Content-Length: 5\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n",
            "400 bad_framing",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_transfer_coding_other_than_chunked_alone_is_refused() {
    all_refused(&[
        ("Transfer-Encoding: chunked, identity\r\n", "400 bad_framing"),
        ("Transfer-Encoding: identity, chunked\r\n", "400 bad_framing"),
        ("Transfer-Encoding: gzip, chunked\r\n", "400 bad_framing"),
        ("Transfer-Encoding: chunked, chunked\r\n", "400 bad_framing"),
        ("Transfer-Encoding: chunked,\r\n", "400 bad_framing"),
        ("Transfer-Encoding: ,chunked\r\n", "400 bad_framing"),
        ("Transfer-Encoding: identity\r\n", "400 bad_framing"),
        ("Transfer-Encoding: \r\n", "400 bad_framing"),
        ("Transfer-Encoding: xchunked\r\n", "400 bad_framing"),
        ("Transfer-Encoding: chunkedx\r\n", "400 bad_framing"),
        ("Transfer-Encoding: \"chunked\"\r\n", "400 bad_framing"),
        ("Transfer-Encoding: chunked;q=1\r\n", "400 bad_framing"),
        ("Transfer-Encoding: chunk ed\r\n", "400 bad_framing"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "400 bad_framing"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "400 bad_framing"),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", "400 bad_framing"),
        ("Transfer-Encoding : chunked\r\n", "400 bad_header"),
        ("Transfer-Encoding:\x0bchunked\r\n", "400 bad_header | 400 bad_framing"),
        ("Transfer-Encoding: \x0cchunked\r\n", "400 bad_header | 400 bad_framing"),
        ("Transfer-Encoding: chunked\x00\r\n", "400 bad_header | 400 bad_framing"),
        ("Transfer-Encoding:\r\n chunked\r\n", "400 bad_header | 400 bad_framing"),
        ("Transfer_Encoding: chunked\r\n", "400 header_underscore"),
    ])
    .await;
}

#[tokio::test]
async fn chunks_in_http_1_0_are_refused() {
    let stage = Stage::new().await;
    let bytes = format!(
        "POST /attack HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"
    );

    assert_eq!(stage.refuses(bytes, "400 bad_framing").await, Ok(()));
}

#[tokio::test]
async fn a_length_is_said_once_in_plain_digits_or_the_request_is_refused() {
    all_refused(&[
        ("Content-Length: 5, 5\r\n", "400 bad_framing"),
        ("Content-Length: 5,5\r\n", "400 bad_framing"),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", "400 bad_framing"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", "400 bad_framing"),
        ("Content-Length: 6\r\nContent-Length: 5\r\n", "400 bad_framing"),
        ("Content-Length: 0\r\nContent-Length: 5\r\n", "400 bad_framing"),
        ("Content-Length: +5\r\n", "400 bad_framing"),
        ("Content-Length: -5\r\n", "400 bad_framing"),
        ("Content-Length: -0\r\n", "400 bad_framing"),
        ("Content-Length: 0x5\r\n", "400 bad_framing"),
        ("Content-Length: 5 5\r\n", "400 bad_framing"),
        ("Content-Length: 5_0\r\n", "400 bad_framing"),
        ("Content-Length: 5.0\r\n", "400 bad_framing"),
        ("Content-Length: 5e1\r\n", "400 bad_framing"),
        ("Content-Length: \"5\"\r\n", "400 bad_framing"),
        ("Content-Length: 5;\r\n", "400 bad_framing"),
        ("Content-Length: \r\n", "400 bad_framing"),
        ("Content-Length:\r\n", "400 bad_framing"),
        ("Content-Length: 005\r\n", "400 bad_framing"),
        ("Content-Length: 00\r\n", "400 bad_framing"),
        ("Content-Length: 18446744073709551616\r\n", "400 bad_framing"),
        ("Content-Length: 18446744073709551621\r\n", "400 bad_framing"),
        ("Content-Length: 99999999999999999999999999\r\n", "400 bad_framing"),
        ("Content-Length: ٥\r\n", "400 bad_framing | 400 bad_header"),
        ("Content-Length : 5\r\n", "400 bad_header"),
        ("Content-Length\t: 5\r\n", "400 bad_header"),
        ("Content_Length: 5\r\n", "400 header_underscore"),
    ])
    .await;
}

#[tokio::test]
async fn white_space_around_a_length_is_not_part_of_it() {
    let stage = Stage::new().await;
    for lines in ["Content-Length: 5 \r\n", "Content-Length:5\r\n", "Content-Length: \t5\t\r\n"] {
        let judged = stage
            .refuses_or(post(lines, "hello"), "400 bad_framing", |seen| {
                let right = seen.header_all("content-length") == ["5"] && seen.body == b"hello";
                if right { Ok(()) } else { Err(format!("forwarded as {seen:?}")) }
            })
            .await;
        assert_eq!(judged, Ok(()), "{lines:?}");
    }
}

#[tokio::test]
async fn lawful_bodies_arrive_byte_for_byte() {
    let stage = Stage::new().await;

    let length = stage.forwarded(post("Content-Length: 11\r\n", "hello world")).await.expect("forwarded");
    let chunks = stage
        .forwarded(post("Transfer-Encoding: chunked\r\n", "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"))
        .await;
    let chunks = chunks.expect("forwarded");

    assert_eq!(length.body, b"hello world");
    assert_eq!(length.header("content-length"), Some("11"));
    assert_eq!(chunks.body, b"hello world");
    assert_eq!(chunks.header("transfer-encoding"), Some("chunked"));
    assert_eq!(stage.upstream.exact(), Ok(()));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_and_one_by_one() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let mut bytes = String::new();
    for number in 0..20 {
        bytes += &post("Content-Length: 3\r\n", "abc").replace("/attack", &format!("/n/{number}"));
    }

    client.send(&bytes).await;

    for number in 0..20 {
        assert_eq!(client.answer().await.text(), format!("POST /n/{number}"));
    }
    assert_eq!(stage.upstream.requests().len(), 20);
    assert!(stage.upstream.requests().iter().all(|request| request.body == b"abc"));
    assert_eq!(stage.upstream.exact(), Ok(()));
}
