//! Lists: one moment, whole or in chunks.

use http::header::ACCEPT_ENCODING;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";

fn map(name: &str, labels: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": labels } })
}

async fn with_maps(client: &Client, names: &[&str]) {
    for name in names {
        client.post(MAPS, &map(name, &json!({ "name": name }))).await.fine();
    }
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().expect("items");
    items.iter().map(|item| item["metadata"]["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn chunks_of_a_list_show_the_moment_of_the_first_whatever_is_written_meanwhile() {
    let server = Server::start().await;
    let admin = server.admin();
    with_maps(&admin, &["a", "b", "c", "d"]).await;

    let first = admin.get(&format!("{MAPS}?limit=2")).await.fine();
    admin.delete(&format!("{MAPS}/c")).await.fine();
    with_maps(&admin, &["bb", "e"]).await;
    let next = first["metadata"]["continue"].as_str().expect("more");
    let second = admin.get(&format!("{MAPS}?limit=2&continue={next}")).await.fine();

    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert!(second["metadata"].get("continue").is_none());
}

#[tokio::test]
async fn a_list_can_show_an_earlier_moment_exactly() {
    let server = Server::start().await;
    let admin = server.admin();
    with_maps(&admin, &["a"]).await;
    let then = admin.get(MAPS).await.fine()["metadata"]["resourceVersion"].as_str().expect("text").to_owned();
    with_maps(&admin, &["b"]).await;

    let exactly =
        admin.get(&format!("{MAPS}?resourceVersion={then}&resourceVersionMatch=Exact")).await.fine();
    let not_older = admin.get(&format!("{MAPS}?resourceVersion={then}")).await.fine();

    assert_eq!(names(&exactly), ["a"]);
    assert_eq!(names(&not_older), ["a", "b"]);
}

#[tokio::test]
async fn a_chunk_whose_moment_is_forgotten_is_gone() {
    let server = Server::start().await;
    let admin = server.admin();
    with_maps(&admin, &["a", "b"]).await;
    let first = admin.get(&format!("{MAPS}?limit=1")).await.fine();
    let next = first["metadata"]["continue"].as_str().expect("more").to_owned();
    with_maps(&admin, &["c"]).await;

    // What the process knew of the past is gone with it.
    let server = server.restart().await;
    let refused = server.admin().get(&format!("{MAPS}?limit=1&continue={next}")).await;

    assert_eq!(refused.refusal().0, 410);
    assert_eq!(refused.refusal().1, "Expired");
}

#[tokio::test]
async fn a_revision_that_nobody_has_written_is_waited_for_and_then_refused() {
    let limits = control::api::Limits {
        revision_timeout: std::time::Duration::from_millis(20),
        ..control::api::Limits::default()
    };
    let server = Server::with(limits).await;

    let refused = server.admin().get(&format!("{MAPS}?resourceVersion=999")).await;

    assert_eq!(refused.refusal().0, 504);
    assert_eq!(refused.json()["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

#[tokio::test]
async fn labels_and_fields_pick_and_namespaces_separate() {
    let server = Server::start().await;
    let admin = server.admin();
    with_maps(&admin, &["a", "b", "c"]).await;
    admin.post("/api/v1/namespaces/other/configmaps", &map("a", &json!({}))).await.fine();

    let by_label = admin.get(&format!("{MAPS}?labelSelector=name%20in%20(a,c)")).await.fine();
    let by_field = admin.get("/api/v1/configmaps?fieldSelector=metadata.name%3Da").await.fine();
    let refused = admin.get(&format!("{MAPS}?fieldSelector=data.key%3Da")).await;

    assert_eq!(names(&by_label), ["a", "c"]);
    assert_eq!(names(&by_field), ["a", "a"]);
    assert_eq!(refused.refusal().0, 400);
}

#[tokio::test]
async fn large_lists_are_compressed_and_too_large_ones_ask_for_chunks() {
    let limits = control::api::Limits {
        gzip_bytes_min: 200,
        list_bytes_max: 1_000,
        ..control::api::Limits::default()
    };
    let server = Server::with(limits).await;
    let admin = server.admin();
    with_maps(&admin, &["a", "b"]).await;

    let packed = admin.with(ACCEPT_ENCODING, "gzip").get(MAPS).await;
    with_maps(&admin, &["c", "d", "e", "f", "g", "h"]).await;
    let whole = admin.get(MAPS).await;
    let chunk = admin.get(&format!("{MAPS}?limit=500")).await.fine();

    assert_eq!(packed.headers["content-encoding"], "gzip");
    assert_eq!(whole.refusal().0, 413);
    assert!(chunk["metadata"]["continue"].is_string());
    assert!(names(&chunk).len() < 8);
}

#[tokio::test]
async fn a_list_names_its_kind_and_version() {
    let server = Server::start().await;

    let list = server.admin().get("/apis/gateway.networking.k8s.io/v1beta1/referencegrants").await.fine();

    assert_eq!(list["kind"], "ReferenceGrantList");
    assert_eq!(list["apiVersion"], "gateway.networking.k8s.io/v1beta1");
    assert_eq!(list["items"], json!([]));
}
