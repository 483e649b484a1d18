use super::*;

const STRICT: Rules = Rules { path: PathPolicy::Reject, underscores: UnderscorePolicy::Reject };

/// A head with its buffer, parsed.
struct Request {
    bytes: Vec<u8>,
    head: RequestHead,
    parsed: Parsed,
}

impl Request {
    fn parse(text: impl AsRef<[u8]>) -> Request {
        Request::parse_by(text, &STRICT)
    }

    fn parse_by(text: impl AsRef<[u8]>, rules: &Rules) -> Request {
        let mut bytes = text.as_ref().to_vec();
        let mut head = RequestHead::default();
        let parsed = parse_request(&mut bytes, &mut head, rules, &mut Resume::default());
        Request { bytes, head, parsed }
    }

    #[track_caller]
    fn accepted(text: impl AsRef<[u8]>) -> Request {
        let request = Request::parse(text.as_ref());
        assert_eq!(request.parsed, Parsed::Complete { length: text.as_ref().len() });
        request
    }

    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(span.of(&self.bytes)).unwrap()
    }

    fn field(&self, name: &str) -> Option<(&str, Known)> {
        let field = self.head.fields.iter().find(|field| self.text(field.name) == name)?;
        Some((self.text(field.value), field.known))
    }
}

/// Given lines after `Host`, the head of a `POST`.
fn post(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, failure: Failure) {
    let text = text.as_ref();
    let request = Request::parse(text);
    assert_eq!(request.parsed, Parsed::Failed(failure), "{}", text.escape_ascii());
}

#[test]
fn a_browsers_request_is_understood() {
    let request = Request::accepted(
        "GET /cart/items?id=1&x=%zz HTTP/1.1\r\nHost: Shop.Example:8443\r\nUser-Agent: Mozilla/5.0 (X11)\r\n\
         Accept: */*\r\nX-Empty:\r\nX-Padded: \t a b \t\r\n\r\n",
    );

    let head = &request.head;
    assert_eq!((head.version, head.method, head.framing), (Version::Http11, Method::Get, Framing::None));
    assert_eq!(request.text(head.method_token), "GET");
    assert_eq!(request.text(head.path), "/cart/items");
    assert_eq!(head.query.map(|query| request.text(query)), Some("id=1&x=%zz"));
    assert_eq!((request.text(head.host), head.host_port), ("shop.example", Some(8443)));
    assert!(head.persistent && !head.path_changed && !head.expects_continue && !head.te_trailers);
    assert_eq!(head.upgrade, None);
    assert_eq!(request.field("host"), Some(("shop.example:8443", Known::Host)));
    assert_eq!(request.field("user-agent"), Some(("Mozilla/5.0 (X11)", Known::UserAgent)));
    assert_eq!(request.field("x-empty"), Some(("", Known::Other)));
    assert_eq!(request.field("x-padded"), Some(("a b", Known::Other)));
}

#[test]
fn both_framings_at_once_are_refused_in_any_order() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    ] {
        refused(post(lines), Failure::BadFraming);
    }
}

#[test]
fn every_spelling_of_transfer_encoding_but_one_is_refused() {
    for value in [
        "chunked, identity",
        "identity, chunked",
        "chunked,",
        ",chunked",
        "chunked, chunked",
        "identity",
        "gzip, chunked",
        "gzip",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "'chunked'",
        "chunked;q=1",
        "",
        "chu nked",
    ] {
        refused(post(&format!("Transfer-Encoding: {value}\r\n")), Failure::BadFraming);
    }
    refused(post("Transfer-Encoding: \x0bchunked\r\n"), Failure::BadHeader);
    refused(post("Transfer-Encoding: chunked\x00\r\n"), Failure::BadHeader);
    refused(post("Transfer-Encoding : chunked\r\n"), Failure::BadHeader);
    refused(post("Transfer-Encoding\x0b: chunked\r\n"), Failure::BadHeader);
    refused(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), Failure::BadFraming);
    refused(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"), Failure::BadFraming);
    refused("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Failure::BadFraming);

    let request = Request::accepted(post("Transfer-Encoding: \t ChunKed \r\n"));
    assert_eq!(request.head.framing, Framing::Chunked);
}

#[test]
fn a_content_length_is_given_once_in_plain_digits() {
    for lines in [
        "Content-Length: 5,5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5;\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length:\r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "Content-Length: 00\r\n",
        "Content-Length: 05\r\n",
    ] {
        refused(post(lines), Failure::BadFraming);
    }
    refused(post("Content-Length : 5\r\n"), Failure::BadHeader);
    refused(post("Content-Length: 5\x0b\r\n"), Failure::BadHeader);

    // White space around a value is not part of it (RFC 9110 section 5.5), before and after alike.
    assert_eq!(Request::accepted(post("Content-Length: 5 \r\n")).head.framing, Framing::Length(5));
    assert_eq!(Request::accepted(post("Content-Length: 0\r\n")).head.framing, Framing::None);
    assert_eq!(Request::accepted(post("")).head.framing, Framing::None);
}

#[test]
fn a_get_may_have_a_body_and_it_is_framed_like_any_other() {
    let request = Request::accepted("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");

    assert_eq!(request.head.framing, Framing::Length(3));
}

#[test]
fn only_crlf_ends_a_line() {
    for text in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        refused(text, Failure::BadRequestLine);
    }
    for text in [
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\x00: ab\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x1bb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n",
    ] {
        refused(text, Failure::BadHeader);
    }
}

#[test]
fn a_field_line_is_a_name_a_colon_and_a_value_on_one_line() {
    for lines in [
        "X: a\r\n b\r\n",
        "X: a\r\n\tb\r\n",
        "X : a\r\n",
        "X\t: a\r\n",
        " X: a\r\n",
        "\tX: a\r\n",
        ": a\r\n",
        "X\r\n",
        "X a\r\n",
        "X(y): a\r\n",
        "\"X\": a\r\n",
        "X/Y: a\r\n",
        "X@Y: a\r\n",
        "X[0]: a\r\n",
        "é: a\r\n",
        "X,Y: a\r\n",
    ] {
        refused(post(lines), Failure::BadHeader);
    }
    refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Failure::BadHeader);
}

#[test]
fn values_may_hold_bytes_above_ascii() {
    let mut text = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
    text.extend(0x80..=0xff);
    text.extend(b"\r\n\r\n");

    let request = Request::accepted(&text);

    assert_eq!(request.head.fields[1].value.of(&request.bytes), (0x80..=0xff).collect::<Vec<u8>>());
}

#[test]
fn a_request_line_has_three_parts_and_single_spaces() {
    for line in [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.1\t",
        "GET /",
        "GET / ",
        "GET",
        "GET / http/1.1",
        "GET / HTTP 1.1",
        "GET / HTTPS/1.1",
        "GET / X",
        "GET /a b HTTP/1.1",
        "G@T / HTTP/1.1",
        "GET\x00 / HTTP/1.1",
        "(GET) / HTTP/1.1",
        "get / HTTP/1.1",
        "Get / HTTP/1.1",
        "dELETE / HTTP/1.1",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1",
    ] {
        refused(format!("{line}\r\nHost: a\r\n\r\n"), Failure::BadRequestLine);
    }
}

#[test]
fn other_versions_are_answered_with_505() {
    for version in
        ["HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "HTTP/1.", "HTTP/2", "HTTP/11.1", "HTTP/1..1"]
    {
        let text = format!("GET / {version}\r\nHost: a\r\n\r\n");
        let parsed = Request::parse(&text).parsed;
        let refusals = [Parsed::Failed(Failure::BadVersion), Parsed::Failed(Failure::BadRequestLine)];
        assert!(refusals.contains(&parsed), "{version}");
    }
    refused("GET / HTTP/1.9\r\nHost: a\r\n\r\n", Failure::BadVersion);
    refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Failure::BadVersion);
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Failure::BadVersion);
}

#[test]
fn a_target_is_a_path_a_url_or_a_star_with_options() {
    for target in [
        "/a#b",
        "/a?b#c",
        "#",
        "*",
        "**",
        "a",
        "a/b",
        "Service/Method",
        "?a",
        "http:/a/b",
        "http://",
        "http:///b",
        "http://u@a/",
        "http://u:p@a/",
        "http://a:x/",
        "http://a:/",
        "http://a b/",
        "ftp://a/",
        "//a/b#",
        "/\u{7f}",
        "/é",
        "/a\x01",
        "a:443",
    ] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let parsed = Request::parse(&text).parsed;
        let line = Parsed::Failed(Failure::BadRequestLine);
        assert!(
            parsed == Parsed::Failed(Failure::BadTarget) || (target.contains(' ') && parsed == line),
            "{target}"
        );
    }
    refused("GET //a/b HTTP/1.1\r\nHost: a\r\n\r\n", Failure::AmbiguousPath);
}

#[test]
fn a_url_as_target_must_name_the_server_that_host_names() {
    for (target, host, path) in [
        ("http://a/b/c", "a", "/b/c"),
        ("HTTP://A.Example/b", "a.EXAMPLE.", "/b"),
        ("http://a:80/b", "a", "/b"),
        ("http://a/b", "a:80", "/b"),
        ("https://a/b", "a:443", "/b"),
        ("http://a:8080/b", "a:8080", "/b"),
        ("http://a", "a", "/"),
        ("http://[::1]/b", "[0:0::1]", "/b"),
    ] {
        let request = Request::accepted(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(request.text(request.head.path), path, "{target}");
    }
    for (target, host) in
        [("http://a/", "b"), ("http://a:81/", "a"), ("https://a/", "a:80"), ("http://a.b/", "a")]
    {
        refused(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"), Failure::BadHost);
    }
    refused("GET http://a/ HTTP/1.1\r\n\r\n", Failure::BadHost);

    let request = Request::accepted("GET http://a?x=http://y/ HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(request.text(request.head.path), "/");
    assert_eq!(request.head.query.map(|query| request.text(query)), Some("x=http://y/"));

    let request = Request::accepted("GET http://a:90/b HTTP/1.0\r\n\r\n");
    assert_eq!((request.text(request.head.host), request.head.host_port), ("a", Some(90)));
}

#[test]
fn a_star_is_carried_for_options_only_in_both_spellings() {
    for target in ["*", "http://a"] {
        let request = Request::accepted(format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(request.text(request.head.path), "*");
    }
    for target in ["/", "http://a/", "http://a?x"] {
        let request = Request::accepted(format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(request.text(request.head.path), "/");
    }
}

#[test]
fn connect_and_trace_are_not_carried_in_any_case() {
    for line in ["CONNECT a:443", "TRACE /", "trace /", "Connect a:443"] {
        refused(format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"), Failure::MethodRefused);
    }
}

#[test]
fn unknown_methods_are_carried_as_they_are() {
    for method in ["PROPFIND", "M-SEARCH", "purge", "QUERY"] {
        let request = Request::accepted(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(request.head.method, Method::Other);
        assert_eq!(request.text(request.head.method_token), method);
    }
    let known = [
        ("HEAD", Method::Head),
        ("PUT", Method::Put),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
        ("PATCH", Method::Patch),
        ("POST", Method::Post),
    ];
    for (text, method) in known {
        assert_eq!(Request::accepted(format!("{text} / HTTP/1.1\r\nHost: a\r\n\r\n")).head.method, method);
    }
}

#[test]
fn a_method_override_is_carried_but_changes_nothing() {
    let request = Request::accepted("GET / HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: DELETE\r\n\r\n");

    assert_eq!(request.head.method, Method::Get);
    assert_eq!(request.field("x-http-method-override"), Some(("DELETE", Known::Other)));
}

#[test]
fn a_host_is_given_once_and_is_a_host() {
    refused("GET / HTTP/1.1\r\n\r\n", Failure::BadHost);
    refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Failure::BadHost);
    refused("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Failure::BadHost);
    for host in [
        "", "a b", "a,b", "a/b", "a@b", "a:b", "a:", "a:0", "a:65536", "a:80:80", "http://a", "[::1", "a#",
        "a?",
    ] {
        refused(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), Failure::BadHost);
    }

    let request = Request::accepted("GET / HTTP/1.0\r\n\r\n");
    assert!(request.head.host.is_empty());
    let request = Request::accepted("GET / HTTP/1.1\r\nHost: A.Example.:81\r\n\r\n");
    assert_eq!((request.text(request.head.host), request.head.host_port), ("a.example", Some(81)));
    assert_eq!(request.field("host"), Some(("a.example:81", Known::Host)));
}

#[test]
fn one_empty_line_may_stand_before_a_request() {
    let request = Request::accepted("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(request.text(request.head.method_token), "GET");

    refused("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Failure::BadRequestLine);
}

#[test]
fn a_connection_lives_on_as_its_version_says() {
    for (version, connection, persistent) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: foo, CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let request = Request::accepted(format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n"));
        assert_eq!(request.head.persistent, persistent, "{version} {connection}");
    }
    refused(post("Connection: a b\r\n"), Failure::BadHeader);
    refused(post("Connection: close;x\r\n"), Failure::BadHeader);
    refused(post(&format!("Connection: {}\r\n", "a,".repeat(33))), Failure::BadHeader);
}

#[test]
fn only_100_continue_may_be_expected() {
    let wait = |lines: &str| Request::accepted(post(lines)).head.expects_continue;
    assert!(wait("Expect: 100-continue\r\nContent-Length: 1\r\n"));
    assert!(wait("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n"));
    assert!(!wait("Expect: 100-continue\r\n"), "nothing to wait with");
    let request =
        Request::accepted("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
    assert!(!request.head.expects_continue, "HTTP/1.0 knows no interim answers");

    for lines in [
        "Expect: 200-ok\r\n",
        "Expect:\r\n",
        "Expect: 100-continue, 100-continue\r\n",
        "Expect: 100-continue\r\nExpect: 100-continue\r\n",
        "Expect: y 100-continue\r\n",
        "Expect: 100-continue;x\r\n",
    ] {
        refused(post(lines), Failure::BadExpectation);
    }
}

#[test]
fn an_upgrade_is_announced_has_no_body_and_names_one_protocol() {
    let upgrade = |lines: &str| {
        let request = Request::accepted(post(lines));
        request.head.upgrade.map(|protocol| request.text(protocol).to_owned())
    };
    assert_eq!(upgrade("Connection: Upgrade\r\nUpgrade: websocket\r\n").as_deref(), Some("websocket"));
    assert_eq!(upgrade("Upgrade: a/1\r\nConnection: keep-alive, upgrade\r\n").as_deref(), Some("a/1"));
    assert_eq!(upgrade("Upgrade: websocket\r\n"), None, "not announced");
    assert_eq!(upgrade("Connection: upgrade\r\n"), None, "announced, but nothing named");
    assert_eq!(upgrade("Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nContent-Length: 1\r\n"), None);
    assert_eq!(upgrade("Connection: upgrade\r\nUpgrade: TLS/1.2\r\n"), None);

    for lines in [
        "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n",
        "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n",
        "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n",
        "Connection: upgrade\r\nUpgrade: web socket\r\n",
        "Connection: upgrade\r\nUpgrade:\r\n",
    ] {
        refused(post(lines), Failure::BadUpgrade);
    }
    let request = Request::accepted("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(request.head.upgrade, None);
}

#[test]
fn te_trailers_is_noticed_in_a_list_too() {
    assert!(Request::accepted(post("TE: trailers\r\n")).head.te_trailers);
    assert!(Request::accepted(post("TE: deflate, Trailers\r\n")).head.te_trailers);
    assert!(!Request::accepted(post("TE: deflate\r\n")).head.te_trailers);
}

#[test]
fn fields_named_by_connection_end_here_but_none_that_others_rely_on() {
    let request = Request::accepted(post(
        "Connection: X-Mine, x-forwarded-for, Authorization, x-consumer-id, host, content-length, x-request-id\r\n\
         x-mine: 1\r\nX-Mine: 2\r\nX-Forwarded-For: 1.2.3.4\r\nAuthorization: b\r\nX-Consumer-Id: c\r\n\
         Content-Length: 0\r\nX-Request-Id: d\r\nX-Other: e\r\n",
    ));

    let listed: Vec<&str> = (request.head.fields.iter())
        .filter(|field| field.known == Known::Listed)
        .map(|field| request.text(field.name))
        .collect();
    assert_eq!(listed, ["x-mine", "x-mine"]);
    assert_eq!(request.field("authorization"), Some(("b", Known::Other)));
    assert_eq!(request.field("x-forwarded-for"), Some(("1.2.3.4", Known::ForwardedFor)));
}

#[test]
fn a_field_that_ends_here_is_not_matched_on() {
    use crate::message::FieldsView;
    use engine::HeaderView;
    let request = Request::accepted(post("Connection: x-tenant\r\nX-Tenant: a\r\nX-Group: b\r\n"));

    let view = FieldsView { fields: &request.head.fields, bytes: &request.bytes };

    assert_eq!(view.first(b"x-tenant"), None);
    assert_eq!(view.first(b"x-group"), Some(&b"b"[..]));
}

#[test]
fn the_first_value_is_the_one_rules_see() {
    use crate::message::FieldsView;
    use engine::HeaderView;
    let request = Request::accepted(post("X: \r\nX: a\r\nX: b, c\r\nY: \u{ff}\r\n"));

    let view = FieldsView { fields: &request.head.fields, bytes: &request.bytes };

    assert_eq!(view.first(b"x"), Some(&b""[..]));
    assert_eq!(view.first(b"y"), Some("\u{ff}".as_bytes()));
}

#[test]
fn an_underscore_in_a_name_is_treated_as_the_owner_says() {
    let names = |underscores| {
        let rules = Rules { underscores, ..STRICT };
        let request = Request::parse_by(
            post("X_Tenant: a\r\nX_Forwarded_For: b\r\nContent_Length: 5\r\nx-auth_user: c\r\nX: d\r\n"),
            &rules,
        );
        match request.parsed {
            Parsed::Complete { .. } => {
                Ok(request.head.fields.iter().map(|f| request.text(f.name).to_owned()).collect::<Vec<_>>())
            }
            other => Err(other),
        }
    };

    assert_eq!(names(UnderscorePolicy::Reject), Err(Parsed::Failed(Failure::HeaderUnderscore)));
    assert_eq!(names(UnderscorePolicy::Drop).unwrap(), ["host", "x"]);
    assert_eq!(names(UnderscorePolicy::Keep).unwrap(), ["host", "x_tenant", "x-auth_user", "x"]);
}

#[test]
fn a_path_is_canonical_or_refused_as_the_owner_says() {
    let path = |policy, target: &str| {
        let rules = Rules { path: policy, ..STRICT };
        let request = Request::parse_by(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"), &rules);
        match request.parsed {
            Parsed::Complete { .. } => {
                Ok((request.text(request.head.path).to_owned(), request.head.path_changed))
            }
            other => Err(other),
        }
    };
    let ambiguous = Err(Parsed::Failed(Failure::AmbiguousPath));

    assert_eq!(path(PathPolicy::Reject, "/a//b?//"), ambiguous);
    assert_eq!(path(PathPolicy::Redirect, "/a//b?//"), Ok(("/a/b".into(), true)));
    assert_eq!(path(PathPolicy::Decode, "/a%2Fb"), Ok(("/a/b".into(), true)));
    assert_eq!(path(PathPolicy::Keep, "/a%2fb"), Ok(("/a%2Fb".into(), true)));
    assert_eq!(path(PathPolicy::Reject, "/%61/./b/../c"), Ok(("/a/c".into(), true)));
    assert_eq!(path(PathPolicy::Reject, "/a/c"), Ok(("/a/c".into(), false)));
    assert_eq!(path(PathPolicy::Reject, "http://a/b/../c"), Ok(("/c".into(), true)));
}

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
