//! Writers who do not wait for each other.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::server::Server;

const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

fn map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "key": "1" } })
}

#[tokio::test]
async fn who_writes_over_what_they_have_not_seen_is_told_so() {
    let server = Server::start().await;
    let admin = server.admin();
    let mut mine = admin.post(MAPS, &map("a")).await.fine();
    let path = format!("{MAPS}/a");
    admin.patch(&path, MERGE, &json!({ "data": { "key": "2" } })).await.fine();

    mine["data"]["key"] = "3".into();
    let (code, reason, message) = admin.put(&path, &mine).await.refusal();

    assert_eq!((code, reason.as_str()), (409, "Conflict"));
    assert_eq!(
        message,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to \
         the latest version and try again"
    );
    assert_eq!(admin.get(&path).await.fine()["data"]["key"], "2");
}

#[tokio::test]
async fn what_is_there_cannot_be_made_and_what_is_not_there_cannot_be_changed() {
    let server = Server::start().await;
    let admin = server.admin();
    admin.post(MAPS, &map("a")).await.fine();

    let again = admin.post(MAPS, &map("a")).await.refusal();
    let replaced = admin.put(&format!("{MAPS}/b"), &map("b")).await.refusal();
    let patched = admin.patch(&format!("{MAPS}/b"), MERGE, &json!({})).await.refusal();

    assert_eq!(again, (409, "AlreadyExists".into(), "configmaps \"a\" already exists".into()));
    assert_eq!(replaced, (404, "NotFound".into(), "configmaps \"b\" not found".into()));
    assert_eq!(patched.0, 404);
}

#[tokio::test]
async fn patches_of_many_at_once_are_all_in_the_object_in_the_end() {
    let server = Server::start().await;
    let admin = server.admin();
    admin.post(MAPS, &map("a")).await.fine();

    let path = format!("{MAPS}/a");
    let patches =
        (0..4).map(|number| {
            let (admin, path) = (admin.clone(), path.clone());
            async move {
                admin.patch(&path, MERGE, &json!({ "data": { format!("by{number}"): "x" } })).await.fine()
            }
        });
    join_all(patches).await;

    let data = admin.get(&path).await.fine()["data"].clone();
    assert_eq!(data, json!({ "key": "1", "by0": "x", "by1": "x", "by2": "x", "by3": "x" }));
}

#[tokio::test]
async fn of_many_who_make_the_same_object_one_succeeds() {
    let server = Server::start().await;
    let admin = server.admin();

    let makers = (0..6).map(|_| {
        let admin = admin.clone();
        async move { admin.post(MAPS, &map("a")).await.code.as_u16() }
    });
    let mut codes = join_all(makers).await;

    codes.sort_unstable();
    assert_eq!(codes, [201, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn names_that_are_made_up_differ() {
    let server = Server::start().await;
    let admin = server.admin();
    let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "generateName": "a-" } });

    let (first, second) = (admin.post(MAPS, &body).await.fine(), admin.post(MAPS, &body).await.fine());

    assert_ne!(first["metadata"]["name"], second["metadata"]["name"]);
    assert!(first["metadata"]["name"].as_str().expect("a name").starts_with("a-"));
}

#[tokio::test]
async fn applying_makes_what_is_missing_and_says_who_owns_it() {
    let server = Server::start().await;
    let admin = server.admin();
    let path = format!("{MAPS}/a?fieldManager=tool");

    let made = admin.patch(&path, APPLY, &map("a")).await;
    let again = admin.patch(&path, APPLY, &map("a")).await;
    let nameless = admin.patch(&format!("{MAPS}/a"), APPLY, &map("a")).await;

    assert_eq!(made.code.as_u16(), 201);
    let (made, again) = (made.fine(), again.fine());
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "tool");
    assert_eq!(
        again["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"],
        "nothing was written"
    );
    assert_eq!(nameless.refusal().0, 422);
}

#[tokio::test]
async fn a_dry_run_answers_as_if_and_keeps_nothing() {
    let server = Server::start().await;
    let admin = server.admin();

    let made = admin.post(&format!("{MAPS}?dryRun=All"), &map("a")).await;
    let code = admin.get(&format!("{MAPS}/a")).await.code;
    admin.post(MAPS, &map("a")).await.fine();
    admin.delete(&format!("{MAPS}/a?dryRun=All")).await.fine();

    assert_eq!(made.code.as_u16(), 201);
    assert_eq!(code.as_u16(), 404);
    assert_eq!(admin.get(&format!("{MAPS}/a")).await.code.as_u16(), 200);
}
