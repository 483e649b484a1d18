//! `Pod`: only who it is (labels) and where (address); running it is somebody else's work.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// What it was asked to be.
    pub spec: PodSpec,
    /// What is known of it.
    pub status: PodStatus,
}

/// The part of `Pod.spec` that identity needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Service account it runs as; `default` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<Arc<str>>,
}

/// The part of `Pod.status` that routing needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodStatus {
    /// Its address, once it has one.
    #[serde(rename = "podIP", skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<Arc<str>>,
}
