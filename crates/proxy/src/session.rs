//! A connection that carries bytes, what was decided about it, and what became of it: what an exchange is to a request.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use engine::config::{MeshPeer, Port, Settings, TcpRule};

use crate::exchange::Peer;
use crate::failure::Failure;
use crate::state::clusters::EndpointState;
use crate::state::metrics::ConnectionCells;
use crate::state::pairs::PairCells;
use crate::worker::Worker;

/// One connection. When it is dropped, it is counted and logged.
#[derive(Debug)]
pub struct Session {
    /// The worker that carries it.
    pub worker: Rc<Worker>,
    /// Settings of its port when it began.
    pub settings: Arc<Settings>,
    /// The rule of its listener when it began.
    pub rule: Arc<TcpRule>,
    /// What policies said of it, as members of its log line.
    pub decided: Vec<u8>,
    /// Who opened it.
    pub peer: Peer,
    /// When it was accepted, or its TLS handshake was over.
    pub started: Instant,
    /// The endpoint that was tried last.
    pub upstream: Option<SocketAddr>,
    /// The member of the mesh that must answer there, if one must.
    pub member: Option<Arc<MeshPeer>>,
    /// Counters of the members of the mesh at its ends: of the caller, and of the called.
    pub counted: [Option<Arc<PairCells>>; 2],
    /// Endpoints tried.
    pub attempts: u32,
    /// Bytes that the upstream has taken.
    pub received_bytes: u64,
    /// Bytes that the client has taken.
    pub sent_bytes: u64,
    /// How it ended; `None` while it has not.
    pub outcome: Option<Result<(), Failure>>,
}

impl Session {
    /// A connection to a port that begins now.
    #[must_use]
    pub fn new(worker: Rc<Worker>, port: &Port, rule: Arc<TcpRule>, peer: Peer) -> Session {
        let cells = worker.metrics.connections_of(rule.slot);
        cells.begin();
        let caller = peer.counterpart.as_ref().and_then(|caller| caller.counted.clone());
        if let Some(cells) = &caller {
            cells.connections.begin();
        }
        let started = worker.clock.now();
        Session {
            worker,
            settings: port.settings.clone(),
            rule,
            decided: Vec::new(),
            peer,
            started,
            upstream: None,
            member: None,
            counted: [caller, None],
            attempts: 0,
            received_bytes: 0,
            sent_bytes: 0,
            outcome: None,
        }
    }

    /// An endpoint is tried: where it is a member of the mesh, the connection counts as one to it. Of several the first
    /// counts, because a connection is one.
    pub fn calls(&mut self, endpoint: &EndpointState) {
        self.member.clone_from(&endpoint.mesh);
        if self.counted[1].is_none()
            && let Some(cells) = endpoint.counted(&self.worker.metrics, &self.worker.member)
        {
            cells.connections.begin();
            self.counted[1] = Some(cells.clone());
        }
    }

    /// Its counters.
    #[must_use]
    pub fn cells(&self) -> &ConnectionCells {
        self.worker.metrics.connections_of(self.rule.slot)
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.outcome.and_then(Result::err)
    }

    /// Takes note of how many bytes have moved so far, so that counters of long connections do not lag behind.
    pub fn moved(&mut self, received_bytes: u64, sent_bytes: u64) {
        let cells = self.worker.metrics.connections_of(self.rule.slot);
        let (received, sent) = (received_bytes - self.received_bytes, sent_bytes - self.sent_bytes);
        cells.moved(received, sent);
        self.counted.iter().flatten().for_each(|cells| cells.connections.moved(received, sent));
        (self.received_bytes, self.sent_bytes) = (received_bytes, sent_bytes);
    }
}
