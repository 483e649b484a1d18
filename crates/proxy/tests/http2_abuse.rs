//! What one HTTP/2 client can do to others, and to this process: little, and not for long.

mod http2;

use std::time::Duration;

use engine::config::{Limits, UpstreamProtocol};
use http2::Gateway;
use http2::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, Outcome, PING, PRIORITY,
    RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, block, frame, request,
};
use http2::upstream;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// Never answers.
const SILENT: &[u8] = b"";

fn impatient() -> Limits {
    let second = Duration::from_secs(1);
    Limits { head_timeout: second, idle_timeout: second, ..Limits::default() }
}

fn victim_is_served(gateway: &Gateway) {
    let mut victim = Raw::open(gateway.address, &[]);
    victim.get(1, &request("GET", "/", &[("x-who", "victim")]));
    assert_eq!(victim.outcome(1), Outcome::Answered(200));
}

#[test]
fn a_client_that_resets_what_it_asks_for_is_told_to_calm_down() {
    let upstream = upstream::http1(SILENT);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[]);
    let head = block(&request("GET", "/", &[]));
    for number in 0..100_000 {
        let stream = number * 2 + 1;
        let mut both = frame(HEADERS, END_HEADERS | END_STREAM, stream, &head);
        both.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        if !raw.try_send(&both) {
            break;
        }
    }
    raw.finish();

    assert_eq!(raw.farewell(), Some(ENHANCE_YOUR_CALM));
    gateway.await_failures("http2_abuse", 1);
    let reached = upstream.requests.try_iter().count();
    assert!(reached <= 200, "{reached} requests reached the upstream");
}

#[test]
fn resets_that_a_client_provokes_count_like_its_own() {
    let upstream = upstream::http1(SILENT);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[]);
    let head = block(&request("POST", "/", &[("content-length", "5")]));
    for number in 0..10_000 {
        let stream = number * 2 + 1;
        let mut both = frame(HEADERS, END_HEADERS, stream, &head);
        both.extend(frame(DATA, END_STREAM, stream, b"not five bytes"));
        if !raw.try_send(&both) {
            break;
        }
    }
    raw.finish();

    assert_eq!(raw.farewell(), Some(ENHANCE_YOUR_CALM));
    let reached = upstream.requests.try_iter().count();
    assert!(reached <= 200, "{reached} requests reached the upstream");
}

#[test]
fn a_flood_of_frames_that_cost_the_client_nothing_ends_the_connection() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    let floods = [
        ("ping", frame(PING, 0, 0, &[0; 8])),
        ("settings", frame(SETTINGS, 0, 0, &[])),
        ("priority", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 7])),
        ("window update", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("empty data", frame(DATA, 0, 1, &[])),
    ];
    for (index, (name, flood)) in floods.iter().enumerate() {
        let mut raw = Raw::open(gateway.address, &[]);
        raw.send(&frame(HEADERS, END_HEADERS, 1, &block(&request("POST", "/", &[]))));
        let all = flood.repeat(20);
        for _ in 0..1000 {
            if !raw.try_send(&all) {
                break;
            }
        }
        raw.finish();
        assert_eq!(raw.farewell(), Some(ENHANCE_YOUR_CALM), "{name}");
        gateway.await_failures("http2_abuse", index as u64 + 1);
    }
    victim_is_served(&gateway);
}

#[test]
fn a_header_block_without_an_end_ends_the_connection() {
    let gateway = Gateway::http1(upstream::http1(OK).address);
    for payload in [&[][..], &block(&[("x-a", "b")]).repeat(1000)] {
        let mut raw = Raw::open(gateway.address, &[]);
        raw.send(&frame(HEADERS, 0, 1, &block(&request("GET", "/", &[]))));
        while raw.try_send(&frame(CONTINUATION, 0, 1, payload)) {}
        raw.finish();
        assert_eq!(raw.farewell(), Some(ENHANCE_YOUR_CALM));
    }
    gateway.await_failures("http2_abuse", 2);
}

#[test]
fn a_head_beyond_the_limits_is_refused_and_the_connection_lives() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[]);
    let names: Vec<String> = (0..129).map(|number| format!("x-{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let large = "a".repeat(8 * 1024);
    let large: Vec<(&str, &str)> = ["a", "b", "c", "d"].map(|name| (name, large.as_str())).into();
    let long = format!("/{}", "p".repeat(9 * 1024));

    raw.get(1, &request("GET", "/", &many));
    assert_eq!(raw.outcome(1), Outcome::Answered(431));
    let mut head = block(&request("GET", "/", &large));
    let rest = head.split_off(16_000);
    let (middle, end) = rest.split_at(16_000);
    raw.send(&frame(HEADERS, END_STREAM, 3, &head));
    raw.send(&frame(CONTINUATION, 0, 3, middle));
    raw.send(&frame(CONTINUATION, END_HEADERS, 3, end));
    assert_eq!(raw.outcome(3), Outcome::Answered(431));
    raw.get(5, &request("GET", &long, &[]));
    assert_eq!(raw.outcome(5), Outcome::Answered(414));
    assert_eq!(upstream.requests.try_iter().count(), 0);

    raw.get(7, &request("GET", "/", &many[..120]));
    assert_eq!(raw.outcome(7), Outcome::Answered(200));
}

/// A field of one byte that is said again by one byte: 16 000 of them in one head.
#[test]
fn a_compressed_bomb_is_not_unpacked() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[(4, 0)]);
    let mut bomb = block(&request("GET", "/", &[]));
    bomb.extend([0x40, 1, b'a', 0]); // into the dynamic table
    bomb.extend(std::iter::repeat_n(0xbe, 15_000)); // the newest entry of it
    raw.try_send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb));

    assert_eq!(raw.farewell(), Some(ENHANCE_YOUR_CALM));
    gateway.await_failures("http2_abuse", 1);
    victim_is_served(&gateway);
    let asked = upstream.requests.recv().unwrap();
    assert!(asked.contains("x-who: victim"), "{asked}");
}

#[test]
fn a_client_that_says_nothing_or_half_a_thing_is_not_waited_for() {
    let gateway = Gateway::start(upstream::http1(OK).address, UpstreamProtocol::Http1, impatient());
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let half = {
        let mut bytes = preface.to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &[]));
        bytes.extend(&frame(HEADERS, END_STREAM, 1, &block(&request("GET", "/", &[])))[..30]);
        bytes
    };
    let open = {
        let mut bytes = preface.to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &[]));
        bytes.extend(frame(HEADERS, END_STREAM, 1, &block(&request("GET", "/", &[]))));
        bytes
    };
    for (counted, bytes) in [preface.to_vec(), half, open].iter().enumerate() {
        let mut raw = Raw::connect(gateway.address);
        raw.send(bytes);
        assert_eq!(raw.farewell(), Some(0), "{}", bytes.len());
        gateway.await_failures("head_timeout", counted as u64 + 1);
    }
}

#[test]
fn an_idle_connection_is_closed_with_a_goodbye_and_a_busy_one_is_not() {
    let gateway = Gateway::start(upstream::http1(OK).address, UpstreamProtocol::Http1, impatient());
    let mut raw = Raw::open(gateway.address, &[]);
    let mut busy = Raw::open(gateway.address, &[]);
    busy.send(&frame(HEADERS, END_HEADERS, 1, &block(&request("POST", "/", &[("content-length", "4")]))));
    raw.get(1, &request("GET", "/", &[]));
    assert_eq!(raw.outcome(1), Outcome::Answered(200));

    assert_eq!(raw.farewell(), Some(0));
    busy.send(&frame(DATA, END_STREAM, 1, b"body"));
    assert_eq!(busy.outcome(1), Outcome::Answered(200));
    assert_eq!(gateway.failures("http2_abuse"), 0);
}

#[test]
fn more_streams_than_allowed_are_refused_one_by_one() {
    let gateway = Gateway::http1(upstream::http1(SILENT).address);
    let mut raw = Raw::open(gateway.address, &[]);
    while raw.next_of(SETTINGS).unwrap().flags != 1 {} // the client must have been told the limit
    for number in 0..129 {
        raw.get(number * 2 + 1, &request("GET", "/", &[]));
    }
    assert_eq!(raw.outcome(257), Outcome::Reset(7));
}
