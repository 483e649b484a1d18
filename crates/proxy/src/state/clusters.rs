//! What a worker knows of the destinations: load, idle connections, resolved names.
//!
//! Kept by cluster slot and endpoint address, so an edited route or a new neighbour costs no open connection. Of
//! endpoints that nobody has asked for, a worker knows nothing beyond what the config says: a sidecar may call far more
//! than its application does.

mod judge;

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use engine::config::{Cluster, ClusterSlot, Locality, MeshPeer, Resilience, UpstreamLimits};
use identity::Member;

use crate::config::Prepared;
use crate::limits::POOL_CONNECTIONS_MAX;
use crate::state::breakers::Breakers;
use crate::state::health::Health;
use crate::state::metrics::Metrics;
use crate::state::pairs::{self, Pair, PairCells, Side};
use crate::state::random::Random;
use crate::upstream::{Http1Upstream, Http2Upstream};

use judge::shared_out;

/// All destinations of one worker.
#[derive(Debug)]
pub struct Clusters {
    by_slot: RefCell<Vec<Option<Rc<ClusterState>>>>,
    around: Around,
}

/// What all destinations of a worker have in common.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// How many workers there are, among whom limits are shared out.
    pub workers: u32,
    /// Where this proxy runs.
    pub locality: Option<Arc<Locality>>,
}

/// One destination.
#[derive(Debug)]
pub struct ClusterState {
    /// The compiled cluster.
    pub cluster: Arc<Cluster>,
    /// TLS settings towards it.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// What policies allow this worker.
    pub limits: UpstreamLimits,
    /// What is under way there.
    pub breakers: Rc<Breakers>,
    /// Made when they are first asked for; at once where policies look after them.
    endpoints: RefCell<Option<Endpoints>>,
    asked: RefCell<Asked>,
    resolved: RefCell<Vec<SocketAddr>>,
    /// Addresses that health checks found unwell.
    unwell: RefCell<Arc<[SocketAddr]>>,
    around: Around,
    /// Set when the metrics do not tell what is so.
    untold: Cell<bool>,
    panics: Cell<bool>,
}

/// Who is asked.
#[derive(Debug, Default)]
struct Asked {
    near: Endpoints,
    /// Those that get the rest.
    far: Endpoints,
    near_percent: u32,
}

/// Some endpoints.
pub type Endpoints = Rc<[Rc<EndpointState>]>;

/// One address of a destination.
#[derive(Debug)]
pub struct EndpointState {
    /// Where to connect.
    pub address: SocketAddr,
    /// Who must answer there, when it is a member of the mesh.
    pub mesh: Option<Arc<MeshPeer>>,
    /// Traffic between us and it, once there was some.
    counted: OnceCell<Arc<PairCells>>,
    /// Requests under way from this worker.
    pub in_flight: Cell<u32>,
    /// How it is.
    pub health: Health,
    /// Connections that wait for a request, newest last.
    #[allow(
        clippy::vec_box,
        reason = "an exchange holds a connection boxed: taking it and giving it back moves a word"
    )]
    idle: RefCell<Vec<Box<Http1Upstream>>>,
    /// HTTP/2 connections, which carry many requests at once.
    pub http2: RefCell<Vec<Http2Upstream>>,
    /// Held while one is being opened: requests that come at once are to share it.
    pub http2_turn: tokio::sync::Mutex<()>,
}

impl Clusters {
    /// None yet.
    #[must_use]
    pub fn new(around: Around) -> Clusters {
        Clusters { by_slot: RefCell::default(), around }
    }

    /// The destination in a slot.
    #[must_use]
    pub fn get(&self, slot: ClusterSlot) -> Option<Rc<ClusterState>> {
        self.by_slot.borrow().get(slot.0 as usize)?.clone()
    }

    /// Takes over a new config; what did not change keeps its connections.
    pub fn swap(&self, prepared: &Prepared) {
        let mut by_slot = self.by_slot.borrow_mut();
        by_slot.resize_with(prepared.config.clusters.len(), || None);
        for (index, cluster) in prepared.config.clusters.iter().enumerate() {
            let known = by_slot[index].take();
            by_slot[index] = cluster.as_ref().map(|cluster| match known {
                Some(known) if Arc::ptr_eq(&known.cluster, cluster) => known,
                known => {
                    let first = prepared.resolved.get(&cluster.slot).map_or(&[][..], |first| first);
                    let tls = prepared.client_tls[index].clone();
                    Rc::new(ClusterState::new(cluster, tls, first, known.as_deref(), &self.around))
                }
            });
        }
    }

    /// Takes over the addresses that a cluster's DNS names have now.
    pub fn resolved(&self, slot: ClusterSlot, addresses: &[SocketAddr]) {
        let Some(state) = self.get(slot) else { return };
        if *state.resolved.borrow() == addresses {
            return;
        }
        state.resolved.replace(addresses.to_vec());
        if let Some(known) = state.known() {
            state.rebuild(&known);
        }
    }

    /// Takes over what health checks found.
    pub fn checked(&self, slot: ClusterSlot, unwell: &Arc<[SocketAddr]>) {
        let Some(state) = self.get(slot).filter(|state| state.health_checked()) else { return };
        state.unwell.replace(unwell.clone());
        state.judge();
    }

    /// A second has passed.
    pub fn tick(&self, now: u32, metrics: &Metrics) {
        for state in self.by_slot.borrow().iter().flatten() {
            state.tick(now, metrics);
        }
    }

    /// Closes pooled connections that the other side has closed or that have waited too long.
    pub fn sweep(&self) {
        for state in self.by_slot.borrow().iter().flatten() {
            for endpoint in state.known().iter().flat_map(|known| known.iter()) {
                endpoint.idle.borrow_mut().retain_mut(|connection| connection.is_usable());
                endpoint.http2.borrow_mut().retain(Http2Upstream::is_usable);
            }
        }
    }
}

impl ClusterState {
    /// `first` is what the config brought; what came since then is in `known` if the names are the same.
    fn new(
        cluster: &Arc<Cluster>,
        tls: Option<Arc<rustls::ClientConfig>>,
        first: &[SocketAddr],
        known: Option<&ClusterState>,
        around: &Around,
    ) -> Self {
        let same_manner = known
            .filter(|known| known.cluster.protocol == cluster.protocol && known.cluster.tls == cluster.tls);
        let resolved = known
            .filter(|known| known.cluster.names == cluster.names)
            .map(|known| known.resolved.borrow().clone())
            .filter(|known| !known.is_empty())
            .unwrap_or_else(|| first.to_vec());
        let said = cluster.resilience.as_ref();
        let checks = said.and_then(|said| said.health.as_ref());
        let unwell = known
            .filter(|known| {
                checks.is_some() && known.resilience().and_then(|said| said.health.as_ref()) == checks
            })
            .map(|known| known.unwell.borrow().clone());
        let state = ClusterState {
            cluster: cluster.clone(),
            tls,
            limits: said.map(|said| shared_out(&said.limits, around.workers)).unwrap_or_default(),
            breakers: known.map(|known| known.breakers.clone()).unwrap_or_default(),
            endpoints: RefCell::default(),
            asked: RefCell::default(),
            resolved: RefCell::new(resolved),
            unwell: RefCell::new(unwell.unwrap_or_default()),
            around: around.clone(),
            untold: Cell::new(true),
            panics: Cell::new(false),
        };
        let before = same_manner.and_then(ClusterState::known);
        if before.is_some() || state.resilience().is_some() {
            state.rebuild(&before.unwrap_or_default());
        }
        state
    }

    /// What policies say of it.
    #[inline]
    #[must_use]
    pub fn resilience(&self) -> Option<&Resilience> {
        self.cluster.resilience.as_deref()
    }

    /// Every address.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        if self.endpoints.borrow().is_none() {
            self.rebuild(&[]);
        }
        self.known().unwrap_or_default()
    }

    /// Every address, if somebody has asked for them.
    fn known(&self) -> Option<Endpoints> {
        self.endpoints.borrow().clone()
    }

    /// Addresses to choose from for one request.
    #[inline]
    #[must_use]
    pub fn candidates(&self, random: &Random) -> Endpoints {
        if self.endpoints.borrow().is_none() {
            self.rebuild(&[]);
        }
        let asked = self.asked.borrow();
        if asked.near_percent < 100 && random.below(100) >= asked.near_percent {
            return asked.far.clone();
        }
        asked.near.clone()
    }

    /// Addresses that are asked when none of the first choice can be.
    #[must_use]
    pub fn others(&self) -> Endpoints {
        self.asked.borrow().far.clone()
    }

    #[cold]
    fn rebuild(&self, known: &[Rc<EndpointState>]) {
        let resolved = self.resolved.borrow();
        let mut wanted: Vec<(SocketAddr, Option<&Arc<MeshPeer>>)> = self
            .cluster
            .endpoints
            .iter()
            .map(|endpoint| (endpoint.address, endpoint.mesh.as_ref()))
            .collect();
        for address in resolved.iter() {
            if !wanted.iter().any(|(known, _)| known == address) {
                wanted.push((*address, None));
            }
        }
        // Whoever must answer belongs to the key: a connection is never used for another member's requests.
        let is =
            |known: &EndpointState, address, mesh| known.address == address && known.mesh.as_ref() == mesh;
        let endpoints = wanted
            .into_iter()
            .map(|(address, mesh)| match known.iter().find(|known| is(known, address, mesh)) {
                Some(known) => known.clone(),
                None => Rc::new(EndpointState::new(address, mesh.cloned())),
            })
            .collect();
        drop(resolved);
        self.endpoints.replace(Some(endpoints));
        self.judge();
    }
}

impl EndpointState {
    /// An address nobody has been sent to yet.
    #[must_use]
    pub fn new(address: SocketAddr, mesh: Option<Arc<MeshPeer>>) -> EndpointState {
        EndpointState {
            address,
            mesh,
            counted: OnceCell::new(),
            in_flight: Cell::new(0),
            health: Health::default(),
            idle: RefCell::default(),
            http2: RefCell::default(),
            http2_turn: tokio::sync::Mutex::default(),
        }
    }

    /// Its counters, where a member of the mesh must answer and we are one.
    pub fn counted(&self, metrics: &Metrics, member: &Member) -> Option<&Arc<PairCells>> {
        let peer = self.mesh.as_ref()?;
        if self.counted.get().is_none() {
            let pair = Pair {
                side: Side::Source,
                source: member.standing().svid.as_ref()?.identity().clone(),
                destination: peer.identity.clone(),
                service: pairs::service_named_by(&peer.server_name),
            };
            return Some(self.counted.get_or_init(|| metrics.pairs.of(pair)));
        }
        self.counted.get()
    }

    /// An idle connection that is still usable; the one used last comes first, so the rest can grow old.
    pub fn take_idle(&self) -> Option<Box<Http1Upstream>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut connection) = idle.pop() {
            if connection.is_usable() {
                return Some(connection);
            }
        }
        None
    }

    /// Closes the connection that has been idle for longest, to make room; `false` when none is idle.
    pub fn give_up_idle(&self) -> bool {
        let mut idle = self.idle.borrow_mut();
        let oldest = (!idle.is_empty()).then(|| idle.remove(0));
        drop(idle);
        oldest.is_some()
    }

    /// Keeps a connection for the next request.
    pub fn keep(&self, connection: Box<Http1Upstream>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < POOL_CONNECTIONS_MAX {
            idle.push(connection);
        }
    }
}

/// Counts a request as under way at an endpoint for as long as it lives.
#[derive(Debug)]
pub struct InFlight(Rc<EndpointState>);

impl InFlight {
    /// Begins to count.
    #[must_use]
    pub fn begin(endpoint: &Rc<EndpointState>) -> InFlight {
        endpoint.in_flight.set(endpoint.in_flight.get() + 1);
        InFlight(endpoint.clone())
    }

    /// The endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &Rc<EndpointState> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
    }
}
