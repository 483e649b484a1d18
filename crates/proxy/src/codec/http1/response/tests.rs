use super::*;

struct Response {
    bytes: Vec<u8>,
    head: ResponseHead,
    parsed: Parsed,
}

fn parse_for(method: Method, text: impl AsRef<[u8]>) -> Response {
    let mut bytes = text.as_ref().to_vec();
    let mut head = ResponseHead::default();
    let parsed = parse_response(&mut bytes, &mut head, method, &mut Resume::default());
    Response { bytes, head, parsed }
}

#[track_caller]
fn accepted(text: impl AsRef<[u8]>) -> Response {
    let response = parse_for(Method::Get, text.as_ref());
    assert_eq!(response.parsed, Parsed::Complete { length: text.as_ref().len() });
    response
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>) {
    let text = text.as_ref();
    let parsed = parse_for(Method::Get, text).parsed;
    assert_eq!(parsed, Parsed::Failed(Failure::UpstreamProtocol), "{}", text.escape_ascii());
}

#[test]
fn a_response_is_understood() {
    let response =
        accepted("HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n");

    let head = &response.head;
    assert_eq!((head.version, head.status, head.framing), (Version::Http11, 404, Framing::Length(12)));
    assert_eq!(head.reason.of(&response.bytes), b"Not Found");
    assert_eq!(head.fields[0].name.of(&response.bytes), b"content-type");
    assert_eq!(head.fields[0].known, Known::ContentType);
    assert!(head.persistent);
}

#[test]
fn a_status_line_is_a_version_a_code_and_perhaps_a_reason() {
    for (line, reason) in [
        ("HTTP/1.1 200 OK", "OK"),
        ("HTTP/1.1 200 ", ""),
        ("HTTP/1.1 200", ""),
        ("HTTP/1.0 200 Fine\tby me", "Fine\tby me"),
        ("HTTP/1.1 999 é", "é"),
        ("HTTP/1.1 200  two", " two"),
    ] {
        let response = accepted(format!("{line}\r\n\r\n"));
        assert_eq!(response.head.reason.of(&response.bytes), reason.as_bytes(), "{line}");
    }
    for line in [
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 20",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 200OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1 -20 OK",
        "HTTP/1.2 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/0.9 200 OK",
        "http/1.1 200 OK",
        "ICY 200 OK",
        " HTTP/1.1 200 OK",
        "HTTP/1.1\t200 OK",
        "HTTP/1.1 200\tOK",
        "HTTP/1.1 200 O\x00K",
        "HTTP/1.1 200 O\rK",
        "HTTP/1.1 200 O\x1bK",
        "",
    ] {
        refused(format!("{line}\r\n\r\n"));
    }
}

#[test]
fn ambiguous_framing_is_refused() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 05\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        refused(format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
    }
    refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

#[test]
fn malformed_fields_are_refused() {
    for text in [
        "HTTP/1.1 200 OK\nX: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n X: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        refused(text);
    }
}

#[test]
fn the_end_of_a_body_follows_from_status_method_and_fields() {
    let framing = |method, status: u16, lines: &str| {
        let response = parse_for(method, format!("HTTP/1.1 {status} X\r\n{lines}\r\n"));
        assert!(matches!(response.parsed, Parsed::Complete { .. }));
        (response.head.framing, response.head.persistent)
    };

    #[rustfmt::skip]
    let table = [
        (Method::Get,  200, "",                               Framing::UntilClose, false),
        (Method::Get,  200, "Content-Length: 0\r\n",          Framing::None,       true),
        (Method::Get,  200, "Content-Length: 7\r\n",          Framing::Length(7),  true),
        (Method::Get,  200, "Transfer-Encoding: Chunked\r\n", Framing::Chunked,    true),
        (Method::Head, 200, "Content-Length: 7\r\n",          Framing::None,       true),
        (Method::Head, 200, "Transfer-Encoding: chunked\r\n", Framing::None,       true),
        (Method::Head, 200, "",                               Framing::None,       true),
        (Method::Get,  204, "",                               Framing::None,       true),
        (Method::Get,  204, "Content-Length: 0\r\n",          Framing::None,       true),
        (Method::Get,  204, "Content-Length: 7\r\n",          Framing::None,       false),
        (Method::Get,  204, "Transfer-Encoding: chunked\r\n", Framing::None,       false),
        (Method::Get,  304, "Content-Length: 7\r\n",          Framing::None,       true),
        (Method::Get,  304, "Transfer-Encoding: chunked\r\n", Framing::None,       true),
        (Method::Get,  100, "",                               Framing::None,       true),
        (Method::Get,  101, "Connection: upgrade\r\n",        Framing::None,       true),
        (Method::Get,  103, "Link: a\r\n",                    Framing::None,       true),
        (Method::Get,  101, "Content-Length: 0\r\n",          Framing::None,       true),
    ];
    for (method, status, lines, expected, persistent) in table {
        assert_eq!(framing(method, status, lines), (expected, persistent), "{method:?} {status} {lines}");
    }
    refused("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n");
    refused("HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n");
}

#[test]
fn a_connection_lives_on_as_its_version_says() {
    for (version, connection, persistent) in [
        ("1.1", "", true),
        ("1.1", "Connection: Close\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
    ] {
        let response = accepted(format!("HTTP/{version} 200 OK\r\nContent-Length: 1\r\n{connection}\r\n"));
        assert_eq!(response.head.persistent, persistent, "{version} {connection}");
    }
    let response = accepted("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!((response.head.framing, response.head.persistent), (Framing::UntilClose, false));
}

#[test]
fn fields_named_by_connection_end_here() {
    let response = accepted(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x-hop, set-cookie, content-length\r\nX-Hop: 1\r\n\
         Set-Cookie: a\r\n\r\n",
    );

    let known: Vec<Known> = response.head.fields.iter().map(|field| field.known).collect();
    assert_eq!(known, [Known::ContentLength, Known::Connection, Known::Listed, Known::Other]);
}

#[test]
fn a_head_past_its_bounds_is_too_large() {
    let too_large = Parsed::Failed(Failure::UpstreamHeadTooLarge);
    let fields = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
    accepted(fields(RESPONSE_HEADERS_MAX));
    assert_eq!(parse_for(Method::Get, fields(RESPONSE_HEADERS_MAX + 1)).parsed, too_large);

    let rest = "HTTP/1.1 200 OK\r\na: \r\n\r\n".len();
    let bytes = |count| format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(count - rest));
    accepted(bytes(RESPONSE_HEAD_BYTES_MAX));
    assert_eq!(parse_for(Method::Get, bytes(RESPONSE_HEAD_BYTES_MAX + 1)).parsed, too_large);
    assert_eq!(parse_for(Method::Get, "HTTP/1.1 200 ".to_owned() + &"a".repeat(1 << 20)).parsed, too_large);
}

#[test]
fn a_head_that_is_used_again_keeps_nothing_of_the_last_response() {
    let mut head = ResponseHead::default();
    let mut resume = Resume::default();
    let mut seen = Vec::new();
    for text in ["HTTP/1.0 404 Not\r\nX: y\r\nConnection: close\r\n\r\n", "HTTP/1.1 204\r\n\r\n"] {
        let mut bytes = text.as_bytes().to_vec();
        parse_response(&mut bytes, &mut head, Method::Get, &mut resume);
        seen.push(format!("{head:?}"));
    }

    assert_eq!(seen[1], format!("{:?}", accepted("HTTP/1.1 204\r\n\r\n").head));
}

#[test]
fn something_else_than_http_is_refused_at_once() {
    for start in ["SSH-2.0", "\x15\x03\x01", "HTTP/2", "HTTP/1.1 x", "HTTQ", "HTTP/1.1 200 a\nb"] {
        refused(start);
    }
}
