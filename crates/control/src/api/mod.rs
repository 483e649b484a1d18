//! The Kubernetes API without Kubernetes: what `kubectl` and every client library speak, over TLS.
//!
//! [`routes`] is the table of what there is, [`dispatch`] the order in which a request is treated, [`access`] decides
//! who may, and [`verbs`] are what is done. What happens to an object (patches, defaults, owners of fields) is the work
//! of [`crate::objects`], which knows no request; what is kept is the store's. Nothing here knows what a Gateway is.

pub mod accept;
pub mod access;
mod answer;
pub mod beside;
mod dispatch;
mod documents;
mod events;
pub mod home;
mod incoming;
mod inside;
pub mod kubeconfig;
pub mod limits;
mod protobuf;
mod query;
mod review;
pub mod routes;
mod server;
mod stalled;
mod state;
mod telling;
pub mod tls;
pub mod unread;
mod verbs;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

pub use access::{AdminsOnly, Authenticator, Authorizer};
pub use beside::Beside;
pub use events::EVENTS;
pub use inside::Inside;
pub use limits::Limits;
pub(crate) use query::Query;
use state::{State, Watches};
use tls::{Authority, AuthorityError, Members};
pub use verbs::{CONTENTS, FOREGROUND, ORPHAN};

use crate::clock::Clock;
use crate::told::Told;
use crate::world::World;

/// What an API server must know from the start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names and addresses by which clients reach it, besides the one it listens on and those of this machine.
    pub names: Vec<String>,
    /// Signs its certificate and those of clients.
    pub authority: Arc<Authority>,
    /// Who asks.
    pub authenticator: Arc<dyn Authenticator>,
    /// Whether they may.
    pub authorizer: Arc<dyn Authorizer>,
    /// The bounds.
    pub limits: Limits,
    /// The time of day.
    pub clock: Clock,
    /// Who else is served at the same address.
    pub beside: Vec<Arc<dyn Beside>>,
    /// What the control plane tells about itself; without it those paths do not exist.
    pub told: Option<Told>,
    /// Members of meshes, whose certificates are taken as those of users; without it they are not.
    pub members: Option<Arc<dyn Members>>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot listen.
    #[error("cannot listen on {address}: {fault}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        fault: io::Error,
    },
    /// It has no certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// A server that runs. Dropping it ends it at once; [`Api::stop`] lets what is under way end.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    writing: JoinHandle<()>,
}

/// Serves the objects of a world.
///
/// # Errors
/// When it cannot listen, or has no certificate.
pub async fn serve(world: Arc<World>, options: Options) -> Result<Api, StartError> {
    let Options { listen, names, authority, authenticator, authorizer, limits, clock, beside, told, members } =
        options;
    let fault = |fault| StartError::Listen { address: listen, fault };
    let listener = server::bind(listen).await.map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    let tls = tls::serving::settings(&authority, names_of(address, names), members.clone(), clock.clone())?;
    let (audit, writer) = access::audit::audit(Arc::clone(world.store()), clock.clone());
    let (stop, stopping) = watch::channel(false);
    let state = Arc::new(State {
        world,
        limits,
        clock,
        authenticator,
        authorizer,
        audit,
        stopping,
        requests: Arc::new(Semaphore::new(limits.requests_max)),
        watches: Watches::default(),
        beside,
        told,
        members,
    });
    let serving = tokio::spawn(server::run(listener, Arc::new(tls), state));
    let writing = tokio::spawn(writer.run());
    Ok(Api { address, stop, serving, writing })
}

impl Api {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, ends watches, lets requests under way end, and writes what the audit log still waits
    /// for.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // A task that panicked has ended as well.
        let _ended = (&mut self.serving).await;
        let _ended = (&mut self.writing).await;
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
        self.writing.abort();
    }
}

/// The names in the certificate: those of this machine that clients on it use, and what was asked for.
fn names_of(address: SocketAddr, mut names: Vec<String>) -> Vec<String> {
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    if !address.ip().is_unspecified() {
        names.push(address.ip().to_string());
    }
    names.sort();
    names.dedup();
    names
}
