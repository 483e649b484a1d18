//! Bad input: bounded, and refused in words.

use std::time::Duration;

use bytes::Bytes;
use control::api::Limits;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::Server;

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_in_words_however_its_sender_sends_it() {
    let server = Server::with(Limits { body_bytes_max: 1_000, ..Limits::default() }).await;
    let body = Bytes::from(vec![b' '; 10 << 20]);

    let refused = server.admin().send(Method::POST, MAPS, Some("application/json"), body).await;

    let (code, reason, message) = refused.refusal();
    assert_eq!((code, reason.as_str()), (413, "RequestEntityTooLarge"));
    assert_eq!(message, "Request entity too large: limit is 1000");
}

#[tokio::test]
async fn who_reads_nothing_before_all_is_sent_hears_that_it_was_too_long() {
    let server = Server::start().await;
    let body = vec![b' '; 10 << 20];

    let refused = server.admin().post_before_reading(MAPS, body.len(), &body).await;

    assert_eq!(refused.refusal().0, 413);
}

#[tokio::test]
async fn a_million_brackets_and_no_json_at_all_are_bad_requests() {
    let server = Server::start().await;
    let admin = server.admin();

    for body in ["[".repeat(1 << 20), "{\"kind\":".to_owned(), "\u{0}".to_owned(), "null".to_owned()] {
        let refused = admin.send(Method::POST, MAPS, Some("application/json"), body.into()).await;
        assert_eq!(refused.refusal().0, 400);
    }
}

#[tokio::test]
async fn a_body_in_no_known_format_is_refused_so_that_clients_can_fall_back() {
    let server = Server::start().await;
    let media = Some("application/cbor");

    let refused =
        server.admin().send(Method::POST, MAPS, media, Bytes::from_static(b"\xd9\xd9\xf7\xa0")).await;

    assert_eq!(refused.refusal().0, 415);
}

#[tokio::test]
async fn an_endless_path_is_refused() {
    let server = Server::start().await;

    let refused = server.admin().get(&format!("{MAPS}/{}", "a".repeat(20_000))).await;

    assert_eq!(refused.refusal().0, 400);
}

#[tokio::test]
async fn names_that_no_object_can_have_are_not_found() {
    let server = Server::start().await;
    let admin = server.admin();

    for name in ["UPPER", "a%2Fb", "..", "%00", &"a".repeat(300)] {
        assert_eq!(admin.get(&format!("{MAPS}/{name}")).await.refusal().0, 404, "{name}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_names_those_that_it_has() {
    let server = Server::start().await;

    let refused = server.admin().post("/api/v1/configmaps", &json!({})).await;

    assert_eq!(refused.refusal().0, 405);
    assert_eq!(refused.headers["allow"], "HEAD, GET");
}

#[tokio::test]
async fn head_is_answered_like_get_and_without_a_body() {
    let server = Server::start().await;
    let admin = server.admin();

    for path in ["/version", "/api/v1/configmaps", "/api/v1/configmaps?watch=true", "/api/v1/nodes"] {
        let head = admin.send(Method::HEAD, path, None, Bytes::new()).await;

        assert!(head.bytes.is_empty(), "{path}");
        if path.contains("watch") {
            assert_eq!(head.code, 200);
            continue;
        }
        let get = admin.get(path).await;
        assert_eq!((head.code, &head.headers["content-type"]), (get.code, &get.headers["content-type"]));
        assert_eq!(head.headers["content-length"], get.bytes.len().to_string(), "{path}");
    }
    assert_eq!(server.client().send(Method::HEAD, MAPS, None, Bytes::new()).await.code, 401);
}

#[tokio::test]
async fn too_many_requests_at_once_are_put_off() {
    let server = Server::with(Limits { requests_max: 0, ..Limits::default() }).await;

    let refused = server.admin().get(MAPS).await;

    assert_eq!(refused.refusal().0, 429);
    assert_eq!(refused.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_request_whose_body_never_comes_ends() {
    let limits = Limits { request_timeout: Duration::from_millis(50), ..Limits::default() };
    let server = Server::with(limits).await;

    let refused = server.admin().stalled_post(MAPS).await;

    assert_eq!(refused.refusal().0, 504);
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_speaks_no_tls_is_closed() {
    let limits = Limits { handshake_timeout: Duration::from_millis(50), ..Limits::default() };
    let server = Server::with(limits).await;
    let address = server.client().address();

    let mut silent = TcpStream::connect(address).await.expect("a connection");
    let mut plain = TcpStream::connect(address).await.expect("a connection");
    plain.write_all(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");

    let mut said = Vec::new();
    silent.read_to_end(&mut said).await.expect("closed in order");
    assert!(said.is_empty());
    let mut said = Vec::new();
    let _closed_or_reset = plain.read_to_end(&mut said).await;
    assert!(!String::from_utf8_lossy(&said).contains("200"), "{said:?}");
}

#[tokio::test]
async fn a_watcher_that_takes_nothing_is_cut_off_and_its_place_is_free_again() {
    let limits = Limits {
        write_stall_timeout: Duration::from_millis(300),
        watches_per_user_max: 1,
        ..Limits::default()
    };
    let server = Server::with(limits).await;
    let admin = server.admin();
    let taking_nothing = admin.watch(&format!("{MAPS}?watch=true")).await;
    let again = format!(
        "{MAPS}?watch=true&timeoutSeconds=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
    );
    assert_eq!(admin.get(&again).await.code, 429, "it holds the only place");

    // What the two kernels and the client's library hold on their own is some megabytes.
    let text = "x".repeat(1 << 20);
    let mut cut = false;
    for number in 0..200 {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": format!("m-{}", number % 4) },
            "data": { "number": number.to_string(), "text": text },
        });
        match number {
            0..4 => admin.post(MAPS, &map).await.fine(),
            _ => admin.put(&format!("{MAPS}/m-{}", number % 4), &map).await.fine(),
        };
        cut = cut || admin.get(&again).await.code == 200;
        if cut {
            break;
        }
    }

    assert!(cut, "its place was never free");
    drop(taking_nothing);
}
