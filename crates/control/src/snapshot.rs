//! All resources at one revision, with what they were compiled to and what became of each.
//!
//! A snapshot never changes; readers keep the one they have while the next is made.

use std::net::IpAddr;
use std::sync::Arc;

use engine::Config;
use engine::compile::ShimInUse;
use engine::config::BindAddress;
use engine::status::Conditions;
use model::kinds::gateway::AddressType;
use model::kinds::{Gateway, TcpRoute};
use model::{ResourceKey, Resources};

/// One revision.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Number of the change that made it; 0 is the empty one before the first.
    pub change: u64,
    /// What users wrote.
    pub resources: Resources,
    /// What proxies run on.
    pub config: Arc<Config>,
    /// What became of each object, as far as the engine can tell.
    pub conditions: Conditions,
    /// Shims that carry traffic, to be proved.
    pub shims: Arc<[ShimInUse]>,
    /// Where Gateways listen that name no address.
    pub bind: IpAddr,
}

impl Snapshot {
    /// The Gateways that asked for an address and port, by namespace and name.
    #[must_use]
    pub fn gateways_on(&self, address: BindAddress) -> Vec<ResourceKey> {
        let wanted = |gateway: &Gateway| {
            gateway.spec.listeners.iter().any(|listener| listener.port == address.port)
                && ips(gateway, self.bind).contains(&address.ip)
        };
        let gateways = self.resources.gateways().filter(|gateway| wanted(gateway.content));
        gateways.map(|gateway| gateway.resource.key.clone()).collect()
    }

    /// The addresses a Gateway asks for, each with each of its ports.
    #[must_use]
    pub fn addresses_of(&self, gateway: &ResourceKey) -> Vec<BindAddress> {
        let namespace = gateway.namespace.as_ref().map_or("", |namespace| namespace.as_str());
        let Some(found) = self.resources.gateway(namespace, gateway.name.as_str()) else { return Vec::new() };
        let mut addresses: Vec<BindAddress> = ips(found.content, self.bind)
            .into_iter()
            .flat_map(|ip| {
                found
                    .content
                    .spec
                    .listeners
                    .iter()
                    .map(move |listener| BindAddress { ip, port: listener.port })
            })
            .collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// `2 routes, 1 gateway`.
    #[must_use]
    pub fn summary(&self) -> String {
        let routes = self.resources.http_routes().count() + self.resources.all::<TcpRoute>().count();
        let gateways = self.resources.gateways().count();
        format!("{}, {}", counted(routes, "route"), counted(gateways, "gateway"))
    }
}

/// Local addresses of a Gateway; an address of another type, or that is none, cannot be bound and is left out.
fn ips(gateway: &Gateway, bind: IpAddr) -> Vec<IpAddr> {
    if gateway.spec.addresses.is_empty() {
        return vec![bind];
    }
    let usable = |kind: &AddressType| match kind {
        AddressType::IpAddress => true,
        AddressType::Hostname | AddressType::Other(_) => false,
    };
    let addresses = gateway.spec.addresses.iter().filter(|address| usable(&address.address_type));
    addresses
        .filter_map(|address| match address.value.as_deref().unwrap_or("") {
            "" => Some(bind),
            text => text.parse().ok(),
        })
        .collect()
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
