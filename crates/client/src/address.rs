//! Where things are: the paths of kinds, collections and objects.

use std::borrow::Cow;
use std::fmt::Write as _;

use model::kinds::{KindName, Scope};

/// A kind as the API serves it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiKind {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// Version.
    pub version: Cow<'static, str>,
    /// Kind as it is written.
    pub kind: Cow<'static, str>,
    /// Kind in paths.
    pub plural: Cow<'static, str>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl ApiKind {
    /// A kind that is not one of the model's: what is served to be read only.
    #[must_use]
    pub const fn new(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
        namespaced: bool,
    ) -> ApiKind {
        ApiKind {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            kind: Cow::Borrowed(kind),
            plural: Cow::Borrowed(plural),
            namespaced,
        }
    }

    /// `apiVersion` as it stands in an object.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    fn root(&self) -> String {
        match &*self.group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        }
    }
}

impl From<KindName> for ApiKind {
    fn from(kind: KindName) -> ApiKind {
        let namespaced = match kind.scope() {
            Scope::Namespaced => true,
            Scope::Cluster => false,
        };
        ApiKind::new(kind.group(), kind.versions()[0], kind.as_str(), kind.plural(), namespaced)
    }
}

/// All objects of a kind, or those in one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// The kind.
    pub kind: ApiKind,
    /// The namespace; `None` for all, and for kinds outside of namespaces.
    pub namespace: Option<String>,
}

impl Collection {
    /// Every object of a kind, wherever it lives.
    #[must_use]
    pub fn everywhere(kind: impl Into<ApiKind>) -> Collection {
        Collection { kind: kind.into(), namespace: None }
    }

    /// The objects of a kind in a namespace; of kinds outside of namespaces, all.
    #[must_use]
    pub fn within(kind: impl Into<ApiKind>, namespace: &str) -> Collection {
        let kind = kind.into();
        let namespace = kind.namespaced.then(|| namespace.to_owned());
        Collection { kind, namespace }
    }

    /// The path of the collection.
    #[must_use]
    pub fn path(&self) -> String {
        let Collection { kind, namespace } = self;
        let within = namespace.as_deref().map(|name| format!("/namespaces/{}", segment(name)));
        format!("{}{}/{}", kind.root(), within.unwrap_or_default(), kind.plural)
    }

    /// The path of one object in it.
    #[must_use]
    pub fn object_path(&self, name: &str) -> String {
        format!("{}/{}", self.path(), segment(name))
    }
}

/// Text as one segment of a path: whatever is no plain name is escaped, so that a name cannot lead elsewhere.
fn segment(text: &str) -> String {
    let escaped = escape(text);
    if matches!(&*escaped, "." | "..") { escaped.replace('.', "%2E") } else { escaped }
}

/// Text in a path or query, escaped (RFC 3986 section 2.3).
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _cannot_fail = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_kubernetes() {
        assert_eq!(Collection::within(KindName::Service, "shop").path(), "/api/v1/namespaces/shop/services");
        assert_eq!(
            Collection::within(KindName::HttpRoute, "shop").object_path("cart"),
            "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/cart"
        );
        assert_eq!(
            Collection::within(KindName::GatewayClass, "shop").object_path("selvedge"),
            "/apis/gateway.networking.k8s.io/v1/gatewayclasses/selvedge"
        );
        assert_eq!(Collection::everywhere(KindName::Secret).path(), "/api/v1/secrets");
    }

    #[test]
    fn a_name_cannot_lead_to_another_path() {
        let collection = Collection::within(KindName::Secret, "a/b");
        assert_eq!(collection.object_path("../x?y"), "/api/v1/namespaces/a%2Fb/secrets/..%2Fx%3Fy");
        assert_eq!(
            Collection::everywhere(KindName::Namespace).object_path(".."),
            "/api/v1/namespaces/%2E%2E"
        );
    }
}
