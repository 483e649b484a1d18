//! What concerns the connection alone: how long it lives, what is waited for, what it becomes (threats A8, A9, C4).

use super::*;

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
