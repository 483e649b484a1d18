//! A server for one test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use control::api::access::authenticate::FirstOf;
use control::api::access::{Rbac, User};
use control::api::home::Home;
use control::api::{self, Api, Authenticator, Authorizer, Limits, Options};
use control::catalogue::Door as Catalogue;
use control::clock::Clock;
use control::proxies::Proxies;
use control::store::keys::Keys;
use control::store::sqlite::Sqlite;
use control::told::Told;
use control::usage::Door as Usage;
use control::view::Views;
use control::world::World;
use tempfile::TempDir;

use crate::client::Client;

/// A server with its folder.
pub struct Server {
    pub world: Arc<World>,
    pub home: Home,
    pub clock: Clock,
    pub proxies: Arc<Proxies>,
    pub views: Arc<Views>,
    api: Api,
    folder: TempDir,
    token: String,
    passed: Arc<AtomicU64>,
}

impl Server {
    /// A server with the usual bounds.
    pub async fn start() -> Server {
        Server::with(Limits::default()).await
    }

    /// A server with these bounds.
    pub async fn with(limits: Limits) -> Server {
        Server::in_folder(tempfile::tempdir().expect("a folder"), limits).await
    }

    async fn in_folder(folder: TempDir, limits: Limits) -> Server {
        let world = World::open(store(&folder).await).await.expect("a world");
        let passed = Arc::<AtomicU64>::default();
        let (system, more) = (Clock::system(), Arc::clone(&passed));
        let clock = Clock::new(move || system.now() + Duration::from_secs(more.load(Ordering::Relaxed)));
        let home = Home::open(folder.path(), clock.now()).expect("files");
        let (proxies, views) = (Arc::new(Proxies::default()), Views::new(Arc::clone(&world)));
        let told = Told {
            world: Arc::clone(&world),
            views: Arc::clone(&views),
            proxies: Arc::clone(&proxies),
            leading: tokio::sync::watch::channel(true).1,
            clock: clock.clone(),
        };
        let judge = Rbac::new(Arc::clone(&world), clock.clone());
        let users: Arc<dyn Authenticator> =
            Arc::new(FirstOf(vec![home.authenticator(), Arc::new(judge.clone())]));
        let authorizer: Arc<dyn Authorizer> = Arc::new(judge);
        let usage = Usage::new(&world, &proxies, &users, &authorizer, &clock);
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            names: Vec::new(),
            authority: Arc::clone(&home.authority),
            authenticator: users,
            authorizer,
            limits,
            clock: clock.clone(),
            beside: vec![Arc::new(Catalogue::new(&world)), Arc::new(usage)],
            told: Some(told),
            members: None,
        };
        let api = api::serve(Arc::clone(&world), options).await.expect("a server");
        let admin = User::new("admin", ["system:masters"]);
        let token = home.tokens.issue(&admin).expect("a token");
        Server { world, home, clock, proxies, views, api, folder, token, passed }
    }

    /// Lets time pass for everybody in here.
    pub fn pass(&self, time: Duration) {
        self.passed.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    /// The same objects, served anew.
    pub async fn restart(self) -> Server {
        let Server { api, folder, world, views, .. } = self;
        api.stop().await;
        drop((world, views));
        Server::in_folder(folder, Limits::default()).await
    }

    /// A client who may do everything.
    pub fn admin(&self) -> Client {
        self.client().bearing(&self.token)
    }

    /// A client with a token of this user.
    pub fn user(&self, name: &str, groups: &[&str]) -> Client {
        let user = User::new(name, groups.iter().copied());
        self.client().bearing(&self.home.tokens.issue(&user).expect("a token"))
    }

    /// A client without credentials.
    pub fn client(&self) -> Client {
        Client::new(self.api.address(), self.home.authority.certificate().clone())
    }

    /// Ends the server in the orderly way.
    pub async fn stop(self) {
        self.api.stop().await;
    }
}

/// The store of a folder. One that was just let go closes its file a moment later.
async fn store(folder: &TempDir) -> Arc<Sqlite> {
    let path = folder.path().join("store.db");
    let opening = async {
        loop {
            let keys = Keys::open(&folder.path().join("keys")).expect("keys");
            match Sqlite::open(&path, keys).await {
                Ok(opened) => return opened.store,
                Err(fault) if fault.to_string().contains("another process") => tokio::task::yield_now().await,
                Err(fault) => panic!("{fault}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), opening).await.expect("the file is closed in time")
}
