//! What a worker knows of a listening address: the config its connections pin, and whether it is going away.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use engine::config::Port;
use tokio::sync::Notify;

use crate::config::Prepared;
use crate::state::meters::Counted;

/// A config as one worker shares it among its own connections: counted without atomics. The inner count is the one that
/// workers share, and only a swap touches it.
#[allow(clippy::redundant_allocation, reason = "the outer count belongs to one worker, the inner one to all")]
pub type WorkerConfig = Rc<Arc<Prepared>>;

/// A config held for the length of one request, with the port it is read for. Holding it is what keeps two
/// configurations from mixing; cloning it touches no count that another worker shares.
#[derive(Clone, Debug)]
pub struct Pinned {
    prepared: WorkerConfig,
    port: usize,
}

impl Pinned {
    /// Pins a config for one of its ports.
    #[must_use]
    pub fn new(prepared: WorkerConfig, port: usize) -> Pinned {
        Pinned { prepared, port }
    }

    /// The port.
    #[inline]
    #[must_use]
    pub fn port(&self) -> &Port {
        &self.prepared.config.ports[self.port]
    }

    /// TLS settings of the port; `None` when it is cleartext.
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<rustls::ServerConfig>> {
        self.prepared.server_tls[self.port].as_ref()
    }
}

/// Whether a port is going away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It takes connections.
    Open,
    /// It takes no more; requests end, bytes go on.
    Closed,
    /// It takes no more, and what is open ends within the time of the drain.
    Ends,
}

/// One listening address of one worker.
#[derive(Debug)]
pub struct PortState {
    pinned: RefCell<Pinned>,
    phase: Cell<Phase>,
    /// Tells long-lived connections that another phase has begun.
    pub drain_begins: Notify,
    /// Connections open now.
    pub connections: Cell<u32>,
    /// Where requests to operations that came in here were counted the last time.
    pub metered: Cell<Option<Counted>>,
}

impl PortState {
    /// A port that has just been bound.
    #[must_use]
    pub fn new(pinned: Pinned) -> PortState {
        PortState {
            pinned: RefCell::new(pinned),
            phase: Cell::new(Phase::Open),
            drain_begins: Notify::new(),
            connections: Cell::new(0),
            metered: Cell::new(None),
        }
    }

    /// The config a new request is to use. A port that was taken out of the configuration keeps the last one it
    /// was in until its connections are gone.
    #[must_use]
    pub fn pin(&self) -> Pinned {
        self.pinned.borrow().clone()
    }

    /// Replaces what new requests pin.
    pub fn swap(&self, pinned: Pinned) {
        self.pinned.replace(pinned);
    }

    /// Whether connections are to end after the request they carry.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.phase.get() != Phase::Open
    }

    /// Whether what carries bytes is to end within the time of the drain as well.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.phase.get() == Phase::Ends
    }

    /// From now on every connection ends after the request it carries, and what carries bytes when its time is over.
    pub fn drain(&self) {
        self.enter(Phase::Ends);
    }

    /// From now on every connection ends after the request it carries; what carries bytes goes on.
    pub fn close(&self) {
        self.enter(Phase::Closed);
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.drain_begins.notify_waiters();
    }
}
