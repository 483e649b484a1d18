//! What an application reaches through its sidecar, and under which names.
//!
//! Every Service that its workload may call has a virtual address of the loopback network, behind which the sidecar
//! listens. Environment, files and the resolver say the same thing in three ways; this is what they say it of.

use std::net::Ipv4Addr;
use std::sync::Arc;

use engine::Config;
use engine::config::{BindAddress, Carries, ReachableName};
use identity::Member;
use tokio::sync::watch;

/// All Services that can be reached, as one workload sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The trust domain, which every full name ends in.
    pub trust_domain: Arc<str>,
    /// The workload's own namespace, whose Services need no longer name.
    pub namespace: Arc<str>,
    /// The Services, sorted by namespace and name.
    pub services: Vec<Reachable>,
}

/// A Service that can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reachable {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub service: Arc<str>,
    /// Its virtual address.
    pub address: Ipv4Addr,
    /// Its ports, in the order of the Service.
    pub ports: Vec<ReachablePort>,
}

/// A port of a Service, as the application reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachablePort {
    /// Its name; empty when the Service's only port has none.
    pub name: Arc<str>,
    /// Where the sidecar listens for it.
    pub port: u16,
    /// What is spoken there.
    pub speaks: Speaks,
}

/// What is spoken at a port, as far as names are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP of any version, in clear text up to the sidecar.
    Http,
    /// Bytes.
    Tcp,
}

impl Speaks {
    /// The scheme of a URL.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Speaks::Http => "http",
            Speaks::Tcp => "tcp",
        }
    }
}

impl Names {
    /// Nothing can be reached yet.
    #[must_use]
    pub fn none(namespace: &str) -> Names {
        Names { trust_domain: "mesh.local".into(), namespace: namespace.into(), services: Vec::new() }
    }

    /// What a config lets a workload of this namespace reach.
    #[must_use]
    pub fn of(config: &Config, namespace: &str, trust_domain: &str) -> Names {
        let services = config.names.iter().map(|reachable| Reachable {
            namespace: reachable.namespace.clone(),
            service: reachable.service.clone(),
            address: reachable.virtual_address,
            ports: reachable.ports.iter().map(|port| ReachablePort::of(config, reachable, port)).collect(),
        });
        let mut services: Vec<Reachable> = services.collect();
        services.sort_by(|a, b| (&a.namespace, &a.service).cmp(&(&b.namespace, &b.service)));
        Names { trust_domain: trust_domain.into(), namespace: namespace.into(), services }
    }

    /// The zone that holds every Service: `svc.<trust domain>`.
    #[must_use]
    pub fn zone(&self) -> String {
        format!("svc.{}", self.trust_domain)
    }

    /// A Service by its parts, in lower case.
    #[must_use]
    pub fn find(&self, namespace: &str, service: &str) -> Option<&Reachable> {
        let wanted = (namespace, service);
        let found = self
            .services
            .binary_search_by(|reachable| (&*reachable.namespace, &*reachable.service).cmp(&wanted));
        self.services.get(found.ok()?)
    }

    /// Whether a Service is of the workload's own namespace.
    #[must_use]
    pub fn is_own(&self, reachable: &Reachable) -> bool {
        reachable.namespace == self.namespace
    }
}

impl ReachablePort {
    fn of(config: &Config, service: &ReachableName, port: &engine::config::ReachablePort) -> ReachablePort {
        let address = BindAddress { ip: service.virtual_address.into(), port: port.open_at };
        // Ports are sorted by their addresses.
        let found = config.ports.binary_search_by_key(&address, |port| port.address);
        let speaks = match found.ok().map(|at| &config.ports[at].carries) {
            Some(Carries::Http(_)) => Speaks::Http,
            Some(Carries::Tcp(_)) | None => Speaks::Tcp,
        };
        ReachablePort { name: port.name.clone().unwrap_or_default(), port: port.open_at, speaks }
    }
}

impl Reachable {
    /// Its full name: `service.namespace.svc.<trust domain>`.
    #[must_use]
    pub fn full_name(&self, names: &Names) -> String {
        format!("{}.{}.{}", self.service, self.namespace, names.zone())
    }
}

/// Says what can be reached, to whoever wants to know, whenever that changes.
#[derive(Clone, Debug)]
pub struct Saying {
    namespace: Arc<str>,
    /// Knows the trust domain, once it is one.
    member: Arc<Member>,
    said: watch::Sender<Arc<Names>>,
}

impl Saying {
    /// Nothing can be reached yet.
    #[must_use]
    pub fn of(namespace: &str, member: &Arc<Member>) -> Saying {
        let said = watch::Sender::new(Arc::new(Names::none(namespace)));
        Saying { namespace: namespace.into(), member: member.clone(), said }
    }

    /// What is said.
    #[must_use]
    pub fn names(&self) -> watch::Receiver<Arc<Names>> {
        self.said.subscribe()
    }

    /// Says what a config lets us reach.
    pub fn say(&self, config: &Config) {
        let standing = self.member.standing();
        let Some(svid) = &standing.svid else { return };
        let names = Names::of(config, &self.namespace, svid.identity().trust_domain());
        self.said.send_if_modified(|said| {
            let differs = **said != names;
            if differs {
                *said = Arc::new(names);
            }
            differs
        });
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A shop with a Service of its own namespace and one of another.
    pub fn shop() -> Names {
        let port = |name: &str, port, speaks| ReachablePort { name: name.into(), port, speaks };
        Names {
            trust_domain: "bank.example".into(),
            namespace: "shop".into(),
            services: vec![
                Reachable {
                    namespace: "data".into(),
                    service: "postgres".into(),
                    address: Ipv4Addr::new(127, 130, 4, 9),
                    ports: vec![port("", 5432, Speaks::Tcp)],
                },
                Reachable {
                    namespace: "shop".into(),
                    service: "cart".into(),
                    address: Ipv4Addr::new(127, 128, 7, 1),
                    ports: vec![port("http", 8080, Speaks::Http), port("admin-api", 9090, Speaks::Http)],
                },
            ],
        }
    }

    #[test]
    fn a_service_is_found_by_its_parts() {
        let names = shop();
        assert_eq!(names.find("shop", "cart").map(|found| found.address), Some([127, 128, 7, 1].into()));
        assert_eq!(names.find("data", "cart"), None);
        let cart = names.find("shop", "cart").expect("a Service");
        assert_eq!(cart.full_name(&names), "cart.shop.svc.bank.example");
    }
}
