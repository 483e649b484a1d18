//! What the proxy beside a workload tells it of the Services that it may call.

use std::net::Ipv4Addr;
use std::sync::Arc;

/// A Service that a workload may call, and where it finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachableName {
    /// Name of the Service.
    pub service: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// The loopback address that stands for it.
    pub virtual_address: Ipv4Addr,
    /// Its ports.
    pub ports: Vec<ReachablePort>,
}

/// A port of a Service that a workload may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachablePort {
    /// Its name, where it has one.
    pub name: Option<Arc<str>>,
    /// Its number.
    pub port: u16,
    /// The number at the virtual address: the same, but for low ones where nobody may listen there.
    pub open_at: u16,
}
