//! `APIVersion`: what clients call, where, and how long still.
//!
//! A version is a promise to those who call it: what breaks it is another version. What may change behind the promise
//! is which revision describes it and what answers, so both are named here and nothing else is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::references::ParentRef;
use crate::names::Hostname;
use crate::units::Moment;

/// An APIVersion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiVersion {
    /// What is wanted.
    pub spec: ApiVersionSpec,
}

/// `APIVersion.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiVersionSpec {
    /// Name of the API it is a version of.
    pub api: Arc<str>,
    /// What people call it: `v1`.
    pub label: Arc<str>,
    /// How far along its life it is.
    pub state: VersionState,
    /// Whether it is stopped for now, wherever it stands in its life.
    pub hold: bool,
    /// Name of the APIRevision that describes it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Arc<str>>,
    /// Name of the APIRevision that is tried beside it, by those who ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Arc<str>>,
    /// Gateways and Services at which it is called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentRef>,
    /// Hosts; those of the listener when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<Hostname>,
    /// Path below which its operations hang; see [`ApiVersionSpec::base`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_path: Option<Arc<str>>,
    /// What tells its requests from those of other versions at the same place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// When it became one that should no longer be used, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<Arc<str>>,
    /// When it is expected to end, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset: Option<Arc<str>>,
    /// Name of the APIVersion that takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<Arc<str>>,
}

/// How far along its life a version is; the steps stand in [`crate::life`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VersionState {
    /// Nobody can call it.
    Draft,
    /// It can be called and promises nothing yet.
    Prerelease,
    /// It can be called and keeps its promise.
    Published,
    /// It keeps its promise, and says that it will end.
    Deprecated,
    /// It has ended. Who calls it is told what took its place.
    Retired,
}

/// What tells the requests of a version from those of others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Selector {
    /// These segments behind the base path.
    Path(Arc<str>),
    /// A header field with this value.
    Header(NamedValue),
    /// A query parameter with this value.
    Query(NamedValue),
    /// A media type that `Accept` or `Content-Type` names.
    MediaType(Arc<str>),
}

/// A name with its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NamedValue {
    /// The name.
    pub name: Arc<str>,
    /// The value, compared as bytes.
    pub value: Arc<str>,
}

impl ApiVersionSpec {
    /// Where its operations hang, the segments of a path selector included: begins with `/` and ends without one, so
    /// the root is empty.
    #[must_use]
    pub fn base(&self) -> String {
        let base = match self.base_path.as_deref() {
            Some(base) => base.trim_end_matches('/').to_owned(),
            None => format!("/{}", self.api),
        };
        match &self.selector {
            Some(Selector::Path(segments)) => format!("{base}/{}", segments.trim_matches('/')),
            Some(Selector::Header(_) | Selector::Query(_) | Selector::MediaType(_)) | None => base,
        }
    }

    /// When it became one that should no longer be used.
    #[must_use]
    pub fn deprecated_at(&self) -> Option<Moment> {
        self.deprecated_at.as_deref()?.parse().ok()
    }

    /// When it is expected to end.
    #[must_use]
    pub fn sunset(&self) -> Option<Moment> {
        self.sunset.as_deref()?.parse().ok()
    }
}
