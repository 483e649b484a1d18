//! What a workload may call: each Service at a loopback address of its own, with the routes that stand before it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use model::Resources;
use model::kinds::service::ServicePort;
use model::kinds::workload::Reach;

use super::doors::{Draft, Leads};
use super::inbound::Inbound;
use super::way::{Label, Way};
use super::{Ways, at};
use crate::compile::listeners::ListenerView;
use crate::compile::protection::Guard;
use crate::compile::references::ClusterKey;
use crate::compile::service_parents::{self, CONSUMER, PRODUCER};
use crate::config::{BindAddress, ReachableName, ReachablePort};
use crate::mesh::addresses::{Addresses, Place, ServiceBlock, open_at};
use crate::mesh::spoken::Spoken;

/// How many proxies an application is believed about: itself, who speaks for its own client.
const TRUSTED_HOPS: u8 = 1;

/// Everything that may be called.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    addresses: Addresses,
    called: Vec<Called>,
    names: Arc<[ReachableName]>,
}

/// A Service that may be called.
#[derive(Debug)]
struct Called {
    place: Place,
    address: Ipv4Addr,
    ports: Vec<CalledPort>,
}

#[derive(Debug)]
struct CalledPort {
    name: Option<Arc<str>>,
    port: u16,
    open_at: u16,
    spoken: Spoken,
}

impl Outbound {
    /// Services are found in this block from here on.
    pub(super) fn place(&mut self, block: ServiceBlock) {
        self.addresses = Addresses::of_block(block);
    }

    /// Finds the Services that may be called.
    pub(super) fn plan(
        &mut self,
        resources: &Resources,
        home: &str,
        reaches: Option<&[Reach]>,
        low_ports: bool,
    ) {
        let may = |namespace: &str, name: &str| {
            reaches.is_none_or(|all| all.iter().any(|reach| reach.covers(home, namespace, name)))
        };
        let services = resources.all::<model::kinds::Service>();
        let mut services: Vec<_> = services
            .filter(|service| may(service.resource.namespace(), service.resource.key.name.as_str()))
            .map(|service| {
                let place: Place = (service.resource.namespace().into(), service.resource.key.name.to_arc());
                (place, service)
            })
            .collect();
        services.sort_by(|left, right| (left.1.resource.age, &left.0).cmp(&(right.1.resource.age, &right.0)));
        self.addresses.settle(services.iter().map(|(place, _)| place));
        services.sort_by(|left, right| left.0.cmp(&right.0));
        self.called = services
            .into_iter()
            .filter_map(|(place, service)| {
                let address = self.addresses.of(&place)?;
                let ports: Vec<&ServicePort> = service_parents::ports(service).collect();
                let numbers: Vec<u16> = ports.iter().map(|port| port.port).collect();
                let called = |port: &&ServicePort| CalledPort {
                    name: port.name.clone(),
                    port: port.port,
                    open_at: open_at(port.port, &numbers, low_ports),
                    spoken: Spoken::of(port),
                };
                Some(Called { place, address, ports: ports.iter().map(called).collect() })
            })
            .collect();
        let names: Arc<[ReachableName]> = self.called.iter().map(Called::name).collect();
        if names != self.names {
            self.names = names;
        }
    }

    /// Where routes may stand: before the Services that may be called, and before the workload's own, of which it must
    /// know what they speak.
    pub(super) fn views(&self, resources: &Resources, home: &str, inbound: &Inbound) -> Vec<ListenerView> {
        let called = self.called.iter().map(|called| &called.place);
        let mut places: Vec<&Place> = called.chain(inbound.services()).collect();
        places.sort_unstable();
        places.dedup();
        let services = places.into_iter().filter_map(|(namespace, name)| resources.service(namespace, name));
        services
            .flat_map(|service| {
                let ports = service_parents::ports(service);
                ports.flat_map(move |port| service_parents::views(service, port, home))
            })
            .collect()
    }

    pub(super) fn names(&self) -> Arc<[ReachableName]> {
        self.names.clone()
    }

    /// The ports to listen on.
    pub(super) fn drafts(&self, ways: &mut Ways<'_>) -> BTreeMap<BindAddress, Draft> {
        let mut drafts = BTreeMap::new();
        for called in &self.called {
            for port in &called.ports {
                let leads = Leads::One(called.way(port, ways));
                let draft = Draft { leads, trusted_hops: TRUSTED_HOPS, caller_header: false };
                drafts.insert(at(called.address, port.open_at), draft);
            }
        }
        drafts
    }
}

impl Called {
    fn name(&self) -> ReachableName {
        let (namespace, service) = self.place.clone();
        let ports = self.ports.iter();
        ReachableName {
            service,
            namespace,
            virtual_address: self.address,
            ports: ports
                .map(|port| ReachablePort { name: port.name.clone(), port: port.port, open_at: port.open_at })
                .collect(),
        }
    }

    /// By the consumer's routes; without any by the producer's; without any straight on. Routes of requests come before
    /// those of connections where a port leaves open what it is.
    fn way(&self, port: &CalledPort, ways: &mut Ways<'_>) -> Way {
        let (namespace, name) = &self.place;
        for whose in [CONSUMER, PRODUCER] {
            let place = service_parents::unique(namespace, name, port.port, whose);
            if let Some(listener) = ways.tables.listener_with_hosts(&place) {
                return Way::Routes(listener);
            }
        }
        for whose in [CONSUMER, PRODUCER] {
            let place = service_parents::unique(namespace, name, port.port, whose);
            if let Some(rule) = ways.connections.winner(&place) {
                return Way::Connections(rule.clone());
            }
        }
        let key = ClusterKey::Service { namespace: namespace.clone(), name: name.clone(), port: port.port };
        let label = Label {
            unique: format!("to {namespace}/{name}:{}", port.port),
            kind: "Service",
            place: format!("{namespace}/{name}").into(),
            addresses: None,
            guard: Guard::default(),
            rates: None,
            validation: None,
            products: Vec::new(),
        };
        Way::straight(label, key, port.spoken.is_http(), ways)
    }
}
