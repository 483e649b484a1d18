//! Identifiers: a name is a type, and parsing is the only way to get one.
//!
//! Names end up in certificates, metric labels, file names and DNS queries, so their alphabets are bounded where
//! they enter. All of them are an `Arc<str>` inside: configurations hold millions and share most.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::violation::Problem;

/// Longest DNS subdomain, in bytes (RFC 1123 section 2.1).
pub const SUBDOMAIN_BYTES_MAX: usize = 253;
/// Longest DNS label, in bytes (RFC 1035 section 2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;

/// Name of an object: a lower-case DNS subdomain, as Kubernetes asks for most kinds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct Name(Arc<str>);

/// Name of a namespace: one lower-case DNS label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct Namespace(Arc<str>);

/// A hostname of the Gateway API: a lower-case DNS name, with at most one `*.` and only in front.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct Hostname(Arc<str>);

/// Gives a checked text type what all of them share.
macro_rules! text_type {
    ($type:ty) => {
        impl $type {
            /// The text as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The shared text itself.
            #[must_use]
            pub fn to_arc(&self) -> Arc<str> {
                self.0.clone()
            }
        }

        impl FromStr for $type {
            type Err = Problem;

            fn from_str(text: &str) -> Result<Self, Problem> {
                Self::try_from(Arc::<str>::from(text))
            }
        }

        impl From<$type> for Arc<str> {
            fn from(value: $type) -> Self {
                value.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

text_type!(Name);
text_type!(Namespace);
text_type!(Hostname);

impl TryFrom<Arc<str>> for Name {
    type Error = Problem;

    fn try_from(text: Arc<str>) -> Result<Self, Problem> {
        if is_subdomain(&text) {
            return Ok(Name(text));
        }
        Err(Problem::new(format!("`{text}` is not a name"))
            .remedy("use a-z, 0-9, `-` and `.`, each part starting and ending with a letter or digit, at most 253 characters"))
    }
}

impl TryFrom<Arc<str>> for Namespace {
    type Error = Problem;

    fn try_from(text: Arc<str>) -> Result<Self, Problem> {
        if is_label(&text) {
            return Ok(Namespace(text));
        }
        Err(Problem::new(format!("`{text}` is not a namespace name")).remedy(
            "use a-z, 0-9 and `-`, starting and ending with a letter or digit, at most 63 characters",
        ))
    }
}

impl TryFrom<Arc<str>> for Hostname {
    type Error = Problem;

    fn try_from(text: Arc<str>) -> Result<Self, Problem> {
        let name = text.strip_prefix("*.").unwrap_or(&text);
        if text.len() <= SUBDOMAIN_BYTES_MAX && is_subdomain(name) {
            return Ok(Hostname(text));
        }
        Err(Problem::new(format!("`{text}` is not a hostname"))
            .remedy("write a lower-case DNS name without a port; `*.` may stand in front of it"))
    }
}

impl Namespace {
    /// The namespace of objects that name none.
    #[must_use]
    pub fn default_namespace() -> Self {
        Namespace("default".into())
    }
}

impl Hostname {
    /// The part behind `*`, with its dot (`.example.com`), when this is a wildcard.
    #[must_use]
    pub fn wildcard_suffix(&self) -> Option<&str> {
        self.0.strip_prefix('*')
    }

    /// Whether a concrete lower-case host name is meant by this pattern. A wildcard covers one or more labels,
    /// never the bare parent (Gateway API, `Hostname`).
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self.wildcard_suffix() {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => *self.0 == *host,
        }
    }

    /// The pattern of what both patterns match, if they have anything in common: how a route's hostnames are
    /// narrowed by those of its listener.
    #[must_use]
    pub fn intersect(&self, other: &Hostname) -> Option<Hostname> {
        match (self.wildcard_suffix(), other.wildcard_suffix()) {
            (None, None) => (self == other).then(|| self.clone()),
            (None, Some(_)) => other.matches(self.as_str()).then(|| self.clone()),
            (Some(_), None) => self.matches(other.as_str()).then(|| other.clone()),
            (Some(mine), Some(theirs)) if mine.ends_with(theirs) => Some(self.clone()),
            (Some(mine), Some(theirs)) => theirs.ends_with(mine).then(|| other.clone()),
        }
    }
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= SUBDOMAIN_BYTES_MAX && text.split('.').all(is_label_of_any_length)
}

fn is_label(text: &str) -> bool {
    text.len() <= LABEL_BYTES_MAX && is_label_of_any_length(text)
}

/// Kubernetes bounds the whole of a subdomain, not each of its labels.
fn is_label_of_any_length(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(&first), Some(&last)) if plain(first) && plain(last))
        && bytes.iter().all(|&b| plain(b) || b == b'-')
}

/// What tells one object from all others at one moment. Orders by group, kind, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceKey {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Kind in its own spelling, `HTTPRoute`.
    pub kind: Arc<str>,
    /// Namespace; `None` for kinds that live outside of namespaces.
    pub namespace: Option<Namespace>,
    /// Name within kind and namespace.
    pub name: Name,
}

impl ResourceKey {
    /// Namespace and name as people write them: `shop/checkout`, or only the name outside of namespaces.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.to_string(),
        }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Hostname {
        text.parse().expect("a hostname")
    }

    #[test]
    fn a_name_is_a_lower_case_subdomain_and_nothing_else() {
        for good in ["a", "a-b", "0", "a.b-c.d", &"a".repeat(253)] {
            assert_eq!(good.parse::<Name>().expect(good).as_str(), good);
        }
        for bad in
            ["", "-a", "a-", "A", "a_b", "a..b", ".a", "a.", "ä", "a b", "a/b", "a\0", &"a".repeat(254)]
        {
            assert!(bad.parse::<Name>().is_err(), "{bad:?} was taken for a name");
        }
    }

    #[test]
    fn a_namespace_is_one_label() {
        assert!("kube-system".parse::<Namespace>().is_ok());
        assert!("a.b".parse::<Namespace>().is_err());
        assert!("a".repeat(64).parse::<Namespace>().is_err());
    }

    #[test]
    fn a_hostname_has_at_most_one_star_and_only_in_front() {
        for good in ["example.com", "*.example.com", "*.com", "127.0.0.1"] {
            assert!(good.parse::<Hostname>().is_ok(), "{good}");
        }
        for bad in ["*", "*.", "*.*.com", "a.*.com", "*a.com", "A.com", "a.com:80", "[::1]", "a.com."] {
            assert!(bad.parse::<Hostname>().is_err(), "{bad:?} was taken for a hostname");
        }
    }

    #[test]
    fn a_wildcard_covers_many_labels_but_not_its_parent() {
        let star = host("*.example.com");

        assert!(star.matches("a.example.com"));
        assert!(star.matches("b.a.example.com"));
        assert!(!star.matches("example.com"));
        assert!(!star.matches("badexample.com"));
    }

    #[test]
    fn an_intersection_is_the_narrower_pattern_or_nothing() {
        let narrowed = |a: &str, b: &str| host(a).intersect(&host(b)).map(|h| h.to_string());

        assert_eq!(narrowed("*.example.com", "a.example.com").as_deref(), Some("a.example.com"));
        assert_eq!(narrowed("a.example.com", "*.example.com").as_deref(), Some("a.example.com"));
        assert_eq!(narrowed("*.example.com", "*.b.example.com").as_deref(), Some("*.b.example.com"));
        assert_eq!(narrowed("*.b.example.com", "*.example.com").as_deref(), Some("*.b.example.com"));
        assert_eq!(narrowed("example.com", "*.example.com"), None);
        assert_eq!(narrowed("*.example.com", "*.example.net"), None);
    }

    #[test]
    fn a_key_reads_kind_namespace_name() {
        let mut key = ResourceKey {
            group: "".into(),
            kind: "Service".into(),
            namespace: Some("shop".parse().expect("a namespace")),
            name: "cart".parse().expect("a name"),
        };
        assert_eq!(key.to_string(), "Service/shop/cart");
        assert_eq!(key.place(), "shop/cart");

        key.namespace = None;
        assert_eq!(key.to_string(), "Service/cart");
    }
}
