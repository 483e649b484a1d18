//! Sockets and what is served on them, put together from the listeners of all Gateways.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gateways::GatewayPlan;
use super::listeners::Judged;
use super::tables::Tables;
use crate::config::{
    BindAddress, Carries, ClientValidation, KeyPair, Port, Security, Settings, TlsHost, TlsPort,
};
use crate::matching::{HostPattern, Listener, ListenerTable};

/// The ports of the last compile, to be kept by pointer where nothing changed.
#[derive(Debug, Default)]
pub(super) struct Ports {
    last: BTreeMap<BindAddress, (Draft, Arc<Port>)>,
}

/// What a port is made of.
#[derive(Debug)]
struct Draft {
    settings: Arc<Settings>,
    tls: bool,
    /// The same for all listeners: those that ask for something else were refused.
    client_validation: Option<Arc<ClientValidation>>,
    listeners: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    hostname: HostPattern,
    listener: Arc<Listener>,
    certificates: Vec<Arc<KeyPair>>,
}

impl Ports {
    /// Puts the ports together. `plans` stand oldest first, so the first to name a port gives its settings.
    pub(super) fn build(&mut self, plans: &[GatewayPlan], tables: &mut Tables) -> Vec<Arc<Port>> {
        let mut drafts: BTreeMap<BindAddress, Draft> = BTreeMap::new();
        for plan in plans {
            for judged in plan.listeners.iter().filter(|listener| listener.view.served) {
                let listener = tables.listener(&judged.view.unique);
                for ip in &plan.addresses {
                    let address = BindAddress { ip: *ip, port: judged.view.port };
                    let new = || Draft::new(&plan.settings, judged);
                    drafts.entry(address).or_insert_with(new).listeners.push(Part::new(judged, &listener));
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
            tls: judged.view.https,
            client_validation: judged.client_validation.clone(),
            listeners: Vec::new(),
        }
    }

    fn is(&self, other: &Draft) -> bool {
        self.settings == other.settings
            && self.tls == other.tls
            && self.client_validation == other.client_validation
            && self.listeners.len() == other.listeners.len()
            && self.listeners.iter().zip(&other.listeners).all(|(mine, theirs)| mine.is(theirs))
    }

    fn port(&self, address: BindAddress) -> Port {
        let table =
            self.listeners.iter().map(|part| (part.hostname.clone(), part.listener.clone())).collect();
        let security = if self.tls {
            let hosts = self.listeners.iter().map(Part::tls_host).collect();
            Security::Tls(TlsPort { hosts, client_validation: self.client_validation.clone() })
        } else {
            Security::Plain
        };
        Port {
            address,
            security,
            carries: Carries::Http(ListenerTable::new(table)),
            settings: self.settings.clone(),
        }
    }
}

impl Part {
    fn new(judged: &Judged, listener: &Arc<Listener>) -> Self {
        Part {
            hostname: judged.view.hostname.clone(),
            listener: listener.clone(),
            certificates: judged.certificates.clone(),
        }
    }

    fn is(&self, other: &Part) -> bool {
        self.hostname == other.hostname
            && Arc::ptr_eq(&self.listener, &other.listener)
            && self.certificates.len() == other.certificates.len()
            && self
                .certificates
                .iter()
                .zip(&other.certificates)
                .all(|(mine, theirs)| Arc::ptr_eq(mine, theirs))
    }

    fn tls_host(&self) -> TlsHost {
        TlsHost {
            hostname: self.hostname.text().map(Arc::from),
            listener: self.listener.name.clone(),
            certificates: self.certificates.clone(),
        }
    }
}
