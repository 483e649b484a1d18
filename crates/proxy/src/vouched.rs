//! What a client has proven of itself, for as long as its connection lasts.
//!
//! A change of the configuration closes no connection, so one may be older than what its port asks of clients
//! now. What was shown in its handshake is kept and judged again when that changes: by the first request after
//! the change, and never twice for the same demand.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use engine::config::{ClientValidation, Port, Security};
use model::spiffe::SpiffeId;
use rustls_pki_types::{CertificateDer, UnixTime};

/// The chain that a client has shown and whose key it has proven to hold.
#[derive(Debug)]
pub struct Vouched {
    chain: Vec<CertificateDer<'static>>,
    /// What the chain was last found to satisfy.
    satisfied: RefCell<Arc<ClientValidation>>,
    /// The identity that it names.
    named: OnceCell<Option<SpiffeId>>,
    /// Whether the chain leads to an anchor of what it satisfies: some ports let everybody in.
    verified: Cell<Option<bool>>,
}

impl Vouched {
    /// What a client has shown in a handshake that was judged by `validation`; `None` when that is nothing.
    #[must_use]
    pub fn by_handshake(
        chain: Option<&[CertificateDer<'_>]>,
        validation: Option<&Arc<ClientValidation>>,
    ) -> Option<Box<Vouched>> {
        let chain = chain?.iter().map(|certificate| certificate.clone().into_owned()).collect();
        let satisfied = RefCell::new(validation?.clone());
        Some(Box::new(Vouched { chain, satisfied, named: OnceCell::new(), verified: Cell::new(None) }))
    }

    /// Who the client is, when its certificate names exactly one SPIFFE ID and leads to an anchor of the port. `unix`
    /// tells the time since the Unix epoch.
    #[must_use]
    pub fn identity(&self, unix: impl FnOnce() -> Duration) -> Option<&SpiffeId> {
        let leaf = self.chain.first()?;
        let named = self.named.get_or_init(|| identity::clients::spiffe_id(leaf)).as_ref()?;
        let verified = self.verified.get().unwrap_or_else(|| {
            let now = UnixTime::since_unix_epoch(unix());
            let verified = identity::clients::verifies(&self.satisfied.borrow(), &self.chain, now);
            self.verified.set(Some(verified));
            verified
        });
        verified.then_some(named)
    }

    fn satisfies(&self, asked: &Arc<ClientValidation>, unix: Duration) -> bool {
        if Arc::ptr_eq(&self.satisfied.borrow(), asked) {
            return true;
        }
        let same = *self.satisfied.borrow() == *asked;
        if !same && !identity::clients::lets_in(asked, &self.chain, UnixTime::since_unix_epoch(unix)) {
            return false;
        }
        self.satisfied.replace(asked.clone());
        self.verified.set(None);
        true
    }
}

/// Whether a client that has proven this much may ask for something on a port. `unix` tells the time since the
/// Unix epoch.
#[inline]
#[must_use]
pub fn may_ask(port: &Port, vouched: Option<&Vouched>, unix: impl FnOnce() -> Duration) -> bool {
    let Security::Tls(tls) = &port.security else { return true };
    let Some(asked) = &tls.client_validation else { return true };
    match vouched {
        Some(vouched) => vouched.satisfies(asked, unix()),
        None => identity::clients::lets_in(asked, &[], UnixTime::since_unix_epoch(unix())),
    }
}
