//! A10: what HTTP/2 can say and HTTP/1 cannot must not be carried from one into the other.

use crate::stage::{HOST, Stage};
use tests::broken::Broken;
use tests::frames::{END_HEADERS, END_STREAM, FrameClient, Outcome, kind};
use tests::hpack::literals;

type Field = (&'static [u8], &'static [u8]);
/// Name, header block, DATA.
type Vector = (&'static str, Vec<Field>, Option<&'static [u8]>);

const METHOD: Field = (b":method", b"POST");
const SCHEME: Field = (b":scheme", b"http");
const AUTHORITY: Field = (b":authority", b"a.example");
const PATH: Field = (b":path", b"/attack");
const START: [Field; 4] = [METHOD, SCHEME, AUTHORITY, PATH];

/// Sends a block and DATA (none: the stream ends with the head); nothing whole may reach the upstream.
async fn refused(stage: &Stage, fields: &[Field], data: Option<&[u8]>) -> Result<(), String> {
    let before = stage.upstream.requests().len();
    let mut frames = FrameClient::connect(stage.gateway.entry).await;
    let end = if data.is_none() { END_STREAM } else { 0 };
    frames.send(kind::HEADERS, END_HEADERS | end, 1, &literals(fields)).await;
    if let Some(data) = data {
        frames.send(kind::DATA, END_STREAM, 1, data).await;
    }
    match frames.outcome(1).await? {
        Outcome::Answered(400 | 421 | 431 | 405, _)
        | Outcome::Reset(_)
        | Outcome::GoneAway(_)
        | Outcome::Closed => {}
        Outcome::Answered(status, body) => {
            return Err(format!("answered {status} {:?}", String::from_utf8_lossy(&body)));
        }
    }
    stage.bystander().await?;
    let all = stage.upstream.requests();
    match all[before..all.len() - 1].iter().find(|request| request.complete) {
        Some(request) => Err(format!("the upstream received `{}` whole", request.line())),
        None => Ok(()),
    }
}

#[tokio::test]
async fn a_declared_length_that_the_data_does_not_keep_never_completes() {
    let stage = Stage::new().await;
    let with = |length: Field| [&START[..], &[length]].concat();
    let vectors: [Vector; 7] = [
        ("less than declared", with((b"content-length", b"10")), Some(b"abc")),
        ("more than declared", with((b"content-length", b"3")), Some(b"abcGET /smuggled HTTP/1.1\r\n\r\n")),
        ("nothing, end with head", with((b"content-length", b"5")), None),
        ("nothing, end with empty data", with((b"content-length", b"5")), Some(b"")),
        ("zero declared, data sent", with((b"content-length", b"0")), Some(b"abc")),
        (
            "two lengths",
            [&START[..], &[(b"content-length", b"3"), (b"content-length", b"4")]].concat(),
            Some(b"abc"),
        ),
        ("signed length", with((b"content-length", b"+3")), Some(b"abc")),
    ];
    let mut broken = Broken::new();
    for (name, fields, data) in vectors {
        broken.note(name, refused(&stage, &fields, data).await);
    }
    broken.none();
}

#[tokio::test]
async fn fields_that_would_change_the_framing_or_the_line_are_stream_errors() {
    let stage = Stage::new().await;
    let fields: [Field; 22] = [
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"keep-alive"),
        (b"connection", b"upgrade"),
        (b"keep-alive", b"timeout=5"),
        (b"proxy-connection", b"keep-alive"),
        (b"upgrade", b"websocket"),
        (b"te", b"gzip"),
        (b"te", b"trailers, gzip"),
        (b"x", b"a\r\nx-smuggled: b"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"a\0b"),
        (b"x\r\ny", b"a"),
        (b"x y", b"a"),
        (b"x:y", b"a"),
        (b"x\0", b"a"),
        (b"", b"a"),
        (b"X-Upper", b"a"),
        (b"Content-Length", b"3"),
        (b"x_y", b"a"),
        (b"host", b"b.example"),
        (b":unknown", b"a"),
    ];
    let mut broken = Broken::new();
    for field in fields {
        let name = format!("{}: {}", field.0.escape_ascii(), field.1.escape_ascii());
        let all = [&START[..], &[field]].concat();
        broken.note(&name, refused(&stage, &all, Some(b"abc")).await);
    }
    broken.none();
}

#[tokio::test]
async fn pseudo_fields_are_there_once_first_and_well_formed() {
    let stage = Stage::new().await;
    let vectors: [(&str, Vec<Field>); 20] = [
        ("no method", vec![SCHEME, AUTHORITY, PATH]),
        ("no scheme", vec![METHOD, AUTHORITY, PATH]),
        ("no path", vec![METHOD, SCHEME, AUTHORITY]),
        ("no authority and no host", vec![METHOD, SCHEME, PATH]),
        ("two methods", vec![METHOD, METHOD, SCHEME, AUTHORITY, PATH]),
        ("two paths", vec![METHOD, SCHEME, AUTHORITY, PATH, (b":path", b"/b")]),
        ("two authorities", vec![METHOD, SCHEME, AUTHORITY, (b":authority", b"b.example"), PATH]),
        ("after a regular field", vec![METHOD, SCHEME, AUTHORITY, (b"x", b"y"), PATH]),
        ("a response's", vec![METHOD, SCHEME, AUTHORITY, PATH, (b":status", b"200")]),
        ("space in method", vec![(b":method", b"GET /x HTTP/1.1\r\nx: "), SCHEME, AUTHORITY, PATH]),
        ("space in method only", vec![(b":method", b"GET GET"), SCHEME, AUTHORITY, PATH]),
        ("empty method", vec![(b":method", b""), SCHEME, AUTHORITY, PATH]),
        ("empty path", vec![METHOD, SCHEME, AUTHORITY, (b":path", b"")]),
        ("space in path", vec![METHOD, SCHEME, AUTHORITY, (b":path", b"/a b")]),
        ("line end in path", vec![METHOD, SCHEME, AUTHORITY, (b":path", b"/a HTTP/1.1\r\nx: y")]),
        ("path without slash", vec![METHOD, SCHEME, AUTHORITY, (b":path", b"Service/Method")]),
        ("absolute path", vec![METHOD, SCHEME, AUTHORITY, (b":path", b"http://b.example/")]),
        ("userinfo in authority", vec![METHOD, SCHEME, (b":authority", b"user@a.example"), PATH]),
        ("empty authority", vec![METHOD, SCHEME, (b":authority", b""), PATH]),
        ("line end in authority", vec![METHOD, SCHEME, (b":authority", b"a.example\r\nx: y"), PATH]),
    ];
    let mut broken = Broken::new();
    for (name, fields) in vectors {
        broken.note(name, refused(&stage, &fields, Some(b"abc")).await);
    }
    broken.none();
}

/// Either a stream error, or the request arrives without the trailer.
#[tokio::test]
async fn trailers_cannot_reframe_or_reroute() {
    let stage = Stage::new().await;
    let trailers: [Field; 5] = [
        (b"transfer-encoding", b"chunked"),
        (b":path", b"/other"),
        (b":authority", b"b.example"),
        (b"connection", b"close"),
        (b"x\r\ny", b"z"),
    ];
    let mut broken = Broken::new();
    for trailer in trailers {
        let name = format!("{}", trailer.0.escape_ascii());
        let mut frames = FrameClient::connect(stage.gateway.entry).await;
        frames.send(kind::HEADERS, END_HEADERS, 1, &literals(&START)).await;
        frames.send(kind::DATA, 0, 1, b"abc").await;
        frames.send(kind::HEADERS, END_HEADERS | END_STREAM, 1, &literals(&[trailer])).await;
        let result = match frames.outcome(1).await {
            Err(problem) => Err(problem),
            Ok(_) if stage.upstream.requests().iter().all(|one| one.trailers.is_empty()) => Ok(()),
            Ok(_) => Err(format!("it was carried: {:?}", stage.upstream.last().trailers)),
        };
        let routed = stage.upstream.requests().iter().all(|one| one.target != "/other");
        broken.note(&name, if routed { result } else { Err("it was rerouted".to_owned()) });
        broken.note(&name, stage.bystander().await);
    }
    broken.none();
}

#[tokio::test]
async fn lawful_http2_requests_become_exact_http1_requests() {
    let stage = Stage::new().await;
    let mut frames = FrameClient::connect(stage.gateway.entry).await;

    let length = [
        &START[..],
        &[(b"content-length", b"5"), (b"te", b"trailers"), (b"cookie", b"a=1"), (b"cookie", b"b=2")],
    ];
    frames.send(kind::HEADERS, END_HEADERS, 1, &literals(&length.concat())).await;
    frames.send(kind::DATA, 0, 1, b"he").await;
    frames.send(kind::DATA, END_STREAM, 1, b"llo").await;
    let first = frames.outcome(1).await;
    frames.send(kind::HEADERS, END_HEADERS, 3, &literals(&START)).await;
    frames.send(kind::DATA, END_STREAM, 3, b"no length").await;
    let second = frames.outcome(3).await;

    assert_eq!(first, Ok(Outcome::Answered(200, b"POST /attack".to_vec())));
    assert_eq!(second, Ok(Outcome::Answered(200, b"POST /attack".to_vec())));
    let requests = stage.upstream.requests();
    assert_eq!(requests[0].body, b"hello");
    assert_eq!(requests[0].header("content-length"), Some("5"));
    assert_eq!(requests[0].header("host"), Some(HOST));
    assert_eq!(requests[0].header("cookie"), Some("a=1; b=2"), "crumbs are joined (RFC 9113 section 8.2.3)");
    assert_eq!(requests[1].body, b"no length");
    assert_eq!(requests[1].header("transfer-encoding"), Some("chunked"));
    assert_eq!(stage.upstream.exact(), Ok(()));
}

#[tokio::test]
async fn a_connection_that_speaks_http2_text_as_http1_is_refused() {
    let stage = Stage::new().await;

    let judged = stage.refuses(
        "PRI * HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "400 bad_request_line | 400 bad_target | 405 method_refused",
    );

    assert_eq!(judged.await, Ok(()));
}
