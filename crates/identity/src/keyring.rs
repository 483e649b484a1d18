//! Pairs by Secret, with the last good one kept.
//!
//! A renewal that goes wrong (half a file, a key of another certificate) must not take a listener down: what
//! was good yesterday still is, so it stays in use while the conditions say what is wrong. It is kept until
//! the Secret itself is gone. Contents are remembered by their hash, because every compile asks again for every
//! Secret and parsing a key costs more than the rest of a small compile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use aws_lc_rs::digest;
use engine::config::KeyPair;

use crate::pair::{self, Validity};

/// Every pair that was ever asked for and whose Secret still exists.
#[derive(Debug, Default)]
pub struct Keyring {
    held: Mutex<HashMap<String, Held>>,
}

/// What is known of one Secret.
#[derive(Debug)]
struct Held {
    content: [u8; 32],
    good: Option<(Arc<KeyPair>, Validity)>,
    problem: Option<String>,
}

/// What can be shown to clients for a Secret, and what is wrong with its present content.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The present pair, or the last good one when the present content is broken.
    pub usable: Option<Arc<KeyPair>>,
    /// What is wrong with the present content.
    pub problem: Option<String>,
}

impl Keyring {
    /// An empty keyring.
    #[must_use]
    pub fn new() -> Keyring {
        Keyring::default()
    }

    /// The pair of the Secret `name` (`namespace/name`), whose content is now `chain` and `key`.
    pub fn find(&self, name: &str, chain: &[u8], key: &[u8]) -> Found {
        let content = fingerprint(chain, key);
        let mut held = self.lock();
        let known = held.get(name).is_some_and(|held| held.content == content);
        if !known {
            let before = held.remove(name).and_then(|held| held.good);
            let now = match pair::parse(name, chain, key) {
                Ok((pair, validity)) => {
                    Held { content, good: Some((Arc::new(pair), validity)), problem: None }
                }
                Err(problem) => Held { content, good: before, problem: Some(problem.to_string()) },
            };
            held.insert(name.to_owned(), now);
        }
        held.get(name).map(Held::found).unwrap_or_default()
    }

    /// Forgets Secrets that are gone, so that a new one under an old name does not inherit its pair.
    pub fn retain(&self, exists: impl Fn(&str) -> bool) {
        self.lock().retain(|name, _| exists(name));
    }

    /// One sentence for each pair that is in use although it is expired or not yet valid, sorted by Secret.
    #[must_use]
    pub fn warnings(&self, now: SystemTime) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .lock()
            .iter()
            .filter_map(|(name, held)| {
                let (_, validity) = held.good.as_ref()?;
                validity.warning(now).map(|warning| format!("Secret {name}: {warning}"))
            })
            .collect();
        warnings.sort();
        warnings
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        // Every change of the map is one insert or remove: a panic elsewhere leaves nothing half done.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn found(&self) -> Found {
        Found { usable: self.good.as_ref().map(|(pair, _)| Arc::clone(pair)), problem: self.problem.clone() }
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
        let keyring = Keyring::new();
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
        let keyring = Keyring::new();
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
        let keyring = Keyring::new();
        let (chain, key) = generated();
        keyring.find("shop/tls", chain.as_bytes(), key.as_bytes());

        keyring.retain(|name| name != "shop/tls");

        assert!(keyring.find("shop/tls", b"", b"").usable.is_none());
    }
}
