//! A proxy by itself: its configuration comes from a control plane in another process.
//!
//! Specs run it in-process; `selvedge gateway` adds the terminal and signals.

pub mod event;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use discovery::{Interest, TokenFile};
use identity::member::Member;
use proxy::{
    ControlAddress, DeletedPorts, Keeper, KeeperOptions, LogSink, OnStream, ProgressState, Proxy,
    ServiceBlock, SubscribeOptions, Subscription, Tell, TellIdentity,
};

/// What to run.
pub struct GatewayOptions {
    /// The name of this proxy, which no other proxy may have.
    pub name: String,
    /// Where control planes are, at least one; any of them will do.
    pub controls: Vec<ControlAddress>,
    /// What to show them, and how to know them.
    pub token: TokenFile,
    /// What to serve.
    pub serve: Interest,
    /// Where to keep the last good configuration.
    pub cache: Option<PathBuf>,
    /// Where usage is counted until the ledger has it; beside the cache when absent, and in memory only without either.
    pub usage: Option<PathBuf>,
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
    /// Told of what happens to its identity in the mesh.
    pub tell_identity: TellIdentity,
}

impl fmt::Debug for GatewayOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayOptions").field("name", &self.name).finish_non_exhaustive()
    }
}

impl GatewayOptions {
    /// For specs: one worker, a free admin port, no logs, no cache.
    #[must_use]
    pub fn new(name: &str, control: ControlAddress, token: TokenFile) -> GatewayOptions {
        GatewayOptions {
            name: name.to_owned(),
            controls: vec![control],
            token,
            serve: Interest::All,
            cache: None,
            usage: None,
            workers: 1,
            bind: Ipv4Addr::UNSPECIFIED.into(),
            admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            access_log: LogSink::Off,
            drain: Duration::from_secs(5),
            locality: None,
            tell_identity: Arc::new(|_| {}),
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

/// Name of the folder of counters beside the cache.
const USAGE: &str = "usage";

/// Who a gateway is in a mesh: the Gateway, and the workload `namespace/name`. One that serves several Gateways would
/// have to be several, and is nobody.
fn membership(name: &str, serve: &Interest) -> Option<(String, String)> {
    let Interest::Gateways(names) = serve else { return None };
    let gateway = names.first().filter(|_| names.len() == 1)?;
    let (namespace, _) = gateway.split_once('/')?;
    Some((gateway.to_string(), format!("{namespace}/{}", label(name))))
}

/// A name of a proxy as one label of a DNS name.
fn label(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = name.chars().map(fits).collect();
    // The end of a long name tells more: it is the number of the process.
    let start = text.len().saturating_sub(LABEL_BYTES_MAX);
    let text = text[start..].trim_matches('-');
    if text.is_empty() { "gateway".to_owned() } else { text.to_owned() }
}

/// Longest label of a DNS name (RFC 1035, section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

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
        let GatewayOptions { name, controls, token, serve, cache, workers, bind, .. } = options;
        let GatewayOptions { admin, access_log, drain, locality, tell_identity, usage, .. } = options;
        let member = Member::new();
        let in_mesh = Some(Arc::clone(&member));
        let deleted_ports = DeletedPorts::Drain;
        let usage = usage.or_else(|| cache.as_ref().map(|folder| folder.join(USAGE)));
        let proxy = proxy::Options {
            workers,
            admin,
            access_log,
            drain,
            locality,
            usage,
            member: in_mesh,
            deleted_ports,
        };
        let proxy = Proxy::start(proxy).map_err(StartError::Proxy)?;
        let proxy = Arc::new(proxy);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let keeper = membership(&name, &serve).map(|(gateway, workload)| {
            let (controls, folder) = (controls.clone(), cache.clone());
            let keeper =
                KeeperOptions { controls, token: token.clone(), workload, gateway: Some(gateway), folder };
            Keeper::start(keeper, member, tell_identity).map(Arc::new)
        });
        let keeper = keeper.transpose().map_err(StartError::Subscription)?;
        let subscribe = SubscribeOptions {
            name,
            version,
            controls,
            token,
            serve,
            cache,
            bind,
            services: ServiceBlock::default(),
            keeper,
            shows: OnStream::Token,
        };
        match Subscription::start(&proxy, subscribe, tell) {
            Ok(subscription) => Ok(RunningGateway { proxy, subscription }),
            Err(error) => Err(StartError::Subscription(error)),
        }
    }

    /// Lets our own user and root watch at a socket.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn tap_at(&self, path: &Path) -> std::io::Result<()> {
        self.proxy.tap_at(path)
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

    /// Stops accepting, lets requests end within the drain time, stops following, and returns when all is closed. Its
    /// control plane is heard until the last request has ended, so that quotas can be asked for it.
    pub fn stop(self) {
        let RunningGateway { proxy, subscription } = self;
        proxy.empty();
        subscription.stop();
        if let Some(proxy) = Arc::into_inner(proxy) {
            proxy.drain();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_a_member_as_the_one_gateway_that_it_serves() {
        let some = |names: &[&str]| Interest::Gateways(names.iter().map(|name| (*name).into()).collect());

        assert_eq!(
            membership("Edge_1.example-42", &some(&["shop/edge"])),
            Some(("shop/edge".to_owned(), "shop/edge-1-example-42".to_owned()))
        );
        assert_eq!(membership("a", &some(&["shop/edge", "shop/other"])), None);
        assert_eq!(membership("a", &Interest::All), None);
        assert_eq!(label(&"x".repeat(80)).len(), LABEL_BYTES_MAX);
        assert_eq!(label("___"), "gateway");
    }
}
