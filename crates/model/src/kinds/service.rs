//! `Service`: a name for a set of endpoints, and what its ports speak.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::labels::Labels;

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// What is wanted.
    pub spec: ServiceSpec,
}

/// `Service.spec`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    /// How the Service is made reachable.
    #[serde(rename = "type")]
    pub service_type: ServiceType,
    /// Virtual address, `None` as text for a headless Service.
    #[serde(rename = "clusterIP", default, skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<Arc<str>>,
    /// DNS name behind a Service of type ExternalName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_name: Option<Arc<str>>,
    /// Ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServicePort>,
    /// Labels of the Pods behind the Service; empty when only EndpointSlices say where it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: Arc<Labels>,
    /// Whether Pods take requests before they say that they are ready, and while they end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub publish_not_ready_addresses: bool,
    /// Families of the addresses that Pods are reached at, each Pod's primary one when nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_families: Vec<IpFamily>,
}

/// Family of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpFamily {
    /// IPv4.
    IPv4,
    /// IPv6.
    IPv6,
}

impl IpFamily {
    /// Whether an address is of this family.
    #[must_use]
    pub fn has(self, address: IpAddr) -> bool {
        match self {
            IpFamily::IPv4 => address.is_ipv4(),
            IpFamily::IPv6 => address.is_ipv6(),
        }
    }
}

impl ServiceSpec {
    /// Whether the Service has no virtual address on purpose.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.cluster_ip.as_deref() == Some("None")
    }

    /// The port with a number.
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|port| port.port == number)
    }
}

/// How a Service is made reachable; all but `ExternalName` mean the same without a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceType {
    /// A virtual address.
    ClusterIP,
    /// And a port on every node.
    NodePort,
    /// And an outer load balancer.
    LoadBalancer,
    /// A DNS name elsewhere.
    ExternalName,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// Name; EndpointSlices are matched by it. Absent when there is only one port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Transport protocol.
    pub protocol: Transport,
    /// What is spoken on the port, such as `kubernetes.io/h2c`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<Arc<str>>,
    /// Number callers use.
    pub port: u16,
    /// Port of the endpoints; the same number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_port: Option<PortRef>,
}

/// Transport protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A port by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PortRef {
    /// By number.
    Number(u16),
    /// By the name it has in the Pod.
    Name(Arc<str>),
}
