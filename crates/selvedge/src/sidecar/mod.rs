//! What stands around the proxy of one workload: its application, its names, its health, its identity.
//!
//! The proxy is the one that gateways run, followed by the same stream and cache. Around it one thread keeps names for
//! the application (environment, files, a resolver), asks whether it can serve, makes it known, and tells it who it is.
//! [`lifecycle`] decides what happens when: that nothing calls an application that has no proxy yet or none any more.

pub mod application;
mod around;
pub mod dns;
pub mod environment;
pub mod event;
pub mod files;
pub mod health;
mod identity;
pub mod lifecycle;
pub mod names;
mod options;
mod registration;
pub mod signals;
pub mod workload;
pub mod workload_api;

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ::identity::Member;
use discovery::Interest;
use engine::config::{Port, Security};
use proxy::{
    DeletedPorts, Keeper, KeeperOptions, OnStream, Proxy, SubscribeOptions, Subscription, TellIdentity,
};

pub use event::Event;
pub use options::{SidecarOptions, WORKLOAD_API};

use around::Around;
use names::{Names, Saying};
use options::{CACHE, IDENTITY, USAGE};

/// Told of everything that happens, from several threads.
pub type Tell = Arc<dyn Fn(Event) + Send + Sync>;

/// How often it is looked whether there is a configuration, where nothing tells.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why nothing runs: what was tried, and what the machine said.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error("cannot keep anything in `{0}`: {1}")]
    Data(PathBuf, io::Error),
    /// Threads, the log or the admin address.
    #[error("cannot start: {0}")]
    Proxy(io::Error),
    /// The cache, or a thread.
    #[error("cannot follow the control plane: {0}")]
    Subscription(io::Error),
    /// Key and certificate.
    #[error("cannot keep an identity: {0}")]
    Identity(io::Error),
    /// The resolver's address.
    #[error("cannot answer questions for names on {0}: {1}")]
    Dns(SocketAddr, io::Error),
    /// The socket of the Workload API.
    #[error("cannot open the Workload API at `{0}`: {1}")]
    WorkloadApi(PathBuf, io::Error),
}

/// A running sidecar.
///
/// Neither starting nor stopping may be done from an asynchronous task; use `spawn_blocking` there.
pub struct RunningSidecar {
    proxy: Arc<Proxy>,
    subscription: Mutex<Option<Subscription>>,
    around: Around,
    member: Arc<Member>,
    saying: Saying,
}

/// What is told to others of what happens in the proxy.
#[derive(Clone)]
struct Told {
    proxy: Weak<Proxy>,
    saying: Saying,
    tell: Tell,
}

impl Told {
    fn of_proxy(&self) -> proxy::Tell {
        let told = self.clone();
        Arc::new(move |event| {
            if let proxy::Event::Applied { .. } = event {
                told.say();
            }
            (told.tell)(Event::Proxy(event));
        })
    }

    fn of_identity(&self) -> TellIdentity {
        let told = self.clone();
        Arc::new(move |event| {
            // The trust domain, in which every name ends, is known from here on.
            told.say();
            (told.tell)(Event::Identity(event));
        })
    }

    fn say(&self) {
        if let Some(config) = self.proxy.upgrade().and_then(|proxy| proxy.config()) {
            self.saying.say(&config);
        }
    }
}

impl RunningSidecar {
    /// Starts. When it returns, what the cache held is served.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(options: SidecarOptions, tell: Tell) -> Result<RunningSidecar, StartError> {
        folder(&options.data).map_err(|error| StartError::Data(options.data.clone(), error))?;
        let member = Member::new();
        let saying = Saying::of(&options.workload.name.namespace, &member);
        // First what can clash with others, so that nothing is served by a sidecar that ends at once.
        let around = Around::start(&options, &member, saying.names(), tell.clone())?;
        let proxy = Proxy::start(proxy::Options {
            workers: options.workers,
            admin: options.admin,
            access_log: options.access_log.clone(),
            drain: options.drain,
            member: Some(member.clone()),
            locality: options.workload.locality.clone(),
            usage: Some(options.data.join(USAGE)),
            // A policy that changed may take a Service from us, and closes nothing.
            deleted_ports: DeletedPorts::LetEnd,
        });
        let proxy = Arc::new(proxy.map_err(StartError::Proxy)?);
        let told = Told { proxy: Arc::downgrade(&proxy), saying: saying.clone(), tell };
        let keeper = keeper(&options, &member, &told).map_err(StartError::Identity)?;
        let subscription = Subscription::start(&proxy, subscribe(&options, keeper), told.of_proxy())
            .map_err(StartError::Subscription)?;
        around.reports_health(subscription.progress());
        let subscription = Mutex::new(Some(subscription));
        Ok(RunningSidecar { proxy, subscription, around, member, saying })
    }

    /// Lets our own user and root watch at a socket.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn tap_at(&self, path: &Path) -> io::Result<()> {
        self.proxy.tap_at(path)
    }

    /// Where readiness, metrics and the configuration are shown.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.proxy.admin_address()
    }

    /// Where names are resolved.
    #[must_use]
    pub fn dns(&self) -> Option<SocketAddr> {
        self.around.dns
    }

    /// What can be reached now.
    #[must_use]
    pub fn names(&self) -> Arc<Names> {
        self.saying.names().borrow().clone()
    }

    /// Whether there is a configuration. Of a workload that the control plane has not heard of yet it knows nothing,
    /// and what it says then is none: such a one has no door by which the mesh comes in.
    #[must_use]
    pub fn has_config(&self) -> bool {
        self.proxy.config().is_some_and(|config| config.ports.iter().any(|port| is_inbound(port)))
    }

    /// Whether it is known who we are.
    #[must_use]
    pub fn has_identity(&self) -> bool {
        self.member.standing().svid.is_some()
    }

    /// Waits until there is a configuration and an identity, and what can be reached is said.
    pub async fn is_set(&self) {
        while !self.has_config() || !self.has_identity() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        // Whoever tells of a configuration does so after it is in use, and may not have come to it yet.
        if let Some(config) = self.proxy.config() {
            self.saying.say(&config);
        }
    }

    /// Lets nobody come in any more: not ready, not announced, and what is under way may end within the drain time.
    /// What goes out goes on, by the configuration that is in use now.
    pub fn drain_inbound(&self) {
        self.proxy.goes_away();
        self.unfollow();
        self.around.withdraw();
        self.proxy.retire(is_inbound);
    }

    /// Ends: what is under way may end within the drain time.
    pub fn stop(self) {
        self.proxy.goes_away();
        self.unfollow();
        self.around.withdraw();
        let RunningSidecar { proxy, around, .. } = self;
        if let Some(proxy) = Arc::into_inner(proxy) {
            proxy.drain();
        }
        around.stop();
    }

    /// A control plane that hears that we go away would take from us what the application still calls.
    fn unfollow(&self) {
        let subscription = self.subscription.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(subscription) = subscription {
            subscription.stop();
        }
    }
}

/// What a sidecar serves: its own workload and nothing else.
fn interest(name: &workload::WorkloadName) -> Interest {
    Interest::Workload(name.to_string().into())
}

fn is_inbound(port: &Port) -> bool {
    match port.security {
        Security::Mesh(_) => true,
        Security::Plain | Security::Tls(_) => false,
    }
}

fn keeper(options: &SidecarOptions, member: &Arc<Member>, told: &Told) -> io::Result<Arc<Keeper>> {
    let keeper = KeeperOptions {
        controls: options.controls.clone(),
        token: options.token.clone(),
        workload: options.workload.name.to_string(),
        gateway: None,
        folder: Some(options.data.join(IDENTITY)),
    };
    Keeper::start(keeper, Arc::clone(member), told.of_identity()).map(Arc::new)
}

fn subscribe(options: &SidecarOptions, keeper: Arc<Keeper>) -> SubscribeOptions {
    SubscribeOptions {
        name: options.workload.name.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        controls: options.controls.clone(),
        token: options.token.clone(),
        serve: interest(&options.workload.name),
        cache: Some(options.data.join(CACHE)),
        bind: options.bind(),
        services: options.services,
        keeper: Some(keeper),
        shows: OnStream::Certificate,
    }
}

/// Makes the data folder, which keys are in: its owner's alone.
fn folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
