//! A certificate chain and a private key become a pair that is known to belong together.
//!
//! A pair that does not match is found here, when it is configured, and not by the first client. Expiry is
//! only a warning: an expired certificate still tells an operator more than a refused handshake would, and
//! renewing it must not depend on the order in which things happen.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use engine::config::KeyPair;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::pem::{self, PemProblem};

/// Why two PEM texts do not make a usable pair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairProblem {
    /// The certificate text cannot be read.
    #[error("`tls.crt` {0}")]
    Chain(PemProblem),
    /// The key text cannot be read.
    #[error("`tls.key` {0}")]
    Key(PemProblem),
    /// The PEM is sound, but what it holds is no X.509 certificate.
    #[error("`tls.crt`: certificate {position} is not X.509 ({what})")]
    NotX509 {
        /// Position in the chain, counted from 1.
        position: usize,
        /// What the parser said.
        what: String,
    },
    /// The key is of a kind or size that TLS cannot use.
    #[error(
        "`tls.key` holds a key that TLS cannot use ({0}); use ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more"
    )]
    KeyUnusable(String),
    /// The key belongs to another certificate of the same chain.
    #[error("`tls.key` belongs to certificate {position} of `tls.crt`; put that one first")]
    LeafNotFirst {
        /// Position of the certificate the key belongs to, counted from 1.
        position: usize,
    },
    /// The key belongs to none of the certificates.
    #[error("`tls.key` does not belong to the certificate in `tls.crt`")]
    Mismatch,
}

/// When the first certificate of a chain is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Valid from.
    pub not_before: SystemTime,
    /// Valid until.
    pub not_after: SystemTime,
}

impl Validity {
    /// A warning when the certificate is not valid at `now`.
    #[must_use]
    pub fn warning(&self, now: SystemTime) -> Option<String> {
        if let Ok(ago) = now.duration_since(self.not_after) {
            return Some(format!("the certificate expired {} ago", whole(ago)));
        }
        let ahead = self.not_before.duration_since(now).ok()?;
        (!ahead.is_zero()).then(|| format!("the certificate is not valid for another {}", whole(ahead)))
    }
}

/// The largest whole unit, for people.
fn whole(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Reads both texts and checks that the key belongs to the first certificate. `name` goes into logs.
pub fn parse(name: &str, chain: &[u8], key: &[u8]) -> Result<(KeyPair, Validity), PairProblem> {
    let chain = pem::certificates(chain).map_err(PairProblem::Chain)?;
    let key = pem::private_key(key).map_err(PairProblem::Key)?;
    let validity = check_chain(&chain)?;
    let pair = KeyPair { name: Arc::from(name), chain, key };
    certified(&pair)?;
    Ok((pair, validity))
}

/// The pair as rustls wants it.
pub fn certified(pair: &KeyPair) -> Result<CertifiedKey, PairProblem> {
    let signing = crate::provider()
        .key_provider
        .load_private_key(pair.key.clone_key())
        .map_err(|error| PairProblem::KeyUnusable(error.to_string()))?;
    let certified = CertifiedKey::new(pair.chain.clone(), signing);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(_) => Err(owner_of_key(&certified)
            .map_or(PairProblem::Mismatch, |at| PairProblem::LeafNotFirst { position: at + 1 })),
    }
}

/// Position of the certificate in the chain that the key does belong to.
fn owner_of_key(certified: &CertifiedKey) -> Option<usize> {
    certified.cert.iter().position(|certificate| {
        CertifiedKey::new(vec![certificate.clone()], Arc::clone(&certified.key)).keys_match().is_ok()
    })
}

fn check_chain(chain: &[CertificateDer<'static>]) -> Result<Validity, PairProblem> {
    let mut leaf = None;
    for (at, certificate) in chain.iter().enumerate() {
        let (rest, parsed) = X509Certificate::from_der(certificate)
            .map_err(|error| PairProblem::NotX509 { position: at + 1, what: error.to_string() })?;
        if !rest.is_empty() {
            return Err(PairProblem::NotX509 { position: at + 1, what: "bytes after its end".to_owned() });
        }
        leaf.get_or_insert(Validity {
            not_before: moment(parsed.validity().not_before.timestamp()),
            not_after: moment(parsed.validity().not_after.timestamp()),
        });
    }
    leaf.ok_or(PairProblem::Chain(PemProblem::Empty))
}

fn moment(unix_seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(unix_seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (chain, key) = generated();
        let (_, stranger) = generated();

        assert!(parse("shop/tls", chain.as_bytes(), key.as_bytes()).is_ok());
        let refused = parse("shop/tls", chain.as_bytes(), stranger.as_bytes()).expect_err("a stranger's key");
        assert_eq!(refused, PairProblem::Mismatch);
    }

    #[test]
    fn a_chain_that_does_not_begin_with_the_leaf_says_which_certificate_to_move() {
        let (leaf, key) = generated();
        let (authority, _) = generated();

        let refused = parse("shop/tls", format!("{authority}{leaf}").as_bytes(), key.as_bytes())
            .expect_err("the leaf is second");
        assert_eq!(refused, PairProblem::LeafNotFirst { position: 2 });
    }

    #[test]
    fn bytes_that_are_not_x509_are_refused_by_position() {
        let (chain, key) = generated();
        let garbage = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";

        let refused =
            parse("shop/tls", format!("{chain}{garbage}").as_bytes(), key.as_bytes()).expect_err("garbage");
        assert!(refused.to_string().starts_with("`tls.crt`: certificate 2 is not X.509"), "{refused}");
    }

    #[test]
    fn expiry_warns_and_does_not_refuse() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let validity = Validity { not_before: start, not_after: start + Duration::from_secs(100) };

        assert_eq!(validity.warning(start), None);
        assert_eq!(
            validity.warning(start + Duration::from_secs(86_400 * 3)).as_deref(),
            Some("the certificate expired 2 days ago")
        );
        assert_eq!(
            validity.warning(start - Duration::from_secs(1)).as_deref(),
            Some("the certificate is not valid for another 1 second")
        );
    }
}
