//! A control plane and its proxies as two planes apart: a real store, a real stream over TLS, gateways that follow it.
//!
//! Both run in this process, each on threads of its own, so that a spec can look into either. What a killed control
//! plane leaves behind is its store; its connections are closed by the system like those of a process that died.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control::clock::Clock;
use control::quotas::Coordinator;
use control::store::keys::Keys;
use control::store::sqlite::Sqlite;
use control::store::{ChangeSet, Expect, Object, Store, Write};
use control::stream::{Hub, Peer, Tokens};
use control::view::Views;
use control::world::World;
use discovery::{Interest, TokenFile};
use model::{Resource, ResourceKey, yaml};
use proxy::{ControlAddress, Event, ProgressState};
use rustls_pki_types::CertificateDer;
use selvedge::gateway::{GatewayOptions, RunningGateway};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::address;
use crate::certificates::{Authority, Pair};
use crate::scene::Scene;
use crate::until::eventually_some;

/// What every proxy of a spec shows.
const TOKEN: &str = "a-token-of-a-spec";
/// When every object of a spec was made.
const CREATED: &str = "2026-01-01T00:00:00Z";

/// A control plane. Dropping it ends it.
pub struct Control {
    /// Where proxies connect.
    pub address: SocketAddr,
    /// What they show and know.
    pub token: TokenFile,
    store: Arc<dyn Store>,
    authority: Authority,
    running: Option<Running>,
    _directory: tempfile::TempDir,
}

struct Running {
    runtime: Runtime,
    world: Arc<World>,
    hub: Arc<Hub>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Control {
    /// A control plane that holds these documents.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(documents: &str) -> Control {
        let directory = tempfile::tempdir().expect("a directory for the store");
        let keys = Keys::open(&directory.path().join("keys")).expect("keys can be made");
        let opened = Sqlite::open(&directory.path().join("store"), keys).await.expect("a store can be made");
        let authority = Authority::new();
        let token = TokenFile::new(TOKEN, &authority.certificate);
        let address = address::free();
        let store = opened.store;
        let mut control = Control { address, token, store, authority, running: None, _directory: directory };
        control.revive().await;
        control.edit(documents).await;
        control
    }

    /// Ends it without a word: no stream is closed properly.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.runtime.shutdown_background();
        }
    }

    /// Starts it again at the same address, with what the store holds.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn revive(&mut self) {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name("control").enable_all().build();
        let runtime = runtime.expect("threads");
        let world = World::open(self.store.clone()).await.expect("the store can be read");
        let views = Views::new(world.clone());
        let peer = Peer { name: "spec".into(), may_serve: Interest::All };
        let quotas = Coordinator::new(world.clone(), Clock::system());
        let hub = Hub::new(views.clone(), Arc::new(Tokens::new().with(TOKEN, peer)), quotas);
        let listener = eventually_some("the address to be free", || async {
            TcpListener::bind(self.address).await.ok()?.into_std().ok()
        })
        .await;
        let tls = self.tls();
        let served = hub.clone();
        runtime.spawn(views.follow());
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener of tokio's");
            control::stream::serve(listener, tls, served).await;
        });
        self.running = Some(Running { runtime, world, hub });
    }

    fn tls(&self) -> Arc<rustls::ServerConfig> {
        let Pair { certificate, key, .. } = self.authority.pair(&[&self.address.ip().to_string()]);
        let chain: Vec<CertificateDer<'static>> = vec![certificate, self.authority.certificate.clone()];
        identity::pinned::server_config(chain, key).expect("a fresh certificate fits its key")
    }

    /// Makes these documents the whole of what the store holds; what is the same is not written. Returns the revision.
    ///
    /// # Panics
    /// When the control plane is killed, or a document has a mistake.
    pub async fn edit(&self, documents: &str) -> u64 {
        let read = yaml::read(documents, "spec.yaml");
        assert!(read.violations.is_empty(), "{}", read.violations);
        let world = self.running().world.clone();
        let before = world.now();
        let mut writes = Vec::new();
        for resource in &read.resources {
            let known = before.resources.get(&resource.key);
            if known.is_none_or(|known| !known.written.wants_the_same(&resource.written)) {
                writes.push(Write::Put { object: object(resource), expect: Expect::Whatever });
            }
        }
        let asked: HashSet<&ResourceKey> = read.resources.iter().map(|resource| &resource.key).collect();
        for known in before.resources.iter() {
            if !asked.contains(&known.key) {
                writes.push(Write::Delete { key: known.key.clone(), expect: Expect::Whatever });
            }
        }
        let set = ChangeSet { writes, ..ChangeSet::default() };
        world.commit(set).await.expect("the store takes it");
        let mut views = self.hub().views.revision();
        let revision = world.now().revision;
        views.wait_for(|known| *known >= revision).await.expect("the views follow the world");
        revision
    }

    /// Writes one object beside the others. Returns the revision, as soon as it is durable.
    ///
    /// # Panics
    /// When the control plane is killed, or the document has a mistake.
    pub async fn put(&self, document: serde_json::Value) -> u64 {
        let resource = yaml::read_value(document).expect("a sound document");
        let write = Write::Put { object: object(&resource), expect: Expect::Whatever };
        let set = ChangeSet { writes: vec![write], ..ChangeSet::default() };
        let changes = self.running().world.commit(set).await.expect("the store takes it");
        changes.last().map_or(0, control::store::Change::revision)
    }

    /// What its streams reach.
    ///
    /// # Panics
    /// When it is killed.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.running().hub
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the control plane is alive")
    }

    /// How a gateway finds it.
    ///
    /// # Panics
    /// Never: an address is a URL with `https://` before it.
    #[must_use]
    pub fn url(&self) -> ControlAddress {
        format!("https://{}", self.address).parse().expect("an address of a control plane")
    }

    /// Options of a gateway that follows it.
    #[must_use]
    pub fn gateway(&self, name: &str) -> GatewayOptions {
        GatewayOptions::new(name, self.url(), self.token.clone())
    }
}

/// An object as it is stored: with the time of its making, as the API gives it.
fn object(resource: &Resource) -> Object {
    let mut value = resource.written.value();
    value["metadata"]["creationTimestamp"] = CREATED.into();
    Object {
        key: resource.key.clone(),
        uid: format!("uid-{}", resource.key).into(),
        revision: 0,
        json: value.to_string().into(),
        source: None,
    }
}

/// A gateway that follows a control plane. Dropping it ends it.
pub struct Follower {
    /// The first listener of the scene it serves.
    pub entry: SocketAddr,
    /// Where ready and metrics are served.
    pub admin: SocketAddr,
    events: Arc<Mutex<Vec<Event>>>,
    running: Option<RunningGateway>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It must not be stopped from an asynchronous task; its drain is bounded, so nobody needs to wait for it.
        if let Some(running) = self.running.take() {
            std::thread::spawn(move || running.stop());
        }
    }
}

impl Follower {
    /// Starts a gateway.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(options: GatewayOptions, entry: SocketAddr) -> Follower {
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let told = events.clone();
        let starting = tokio::task::spawn_blocking(move || {
            let tell = move |event| told.lock().expect("no holder panics").push(event);
            RunningGateway::start(options, Arc::new(tell)).expect("the gateway starts")
        });
        let running = starting.await.expect("starting does not panic");
        let admin = running.admin().expect("an admin address was asked for");
        Follower { entry, admin, events, running: Some(running) }
    }

    /// Starts a gateway for a scene of a control plane, and waits until it serves.
    ///
    /// # Panics
    /// When it does not.
    pub async fn serving(control: &Control, scene: &Scene) -> Follower {
        let follower = Follower::start(control.gateway("edge-1"), scene.entry()).await;
        follower.reaches(1).await;
        follower
    }

    /// What happened so far.
    ///
    /// # Panics
    /// When a holder of the list panicked.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().expect("no holder panics").clone()
    }

    /// How far it is.
    ///
    /// # Panics
    /// When it was stopped.
    #[must_use]
    pub fn progress(&self) -> ProgressState {
        self.running.as_ref().expect("it runs").progress()
    }

    /// Waits until this epoch, or a later one, is in use.
    ///
    /// # Panics
    /// When it is not in time.
    pub async fn reaches(&self, epoch: u64) {
        crate::until::eventually(&format!("epoch {epoch} to be in use"), || self.progress().epoch >= epoch)
            .await;
    }

    /// Waits until it has lost its control plane.
    ///
    /// # Panics
    /// When it does not notice in time.
    pub async fn is_alone(&self) {
        let patience = Duration::from_secs(30);
        crate::until::eventually_within(patience, "the loss to be noticed", || !self.progress().connected)
            .await;
    }

    /// Ends it, and returns when it has ended.
    ///
    /// # Panics
    /// When ending it panics.
    pub async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            tokio::task::spawn_blocking(move || running.stop()).await.expect("stopping does not panic");
        }
    }
}

/// A directory for the cache of a gateway.
///
/// # Panics
/// When none can be made.
#[must_use]
pub fn cache() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory for a cache");
    let inner = directory.path().join("cache");
    (directory, inner)
}
