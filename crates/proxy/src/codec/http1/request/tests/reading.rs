//! Reading piece by piece: bounds, early refusals, and nothing left of what came before.

use super::*;

#[test]
fn every_bound_holds_at_its_value_and_not_one_past_it() {
    let with_target = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(length - 1));
    Request::accepted(with_target(REQUEST_TARGET_BYTES_MAX));
    refused(with_target(REQUEST_TARGET_BYTES_MAX + 1), Failure::TargetTooLong);

    let with_fields = |count: usize| post(&"a: b\r\n".repeat(count - 1));
    Request::accepted(with_fields(REQUEST_HEADERS_MAX));
    refused(with_fields(REQUEST_HEADERS_MAX + 1), Failure::HeadersTooMany);

    let rest = post("a: \r\n").len();
    let with_bytes = |count: usize| post(&format!("a: {}\r\n", "b".repeat(count - rest)));
    Request::accepted(with_bytes(REQUEST_HEAD_BYTES_MAX));
    refused(with_bytes(REQUEST_HEAD_BYTES_MAX + 1), Failure::HeadTooLarge);

    let method = "M".repeat(REQUEST_METHOD_BYTES_MAX);
    Request::accepted(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

#[test]
fn garbage_is_refused_before_its_line_ends() {
    for (start, failure) in [
        ("\x16\x03\x01", Failure::BadRequestLine),
        ("GET / HTTP/3", Failure::BadVersion),
        ("GET / FTP", Failure::BadRequestLine),
        ("GET /a\nb", Failure::BadRequestLine),
        ("GET a#", Failure::BadTarget),
        ("{\"json\"", Failure::BadRequestLine),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\nb", Failure::BadHeader),
        ("GET / HTTP/1.1\r\nHost: a\r\n b", Failure::BadHeader),
        ("GET / HTTP/1.1\r\nHost: a\r\nX ", Failure::BadHeader),
    ] {
        refused(start, failure);
    }
    refused("M".repeat(REQUEST_METHOD_BYTES_MAX + 1), Failure::BadRequestLine);
    refused(format!("GET /{}", "a".repeat(REQUEST_TARGET_BYTES_MAX)), Failure::TargetTooLong);
}

#[test]
fn what_follows_a_head_is_not_touched() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /B//%2e HTTP/1.1\r\nHOST: B\r\n\r\n";
    let request = Request::parse(text);

    let Parsed::Complete { length } = request.parsed else { panic!("{:?}", request.parsed) };
    assert_eq!(&request.bytes[length..], &text.as_bytes()[length..]);
}

#[test]
fn a_slow_client_does_not_cost_quadratic_time() {
    // With one byte at a time, each call looks at the new bytes only, unless one of them may end the line.
    let mut bytes = post(&format!("X: {}\r\n", "a".repeat(20_000))).into_bytes();
    let mut head = RequestHead::default();
    let mut resume = Resume::default();
    let whole = bytes.len();

    for length in 0..whole {
        let parsed = parse_request(&mut bytes[..length], &mut head, &STRICT, &mut resume);
        assert_eq!(parsed, Parsed::Incomplete);
        assert!(resume.waited == 0 || resume.waited + 1 >= length, "a wait that forgets what it has seen");
    }

    let parsed = parse_request(&mut bytes, &mut head, &STRICT, &mut resume);
    assert_eq!(parsed, Parsed::Complete { length: whole });
}

#[test]
fn a_head_that_is_used_again_keeps_nothing_of_the_last_request() {
    let first = post("Connection: close, upgrade\r\nUpgrade: a\r\nTE: trailers\r\nX: y\r\n");
    let second = "POST /b?q HTTP/1.1\r\nHost: c:1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    let third = "GET / HTTP/1.0\r\n\r\n";
    let mut head = RequestHead::default();
    let mut resume = Resume::default();
    for text in [first.as_str(), second, third] {
        let mut bytes = text.as_bytes().to_vec();
        let parsed = parse_request(&mut bytes, &mut head, &STRICT, &mut resume);
        assert_eq!(parsed, Parsed::Complete { length: text.len() });
    }

    let fresh = Request::accepted(third).head;
    assert_eq!(format!("{head:?}"), format!("{fresh:?}"));
}

#[test]
fn nothing_is_allocated_once_the_head_has_grown() {
    let text = post(&"a: b\r\n".repeat(50));
    let mut head = RequestHead::default();
    let mut capacities = Vec::new();
    for _ in 0..3 {
        let mut bytes = text.as_bytes().to_vec();
        parse_request(&mut bytes, &mut head, &STRICT, &mut Resume::default());
        capacities.push((head.fields.capacity(), head.fields.as_ptr()));
    }

    assert_eq!(capacities[1], capacities[0]);
    assert_eq!(capacities[2], capacities[0]);
}
