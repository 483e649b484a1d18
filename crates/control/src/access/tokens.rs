//! Bearer tokens: 256 random bits that are shown once. Only the digest is kept, in an `AccessToken` like any other
//! object: it is seen by every control plane, audited, and ends when it is deleted.
//!
//! A digest without salt or stretching is enough, because there is nothing to guess: nobody chose the token.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Resources;
use model::kinds::{AccessToken, KindName};
use model::units::Moment;
use serde_json::{Value, json};

use super::user::{AUTHENTICATED, User};

/// What a token begins with, so that searches for leaked secrets find it.
pub const PREFIX: &str = "selvedge_";

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// Longest text that is taken for a token, in bytes. Past it it is not even looked up.
pub const TOKEN_TEXT_BYTES_MAX: usize = 256;

/// A new token. Its text is shown to one person or written to one file, and then forgotten.
#[derive(Clone)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The system gave no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoChance;

impl Token {
    /// A token that nobody has had before.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new() -> Result<Token, NoChance> {
        let mut bytes = [0; TOKEN_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoChance)?;
        Ok(Token(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The object that makes it good, for a user and the groups that are theirs beside that of everybody.
    #[must_use]
    pub fn object(&self, name: &str, user: &User, expires_at: Option<&str>) -> Value {
        let groups: Vec<&str> =
            user.groups.iter().map(|group| &**group).filter(|group| *group != AUTHENTICATED).collect();
        let mut spec = json!({ "user": &*user.name, "groups": groups, "digest": self.digest() });
        if let Some(expires_at) = expires_at {
            spec["expiresAt"] = expires_at.into();
        }
        let api_version = KindName::AccessToken.api_version();
        json!({ "apiVersion": api_version, "kind": "AccessToken", "metadata": { "name": name }, "spec": spec })
    }

    /// What is kept of it: `spec.digest`.
    #[must_use]
    pub fn digest(&self) -> String {
        digest_of(&self.0)
    }
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nobody has it, or has it any more.
    #[error("the token is not known")]
    Unknown,
    /// It was good until then.
    #[error("the token has expired")]
    Expired,
}

/// All tokens at one moment.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    by_digest: HashMap<Arc<str>, (User, Option<Moment>)>,
}

impl Tokens {
    /// Arranges tokens by their digests. Of two objects with the same digest neither counts: they contradict each
    /// other.
    #[must_use]
    pub fn of(resources: &Resources) -> Tokens {
        let mut seen: HashMap<Arc<str>, Option<(User, Option<Moment>)>> = HashMap::new();
        for token in resources.all::<AccessToken>() {
            let spec = &token.content.spec;
            let user = User::new(spec.user.clone(), spec.groups.iter().cloned());
            seen.entry(spec.digest.clone())
                .and_modify(|both| *both = None)
                .or_insert(Some((user, spec.expires_at)));
        }
        let known = seen.into_iter().filter_map(|(digest, known)| Some((digest, known?)));
        Tokens { by_digest: known.collect() }
    }

    /// Whose token it is. Which digests are near to that of a wrong token tells nothing about right ones, so that the
    /// time of the look-up may be seen.
    ///
    /// # Errors
    /// When it is nobody's, or nobody's any more.
    pub fn user(&self, token: &str, now: Moment) -> Result<&User, TokenError> {
        if token.len() > TOKEN_TEXT_BYTES_MAX {
            return Err(TokenError::Unknown);
        }
        let (user, expires) = self.by_digest.get(&*digest_of(token)).ok_or(TokenError::Unknown)?;
        match expires {
            Some(end) if *end <= now => Err(TokenError::Expired),
            Some(_) | None => Ok(user),
        }
    }
}

/// What is kept of a token: SHA-256 in hexadecimal.
#[must_use]
pub fn digest_of(token: &str) -> String {
    digest(&SHA256, token.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
