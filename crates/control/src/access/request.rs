//! What somebody asks to do, in Kubernetes' words.

use std::fmt;
use std::sync::Arc;

/// What somebody asks to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Something with resources.
    Resource(ResourceRequest),
    /// Something with a path that is none.
    Path {
        /// The method in lower case: `get`, `post`, ...
        verb: Arc<str>,
        /// The path, as it was decided on.
        path: Arc<str>,
    },
}

/// What somebody asks to do with resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceRequest {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or a word of a kind's own.
    pub verb: Arc<str>,
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Plural of the kind.
    pub resource: Arc<str>,
    /// `status`, `scale`, ...; empty for the object itself.
    pub subresource: Arc<str>,
    /// Namespace; empty for all of them, and outside of namespaces.
    pub namespace: Arc<str>,
    /// Name of the object; empty when there is none yet, or for all.
    pub name: Arc<str>,
}

impl ResourceRequest {
    /// The namespace in which the request happens. A Namespace lies within itself, so that who has a role in it can
    /// read it.
    #[must_use]
    pub fn place(&self) -> &str {
        if self.namespace.is_empty() && self.group.is_empty() && &*self.resource == "namespaces" {
            return &self.name;
        }
        &self.namespace
    }
}

impl fmt::Display for Request {
    /// `delete httproutes.gateway.networking.k8s.io/status "checkout" in namespace "shop"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Path { verb, path } => write!(f, "{verb} {path}"),
            Request::Resource(request) => write!(f, "{request}"),
        }
    }
}

impl fmt::Display for ResourceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        if !self.name.is_empty() {
            write!(f, " \"{}\"", self.name)?;
        }
        match self.place() {
            "" => write!(f, " at the cluster scope"),
            place => write!(f, " in namespace \"{place}\""),
        }
    }
}
