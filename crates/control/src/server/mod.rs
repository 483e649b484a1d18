//! A control plane that runs: everything in this crate, joined and started.
//!
//! What one part tells another goes through the world and through signals, so the order in which they are started here
//! is the only order there is. `selvedge control` and `selvedge up` add a terminal.

mod doors;
mod judge;
mod open;
mod proofs;
mod proxies_door;

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

pub use judge::Judged;
pub use open::OpenError;

use crate::api::access::authenticate::FirstOf;
use crate::api::access::{Rbac, audit};
use crate::api::beside::Door;
use crate::api::home::{Home, HomeError};
use crate::api::{self, Api, Authenticator, Authorizer, Beside};
use crate::ca::{self, Authorities, Keep};
use crate::clock::Clock;
use crate::plane::{ControlPlane, Options};
use crate::proxies::Proxies;
use crate::quotas::Coordinator;
use crate::reconcile::customer_times::{self, CustomerTimes};
use crate::reconcile::ended_products::EndedProducts;
use crate::reconcile::usage_ages::UsageAges;
use crate::reconcile::workloads::{self, Expiry, Witness};
use crate::reconcile::{self, Loops, Reconcile};
use crate::shares;
use crate::store::Fence;
use crate::stream::Hub;
use crate::told::Told;
use crate::view::Views;
use crate::world::World;
use proxies_door::Members;

/// What to run.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The folder with the store, the authority, the tokens and the keys.
    pub data: PathBuf,
    /// A database instead of the store in the folder: `postgres://user@host/database`.
    pub database: Option<String>,
    /// Where the API, the proxies' streams and the pages are served. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether any other port will do where somebody else has this one.
    pub may_move: bool,
    /// Names and addresses by which clients reach it, besides those of this machine.
    pub names: Vec<String>,
    /// Where Gateways listen that name no address, for the addresses in their status.
    pub bind: IpAddr,
    /// Whether [`Judged`] shows what proxies would run on, too. A control plane whose proxies are elsewhere has no use
    /// for it, and of many routes it takes a good part of the memory.
    pub keeps_config: bool,
    /// The time of day.
    pub clock: Clock,
    /// Who else is served at the same address: pages for people.
    pub beside: Vec<Arc<dyn Beside>>,
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The files beside it.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The address.
    #[error(transparent)]
    Api(#[from] api::StartError),
}

/// A control plane that runs. Dropping it ends it at once; [`Server::stop`] lets what is under way end.
#[derive(Debug)]
pub struct Server {
    world: Arc<World>,
    views: Arc<Views>,
    proxies: Arc<Proxies>,
    judged: watch::Receiver<Arc<Judged>>,
    api: Api,
    loops: Loops,
    kubeconfig: PathBuf,
    gateway_token: PathBuf,
    doors: Vec<Door>,
    set_aside: Option<String>,
    tasks: JoinSet<()>,
}

/// Starts a control plane.
///
/// # Errors
/// When its store, its files or its address cannot be used.
pub async fn start(options: ServerOptions) -> Result<Server, StartError> {
    let ServerOptions { data, database, listen, may_move, names, bind, keeps_config, clock, mut beside } =
        options;
    let opened = open::open(&data, database.as_deref()).await?;
    let home = Home::open(&data, clock.now())?;
    let world = World::open(opened.store).await.map_err(OpenError::Store)?;
    let views = Views::new(Arc::clone(&world));
    let judge = Rbac::new(Arc::clone(&world), clock.clone());
    let authenticator: Arc<dyn Authenticator> =
        Arc::new(FirstOf(vec![home.authenticator(), Arc::new(judge.clone())]));
    let hub = hub(&world, &views, &authenticator, &clock);
    let proxies = Arc::clone(&hub.proxies);
    let exchange = opened.is_shared.then(|| shares::Exchange::new(Arc::clone(&hub.shares), clock.clone()));
    let begun_anew = opened.set_aside.is_some().then(|| Arc::clone(&world));
    let authorities = Authorities::new(Arc::clone(&world), opened.keys);
    let (audit, audit_writer) = audit::audit(Arc::clone(world.store()), clock.clone());
    let authorizer: Arc<dyn Authorizer> = Arc::new(judge);
    let asked = doors::Asked {
        world: &world,
        authenticator: &authenticator,
        authorizer: &authorizer,
        clock: &clock,
        audit: &audit,
    };
    beside.extend(asked.doors(hub, begun_anew, &authorities));
    let doors = beside.iter().flat_map(|other| other.doors()).copied().collect();
    let (lead, leading) = watch::channel(false);
    let told = Told::new(&world, &views, &proxies, leading, &clock);
    let api = api::Options {
        listen,
        names,
        authority: Arc::clone(&home.authority),
        authenticator,
        authorizer,
        limits: api::Limits::default(),
        clock: clock.clone(),
        beside,
        told: Some(told),
        members: Some(Arc::new(ca::Trust::new(Arc::clone(&world)))),
    };
    let api = serve(&world, api, may_move).await?;
    let kubeconfig = home.write_admin_kubeconfig(&format!("https://{}", reachable(api.address())))?;
    let gateway_token = home.write_gateway_token()?;

    let mut tasks = JoinSet::new();
    follow(&world, &views, exchange, &mut tasks);
    tasks.spawn(audit_writer.run());
    let plane = ControlPlane::new(Options { bind });
    let plane = if keeps_config { plane } else { plane.judging_only() };
    let judging = judge::start(&world, &proxies, plane, &clock, &mut tasks);
    let keep =
        |poke| Keep::new(authorities, proxies.clone(), views.clone(), clock.clone(), opened.is_shared, poke);
    let more = turns(&world, &clock, &proxies, keep, &mut tasks);
    tasks.spawn(Witness::new(&world, &clock, &proxies, opened.is_shared).run());
    let loops = reconcile::start(&world, &clock, judging.conditions, more);
    tasks.spawn(tell_whether_we_lead(loops.leading(), lead));
    Ok(Server {
        world,
        views,
        proxies,
        judged: judging.judged,
        api,
        loops,
        kubeconfig,
        gateway_token,
        doors,
        set_aside: opened.set_aside,
        tasks,
    })
}

/// The streams of proxies.
fn hub(
    world: &Arc<World>,
    views: &Arc<Views>,
    authenticator: &Arc<dyn Authenticator>,
    clock: &Clock,
) -> Arc<Hub> {
    let quotas = Coordinator::new(Arc::clone(world), clock.clone());
    let members = Members { users: Arc::clone(authenticator), world: Arc::clone(world) };
    Hub::new(Arc::clone(views), Arc::new(members), quotas)
}

/// Follows the store, and the other control planes that share it.
fn follow(
    world: &Arc<World>,
    views: &Arc<Views>,
    exchange: Option<shares::Exchange>,
    tasks: &mut JoinSet<()>,
) {
    let (followed, viewed) = (Arc::clone(world), Arc::clone(views));
    tasks.spawn(async move { followed.follow().await });
    tasks.spawn(viewed.follow());
    if let Some(exchange) = exchange {
        tasks.spawn(exchange.run(Arc::clone(world.store())));
    }
}

/// Serves the API at its address or, where that is taken and another will do, at any port.
async fn serve(world: &Arc<World>, options: api::Options, may_move: bool) -> Result<Api, api::StartError> {
    match api::serve(Arc::clone(world), options.clone()).await {
        Err(api::StartError::Listen { fault, .. }) if may_move && fault.kind() == ErrorKind::AddrInUse => {
            let listen = SocketAddr::new(options.listen.ip(), 0);
            api::serve(Arc::clone(world), api::Options { listen, ..options }).await
        }
        served => served,
    }
}

/// Wakes whoever is to look whenever proxies have reported.
async fn pass_on(mut reported: watch::Receiver<u64>, poke: Arc<Notify>) {
    while reported.changed().await.is_ok() {
        poke.notify_one();
    }
}

/// Wakes whoever is to look because time has passed.
async fn wake(poke: Arc<Notify>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        poke.notify_one();
    }
}

/// Loops of the leader that have work because proxies have reported, because time has passed, or because products have
/// ended.
fn turns(
    world: &Arc<World>,
    clock: &Clock,
    proxies: &Arc<Proxies>,
    keep: impl FnOnce(Arc<Notify>) -> Keep,
    tasks: &mut JoinSet<()>,
) -> Vec<(Arc<dyn Reconcile>, Arc<Notify>)> {
    let poke = Arc::new(Notify::new());
    tasks.spawn(pass_on(proxies.changed(), Arc::clone(&poke)));
    let mut every = |time: Duration| {
        let poke = Arc::new(Notify::new());
        tasks.spawn(wake(Arc::clone(&poke), time));
        poke
    };
    vec![
        (Arc::new(keep(Arc::clone(&poke))), poke),
        (Arc::new(Expiry::new(world, clock, proxies)), every(workloads::LOOK_EVERY)),
        (Arc::new(CustomerTimes::new(world, clock)), every(customer_times::LOOK_EVERY)),
        (Arc::new(EndedProducts::new(world, clock)), Arc::default()),
        (Arc::new(UsageAges::new(world, clock)), Arc::default()),
    ]
}

/// The API is up before the loops are, so it is told afterwards whether they run here.
async fn tell_whether_we_lead(mut leading: watch::Receiver<Option<Fence>>, tell: watch::Sender<bool>) {
    loop {
        tell.send_replace(leading.borrow_and_update().is_some());
        if leading.changed().await.is_err() {
            return;
        }
    }
}

impl Server {
    /// The objects.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// What each proxy is shown.
    #[must_use]
    pub fn views(&self) -> &Arc<Views> {
        &self.views
    }

    /// The live proxies.
    #[must_use]
    pub fn proxies(&self) -> &Arc<Proxies> {
        &self.proxies
    }

    /// What the engine makes of the newest objects.
    #[must_use]
    pub fn judged(&self) -> watch::Receiver<Arc<Judged>> {
        self.judged.clone()
    }

    /// Where clients on this machine reach it.
    #[must_use]
    pub fn reachable(&self) -> SocketAddr {
        reachable(self.api.address())
    }

    /// Where it is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.api.address()
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The token file for gateways.
    #[must_use]
    pub fn gateway_token(&self) -> &Path {
        &self.gateway_token
    }

    /// Everything that is served beside the API, and who is let in.
    #[must_use]
    pub fn doors(&self) -> &[Door] {
        &self.doors
    }

    /// What people must be told about a damaged store that was found and put aside.
    #[must_use]
    pub fn set_aside(&self) -> Option<&str> {
        self.set_aside.as_deref()
    }

    /// What people must be told about objects that are in the store and cannot be read.
    #[must_use]
    pub fn unreadable(&self) -> Option<String> {
        let unreadable = self.world.unreadable();
        (!unreadable.is_empty()).then(|| {
            format!(
                "{} of the store cannot be read and live on in it only; another version may have written them\n  {}\n\
                 hint: run the version that wrote them, or write them anew with `selvedge apply`",
                if unreadable.len() == 1 { "1 object" } else { "some objects" },
                unreadable.join("\n  ").trim_end(),
            )
        })
    }

    /// Lets what is under way end, gives the lease back, and closes the store: its files are whole and nobody's then.
    pub async fn stop(self) {
        let Server { world, api, loops, mut tasks, .. } = self;
        api.stop().await;
        loops.stop().await;
        tasks.shutdown().await;
        // A database that does not answer keeps nobody from stopping; what was acknowledged is kept in it.
        let _ = world.store().close().await;
    }
}

/// An address that a client on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
