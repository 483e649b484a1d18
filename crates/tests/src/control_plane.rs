//! A control plane for other people's clients: its API on a port of its own, its files in a folder of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use control::api::beside::Door;
use control::clock::Clock;
use control::server::{self, Server, ServerOptions};
use tempfile::TempDir;

use crate::until::within;

/// A control plane that runs.
#[derive(Debug)]
pub struct ControlPlane {
    server: Server,
    folder: TempDir,
}

impl ControlPlane {
    /// Starts one without any object.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> ControlPlane {
        let folder = tempfile::tempdir().expect("a folder");
        let server = serve(folder.path(), (Ipv4Addr::LOCALHOST, 0).into()).await;
        ControlPlane { server, folder }
    }

    /// Stops it; what it holds is kept.
    pub async fn stop(self) -> Stopped {
        let ControlPlane { server, folder } = self;
        let address = server.address();
        server.stop().await;
        Stopped { address, folder }
    }

    /// Stops it and starts another one with the same files at the same address.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(self) -> ControlPlane {
        self.stop().await.start().await
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.server.kubeconfig().to_owned()
    }

    /// Where its API, the stream for gateways and the console are.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The token file of gateways.
    #[must_use]
    pub fn gateway_token(&self) -> PathBuf {
        self.server.gateway_token().to_owned()
    }

    /// Everything that it serves beside its API, and who is let in.
    #[must_use]
    pub fn doors(&self) -> &[Door] {
        self.server.doors()
    }

    /// A folder for files of the test.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A control plane that does not run. Its port may be taken by somebody else meanwhile, though by no other spec.
#[derive(Debug)]
pub struct Stopped {
    address: SocketAddr,
    folder: TempDir,
}

impl Stopped {
    /// Starts another one with the same files at the same address.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(self) -> ControlPlane {
        let Stopped { address, folder } = self;
        let server = within("the control plane to start again", serve(folder.path(), address)).await;
        ControlPlane { server: server.unwrap_or_else(|problem| panic!("{problem}")), folder }
    }
}

/// The store of one that has just stopped closes its file a moment later, and its port may be held as long.
async fn serve(data: &Path, listen: SocketAddr) -> Server {
    loop {
        let options = ServerOptions {
            data: data.to_owned(),
            database: None,
            listen,
            may_move: false,
            names: Vec::new(),
            bind: Ipv4Addr::LOCALHOST.into(),
            keeps_config: false,
            clock: Clock::system(),
            beside: vec![selvedge::console::pages(Clock::system())],
        };
        match server::start(options).await {
            Ok(server) => return server,
            Err(fault) if is_passing(&fault.to_string()) => tokio::task::yield_now().await,
            Err(fault) => panic!("{fault}"),
        }
    }
}

fn is_passing(fault: &str) -> bool {
    ["another process", "in use"].iter().any(|sign| fault.contains(sign))
}
