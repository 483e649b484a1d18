//! `selvedge up --data`: what is wanted is kept, and open to `kubectl`, the console and other gateways.
//!
//! A control plane, files as one writer among others, and a gateway, in one process. They are those of `selvedge
//! control` and `selvedge gateway`, joined over loopback as over any network: there is no back door, so what works
//! here works when they are taken apart.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use control::apply::Applier;
use control::clock::Clock;
use control::declare::{DeclareError, Declared};
use control::server::{self, Judged, Server, ServerOptions};
use control::sources::{Read, Sources};
use control::status::BindResult;
use control::store::StoreError;
use control::store::backoff::Backoff;
use control::watch::Watch;
use discovery::{Interest, TokenFile};
use model::{Resources, Violations};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch::{self, Receiver as Receive};

use super::{Source, UpOptions, event, text_file};
use crate::clock::Stopwatch;
use crate::console;
use crate::gateway::{GatewayOptions, RunningGateway};

/// Name under which the gateway of this process reports.
const NAME: &str = "up";
/// Folder within that of the data where the gateway counts usage until the ledger has it.
const USAGE: &str = "usage";
/// Most epochs that wait to be heard of at the start. Past it they are not told; the newest is asked for anyway.
const EPOCHS_WAITING_MAX: usize = 64;
/// Longest time from the start to a gateway that runs on what the store holds. Past it the start goes on without it.
const FIRST_EPOCH_TIMEOUT: Duration = Duration::from_secs(15);

/// What to run besides what [`UpOptions`] say.
#[derive(Debug)]
pub struct KeptOptions {
    /// The data folder.
    pub data: PathBuf,
    /// Where the API and the console are served.
    pub listen: SocketAddr,
    /// Whether any other port will do where somebody else has this one.
    pub may_move: bool,
}

/// Something that happened after the start.
#[derive(Debug)]
pub enum KeptEvent {
    /// Something between the gateway and its control plane.
    Gateway(proxy::Event),
    /// Files were not applied; the last good state stays.
    Refused(String),
    /// Files could not be applied now; that is tried again until it can be done, or the files change.
    Delayed(String),
    /// What was delayed is done.
    Landed,
    /// A description that was edited is published.
    Published(String),
    /// Other objects than before do not work as they stand.
    Problems {
        /// They, one line or more each; none when all do.
        problems: Vec<String>,
        /// Certificates that are in use although they are expired or not yet valid.
        warnings: Vec<String>,
    },
}

/// Told of everything that happens after the start, from several threads.
pub type Listener = Arc<dyn Fn(KeptEvent) + Send + Sync>;

/// Why nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The files have mistakes.
    #[error("{0}")]
    Refused(Violations),
    /// The control plane.
    #[error(transparent)]
    Control(#[from] server::StartError),
    /// The store did not take what the files ask for.
    #[error("cannot apply the files: {0}")]
    Declare(DeclareError),
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] crate::gateway::StartError),
    /// The machine said no.
    #[error("{0}")]
    Machine(String),
}

/// A control plane, files and a gateway, running.
pub struct Kept {
    runtime: Runtime,
    server: Server,
    gateway: RunningGateway,
    /// What the files ask for, with their lines.
    files: Receive<Resources>,
    /// Ends first, so that no change arrives while everything drains.
    watch: Option<Watch>,
}

/// The files and where what they ask for goes.
struct Files {
    sources: Sources,
    applier: Applier,
    asked: Resources,
    /// The same, and what could not be taken; for messages.
    told: watch::Sender<Resources>,
    declared: Declared,
    /// What the files ask for and the store could not take.
    waiting: Option<Resources>,
    /// Whether somebody tries that again.
    is_retried: bool,
}

impl Kept {
    /// Starts, applies the files, and returns once the gateway runs on what is wanted.
    ///
    /// # Errors
    /// See [`KeptError`].
    pub fn start(options: UpOptions, kept: KeptOptions, listener: Listener) -> Result<Kept, KeptError> {
        let clock = Clock::system();
        let runtime = runtime()?;
        let usage = kept.data.join(USAGE);
        let server = ServerOptions {
            data: kept.data,
            database: None,
            listen: kept.listen,
            may_move: kept.may_move,
            names: Vec::new(),
            bind: options.bind,
            keeps_config: true,
            clock: clock.clone(),
            beside: vec![console::pages(clock.clone())],
        };
        let server = runtime.block_on(server::start(server))?;
        let files =
            Arc::new(Mutex::new(Files::new(&options.source, Declared::new(server.world().clone(), clock))));
        let first = match &options.source {
            Source::Files(_) => lock(&files).sources.read(),
            Source::Text(text) => Ok(vec![text_file(text)]),
        };
        lock(&files).take(first, &runtime).map_err(|error| match error {
            Untaken::Mistakes(violations) => KeptError::Refused(violations),
            Untaken::Undeclared(error) | Untaken::Away(error) => KeptError::Declare(error),
        })?;
        let (gateway, epochs) = gateway(&options, &server, usage, Arc::clone(&listener))?;
        wait_for_first_epoch(&server, &epochs);
        let told = lock(&files).told.subscribe();
        runtime.spawn(tell_problems(server.judged(), told.clone(), Arc::clone(&listener)));
        let watch = match options.source {
            Source::Files(paths) => Some(follow(paths, &files, runtime.handle().clone(), listener)?),
            Source::Text(_) => None,
        };
        Ok(Kept { runtime, server, gateway, files: told, watch })
    }

    /// The control plane.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Where readiness, metrics and the configuration are shown.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.gateway.admin()
    }

    /// How far the gateway is.
    #[must_use]
    pub fn progress(&self) -> proxy::ProgressState {
        self.gateway.progress()
    }

    /// What became of every address.
    #[must_use]
    pub fn bound(&self) -> Vec<BindResult> {
        let bound = self.gateway.progress().bound.into_iter();
        bound.map(|bound| BindResult { address: bound.address, error: bound.error }).collect()
    }

    /// What the files ask for, with their lines.
    #[must_use]
    pub fn files(&self) -> Resources {
        self.files.borrow().clone()
    }

    /// Stops following files, lets requests end within the drain time, and returns when all is closed.
    pub fn stop(self) {
        let Kept { runtime, server, gateway, watch, .. } = self;
        drop(watch);
        gateway.stop();
        runtime.block_on(server.stop());
    }
}

/// Why files were not taken.
enum Untaken {
    Mistakes(Violations),
    Undeclared(DeclareError),
    /// The store is away; later it may be there.
    Away(DeclareError),
}

impl Files {
    fn new(source: &Source, declared: Declared) -> Files {
        let paths = match source {
            Source::Files(paths) => paths.clone(),
            Source::Text(_) => Vec::new(),
        };
        Files {
            sources: Sources::new(paths),
            applier: Applier::default(),
            asked: Resources::new(),
            told: watch::Sender::default(),
            declared,
            waiting: None,
            is_retried: false,
        }
    }

    fn take(&mut self, read: Read, runtime: &Runtime) -> Result<(), Untaken> {
        self.take_on(read, runtime.handle())
    }

    fn take_on(&mut self, read: Read, runtime: &Handle) -> Result<(), Untaken> {
        // What waited is what the files no longer say.
        self.waiting = None;
        let files = read.map_err(Untaken::Mistakes)?;
        let asked = self.applier.apply(&self.asked, &files).map_err(Untaken::Mistakes)?;
        self.declare(asked, runtime)
    }

    fn declare(&mut self, asked: Resources, runtime: &Handle) -> Result<(), Untaken> {
        // Before it is judged: what is then said of it needs its lines.
        self.told.send_replace(asked.clone());
        match runtime.block_on(self.declared.apply(&asked)) {
            Ok(_) => {
                self.asked = asked;
                Ok(())
            }
            Err(error @ DeclareError::Store(StoreError::Unavailable(_))) => {
                self.waiting = Some(asked);
                Err(Untaken::Away(error))
            }
            Err(error) => Err(Untaken::Undeclared(error)),
        }
    }

    /// Tries again what waits; `None` when nothing does any more.
    fn again(&mut self, runtime: &Handle) -> Option<Result<(), Untaken>> {
        let tried = self.waiting.take().map(|asked| self.declare(asked, runtime));
        self.is_retried = self.waiting.is_some();
        tried
    }
}

/// Tries what waits again, with growing pauses, until it is done, refused, or no longer asked for.
async fn retry(files: Arc<Mutex<Files>>, runtime: Handle, listener: Listener) {
    let mut backoff = Backoff::default();
    loop {
        backoff.pause().await;
        let (files, handle) = (Arc::clone(&files), runtime.clone());
        let tried = tokio::task::spawn_blocking(move || lock(&files).again(&handle)).await;
        match tried {
            Ok(Some(Err(Untaken::Away(_)))) => {}
            Ok(Some(Ok(()))) => return listener(KeptEvent::Landed),
            Ok(Some(Err(Untaken::Undeclared(error)))) => {
                return listener(KeptEvent::Refused(format!("error: {error}")));
            }
            Ok(Some(Err(Untaken::Mistakes(violations)))) => {
                return listener(KeptEvent::Refused(violations.to_string()));
            }
            // The files have changed, or the process ends.
            Ok(None) | Err(_) => return,
        }
    }
}

fn lock(files: &Mutex<Files>) -> MutexGuard<'_, Files> {
    // Nothing that runs under the lock panics half-way through a change.
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime() -> Result<Runtime, KeptError> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build();
    built.map_err(|error| KeptError::Machine(format!("cannot start threads: {error}")))
}

/// The gateway, and the epochs that it puts into use.
fn gateway(
    options: &UpOptions,
    server: &Server,
    usage: PathBuf,
    listener: Listener,
) -> Result<(RunningGateway, Receiver<u64>), KeptError> {
    let machine = |what: &str, error: &dyn std::fmt::Display| KeptError::Machine(format!("{what}: {error}"));
    let path = server.gateway_token();
    let text = std::fs::read_to_string(path)
        .map_err(|error| machine("cannot read the token of the gateway", &error))?;
    let token: TokenFile = text.parse().map_err(|error| machine("the token of the gateway", &error))?;
    let control = format!("https://{}", server.reachable());
    let control = control.parse().map_err(|error| machine("the address of the control plane", &error))?;
    let options = GatewayOptions {
        workers: options.workers,
        bind: options.bind,
        admin: options.admin,
        access_log: options.access_log.clone(),
        drain: options.drain,
        locality: options.locality.clone(),
        usage: Some(usage),
        ..GatewayOptions::new(NAME, control, token)
    };
    let (tell, epochs) = mpsc::sync_channel(EPOCHS_WAITING_MAX);
    let told = move |event: proxy::Event| {
        if let proxy::Event::Applied { epoch, .. } = &event {
            // After the start nobody listens any more.
            let _unheard = tell.try_send(*epoch);
        }
        listener(KeptEvent::Gateway(event));
    };
    Ok((RunningGateway::start(options, Arc::new(told))?, epochs))
}

fn wait_for_first_epoch(server: &Server, epochs: &Receiver<u64>) {
    let waited = Stopwatch::start();
    while let Some(left) = FIRST_EPOCH_TIMEOUT.checked_sub(waited.elapsed()) {
        let Ok(epoch) = epochs.recv_timeout(left) else { return };
        if server.views().epoch_of(&Interest::All).is_some_and(|wanted| epoch >= wanted) {
            return;
        }
    }
}

/// Tells what does not work whenever that is something else than before, whoever changed it.
async fn tell_problems(mut judged: Receive<Arc<Judged>>, files: Receive<Resources>, listener: Listener) {
    let said = |judged: &Judged| {
        (event::problems(&judged.snapshot.conditions, &files.borrow()), judged.warnings.clone())
    };
    let newest = Arc::clone(&judged.borrow_and_update());
    let mut before = said(&newest);
    while judged.changed().await.is_ok() {
        let newest = Arc::clone(&judged.borrow_and_update());
        let now = said(&newest);
        if now != before {
            before.clone_from(&now);
            let (problems, warnings) = now;
            listener(KeptEvent::Problems { problems, warnings });
        }
    }
}

fn follow(
    paths: Vec<PathBuf>,
    files: &Arc<Mutex<Files>>,
    runtime: Handle,
    listener: Listener,
) -> Result<Watch, KeptError> {
    let shared = Arc::clone(files);
    let look = move || {
        let mut files = lock(&shared);
        let Some(read) = files.sources.look() else { return };
        match files.take_on(read, &runtime) {
            Ok(()) => {}
            Err(Untaken::Mistakes(violations)) => listener(KeptEvent::Refused(violations.to_string())),
            Err(Untaken::Undeclared(error)) => listener(KeptEvent::Refused(format!("error: {error}"))),
            Err(Untaken::Away(error)) => {
                listener(KeptEvent::Delayed(format!("error: {error}")));
                if !std::mem::replace(&mut files.is_retried, true) {
                    runtime.spawn(retry(Arc::clone(&shared), runtime.clone(), Arc::clone(&listener)));
                }
            }
        }
    };
    Watch::start(paths, look)
        .map_err(|error| KeptError::Machine(format!("cannot watch the configuration for changes: {error}")))
}
