//! The SPIFFE Workload API on a Unix socket: an application that speaks mutual TLS itself gets its identity here.
//!
//! The key leaves the process for this one reader: an application under the same user, or root. The socket's folder is
//! closed to everybody else, and who connects is asked of the kernel, not of them.

mod authority;
pub mod messages;
mod service;

use std::io;
use std::path::Path;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use model::spiffe::SpiffeId;
use os::PrivateSocket;
use rustls::pki_types::CertificateDer;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

use service::Calls;

/// Most connections at once. Past it a connection is closed at once.
pub const CONNECTIONS_MAX: usize = 64;

/// What the workload is, as it is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub id: SpiffeId,
    /// Its certificate and what connects it to a root, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key: PKCS#8, DER.
    pub key: Vec<u8>,
    /// The roots of its trust domain.
    pub roots: Vec<CertificateDer<'static>>,
    /// The roots of other trust domains that it believes.
    pub others: Vec<(String, Vec<CertificateDer<'static>>)>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A socket at which nobody is answered yet.
#[derive(Debug)]
pub struct WorkloadApi {
    listener: UnixListener,
    socket: PrivateSocket,
    calls: Calls,
}

impl WorkloadApi {
    /// Makes the socket, and its folder if there is none. A socket that nobody serves any more is replaced.
    ///
    /// # Errors
    /// The path is too long, somebody else serves it, or the folder cannot be written.
    pub fn bind(path: &Path, identity: watch::Receiver<Option<Arc<Identity>>>) -> io::Result<WorkloadApi> {
        let (socket, listener) = PrivateSocket::bind(path)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(WorkloadApi { listener, socket, calls: Calls::new(identity) })
    }

    /// Answers for as long as it is polled.
    pub async fn run(self) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let Ok(room) = room.clone().try_acquire_owned() else { continue };
            if !self.lets_in(&stream) {
                continue;
            }
            let calls = self.calls.clone();
            tokio::task::spawn(async move {
                let service = service_fn(move |request| calls.clone().answer(request));
                let (readable, carried) = authority::readable(stream);
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(readable), service);
                // A client that breaks off concerns nobody else.
                let _ended = tokio::join!(connection, carried);
                drop(room);
            });
        }
    }

    /// Only ourselves and root: the mode of the socket says the same, but a folder may be opened up by accident.
    fn lets_in(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|peer| self.socket.lets_in(peer.uid()))
    }
}
