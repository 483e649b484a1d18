//! What clients are shown: a certificate that is made anew, without a restart, long before it ends.
//!
//! Its key lives in memory only. It is looked at on each handshake rather than by a timer, so a machine that slept
//! through the moment serves nothing stale.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

use super::authority::{Authority, AuthorityError, LEAF_LASTS};
use super::clients::Clients;
use super::peer::Members;
use crate::clock::Clock;

/// A certificate is made anew when this much of its life is left.
const RENEW_BEFORE_END: Duration = Duration::from_secs(LEAF_LASTS.as_secs() / 3);

/// The certificate of a server.
struct Serving {
    authority: Arc<Authority>,
    names: Vec<String>,
    clock: Clock,
    current: RwLock<Current>,
}

struct Current {
    key: Arc<CertifiedKey>,
    renew_at: SystemTime,
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Serving {
    fn new(authority: Arc<Authority>, names: Vec<String>, clock: Clock) -> Result<Serving, AuthorityError> {
        let current = RwLock::new(make(&authority, &names, clock.now())?);
        Ok(Serving { authority, names, clock, current })
    }

    fn key(&self) -> Arc<CertifiedKey> {
        let now = self.clock.now();
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if now < current.renew_at {
            return Arc::clone(&current.key);
        }
        drop(current);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Names that made one certificate make the next; should it fail all the same, the old one is the better one.
        if now >= current.renew_at
            && let Ok(next) = make(&self.authority, &self.names, now)
        {
            *current = next;
        }
        Arc::clone(&current.key)
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key())
    }
}

fn make(authority: &Authority, names: &[String], now: SystemTime) -> Result<Current, AuthorityError> {
    let pair = authority.server(names, now)?;
    let key = identity::pair::certified(&pair).map_err(|problem| AuthorityError::Damaged {
        path: "the serving certificate".into(),
        fault: problem.to_string(),
    })?;
    Ok(Current { key: Arc::new(key), renew_at: now + LEAF_LASTS - RENEW_BEFORE_END })
}

/// TLS settings of a listener of the control plane: our certificate, and client certificates of our own authority
/// or of members of our meshes for whoever has one. Nothing is resumed, because a resumed session would not be
/// verified again.
///
/// # Errors
/// When a name is none, or no key can be made.
pub fn settings(
    authority: &Arc<Authority>,
    names: Vec<String>,
    members: Option<Arc<dyn Members>>,
    clock: Clock,
) -> Result<rustls::ServerConfig, AuthorityError> {
    let unusable = |fault: String| AuthorityError::Damaged { path: "ca.crt".into(), fault };
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone()).map_err(|fault| unusable(fault.to_string()))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), identity::provider())
        .allow_unauthenticated()
        .build()
        .map_err(|fault| unusable(fault.to_string()))?;
    let verifier = match members {
        None => verifier,
        Some(members) => Arc::new(Clients { own: verifier, members }),
    };
    let serving = Serving::new(Arc::clone(authority), names, clock)?;
    let mut settings = rustls::ServerConfig::builder_with_provider(identity::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|fault| unusable(fault.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(serving));
    settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    settings.session_storage = Arc::new(NoServerSessionStorage {});
    settings.send_tls13_tickets = 0;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn the_certificate_is_replaced_before_it_ends_and_not_earlier() {
        let days = Arc::new(AtomicU64::new(20_000));
        let told = Arc::clone(&days);
        let clock = Clock::new(move || {
            SystemTime::UNIX_EPOCH + Duration::from_secs(told.load(Ordering::Relaxed) * 86_400)
        });
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Arc::new(Authority::open(folder.path(), clock.now()).expect("made"));
        let serving = Serving::new(authority, vec!["localhost".to_owned()], clock).expect("made");
        let first = serving.key();

        days.fetch_add(240, Ordering::Relaxed);
        assert!(Arc::ptr_eq(&first, &serving.key()), "two thirds of its life are not over yet");

        days.fetch_add(10, Ordering::Relaxed);
        let second = serving.key();
        assert!(!Arc::ptr_eq(&first, &second), "it should have been made anew");
        assert!(Arc::ptr_eq(&second, &serving.key()));
    }
}
