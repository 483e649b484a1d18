//! What a request may say in HTTP/2, and what it becomes in HTTP/1.

mod http2;

use http2::Gateway;
use http2::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Outcome, PROTOCOL_ERROR, RST_STREAM, Raw, block, frame,
    request,
};
use http2::upstream;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Each of these must end its stream, and nothing else; then the same connection must serve.
fn refused(heads: &[(&str, Vec<(&str, &str)>)]) {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[]);
    let mut stream = 1;
    for (what, head) in heads {
        raw.get(stream, head);
        match raw.outcome(stream) {
            Outcome::Reset(code) => assert_eq!(code, PROTOCOL_ERROR, "{what}"),
            Outcome::Answered(status) => assert!(matches!(status, 400 | 405), "{what}: {status}"),
        }
        stream += 2;
    }
    raw.get(stream, &request("GET", "/", &[("x-who", "victim")]));
    assert_eq!(raw.outcome(stream), Outcome::Answered(200));
    let asked: Vec<String> = upstream.requests.try_iter().collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("x-who: victim"), "{asked:?}");
}

#[test]
fn a_target_that_is_not_a_path_is_refused() {
    let with_path = |path| request("GET", path, &[]);
    refused(&[
        ("no slash", with_path("Service/Method")),
        ("nothing", with_path("")),
        ("the whole server, but not asked with OPTIONS", with_path("*")),
        ("an absolute address", with_path("http://other.example.com/")),
        ("a space", with_path("/a b")),
        ("above the root", with_path("/../a")),
        ("an escaped slash", with_path("/a%2fb")),
        ("CONNECT", vec![(":method", "CONNECT"), (":authority", "a.example.com:443")]),
        ("CONNECT with a path", request("CONNECT", "/", &[])),
        ("TRACE", request("TRACE", "/", &[])),
        ("no path", vec![(":method", "GET"), (":scheme", "http"), (":authority", http2::HOST)]),
        ("no method", vec![(":scheme", "http"), (":authority", http2::HOST), (":path", "/")]),
    ]);
}

#[test]
fn a_host_that_is_said_twice_or_not_at_all_is_refused() {
    let bare = [(":method", "GET"), (":scheme", "http"), (":path", "/")];
    let with = |more: &[(&'static str, &'static str)]| [&bare[..], more].concat();
    refused(&[
        ("nobody", with(&[])),
        ("two authorities", with(&[(":authority", http2::HOST), (":authority", http2::HOST)])),
        ("another host", with(&[(":authority", http2::HOST), ("host", "other.example.com")])),
        ("two hosts", with(&[("host", http2::HOST), ("host", http2::HOST)])),
        ("user information", with(&[(":authority", "user@svc7.example.com")])),
    ]);
}

#[test]
fn fields_that_frame_a_message_of_another_version_are_refused() {
    let with = |name, value| request("GET", "/", &[(name, value)]);
    refused(&[
        ("transfer-encoding", with("transfer-encoding", "chunked")),
        ("connection", with("connection", "close")),
        ("keep-alive", with("keep-alive", "5")),
        ("proxy-connection", with("proxy-connection", "keep-alive")),
        ("upgrade", with("upgrade", "websocket")),
        ("te", with("te", "gzip")),
        ("te with more than trailers", with("te", "trailers, deflate")),
        ("content without a body", with("content-length", "5")),
        ("two lengths", request("GET", "/", &[("content-length", "0"), ("content-length", "1")])),
        ("an odd length", with("content-length", "+0")),
        ("an underscore", with("x_forwarded_for", "1.2.3.4")),
        ("pseudo-field behind a field", {
            let mut head = request("GET", "/", &[("x-a", "b")]);
            head.swap(3, 4);
            head
        }),
        ("an unknown pseudo-field of a response", with(":status", "200")),
    ]);
}

/// The library cannot go on after a name or value that is none; at least nothing of it is passed on.
#[test]
fn a_field_that_is_none_never_reaches_the_upstream() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    for (name, value) in [
        ("X-Upper", "case"),
        ("x-line", "a\r\nx-smuggled: b"),
        ("x-nul", "a\0b"),
        ("x: colon", "a"),
        ("x-line\r\nx-smuggled", "a"),
        (":path", "/two"),
        (":unknown", "pseudo-field"),
    ] {
        let mut raw = Raw::open(gateway.address, &[]);
        raw.get(1, &request("GET", "/", &[(name, value)]));
        loop {
            let frame = raw.next().expect("the client is told");
            assert_ne!(frame.kind, HEADERS, "{name:?}: {value:?}");
            if matches!(frame.kind, RST_STREAM | GOAWAY) {
                break;
            }
        }
    }
    assert_eq!(upstream.requests.try_iter().count(), 0);
}

#[test]
fn a_body_that_is_not_as_long_as_it_says_is_never_a_whole_request() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[]);
    let mut stream = 1;
    for (declared, sent) in [("5", "1234"), ("5", "123456"), ("5", "")] {
        raw.send(&frame(
            HEADERS,
            END_HEADERS,
            stream,
            &block(&request("POST", "/", &[("content-length", declared)])),
        ));
        raw.send(&frame(DATA, END_STREAM, stream, sent.as_bytes()));
        let outcome = raw.outcome(stream);
        assert_eq!(outcome, Outcome::Reset(PROTOCOL_ERROR), "{declared}: {sent:?}");
        stream += 2;
    }
    raw.get(stream, &request("GET", "/", &[("x-who", "victim")]));
    assert_eq!(raw.outcome(stream), Outcome::Answered(200));
    let asked: Vec<String> = upstream.requests.try_iter().collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
}

#[test]
fn an_empty_body_that_ends_late_is_not_sent_as_a_length_and_chunks() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[]);
    raw.send(&frame(HEADERS, END_HEADERS, 1, &block(&request("POST", "/", &[("content-length", "0")]))));
    raw.send(&frame(DATA, END_STREAM, 1, b""));
    assert_eq!(raw.outcome(1), Outcome::Answered(200));
    let asked = upstream.requests.recv().unwrap();
    assert!(asked.contains("content-length: 0\r\n") && !asked.contains("transfer-encoding"), "{asked}");
}

/// Nothing was declared and something came: an empty request may have gone on, but the rest goes nowhere.
#[test]
fn a_body_that_was_declared_empty_is_not_passed_on() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[]);
    raw.send(&frame(HEADERS, END_HEADERS, 1, &block(&request("POST", "/", &[("content-length", "0")]))));
    raw.send(&frame(DATA, END_STREAM, 1, b"GET /smuggled HTTP/1.1\r\n\r\n"));
    raw.get(3, &request("GET", "/", &[("x-who", "victim")]));
    assert_eq!(raw.outcome(3), Outcome::Answered(200));
    for asked in upstream.requests.try_iter() {
        let ours = asked.starts_with("POST / ") || asked.contains("x-who: victim");
        assert!(ours && asked.ends_with("\r\n\r\n"), "{asked}");
    }
}

#[test]
fn ninety_crumbs_of_a_cookie_become_one_and_five_thousand_are_refused() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[]);
    let crumbs: Vec<String> = (0..90).map(|number| format!("name{number}=value{number}")).collect();
    let fields: Vec<(&str, &str)> = crumbs.iter().map(|crumb| ("cookie", crumb.as_str())).collect();

    raw.get(1, &request("GET", "/", &[&fields[..45], &[("x-between", "1")], &fields[45..]].concat()));
    assert_eq!(raw.outcome(1), Outcome::Answered(200));
    let asked = upstream.requests.recv().unwrap();
    assert!(asked.contains(&format!("\r\ncookie: {}\r\n", crumbs.join("; "))), "{asked}");
    assert_eq!(asked.matches("cookie").count(), 1);

    let tiny = vec![("cookie", "a=b"); 300];
    raw.get(3, &request("GET", "/", &tiny));
    assert_eq!(raw.outcome(3), Outcome::Answered(431));
    let many = vec![("cookie", "a"); 1000];
    raw.get(5, &request("GET", "/", &many));
    assert_eq!(raw.outcome(5), Outcome::Answered(431));
    assert_eq!(upstream.requests.try_iter().count(), 0);
}

#[test]
fn trailers_go_on_as_chunked_trailers_without_those_that_vouch() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    let mut raw = Raw::open(gateway.address, &[]);
    raw.send(&frame(HEADERS, END_HEADERS, 1, &block(&request("POST", "/", &[("te", "trailers")]))));
    raw.send(&frame(DATA, 0, 1, b"hello"));
    let trailers = [
        ("grpc-status", "0"),
        ("x-forwarded-for", "6.6.6.6"),
        ("authorization", "Bearer forged"),
        ("content-length", "99"),
        ("x-user", "admin"),
    ];
    raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(&trailers)));
    assert_eq!(raw.outcome(1), Outcome::Answered(200));

    let asked = upstream.requests.recv().unwrap();
    assert!(asked.contains("te: trailers\r\n"), "{asked}");
    assert!(asked.ends_with("5\r\nhello\r\n0\r\ngrpc-status: 0\r\n\r\n"), "{asked:?}");
}

#[test]
fn chunked_trailers_of_an_upstream_come_back_as_trailers() {
    let answer =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ngrpc-status: 7\r\n\r\n";
    let upstream = upstream::http1(answer);
    let gateway = Gateway::http1(upstream.address);
    http2::run(async move {
        let mut client = http2::client(gateway.address).await;
        let (response, _) = client.send_request(http2::request("GET", "/").body(()).unwrap(), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        assert_eq!(http2::whole(&mut body).await.unwrap(), b"hello");
        let trailers = body.trailers().await.unwrap().unwrap();
        assert_eq!(trailers["grpc-status"], "7");
    });
}

#[test]
fn a_client_that_waits_for_an_invitation_gets_one() {
    let upstream = upstream::http1(OK);
    let gateway = Gateway::http1(upstream.address);
    http2::run(async move {
        let mut client = http2::client(gateway.address).await;
        let head = http2::request("POST", "/").header("expect", "100-continue").body(()).unwrap();
        let (mut response, mut send) = client.send_request(head, false).unwrap();
        let interim = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(interim.unwrap().unwrap().status(), 100);
        send.send_data("hello".into(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
        assert!(upstream.requests.recv().unwrap().contains("hello"));
    });
}
