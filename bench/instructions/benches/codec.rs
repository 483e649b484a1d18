//! What it takes to read one head, and the framing of one body.

use std::hint::black_box;

use engine::config::{PathPolicy, UnderscorePolicy};
use gungraun::{library_benchmark, library_benchmark_group, main};
use proxy::codec::http1::{Body, Parsed, Resume, Rules, parse_request, parse_response};
use proxy::message::{Framing, Method, RequestHead, ResponseHead};

/// What a browser sends: ten fields.
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

/// What a web server answers: eight fields.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: nginx/1.31.3\r\n\
    Date: Mon, 23 Nov 2026 02:03:36 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 1024\r\n\
    Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT\r\n\
    Connection: keep-alive\r\n\
    ETag: \"6740a5a0-400\"\r\n\
    Accept-Ranges: bytes\r\n\r\n";

struct Case<Head> {
    bytes: Vec<u8>,
    head: Head,
    resume: Resume,
}

const RULES: Rules = Rules { path: PathPolicy::Reject, underscores: UnderscorePolicy::Reject };

/// One was read before: on a live connection nothing happens for the first time.
fn request() -> Box<Case<RequestHead>> {
    let mut case = Case { bytes: REQUEST.to_vec(), head: RequestHead::default(), resume: Resume::default() };
    parse_request(&mut case.bytes, &mut case.head, &RULES, &mut case.resume);
    case.bytes.copy_from_slice(REQUEST);
    Box::new(case)
}

fn response() -> Box<Case<ResponseHead>> {
    let mut case =
        Case { bytes: RESPONSE.to_vec(), head: ResponseHead::default(), resume: Resume::default() };
    parse_response(&mut case.bytes, &mut case.head, Method::Get, &mut case.resume);
    case.bytes.copy_from_slice(RESPONSE);
    Box::new(case)
}

/// Four chunks of 1 KiB and the last one.
fn chunks() -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..4 {
        text.extend_from_slice(b"400\r\n");
        text.resize(text.len() + 1024, b'x');
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"0\r\n");
    text
}

#[library_benchmark]
#[bench::ten_fields(request())]
fn request_head(mut case: Box<Case<RequestHead>>) -> Box<Case<RequestHead>> {
    let parsed = parse_request(black_box(&mut case.bytes), &mut case.head, &RULES, &mut case.resume);
    assert_eq!(parsed, Parsed::Complete { length: REQUEST.len() });
    case
}

#[library_benchmark]
#[bench::eight_fields(response())]
fn response_head(mut case: Box<Case<ResponseHead>>) -> Box<Case<ResponseHead>> {
    let parsed = parse_response(black_box(&mut case.bytes), &mut case.head, Method::Get, &mut case.resume);
    assert_eq!(parsed, Parsed::Complete { length: RESPONSE.len() });
    case
}

#[library_benchmark]
#[bench::four_of_1_kib(chunks())]
fn chunked_body(text: Vec<u8>) -> Vec<u8> {
    let mut body = Body::new(Framing::Chunked);
    let progress = body.advance(black_box(&text)).expect("a well-formed body");
    assert_eq!(black_box(progress).passed, text.len());
    text
}

library_benchmark_group!(name = codec, benchmarks = [request_head, response_head, chunked_body]);
main!(library_benchmark_groups = codec);
