//! Pairs by Secret, with the last good one kept.
//!
//! A renewal that goes wrong (half a file, a key of another certificate) must not take a listener down: what
//! was good yesterday still is, so it stays in use while the conditions say what is wrong. It is kept until
//! the Secret itself is gone. Contents are remembered by their hash, because every compile asks again for every
//! Secret and parsing a key costs more than the rest of a small compile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest;
use engine::compile::{Certificates, PairState};
use engine::config::KeyPair;
use model::kinds::Secret;
use model::kinds::secret::{TLS_CRT, TLS_KEY};
use model::resources::Typed;
use rustls_pki_types::CertificateDer;

use crate::pair::{self, Validity};
use crate::roots;

/// Every pair that was ever asked for and whose Secret still exists.
#[derive(Debug, Default)]
pub struct Keyring {
    held: HashMap<String, Held>,
}

/// What is known of one Secret.
#[derive(Debug)]
struct Held {
    content: [u8; 32],
    good: Option<(Arc<KeyPair>, Validity)>,
    problem: Option<String>,
}

impl Keyring {
    /// An empty keyring.
    #[must_use]
    pub fn new() -> Keyring {
        Keyring::default()
    }

    /// The pair of the Secret `name` (`namespace/name`), whose content is now `chain` and `key`.
    pub fn find(&mut self, name: &str, chain: &[u8], key: &[u8]) -> PairState {
        let content = fingerprint(chain, key);
        match self.held.get(name) {
            Some(held) if held.content == content => held.state(),
            Some(_) | None => self.replace(name, content, chain, key),
        }
    }

    fn replace(&mut self, name: &str, content: [u8; 32], chain: &[u8], key: &[u8]) -> PairState {
        let before = self.held.remove(name).and_then(|held| held.good);
        let now = match pair::parse(name, chain, key) {
            Ok((pair, validity)) => Held { content, good: Some((Arc::new(pair), validity)), problem: None },
            Err(problem) => Held { content, good: before, problem: Some(problem.to_string()) },
        };
        let state = now.state();
        self.held.insert(name.to_owned(), now);
        state
    }

    /// Forgets Secrets that are gone, so that a new one under an old name does not inherit its pair.
    pub fn retain(&mut self, exists: impl Fn(&str) -> bool) {
        self.held.retain(|name, _| exists(name));
    }

    /// One sentence for each pair that is in use although it is expired or not yet valid, sorted by Secret.
    #[must_use]
    pub fn warnings(&self, now: SystemTime) -> Vec<String> {
        let warning = |(name, held): (&String, &Held)| {
            let (_, validity) = held.good.as_ref()?;
            validity.warning(now).map(|warning| format!("Secret {name}: {warning}"))
        };
        let mut warnings: Vec<String> = self.held.iter().filter_map(warning).collect();
        warnings.sort();
        warnings
    }
}

impl Certificates for Keyring {
    /// A value that is missing reads as an empty one, which says so.
    fn pair(&mut self, secret: Typed<'_, Secret>) -> PairState {
        let value = |key| secret.content.get(key).unwrap_or_default();
        self.find(&secret.resource.key.place(), value(TLS_CRT), value(TLS_KEY))
    }

    fn roots(&mut self, pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
        roots::parse(pem.as_bytes()).map_err(|problem| problem.to_string())
    }
}

impl Held {
    fn state(&self) -> PairState {
        PairState {
            usable: self.good.as_ref().map(|(pair, _)| Arc::clone(pair)),
            problem: self.problem.clone(),
        }
    }
}

/// The length of the first part keeps `a` + `bc` apart from `ab` + `c`.
fn fingerprint(chain: &[u8], key: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&(chain.len() as u64).to_be_bytes());
    context.update(chain);
    context.update(key);
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generated() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_broken_renewal_keeps_the_last_good_pair_and_says_what_is_wrong() {
        let mut keyring = Keyring::new();
        let (chain, key) = generated();
        let (_, stranger) = generated();
        let good = keyring.find("shop/tls", chain.as_bytes(), key.as_bytes()).usable.expect("a pair");

        let found = keyring.find("shop/tls", chain.as_bytes(), stranger.as_bytes());

        assert!(Arc::ptr_eq(&found.usable.expect("still a pair"), &good));
        assert_eq!(
            found.problem.as_deref(),
            Some("`tls.key` does not belong to the certificate in `tls.crt`")
        );
    }

    #[test]
    fn a_good_renewal_replaces_the_pair_and_the_same_content_does_not() {
        let mut keyring = Keyring::new();
        let (chain, key) = generated();
        let (chain_new, key_new) = generated();
        let first = keyring.find("shop/tls", chain.as_bytes(), key.as_bytes()).usable.expect("a pair");
        let same = keyring.find("shop/tls", chain.as_bytes(), key.as_bytes()).usable.expect("a pair");
        let renewed = keyring.find("shop/tls", chain_new.as_bytes(), key_new.as_bytes());

        assert!(Arc::ptr_eq(&first, &same));
        assert!(!Arc::ptr_eq(&first, &renewed.usable.expect("a pair")));
        assert_eq!(renewed.problem, None);
    }

    #[test]
    fn a_new_secret_does_not_inherit_the_pair_of_a_deleted_one() {
        let mut keyring = Keyring::new();
        let (chain, key) = generated();
        keyring.find("shop/tls", chain.as_bytes(), key.as_bytes());

        keyring.retain(|name| name != "shop/tls");

        assert!(keyring.find("shop/tls", b"", b"").usable.is_none());
    }
}
