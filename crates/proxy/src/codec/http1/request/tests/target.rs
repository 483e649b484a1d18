//! The request line and the host: what is asked, of whom (threats A7, B4, B7).

use super::*;

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
