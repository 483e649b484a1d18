//! The end of a proxy, as an HTTP/2 client sees it.

mod http2;

use http2::Gateway;
use http2::frames::{
    ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Outcome, PING, Raw, block, frame, request,
};
use http2::upstream;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn a_drain_says_goodbye_lets_streams_finish_and_then_ends() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[]);
    let mut idle = Raw::open(gateway.address, &[]);
    idle.get(1, &request("GET", "/", &[]));
    assert_eq!(idle.outcome(1), Outcome::Answered(200));
    raw.get(1, &request("GET", "/", &[]));
    assert_eq!(raw.outcome(1), Outcome::Answered(200));
    let post = request("POST", "/", &[("content-length", "4")]);
    raw.send(&frame(HEADERS, END_HEADERS, 3, &block(&post)));
    // The answer to a ping shows that what was sent before it has been read.
    raw.send(&frame(PING, 0, 0, &[7; 8]));
    while raw.next_of(PING).unwrap().flags & ACK == 0 {}

    let drain = gateway.drain();
    let goodbye = raw.next_of(GOAWAY).expect("a goodbye");
    assert_eq!(goodbye.code(), 0);
    let ping = raw.next_of(PING).expect("a ping that finds out what is still on its way");
    raw.send(&frame(PING, ACK, 0, &ping.payload));
    assert_eq!(raw.next_of(GOAWAY).expect("the last word").payload[..4], [0, 0, 0, 3]);
    raw.send(&frame(DATA, END_STREAM, 3, b"body"));
    let mut answered = false;
    while let Some(frame) = raw.next() {
        answered |= frame.stream == 3 && frame.kind == HEADERS;
    }
    assert!(answered);
    assert_eq!(idle.farewell(), Some(0));
    drain.join().unwrap();
}

#[test]
fn a_client_that_answers_nothing_does_not_keep_a_drain_from_ending() {
    let gateway = Gateway::http1(upstream::http1(OK).address);
    let mut raw = Raw::open(gateway.address, &[]);
    raw.get(1, &request("GET", "/", &[]));
    assert_eq!(raw.outcome(1), Outcome::Answered(200));

    gateway.drain().join().unwrap();

    assert_eq!(raw.farewell(), Some(0));
}
