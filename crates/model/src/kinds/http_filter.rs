//! Filters of an HTTPRoute: what is done to requests and responses on their way.
//!
//! As written, a filter is a `type` and one field of the same name. Here it is one variant that holds exactly
//! what its type needs, so code behind this crate cannot meet a redirect without its redirect.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::references::{BackendObjectRef, LocalObjectRef};

/// One filter of a rule or of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "each field is described by its own type")]
pub enum HttpFilter {
    /// Edits request header fields.
    RequestHeaderModifier { request_header_modifier: HeaderModifier },
    /// Edits response header fields.
    ResponseHeaderModifier { response_header_modifier: HeaderModifier },
    /// Sends a copy elsewhere.
    RequestMirror { request_mirror: RequestMirror },
    /// Answers with a redirect.
    RequestRedirect { request_redirect: RequestRedirect },
    /// Changes host or path for the backend.
    #[serde(rename = "URLRewrite")]
    UrlRewrite { url_rewrite: UrlRewrite },
    /// Cross-origin rules.
    #[serde(rename = "CORS")]
    Cors { cors: Cors },
    /// A filter that another kind of object defines.
    ExtensionRef { extension_ref: LocalObjectRef },
}

impl HttpFilter {
    /// The `type` as it is written.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            HttpFilter::RequestHeaderModifier { .. } => "RequestHeaderModifier",
            HttpFilter::ResponseHeaderModifier { .. } => "ResponseHeaderModifier",
            HttpFilter::RequestMirror { .. } => "RequestMirror",
            HttpFilter::RequestRedirect { .. } => "RequestRedirect",
            HttpFilter::UrlRewrite { .. } => "URLRewrite",
            HttpFilter::Cors { .. } => "CORS",
            HttpFilter::ExtensionRef { .. } => "ExtensionRef",
        }
    }
}

/// Edits of header fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeaderModifier {
    /// Fields that are given exactly this value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Header>,
    /// Fields that get one more value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<Header>,
    /// Names of fields that are taken out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Arc<str>>,
}

/// A header field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Name; knows no case.
    pub name: Arc<str>,
    /// Value.
    pub value: Arc<str>,
}

/// Copies of requests. Without `percent` and `fraction` every request is copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestMirror {
    /// Where copies go.
    pub backend_ref: BackendObjectRef,
    /// Share of requests in hundredths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// Share of requests as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<Fraction>,
}

/// A fraction, at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fraction {
    /// Counted.
    pub numerator: u32,
    /// Of how many; by default 100.
    pub denominator: u32,
}

/// A redirect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRedirect {
    /// New scheme, `http` or `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Arc<str>>,
    /// New host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Arc<str>>,
    /// New path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathModifier>,
    /// New port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Status, by default 302.
    pub status_code: u16,
}

/// A rewrite.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UrlRewrite {
    /// New host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Arc<str>>,
    /// New path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathModifier>,
}

/// How a path is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "each field is the replacement")]
pub enum PathModifier {
    /// The whole path.
    ReplaceFullPath { replace_full_path: Arc<str> },
    /// The prefix that the rule matched.
    ReplacePrefixMatch { replace_prefix_match: Arc<str> },
}

/// Cross-origin rules (Fetch standard, CORS protocol).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cors {
    /// Origins that may read responses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_origins: Vec<Arc<str>>,
    /// Whether credentials may be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_credentials: Option<bool>,
    /// Methods that may be used; `*` is one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_methods: Vec<Arc<str>>,
    /// Request fields that may be sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_headers: Vec<Arc<str>>,
    /// Response fields that scripts may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expose_headers: Vec<Arc<str>>,
    /// How long a preflight answer may be kept, in seconds; by default 5.
    pub max_age: u32,
}
