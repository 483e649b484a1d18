use super::*;

fn parse(text: &str, sender: Sender) -> (Parsed, Vec<String>) {
    let mut bytes = text.as_bytes().to_vec();
    let mut fields = Vec::new();
    let parsed = parse_trailers(&mut bytes, &mut fields, sender, &mut Resume::default());
    let text = |span: crate::message::Span| String::from_utf8(span.of(&bytes).to_vec()).unwrap();
    let kept = fields.iter().map(|field| format!("{}={}", text(field.name), text(field.value))).collect();
    (parsed, kept)
}

#[test]
fn no_trailers_are_a_blank_line() {
    assert_eq!(parse("\r\nGET", Sender::Client), (Parsed::Complete { length: 2 }, vec![]));
}

#[test]
fn an_upstreams_trailers_travel_on_but_for_those_that_decide_something() {
    let (parsed, kept) = parse(
        "Grpc-Status: 0\r\ngrpc-message: fine\r\nX-Custom-Bin: AAA=\r\nServer-Timing: db;dur=1\r\n\
         Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nConnection: close\r\nSet-Cookie: a\r\n\
         Cache-Control: no-store\r\nX-Forwarded-For: 1\r\nX_Forwarded_For: 1\r\nX-Request-Id: 1\r\nContent-Type: a\r\n\
         Content-Encoding: gzip\r\nAuthorization: b\r\nAccess-Control-Allow-Origin: *\r\nTrailer: x\r\n\r\n",
        Sender::Upstream,
    );

    assert!(matches!(parsed, Parsed::Complete { .. }));
    assert_eq!(kept, ["grpc-status=0", "grpc-message=fine", "x-custom-bin=AAA=", "server-timing=db;dur=1"]);
}

#[test]
fn a_clients_trailers_are_dropped_unless_they_only_describe_the_body() {
    let (parsed, kept) = parse(
        "X-Forwarded-For: 1.2.3.4\r\nX_Auth_User: root\r\nX-Auth-User: root\r\nAuthorization: b\r\nCookie: c\r\n\
         Content-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nX-Consumer-Id: a\r\nTE: trailers\r\n\
         Content-Digest: sha-256=:a:\r\nX-Checksum-Sha256: 1\r\nX-Amz-Checksum-Crc32: 2\r\ngrpc-status: 1\r\n\r\n",
        Sender::Client,
    );

    assert!(matches!(parsed, Parsed::Complete { .. }));
    assert_eq!(
        kept,
        ["content-digest=sha-256=:a:", "x-checksum-sha256=1", "x-amz-checksum-crc32=2", "grpc-status=1"]
    );
}

#[test]
fn malformed_or_endless_trailers_end_the_connection_at_their_sender() {
    let many = format!("{}\r\n", "a: b\r\n".repeat(TRAILERS_MAX + 1));
    let long = format!("a: {}\r\n\r\n", "b".repeat(TRAILERS_BYTES_MAX));
    let endless = "a: b".repeat(TRAILERS_BYTES_MAX);
    for text in [
        "\n",
        "a: b\n\r\n",
        "a: b\r\n\n",
        " a: b\r\n\r\n",
        "a: b\r\n c\r\n\r\n",
        "a : b\r\n\r\n",
        ": b\r\n\r\n",
        "a\r\n\r\n",
        "a: \0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "\rx",
        &many,
        &long,
        &endless,
    ] {
        assert_eq!(
            parse(text, Sender::Client).0,
            Parsed::Failed(Failure::BadChunk),
            "{:.30}",
            text.escape_debug()
        );
        assert_eq!(parse(text, Sender::Upstream).0, Parsed::Failed(Failure::UpstreamProtocol));
    }
    let most = format!("{}\r\n", "a: b\r\n".repeat(TRAILERS_MAX));
    assert_eq!(parse(&most, Sender::Client).0, Parsed::Complete { length: most.len() });
}

#[test]
fn trailers_may_arrive_byte_by_byte() {
    let text = b"grpc-status: 0\r\nx: y\r\n\r\n";
    let mut bytes = text.to_vec();
    let mut fields = Vec::new();
    let mut resume = Resume::default();
    for length in 0..text.len() {
        let parsed = parse_trailers(&mut bytes[..length], &mut fields, Sender::Upstream, &mut resume);
        assert_eq!(parsed, Parsed::Incomplete);
    }

    let parsed = parse_trailers(&mut bytes, &mut fields, Sender::Upstream, &mut resume);

    assert_eq!(parsed, Parsed::Complete { length: text.len() });
    assert_eq!(fields.len(), 2);
}
