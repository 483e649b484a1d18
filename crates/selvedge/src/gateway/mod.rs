//! A proxy by itself: its configuration comes from a control plane in another process.
//!
//! Specs run it in-process; `selvedge gateway` adds the terminal and signals.

pub mod event;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use discovery::{Interest, TokenFile};
use proxy::{ControlAddress, LogSink, ProgressState, Proxy, SubscribeOptions, Subscription, Tell};

/// What to run.
#[derive(Debug)]
pub struct GatewayOptions {
    /// The name of this proxy, which no other proxy may have.
    pub name: String,
    /// Where the control plane is.
    pub control: ControlAddress,
    /// What to show it, and how to know it.
    pub token: TokenFile,
    /// What to serve.
    pub serve: Interest,
    /// Where to keep the last good configuration.
    pub cache: Option<PathBuf>,
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
}

impl GatewayOptions {
    /// For specs: one worker, a free admin port, no logs, no cache.
    #[must_use]
    pub fn new(name: &str, control: ControlAddress, token: TokenFile) -> GatewayOptions {
        GatewayOptions {
            name: name.to_owned(),
            control,
            token,
            serve: Interest::All,
            cache: None,
            workers: 1,
            bind: Ipv4Addr::UNSPECIFIED.into(),
            admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            access_log: LogSink::Off,
            drain: Duration::from_secs(5),
        }
    }
}

/// Why nothing runs: what was tried, and what the machine said.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Threads, the log or the admin address.
    #[error("cannot start: {0}")]
    Proxy(std::io::Error),
    /// The cache, or a thread.
    #[error("cannot follow the control plane: {0}")]
    Subscription(std::io::Error),
}

/// A running proxy.
///
/// Neither starting nor stopping may be done from an asynchronous task; use `spawn_blocking` there.
pub struct RunningGateway {
    proxy: Arc<Proxy>,
    subscription: Subscription,
}

impl RunningGateway {
    /// Starts. When it returns, what the cache held is served.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(options: GatewayOptions, tell: Tell) -> Result<RunningGateway, StartError> {
        let GatewayOptions { name, control, token, serve, cache, workers, bind, .. } = options;
        let GatewayOptions { admin, access_log, drain, .. } = options;
        let proxy = Proxy::start(proxy::Options { workers, admin, access_log, drain, member: None })
            .map_err(StartError::Proxy)?;
        let proxy = Arc::new(proxy);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let subscribe = SubscribeOptions { name, version, control, token, serve, cache, bind };
        match Subscription::start(&proxy, subscribe, tell) {
            Ok(subscription) => Ok(RunningGateway { proxy, subscription }),
            Err(error) => Err(StartError::Subscription(error)),
        }
    }

    /// Where readiness, metrics and the configuration are shown.
    #[must_use]
    pub fn admin(&self) -> Option<SocketAddr> {
        self.proxy.admin_address()
    }

    /// How far it is with its control plane.
    #[must_use]
    pub fn progress(&self) -> ProgressState {
        self.subscription.progress().now()
    }

    /// Stops following, stops accepting, lets requests end within the drain time, and returns when all is closed.
    pub fn stop(self) {
        let RunningGateway { proxy, subscription } = self;
        subscription.stop();
        if let Some(proxy) = Arc::into_inner(proxy) {
            proxy.drain();
        }
    }
}
