//! Sockets and what is served on them, put together from the listeners of all Gateways.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gateways::GatewayPlan;
use super::listeners::{Family, Judged};
use super::rules::RuleSlots;
use super::tables::Tables;
use super::tcp_routes::TcpRoutes;
use crate::config::{
    BindAddress, Carries, ClientValidation, KeyPair, MeshPort, Port, Security, Settings, TcpRule, TlsHost,
    TlsPort,
};
use crate::matching::{HostPattern, Listener, ListenerTable};

/// The ports of the last compile, to be kept by pointer where nothing changed.
#[derive(Debug, Default)]
pub(super) struct Ports {
    last: BTreeMap<BindAddress, (Draft, Arc<Port>)>,
}

/// Where the content of listeners is to be had.
pub(super) struct Content<'a> {
    pub(super) tables: &'a mut Tables,
    pub(super) tcp_routes: &'a mut TcpRoutes,
    pub(super) slots: &'a mut RuleSlots,
}

/// What a port is made of.
#[derive(Debug)]
struct Draft {
    settings: Arc<Settings>,
    family: Family,
    /// `namespace/gateway:port`, of the oldest Gateway that has it.
    name: Arc<str>,
    /// The same for all listeners: those that ask for something else were refused.
    client_validation: Option<Arc<ClientValidation>>,
    listeners: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    hostname: HostPattern,
    name: Arc<str>,
    carries: Carried,
    certificates: Vec<Arc<KeyPair>>,
}

/// What one listener carries. The listeners of a port all carry requests or all carry bytes, because others were
/// refused.
#[derive(Clone, Debug)]
enum Carried {
    Requests(Arc<Listener>),
    Bytes(Arc<TcpRule>),
}

impl Carried {
    fn is(&self, other: &Carried) -> bool {
        match (self, other) {
            (Carried::Requests(mine), Carried::Requests(theirs)) => Arc::ptr_eq(mine, theirs),
            (Carried::Bytes(mine), Carried::Bytes(theirs)) => Arc::ptr_eq(mine, theirs),
            (Carried::Requests(_), Carried::Bytes(_)) | (Carried::Bytes(_), Carried::Requests(_)) => false,
        }
    }
}

impl Content<'_> {
    fn of(&mut self, judged: &Judged) -> Carried {
        let name = &judged.view.unique;
        match judged.family {
            Family::Tcp | Family::Tls => Carried::Bytes(self.tcp_routes.rule(name, self.slots)),
            // The last two are never listened on.
            Family::Http | Family::Https | Family::Mesh | Family::Udp | Family::Unknown => {
                Carried::Requests(self.tables.listener(name))
            }
        }
    }
}

impl Ports {
    /// Puts the ports together. `plans` stand oldest first, so the first to name a port gives its settings.
    pub(super) fn build(&mut self, plans: &[GatewayPlan], mut content: Content<'_>) -> Vec<Arc<Port>> {
        let mut drafts: BTreeMap<BindAddress, Draft> = BTreeMap::new();
        for plan in plans {
            for judged in plan.listeners.iter().filter(|listener| listener.view.served) {
                let carries = content.of(judged);
                for ip in &plan.addresses {
                    let address = BindAddress { ip: *ip, port: judged.view.port };
                    let new = || Draft::new(&plan.settings, judged);
                    drafts.entry(address).or_insert_with(new).listeners.push(Part::new(judged, &carries));
                }
            }
        }
        let mut last = std::mem::take(&mut self.last);
        for (address, draft) in drafts {
            let kept = last.remove(&address).filter(|(old, _)| old.is(&draft));
            let port = kept.map_or_else(|| Arc::new(draft.port(address)), |(_, port)| port);
            self.last.insert(address, (draft, port));
        }
        self.last.values().map(|(_, port)| port.clone()).collect()
    }
}

impl Draft {
    fn new(settings: &Arc<Settings>, judged: &Judged) -> Self {
        Draft {
            settings: settings.clone(),
            family: judged.family,
            name: format!("{}/{}:{}", judged.view.namespace, judged.view.gateway, judged.view.port).into(),
            client_validation: judged.client_validation.clone(),
            listeners: Vec::new(),
        }
    }

    fn is(&self, other: &Draft) -> bool {
        self.settings == other.settings
            && self.family == other.family
            && self.name == other.name
            && self.client_validation == other.client_validation
            && self.listeners.len() == other.listeners.len()
            && self.listeners.iter().zip(&other.listeners).all(|(mine, theirs)| mine.is(theirs))
    }

    fn port(&self, address: BindAddress) -> Port {
        let carries = self.carries();
        let security = match self.family {
            Family::Https | Family::Tls => {
                let hosts = self.listeners.iter().map(|part| part.tls_host(&carries)).collect();
                Security::Tls(TlsPort { hosts, client_validation: self.client_validation.clone() })
            }
            Family::Mesh => {
                Security::Mesh(MeshPort { others: Some(self.name.clone()), ..MeshPort::default() })
            }
            Family::Http | Family::Tcp | Family::Udp | Family::Unknown => Security::Plain,
        };
        Port { address, security, carries, settings: self.settings.clone() }
    }

    /// What the port carries; of several listeners with bytes, what the one for the most names does.
    fn carries(&self) -> Carries {
        let bytes = self.listeners.iter().filter_map(|part| match &part.carries {
            Carried::Bytes(rule) => Some((part.hostname.specificity(), rule)),
            Carried::Requests(_) => None,
        });
        if let Some((_, rule)) = bytes.min_by_key(|(specificity, _)| *specificity) {
            return Carries::Tcp(rule.clone());
        }
        let tables = self.listeners.iter().filter_map(|part| match &part.carries {
            Carried::Requests(listener) => Some((part.hostname.clone(), listener.clone())),
            Carried::Bytes(_) => None,
        });
        Carries::Http(ListenerTable::new(tables.collect()))
    }
}

impl Part {
    fn new(judged: &Judged, carries: &Carried) -> Self {
        Part {
            hostname: judged.view.hostname.clone(),
            name: judged.view.unique.clone(),
            carries: carries.clone(),
            certificates: judged.certificates.clone(),
        }
    }

    fn is(&self, other: &Part) -> bool {
        self.hostname == other.hostname
            && self.name == other.name
            && self.carries.is(&other.carries)
            && self.certificates.len() == other.certificates.len()
            && self
                .certificates
                .iter()
                .zip(&other.certificates)
                .all(|(mine, theirs)| Arc::ptr_eq(mine, theirs))
    }

    fn tls_host(&self, of_port: &Carries) -> TlsHost {
        let own = match (&self.carries, of_port) {
            (Carried::Bytes(mine), Carries::Tcp(theirs)) if !Arc::ptr_eq(mine, theirs) => {
                Some(Carries::Tcp(mine.clone()))
            }
            (Carried::Bytes(_) | Carried::Requests(_), _) => None,
        };
        TlsHost {
            hostname: self.hostname.text().map(Arc::from),
            listener: self.name.clone(),
            certificates: self.certificates.clone(),
            carries: own,
        }
    }
}
