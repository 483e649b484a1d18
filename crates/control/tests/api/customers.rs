//! What grows with customers is served like everything else, and keeps its own rules.

use http::StatusCode;
use serde_json::{Value, json};

use crate::server::Server;

const MERGE: &str = "application/merge-patch+json";
const BASE: &str = "/apis/product.selvedge.dev/v1alpha1/namespaces/shop";

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "product.selvedge.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec,
    })
}

async fn with_application(server: &Server) {
    let application = object("Application", "mobile", json!({}));
    server.admin().post(&format!("{BASE}/applications"), &application).await.fine();
}

#[tokio::test]
async fn a_key_is_shown_once_and_is_nowhere_afterwards() {
    let server = Server::start().await;
    with_application(&server).await;
    let admin = server.admin();

    let wanted = object("Credential", "first", json!({ "application": "mobile" }));
    let made = admin.post(&format!("{BASE}/credentials"), &wanted).await.fine();

    let key = made["status"]["key"].as_str().expect("it is shown").to_owned();
    let parsed: model::customers::api_key::ApiKey = key.parse().expect("a key of ours");
    assert_eq!(made["status"]["shown"], parsed.shown());
    let read = admin.get(&format!("{BASE}/credentials/first")).await.fine();
    assert_eq!(read["status"]["state"], "Active");
    let listed = admin.get(&format!("{BASE}/credentials")).await.fine().to_string();
    let watched = server.world.store().customers().expect("rows").row_changes(0, 100).await.expect("changes");
    let audited = server.world.store().audited(100).await.expect("the log");
    let everything = format!("{read} {listed} {watched:?} {audited:?}");
    assert!(!everything.contains(&key[12..]), "{everything}");
}

#[tokio::test]
async fn customers_are_made_read_changed_listed_and_deleted_like_any_object() {
    let server = Server::start().await;
    let admin = server.admin();
    for name in ["a", "b", "c"] {
        let team = object("Team", name, json!({ "title": format!("Team {name}") }));
        admin.post(&format!("{BASE}/teams"), &team).await.fine();
    }

    let again = admin.post(&format!("{BASE}/teams"), &object("Team", "a", json!({}))).await.refusal();
    assert_eq!((again.0, again.1.as_str()), (409, "AlreadyExists"));
    let path = format!("{BASE}/teams/b");
    let patched =
        admin.patch(&path, MERGE, &json!({ "metadata": { "labels": { "tier": "gold" } } })).await.fine();
    assert_eq!(patched["metadata"]["labels"]["tier"], "gold");
    let picked = admin.get(&format!("{BASE}/teams?labelSelector=tier%3Dgold")).await.fine();
    assert_eq!(picked["items"].as_array().map(Vec::len), Some(1));
    let first = admin.get(&format!("{BASE}/teams?limit=2")).await.fine();
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
    let next = first["metadata"]["continue"].as_str().expect("more");
    let rest = admin.get(&format!("{BASE}/teams?limit=2&continue={next}")).await.fine();
    assert_eq!(rest["items"][0]["metadata"]["name"], "c");
    admin.delete(&path).await.fine();
    assert_eq!(admin.get(&path).await.code, StatusCode::NOT_FOUND);
    let everywhere = admin.get("/apis/product.selvedge.dev/v1alpha1/teams").await.fine();
    assert_eq!(everywhere["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(server.world.now().revision, server.world.store().epoch().await.expect("an epoch"));
}

#[tokio::test]
async fn a_state_goes_only_where_its_life_cycle_leads() {
    let server = Server::start().await;
    with_application(&server).await;
    let admin = server.admin();
    let key = object("Credential", "first", json!({ "application": "mobile" }));
    admin.post(&format!("{BASE}/credentials"), &key).await.fine();
    let status = format!("{BASE}/credentials/first/status");

    admin.patch(&status, MERGE, &json!({ "status": { "state": "Revoked" } })).await.fine();
    let (code, _, message) =
        admin.patch(&status, MERGE, &json!({ "status": { "state": "Active" } })).await.refusal();

    assert_eq!(code, 422);
    assert!(message.contains("cannot become Active") && message.contains("make a new one"), "{message}");
}

#[tokio::test]
async fn nobody_can_write_a_key_or_what_is_shown_of_it() {
    let server = Server::start().await;
    with_application(&server).await;
    let admin = server.admin();
    let key = object("Credential", "first", json!({ "application": "mobile" }));
    let made = admin.post(&format!("{BASE}/credentials"), &key).await.fine();

    let status = format!("{BASE}/credentials/first/status");
    let forged = json!({ "status": { "key": "sk_live_forged", "shown": "sk_live_forg" } });
    let after = admin.patch(&status, MERGE, &forged).await.fine();

    assert_eq!(after["status"].get("key"), None);
    assert_eq!(after["status"]["shown"], made["status"]["shown"]);
}

#[tokio::test]
async fn what_belongs_to_an_application_needs_it_and_goes_with_it() {
    let server = Server::start().await;
    let admin = server.admin();
    let orphan = object("Credential", "first", json!({ "application": "mobil" }));
    let (code, _, message) = admin.post(&format!("{BASE}/credentials"), &orphan).await.refusal();
    assert_eq!(code, 422);
    assert!(message.contains("there is no application `mobil`"), "{message}");
    with_application(&server).await;
    let key = object("Credential", "first", json!({ "application": "mobile" }));
    admin.post(&format!("{BASE}/credentials"), &key).await.fine();

    admin.delete(&format!("{BASE}/applications/mobile")).await.fine();

    assert_eq!(admin.get(&format!("{BASE}/credentials/first")).await.code, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_identity_belongs_to_one_application() {
    let server = Server::start().await;
    with_application(&server).await;
    let admin = server.admin();
    let spec = json!({
        "application": "mobile", "type": "SPIFFE", "identity": "spiffe://bank.example/ns/trade/sa/desk",
    });
    admin.post(&format!("{BASE}/credentials"), &object("Credential", "one", spec.clone())).await.fine();

    let (code, _, message) =
        admin.post(&format!("{BASE}/credentials"), &object("Credential", "two", spec)).await.refusal();

    assert_eq!(code, 409);
    assert!(message.contains("Credential `shop/one` has it already"), "{message}");
}

#[tokio::test]
async fn a_dry_run_makes_nothing_and_shows_no_key() {
    let server = Server::start().await;
    with_application(&server).await;
    let admin = server.admin();
    let key = object("Credential", "first", json!({ "application": "mobile" }));

    let tried = admin.post(&format!("{BASE}/credentials?dryRun=All"), &key).await.fine();

    assert_eq!(tried["status"].get("key"), None);
    assert_eq!(admin.get(&format!("{BASE}/credentials/first")).await.code, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_watch_tells_what_happens_to_customers_in_order() {
    let server = Server::start().await;
    with_application(&server).await;
    let admin = server.admin();
    let listed = admin.get(&format!("{BASE}/applications")).await.fine();
    let from = listed["metadata"]["resourceVersion"].as_str().expect("a revision").to_owned();
    let mut events = admin.watch(&format!("{BASE}/applications?watch=true&resourceVersion={from}")).await;

    let status = format!("{BASE}/applications/mobile/status");
    admin.patch(&status, MERGE, &json!({ "status": { "state": "Suspended" } })).await.fine();
    admin.delete(&format!("{BASE}/applications/mobile")).await.fine();

    for (what, state) in [("MODIFIED", "Suspended"), ("DELETED", "Suspended")] {
        let event = events.next().await.expect("an event");
        assert_eq!(
            (event["type"].as_str(), event["object"]["status"]["state"].as_str()),
            (Some(what), Some(state))
        );
    }
}

#[tokio::test]
async fn who_may_not_see_customers_does_not() {
    let server = Server::start().await;
    let ana = server.user("ana", &["visitors"]);

    for resource in ["teams", "developers", "applications", "subscriptions", "credentials"] {
        assert_eq!(ana.get(&format!("{BASE}/{resource}")).await.code, StatusCode::FORBIDDEN);
    }
}
