//! What a client has proven of itself, for as long as its connection lasts.
//!
//! A change of the configuration closes no connection, so one may be older than what its port asks of clients
//! now. What was shown in its handshake is kept and judged again when that changes: by the first request after
//! the change, and never twice for the same demand.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use engine::config::{ClientValidation, Port, Security};
use identity::Member;
use identity::member::{self, Side, Standing};
use model::spiffe::SpiffeId;
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::clock::Clock;

/// The chain that a client has shown and whose key it has proven to hold.
#[derive(Debug)]
pub struct Vouched {
    chain: Vec<CertificateDer<'static>>,
    /// What the chain was last found to satisfy.
    satisfied: RefCell<Arc<ClientValidation>>,
    /// The identity that it names.
    named: OnceCell<Option<SpiffeId>>,
    /// What was last found of whoever vouches for that.
    belief: Cell<Option<Belief>>,
    /// Its name as a principal.
    fingerprint: OnceCell<Box<str>>,
    /// When it was last found to lead to an anchor of the port, and whether it did; time since the Unix epoch.
    checked: Cell<Option<(Duration, bool)>>,
}

/// For how long a certificate that leads to an anchor is not looked at again.
const CHECKED_FOR: Duration = Duration::from_secs(10);

/// How long an identity is believed, as far as is known now.
#[derive(Clone, Copy, Debug)]
struct Belief {
    /// Of what stood when it was found.
    generation: u64,
    /// Until when, since the Unix epoch; zero when it is not.
    until: Duration,
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
        Some(Box::new(Vouched {
            chain,
            satisfied,
            named: OnceCell::new(),
            belief: Cell::new(None),
            fingerprint: OnceCell::new(),
            checked: Cell::new(None),
        }))
    }

    /// Who the client is, when its certificate names exactly one SPIFFE ID and leads to an anchor of the port. Names of
    /// a mesh that `member` knows are for the roots of that mesh alone to give: whoever else a port trusts to sign
    /// certificates of clients cannot make anybody a member.
    #[must_use]
    pub fn identity(&self, member: &Member, clock: Clock) -> Option<&SpiffeId> {
        let leaf = self.chain.first()?;
        let named = self.named.get_or_init(|| identity::clients::spiffe_id(leaf)).as_ref()?;
        let (now, generation) = (clock.wall(), member.generation());
        let known = self.belief.get().filter(|belief| belief.generation == generation);
        let belief = known.unwrap_or_else(|| {
            let standing = member.standing();
            let until = self.believed_until(named, &standing, now).unwrap_or_default();
            Belief { generation: standing.generation, until }
        });
        self.belief.set(Some(belief));
        (now < belief.until).then_some(named)
    }

    /// `cert:` and the SHA-256 of the client's certificate in hexadecimal, when it leads to an anchor of the port,
    /// which a port that lets everybody in does not promise by itself.
    #[must_use]
    pub fn certificate(&self, clock: Clock) -> Option<&str> {
        let leaf = self.chain.first()?;
        let now = clock.wall();
        let known = self.checked.get().filter(|(at, _)| now.saturating_sub(*at) < CHECKED_FOR);
        let (_, leads) = known.unwrap_or_else(|| {
            let time = UnixTime::since_unix_epoch(now);
            (now, identity::clients::verifies(&self.satisfied.borrow(), &self.chain, time))
        });
        if known.is_none() {
            self.checked.set(Some((now, leads)));
        }
        leads.then(|| &**self.fingerprint.get_or_init(|| identity::clients::fingerprint(leaf).into()))
    }

    /// The client's certificate as PEM (RFC 7468), with what cannot stand in a URL escaped, as proxies hand it on.
    #[must_use]
    pub fn url_encoded_pem(&self) -> String {
        let Some(leaf) = self.chain.first() else { return String::new() };
        let text = base64::engine::general_purpose::STANDARD.encode(leaf);
        let mut pem = "-----BEGIN%20CERTIFICATE-----%0A".to_owned();
        for line in text.as_bytes().chunks(64) {
            for byte in line {
                match byte {
                    b'+' => pem.push_str("%2B"),
                    b'/' => pem.push_str("%2F"),
                    b'=' => pem.push_str("%3D"),
                    plain => pem.push(char::from(*plain)),
                }
            }
            pem.push_str("%0A");
        }
        pem.push_str("-----END%20CERTIFICATE-----%0A");
        pem
    }

    /// `None`: it is not believed. Times are since the Unix epoch.
    fn believed_until(&self, named: &SpiffeId, standing: &Standing, now: Duration) -> Option<Duration> {
        let (leaf, intermediates) = self.chain.split_first()?;
        let time = UnixTime::since_unix_epoch(now);
        if !identity::clients::verifies(&self.satisfied.borrow(), &self.chain, time) {
            return None;
        }
        if standing.bundles.of(named.trust_domain()).is_none() {
            return Some(Duration::MAX);
        }
        let verified = member::judge(leaf, intermediates, Side::Caller, &standing.bundles, time).ok()?;
        Some(verified.expires())
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
        self.belief.set(None);
        self.checked.set(None);
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
