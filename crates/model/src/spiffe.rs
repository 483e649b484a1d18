//! Identities of the mesh: SPIFFE IDs.
//!
//! An identity decides who may call whom, so it has exactly one spelling: what could be read in two ways is refused
//! where it enters, and from then on identities are compared byte for byte.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::violation::Problem;

/// Longest SPIFFE ID, in bytes (SPIFFE ID section 2.3).
pub const ID_BYTES_MAX: usize = 2_048;
/// Longest trust domain, in bytes (SPIFFE ID section 2.3).
pub const TRUST_DOMAIN_BYTES_MAX: usize = 255;

/// What the service account of a gateway begins with, followed by the name of its Gateway.
pub const GATEWAY_ACCOUNT: &str = "gateway-";

/// A SPIFFE ID: `spiffe://trust-domain/path`, in the one spelling that the standard allows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct SpiffeId(Arc<str>);

/// The scheme, with which every ID begins.
const SCHEME: &str = "spiffe://";

impl SpiffeId {
    /// The ID of everything that runs under a service account:
    /// `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
    ///
    /// # Errors
    /// A part has a letter that an ID cannot have, or the whole is too long.
    pub fn of_service_account(
        trust_domain: &str,
        namespace: &str,
        service_account: &str,
    ) -> Result<SpiffeId, Problem> {
        for part in [trust_domain, namespace, service_account] {
            // A slash would let one part speak for another.
            if part.contains('/') {
                return Err(refused(part, "a part of it has a `/`"));
            }
        }
        format!("{SCHEME}{trust_domain}/ns/{namespace}/sa/{service_account}").parse()
    }

    /// The whole ID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.split().0
    }

    /// What stands behind the trust domain, without the first slash; empty for the ID of the trust domain itself.
    #[must_use]
    pub fn path(&self) -> &str {
        self.split().1
    }

    /// The namespace, when the path is that of a service account.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        Some(self.account()?.0)
    }

    /// The service account, when the path is that of one.
    #[must_use]
    pub fn service_account(&self) -> Option<&str> {
        Some(self.account()?.1)
    }

    fn account(&self) -> Option<(&str, &str)> {
        let (namespace, account) = self.path().strip_prefix("ns/")?.split_once("/sa/")?;
        (!namespace.contains('/') && !account.contains('/')).then_some((namespace, account))
    }

    fn split(&self) -> (&str, &str) {
        let rest = self.0.strip_prefix(SCHEME).unwrap_or_default();
        rest.split_once('/').unwrap_or((rest, ""))
    }
}

/// Whether a text is a trust domain: lower-case letters, digits, `.`, `-` and `_` (SPIFFE ID section 2.1).
#[must_use]
pub fn is_trust_domain(text: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    (1..=TRUST_DOMAIN_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits)
}

impl TryFrom<Arc<str>> for SpiffeId {
    type Error = Problem;

    fn try_from(text: Arc<str>) -> Result<Self, Problem> {
        if text.len() > ID_BYTES_MAX {
            return Err(refused(&text, "it is longer than 2048 bytes"));
        }
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Err(refused(&text, "it does not begin with `spiffe://`"));
        };
        let (trust_domain, path) = match rest.split_once('/') {
            Some((trust_domain, path)) => (trust_domain, Some(path)),
            None => (rest, None),
        };
        if !is_trust_domain(trust_domain) {
            return Err(refused(
                &text,
                "its trust domain is not made of lower-case letters, digits, `.`, `-`, `_`",
            ));
        }
        if !path.is_none_or(|path| path.split('/').all(is_segment)) {
            return Err(refused(&text, "a part of its path is empty, `.`, `..`, or has an unusual letter"));
        }
        Ok(SpiffeId(text))
    }
}

/// A segment of a path (SPIFFE ID section 2.2). Nothing is escaped in it, so that it can be read in one way only.
fn is_segment(segment: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(fits)
}

impl FromStr for SpiffeId {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        SpiffeId::try_from(Arc::<str>::from(text))
    }
}

impl From<SpiffeId> for Arc<str> {
    fn from(id: SpiffeId) -> Self {
        id.0
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn refused(text: &str, why: &str) -> Problem {
    let shown: String = text.chars().take(SHOWN_CHARACTERS_MAX).flat_map(char::escape_debug).collect();
    Problem::new(format!("`{shown}` is not a SPIFFE ID: {why}"))
        .remedy("write it like `spiffe://example.org/ns/shop/sa/cart`")
}

/// How much of a text that is refused is repeated.
const SHOWN_CHARACTERS_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_of_a_service_account_names_its_parts() {
        let id = SpiffeId::of_service_account("bank.example", "shop", "cart").unwrap();

        assert_eq!(id.as_str(), "spiffe://bank.example/ns/shop/sa/cart");
        assert_eq!(id.trust_domain(), "bank.example");
        assert_eq!(id.path(), "ns/shop/sa/cart");
        assert_eq!((id.namespace(), id.service_account()), (Some("shop"), Some("cart")));
    }

    #[test]
    fn an_identity_of_somebody_else_has_neither_namespace_nor_account() {
        for text in ["spiffe://a", "spiffe://a/b", "spiffe://a/ns/x/sa/y/z", "spiffe://a/ns/x/y/sa/z"] {
            let id: SpiffeId = text.parse().unwrap();

            assert_eq!((id.namespace(), id.service_account()), (None, None), "{text}");
        }
    }

    #[test]
    fn what_has_more_than_one_spelling_is_refused() {
        let long = format!("spiffe://a/{}", "b".repeat(ID_BYTES_MAX));
        let wrong = [
            "",
            "a/b",
            "SPIFFE://a/b",
            "https://a/b",
            "spiffe:///b",
            "spiffe://A/b",
            "spiffe://a:80/b",
            "spiffe://u@a/b",
            "spiffe://a/",
            "spiffe://a/b/",
            "spiffe://a//b",
            "spiffe://a/./b",
            "spiffe://a/../b",
            "spiffe://a/%2f",
            "spiffe://a/b?c",
            "spiffe://a/b#c",
            "spiffe://a/b\0",
            "spiffe://a/ä",
            &long,
        ];
        for text in wrong {
            assert!(text.parse::<SpiffeId>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_part_can_speak_for_another() {
        assert!(SpiffeId::of_service_account("a", "shop/sa/admin", "x").is_err());
        assert!(SpiffeId::of_service_account("a", "shop", "x/y").is_err());
        assert!(SpiffeId::of_service_account("a/b", "shop", "x").is_err());
    }
}
