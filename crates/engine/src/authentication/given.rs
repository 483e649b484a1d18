//! Keys and password hashes that stand in Secrets, for places with few callers.
//!
//! Keys are compared with all that there are and in full, so that the time it takes tells nothing of how near a guess
//! was. That bounds how many there can be; the keys of applications are found by their fingerprints instead.

use std::fmt;
use std::sync::Arc;

use model::kinds::Secret;

/// Most entries of a Secret with keys or passwords. Past it the policy that names the Secret lets nobody in.
pub const GIVEN_MAX: usize = 256;
/// Least bytes of a key. A shorter one could be guessed.
pub const KEY_BYTES_MIN: usize = 16;
/// Most bytes of a key.
pub const KEY_BYTES_MAX: usize = 512;

/// Keys by the names of those who have them.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenKeys(Box<[GivenKey]>);

/// Whose it is, and the key.
type GivenKey = (Arc<str>, Arc<[u8]>);

/// Hashes of passwords by the names of those who have them, sorted.
#[derive(Clone, PartialEq, Eq)]
pub struct Passwords(Box<[Password]>);

#[derive(Clone, PartialEq, Eq)]
struct Password {
    name: Arc<str>,
    principal: Arc<str>,
    hash: Arc<str>,
}

impl GivenKeys {
    /// The keys of a Secret.
    ///
    /// # Errors
    /// It holds none, too many, or one that is too short or too long.
    pub fn of(secret: &Secret, principal: impl Fn(&str) -> Arc<str>) -> Result<GivenKeys, String> {
        let mut keys = Vec::new();
        for (name, value) in entries(secret)? {
            let key = value.trim_ascii_end();
            if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
                return Err(format!(
                    "the key of `{name}` has {} bytes; {KEY_BYTES_MIN} to {KEY_BYTES_MAX} are possible",
                    key.len()
                ));
            }
            keys.push((principal(name), key.into()));
        }
        Ok(GivenKeys(keys.into()))
    }

    /// Whose key it is.
    #[must_use]
    pub fn find(&self, shown: &[u8]) -> Option<&Arc<str>> {
        let mut found = None;
        for (name, key) in &self.0 {
            if same(key, shown) {
                found = Some(name);
            }
        }
        found
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none, which [`GivenKeys::of`] refuses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Compares without a way out in between. Only the length shows.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && std::hint::black_box(one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b))) == 0
}

impl Passwords {
    /// The hashes of a Secret.
    ///
    /// # Errors
    /// It holds none, too many, or one that is no hash.
    pub fn of(secret: &Secret, principal: impl Fn(&str) -> Arc<str>) -> Result<Passwords, String> {
        let mut hashes = Vec::new();
        for (name, value) in entries(secret)? {
            let text = std::str::from_utf8(value.trim_ascii()).unwrap_or_default();
            if !is_bcrypt(text) {
                return Err(format!(
                    "the value of `{name}` is no bcrypt hash of cost 8 to 14; `htpasswd -nB {name}` makes one"
                ));
            }
            hashes.push(Password { name: name.into(), principal: principal(name), hash: text.into() });
        }
        Ok(Passwords(hashes.into()))
    }

    /// The principal with a name, and the hash of its password.
    #[must_use]
    pub fn of_name(&self, name: &str) -> Option<(&Arc<str>, &Arc<str>)> {
        let at = self.0.binary_search_by(|known| (*known.name).cmp(name)).ok()?;
        let Password { principal, hash, .. } = &self.0[at];
        Some((principal, hash))
    }

    /// Some hash, to be verified in vain where a name is unknown: what is not there must take as long as what is.
    #[must_use]
    pub fn any(&self) -> Option<&Arc<str>> {
        self.0.first().map(|password| &password.hash)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none, which [`Passwords::of`] refuses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `$2b$12$`, then 53 characters of salt and hash. A cheap one could be guessed, and a dear one keeps a worker's help
/// busy for seconds.
fn is_bcrypt(text: &str) -> bool {
    let mut parts = text.split('$').skip(1);
    let version = parts.next().is_some_and(|version| ["2a", "2b", "2y"].contains(&version));
    let cost = parts.next().filter(|cost| cost.len() == 2).and_then(|cost| cost.parse::<u8>().ok());
    let rest = parts.next().is_some_and(|rest| rest.len() == 53 && rest.is_ascii());
    text.starts_with('$') && version && cost.is_some_and(|cost| (8..=14).contains(&cost)) && rest
}

fn entries(secret: &Secret) -> Result<impl Iterator<Item = (&str, &[u8])>, String> {
    if secret.data.is_empty() || secret.data.len() > GIVEN_MAX {
        return Err(format!("it has {} entries; 1 to {GIVEN_MAX} are possible", secret.data.len()));
    }
    Ok(secret.data.iter().map(|(name, value)| (&**name, &**value)))
}

/// Neither is ever shown.
impl fmt::Debug for GivenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|password| &password.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(entries: &[(&str, &str)]) -> Secret {
        let entry = |(name, value): &(&str, &str)| (Arc::from(*name), Arc::from(value.as_bytes()));
        Secret {
            secret_type: "policy.selvedge.dev/api-keys".into(),
            data: entries.iter().map(entry).collect(),
        }
    }

    #[test]
    fn a_key_is_found_whole_and_never_shown() {
        let secret = secret(&[("one", "0123456789abcdef\n"), ("two", "fedcba9876543210")]);
        let keys = GivenKeys::of(&secret, |name| name.into()).expect("keys");

        assert_eq!(keys.find(b"fedcba9876543210").map(|name| &**name), Some("two"));
        assert_eq!(keys.find(b"0123456789abcdef").map(|name| &**name), Some("one"));
        assert_eq!(keys.find(b"0123456789abcde"), None);
        assert_eq!(keys.find(b""), None);
        assert!(!format!("{keys:?}").contains("0123"));
    }

    #[test]
    fn what_could_be_guessed_is_no_key_and_no_hash() {
        assert!(GivenKeys::of(&secret(&[("one", "short")]), |name| name.into()).is_err());
        assert!(GivenKeys::of(&secret(&[]), |name| name.into()).is_err());
        let hash = "$2y$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234";
        assert_eq!(hash.len(), 60);
        assert!(Passwords::of(&secret(&[("kim", hash)]), |name| name.into()).is_ok());
        for bad in [
            "secret",
            "$apr1$abc$def",
            "{SHA}abc=",
            &hash.replace("$10$", "$04$"),
            &hash.replace("$10$", "$31$"),
        ] {
            assert!(Passwords::of(&secret(&[("kim", bad)]), |name| name.into()).is_err(), "{bad}");
        }
    }
}
