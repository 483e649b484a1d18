//! Deleting: conditions, finalizers, owners, and namespaces with what is in them.

use std::sync::Arc;

use control::reconcile::{self, Loops};
use engine::status::Conditions;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::client::Client;
use crate::server::Server;

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
const MERGE: &str = "application/merge-patch+json";

fn map(name: &str, metadata: Value) -> Value {
    let mut map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
    map["metadata"]["name"] = name.into();
    map
}

fn owned_by(owner: &Value, blocks: bool) -> Value {
    json!({ "ownerReferences": [{
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "blockOwnerDeletion": blocks,
    }] })
}

fn loops(server: &Server) -> Loops {
    let (_nobody, conditions) = watch::channel(Arc::new(Conditions::default()));
    reconcile::start(&server.world, &server.clock, conditions, Vec::new())
}

/// Waits until a path has, or no longer has, an object.
async fn gone(client: &Client, server: &Server, path: &str) {
    let mut news = server.world.subscribe();
    while client.get(path).await.code.as_u16() != 404 {
        news.changed().await.expect("the world goes on");
    }
}

#[tokio::test]
async fn an_object_is_deleted_only_if_it_is_the_one_that_was_meant() {
    let server = Server::start().await;
    let admin = server.admin();
    let made = admin.post(MAPS, &map("a", json!({}))).await.fine();
    let path = format!("{MAPS}/a");

    let other = json!({ "preconditions": { "uid": "other" } });
    let (code, _, message) = admin.delete_with(&path, &other).await.refusal();
    let older = json!({ "preconditions": { "resourceVersion": "0" } });
    let by_version = admin.delete_with(&path, &older).await.refusal().0;
    let meant = json!({ "preconditions": { "uid": made["metadata"]["uid"] } });
    let deleted = admin.delete_with(&path, &meant).await.fine();

    assert_eq!((code, by_version), (409, 409));
    assert!(message.contains("Precondition failed: UID in precondition: other"), "{message}");
    assert_eq!(deleted["status"], "Success");
    assert_eq!(deleted["details"]["uid"], made["metadata"]["uid"]);
}

#[tokio::test]
async fn an_object_with_finalizers_stays_until_the_last_is_taken_away() {
    let server = Server::start().await;
    let admin = server.admin();
    admin.post(MAPS, &map("a", json!({ "finalizers": ["example.com/wait"] }))).await.fine();
    let path = format!("{MAPS}/a");

    let marked = admin.delete(&path).await.fine();
    let again = admin.delete(&path).await.fine();
    admin.patch(&path, MERGE, &json!({ "metadata": { "finalizers": null } })).await.fine();

    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(again["metadata"]["resourceVersion"], marked["metadata"]["resourceVersion"]);
    assert_eq!(admin.get(&path).await.code.as_u16(), 404);
}

#[tokio::test]
async fn what_nobody_owns_any_more_goes_too() {
    let server = Server::start().await;
    let admin = server.admin();
    let owner = admin.post(MAPS, &map("owner", json!({}))).await.fine();
    admin.post(MAPS, &map("owned", owned_by(&owner, false))).await.fine();
    let loops = loops(&server);

    admin.delete(&format!("{MAPS}/owner")).await.fine();

    gone(&admin, &server, &format!("{MAPS}/owned")).await;
    loops.stop().await;
}

#[tokio::test]
async fn in_the_foreground_an_owner_goes_last() {
    let server = Server::start().await;
    let admin = server.admin();
    let owner = admin.post(MAPS, &map("owner", json!({}))).await.fine();
    let mut owned = owned_by(&owner, true);
    owned["finalizers"] = json!(["example.com/wait"]);
    admin.post(MAPS, &map("owned", owned)).await.fine();
    let loops = loops(&server);

    admin.delete_with(&format!("{MAPS}/owner"), &json!({ "propagationPolicy": "Foreground" })).await.fine();
    let mut news = server.world.subscribe();
    while admin.get(&format!("{MAPS}/owned")).await.fine()["metadata"]["deletionTimestamp"].is_null() {
        news.changed().await.expect("the world goes on");
    }
    let waiting = admin.get(&format!("{MAPS}/owner")).await.fine();
    admin.patch(&format!("{MAPS}/owned"), MERGE, &json!({ "metadata": { "finalizers": null } })).await.fine();

    assert_eq!(waiting["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    gone(&admin, &server, &format!("{MAPS}/owner")).await;
    loops.stop().await;
}

#[tokio::test]
async fn orphans_stay_and_forget_their_owner() {
    let server = Server::start().await;
    let admin = server.admin();
    let owner = admin.post(MAPS, &map("owner", json!({}))).await.fine();
    admin.post(MAPS, &map("owned", owned_by(&owner, true))).await.fine();
    let loops = loops(&server);

    admin.delete_with(&format!("{MAPS}/owner"), &json!({ "propagationPolicy": "Orphan" })).await.fine();

    gone(&admin, &server, &format!("{MAPS}/owner")).await;
    let orphan = admin.get(&format!("{MAPS}/owned")).await.fine();
    assert!(orphan["metadata"].get("ownerReferences").is_none());
    loops.stop().await;
}

#[tokio::test]
async fn an_owner_of_a_kind_that_we_do_not_have_counts_as_alive() {
    let server = Server::start().await;
    let admin = server.admin();
    let stranger =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "x", "uid": "1" } });
    admin.post(MAPS, &map("owned", owned_by(&stranger, false))).await.fine();
    let victim = admin.post(MAPS, &map("victim", json!({}))).await.fine();
    admin.post(MAPS, &map("of-victim", owned_by(&victim, false))).await.fine();
    let loops = loops(&server);

    admin.delete(&format!("{MAPS}/victim")).await.fine();

    gone(&admin, &server, &format!("{MAPS}/of-victim")).await;
    assert_eq!(admin.get(&format!("{MAPS}/owned")).await.code.as_u16(), 200);
    loops.stop().await;
}

#[tokio::test]
async fn a_namespace_needs_no_declaration_and_takes_along_what_is_in_it() {
    let server = Server::start().await;
    let admin = server.admin();
    admin.post(MAPS, &map("before", json!({}))).await.fine();
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    admin.post("/api/v1/namespaces", &namespace).await.fine();

    let marked = admin.delete("/api/v1/namespaces/shop").await.fine();
    let late = admin.post(MAPS, &map("late", json!({}))).await.refusal();
    let loops = loops(&server);

    assert_eq!(marked["status"]["phase"], "Terminating");
    assert_eq!((late.0, late.1.as_str()), (403, "Forbidden"));
    gone(&admin, &server, "/api/v1/namespaces/shop").await;
    assert_eq!(admin.get(&format!("{MAPS}/before")).await.code.as_u16(), 404);
    loops.stop().await;
}

#[tokio::test]
async fn a_namespace_that_is_used_is_declared_for_those_who_ask_for_it() {
    let server = Server::start().await;
    let admin = server.admin();
    let loops = loops(&server);
    let mut news = server.world.subscribe();

    admin.post(MAPS, &map("a", json!({}))).await.fine();
    while admin.get("/api/v1/namespaces/shop").await.code.as_u16() != 200 {
        news.changed().await.expect("the world goes on");
    }

    let shop = admin.get("/api/v1/namespaces/shop").await.fine();
    assert_eq!(shop["metadata"]["labels"]["kubernetes.io/metadata.name"], "shop");
    loops.stop().await;
}

#[tokio::test]
async fn an_empty_namespace_goes_at_once_and_default_never() {
    let server = Server::start().await;
    let admin = server.admin();
    for name in ["empty", "default"] {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        admin.post("/api/v1/namespaces", &namespace).await.fine();
    }

    admin.delete("/api/v1/namespaces/empty").await.fine();
    let refused = admin.delete("/api/v1/namespaces/default").await.refusal();

    assert_eq!(admin.get("/api/v1/namespaces/empty").await.code.as_u16(), 404);
    assert_eq!(refused.0, 403);
}

#[tokio::test]
async fn a_collection_is_deleted_as_far_as_it_is_picked() {
    let server = Server::start().await;
    let admin = server.admin();
    for (name, color) in [("a", "red"), ("b", "blue"), ("c", "red")] {
        admin.post(MAPS, &map(name, json!({ "labels": { "color": color } }))).await.fine();
    }

    admin.delete(&format!("{MAPS}?labelSelector=color%3Dred")).await.fine();

    let left = admin.get(MAPS).await.fine();
    assert_eq!(left["items"].as_array().expect("items").len(), 1);
    assert_eq!(left["items"][0]["metadata"]["name"], "b");
}
