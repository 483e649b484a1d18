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
use model::kinds::mesh::MtlsMode;
use model::kinds::pod::Pod;
use model::kinds::service::{PortRef, Service, ServicePort, ServiceType, Transport};
use model::kinds::workload::{REGISTERED_BY, Workload, WorkloadProtocol};
use model::resources::Typed;

use super::policies::Tls;
use crate::config::{DnsEndpoint, Locality, MeshPeer, Resilience, UpstreamCredential, UpstreamProtocol};
use crate::mesh::MeshView;
use crate::mesh::spoken::Spoken;

/// Longest time to connect to an endpoint, TLS handshake included, unless a Backend says otherwise.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// A cluster in the making.
pub(super) struct Draft {
    pub(super) protocol: UpstreamProtocol,
    pub(super) addresses: Vec<SocketAddr>,
    /// Members of the mesh, by the port at which they take what it sends.
    pub(super) members: Vec<(SocketAddr, MeshPeer)>,
    pub(super) names: Vec<DnsEndpoint>,
    pub(super) tls: Option<Tls>,
    pub(super) connect_timeout: Duration,
    /// Where addresses are, as far as that is known.
    pub(super) localities: HashMap<SocketAddr, Arc<Locality>>,
    pub(super) credential: Option<Arc<UpstreamCredential>>,
    pub(super) resilience: Option<Arc<Resilience>>,
}

impl Default for Draft {
    fn default() -> Self {
        Draft {
            protocol: UpstreamProtocol::Auto,
            addresses: Vec::new(),
            members: Vec::new(),
            names: Vec::new(),
            tls: None,
            connect_timeout: CONNECT_TIMEOUT_DEFAULT,
            localities: HashMap::new(),
            credential: None,
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
        self.protocol = protocol(port);
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

    /// A Workload that the Service selects: a member of the mesh where it has a sidecar and asks for proof, else an
    /// address like any other.
    pub(super) fn workload(
        &mut self,
        workload: Typed<'_, Workload>,
        service: Typed<'_, Service>,
        port: &ServicePort,
        mesh: Option<&MeshView>,
    ) {
        let Typed { resource, content } = workload;
        let ends = resource.meta.deletion_timestamp.is_some();
        let ready = content.is_ready(resource.meta.labels.contains_key(REGISTERED_BY)) && !ends;
        let wanted = ready || service.content.spec.publish_not_ready_addresses;
        let Some(number) = workload_port(content, port).filter(|_| wanted) else { return };
        let address = content.spec.address;
        let proof = mesh
            .zip(content.spec.sidecar)
            .filter(|(mesh, _)| content.spec.mtls_mode(number, mesh.mode) != MtlsMode::Off);
        let place = content.spec.locality.as_ref().map(|place| {
            let word = |word: &Option<Arc<str>>| word.clone().unwrap_or_default();
            Arc::new(Locality { region: word(&place.region), zone: word(&place.zone) })
        });
        let Some((mesh, sidecar)) = proof else {
            let address = SocketAddr::new(address, number);
            self.addresses.push(address);
            self.localities.extend(place.map(|place| (address, place)));
            return;
        };
        // A name that no identity can have proves nothing, and in cleartext nobody asked.
        let Some(identity) = mesh.identity(resource.namespace(), &content.spec.service_account) else {
            return;
        };
        let (namespace, name) = (service.resource.namespace(), service.resource.key.name.as_str());
        // All are asked for the same service, and most are the same account: they share the text.
        let like = self.members.last().map(|(_, peer)| peer);
        let peer = MeshPeer {
            server_name: match like {
                Some(peer) => peer.server_name.clone(),
                None => mesh.server_name(namespace, name, port.port),
            },
            identity: like
                .map(|peer| &peer.identity)
                .filter(|like| **like == identity)
                .unwrap_or(&identity)
                .clone(),
            replica: resource.key.place().into(),
        };
        let address = SocketAddr::new(address, sidecar.port);
        self.members.push((address, peer));
        self.localities.extend(place.map(|place| (address, place)));
    }

    /// A port of the application behind a sidecar.
    pub(super) fn application(&mut self, workload: &Workload, port: u16, spoken: Spoken) {
        let target = workload.spec.port(port).map_or(port, |port| port.target());
        self.addresses.push(SocketAddr::new(workload.spec.application_address(), target));
        self.protocol = match spoken {
            Spoken::Http2 => UpstreamProtocol::Http2,
            Spoken::Http1 => UpstreamProtocol::Http1,
            Spoken::Bytes | Spoken::Unsaid => UpstreamProtocol::Auto,
        };
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

/// The port of a Workload that a port of a Service means; nothing when it names one that the Workload does not have.
pub(super) fn workload_port(workload: &Workload, port: &ServicePort) -> Option<u16> {
    match &port.target_port {
        Some(PortRef::Name(name)) => workload.spec.port_named(name).map(|port| port.port),
        Some(PortRef::Number(_)) | None => Some(target_port(port)),
    }
}

/// What is spoken at a port of a Workload.
pub(super) fn spoken_at(protocol: WorkloadProtocol) -> Spoken {
    match protocol {
        WorkloadProtocol::Http => Spoken::Http1,
        WorkloadProtocol::Http2 | WorkloadProtocol::Grpc => Spoken::Http2,
        WorkloadProtocol::Tcp => Spoken::Bytes,
    }
}

/// What is spoken to the endpoints of a Service port. Whether TLS is spoken is for a BackendTLSPolicy to say; what is
/// unknown is HTTP.
fn protocol(port: &ServicePort) -> UpstreamProtocol {
    match port.app_protocol.as_deref() {
        Some("kubernetes.io/ws" | "kubernetes.io/wss" | "http") => UpstreamProtocol::Http1,
        Some(_) | None if Spoken::of(port) == Spoken::Http2 => UpstreamProtocol::Http2,
        Some(_) | None => UpstreamProtocol::Auto,
    }
}
