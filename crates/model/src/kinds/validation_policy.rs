//! `ValidationPolicy`: what requests and answers must be like to pass.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;

/// A ValidationPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationPolicy {
    /// What is wanted.
    pub spec: ValidationPolicySpec,
}

/// `ValidationPolicy.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ValidationPolicySpec {
    /// What it is about, in its own namespace.
    pub target_refs: Vec<PolicyTargetRef>,
    /// What describes a route; a version of an API has a description of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<DescribedBy>,
    /// Requests are judged by the description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<RequestValidation>,
    /// Answers are judged by the description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<AnswerValidation>,
    /// What bodies of requests may be like, described or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<BodyLimits>,
}

/// What describes a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedBy {
    /// Name of an APIRevision of the same namespace.
    pub revision: Arc<str>,
    /// What stands before the paths of the description; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_path: Option<Arc<str>>,
}

/// How requests are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestValidation {
    /// What becomes of one that does not keep to the description; `Refuse` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ValidationAction>,
}

/// How answers are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnswerValidation {
    /// What becomes of one that does not keep to the description; `Report` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ValidationAction>,
    /// How many in a hundred are looked at: 1 when absent, and all of them where they are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Largest body that is looked at, in bytes; 262144 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes_max: Option<u32>,
}

/// What becomes of what does not keep to a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValidationAction {
    /// It goes no further.
    Refuse,
    /// It passes, and is counted and logged.
    Report,
}

/// What bodies of requests may be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BodyLimits {
    /// Most bytes of a body of any type; 1048576 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes_max: Option<u32>,
    /// Deepest nesting of lists and objects; 32 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth_max: Option<u32>,
    /// Most keys of one object; 1000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_max: Option<u32>,
    /// Most items of one list; 10000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_max: Option<u32>,
    /// Longest text, keys included, in bytes as written; 65536 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_bytes_max: Option<u32>,
    /// Most keys and items in all; 100000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_max: Option<u32>,
}
