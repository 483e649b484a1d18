//! Leases of Workloads by a time that is moved, on a real store, with one control plane and with two.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use discovery::reports::Report;
use model::ResourceKey;
use model::kinds::{KindName, Workload};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{EXPIRY, Expiry, LEASE, RENEW_ALONE, RENEW_SHARED, Witness};
use crate::clock::Clock;
use crate::proxies::Proxies;
use crate::store::keys::Keys;
use crate::store::sqlite::Sqlite;
use crate::store::{ChangeSet, Expect, Fence, Object, Store, Write};
use crate::world::World;

const CART: &str = "spiffe://bank.example/ns/shop/sa/cart";
const BEGAN: u64 = 1_800_000_000;

/// A store, and a time for all who use it.
struct Ground {
    store: Arc<dyn Store>,
    began: Instant,
    passed: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Ground {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(&folder.path().join("keys")).expect("keys");
        let store = Sqlite::open(&folder.path().join("store.db"), keys).await.expect("a store").store;
        Ground { store, began: Instant::now(), passed: Arc::default(), _folder: folder }
    }

    fn pass(&self, time: Duration) {
        self.passed.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_secs(self.passed.load(Ordering::Relaxed))
    }

    async fn plane(&self, is_shared: bool) -> Plane {
        let world = World::open(Arc::clone(&self.store)).await.expect("a world");
        let passed = Arc::clone(&self.passed);
        let since = move || Duration::from_secs(BEGAN + passed.load(Ordering::Relaxed));
        let clock = Clock::new(move || SystemTime::UNIX_EPOCH + since());
        let proxies = Arc::<Proxies>::default();
        let witness = Witness::new(&world, &clock, &proxies, is_shared);
        let expiry = Expiry::new(&world, &clock, &proxies);
        Plane { world, proxies, witness, expiry }
    }

    async fn fence(&self) -> Fence {
        self.store.lease("loops", "somebody", 600_000).await.expect("a store").expect("nobody else asks")
    }
}

/// One control plane.
struct Plane {
    world: Arc<World>,
    proxies: Arc<Proxies>,
    witness: Witness,
    expiry: Expiry,
}

impl Plane {
    async fn put(&self, name: &str, is_registered: bool, has_sidecar: bool) {
        let labels =
            if is_registered { json!({ "mesh.selvedge.dev/registered-by": "sidecar" }) } else { json!({}) };
        let mut object = json!({
            "apiVersion": KindName::Workload.api_version(), "kind": "Workload",
            "metadata": { "namespace": "shop", "name": name, "uid": name, "labels": labels, "generation": 1 },
            "spec": { "address": "10.0.0.7", "serviceAccount": "cart" },
        });
        if has_sidecar {
            object["spec"]["sidecar"] = json!({ "port": 15443 });
        }
        let json = object.to_string().into();
        let object = Object { key: key(name), uid: name.into(), revision: 0, json, source: None };
        let writes = vec![Write::Put { object, expect: Expect::Whatever }];
        self.world.commit(ChangeSet { writes, ..ChangeSet::default() }).await.expect("written");
    }

    /// A proxy reports that the application beside it is so.
    fn hears(&self, ground: &Ground, peer: &str, ready: bool) {
        let report = Report {
            proxy: format!("proxy of {peer}"),
            epoch: 1,
            serves: vec!["Workload/shop/cart-1".to_owned()],
            application_ready: Some(ready),
            ..Report::default()
        };
        self.proxies.report(&peer.into(), report, ground.now()).expect("taken");
    }

    /// Runs what every control plane runs; tells how much was written.
    async fn witness(&self, ground: &Ground) -> usize {
        self.world.catch_up().await.expect("a store");
        self.witness.sweep(ground.now()).await.expect("a store").writes
    }

    /// Runs what the leader runs; tells how much was written.
    async fn expire(&self, ground: &Ground, fence: &Fence) -> usize {
        self.world.catch_up().await.expect("a store");
        self.expiry.sweep(fence, ground.now()).await.expect("the leader may write").writes
    }

    async fn status(&self, name: &str) -> Option<Value> {
        self.world.catch_up().await.expect("a store");
        let now = self.world.now();
        Some(now.resources.get(&key(name))?.written.value()["status"].clone())
    }

    /// Status and reason of the condition.
    async fn ready(&self) -> (String, String) {
        let status = self.status("cart-1").await.expect("it is there");
        let ready = &status["conditions"][0];
        assert_eq!(ready["type"], "Ready");
        let text = |field: &str| ready[field].as_str().expect("text").to_owned();
        (text("status"), text("reason"))
    }
}

fn key(name: &str) -> ResourceKey {
    ResourceKey {
        group: KindName::Workload.group().into(),
        kind: "Workload".into(),
        namespace: Some("shop".parse().expect("a namespace")),
        name: name.parse().expect("a name"),
    }
}

fn is(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn a_workload_is_ready_when_its_application_is_and_not_ready_when_it_is_not() {
    let ground = Ground::new().await;
    let plane = ground.plane(false).await;
    plane.put("cart-1", true, true).await;

    plane.hears(&ground, CART, false);
    assert_eq!(plane.witness(&ground).await, 1);
    assert_eq!(plane.ready().await, is("False", "ApplicationNotReady"));
    plane.hears(&ground, CART, true);
    assert_eq!(plane.witness(&ground).await, 1);
    assert_eq!(plane.ready().await, is("True", "ApplicationReady"));

    let now = plane.world.now();
    let workload = now.resources.find::<Workload>("shop", "cart-1").expect("it is there");
    assert!(workload.content.is_ready(true), "the engine reads it so");
}

#[tokio::test]
async fn a_sidecar_that_says_the_same_costs_no_write_until_it_is_time_to_say_when_it_was_seen() {
    for (is_shared, renew) in [(false, RENEW_ALONE), (true, RENEW_SHARED)] {
        let ground = Ground::new().await;
        let plane = ground.plane(is_shared).await;
        plane.put("cart-1", true, true).await;
        plane.hears(&ground, CART, true);
        assert_eq!(plane.witness(&ground).await, 1);
        let first = plane.status("cart-1").await.expect("it is there");

        ground.pass(renew - Duration::from_secs(1));
        plane.hears(&ground, CART, true);
        assert_eq!(plane.witness(&ground).await, 0);
        ground.pass(Duration::from_secs(1));
        plane.hears(&ground, CART, true);
        assert_eq!(plane.witness(&ground).await, 1);

        let second = plane.status("cart-1").await.expect("it is there");
        assert_ne!(second["lastSeen"], first["lastSeen"]);
        assert_eq!(second["conditions"], first["conditions"], "the condition keeps its moment");
    }
}

#[tokio::test]
async fn who_is_silent_for_longer_than_the_lease_is_not_ready_and_goes_when_it_stays_away() {
    let ground = Ground::new().await;
    let (plane, fence) = (ground.plane(false).await, ground.fence().await);
    plane.put("cart-1", true, true).await;
    plane.hears(&ground, CART, true);
    plane.witness(&ground).await;
    plane.expire(&ground, &fence).await;

    ground.pass(LEASE - Duration::from_secs(1));
    assert_eq!(plane.expire(&ground, &fence).await, 0);
    ground.pass(Duration::from_secs(1));
    assert_eq!(plane.expire(&ground, &fence).await, 1);
    assert_eq!(plane.ready().await, is("False", "SidecarSilent"));
    assert_eq!(plane.expire(&ground, &fence).await, 0, "it is said once");

    ground.pass(EXPIRY - LEASE - Duration::from_secs(1));
    assert_eq!(plane.expire(&ground, &fence).await, 0);
    ground.pass(Duration::from_secs(1));
    assert_eq!(plane.expire(&ground, &fence).await, 1);
    assert_eq!(plane.status("cart-1").await, None);
}

#[tokio::test]
async fn who_comes_back_is_ready_again() {
    let ground = Ground::new().await;
    let (plane, fence) = (ground.plane(false).await, ground.fence().await);
    plane.put("cart-1", true, true).await;
    plane.hears(&ground, CART, true);
    plane.witness(&ground).await;
    plane.expire(&ground, &fence).await;
    ground.pass(LEASE);
    plane.expire(&ground, &fence).await;
    assert_eq!(plane.ready().await, is("False", "SidecarSilent"));

    plane.hears(&ground, CART, true);
    plane.witness(&ground).await;

    assert_eq!(plane.ready().await, is("True", "ApplicationReady"));
    assert_eq!(plane.expire(&ground, &fence).await, 0);
}

#[tokio::test]
async fn who_registered_and_was_never_heard_goes_too() {
    let ground = Ground::new().await;
    let (plane, fence) = (ground.plane(false).await, ground.fence().await);
    plane.put("cart-1", true, true).await;
    assert_eq!(plane.expire(&ground, &fence).await, 0);

    ground.pass(EXPIRY);
    assert_eq!(plane.expire(&ground, &fence).await, 1);

    assert_eq!(plane.status("cart-1").await, None);
}

#[tokio::test]
async fn what_was_written_by_hand_is_never_deleted_and_without_a_sidecar_nothing_is_said_about_it() {
    let ground = Ground::new().await;
    let (plane, fence) = (ground.plane(false).await, ground.fence().await);
    plane.put("cart-1", false, true).await;
    plane.put("cart-2", false, true).await;
    plane.put("cart-3", false, false).await;
    plane.hears(&ground, CART, true);
    plane.witness(&ground).await;

    for _ in 0..3 {
        ground.pass(EXPIRY);
        plane.expire(&ground, &fence).await;
    }

    assert_eq!(plane.ready().await, is("False", "SidecarSilent"), "its sidecar had vouched for it");
    assert_eq!(plane.status("cart-2").await, Some(Value::Null), "nobody ever vouched for it");
    assert_eq!(plane.status("cart-3").await, Some(Value::Null));
}

#[tokio::test]
async fn who_is_heard_at_another_control_plane_is_not_taken_for_silent_by_the_leader() {
    let ground = Ground::new().await;
    let (leader, other, fence) = (ground.plane(true).await, ground.plane(true).await, ground.fence().await);
    other.put("cart-1", true, true).await;

    for _ in 0..100 {
        other.hears(&ground, CART, true);
        other.witness(&ground).await;
        leader.witness(&ground).await;
        assert_eq!(leader.expire(&ground, &fence).await, 0);
        ground.pass(RENEW_SHARED);
    }
    assert_eq!(leader.ready().await, is("True", "ApplicationReady"));

    ground.pass(LEASE);
    leader.expire(&ground, &fence).await;
    assert_eq!(leader.ready().await, is("False", "SidecarSilent"));
}

#[tokio::test]
async fn who_hears_a_sidecar_no_more_does_not_speak_against_who_does() {
    let ground = Ground::new().await;
    let (left, joined) = (ground.plane(true).await, ground.plane(true).await);
    left.put("cart-1", true, true).await;
    left.hears(&ground, CART, false);
    left.witness(&ground).await;

    ground.pass(Duration::from_secs(5));
    joined.hears(&ground, CART, true);
    joined.witness(&ground).await;

    assert_eq!(left.witness(&ground).await, 0);
    assert_eq!(left.ready().await, is("True", "ApplicationReady"));
}

#[tokio::test]
async fn a_new_leader_gives_everybody_the_time_of_a_lease_to_come_back() {
    let ground = Ground::new().await;
    let plane = ground.plane(false).await;
    plane.put("cart-1", true, true).await;
    plane.hears(&ground, CART, true);
    plane.witness(&ground).await;

    ground.pass(EXPIRY * 2);
    let (again, fence) = (ground.plane(false).await, ground.fence().await);
    assert_eq!(again.expire(&ground, &fence).await, 0);
    assert_eq!(again.ready().await, is("True", "ApplicationReady"));
    ground.pass(LEASE);
    assert_eq!(again.expire(&ground, &fence).await, 1);

    assert_eq!(again.ready().await, is("False", "SidecarSilent"));
}

#[tokio::test]
async fn nobody_vouches_for_a_workload_of_another_service_account() {
    let ground = Ground::new().await;
    let (plane, fence) = (ground.plane(false).await, ground.fence().await);
    plane.put("cart-1", true, true).await;
    plane.expire(&ground, &fence).await;

    for _ in 0..4 {
        plane.hears(&ground, "spiffe://bank.example/ns/shop/sa/vault", true);
        assert_eq!(plane.witness(&ground).await, 0);
        ground.pass(LEASE / 3);
    }
    plane.expire(&ground, &fence).await;

    assert_eq!(plane.ready().await, is("False", "SidecarSilent"));
}

#[tokio::test]
async fn of_two_proxies_beside_a_workload_the_one_that_was_heard_last_is_right() {
    let ground = Ground::new().await;
    let plane = ground.plane(false).await;
    plane.put("cart-1", true, true).await;
    plane.hears(&ground, "token of its last start", false);
    ground.pass(Duration::from_secs(3));
    plane.hears(&ground, CART, true);

    for _ in 0..2 {
        plane.witness(&ground).await;
        assert_eq!(plane.ready().await, is("True", "ApplicationReady"));
    }
}
