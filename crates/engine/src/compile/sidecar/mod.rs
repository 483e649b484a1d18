//! What the proxy beside one Workload listens on: the door by which the mesh comes in, and a loopback address for
//! every Service that the workload may call.
//!
//! Routes are compiled by the code that compiles them for Gateways. What is different is where they stand (at ports of
//! Services) and what holds where none stands: straight on to the Service, or to the application.

mod doors;
mod inbound;
mod outbound;
mod products;
mod way;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use model::kinds::Workload;
use model::resources::Typed;
use model::{Resource, Resources};

use super::apis::ApiBook;
use super::clusters::ClusterBook;
use super::listeners::ListenerView;
use super::protection::PolicyBook;
use super::resilience::ResilienceBook;
use super::rules::RuleSlots;
use super::selection::Selection;
use super::tables::Tables;
use super::tcp_routes::TcpRoutes;
use super::telemetry::TelemetryBook;
use crate::config::{BindAddress, ClusterSlot, Port, ReachableName, Tracing};
use crate::mesh::MeshView;
use crate::mesh::addresses::ServiceBlock;
use crate::status::{Condition, ConditionType, ObjectStatus, PlainStatus, Reason};
use doors::Doors;
use inbound::Inbound;
use outbound::Outbound;

/// The proxy beside one Workload.
#[derive(Debug)]
pub(super) struct Sidecar {
    namespace: Arc<str>,
    workload: Arc<str>,
    low_ports: bool,
    outbound: Outbound,
    inbound: Inbound,
    doors: Doors,
    /// Who is told of requests.
    tracing: Option<Arc<Tracing>>,
    /// Clusters that it leads to straight.
    held: Vec<ClusterSlot>,
}

/// What ways are laid with.
pub(super) struct Ways<'a> {
    pub(super) tables: &'a mut Tables,
    pub(super) connections: &'a TcpRoutes,
    pub(super) slots: &'a mut RuleSlots,
    pub(super) book: &'a mut ClusterBook,
    pub(super) protection: &'a mut PolicyBook,
    pub(super) resilience: &'a ResilienceBook,
    pub(super) apis: &'a ApiBook,
    pub(super) resources: &'a Resources,
}

impl Sidecar {
    pub(super) fn new(namespace: Arc<str>, workload: Arc<str>) -> Self {
        Sidecar {
            namespace,
            workload,
            low_ports: false,
            outbound: Outbound::default(),
            inbound: Inbound::default(),
            doors: Doors::default(),
            tracing: None,
            held: Vec::new(),
        }
    }

    /// Lets Services be found at their own low ports.
    pub(super) fn bind_low_ports(&mut self) {
        self.low_ports = true;
    }

    /// Gives Services addresses of this block.
    pub(super) fn place_services(&mut self, block: ServiceBlock) {
        self.outbound.place(block);
    }

    /// Finds out who is told of requests.
    pub(super) fn trace(&mut self, resources: &Resources, selection: &Selection, telemetry: &TelemetryBook) {
        self.tracing = self.own(resources).and_then(|own| {
            let services = selection.services_of(own.resource, resources);
            telemetry.of_workload(own.resource, services)
        });
    }

    /// Whether it stands beside this Workload.
    pub(super) fn is(&self, workload: &Resource) -> bool {
        workload.namespace() == &*self.namespace && workload.key.name.as_str() == &*self.workload
    }

    fn own<'r>(&self, resources: &'r Resources) -> Option<Typed<'r, Workload>> {
        resources.workload(&self.namespace, &self.workload)
    }

    /// Finds out what there is to listen on, and where routes may stand.
    pub(super) fn plan(
        &mut self,
        resources: &Resources,
        selection: &Selection,
        mesh: Option<&MeshView>,
    ) -> Vec<ListenerView> {
        let own = self.own(resources);
        let reaches = own.and_then(|own| own.content.spec.reaches.as_deref());
        self.outbound.plan(resources, &self.namespace, reaches, self.low_ports);
        self.inbound = own.map(|own| Inbound::plan(own, resources, selection, mesh)).unwrap_or_default();
        self.outbound.views(resources, &self.namespace, &self.inbound)
    }

    /// Puts the ports together and keeps in use what they lead to.
    pub(super) fn build(&mut self, mut ways: Ways<'_>) -> Vec<Arc<Port>> {
        let mut drafts = self.outbound.drafts(&mut ways);
        drafts.extend(self.inbound.drafts(&self.namespace, &self.workload, &mut ways));
        let wanted: HashSet<ClusterSlot> = drafts.values().flat_map(doors::Draft::clusters).collect();
        wanted.iter().for_each(|slot| ways.book.retain(*slot));
        let before = std::mem::replace(&mut self.held, wanted.into_iter().collect());
        before.into_iter().for_each(|slot| ways.book.release(slot));
        self.doors.build(drafts, self.tracing.as_ref())
    }

    /// The Services that may be called.
    pub(super) fn names(&self) -> Arc<[ReachableName]> {
        self.outbound.names()
    }

    /// What became of the Workload itself.
    pub(super) fn status(&self, resources: &Resources) -> Option<(Arc<Resource>, ObjectStatus)> {
        let own = self.own(resources)?;
        let generation = own.resource.meta.generation;
        let programmed = match self.inbound.skipped.as_slice() {
            [] => Condition::yes(ConditionType::Programmed, Reason::Programmed, generation),
            skipped => {
                let text = skipped.join("; ");
                Condition::no(ConditionType::Programmed, Reason::AddressNotUsable, text, generation)
            }
        };
        Some((own.resource.clone(), ObjectStatus::Plain(PlainStatus { conditions: vec![programmed] })))
    }
}

fn at(ip: impl Into<IpAddr>, port: u16) -> BindAddress {
    BindAddress { ip: ip.into(), port }
}
