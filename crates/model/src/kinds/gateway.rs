//! `Gateway`: addresses and listeners, and which routes may attach to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::references::{LocalObjectRef, ObjectRef};
use crate::labels::LabelSelector;
use crate::names::Hostname;

/// A Gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// What is wanted.
    pub spec: GatewaySpec,
}

/// `Gateway.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpec {
    /// Class, which decides who serves it.
    pub gateway_class_name: Arc<str>,
    /// What is listened on.
    pub listeners: Vec<Listener>,
    /// Where; the default address when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayAddress>,
    /// What is made for the Gateway, and with which parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<Infrastructure>,
    /// Which ListenerSets may attach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_listeners: Option<AllowedListeners>,
    /// TLS settings of the Gateway as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<GatewayTls>,
}

/// An address that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayAddress {
    /// Kind of address.
    #[serde(rename = "type")]
    pub address_type: AddressType,
    /// The address; "any of this kind" when absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Arc<str>>,
}

/// Kind of an address; open, because controllers may define their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Arc<str>", into = "Arc<str>")]
pub enum AddressType {
    /// An IP address.
    IpAddress,
    /// A DNS name.
    Hostname,
    /// Any other word.
    Other(Arc<str>),
}

impl From<Arc<str>> for AddressType {
    fn from(text: Arc<str>) -> Self {
        match &*text {
            "IPAddress" => AddressType::IpAddress,
            "Hostname" => AddressType::Hostname,
            _ => AddressType::Other(text),
        }
    }
}

impl From<AddressType> for Arc<str> {
    fn from(address_type: AddressType) -> Self {
        match address_type {
            AddressType::IpAddress => "IPAddress".into(),
            AddressType::Hostname => "Hostname".into(),
            AddressType::Other(text) => text,
        }
    }
}

/// `spec.infrastructure`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Infrastructure {
    /// Labels of what is made for the Gateway.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Annotations of what is made for the Gateway.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
    /// Settings, a `GatewayParameters` in the Gateway's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<LocalObjectRef>,
}

/// One thing to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Name within the Gateway.
    pub name: Arc<str>,
    /// Hosts that are served; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Hostname>,
    /// Port.
    pub port: u16,
    /// What is spoken.
    pub protocol: Protocol,
    /// TLS settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// Which routes may attach.
    #[serde(default)]
    pub allowed_routes: AllowedRoutes,
}

/// What a listener speaks; open, because the schema admits any word and the status answers for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Arc<str>", into = "Arc<str>")]
pub enum Protocol {
    /// HTTP in cleartext.
    Http,
    /// HTTP over TLS that ends here.
    Https,
    /// TLS, ended here or passed through.
    Tls,
    /// Plain connections.
    Tcp,
    /// Datagrams.
    Udp,
    /// HTTP between members of the mesh, both of whom show who they are.
    Mesh,
    /// Any other word.
    Other(Arc<str>),
}

impl Protocol {
    /// The word as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Protocol::Http => "HTTP",
            Protocol::Https => "HTTPS",
            Protocol::Tls => "TLS",
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Mesh => "mesh.selvedge.dev/HTTP",
            Protocol::Other(text) => text,
        }
    }
}

impl From<Arc<str>> for Protocol {
    fn from(text: Arc<str>) -> Self {
        match &*text {
            "HTTP" => Protocol::Http,
            "HTTPS" => Protocol::Https,
            "TLS" => Protocol::Tls,
            "TCP" => Protocol::Tcp,
            "UDP" => Protocol::Udp,
            "mesh.selvedge.dev/HTTP" => Protocol::Mesh,
            _ => Protocol::Other(text),
        }
    }
}

impl From<Protocol> for Arc<str> {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Other(text) => text,
            Protocol::Http
            | Protocol::Https
            | Protocol::Tls
            | Protocol::Tcp
            | Protocol::Udp
            | Protocol::Mesh => protocol.as_str().into(),
        }
    }
}

/// `listener.tls`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerTls {
    /// Whether TLS ends here.
    pub mode: TlsMode,
    /// Certificates to show, as Secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificate_refs: Vec<ObjectRef>,
    /// Settings of controllers; none of ours exist.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<Arc<str>, Arc<str>>,
}

/// Whether TLS ends at the Gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsMode {
    /// It ends here.
    Terminate,
    /// It ends at the backend.
    Passthrough,
}

/// `listener.allowedRoutes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllowedRoutes {
    /// From which namespaces.
    pub namespaces: RouteNamespaces,
    /// Of which kinds; those that fit the protocol when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<RouteGroupKind>,
}

/// `allowedRoutes.namespaces`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RouteNamespaces {
    /// Which namespaces.
    pub from: FromNamespaces,
    /// Their labels, when `from` is `Selector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// From where routes or ListenerSets may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromNamespaces {
    /// From anywhere.
    All,
    /// From namespaces with certain labels.
    Selector,
    /// From the Gateway's own namespace.
    #[default]
    Same,
    /// From nowhere.
    None,
}

/// A kind of route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RouteGroupKind {
    /// API group, by default `gateway.networking.k8s.io`.
    pub group: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
}

/// `spec.allowedListeners`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedListeners {
    /// From which namespaces ListenerSets may attach; the schema's default is `None`.
    pub namespaces: RouteNamespaces,
}

/// `spec.tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayTls {
    /// Towards backends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<GatewayBackendTls>,
    /// Towards clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<FrontendTls>,
}

/// `spec.tls.backend`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayBackendTls {
    /// The Gateway's own certificate when a backend asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<ObjectRef>,
}

/// `spec.tls.frontend`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendTls {
    /// For ports that are not named below.
    pub default: FrontendTlsConfig,
    /// For single ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_port: Vec<PortTls>,
}

impl FrontendTls {
    /// How clients on a port are verified, if they are.
    #[must_use]
    pub fn validation(&self, port: u16) -> Option<&FrontendValidation> {
        let own = self.per_port.iter().find(|entry| entry.port == port).map(|entry| &entry.tls);
        own.unwrap_or(&self.default).validation.as_ref()
    }
}

/// TLS settings of one port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortTls {
    /// The port.
    pub port: u16,
    /// Its settings.
    pub tls: FrontendTlsConfig,
}

/// TLS settings towards clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FrontendTlsConfig {
    /// How clients are verified; they are not when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<FrontendValidation>,
}

/// How client certificates are verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendValidation {
    /// Trust anchors.
    pub ca_certificate_refs: Vec<ObjectRef>,
    /// What becomes of clients without a valid certificate.
    pub mode: FrontendValidationMode,
}

/// What becomes of clients without a valid certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrontendValidationMode {
    /// They are refused.
    AllowValidOnly,
    /// They are let in; the backend must judge.
    AllowInsecureFallback,
}
