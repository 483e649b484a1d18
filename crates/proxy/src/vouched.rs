//! What a client has proven of itself, for as long as its connection lasts.
//!
//! A change of the configuration closes no connection, so one may be older than what its port asks of clients
//! now. What was shown in its handshake is kept and judged again when that changes: by the first request after
//! the change, and never twice for the same demand.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use engine::config::{ClientValidation, Port, Security};
use rustls_pki_types::{CertificateDer, UnixTime};

/// The chain that a client has shown and whose key it has proven to hold.
#[derive(Debug)]
pub struct Vouched {
    chain: Vec<CertificateDer<'static>>,
    /// What the chain was last found to satisfy.
    satisfied: RefCell<Arc<ClientValidation>>,
}

impl Vouched {
    /// What a client has shown in a handshake that was judged by `validation`; `None` when that is nothing.
    #[must_use]
    pub fn by_handshake(
        chain: Option<&[CertificateDer<'_>]>,
        validation: Option<&Arc<ClientValidation>>,
    ) -> Option<Box<Vouched>> {
        let chain = chain?.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Some(Box::new(Vouched { chain, satisfied: RefCell::new(validation?.clone()) }))
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
