//! What a sidecar is told: whose it is, where its control plane is, what stands around it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use discovery::TokenFile;
use proxy::{ControlAddress, LogSink, ServiceBlock};

use super::dns::forward::Others;
use super::health::Check;
use super::workload::Workload;

/// What to run.
#[derive(Debug)]
pub struct SidecarOptions {
    /// Whose sidecar it is.
    pub workload: Workload,
    /// Where control planes are, at least one; any of them will do.
    pub controls: Vec<ControlAddress>,
    /// What to show them, and how to know them.
    pub token: TokenFile,
    /// Where configuration, identity and files are kept.
    pub data: PathBuf,
    /// Worker threads.
    pub workers: usize,
    /// Where readiness, metrics and the configuration are shown; `None` shows them nowhere.
    pub admin: Option<SocketAddr>,
    /// Where access logs go.
    pub access_log: LogSink,
    /// How long requests may take to end after a stop was asked for, first those coming in, at the end those going out.
    pub drain: Duration,
    /// How the application is asked whether it can serve.
    pub health: Check,
    /// The loopback addresses behind which Services are found.
    pub services: ServiceBlock,
    /// Where names are resolved; `None` for nowhere.
    pub dns: Option<SocketAddr>,
    /// Who resolves what is not of the mesh.
    pub others: Others,
    /// The socket of the SPIFFE Workload API; `None` for none.
    pub workload_api: Option<PathBuf>,
}

impl SidecarOptions {
    /// For specs: one worker, free ports, no logs, no health check.
    #[must_use]
    pub fn new(
        workload: Workload,
        control: ControlAddress,
        token: TokenFile,
        data: PathBuf,
    ) -> SidecarOptions {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        SidecarOptions {
            workload,
            controls: vec![control],
            token,
            workers: 1,
            admin: Some(any),
            access_log: LogSink::Off,
            drain: Duration::from_secs(5),
            health: Check::Off,
            services: ServiceBlock::default(),
            dns: Some(any),
            others: Others::Nobody,
            workload_api: Some(data.join(WORKLOAD_API)),
            data,
        }
    }

    /// The address on which the proxy listens that is told no other.
    #[must_use]
    pub fn bind(&self) -> IpAddr {
        self.workload.address
    }
}

/// Where the Workload API is in the data folder.
pub const WORKLOAD_API: &str = "spiffe/workload.sock";
/// Where the last good configuration is in the data folder.
pub const CACHE: &str = "cache";
/// Where usage is counted until the ledger has it.
pub const USAGE: &str = "usage";
/// Where key and certificate are in the data folder.
pub const IDENTITY: &str = "identity";
