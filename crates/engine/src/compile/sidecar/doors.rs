//! Sockets of a sidecar, kept by pointer where nothing changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::way::Way;
use crate::config::{
    BindAddress, Carries, ClusterSlot, InboundService, MeshPort, Port, Security, Settings, Tracing,
};
use crate::matching::ListenerTable;

/// The ports of the last compile.
#[derive(Debug, Default)]
pub(super) struct Doors {
    last: BTreeMap<BindAddress, (Draft, Arc<Port>)>,
    /// What most of them have in common.
    settings: Vec<Arc<Settings>>,
    tracing: Option<Arc<Tracing>>,
}

/// What a port is made of.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) leads: Leads,
    /// How many proxies in front are believed about the client.
    pub(super) trusted_hops: u8,
    /// Whether the application is told who calls, where that is proven.
    pub(super) caller_header: bool,
}

/// Where a port leads.
#[derive(Debug)]
pub(super) enum Leads {
    /// One way for everybody.
    One(Way),
    /// A way for each server name.
    ByName(Vec<Named>),
}

/// What members may ask for.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) server_name: Arc<str>,
    /// `namespace/service:port`.
    pub(super) name: Arc<str>,
    pub(super) way: Way,
}

impl Doors {
    /// Puts the ports together; `tracing` holds for all of them.
    pub(super) fn build(
        &mut self,
        drafts: BTreeMap<BindAddress, Draft>,
        tracing: Option<&Arc<Tracing>>,
    ) -> Vec<Arc<Port>> {
        let mut last = std::mem::take(&mut self.last);
        if self.tracing.as_ref() != tracing {
            last.clear();
            self.settings.clear();
            self.tracing = tracing.cloned();
        }
        let doors = drafts.into_iter().map(|(address, draft)| {
            let kept = last.remove(&address).filter(|(old, _)| old.is(&draft));
            let port = match kept {
                Some((_, port)) => port,
                None => Arc::new(draft.port(address, self.settings_of(&draft))),
            };
            (address, (draft, port))
        });
        // Collected, not inserted one after the other in their order, which leaves half of the tree empty.
        let doors: BTreeMap<_, _> = doors.collect();
        self.last = doors;
        self.last.values().map(|(_, port)| port.clone()).collect()
    }

    /// The settings of a port. There are a few of them for thousands of ports.
    fn settings_of(&mut self, draft: &Draft) -> Arc<Settings> {
        let Draft { leads: _, trusted_hops, caller_header } = *draft;
        let tracing = self.tracing.clone();
        let wanted = Settings { trusted_hops, caller_header, tracing, ..Settings::default() };
        if let Some(known) = self.settings.iter().find(|known| ***known == wanted) {
            return known.clone();
        }
        let new = Arc::new(wanted);
        self.settings.push(new.clone());
        new
    }
}

impl Draft {
    fn is(&self, other: &Draft) -> bool {
        let leads = match (&self.leads, &other.leads) {
            (Leads::One(mine), Leads::One(theirs)) => mine.is(theirs),
            (Leads::ByName(mine), Leads::ByName(theirs)) => {
                mine.len() == theirs.len() && mine.iter().zip(theirs).all(|(mine, theirs)| mine.is(theirs))
            }
            (Leads::One(_), Leads::ByName(_)) | (Leads::ByName(_), Leads::One(_)) => false,
        };
        leads && self.trusted_hops == other.trusted_hops && self.caller_header == other.caller_header
    }

    /// The clusters that are led to straight.
    pub(super) fn clusters(&self) -> impl Iterator<Item = ClusterSlot> + '_ {
        let (one, named) = match &self.leads {
            Leads::One(way) => (Some(way), &[][..]),
            Leads::ByName(named) => (None, named.as_slice()),
        };
        one.into_iter().chain(named.iter().map(|named| &named.way)).filter_map(Way::cluster)
    }

    fn port(&self, address: BindAddress, settings: Arc<Settings>) -> Port {
        let (security, carries) = match &self.leads {
            Leads::One(way) => (Security::Plain, way.carries()),
            Leads::ByName(named) => {
                let services: HashMap<Arc<str>, InboundService> =
                    named.iter().map(|named| (named.server_name.clone(), named.service())).collect();
                // Who proves nothing comes in by the ports of the workload, where it asks for no proof.
                let nothing = Carries::Http(ListenerTable::default());
                (Security::Mesh(MeshPort { services, ..MeshPort::default() }), nothing)
            }
        };
        Port { address, security, carries, settings }
    }
}

impl Named {
    fn is(&self, other: &Named) -> bool {
        self.server_name == other.server_name && self.name == other.name && self.way.is(&other.way)
    }

    fn service(&self) -> InboundService {
        InboundService { name: self.name.clone(), carries: self.way.carries() }
    }
}
