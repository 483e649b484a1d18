//! Control plane and proxy in one process, joined by a function call.
//!
//! This is the only place where both meet: the control plane hands over finished configurations, the proxy tells
//! what it could bind, and whoever started us is told what happened. Specs run it in-process; `selvedge up` adds
//! the terminal and signals.
#![allow(clippy::disallowed_methods, reason = "real time enters the program in its binary")]

pub mod announce;
pub mod curl;
pub mod described;
pub mod event;
pub mod example;
pub mod kept;
pub mod private;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use control::files::SourceFile;
use control::sources::Sources;
use control::status::BindResult;
use control::watch::Watch;
use control::{ControlPlane, Snapshot};
use engine::status::Conditions;
use model::violation::Violations;
use proxy::{DeletedPorts, LogSink, Proxy};

use crate::clock::{self, Stopwatch};

pub use event::Event;
use event::{Outcome, Took};

/// What to run.
#[derive(Debug)]
pub struct UpOptions {
    /// Where the configuration comes from.
    pub source: Source,
    /// Worker threads, one a core.
    pub workers: usize,
    /// Where Gateways listen that name no address.
    pub bind: IpAddr,
    /// Where readiness, metrics and the configuration are shown; `None` shows them nowhere.
    pub admin: Option<SocketAddr>,
    /// Where access logs go.
    pub access_log: LogSink,
    /// How long requests may take to end after a stop was asked for.
    pub drain: Duration,
    /// Where the proxy runs, so that endpoints nearby can come first.
    pub locality: Option<proxy::Locality>,
}

impl Default for UpOptions {
    /// For specs: one worker, loopback, a free admin port, no logs.
    fn default() -> Self {
        UpOptions {
            source: Source::Text(String::new()),
            workers: 1,
            bind: Ipv4Addr::LOCALHOST.into(),
            admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            access_log: LogSink::Off,
            drain: Duration::from_secs(5),
            locality: None,
        }
    }
}

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Files and directories, which are watched.
    Files(Vec<PathBuf>),
    /// A text, which changes only by [`Running::apply_text`].
    Text(String),
}

/// Why nothing runs.
#[derive(Debug)]
pub enum StartError {
    /// The configuration has mistakes.
    Refused(Violations),
    /// The machine said no.
    Machine {
        /// What was tried.
        what: String,
        /// What the machine said.
        error: std::io::Error,
    },
}

impl StartError {
    /// The proxy did not start with this admin address.
    #[must_use]
    pub fn of_proxy(admin: Option<SocketAddr>, error: std::io::Error) -> StartError {
        StartError::Machine { what: what_failed(admin), error }
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Refused(violations) => violations.fmt(f),
            StartError::Machine { what, error } => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Told of everything that happens after the start, in order. It must not call back into [`Running`].
pub type Listener = Box<dyn FnMut(&Event) + Send>;

/// A running control plane and proxy.
///
/// Its methods wait for workers, so none of them may be called from an asynchronous task; use `spawn_blocking`
/// there.
pub struct Running {
    joined: Arc<Joined>,
    /// Ends before the proxy does, so that no change arrives while it drains.
    watch: Option<Watch>,
    admin: Option<SocketAddr>,
}

/// What the thread that watches files and the callers share.
struct Joined {
    state: Mutex<State>,
}

struct State {
    control: ControlPlane,
    sources: Sources,
    /// `None` once it drains.
    proxy: Option<Proxy>,
    bound: Vec<BindResult>,
    conditions: Conditions,
    listener: Listener,
}

impl Running {
    /// Starts and applies the configuration. Returns when every address was bound or given up.
    ///
    /// # Errors
    /// When the configuration has mistakes, or the machine refuses threads, the admin address or a file watch.
    pub fn start(options: UpOptions) -> Result<Running, StartError> {
        Running::start_with(options, Box::new(|_| {}))
    }

    /// The same, telling `listener` of every change after the first.
    ///
    /// # Errors
    /// See [`Running::start`].
    pub fn start_with(options: UpOptions, listener: Listener) -> Result<Running, StartError> {
        let UpOptions { source, workers, bind, admin, access_log, drain, locality } = options;
        let mut control = ControlPlane::new(control::Options { bind });
        let mut sources = Sources::new(match &source {
            Source::Files(paths) => paths.clone(),
            Source::Text(_) => Vec::new(),
        });
        let first = match &source {
            Source::Files(_) => sources.read(),
            Source::Text(text) => Ok(vec![text_file(text)]),
        };
        let snapshot = first.and_then(|files| control.apply(&files)).map_err(StartError::Refused)?;
        let deleted_ports = DeletedPorts::Drain;
        let proxy = proxy::Options {
            workers,
            admin,
            access_log,
            drain,
            locality,
            usage: None,
            member: None,
            deleted_ports,
        };
        let proxy = Proxy::start(proxy).map_err(|error| StartError::of_proxy(admin, error))?;
        let (admin, conditions) = (proxy.admin_address(), snapshot.conditions.clone());
        let mut state =
            State { control, sources, proxy: Some(proxy), bound: Vec::new(), conditions, listener };
        state.program(&snapshot);
        let joined = Arc::new(Joined { state: Mutex::new(state) });
        let watch = match source {
            Source::Files(paths) => Some(watch(paths, &joined)?),
            Source::Text(_) => None,
        };
        Ok(Running { joined, watch, admin })
    }

    /// What became of every address.
    #[must_use]
    pub fn bound(&self) -> Vec<BindResult> {
        self.joined.lock().bound.clone()
    }

    /// Where readiness, metrics and the configuration are shown.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// What became of every object, what the proxy could bind included.
    #[must_use]
    pub fn conditions(&self) -> Conditions {
        self.joined.lock().conditions.clone()
    }

    /// Certificates that are in use although they are expired or not yet valid, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.joined.lock().control.keyring().warnings(clock::now())
    }

    /// The revision that runs.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.joined.lock().control.snapshot()
    }

    /// Replaces the whole configuration by this text.
    ///
    /// # Errors
    /// When it has mistakes; the last good configuration then stays in use.
    pub fn apply_text(&self, yaml: &str) -> Result<Arc<Snapshot>, Violations> {
        self.joined.lock().apply(Ok(vec![text_file(yaml)]), Stopwatch::start())
    }

    /// Reads the files again, whether or not they changed.
    ///
    /// # Errors
    /// When they cannot be read or have mistakes; the last good configuration then stays in use.
    pub fn reload(&self) -> Result<Arc<Snapshot>, Violations> {
        let mut state = self.joined.lock();
        let since = Stopwatch::start();
        let read = state.sources.read();
        state.apply(read, since)
    }

    /// Stops accepting, lets requests end within the drain time, and returns when all is closed.
    pub fn stop(mut self) {
        drop(self.watch.take());
        // Taken out under the lock, drained without it: whoever asks for conditions meanwhile is answered.
        let proxy = self.joined.lock().proxy.take();
        if let Some(proxy) = proxy {
            proxy.drain();
        }
    }
}

impl Joined {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A listener that panicked is the only way to poison it, and it runs after the state is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called when files may have changed.
    fn look(&self) {
        let mut state = self.lock();
        let since = Stopwatch::start();
        if let Some(read) = state.sources.look() {
            // The listener has been told; nobody else asked.
            let _told = state.apply(read, since);
        }
    }
}

impl State {
    /// Puts what was read into use. `since` tells when reading it began.
    fn apply(&mut self, read: control::sources::Read, since: Stopwatch) -> Result<Arc<Snapshot>, Violations> {
        match read.and_then(|files| self.control.read(&files)) {
            Ok(resources) => {
                let read = since.elapsed();
                let snapshot = self.control.compile(resources);
                let compiled = since.elapsed();
                self.program(&snapshot);
                let took = Took { read, compile: compiled - read, apply: since.elapsed() - compiled };
                let warnings = self.control.keyring().warnings(clock::now());
                let outcome = Outcome { conditions: &self.conditions, bound: &self.bound, warnings };
                let event = Event::applied(&snapshot, &outcome, took);
                self.tell(&event);
                Ok(snapshot)
            }
            Err(violations) => {
                self.tell(&Event::Refused(violations.clone()));
                Err(violations)
            }
        }
    }

    /// Hands a configuration to the proxy and takes in what it could bind.
    fn program(&mut self, snapshot: &Snapshot) {
        let Some(proxy) = &self.proxy else { return };
        let applied = proxy.apply(Arc::clone(&snapshot.config));
        self.bound = applied
            .bound
            .into_iter()
            .map(|bound| BindResult { address: bound.address, error: bound.error })
            .collect();
        self.conditions = control::status::fold(snapshot, &self.bound);
    }

    fn tell(&mut self, event: &Event) {
        (self.listener)(event);
    }
}

fn watch(paths: Vec<PathBuf>, joined: &Arc<Joined>) -> Result<Watch, StartError> {
    // The watch must not keep alive what it is a part of.
    let joined = Arc::downgrade(joined);
    let look = move || {
        if let Some(joined) = joined.upgrade() {
            joined.look();
        }
    };
    Watch::start(paths, look).map_err(|error| StartError::Machine {
        what: "cannot watch the configuration for changes".to_owned(),
        error: std::io::Error::other(error),
    })
}

fn what_failed(admin: Option<SocketAddr>) -> String {
    match admin {
        Some(address) => format!("cannot start with the admin address {address}"),
        None => "cannot start".to_owned(),
    }
}

pub(crate) fn text_file(text: &str) -> SourceFile {
    SourceFile { name: Arc::from("(text)"), text: Arc::from(text) }
}
