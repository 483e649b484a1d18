//! One worker: a thread with its own runtime, its own sockets and everything it needs to serve.
//!
//! Nothing in here is shared with another worker. Orders come over a channel from the thread that applies
//! configurations; retired configurations go back the same way, so that freeing them costs no request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::authentication::KeySlot;
use engine::config::{BindAddress, ClusterSlot};
use engine::customers::Customers;
use identity::Member;
use model::jwk::KeySet;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::config::Prepared;
use crate::introspection::Introspector;
use crate::limits::DRAIN_SECONDS;
use crate::listener;
use crate::log::Log;
use crate::proxy::DeletedPorts;
use crate::state::Shared;
use crate::state::clusters::{Around, Clusters};
use crate::state::counterparts::Counterparts;
use crate::state::deadlines::Deadlines;
use crate::state::keys::Keys;
use crate::state::meters::Meter;
use crate::state::metrics::Metrics;
use crate::state::open::OpenRequests;
use crate::state::parties::Parties;
use crate::state::ports::{Pinned, PortState, WorkerConfig};
use crate::state::quotas::Quotas;
use crate::state::quotas::near::Near;
use crate::state::random::Random;
use crate::state::verified::Verified;
use crate::tap::{Tap, Taps};
use crate::trace::Spans;

/// What every task of a worker may reach.
#[derive(Debug)]
pub struct Worker {
    /// The time.
    pub clock: Clock,
    /// Random numbers.
    pub random: Random,
    /// Coarse deadlines.
    pub deadlines: Rc<Deadlines>,
    /// Destinations with their connections.
    pub clusters: Clusters,
    /// Who we are in the mesh, and whom we believe.
    pub member: Arc<Member>,
    /// Open connections of the mesh.
    pub counterparts: Rc<Counterparts>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The access log.
    pub log: Log,
    /// Spans of requests that are traced.
    pub spans: Spans,
    /// Who watches.
    pub taps: Taps,
    /// How long what is still open may last once its port drains.
    pub drain: Duration,
    /// What becomes of connections whose port is no longer in the config.
    deleted_ports: DeletedPorts,
    /// Requests under way that wait.
    pub open: Rc<OpenRequests>,
    /// Who the customers are, as far as is known.
    pub customers: RefCell<Shared<Customers>>,
    /// Keys of token issuers.
    pub keys: Keys,
    /// Asks issuers what tokens are.
    pub introspector: Introspector,
    /// Tokens and passwords that were verified lately.
    pub verified: Verified,
    /// What limited callers have been given, by all workers together.
    pub parties: Arc<Parties>,
    /// What this proxy was lent of quotas, for all workers together.
    pub quotas: Arc<Quotas>,
    /// The part of it that this worker has used lately.
    pub quotas_near: Near,
    /// Who has called what.
    pub meter: Meter,
}

/// What a worker is told.
pub enum Order {
    /// Serve by this config. `listeners` are sockets for ports that were not bound before.
    Apply {
        /// The config.
        prepared: Arc<Prepared>,
        /// New sockets.
        listeners: Vec<(BindAddress, TcpListener)>,
        /// Answered with the retired config once every new request uses the new one.
        done: oneshot::Sender<Option<Arc<Prepared>>>,
    },
    /// From now on these may call.
    Customers {
        /// All of them.
        customers: Arc<Customers>,
        /// Answered with those before.
        done: oneshot::Sender<Arc<Customers>>,
    },
    /// DNS names of a cluster have these addresses now.
    Resolved {
        /// The cluster.
        cluster: ClusterSlot,
        /// All addresses of all its names.
        addresses: Arc<[SocketAddr]>,
    },
    /// Health checks of a cluster found these addresses unwell, and no others.
    Checked {
        /// The cluster.
        cluster: ClusterSlot,
        /// All of them.
        unwell: Arc<[SocketAddr]>,
    },
    /// An issuer of tokens was asked for its keys. Without keys: there are none.
    Keys {
        /// The source.
        slot: KeySlot,
        /// All of them.
        keys: Option<Arc<KeySet>>,
    },
    /// Somebody begins to watch.
    Tap {
        /// Who.
        tap: Arc<Tap>,
        /// Dropped when they do.
        done: oneshot::Sender<()>,
    },
    /// Stop accepting at these addresses, finish what is under way there, answer when no connection of them is left.
    Retire {
        /// The addresses.
        addresses: Arc<[BindAddress]>,
        /// Dropped when all their connections are gone.
        done: oneshot::Sender<()>,
    },
    /// Stop accepting, finish what is under way, answer when no connection is left.
    Drain {
        /// Dropped when all connections are gone.
        done: oneshot::Sender<()>,
    },
    /// End, whatever is still open.
    Stop,
}

impl Worker {
    /// A worker that serves nothing yet.
    #[must_use]
    pub fn new(
        clock: Clock,
        member: Arc<Member>,
        metrics: Arc<Metrics>,
        (log, spans): (Log, Spans),
        around: Around,
        missing_keys: mpsc::Sender<KeySlot>,
        meter: Meter,
    ) -> Worker {
        Worker {
            clock,
            random: Random::new(),
            deadlines: Rc::default(),
            clusters: Clusters::new(around),
            member,
            counterparts: Rc::default(),
            metrics,
            log,
            spans,
            taps: Taps::default(),
            drain: Duration::from_secs(u64::from(DRAIN_SECONDS)),
            deleted_ports: DeletedPorts::default(),
            open: Rc::default(),
            customers: RefCell::new(Rc::new(Arc::new(Customers::unknown()))),
            parties: Arc::default(),
            quotas: Arc::default(),
            quotas_near: Near::default(),
            meter,
            keys: Keys::new(missing_keys),
            introspector: Introspector::default(),
            verified: Verified::default(),
        }
    }

    /// The same, asking issuers together with others.
    #[must_use]
    pub fn asking_by(self, introspector: Introspector) -> Worker {
        Worker { introspector, ..self }
    }

    /// The same, counting limited callers together with others.
    #[must_use]
    pub fn counting_with(self, parties: Arc<Parties>, quotas: Arc<Quotas>) -> Worker {
        Worker { parties, quotas, ..self }
    }

    /// The same, with other ways for connections to leave: a bound on what is still open when its port drains, and what
    /// holds when that port is no longer in the config.
    #[must_use]
    pub fn leaving(self, drain: Duration, deleted_ports: DeletedPorts) -> Worker {
        Worker { drain, deleted_ports, ..self }
    }
}

type Serving = HashMap<BindAddress, Rc<PortState>>;

/// Runs a worker on the current thread until its orders end.
pub async fn run(worker: Rc<Worker>, mut orders: mpsc::Receiver<Order>) {
    let ticking = tokio::task::spawn_local(tick(worker.clone()));
    let mut serving = Serving::new();
    let mut retiring: Vec<Rc<PortState>> = Vec::new();
    let mut current: Option<WorkerConfig> = None;
    while let Some(order) = orders.recv().await {
        match order {
            Order::Apply { prepared, listeners, done } => {
                let next = Rc::new(prepared);
                worker.clusters.swap(&next);
                retiring.retain(|port| port.connections.get() > 0);
                retiring.extend(swap_ports(&worker, &mut serving, &next, listeners));
                if next.config.policies.iter().any(|policy| policy.enforces) {
                    worker.open.tell();
                }
                let retired = current.replace(next).map(|retired| Arc::clone(&retired));
                let _ = done.send(retired); // Whoever asked may have given up; the config is in force anyway.
            }
            Order::Customers { customers, done } => {
                let before = worker.customers.replace(Rc::new(customers));
                let _ = done.send(Arc::clone(&before)); // Whoever asked may have given up.
            }
            Order::Resolved { cluster, addresses } => worker.clusters.resolved(cluster, &addresses),
            Order::Checked { cluster, unwell } => worker.clusters.checked(cluster, &unwell),
            Order::Keys { slot, keys } => worker.keys.answered(slot, keys, worker.clock.now()),
            Order::Tap { tap, done } => {
                worker.taps.open(tap);
                drop(done);
            }
            Order::Retire { addresses, done } => {
                let gone = addresses.iter().filter_map(|address| serving.remove(address));
                let gone: Vec<_> = gone.map(|port| retire(&worker, port)).collect();
                retiring.extend(gone.iter().cloned());
                tokio::task::spawn_local(empty(worker.clone(), gone, done));
            }
            Order::Drain { done } => {
                retiring.iter().for_each(|port| port.drain());
                retiring.extend(serving.drain().map(|(_, port)| retire(&worker, port)));
                tokio::task::spawn_local(empty(worker.clone(), retiring.clone(), done));
            }
            Order::Stop => break,
        }
    }
    ticking.abort();
    worker.log.flush();
    worker.spans.flush();
}

/// Ports that stay get the new config, new ones begin to accept, and those that are gone are returned to drain.
fn swap_ports(
    worker: &Rc<Worker>,
    serving: &mut Serving,
    next: &WorkerConfig,
    listeners: Vec<(BindAddress, TcpListener)>,
) -> Vec<Rc<PortState>> {
    let index_of = |address: &BindAddress| next.config.ports.iter().position(|port| port.address == *address);
    let gone: Vec<BindAddress> =
        serving.keys().filter(|address| index_of(address).is_none()).copied().collect();
    let gone = gone.iter().filter_map(|address| serving.remove(address));
    let retired = match worker.deleted_ports {
        DeletedPorts::Drain => gone.map(|port| retire(worker, port)).collect(),
        DeletedPorts::LetEnd => gone.map(|port| close(worker, port)).collect(),
    };
    for (address, port) in serving.iter() {
        if let Some(index) = index_of(address) {
            port.swap(Pinned::new(next.clone(), index));
        }
    }
    for (address, socket) in listeners {
        let Some(index) = index_of(&address) else { continue };
        let port = Rc::new(PortState::new(Pinned::new(next.clone(), index)));
        match listener::open(socket, worker, &port) {
            Ok(()) => drop(serving.insert(address, port)),
            Err(error) => eprintln!("selvedge: cannot accept on {}:{}: {error}", address.ip, address.port),
        }
    }
    retired
}

/// Ends what is open within the time of the drain.
fn retire(worker: &Rc<Worker>, port: Rc<PortState>) -> Rc<PortState> {
    port.drain();
    worker.deadlines.end_idle_of(&port);
    port
}

/// Ends what has nothing to do; what carries bytes goes on.
fn close(worker: &Rc<Worker>, port: Rc<PortState>) -> Rc<PortState> {
    port.close();
    worker.deadlines.end_idle_of(&port);
    port
}

/// Waits until the last connection has ended.
async fn empty(worker: Rc<Worker>, ports: Vec<Rc<PortState>>, done: oneshot::Sender<()>) {
    while ports.iter().any(|port| port.connections.get() > 0) {
        ports.iter().for_each(|port| worker.deadlines.end_idle_of(port));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    worker.log.flush();
    worker.spans.flush();
    drop(done);
}

/// Once a second: deadlines, pools, the log.
async fn tick(worker: Rc<Worker>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    seconds.tick().await; // The first one is now.
    loop {
        seconds.tick().await;
        worker.deadlines.tick();
        worker.counterparts.tick(&worker.member, worker.clock.wall());
        worker.clusters.sweep();
        worker.quotas_near.forget(worker.clock.wall_seconds());
        worker.clusters.tick(worker.deadlines.now(), &worker.metrics);
        worker.log.flush();
        worker.spans.flush();
        worker.meter.tick(worker.clock.now(), || worker.clock.wall());
    }
}
