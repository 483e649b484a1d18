//! A4: chunk sizes and extensions that two readers would end in different places.

use crate::stage::{SMUGGLED, Stage, post};
use tests::broken::Broken;
use tests::client::RawClient;

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

#[tokio::test]
async fn a_malformed_chunk_is_refused_and_never_completes_upstream() {
    let stage = Stage::new().await;
    let long_extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(64 * 1024));
    let vectors = [
        "5;\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\0b\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\n\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5_0\r\nhello\r\n0\r\n\r\n",
        "5h\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "\t5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";a=b\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: a\nY: b\r\n\r\n",
        "5\r\nhello\r\n0\r\nX : a\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: a\r\n folded\r\n\r\n",
        "5\r\nhello\r\n0\r\n: a\r\n\r\n",
        "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: a\0b\r\n\r\n",
        long_extension.as_str(),
    ];
    let mut broken = Broken::new();
    for body in vectors {
        let bytes = chunked(&format!("{body}{SMUGGLED}"));
        let name = format!("{:?}", &body[..body.len().min(40)]);
        broken.note(&name, stage.refuses_in_body(bytes, "400 bad_chunk").await);
    }
    broken.none();
}

#[tokio::test]
async fn sixteen_mebibytes_of_extension_are_cut_off_early() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    client.send(chunked("5;")).await;
    let piece = vec![b'a'; 64 * 1024];

    let mut taken = 0;
    while taken < 16 * 1024 * 1024 && client.try_send(&piece).await.is_ok() {
        taken += piece.len();
    }

    assert!(taken < 16 * 1024 * 1024, "the gateway read all of it");
    assert_eq!(stage.bystander().await, Ok(()));
}

#[tokio::test]
async fn many_small_extensions_do_not_buy_endless_work() {
    let stage = Stage::new().await;
    let body = format!("{}0\r\n\r\n", format!("1;{}\r\nx\r\n", "e".repeat(300)).repeat(10));

    let judged = stage.refuses_in_body(chunked(&body), "400 bad_chunk").await;

    assert_eq!(judged, Ok(()));
}

#[tokio::test]
async fn a_lawful_extension_ends_at_the_gateway() {
    let stage = Stage::new().await;

    let seen = stage.forwarded(chunked("5;name=value\r\nhello\r\n0;last\r\n\r\n")).await.expect("forwarded");

    assert_eq!(seen.body, b"hello");
    assert_eq!(stage.upstream.exact(), Ok(()));
    let bytes = String::from_utf8_lossy(&stage.upstream.connections()[seen.connection].bytes).into_owned();
    assert!(!bytes.contains("name=value") && !bytes.contains("last"), "{bytes:?}");
}

#[tokio::test]
async fn leading_zeros_and_both_cases_of_hex_mean_the_same_size() {
    let stage = Stage::new().await;
    for size in ["a", "A", "0a", "000A"] {
        let seen = stage.forwarded(chunked(&format!("{size}\r\n0123456789\r\n0\r\n\r\n"))).await;
        assert_eq!(seen.expect("forwarded").body, b"0123456789", "{size}");
    }
}

#[tokio::test]
async fn chunks_may_be_cut_anywhere_on_the_wire() {
    let stage = Stage::new().await;
    let bytes = chunked("5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n");

    let mut client = RawClient::connect(stage.gateway.entry).await;
    client.send_pieces(bytes.as_bytes().chunks(1)).await;

    assert_eq!(client.answer().await.text(), "POST /attack");
    assert_eq!(stage.upstream.last().body, b"hello world");
    assert_eq!(stage.upstream.exact(), Ok(()));
}
