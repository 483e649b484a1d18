//! C4: `Connection` takes away what the client itself said, never what the gateway says.

use crate::stage::{HOST, Stage};
use serde_json::json;
use tests::client::get;
use tests::script::{self};
use tests::upstream::Upstream;

#[tokio::test]
async fn fields_listed_in_connection_end_at_the_gateway() {
    let stage = Stage::new().await;

    let seen = stage
        .forwarded(get(HOST, "/", "Connection: keep-alive, X-Hop, x-two\r\nX-Hop: 1\r\nX-TWO: 2\r\nX-Stay: 3\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\n"))
        .await
        .expect("forwarded");

    for name in ["x-hop", "x-two", "keep-alive", "proxy-connection", "te"] {
        assert_eq!(seen.header_all(name), Vec::<&str>::new(), "{name}");
    }
    assert_eq!(seen.header("x-stay"), Some("3"));
    let connection = seen.header_all("connection");
    assert!(connection.iter().all(|value| !value.to_lowercase().contains("x-")), "{connection:?}");
}

#[tokio::test]
async fn what_the_gateway_sets_survives_being_listed() {
    let stage = Stage::new().await;
    let listed = "Connection: x-forwarded-for, x-forwarded-proto, x-forwarded-host, x-request-id, traceparent, host, authorization\r\nAuthorization: Bearer 1\r\n";

    let judged = stage
        .refuses_or(get(HOST, "/", listed), "400 bad_header | 400 bad_host", |seen| {
            let kept = ["x-forwarded-for", "x-forwarded-proto", "x-request-id", "host"];
            match kept.iter().find(|name| seen.header_all(name).len() != 1) {
                Some(name) => Err(format!("`{name}` was taken away")),
                None => Ok(()),
            }
        })
        .await;

    assert_eq!(judged, Ok(()));
}

#[tokio::test]
async fn a_field_that_a_filter_sets_survives_being_listed() {
    let upstream = Upstream::recording().await;
    let mut scene = tests::scene::Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    scene.route(
        "all",
        json!({ "rules": [{
        "filters": [{
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": { "set": [{ "name": "X-Tenant", "value": "real" }] },
        }],
        "backendRefs": [{ "name": "shop", "port": 80 }],
    }] }),
    );
    let gateway = scene.start().await;

    let answer =
        tests::client::fetch_with(gateway.entry, HOST, "/", "Connection: x-tenant\r\nX-Tenant: forged\r\n")
            .await;

    assert_eq!(answer.status, 200);
    assert_eq!(upstream.last().header("x-tenant"), Some("real"));
}

#[tokio::test]
async fn hop_by_hop_fields_of_a_response_end_at_the_gateway() {
    let stage = Stage::attacked_by(|_| {
        script::answer(
            "200 OK",
            &[("Connection", "x-hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("X-Stay", "2")],
            b"ok",
        )
    })
    .await;

    let answer = stage.get("/attack", "").await;

    assert_eq!(answer.header_all("x-hop"), Vec::<&str>::new());
    assert_eq!(answer.header_all("keep-alive"), Vec::<&str>::new());
    assert_eq!(answer.header("x-stay"), Some("2"));
}

#[tokio::test]
async fn a_client_that_asks_for_close_is_closed_and_the_upstream_is_not() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;

    client.send(get(HOST, "/", "Connection: close\r\n")).await;
    let answer = client.answer().await;

    assert!(
        answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        "{}",
        answer.head
    );
    assert_eq!(client.closes().await, Ok(()));
    assert_eq!(stage.bystander().await, Ok(()));
    assert_eq!(stage.upstream.connections().len(), 1, "the upstream connection was kept");
}
