//! Who is at the other end of a connection of the mesh, as its certificate has proven.
//!
//! What was proven in a handshake ages: a root is taken out of the trust, a certificate expires, our own is renewed.
//! The connection learns of it here and ends in the way that harms its requests least; see
//! [`crate::state::counterparts`] for who tells it and when.

use std::cell::Cell;
use std::sync::Arc;

use identity::member::{Svid, Verified};

use crate::state::pairs::PairCells;

/// The other end of a connection of the mesh.
#[derive(Debug)]
pub struct Counterpart {
    /// What it has proven.
    pub verified: Verified,
    /// The server name that was asked for: service and port.
    pub server_name: Arc<str>,
    /// What we have shown ourselves.
    pub shown: Arc<Svid>,
    /// The application's `x-forwarded-client-cert` for requests of this connection (Envoy's format).
    pub forwarded: Box<str>,
    /// Its counters, if it is the one that called.
    pub counted: Option<Arc<PairCells>>,
    retires: Cell<bool>,
}

impl Counterpart {
    /// The other end, after a handshake in which we have shown `shown`.
    #[must_use]
    pub fn new(
        verified: Verified,
        server_name: &str,
        shown: Arc<Svid>,
        counted: Option<Arc<PairCells>>,
    ) -> Counterpart {
        let forwarded = forwarded(&verified, &shown);
        let (server_name, retires) = (server_name.into(), Cell::new(false));
        Counterpart { verified, server_name, shown, forwarded, counted, retires }
    }

    /// From now on the connection ends when nothing is under way on it.
    pub fn retire(&self) {
        self.retires.set(true);
    }

    /// Whether the connection takes no further request.
    #[inline]
    #[must_use]
    pub fn retires(&self) -> bool {
        self.retires.get()
    }
}

/// `By` is who was called, `Hash` the SHA-256 of the caller's certificate, `URI` its identity, `DNS` its replica. None
/// of the values has a letter that would need quotes: identities are strict, and replicas are names of objects.
fn forwarded(verified: &Verified, shown: &Svid) -> Box<str> {
    use std::fmt::Write;
    let mut text = format!("By={};Hash=", shown.identity());
    for byte in verified.digest {
        let _ = write!(text, "{byte:02x}"); // Writing to a string cannot fail.
    }
    let _ = write!(text, ";URI={}", verified.identity);
    if let Some((namespace, workload)) = verified.replica.as_deref().and_then(|name| name.split_once('/')) {
        let _ = write!(text, ";DNS={workload}.{namespace}.{}", verified.identity.trust_domain());
    }
    text.into_boxed_str()
}
