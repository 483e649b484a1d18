//! Starts workers, hands them configurations, ends them.
//!
//! Sockets are opened here, one per worker and address, before anybody is told of a new config: an address that
//! cannot be bound is reported and everything else still applies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use commerce::usage::Boot;
use engine::Config;
use engine::authentication::KeySlot;
use engine::config::{BindAddress, Locality, Port};
use engine::customers::Customers;
use identity::Member;
use model::spiffe::SpiffeId;
use tokio::runtime::LocalOptions;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::admin::{Admin, Shown};
use crate::checks::Checks;
use crate::clock::Clock;
use crate::config::{CallerCount, Prepared, Preparer, Progress, RouteCount};
use crate::introspection::Introspector;
use crate::keys::KeyKeeper;
use crate::limits::{KEYS_MISSING_WAITING_MAX, LISTENER_BACKLOG, ORDERS_WAITING_MAX, TCP_KEEPALIVE_SECONDS};
use crate::log::{Log, LogSink, Writer};
use crate::resolver::Resolver;
use crate::settled;
use crate::state::clusters::Around;
use crate::state::meters::{self, Meter, Meters};
use crate::state::metrics::Metrics;
use crate::state::parties::Parties;
use crate::state::quotas::Quotas;
use crate::tap::{self, Watchers};
use crate::trace::{Exporter, Spans};
use crate::worker::{self, Order, Worker};

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Worker threads; at least one.
    pub workers: usize,
    /// Where `/ready`, `/metrics` and `/config` are served; `None` for nowhere.
    pub admin: Option<SocketAddr>,
    /// Where access log lines go.
    pub access_log: LogSink,
    /// How long a drain may take before what is left is closed.
    pub drain: Duration,
    /// Where it runs, so that endpoints nearby can come first; `None` when nobody said.
    pub locality: Option<Locality>,
    /// What becomes of connections when their port is no longer in the configuration.
    pub deleted_ports: DeletedPorts,
    /// Where usage is counted, so that neither a panic nor `kill -9` takes it back; `None`: in memory only.
    pub usage: Option<PathBuf>,
    /// Who this proxy is in its mesh; `None`: nobody, so that it can neither call a member nor be called as one.
    pub member: Option<Arc<Member>>,
}

/// What becomes of connections when their port is no longer in the configuration. They end when they have nothing to do
/// and after the request they carry in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletedPorts {
    /// What carries bytes ends within the time of the drain.
    #[default]
    Drain,
    /// What carries bytes goes on until it ends by itself, or the proxy does.
    LetEnd,
}

/// A running data plane.
#[derive(Debug)]
pub struct Proxy {
    workers: Vec<WorkerThread>,
    member: Arc<Member>,
    state: Mutex<Applying>,
    admin: Option<Admin>,
    resolver: Resolver,
    checks: Checks,
    keys: KeyKeeper,
    shown: Arc<Shown>,
    watchers: Watchers,
    writer: Writer,
    exporter: Exporter,
    parties: Arc<Parties>,
    quotas: Arc<Quotas>,
    settling: Arc<Notify>,
    drain: Duration,
    meters: Arc<Meters>,
    /// What earlier starts have counted and not told, until somebody tells it.
    left: Mutex<Vec<Meters>>,
}

#[derive(Debug)]
struct WorkerThread {
    orders: mpsc::Sender<Order>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Applying {
    preparer: Preparer,
    bound: BTreeSet<BindAddress>,
    /// Whether it has stopped accepting for good.
    is_leaving: bool,
}

/// What became of a config.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Every address of the config, and why it could not be bound, if so.
    pub bound: Vec<Bound>,
}

/// One address of a config.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The address.
    pub address: BindAddress,
    /// Why nothing listens there.
    pub error: Option<String>,
}

impl Proxy {
    /// Starts the workers; they serve nothing until a config is applied.
    ///
    /// # Errors
    /// Threads, the log file or the admin address are not to be had.
    pub fn start(options: Options) -> io::Result<Proxy> {
        let clock = Clock::start();
        let member = options.member.unwrap_or_default();
        let writer = Writer::start(&options.access_log)?;
        let exporter = Exporter::default();
        let count = options.workers.max(1);
        let metrics: Vec<Arc<Metrics>> = (0..count).map(|_| Arc::default()).collect();
        let around = Around {
            workers: u32::try_from(count).unwrap_or(u32::MAX),
            locality: options.locality.map(Arc::new),
        };
        let (missing_keys, missing) = mpsc::channel(KEYS_MISSING_WAITING_MAX);
        let parties = Arc::<Parties>::default();
        let opened = open_meters(options.usage.as_deref(), count)?;
        let meters = Arc::new(opened.current);
        let quotas = Arc::new(Quotas::of(options.usage.as_deref(), meters.boot()));
        let introspector = Introspector::default();
        let workers = metrics
            .iter()
            .enumerate()
            .map(|(index, metrics)| {
                let surroundings = Surroundings {
                    around: around.clone(),
                    leaving: (options.drain, options.deleted_ports),
                    missing_keys: missing_keys.clone(),
                    parties: parties.clone(),
                    quotas: quotas.clone(),
                    meter: Meter::new(meters.clone(), index),
                    introspector: introspector.clone(),
                };
                let told = (writer.log(metrics.clone()), exporter.spans(metrics.clone()));
                spawn_worker(index, clock, member.clone(), metrics, told, surroundings)
            })
            .collect::<io::Result<Vec<_>>>()?;
        let shown = Arc::new(Shown::new(clock, metrics, exporter.exported.clone(), meters.clone()));
        let orders: Vec<_> = workers.iter().map(|worker| worker.orders.clone()).collect();
        let resolver = Resolver::start(orders.clone())?;
        introspector.run_on(resolver.runtime());
        let keys = KeyKeeper::new(resolver.runtime(), orders.clone(), missing);
        let watchers = Watchers::new(orders.clone());
        let checks = Checks::new(resolver.runtime(), orders);
        let admin = options.admin.map(|address| Admin::start(address, shown.clone())).transpose()?;
        let state = Mutex::default();
        let settling = Arc::<Notify>::default();
        resolver.beside(settled::let_go_of_code(settling.clone()));
        Ok(Proxy {
            workers,
            member,
            state,
            admin,
            resolver,
            checks,
            keys,
            shown,
            watchers,
            writer,
            exporter,
            parties,
            quotas,
            settling,
            drain: options.drain,
            meters,
            left: Mutex::new(opened.left),
        })
    }

    /// What its limited callers have been given.
    pub(crate) fn parties(&self) -> &Arc<Parties> {
        &self.parties
    }

    /// What it was lent of quotas.
    pub(crate) fn quotas(&self) -> &Arc<Quotas> {
        &self.quotas
    }

    /// What it counts, and what earlier starts have left behind; the latter once.
    pub(crate) fn meters(&self) -> (Arc<Meters>, Vec<Meters>) {
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        (self.meters.clone(), left)
    }

    /// Who this proxy is in its mesh, and whom it believes.
    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    /// Serves by a config. Returns when every new request of every worker uses it; nothing that is under way is
    /// disturbed, and ports that are gone drain. DNS names that were never asked for are asked for first, for a
    /// bounded time. Must not be called from an asynchronous task.
    pub fn apply(&self, config: Arc<Config>) -> Applied {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_leaving {
            return Applied { bound: Vec::new() };
        }
        if let Err(error) = self.exporter.follow(&config) {
            eprintln!("selvedge: requests are not traced: {error}");
        }
        let resolved = self.resolver.first_answers(&config);
        let prepared = Arc::new(state.preparer.prepare(config.clone(), resolved));
        let (mut sockets, bound) = self.bind(&mut state.bound, &config);
        let mut waiting = Vec::with_capacity(self.workers.len());
        for worker in &self.workers {
            let listeners =
                sockets.iter_mut().filter_map(|(address, each)| Some((*address, each.pop()?))).collect();
            let (done, answered) = oneshot::channel();
            let order = Order::Apply { prepared: prepared.clone(), listeners, done };
            if worker.orders.blocking_send(order).is_ok() {
                waiting.push(answered);
            }
        }
        // The retired configs are dropped here, and not where requests wait.
        let retired: Vec<Option<Arc<Prepared>>> = waiting
            .into_iter()
            .filter_map(|answered| answered.blocking_recv().ok().flatten().into())
            .collect();
        drop(retired);
        self.resolver.follow(&config);
        self.checks.follow(&prepared);
        self.keys.follow(&config);
        self.shown.applied(config);
        self.settling.notify_one();
        Applied { bound }
    }

    /// Opens sockets for addresses that are not bound yet, one for each worker.
    fn bind(
        &self,
        known: &mut BTreeSet<BindAddress>,
        config: &Config,
    ) -> (Vec<(BindAddress, Vec<TcpListener>)>, Vec<Bound>) {
        known.retain(|address| config.ports.iter().any(|port| port.address == *address));
        let (mut sockets, mut bound) = (Vec::new(), Vec::new());
        for port in &config.ports {
            let address = port.address;
            let mut error = None;
            if !known.contains(&address) {
                match self.open(address) {
                    Ok(each) => {
                        known.insert(address);
                        sockets.push((address, each));
                    }
                    Err(problem) => error = Some(problem.to_string()),
                }
            }
            bound.push(Bound { address, error });
        }
        (sockets, bound)
    }

    fn open(&self, address: BindAddress) -> io::Result<Vec<TcpListener>> {
        let socket = SocketAddr::new(address.ip, address.port);
        // A probe without port sharing first: another process of this user must not share our port unnoticed.
        drop(TcpListener::bind(socket)?);
        let keepalive = Duration::from_secs(u64::from(TCP_KEEPALIVE_SECONDS));
        let options = os::ListenOptions { backlog: LISTENER_BACKLOG, keepalive };
        self.workers.iter().map(|_| os::listen(socket, options)).collect()
    }

    /// Tells all workers who the customers are, and returns when every new exchange asks these; requests under way keep
    /// whom they knew. Must not be called from an asynchronous task.
    pub fn serve_customers(&self, customers: &Arc<Customers>) {
        let mut waiting = Vec::with_capacity(self.workers.len());
        for worker in &self.workers {
            let (done, answered) = oneshot::channel();
            let order = Order::Customers { customers: Arc::clone(customers), done };
            if worker.orders.blocking_send(order).is_ok() {
                waiting.push(answered);
            }
        }
        // Those before are dropped here, and not where requests wait.
        let retired: Vec<Arc<Customers>> =
            waiting.into_iter().filter_map(|answered| answered.blocking_recv().ok()).collect();
        drop(retired);
    }

    /// Where the admin endpoints are served.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Admin::address)
    }

    /// Lets our own user and root watch at a socket, which goes with the proxy.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn tap_at(&self, path: &Path) -> io::Result<()> {
        let runtime = self.resolver.runtime();
        let _within = runtime.enter();
        self.resolver.beside(tap::serve(path, self.watchers.clone())?);
        Ok(())
    }

    /// Who watches, wherever they stand.
    pub(crate) fn watchers(&self) -> &Watchers {
        &self.watchers
    }

    /// What is in use; `None` before the first config.
    #[must_use]
    pub fn config(&self) -> Option<Arc<Config>> {
        self.shown.config()
    }

    /// Readiness says from now on that this proxy is going away.
    pub fn goes_away(&self) {
        self.shown.draining();
    }

    /// Takes some ports out of service while the others go on: they stop accepting, and what is under way on them may
    /// finish for at most the drain time. A config that is applied afterwards would open them again. Must not be
    /// called from an asynchronous task.
    pub fn retire(&self, which: impl Fn(&Port) -> bool) {
        let Some(config) = self.config() else { return };
        let ports = config.ports.iter().filter(|port| which(port));
        let addresses: Arc<[BindAddress]> = ports.map(|port| port.address).collect();
        let mut waiting = Vec::new();
        for worker in &self.workers {
            let (done, answered) = oneshot::channel::<()>();
            if worker.orders.blocking_send(Order::Retire { addresses: addresses.clone(), done }).is_ok() {
                waiting.push(answered);
            }
        }
        self.wait_for(waiting);
    }

    /// Waits until every worker has dropped its end, at most for the drain time.
    fn wait_for(&self, waiting: Vec<oneshot::Receiver<()>>) {
        self.resolver.wait(self.drain, async {
            for answered in waiting {
                let _ = answered.await; // The sender is dropped when the worker is empty: that is the answer.
            }
        });
    }

    /// From now on readiness and metrics tell how far this proxy is with its control plane.
    pub(crate) fn shows(&self, progress: Arc<Progress>) {
        self.shown.follows(progress);
    }

    /// Requests of each route since the start, those that no route matched under an empty name.
    pub(crate) fn route_counts(&self) -> HashMap<Arc<str>, RouteCount> {
        self.shown.route_counts()
    }

    /// What members of the mesh have done here since the start, by identity.
    pub(crate) fn caller_counts(&self) -> BTreeMap<SpiffeId, CallerCount> {
        self.shown.caller_counts()
    }

    /// Connections of clients that are open now.
    pub(crate) fn connections_open(&self) -> u64 {
        self.shown.connections_open()
    }

    /// Stops accepting for good, and lets what is under way finish for at most the drain time. Must not be called from
    /// an asynchronous task.
    pub fn empty(&self) {
        self.shown.draining();
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_leaving = true;
        let mut waiting = Vec::new();
        for worker in &self.workers {
            let (done, answered) = oneshot::channel::<()>();
            if worker.orders.blocking_send(Order::Drain { done }).is_ok() {
                waiting.push(answered);
            }
        }
        self.wait_for(waiting);
    }

    /// Stops accepting, lets what is under way finish for at most the drain time, then ends. Must not be called
    /// from an asynchronous task.
    pub fn drain(self) {
        if !self.state.lock().unwrap_or_else(PoisonError::into_inner).is_leaving {
            self.empty();
        }
        self.resolver.stop();
        for worker in &self.workers {
            let _ = worker.orders.blocking_send(Order::Stop);
        }
        for worker in self.workers {
            drop(worker.orders);
            let _ = worker.thread.join(); // A worker that panicked has said so already.
        }
        drop(self.admin);
        self.writer.finish();
        self.exporter.finish();
    }
}

/// What a worker learns of the rest of the process.
struct Surroundings {
    around: Around,
    /// How long what is still open may last, and what becomes of ports that were deleted.
    leaving: (Duration, DeletedPorts),
    missing_keys: mpsc::Sender<KeySlot>,
    parties: Arc<Parties>,
    quotas: Arc<Quotas>,
    meter: Meter,
    introspector: Introspector,
}

/// Counters in a folder or, where that cannot be used, in memory: usage that a crash would lose is better than none,
/// as long as somebody is told.
fn open_meters(folder: Option<&Path>, workers: usize) -> io::Result<meters::Opened> {
    let boot = Boot(u128::from_be_bytes(identity::random()));
    match Meters::open(folder, boot, workers) {
        Err(error) if folder.is_some() => {
            let shown = folder.map(Path::display);
            let shown = shown.map(|folder| folder.to_string()).unwrap_or_default();
            eprintln!("selvedge: usage is counted in memory only, `{shown}` cannot be used: {error}");
            Meters::open(None, boot, workers)
        }
        opened => opened,
    }
}

fn spawn_worker(
    index: usize,
    clock: Clock,
    member: Arc<Member>,
    metrics: &Arc<Metrics>,
    told: (Log, Spans),
    surroundings: Surroundings,
) -> io::Result<WorkerThread> {
    let (orders, received) = mpsc::channel(ORDERS_WAITING_MAX);
    let metrics = metrics.clone();
    let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                let Surroundings { around, leaving, missing_keys, parties, quotas, meter, introspector } =
                    surroundings;
                let (drain, deleted) = leaving;
                let worker = Worker::new(clock, member, metrics, told, around, missing_keys, meter)
                    .leaving(drain, deleted)
                    .counting_with(parties, quotas)
                    .asking_by(introspector);
                runtime.block_on(worker::run(Rc::new(worker), received));
            }
            Err(error) => eprintln!("selvedge: worker {index} cannot start: {error}"),
        }
    })?;
    Ok(WorkerThread { orders, thread })
}
