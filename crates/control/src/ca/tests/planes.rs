//! Several control planes on one store, by a clock that is moved: one makes and replaces roots, all sign, and a token
//! that is good once is good once for all of them together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use discovery::limits::COME_BACK;
use model::kinds::{KindName, TrustBundle};
use model::units::Moment;
use model::{Name, Namespace, ResourceKey};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::access::Token;
use crate::api::access::Rbac;
use crate::api::access::audit;
use crate::api::tls::Members as _;
use crate::ca::certify::{CertificateRequest, Certified};
use crate::ca::settings;
use crate::ca::state::{Stage, State};
use crate::ca::{Authorities, Certifier, Keep, Opened, Trust};
use crate::clock::Clock;
use crate::objects::status::Status;
use crate::proxies::Proxies;
use crate::reconcile::Reconcile as _;
use crate::store::keys::Keys;
use crate::store::sqlite::Sqlite;
use crate::store::{ChangeSet, Expect, Fence, Object, Store, StoreError, Write};
use crate::view::Views;
use crate::world::World;

/// A store, and a clock for all who use it.
struct Ground {
    store: Arc<dyn Store>,
    keys: Keys,
    seconds: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

impl Ground {
    async fn new() -> Ground {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(&folder.path().join("keys")).expect("keys");
        let opened = Sqlite::open(&folder.path().join("store.db"), keys.clone()).await.expect("a store");
        let seconds = Arc::new(AtomicU64::new(1_800_000_000));
        Ground { store: opened.store, keys, seconds, _folder: folder }
    }

    fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.seconds);
        Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::Relaxed)))
    }

    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    async fn plane(&self) -> Plane {
        let world = World::open(Arc::clone(&self.store)).await.expect("a world");
        let (clock, views) = (self.clock(), Views::new(Arc::clone(&world)));
        let authorities = Authorities::new(Arc::clone(&world), self.keys.clone());
        let (audit, writer) = audit::audit(Arc::clone(&self.store), clock.clone());
        tokio::spawn(writer.run());
        let users = Arc::new(Rbac::new(Arc::clone(&world), clock.clone()));
        let certifier = Certifier::new(Arc::clone(&authorities), users, clock.clone(), audit);
        let keep = Keep::new(
            Arc::clone(&authorities),
            Arc::<Proxies>::default(),
            Arc::clone(&views),
            clock,
            false,
            Arc::default(),
        );
        Plane { world, views, authorities, certifier, keep }
    }

    async fn fence(&self) -> Fence {
        self.store.lease("loops", "somebody", 600_000).await.expect("a store").expect("nobody else asks")
    }
}

/// One control plane.
struct Plane {
    world: Arc<World>,
    views: Arc<Views>,
    authorities: Arc<Authorities>,
    certifier: Certifier,
    keep: Keep,
}

impl Plane {
    async fn put(&self, kind: KindName, namespace: Option<&str>, name: &str, content: Value) {
        let mut object = json!({
            "apiVersion": kind.api_version(), "kind": kind.as_str(),
            "metadata": { "name": name, "namespace": namespace, "uid": format!("uid-{name}") },
        });
        if let (Value::Object(object), Value::Object(content)) = (&mut object, content) {
            object.extend(content);
        }
        let key = ResourceKey {
            group: kind.group().into(),
            kind: kind.as_str().into(),
            namespace: namespace.map(|name| name.parse::<Namespace>().expect("a namespace")),
            name: name.parse::<Name>().expect("a name"),
        };
        let object = Object {
            key,
            uid: format!("uid-{name}").into(),
            revision: 0,
            json: object.to_string().into(),
            source: None,
        };
        let writes = vec![Write::Put { object, expect: Expect::Whatever }];
        self.world.commit(ChangeSet { writes, ..ChangeSet::default() }).await.expect("written");
    }

    async fn mesh(&self, root_lifetime: &str) {
        let certificates = json!({ "lifetime": "1h", "rootLifetime": root_lifetime });
        let spec = json!({ "spec": { "trustDomain": "bank.example", "certificates": certificates } });
        self.put(KindName::Mesh, None, "default", spec).await;
    }

    /// A token for `shop/cart`, good once.
    async fn token(&self) -> Token {
        let token = Token::new().expect("random numbers");
        let spec = json!({ "serviceAccount": "cart", "uses": "Once", "digest": token.digest() });
        self.put(KindName::JoinToken, Some("shop"), "cart", json!({ "spec": spec })).await;
        token
    }

    /// Runs the loop until it has nothing to do.
    async fn sweep(&self, fence: &Fence) {
        for _ in 0..10 {
            self.world.catch_up().await.expect("a store");
            self.views.catch_up();
            if !self.keep.run(fence).await.expect("the leader may write").more {
                return;
            }
        }
        panic!("the loop finds no end");
    }

    fn opened(&self) -> Opened {
        let resources = self.world.now().resources;
        let settings = settings::usual(&resources).expect("a mesh");
        self.authorities.open(&resources, &settings).expect("it opens").expect("it is there")
    }

    async fn write(&self, state: &State) {
        let (secret, now) = (self.opened().secret, Moment(0));
        let writes = vec![state.write("default", Some(&secret), self.authorities.keys(), now)];
        self.world.commit(ChangeSet { writes, ..ChangeSet::default() }).await.expect("written");
    }

    fn bundle(&self) -> TrustBundle {
        let resources = self.world.now().resources;
        resources.find::<TrustBundle>("", "default").expect("a bundle").content.clone()
    }

    async fn ask(&self, token: &Token, workload: &str) -> Result<Certified, Status> {
        let key = KeyPair::generate().expect("a key");
        let request = CertificateRequest { csr: csr(&key), workload: workload.to_owned(), gateway: None };
        self.certifier.certify(Some(token.reveal()), None, &request).await
    }
}

fn csr(key: &KeyPair) -> String {
    let params = CertificateParams::new(Vec::new()).expect("params");
    params.serialize_request(key).expect("a request").pem().expect("PEM")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_control_planes_that_are_shown_a_token_at_once_one_is_too_late() {
    let ground = Ground::new().await;
    let (one, two) = (ground.plane().await, ground.plane().await);
    one.mesh("8760h").await;
    one.sweep(&ground.fence().await).await;
    let token = one.token().await;
    two.world.catch_up().await.expect("a store");

    let (first, second) = tokio::join!(one.ask(&token, "shop/cart-1"), two.ask(&token, "shop/cart-2"));

    let refused = match (first, second) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        (Ok(_), Ok(_)) => panic!("both were given a certificate"),
        (Err(one), Err(two)) => panic!("nobody was: {} {}", one.message(), two.message()),
    };
    assert_eq!(refused.code(), 401);
    assert!(refused.message().contains("has been used by"), "{}", refused.message());
}

#[tokio::test]
async fn a_sender_whose_answer_was_lost_is_answered_again_by_any_control_plane() {
    let ground = Ground::new().await;
    let (one, two) = (ground.plane().await, ground.plane().await);
    one.mesh("8760h").await;
    one.sweep(&ground.fence().await).await;
    let token = one.token().await;
    two.world.catch_up().await.expect("a store");
    let csr = csr(&KeyPair::generate().expect("a key"));
    let request = CertificateRequest { csr, workload: "shop/cart-1".to_owned(), gateway: None };

    // The second has not read yet that the token was used: its own write is what tells it.
    one.certifier.certify(Some(token.reveal()), None, &request).await.expect("it is good");
    two.certifier.certify(Some(token.reveal()), None, &request).await.expect("it is the same key");

    assert_eq!(two.ask(&token, "shop/cart-1").await.expect_err("another key").code(), 401);
}

#[tokio::test]
async fn a_root_that_grows_old_is_replaced_by_itself_and_every_control_plane_signs_with_the_new_one() {
    let ground = Ground::new().await;
    let (leader, other) = (ground.plane().await, ground.plane().await);
    let fence = ground.fence().await;
    leader.mesh("30h").await;
    leader.sweep(&fence).await;
    let old = leader.opened().state.signing.clone();

    ground.pass(19 * 3_600);
    leader.sweep(&fence).await;
    assert_eq!(leader.opened().state.roots.len(), 1, "a third of its life is left");

    ground.pass(2 * 3_600);
    leader.sweep(&fence).await;
    let spreading = leader.opened().state;
    assert_eq!((spreading.roots.len(), &spreading.signing), (2, &old), "proxies learn of the new root first");
    assert_eq!(leader.bundle().spec.roots.len(), 2);
    ground.pass(60);
    leader.sweep(&fence).await;
    ground.pass(60);
    leader.sweep(&fence).await;

    other.world.catch_up().await.expect("a store");
    let state = other.opened().state;
    assert_eq!((state.roots.len(), &state.rotation), (1, &None));
    assert_ne!(state.signing, old);
    let token = other.token().await;
    let given = other.ask(&token, "shop/cart-1").await.expect("it is good");
    assert_eq!(given.bundle, state.roots[0].anchor);
}

#[tokio::test]
async fn a_control_plane_that_is_restarted_during_a_rotation_gives_everybody_time_to_come_back() {
    let ground = Ground::new().await;
    let before = ground.plane().await;
    let fence = ground.fence().await;
    before.mesh("30h").await;
    before.sweep(&fence).await;
    ground.pass(21 * 3_600);
    before.sweep(&fence).await;
    assert_eq!(before.opened().state.rotation.as_ref().expect("a rotation").stage, Stage::Spreading);
    drop(before);

    ground.pass(60);
    for ends in [Some(Stage::Moving), None] {
        // Each stage sees a restart of its own: nobody has reported to this process.
        let after = ground.plane().await;
        let stage = |plane: &Plane| plane.opened().state.rotation.as_ref().map(|rotation| rotation.stage);
        let stood = stage(&after);
        after.sweep(&fence).await;
        ground.pass(COME_BACK.as_secs() - 1);
        after.sweep(&fence).await;
        assert_eq!(stage(&after), stood, "a proxy may be about to come back");
        ground.pass(1);
        after.sweep(&fence).await;
        assert_eq!(stage(&after), ends);
    }
}

#[tokio::test]
async fn a_member_that_was_away_during_a_rotation_renews_with_its_old_certificate_until_that_root_is_distrusted()
 {
    let ground = Ground::new().await;
    let plane = ground.plane().await;
    let fence = ground.fence().await;
    plane.mesh("30h").await;
    plane.sweep(&fence).await;
    ground.pass(21 * 3_600);
    let token = plane.token().await;
    let old = plane.ask(&token, "shop/cart-1").await.expect("it is good");
    for _ in 0..4 {
        plane.sweep(&fence).await;
        ground.pass(60);
    }
    let state = plane.opened().state;
    assert_eq!((state.rotation.clone(), state.retired.len()), (None, 1), "the rotation is over");
    assert_ne!(old.bundle, state.roots[0].anchor);

    let chain: Vec<_> = CertificateDer::pem_slice_iter(old.certificate.as_bytes()).flatten().collect();
    let trust = Trust::new(Arc::clone(&plane.world));
    let member = trust.member(&chain, ground.clock().now()).expect("its certificate has not ended");
    let request = || CertificateRequest {
        csr: csr(&KeyPair::generate().expect("a key")),
        workload: "shop/cart-1".to_owned(),
        gateway: None,
    };
    let new = plane.certifier.certify(None, Some(&member), &request()).await.expect("renewed");
    assert_eq!(new.bundle, state.roots[0].anchor);

    let mut distrusting = (*state).clone();
    distrusting.distrust(&state.retired[0].id, None).expect("it has retired");
    plane.write(&distrusting).await;
    plane.sweep(&fence).await;
    trust.member(&chain, ground.clock().now()).expect_err("others may have the key of that root");
}

#[tokio::test]
async fn who_does_not_lead_makes_no_root() {
    let ground = Ground::new().await;
    let plane = ground.plane().await;
    plane.mesh("8760h").await;
    let stale = Fence { token: 99, ..ground.fence().await };

    let refused = plane.keep.run(&stale).await.expect_err("it does not lead");

    assert!(matches!(refused, StoreError::Fenced { .. }), "{refused}");
    let token = plane.token().await;
    let refused = plane.ask(&token, "shop/cart-1").await.expect_err("there is no root");
    assert_eq!((refused.code(), refused.retry_after_seconds()), (503, Some(1)));
}

#[tokio::test]
async fn authorities_that_do_not_open_are_told_and_not_replaced() {
    let ground = Ground::new().await;
    let plane = ground.plane().await;
    let fence = ground.fence().await;
    plane.mesh("8760h").await;
    plane.sweep(&fence).await;
    let bundle = plane.bundle();
    let damage = json!({ "type": "mesh.selvedge.dev/authority", "data": { "sealed": "c2VhbGVkOjE6eDp4" } });
    plane.put(KindName::Secret, Some("selvedge-system"), "mesh-authority-default", damage).await;

    plane.sweep(&fence).await;

    let resources = plane.world.now().resources;
    let shown = resources.find::<TrustBundle>("", "default").expect("a bundle").resource.written.value();
    let told = shown["status"]["conditions"][0].clone();
    assert_eq!(told["status"], "False");
    assert!(told["message"].as_str().expect("words").contains("cannot be opened"), "{told}");
    assert_eq!(plane.bundle(), bundle, "who was trusted is trusted");
}

#[tokio::test]
async fn without_a_mesh_there_is_no_trust_and_a_mesh_that_comes_back_has_its_roots() {
    let ground = Ground::new().await;
    let plane = ground.plane().await;
    let fence = ground.fence().await;
    plane.mesh("8760h").await;
    plane.sweep(&fence).await;
    let before = plane.bundle();
    let resources = plane.world.now().resources;
    let mesh = resources.of(KindName::Mesh).next().expect("a mesh").key.clone();

    let gone = vec![Write::Delete { key: mesh, expect: Expect::Whatever }];
    plane.world.commit(ChangeSet { writes: gone, ..ChangeSet::default() }).await.expect("written");
    plane.sweep(&fence).await;
    assert_eq!(plane.world.now().resources.of(KindName::TrustBundle).count(), 0);

    plane.mesh("8760h").await;
    plane.sweep(&fence).await;
    assert_eq!(plane.bundle(), before);
}
