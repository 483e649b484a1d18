//! Whether a workload could get in to a Service, for whoever decides what its sidecar is told.
//!
//! Where that depends on what is asked, from which address, or on a condition, the answer is yes: those who stand
//! beside the Service decide about each call. No is said only when all of them would refuse whatever is asked, so
//! leaving the Service out takes nothing away from anybody. In doubt it is yes, because nothing is protected by this
//! answer.

use std::sync::Arc;

use model::Resources;
use model::kinds::mesh::MtlsMode;
use model::kinds::service::{ServicePort, ServiceType};
use model::kinds::{Service, Workload};
use model::resources::Typed;

use super::endpoints::workload_port;
use super::protection::{Inbound, MeshDefaults, PolicyBook};
use super::service_parents;
use crate::authorization::Source;
use crate::mesh::MeshView;
use crate::mesh::addresses::Place;

/// The policies of a mesh, for those who ask about many callers.
#[derive(Debug, Default)]
pub struct Reachable {
    book: PolicyBook,
    mesh: Option<MeshView>,
}

/// What takes the calls for a Service.
#[derive(Debug, Default)]
pub struct Behind<'r> {
    /// The Workloads that it selects, ready or not.
    pub workloads: Vec<Typed<'r, Workload>>,
    /// Whether others do, beside whom no proxy stands.
    pub others: bool,
}

impl Reachable {
    /// Takes in the Mesh and all policies as they are now.
    pub fn update(&mut self, resources: &Resources) {
        self.mesh = MeshView::of(resources);
        self.book.update(resources, MeshDefaults::of(self.mesh.as_ref()));
    }

    /// Whether some call of a workload to a Service might be let in. `behind` is asked for when the policies of the
    /// Service alone do not say yes.
    #[must_use]
    pub fn could_call<'r>(
        &self,
        caller: Typed<'_, Workload>,
        place: &Place,
        service: Typed<'_, Service>,
        behind: impl FnOnce() -> Behind<'r>,
    ) -> bool {
        let Some(mesh) = self.mesh.as_ref().filter(|_| !self.book.is_idle()) else { return true };
        let account = &caller.content.spec.service_account;
        let Some(identity) = mesh.identity(caller.resource.namespace(), account) else { return true };
        let replica = caller.resource.key.place();
        let member = Source {
            address: None,
            identity: Some(&identity),
            replica: Some(&replica),
            claims: None,
            principal: None,
        };
        let leads_outside = service.content.spec.service_type == ServiceType::ExternalName;
        let mut ports = service_parents::ports(service).peekable();
        if leads_outside
            || ports.peek().is_none()
            || ports.any(|port| self.admits(&member, place, port, None))
        {
            return true;
        }
        let behind = behind();
        behind.others || behind.workloads.iter().any(|to| self.one_admits(&member, place, service, *to, mesh))
    }

    fn one_admits(
        &self,
        member: &Source<'_>,
        place: &Place,
        service: Typed<'_, Service>,
        to: Typed<'_, Workload>,
        mesh: &MeshView,
    ) -> bool {
        if to.content.spec.sidecar.is_none() {
            return true;
        }
        let workload = to.resource.key.name.to_arc();
        service_parents::ports(service).any(|port| {
            let number = workload_port(to.content, port);
            let mode = number.map(|number| to.content.spec.mtls_mode(number, mesh.mode));
            // In cleartext nobody sees who calls.
            let nobody =
                mode == Some(MtlsMode::Off) && self.admits(&Source::default(), place, port, Some(&workload));
            nobody || self.admits(member, place, port, Some(&workload))
        })
    }

    fn admits(
        &self,
        source: &Source<'_>,
        (namespace, name): &Place,
        port: &ServicePort,
        workload: Option<&Arc<str>>,
    ) -> bool {
        let service = Some((name.clone(), port.name.clone()));
        let asked = self.book.asked(&Inbound { namespace, service, workload });
        asked.is_none_or(|authorization| authorization.might_admit(source))
    }
}
