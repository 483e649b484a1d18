//! Where the addresses of a destination come from: slices of a Service, Pods that it selects, names, or a Backend.
//!
//! For Pods the decisions are those of Kubernetes' endpoint slice controller, so that a file means here what it
//! means in a cluster where that controller writes the slices.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use model::kinds::backend::{Backend, BackendProtocol, Host};
use model::kinds::endpoint_slice::{AddressType, EndpointSlice};
use model::kinds::pod::Pod;
use model::kinds::service::{PortRef, Service, ServicePort, ServiceType, Transport};
use model::resources::Typed;

use super::policies::Tls;
use crate::config::{DnsEndpoint, Locality, Resilience, UpstreamProtocol};

/// Longest time to connect to an endpoint, TLS handshake included, unless a Backend says otherwise.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// A cluster in the making.
pub(super) struct Draft {
    pub(super) protocol: UpstreamProtocol,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) names: Vec<DnsEndpoint>,
    pub(super) tls: Option<Tls>,
    pub(super) connect_timeout: Duration,
    /// Where addresses are, as far as that is known.
    pub(super) localities: HashMap<SocketAddr, Arc<Locality>>,
    pub(super) resilience: Option<Arc<Resilience>>,
}

impl Default for Draft {
    fn default() -> Self {
        Draft {
            protocol: UpstreamProtocol::Auto,
            addresses: Vec::new(),
            names: Vec::new(),
            tls: None,
            connect_timeout: CONNECT_TIMEOUT_DEFAULT,
            localities: HashMap::new(),
            resilience: None,
        }
    }
}

impl Draft {
    /// A port of a Service; `slices` is what there is of them.
    pub(super) fn service<'r>(
        &mut self,
        service: &Service,
        port: &ServicePort,
        slices: impl Iterator<Item = Typed<'r, EndpointSlice>>,
        pods: impl Iterator<Item = Typed<'r, Pod>>,
    ) {
        self.protocol = protocol(port.app_protocol.as_deref());
        if service.spec.service_type == ServiceType::ExternalName {
            if let Some(name) = &service.spec.external_name {
                self.host(name, target_port(port));
            }
            return;
        }
        let mut slices = slices.peekable();
        if slices.peek().is_some() {
            slices.for_each(|slice| self.slice(slice.content, port));
        } else {
            pods.for_each(|pod| self.pod(pod, service, port));
        }
    }

    /// A Pod that the Service selects. One that ends, or is not ready yet, counts only where the Service publishes
    /// such; one without the named port does not have this port.
    fn pod(&mut self, pod: Typed<'_, Pod>, service: &Service, port: &ServicePort) {
        let ends = pod.resource.meta.deletion_timestamp.is_some();
        let Pod { spec: _, status } = pod.content;
        let wants = service.spec.publish_not_ready_addresses || (status.is_ready() && !ends);
        let number = match &port.target_port {
            Some(PortRef::Name(name)) => pod.content.port_named(name, port.protocol),
            Some(PortRef::Number(_)) | None => Some(target_port(port)),
        };
        let Some(number) = number.filter(|_| wants && !status.is_over()) else { return };
        let families = &service.spec.ip_families;
        match families.as_slice() {
            [] => self.addresses.extend(status.addresses().next().map(|ip| SocketAddr::new(ip, number))),
            families => {
                let firsts =
                    families.iter().filter_map(|family| status.addresses().find(|ip| family.has(*ip)));
                self.addresses.extend(firsts.map(|ip| SocketAddr::new(ip, number)));
            }
        }
    }

    /// Ports are matched by name; the name of a port without one is empty.
    fn slice(&mut self, slice: &EndpointSlice, port: &ServicePort) {
        let wanted = port.name.as_deref().unwrap_or("");
        let ports =
            slice.ports.iter().filter(|known| *known.name == *wanted && known.protocol == Transport::Tcp);
        for number in ports.map(|known| known.port.unwrap_or_else(|| target_port(port))) {
            for endpoint in slice.endpoints.iter().filter(|endpoint| endpoint.conditions.is_ready()) {
                let Some(address) = endpoint.addresses.first() else { continue };
                match (slice.address_type, address.parse::<IpAddr>()) {
                    (AddressType::IPv4 | AddressType::IPv6, Ok(ip)) => {
                        let address = SocketAddr::new(ip, number);
                        self.addresses.push(address);
                        let zone = endpoint.zone.clone();
                        let place = zone.map(|zone| Locality { region: Arc::default(), zone });
                        self.localities.extend(place.map(|place| (address, Arc::new(place))));
                    }
                    (AddressType::Fqdn, _) => self.host(address, number),
                    (AddressType::IPv4 | AddressType::IPv6, Err(_)) => {}
                }
            }
        }
    }

    /// A Backend.
    pub(super) fn backend(&mut self, backend: &Backend) {
        for endpoint in &backend.spec.endpoints {
            match &endpoint.host {
                Host::Ip(ip) => self.addresses.push(SocketAddr::new(*ip, endpoint.port)),
                Host::Dns(name) => self.host(name, endpoint.port),
            }
        }
        self.protocol = match backend.spec.protocol {
            None => UpstreamProtocol::Auto,
            Some(BackendProtocol::Http) => UpstreamProtocol::Http1,
            Some(BackendProtocol::Http2) => UpstreamProtocol::Http2,
        };
        if let Some(timeout) = backend.spec.connect_timeout.filter(|timeout| !timeout.get().is_zero()) {
            self.connect_timeout = timeout.get();
        }
    }

    /// A name to resolve, unless it is an address after all.
    fn host(&mut self, name: &Arc<str>, port: u16) {
        match name.parse::<IpAddr>() {
            Ok(ip) => self.addresses.push(SocketAddr::new(ip, port)),
            Err(_) => {
                let endpoint = DnsEndpoint { name: name.clone(), port };
                if !self.names.contains(&endpoint) {
                    self.names.push(endpoint);
                }
            }
        }
    }
}

fn target_port(port: &ServicePort) -> u16 {
    match &port.target_port {
        Some(PortRef::Number(number)) => *number,
        Some(PortRef::Name(_)) | None => port.port,
    }
}

/// `appProtocol` of a Service port (Kubernetes KEP-3726, Gateway API GEP-1911). Whether TLS is spoken is for
/// a BackendTLSPolicy to say; what is unknown is HTTP.
fn protocol(app_protocol: Option<&str>) -> UpstreamProtocol {
    match app_protocol {
        Some("kubernetes.io/h2c" | "h2c" | "http2" | "grpc") => UpstreamProtocol::Http2,
        Some("kubernetes.io/ws" | "kubernetes.io/wss" | "http") => UpstreamProtocol::Http1,
        Some(_) | None => UpstreamProtocol::Auto,
    }
}
