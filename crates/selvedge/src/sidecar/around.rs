//! The one thread around the proxy: names, health, registration, the Workload API.
//!
//! None of it is on the path of a request, so one thread is enough and nothing of it can slow a worker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::identity::Member;
use proxy::Progress;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::dns::Resolver;
use super::environment::Variables;
use super::event::Event;
use super::files::Files;
use super::health::{self, Check, Health};
use super::names::Names;
use super::registration::Registration;
use super::workload_api::WorkloadApi;
use super::{SidecarOptions, StartError, Tell, identity};

/// How long the thread has to close its sockets at the end.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

/// What runs around the proxy.
pub struct Around {
    runtime: Runtime,
    registration: Registration,
    registering: JoinHandle<()>,
    withdrawn: AtomicBool,
    tell: Tell,
    health: watch::Receiver<Health>,
    /// Where names are resolved.
    pub dns: Option<SocketAddr>,
}

impl Around {
    /// Takes every address, then starts. The workload is made known from here on.
    pub fn start(
        options: &SidecarOptions,
        member: &Arc<Member>,
        names: watch::Receiver<Arc<Names>>,
        tell: Tell,
    ) -> Result<Around, StartError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sidecar")
            .enable_all()
            .build()
            .map_err(StartError::Proxy)?;
        let dns = resolver(&runtime, options, names.clone())?;
        workload_api(&runtime, options, member)?;
        runtime.spawn(keep_files(Files::new(&options.data), names, tell.clone()));
        let (judged, health) = watch::channel(Health::before(&options.health));
        if options.health != Check::Off {
            runtime.spawn(health::watch(options.health.clone(), judged));
            runtime.spawn(tell_health(health.clone(), tell.clone()));
        }
        let registration = Registration::new(options, member);
        let registered = tell.clone();
        let registering = registration.clone().keep(move |became| registered(Event::Registered(became)));
        let registering = runtime.spawn(registering);
        let withdrawn = AtomicBool::new(false);
        Ok(Around { runtime, registration, registering, withdrawn, tell, health, dns })
    }

    /// Has the control plane told whether the application can serve.
    pub fn reports_health(&self, progress: &Arc<Progress>) {
        self.runtime.spawn(report_health(self.health.clone(), progress.clone()));
    }

    /// Takes the workload back, once, for as long as that may take.
    pub fn withdraw(&self) {
        self.registering.abort();
        if self.withdrawn.swap(true, Ordering::Relaxed) {
            return;
        }
        // Who cannot be told hears it from the lease.
        if let Err(error) = self.runtime.block_on(self.registration.withdraw()) {
            (self.tell)(Event::NotWithdrawn(error.to_string()));
        }
    }

    /// Closes everything.
    pub fn stop(self) {
        self.runtime.shutdown_timeout(CLOSED_WITHIN);
    }
}

fn resolver(
    runtime: &Runtime,
    options: &SidecarOptions,
    names: watch::Receiver<Arc<Names>>,
) -> Result<Option<SocketAddr>, StartError> {
    let Some(address) = options.dns else { return Ok(None) };
    let failed = |error: io::Error| StartError::Dns(address, error);
    let resolver =
        runtime.block_on(Resolver::bind(address, options.others.clone(), names)).map_err(failed)?;
    let bound = resolver.address().map_err(failed)?;
    runtime.spawn(resolver.run());
    Ok(Some(bound))
}

fn workload_api(runtime: &Runtime, options: &SidecarOptions, member: &Arc<Member>) -> Result<(), StartError> {
    let Some(path) = &options.workload_api else { return Ok(()) };
    let (told, identity) = watch::channel(None);
    let _inside = runtime.enter();
    let api =
        WorkloadApi::bind(path, identity).map_err(|error| StartError::WorkloadApi(path.clone(), error))?;
    runtime.spawn(identity::follow(member.clone(), told));
    runtime.spawn(api.run());
    Ok(())
}

/// Makes the files say what can be reached, whenever that changes.
async fn keep_files(files: Files, mut names: watch::Receiver<Arc<Names>>, tell: Tell) {
    loop {
        let now = names.borrow_and_update().clone();
        if let Err(error) = files.write(&now) {
            tell(Event::FilesUnwritable(error.to_string()));
        }
        let ambiguous = Variables::of(&now).ambiguous;
        if !ambiguous.is_empty() {
            tell(Event::Ambiguous(ambiguous));
        }
        if names.changed().await.is_err() {
            return;
        }
    }
}

/// Tells what changes.
async fn tell_health(mut health: watch::Receiver<Health>, tell: Tell) {
    while health.changed().await.is_ok() {
        let now = health.borrow_and_update().clone();
        tell(Event::Health(now));
    }
}

/// Has the control plane told of it, as it is and whenever it changes.
async fn report_health(mut health: watch::Receiver<Health>, progress: Arc<Progress>) {
    loop {
        progress.application(*health.borrow_and_update() == Health::Ready);
        if health.changed().await.is_err() {
            return;
        }
    }
}
