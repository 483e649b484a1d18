//! `GatewayClass`: which controller looks after the Gateways of a class.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::references::ObjectRef;

/// The controller name of classes that are ours.
pub const CONTROLLER_NAME: &str = "selvedge.dev/gateway-controller";

/// A GatewayClass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayClass {
    /// What is wanted.
    pub spec: GatewayClassSpec,
}

/// `GatewayClass.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassSpec {
    /// Controller that looks after it.
    pub controller_name: Arc<str>,
    /// Settings for all Gateways of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<ObjectRef>,
    /// Words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Arc<str>>,
}

impl GatewayClass {
    /// Whether this class is ours to serve.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        *self.spec.controller_name == *CONTROLLER_NAME
    }
}
