//! `FaultPolicy`: delays and failures made on purpose, to see what they do to those who call.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_tls_policy::PolicyTargetRef;
use crate::units::GatewayDuration;

/// A FaultPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultPolicy {
    /// What is wanted.
    pub spec: FaultPolicySpec,
}

/// `FaultPolicy.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FaultPolicySpec {
    /// What it is about, in its own namespace.
    pub target_refs: Vec<PolicyTargetRef>,
    /// Requests it is about; all of them when absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<FaultCondition>,
    /// Requests are held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<FaultDelay>,
    /// Requests are answered here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort: Option<FaultAbort>,
}

/// A header field that a request must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCondition {
    /// Its name; knows no case.
    pub header: Arc<str>,
    /// Values of which it must have one; any when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Arc<str>>,
}

/// Requests are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultDelay {
    /// How long.
    pub fixed: GatewayDuration,
    /// How many in a hundred; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

/// Requests are answered here, and no upstream is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultAbort {
    /// With this status; the schema asks for it or for `grpcStatus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// With this status of gRPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc_status: Option<u8>,
    /// How many in a hundred; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}
