//! What comes in to a workload: from the mesh by one port for all of its Services, and in cleartext by the ports of the
//! workload itself where it asks for no proof.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use model::Resources;
use model::kinds::Workload;
use model::kinds::mesh::MtlsMode;
use model::kinds::service::{ServicePort, ServiceType};
use model::resources::Typed;

use super::doors::{Draft, Leads, Named};
use super::way::{Label, Way};
use super::{Ways, at, products};
use crate::compile::endpoints::{spoken_at, workload_port};
use crate::compile::protection;
use crate::compile::references::ClusterKey;
use crate::compile::resilience::Part;
use crate::compile::selection::Selection;
use crate::compile::service_parents::{self, PRODUCER};
use crate::config::BindAddress;
use crate::mesh::MeshView;
use crate::mesh::addresses::Place;
use crate::mesh::spoken::Spoken;

/// How many proxies a member of the mesh is believed about: itself and the one before it.
const TRUSTED_HOPS_OF_MEMBERS: u8 = 2;

/// Everything that may come in.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// Where the mesh comes in.
    door: Option<BindAddress>,
    asked: Vec<Asked>,
    plain: Vec<PlainPort>,
    /// Whether the application is told which member calls.
    caller_header: bool,
    /// Ports that are not listened on, and why.
    pub(super) skipped: Vec<String>,
}

/// A port of a Service that leads here.
#[derive(Debug)]
struct Asked {
    service: Place,
    port: u16,
    server_name: Arc<str>,
    spoken: Spoken,
    /// Port of the workload that is meant.
    number: u16,
}

/// A port of the workload itself.
#[derive(Debug)]
struct PlainPort {
    address: BindAddress,
    spoken: Spoken,
    /// The Services that lead to it, with their ports: what protects them protects it.
    services: Vec<(Arc<str>, u16)>,
}

impl Inbound {
    /// Finds out what may come in.
    pub(super) fn plan(
        own: Typed<'_, Workload>,
        resources: &Resources,
        selection: &Selection,
        mesh: Option<&MeshView>,
    ) -> Inbound {
        let spec = &own.content.spec;
        let caller_header = spec.application.unwrap_or_default().caller_header;
        let mut inbound = Inbound { caller_header, ..Inbound::default() };
        let Some(sidecar) = spec.sidecar else { return inbound };
        let leading = leading(own, resources, selection);
        if let Some(mesh) = mesh {
            inbound.ask(own, &leading, mesh);
            let taken = spec.ports.iter().any(|port| port.target() == sidecar.port);
            inbound.door =
                inbound.open(spec.address, sidecar.port, taken.then_some(spec.application_address()));
        }
        for port in &spec.ports {
            // Where nobody can prove anything, nobody is asked to.
            let mode = mesh.map_or(MtlsMode::Off, |mesh| spec.mtls_mode(port.port, mesh.mode));
            if mode == MtlsMode::Strict {
                continue;
            }
            let taken = (port.target() == port.port).then_some(spec.application_address());
            if let Some(address) = inbound.open(spec.address, port.port, taken) {
                let services = leading.iter().filter(|leads| leads.number == port.port);
                let services = services.map(|leads| (leads.service.1.clone(), leads.port.port)).collect();
                inbound.plain.push(PlainPort { address, spoken: spoken_at(port.protocol), services });
            }
        }
        inbound
    }

    /// The ports of Services that lead to this workload, where it takes proof.
    fn ask(&mut self, own: Typed<'_, Workload>, leading: &[Leading<'_>], mesh: &MeshView) {
        let proving = leading
            .iter()
            .filter(|leads| own.content.spec.mtls_mode(leads.number, mesh.mode) != MtlsMode::Off);
        self.asked.extend(proving.map(|leads| Asked {
            server_name: mesh.server_name(&leads.service.0, &leads.service.1, leads.port.port),
            service: leads.service.clone(),
            port: leads.port.port,
            spoken: Spoken::of(leads.port),
            number: leads.number,
        }));
        self.asked.sort_by(|left, right| left.server_name.cmp(&right.server_name));
        self.asked.dedup_by(|left, right| left.server_name == right.server_name);
    }

    /// An address to listen on, unless the application listens there itself.
    fn open(&mut self, ip: IpAddr, port: u16, taken: Option<IpAddr>) -> Option<BindAddress> {
        if taken == Some(ip) {
            self.skipped.push(format!(
                "{} is the application's own and cannot be listened on; give the workload another `address`, \
                 or the port another `targetPort`",
                std::net::SocketAddr::new(ip, port)
            ));
            return None;
        }
        Some(at(ip, port))
    }

    /// The Services that lead here.
    pub(super) fn services(&self) -> impl Iterator<Item = &Place> {
        self.asked.iter().map(|asked| &asked.service)
    }

    /// The ports to listen on.
    pub(super) fn drafts(
        &self,
        namespace: &Arc<str>,
        workload: &Arc<str>,
        ways: &mut Ways<'_>,
    ) -> BTreeMap<BindAddress, Draft> {
        let application = |port: u16, spoken: Spoken| ClusterKey::Application {
            namespace: namespace.clone(),
            name: workload.clone(),
            port,
            spoken,
        };
        let mut drafts = BTreeMap::new();
        for port in &self.plain {
            let guard = ways.protection.of_workload(namespace, workload, &port.services, ways.resources);
            let unique = format!("into {namespace}/{workload}:{}", port.address.port);
            let products = products::leading_to(namespace, &port.services, (&unique, &guard), ways);
            let place = format!("{namespace}/{workload}").into();
            let asked = Parts::of(namespace, &port.services, ways.resources);
            let (rates, validation) =
                (ways.resilience.rates_of(asked.all()), ways.resilience.validation_of(asked.all()));
            let addresses = ways.resilience.addresses_at(None, asked.all());
            let label =
                Label { unique, kind: "Workload", place, addresses, guard, rates, validation, products };
            let to = application(port.address.port, port.spoken);
            let way = Way::straight(label, to, port.spoken.is_http(), ways);
            // Nobody proves anything here, so there is nobody to tell of.
            let draft = Draft { leads: Leads::One(way), trusted_hops: 0, caller_header: false };
            drafts.insert(port.address, draft);
        }
        if let Some(door) = self.door {
            let named = self.asked.iter().map(|asked| asked.named(workload, application, ways)).collect();
            let leads = Leads::ByName(named);
            let (trusted_hops, caller_header) = (TRUSTED_HOPS_OF_MEMBERS, self.caller_header);
            drafts.insert(door, Draft { leads, trusted_hops, caller_header });
        }
        drafts
    }
}

/// A port of a Service that leads to a port of the workload.
struct Leading<'r> {
    service: Place,
    port: &'r ServicePort,
    number: u16,
}

fn leading<'r>(
    own: Typed<'_, Workload>,
    resources: &'r Resources,
    selection: &Selection,
) -> Vec<Leading<'r>> {
    let selecting = selection.services_of(own.resource, resources);
    let services = selecting.iter().filter_map(|to| resources.service(&to.namespace, &to.name));
    let services = services.filter(|found| found.content.spec.service_type != ServiceType::ExternalName);
    services
        .flat_map(|service| {
            let place: Place = (service.resource.namespace().into(), service.resource.key.name.to_arc());
            service_parents::ports(service).map(move |port| (place.clone(), port))
        })
        .filter_map(|(service, port)| {
            Some(Leading { service, port, number: workload_port(own.content, port)? })
        })
        .collect()
}

/// Ports of Services of a namespace, as policies name them.
pub(super) struct Parts<'a> {
    namespace: &'a Arc<str>,
    /// Names of Services, with those of their ports.
    services: Vec<(&'a Arc<str>, Option<Arc<str>>)>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(
        namespace: &'a Arc<str>,
        services: &'a [(Arc<str>, u16)],
        resources: &Resources,
    ) -> Self {
        let named = |(service, port): &'a (Arc<str>, u16)| {
            (service, protection::port_name(namespace, service, *port, resources))
        };
        Parts { namespace, services: services.iter().map(named).collect() }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Part<'_>> {
        self.services.iter().map(|(name, port)| Part::Service {
            namespace: self.namespace,
            name,
            port: port.as_deref(),
        })
    }
}

impl Asked {
    fn named(
        &self,
        workload: &Arc<str>,
        application: impl Fn(u16, Spoken) -> ClusterKey,
        ways: &mut Ways<'_>,
    ) -> Named {
        let (namespace, service) = &self.service;
        let spoken = self.understood(ways);
        let asked = [(service.clone(), self.port)];
        let guard = ways.protection.of_workload(namespace, workload, &asked, ways.resources);
        let unique = format!("into {namespace}/{service}:{}", self.port);
        let products = products::leading_to(namespace, &asked, (&unique, &guard), ways);
        let place = format!("{namespace}/{service}").into();
        let parts = Parts::of(namespace, &asked, ways.resources);
        let (rates, validation) =
            (ways.resilience.rates_of(parts.all()), ways.resilience.validation_of(parts.all()));
        let addresses = ways.resilience.addresses_at(None, parts.all());
        let label = Label { unique, kind: "Service", place, addresses, guard, rates, validation, products };
        Named {
            server_name: self.server_name.clone(),
            name: format!("{namespace}/{service}:{}", self.port).into(),
            way: Way::straight(label, application(self.number, spoken), spoken.is_http(), ways),
        }
    }

    /// What is spoken: where the port does not say, HTTP if the producer has routes for it.
    fn understood(&self, ways: &mut Ways<'_>) -> Spoken {
        if self.spoken != Spoken::Unsaid {
            return self.spoken;
        }
        let (namespace, service) = &self.service;
        let place = service_parents::unique(namespace, service, self.port, PRODUCER);
        match ways.tables.listener(&place).hosts.is_empty() {
            true => Spoken::Bytes,
            false => Spoken::Http1,
        }
    }
}
