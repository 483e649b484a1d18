//! Parses one typical request, or response, many times, for counting instructions:
//!
//! ```text
//! cargo build --release --example parse_cost
//! valgrind --tool=callgrind target/release/examples/parse_cost request 1000
//! ```
//!
//! The difference between two counts, divided by the difference of the totals, is the cost of one parse; it
//! includes copying the text into the buffer, which stands for the read.

use std::hint::black_box;

use engine::config::{PathPolicy, UnderscorePolicy};
use proxy::codec::http1::{Body, Parsed, Resume, Rules, parse_request, parse_response};
use proxy::message::{Framing, Method, RequestHead, ResponseHead};

const REQUEST: &[u8] = b"GET /shop/items/4711?color=blue&size=m HTTP/1.1\r\n\
    Host: shop.example.com:8080\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.7,zh-CN;q=0.3\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: http://shop.example.com:8080/shop/\r\n\
    Cookie: session=4f1c8b2a9d3e7f60; theme=dark; consent=yes\r\n\
    Connection: keep-alive\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Cache-Control: max-age=0\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: nginx/1.31.3\r\n\
    Date: Mon, 23 Nov 2026 02:03:36 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 1024\r\n\
    Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT\r\n\
    Connection: keep-alive\r\n\
    ETag: \"6740a5a0-400\"\r\n\
    Accept-Ranges: bytes\r\n\r\n";

fn main() {
    let what = std::env::args().nth(1).unwrap_or_else(|| "request".to_owned());
    let count = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(1000);
    match what.as_str() {
        "copy" => copy(count),
        "response" => responses(count),
        "chunks" => chunks(count),
        _ => requests(count),
    }
}

fn copy(count: u32) {
    let mut buffer = vec![0; REQUEST.len()];
    for _ in 0..count {
        black_box(&mut buffer).copy_from_slice(black_box(REQUEST));
    }
}

fn requests(count: u32) {
    let rules = Rules { path: PathPolicy::Reject, underscores: UnderscorePolicy::Reject };
    let mut buffer = vec![0; REQUEST.len()];
    let mut head = RequestHead::default();
    let mut resume = Resume::default();
    for _ in 0..count {
        black_box(&mut buffer).copy_from_slice(black_box(REQUEST));
        let parsed = parse_request(black_box(&mut buffer), &mut head, &rules, &mut resume);
        assert_eq!(parsed, Parsed::Complete { length: REQUEST.len() });
        black_box(&head);
    }
}

fn responses(count: u32) {
    let mut buffer = vec![0; RESPONSE.len()];
    let mut head = ResponseHead::default();
    let mut resume = Resume::default();
    for _ in 0..count {
        black_box(&mut buffer).copy_from_slice(black_box(RESPONSE));
        let parsed = parse_response(black_box(&mut buffer), &mut head, Method::Get, &mut resume);
        assert_eq!(parsed, Parsed::Complete { length: RESPONSE.len() });
        black_box(&head);
    }
}

/// Four chunks of 1 KiB.
fn chunks(count: u32) {
    let mut text = Vec::new();
    for _ in 0..4 {
        text.extend_from_slice(b"400\r\n");
        text.resize(text.len() + 1024, b'x');
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"0\r\n");
    for _ in 0..count {
        let mut body = Body::new(Framing::Chunked);
        let progress = body.advance(black_box(&text)).expect("a well-formed body");
        assert_eq!(black_box(progress).passed, text.len());
    }
}
