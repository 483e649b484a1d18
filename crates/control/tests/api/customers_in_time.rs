//! What time does to customers, by a time that is moved: what the API says, what is written down, and what proxies are
//! told before it happens.

use std::sync::Arc;
use std::time::Duration;

use control::customers::{Follower, Piece};
use control::reconcile;
use control::reconcile::customer_times::CustomerTimes;
use control::reconcile::ended_products::EndedProducts;
use control::store::Store;
use engine::status::Conditions;
use model::units::Moment;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use crate::server::Server;

const MERGE: &str = "application/merge-patch+json";
const BASE: &str = "/apis/product.selvedge.dev/v1alpha1/namespaces/shop";
const DAY: Duration = Duration::from_secs(86_400);

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "product.selvedge.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec,
    })
}

/// An application, and a product with a plan that lets everybody in and one that asks somebody first.
async fn shop() -> Server {
    let server = Server::start().await;
    let admin = server.admin();
    for (resource, object) in [
        ("applications", object("Application", "mobile", json!({}))),
        (
            "apiproducts",
            object("APIProduct", "pets", json!({ "state": "Published", "apis": [{ "version": "pets-v1" }] })),
        ),
        ("plans", object("Plan", "free", json!({ "product": "pets", "state": "Published" }))),
        (
            "plans",
            object("Plan", "asked", json!({ "product": "pets", "state": "Published", "approval": "Manual" })),
        ),
    ] {
        admin.post(&format!("{BASE}/{resource}"), &object).await.fine();
    }
    server
}

impl Server {
    /// The moment that is so many days away.
    fn in_days(&self, days: i64) -> String {
        Moment(self.clock.seconds() + days * 86_400).to_string()
    }

    async fn subscribes(&self, name: &str, plan: &str, starts_at: Option<&str>) -> Value {
        let mut spec = json!({ "application": "mobile", "product": "pets", "plan": plan });
        if let Some(moment) = starts_at {
            spec["startsAt"] = moment.into();
        }
        self.admin().post(&format!("{BASE}/subscriptions"), &object("Subscription", name, spec)).await.fine()
    }

    async fn set(&self, path: &str, status: Value) -> Result<Value, (u16, String, String)> {
        let answer =
            self.admin().patch(&format!("{BASE}/{path}/status"), MERGE, &json!({ "status": status })).await;
        if answer.code.is_success() { Ok(answer.fine()) } else { Err(answer.refusal()) }
    }

    async fn state(&self, path: &str) -> String {
        let read = self.admin().get(&format!("{BASE}/{path}")).await.fine();
        read["status"]["state"].as_str().expect("a state").to_owned()
    }

    /// What the leader does every second; tells how much it wrote.
    async fn sweep(&self) -> usize {
        CustomerTimes::new(&self.world, &self.clock).sweep().await.expect("a store").writes
    }

    /// Whether the only subscription is granted, and from and until when, as proxies are told.
    async fn told(&self) -> Vec<(bool, u64, u64)> {
        let store: Arc<dyn Store> = Arc::clone(self.world.store());
        let mut follower = Follower::new(store, 0, b"").await.expect("a follower");
        let mut told = Vec::new();
        while let Piece::Message(message) = follower.next().await.expect("readable") {
            let applications = message.buckets.iter().flat_map(|bucket| &bucket.applications);
            told.extend(
                applications.flat_map(|application| &application.subscriptions).map(|subscription| {
                    (subscription.is_granted, subscription.begins_at, subscription.ends_at)
                }),
            );
        }
        told
    }
}

#[tokio::test]
async fn a_subscription_begins_and_ends_by_itself_and_proxies_know_when_beforehand() {
    let server = shop().await;
    let begin = server.in_days(10);
    let made = server.subscribes("first", "free", Some(&begin)).await;
    assert_eq!((&made["status"]["state"], &made["status"]["anchor"]), (&json!("Scheduled"), &json!(begin)));
    let begins_at = u64::try_from(begin.parse::<Moment>().expect("a moment").0).expect("after 1970");
    assert_eq!(server.told().await, [(false, begins_at, 0)]);
    assert_eq!(server.sweep().await, 0);

    server.pass(10 * DAY);
    assert_eq!(server.sweep().await, 1);
    assert_eq!(server.state("subscriptions/first").await, "Active");
    assert_eq!(server.told().await, [(true, 0, 0)]);

    let end = server.in_days(5);
    server.set("subscriptions/first", json!({ "state": "Ending", "endsAt": end })).await.expect("it may end");
    let ends_at = u64::try_from(end.parse::<Moment>().expect("a moment").0).expect("after 1970");
    assert_eq!(server.told().await, [(true, 0, ends_at)]);
    server.pass(5 * DAY);
    assert_eq!((server.sweep().await, server.sweep().await), (1, 0));
    assert_eq!(server.state("subscriptions/first").await, "Closed");
    assert_eq!(server.told().await, []);
    let audited = format!("{:?}", server.world.store().audited(100).await.expect("the log"));
    assert!(audited.contains("selvedge.dev/customer-controller"), "{audited}");
    // The product is free for another subscription of the same application.
    assert_eq!(server.subscribes("second", "free", None).await["status"]["state"], "Active");
}

#[tokio::test]
async fn what_time_has_done_is_done_before_anybody_writes_it_down() {
    let server = shop().await;
    server.subscribes("first", "free", Some(&server.in_days(1))).await;
    server.pass(2 * DAY);
    let end = server.in_days(1);
    let ending = server.set("subscriptions/first", json!({ "state": "Ending", "endsAt": end })).await;
    assert_eq!(ending.expect("it has begun meanwhile")["status"]["state"], "Ending");
    server.pass(2 * DAY);

    let (code, _, message) =
        server.set("subscriptions/first", json!({ "state": "Active" })).await.expect_err("it is over");

    assert_eq!(code, 422);
    assert!(message.contains("that is Closed cannot become Active"), "{message}");
}

#[tokio::test]
async fn a_state_that_needs_a_moment_is_refused_without_one() {
    let server = shop().await;
    let made = server.subscribes("first", "asked", Some(&server.in_days(3))).await;
    assert_eq!(made["status"]["state"], "Requested");

    let early = server.set("subscriptions/first", json!({ "state": "Active" })).await.expect_err("early");
    assert!(early.2.contains("it begins at") && early.2.contains("make it `Scheduled`"), "{}", early.2);
    let approved = server.set("subscriptions/first", json!({ "state": "Scheduled" })).await.expect("a yes");
    assert_eq!(approved["status"]["state"], "Scheduled");
    server.pass(3 * DAY);
    assert_eq!(server.sweep().await, 1);
    let endless = server.set("subscriptions/first", json!({ "state": "Ending" })).await.expect_err("when?");
    assert!(endless.2.contains("status.endsAt") && endless.2.contains("nobody says when"), "{}", endless.2);
    let status = json!({ "state": "Ending", "endsAt": server.in_days(3) });
    server.set("subscriptions/first", status).await.expect("it may end");
    let renewed =
        server.set("subscriptions/first", json!({ "state": "Active" })).await.expect("not over yet");
    assert_eq!(renewed["status"].get("endsAt"), None);
    server.pass(9 * DAY);
    assert_eq!((server.sweep().await, server.state("subscriptions/first").await.as_str()), (0, "Active"));
    let closed = server.set("subscriptions/first", json!({ "state": "Closed" })).await.expect("cancelled");
    assert!(closed["status"]["endsAt"].is_string(), "{closed}");
}

/// C4, and the end of it.
#[tokio::test]
async fn of_two_keys_that_overlap_the_old_one_expires_and_does_not_come_back() {
    let server = shop().await;
    let admin = server.admin();
    for name in ["old", "new"] {
        let key = object("Credential", name, json!({ "application": "mobile" }));
        admin.post(&format!("{BASE}/credentials"), &key).await.fine();
    }
    let path = format!("{BASE}/credentials/old");
    let end = json!({ "spec": { "expiresAt": server.in_days(1) } });
    admin.patch(&path, MERGE, &end).await.fine();
    server.set("credentials/old", json!({ "state": "Rotating" })).await.expect("it may rotate");
    assert_eq!((server.sweep().await, server.state("credentials/new").await.as_str()), (0, "Active"));

    server.pass(DAY);
    let later = json!({ "spec": { "expiresAt": server.in_days(9) } });
    let (code, _, message) = admin.patch(&path, MERGE, &later).await.refusal();
    assert_eq!(code, 422);
    assert!(message.contains("it has expired at") && message.contains("make another one"), "{message}");
    assert_eq!(server.sweep().await, 1);
    assert_eq!(server.state("credentials/old").await, "Expired");
    assert_eq!(server.state("credentials/new").await, "Active");
    let (code, _, message) = admin.patch(&path, MERGE, &later).await.refusal();
    assert_eq!(code, 422, "{message}");
    server.set("credentials/old", json!({ "state": "Active" })).await.expect_err("it is for good");
}

/// A5.
#[tokio::test]
async fn who_subscribed_to_what_is_retired_is_subscribed_no_more() {
    let server = shop().await;
    let admin = server.admin();
    let version = |state: &str| {
        let spec = json!({
            "api": "pets", "label": "v1", "state": state, "revision": "pets-v1-1", "parentRefs": [{ "name": "edge" }],
        });
        object("APIVersion", "pets-v1", spec)
    };
    admin.post(&format!("{BASE}/apiversions"), &version("Published")).await.fine();
    server.subscribes("first", "free", None).await;
    let ended = Arc::new(EndedProducts::new(&server.world, &server.clock));
    let (_told, conditions) = watch::channel(Arc::<Conditions>::default());
    let more: Vec<(Arc<dyn reconcile::Reconcile>, Arc<Notify>)> = vec![(ended, Arc::default())];
    let loops = reconcile::start(&server.world, &server.clock, conditions, more);
    let path = format!("{BASE}/apiversions/pets-v1");

    admin.patch(&path, MERGE, &json!({ "spec": { "state": "Deprecated" } })).await.fine();
    assert_eq!(server.state("subscriptions/first").await, "Active");
    admin.patch(&path, MERGE, &json!({ "spec": { "state": "Retired" } })).await.fine();

    let closed = async {
        while server.state("subscriptions/first").await != "Closed" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("it is closed");
    loops.stop().await;
}

/// A1, A2.
#[tokio::test]
async fn what_can_be_called_has_one_revision_and_a_revision_never_changes() {
    let server = Server::start().await;
    let admin = server.admin();
    let spec = json!({
        "api": "pets", "version": "pets-v1", "documents": [{ "name": "a.yaml", "content": "openapi: 3.1.0" }],
    });
    admin.post(&format!("{BASE}/apirevisions"), &object("APIRevision", "one", spec)).await.fine();
    let other = json!({ "spec": { "documents": [{ "name": "a.yaml", "content": "openapi: 3.0.0" }] } });
    let (code, _, message) = admin.patch(&format!("{BASE}/apirevisions/one"), MERGE, &other).await.refusal();
    assert_eq!(code, 422);
    assert!(message.contains("a revision never changes"), "{message}");

    let spec =
        json!({ "api": "pets", "label": "v1", "state": "Published", "parentRefs": [{ "name": "edge" }] });
    let nothing = object("APIVersion", "pets-v1", spec);
    let (code, _, message) = admin.post(&format!("{BASE}/apiversions"), &nothing).await.refusal();
    assert_eq!(code, 422);
    assert!(message.contains("needs a revision that describes it"), "{message}");
}

/// A4.
#[tokio::test]
async fn who_has_what_is_deprecated_may_change_plan_and_rotate_and_nobody_else_gets_it() {
    let server = shop().await;
    let admin = server.admin();
    server.subscribes("first", "free", None).await;
    let key = object("Credential", "old", json!({ "application": "mobile" }));
    admin.post(&format!("{BASE}/credentials"), &key).await.fine();
    let deprecated = json!({ "spec": { "state": "Deprecated" } });
    admin.patch(&format!("{BASE}/apiproducts/pets"), MERGE, &deprecated).await.fine();

    let other = object("Application", "other", json!({}));
    admin.post(&format!("{BASE}/applications"), &other).await.fine();
    let spec = json!({ "application": "other", "product": "pets", "plan": "free" });
    let wanted = object("Subscription", "other", spec);
    let (code, _, message) = admin.post(&format!("{BASE}/subscriptions"), &wanted).await.refusal();
    assert_eq!(code, 422);
    assert!(message.contains("takes no new subscriptions"), "{message}");
    let plan = json!({ "spec": { "plan": "asked" } });
    let changed = admin.patch(&format!("{BASE}/subscriptions/first"), MERGE, &plan).await.fine();
    assert_eq!((&changed["spec"]["plan"], &changed["status"]["state"]), (&json!("asked"), &json!("Active")));
    server.set("credentials/old", json!({ "state": "Rotating" })).await.expect("it may rotate");
    let key = object("Credential", "new", json!({ "application": "mobile" }));
    admin.post(&format!("{BASE}/credentials"), &key).await.fine();
}

/// S1.
#[tokio::test]
async fn an_application_has_one_live_subscription_to_a_product() {
    let server = shop().await;
    server.subscribes("first", "free", Some(&server.in_days(3))).await;

    let spec = json!({ "application": "mobile", "product": "pets", "plan": "asked" });
    let second = object("Subscription", "second", spec);
    let (code, _, message) = server.admin().post(&format!("{BASE}/subscriptions"), &second).await.refusal();

    assert_eq!(code, 409);
    assert!(message.contains("subscription `shop/first`") && message.contains("still live"), "{message}");
    server.set("subscriptions/first", json!({ "state": "Closed" })).await.expect("cancelled");
    server.admin().post(&format!("{BASE}/subscriptions"), &second).await.fine();
}

/// O1.
#[tokio::test]
async fn of_a_developer_who_is_gone_nothing_personal_is_kept() {
    let server = shop().await;
    let admin = server.admin();
    let mail = "ana@people.example";
    let ana = object("Developer", "dev-1", json!({ "title": "Ana Torres", "email": mail }));
    admin.post(&format!("{BASE}/developers"), &ana).await.fine();
    let path = format!("{BASE}/developers/dev-1");
    admin.patch(&path, MERGE, &json!({ "spec": { "locale": "en" } })).await.fine();

    admin.delete(&path).await.fine();

    let changes = server.world.store().customers().expect("rows").row_changes(0, 100).await.expect("changes");
    let audited = server.world.store().audited(100).await.expect("the log");
    let kept = format!("{changes:?} {audited:?}");
    assert!(kept.contains("dev-1") && !kept.contains("Ana Torres") && !kept.contains(mail), "{kept}");
}
