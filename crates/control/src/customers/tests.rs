use std::sync::Arc;

use discovery::customers::{CustomersResponse, Subscription};
use engine::customers::Place;
use model::customers::Fingerprint;
use model::kinds::KindName;
use serde_json::{Value, json};

use super::{Follower, Piece};
use crate::store::customers::{Key, Row, RowSet, RowWrite, Written};
use crate::store::keys::Keys;
use crate::store::sqlite::Sqlite;
use crate::store::{Expect, Store};

/// A store with an application that has a subscription and two keys.
struct Shop {
    store: Arc<dyn Store>,
    _folder: tempfile::TempDir,
}

fn print(number: u8) -> Fingerprint {
    Fingerprint([number; 16])
}

impl Shop {
    async fn open() -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(&folder.path().join("keys")).expect("keys");
        let opened = Sqlite::open(&folder.path().join("store"), keys).await.expect("a store");
        let shop = Shop { store: opened.store, _folder: folder };
        let application =
            shop.put(KindName::Application, "mobile", json!({}), json!({ "state": "Active" })).await;
        let spec = json!({ "application": "mobile", "product": "weather/weather", "plan": "free" });
        let status = json!({ "state": "Active", "holds": ["Billing"], "anchor": "2026-01-01T00:00:00Z" });
        let row = shop.row(KindName::Subscription, "mobile-weather", spec, status);
        let (owner, place) = (Some(application.number), application.place);
        shop.write(Row { owner, place, parent: Some("mobile".into()), ..row }).await;
        for number in [1, 200] {
            shop.key(number, "Active").await;
        }
        shop
    }

    fn row(&self, kind: KindName, name: &str, spec: Value, status: Value) -> Row {
        let json =
            json!({ "metadata": { "name": name, "namespace": "shop" }, "spec": spec, "status": status });
        Row {
            kind,
            namespace: "shop".into(),
            name: name.into(),
            uid: "01234567-89ab-cdef-0123-456789abcdef".into(),
            number: 0,
            revision: 0,
            parent: None,
            owner: None,
            place: None,
            claim: None,
            json: json.to_string().into(),
        }
    }

    async fn put(&self, kind: KindName, name: &str, spec: Value, status: Value) -> Row {
        self.write(self.row(kind, name, spec, status)).await
    }

    async fn write(&self, row: Row) -> Row {
        let put = RowWrite::Put { row, expect: Expect::Whatever, due: None };
        let set = RowSet { writes: vec![put], audit: Vec::new() };
        match self.store.customers().expect("rows").write_rows(set).await.expect("written") {
            Written::Done(changes) => changes[0].row.clone(),
            refused => panic!("{refused:?}"),
        }
    }

    async fn key(&self, number: u8, state: &str) {
        let spec = json!({ "application": "mobile" });
        let row = self.row(KindName::Credential, &format!("key-{number}"), spec, json!({ "state": state }));
        let place = Some(Place::of_fingerprint(&print(number)).number());
        self.write(Row { place, owner: Some(1), claim: Some(print(number).to_hex().into()), ..row }).await;
    }

    async fn follower(&self, epoch: u64, store: &[u8]) -> Follower {
        Follower::new(Arc::clone(&self.store), epoch, store).await.expect("a follower")
    }
}

async fn message(follower: &mut Follower) -> CustomersResponse {
    match follower.next().await.expect("readable") {
        Piece::Message(message) => message,
        Piece::Nothing => panic!("nothing more"),
    }
}

async fn all(follower: &mut Follower) -> Vec<CustomersResponse> {
    let mut all = Vec::new();
    while let Piece::Message(message) = follower.next().await.expect("readable") {
        all.push(message);
    }
    all
}

/// Fingerprint and state of every credential in a message.
fn credentials(message: &CustomersResponse) -> Vec<(u8, u32)> {
    let rows = message.buckets.iter().flat_map(|bucket| &bucket.credentials);
    rows.map(|row| (row.fingerprint[0], row.state)).collect()
}

#[tokio::test]
async fn who_has_nothing_is_told_everything_and_then_that_this_was_all() {
    let shop = Shop::open().await;

    let told = all(&mut shop.follower(0, b"").await).await;

    assert!(told[0].is_reset && told[0].pepper.len() == 32 && told[0].store.len() == 16);
    assert!(told[1..].iter().all(|message| !message.is_reset && message.pepper.is_empty()));
    let (last, before) = told.split_last().expect("some");
    assert_eq!(last.epoch, 4);
    assert!(before.iter().all(|message| message.epoch == 0));
    assert_eq!(told.iter().flat_map(credentials).collect::<Vec<_>>(), [(1, 1), (200, 1)]);
    let applications: Vec<_> =
        told.iter().flat_map(|message| &message.buckets).flat_map(|bucket| &bucket.applications).collect();
    let [application] = applications.as_slice() else { panic!("{applications:?}") };
    assert_eq!((application.name.as_str(), application.is_live), ("shop/mobile", true));
    let uuid =
        [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    let subscription = Subscription {
        id: uuid.to_vec().into(),
        product: "weather/weather".to_owned(),
        plan: "weather/free".to_owned(),
        is_granted: true,
        begins_at: 0,
        ends_at: 0,
        holds: 4,
        anchor: 1_767_225_600,
    };
    assert_eq!(application.subscriptions, [subscription]);
}

#[tokio::test]
async fn who_says_how_far_they_are_is_told_the_difference() {
    let shop = Shop::open().await;
    let identity = message(&mut shop.follower(0, b"").await).await.store;
    shop.key(77, "Active").await;

    let told = all(&mut shop.follower(4, &identity).await).await;

    let [only] = told.as_slice() else { panic!("{told:?}") };
    assert!(!only.is_reset);
    assert_eq!((credentials(only), only.epoch), (vec![(77, 1)], 5));
    assert_eq!(all(&mut shop.follower(5, &identity).await).await[0].buckets, []);
    // Another store, or one that was put back from a copy: nothing of what the proxy has may stay.
    assert!(message(&mut shop.follower(4, b"another store   ").await).await.is_reset);
    assert!(message(&mut shop.follower(99, &identity).await).await.is_reset);
}

#[tokio::test]
async fn a_revocation_overtakes_what_waits_even_while_everything_is_told() {
    let shop = Shop::open().await;
    let mut follower = shop.follower(0, b"").await;
    message(&mut follower).await;
    shop.key(77, "Active").await;

    shop.key(200, "Revoked").await;

    let next = message(&mut follower).await;
    assert_eq!((credentials(&next), next.epoch), (vec![(200, 3)], 0));
    assert_eq!(credentials(&message(&mut follower).await), [(77, 1)]);
    let rest = all(&mut follower).await;
    assert_eq!(rest.last().map(|last| last.epoch), Some(6));
}

#[tokio::test]
async fn a_team_that_is_suspended_stops_its_applications() {
    let shop = Shop::open().await;
    shop.put(KindName::Team, "crew", json!({}), json!({ "state": "Active" })).await;
    let row = shop.row(KindName::Application, "web", json!({ "team": "crew" }), json!({ "state": "Active" }));
    shop.write(Row { parent: Some("crew".into()), ..row }).await;
    let mut follower = shop.follower(0, b"").await;
    all(&mut follower).await;

    shop.put(KindName::Team, "crew", json!({}), json!({ "state": "Suspended" })).await;

    let told = message(&mut follower).await;
    let applications: Vec<_> = told.buckets.iter().flat_map(|bucket| &bucket.applications).collect();
    assert_eq!(
        applications.iter().map(|it| (it.name.as_str(), it.is_live)).collect::<Vec<_>>(),
        [("shop/web", false)]
    );
}

#[tokio::test]
async fn a_credential_that_is_deleted_is_gone_from_its_bucket() {
    let shop = Shop::open().await;
    let mut follower = shop.follower(0, b"").await;
    all(&mut follower).await;

    let key = Key::new(KindName::Credential, "shop", "key-1");
    let gone = RowWrite::Delete { key, expect: Expect::Whatever };
    let rows = shop.store.customers().expect("rows");
    rows.write_rows(RowSet { writes: vec![gone], audit: Vec::new() }).await.expect("written");

    let told = message(&mut follower).await;
    assert_eq!(
        told.buckets.iter().map(|bucket| bucket.place).collect::<Vec<_>>(),
        [Place::of_fingerprint(&print(1)).number()]
    );
    assert_eq!(credentials(&told), []);
}
