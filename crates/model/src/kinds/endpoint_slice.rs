//! `EndpointSlice`: some of the addresses behind a Service, with their real ports.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::service::Transport;

/// An EndpointSlice. Its Service is named by the label `kubernetes.io/service-name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSlice {
    /// What kind of addresses it holds.
    pub address_type: AddressType,
    /// The endpoints.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// The ports all of them have.
    #[serde(default)]
    pub ports: Vec<EndpointPort>,
}

/// Kind of addresses in a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddressType {
    /// IPv4 addresses.
    IPv4,
    /// IPv6 addresses.
    IPv6,
    /// DNS names; Kubernetes itself ignores these.
    #[serde(rename = "FQDN")]
    Fqdn,
}

/// One endpoint. Its addresses all mean the same replica; the first one is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Addresses, at least one.
    pub addresses: Vec<Arc<str>>,
    /// State as its writer saw it.
    #[serde(default)]
    pub conditions: Conditions,
    /// Host name within a headless Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Arc<str>>,
    /// Node it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<Arc<str>>,
    /// Failure zone it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Arc<str>>,
}

/// State of an endpoint; an absent word means "unknown".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// May take new requests.
    pub ready: Option<bool>,
    /// Answers, even if it is about to end.
    pub serving: Option<bool>,
    /// Is about to end.
    pub terminating: Option<bool>,
}

impl Conditions {
    /// Whether new requests may be sent; Kubernetes says to read "unknown" as yes.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.unwrap_or(true)
    }
}

/// A port of all endpoints of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPort {
    /// Name that the Service port has as well; empty for the port without a name.
    pub name: Arc<str>,
    /// Number; absent means every port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Transport protocol.
    pub protocol: Transport,
    /// What is spoken on the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<Arc<str>>,
}
