//! What travels: a named object of a type, its bytes and a version that follows from them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::Bytes;
use prost::Message as _;

use crate::messages::{Any, Content, Resource};

/// Prefix of the types of ours.
pub const TYPE_PREFIX: &str = "type.selvedge.dev/";

/// The word of a type, which is a kind as users write it: `HTTPRoute`. What it means is not known in here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeName(Arc<str>);

impl TypeName {
    /// The type whose one object ends a push.
    pub const EPOCH: &'static str = "Epoch";
    /// The type by whose names a proxy says what it serves.
    pub const GATEWAY: &'static str = "Gateway";

    /// A type of this word.
    #[must_use]
    pub fn new(word: &str) -> TypeName {
        TypeName(word.into())
    }

    /// Reads a type URL; `None` when it is none of ours.
    #[must_use]
    pub fn of_url(url: &str) -> Option<TypeName> {
        let word = url.strip_prefix(TYPE_PREFIX)?;
        let sound =
            !word.is_empty() && word.len() <= 63 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        sound.then(|| TypeName(word.into()))
    }

    /// The type URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{TYPE_PREFIX}{}", self.0)
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the type that ends pushes.
    #[must_use]
    pub fn is_epoch(&self) -> bool {
        &*self.0 == TypeName::EPOCH
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Type and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName {
    /// The type.
    pub of: TypeName,
    /// `namespace/name`, or the name alone for what lives in no namespace.
    pub name: Arc<str>,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.of, self.name)
    }
}

/// The version of an object. It follows from its bytes, so that replicas of a control plane, and one before and after
/// a restart, call the same thing the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(Stated);

/// A version of ours is a checksum, and there is one for every object that a proxy holds: it stands in its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Stated {
    Checksum([u8; CHECKSUM_BYTES]),
    /// Whatever else somebody says.
    Words(Arc<str>),
}

impl Version {
    /// The version of these bytes: half a SHA-256, in hexadecimal digits.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Version {
        Version(Stated::Checksum(checksum(bytes)))
    }

    /// A version that somebody else states.
    #[must_use]
    pub fn stated(text: &str) -> Version {
        Version(read_checksum(text).map_or_else(|| Stated::Words(text.into()), Stated::Checksum))
    }

    /// The version of what a proxy was sent and could not take. No object has it, so that whatever there is, is news.
    #[must_use]
    pub fn unusable() -> Version {
        Version(Stated::Words("-".into()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Stated::Checksum(sum) => f.pad(&hexadecimal(sum)),
            Stated::Words(text) => f.pad(text),
        }
    }
}

/// Bytes of a checksum.
const CHECKSUM_BYTES: usize = 16;

/// Half a SHA-256.
#[must_use]
pub fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = digest::digest(&digest::SHA256, bytes);
    let mut half = [0; CHECKSUM_BYTES];
    half.copy_from_slice(&hash.as_ref()[..CHECKSUM_BYTES]);
    half
}

/// The checksum that a text is in the one way in which we write it.
fn read_checksum(text: &str) -> Option<[u8; CHECKSUM_BYTES]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut sum = [0; CHECKSUM_BYTES];
    if pairs.len() != sum.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in sum.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(sum)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // Writing to a String cannot fail.
        text
    })
}

/// An object, encoded once for everybody who is sent it.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    /// Type and name.
    pub name: ObjectName,
    /// Follows from `content`.
    pub version: Version,
    /// A [`Content`], encoded.
    pub content: Bytes,
}

impl Object {
    /// Encodes an object.
    #[must_use]
    pub fn new(name: ObjectName, content: &Content) -> Object {
        let content = Bytes::from(content.encode_to_vec());
        Object { name, version: Version::of(&content), content }
    }

    /// As it stands in a response.
    #[must_use]
    pub fn resource(&self) -> Resource {
        Resource {
            version: self.version.to_string(),
            resource: Some(Any { type_url: self.name.of.url(), value: self.content.clone() }),
            name: self.name.name.to_string(),
        }
    }
}

impl fmt::Debug for Object {
    /// Without its content: it may hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} @ {} ({} bytes)", self.name, self.version, self.content.len())
    }
}

/// What a proxy serves, by which its view is chosen. Proxies with the same interest share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interest {
    /// Every Gateway of our class.
    All,
    /// These Gateways, as `namespace/name`.
    Gateways(BTreeSet<Arc<str>>),
    /// The proxy beside this Workload, as `namespace/name`.
    Workload(Arc<str>),
}

impl Interest {
    /// The names as a subscription states them.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Interest::All => vec!["*".to_owned()],
            Interest::Gateways(names) => names.iter().map(ToString::to_string).collect(),
            Interest::Workload(place) => vec![format!("{WORKLOAD}{place}")],
        }
    }

    /// Reads the names of a subscription. `*` and no name at all both mean all. A Workload stands alone.
    #[must_use]
    pub fn of_names(names: &[String]) -> Interest {
        if names.is_empty() || names.iter().any(|name| name == "*") {
            return Interest::All;
        }
        if let [only] = names
            && let Some(place) = only.strip_prefix(WORKLOAD)
        {
            return Interest::Workload(place.into());
        }
        Interest::Gateways(names.iter().map(|name| name.as_str().into()).collect())
    }
}

/// What tells a Workload from a Gateway among the names of a subscription. No namespace is called so.
const WORKLOAD: &str = "Workload/";

impl fmt::Display for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_url_of_somebody_else_is_none_of_ours() {
        assert_eq!(TypeName::of_url("type.selvedge.dev/HTTPRoute"), Some(TypeName::new("HTTPRoute")));
        for foreign in [
            "",
            "HTTPRoute",
            "type.selvedge.dev/",
            "type.googleapis.com/envoy.Cluster",
            "type.selvedge.dev/a/b",
        ] {
            assert_eq!(TypeName::of_url(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_version_follows_from_the_bytes_alone() {
        let object = |json: &'static [u8]| {
            let name = ObjectName { of: TypeName::new("Service"), name: "shop/cart".into() };
            Object::new(name, &Content { json: Bytes::from_static(json), parents: Vec::new(), denies: false })
        };

        assert_eq!(object(b"{}").version, object(b"{}").version);
        assert_ne!(object(b"{}").version, object(b"{ }").version);
        assert_eq!(object(b"{}").version.to_string().len(), 32);
    }

    #[test]
    fn a_version_is_stated_as_it_was_written() {
        let ours = Version::of(b"{}");

        assert_eq!(Version::stated(&ours.to_string()), ours);
        for foreign in ["", "-", "7", &ours.to_string().to_uppercase(), &format!("{ours}0"), &"é".repeat(16)]
        {
            assert_eq!(Version::stated(foreign).to_string(), *foreign);
            assert_ne!(Version::stated(foreign), ours);
        }
    }

    #[test]
    fn an_interest_survives_its_names() {
        let some = Interest::Gateways(["a/b".into(), "c/d".into()].into());

        let beside = Interest::Workload("a/b".into());

        assert_eq!(Interest::of_names(&beside.names()), beside);
        assert_eq!(Interest::of_names(&some.names()), some);
        assert_eq!(Interest::of_names(&Interest::All.names()), Interest::All);
    }

    #[test]
    fn content_is_never_shown() {
        let name = ObjectName { of: TypeName::new("Secret"), name: "shop/pair".into() };
        let content = Content { json: Bytes::from_static(b"hunter2"), parents: Vec::new(), denies: false };

        assert!(!format!("{:?}", Object::new(name, &content)).contains("hunter2"));
    }
}
