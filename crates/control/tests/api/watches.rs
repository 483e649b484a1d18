//! Watches: every change after a revision, in order, as long as the client wants.

use std::time::Duration;

use control::api::Limits;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";

fn map(name: &str, color: &str) -> Value {
    let metadata = json!({ "name": name, "labels": { "color": color } });
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata })
}

async fn put(client: &Client, name: &str, color: &str) -> String {
    let path = format!("{MAPS}/{name}");
    let body = map(name, color);
    let written = match client.get(&path).await.code.as_u16() {
        404 => client.post(MAPS, &body).await.fine(),
        _ => client.put(&path, &body).await.fine(),
    };
    written["metadata"]["resourceVersion"].as_str().expect("a revision").to_owned()
}

fn pair(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

#[tokio::test]
async fn a_watch_tells_everything_and_goes_on_where_it_stopped() {
    let server = Server::start().await;
    let admin = server.admin();
    put(&admin, "a", "red").await;

    let mut events = admin.watch(&format!("{MAPS}?watch=true")).await;
    assert_eq!(events.next_named().await, pair("ADDED", "a"));
    let revision = put(&admin, "b", "red").await;
    assert_eq!(events.next_named().await, pair("ADDED", "b"));
    drop(events);
    put(&admin, "b", "blue").await;
    admin.delete(&format!("{MAPS}/a")).await.fine();

    let mut events = admin.watch(&format!("{MAPS}?watch=true&resourceVersion={revision}")).await;
    assert_eq!(events.next_named().await, pair("MODIFIED", "b"));
    let deleted = events.next().await.expect("another event");
    assert_eq!(deleted["type"], "DELETED");
    let of_deletion: u64 =
        deleted["object"]["metadata"]["resourceVersion"].as_str().expect("text").parse().expect("a number");
    assert!(of_deletion > revision.parse().expect("a number"), "the revision is that of the deletion");
}

#[tokio::test]
async fn an_object_that_is_no_longer_picked_is_deleted_for_its_watcher() {
    let server = Server::start().await;
    let admin = server.admin();
    let mut events = admin.watch(&format!("{MAPS}?watch=true&labelSelector=color%3Dred")).await;

    put(&admin, "a", "blue").await;
    put(&admin, "a", "red").await;
    put(&admin, "a", "blue").await;
    put(&admin, "b", "red").await;

    assert_eq!(events.next_named().await, pair("ADDED", "a"));
    assert_eq!(events.next_named().await, pair("DELETED", "a"));
    assert_eq!(events.next_named().await, pair("ADDED", "b"));
}

#[tokio::test]
async fn a_watch_is_told_of_its_own_kind_and_namespace_only() {
    let server = Server::start().await;
    let admin = server.admin();
    let mut events = admin.watch(&format!("{MAPS}?watch=true")).await;
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "key" } });

    admin.post("/api/v1/namespaces/shop/secrets", &secret).await.fine();
    admin.post("/api/v1/namespaces/other/configmaps", &map("elsewhere", "red")).await.fine();
    put(&admin, "mine", "red").await;

    assert_eq!(events.next_named().await, pair("ADDED", "mine"));
}

#[tokio::test]
async fn a_watch_that_asks_for_everything_first_is_told_when_that_was_all() {
    let server = Server::start().await;
    let admin = server.admin();
    put(&admin, "a", "red").await;
    let query =
        "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";

    let mut events = admin.watch(&format!("{MAPS}?{query}")).await;

    assert_eq!(events.next_named().await, pair("ADDED", "a"));
    let bookmark = events.next().await.expect("a bookmark");
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(bookmark["object"]["kind"], "ConfigMap");
    assert_eq!(bookmark["object"]["apiVersion"], "v1");
}

#[tokio::test]
async fn bookmarks_tell_how_far_a_quiet_watch_has_come() {
    let limits = Limits { bookmark_every: Duration::from_millis(20), ..Limits::default() };
    let server = Server::with(limits).await;
    let admin = server.admin();
    let mut events = admin.watch(&format!("{MAPS}?watch=true&allowWatchBookmarks=true")).await;
    let elsewhere = "/api/v1/namespaces/elsewhere/configmaps";
    let written = admin.post(elsewhere, &map("a", "red")).await.fine();

    loop {
        let bookmark = events.next().await.expect("a bookmark");
        assert_eq!(bookmark["type"], "BOOKMARK");
        if bookmark["object"]["metadata"]["resourceVersion"] == written["metadata"]["resourceVersion"] {
            break;
        }
    }
}

#[tokio::test]
async fn who_is_too_far_behind_is_told_to_list_again() {
    let server = Server::start().await;
    put(&server.admin(), "a", "red").await;
    put(&server.admin(), "b", "red").await;

    // What the process knew of the past is gone with it.
    let server = server.restart().await;
    let gone = server.admin().get(&format!("{MAPS}?watch=true&resourceVersion=1")).await;

    let (code, reason, message) = gone.refusal();
    assert_eq!((code, reason.as_str()), (410, "Expired"));
    assert!(message.starts_with("too old resource version: 1 ("), "{message}");
}

#[tokio::test]
async fn a_watch_ends_when_its_time_is_up() {
    let server = Server::start().await;

    let mut events = server.admin().watch(&format!("{MAPS}?watch=true&timeoutSeconds=1")).await;

    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_watch_ends_in_order_when_the_server_stops() {
    let server = Server::start().await;
    let mut events = server.admin().watch(&format!("{MAPS}?watch=true")).await;

    server.stop().await;

    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_user_has_only_so_many_watches_at_once() {
    let server = Server::with(Limits { watches_per_user_max: 1, ..Limits::default() }).await;
    let admin = server.admin();
    let first = admin.watch(&format!("{MAPS}?watch=true")).await;

    let second = admin.get(&format!("{MAPS}?watch=true")).await;

    assert_eq!(second.refusal().0, 429);
    assert_eq!(second.headers["retry-after"], "1");
    drop(first);
}

#[tokio::test]
async fn watching_needs_no_more_than_metadata() {
    let server = Server::start().await;
    let admin = server.admin();
    put(&admin, "a", "red").await;
    let media = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";

    let mut events = admin.accepting(media).watch(&format!("{MAPS}?watch=true")).await;

    let event = events.next().await.expect("an event");
    assert_eq!(event["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(event["object"]["metadata"]["name"], "a");
}
