//! Who is in the mesh: Gateways, service accounts with their workloads, and Services that nobody there stands for.

use std::collections::BTreeMap;
use std::sync::Arc;

use discovery::Interest;
use engine::mesh::MeshView;
use model::Resources;
use model::kinds::mesh::MtlsMode;
use model::kinds::{Gateway, Service, Workload};
use model::resources::Typed;
use model::spiffe::{GATEWAY_ACCOUNT, SpiffeId};
use tokio::time::Instant;

use super::{ByPlace, PARTIES_MAX, Place};
use crate::proxies::{HeldCertificate, Proxy};

/// What a party is, and its name. In the order in which parties are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A Gateway.
    Gateway(Place),
    /// Workloads under one service account.
    Account(Place),
    /// A Service whose endpoints are no workloads of the mesh.
    Service(Place),
}

/// Everybody under one identity.
#[derive(Clone, Debug)]
pub struct Party {
    /// What it is.
    pub id: Role,
    /// Who it is; nothing for who is nobody.
    pub identity: Option<SpiffeId>,
    /// The Services that it answers for.
    pub services: Vec<Place>,
    /// Whether everybody may call, whoever it is.
    pub is_open: bool,
    /// Its members.
    pub replicas: Vec<Replica>,
}

/// One member of a party.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Of the Workload `namespace/name`, of a Gateway the proxy's.
    pub name: String,
    /// Whether a proxy of the mesh stands there.
    pub has_proxy: bool,
    /// Whether that proxy is heard.
    pub is_connected: bool,
    /// Whether calls are sent to it; nothing is known of Gateways.
    pub is_ready: Option<bool>,
    /// How much proof its ports ask for.
    pub modes: Vec<MtlsMode>,
    /// What it shows.
    pub certificate: Option<HeldCertificate>,
}

impl Role {
    /// How people and calls name it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Role::Gateway((namespace, name)) => format!("gateway {namespace}/{name}"),
            Role::Account((namespace, name)) => format!("{namespace}/{name}"),
            Role::Service((namespace, name)) => format!("service {namespace}/{name}"),
        }
    }
}

/// All parties, and how many there are besides.
pub fn all(resources: &Resources, mesh: &MeshView, proxies: &[Proxy], now: Instant) -> (Vec<Party>, usize) {
    let mut parties: BTreeMap<Role, Party> = BTreeMap::new();
    for gateway in resources.all::<Gateway>() {
        let party = gateway_party(gateway, mesh, proxies, now);
        parties.insert(party.id.clone(), party);
    }
    let mut accounts: ByPlace<Role> = BTreeMap::new();
    for workload in resources.all::<Workload>() {
        let namespace: Arc<str> = workload.resource.namespace().into();
        let account = workload.content.spec.service_account.clone();
        let place = (namespace.clone(), workload.resource.key.name.to_arc());
        if let Some(gateway) = of_gateway(&namespace, &account, resources) {
            // It says where members find the Gateway. Who serves that is known already.
            accounts.insert(place, gateway);
            continue;
        }
        let id = Role::Account((namespace.clone(), account.clone()));
        accounts.insert(place, id.clone());
        let party = parties.entry(id.clone()).or_insert_with(|| Party {
            id,
            identity: mesh.identity(&namespace, &account),
            services: Vec::new(),
            is_open: false,
            replicas: Vec::new(),
        });
        party.replicas.push(replica(workload, mesh, proxies, now));
    }
    for service in resources.all::<Service>() {
        assign(service, resources, &accounts, &mut parties);
    }
    let more = parties.len().saturating_sub(PARTIES_MAX);
    (parties.into_values().take(PARTIES_MAX).collect(), more)
}

/// The Gateway whose service account this is.
fn of_gateway(namespace: &Arc<str>, account: &str, resources: &Resources) -> Option<Role> {
    let name = account.strip_prefix(GATEWAY_ACCOUNT)?;
    let gateway = resources.find::<Gateway>(namespace, name)?;
    Some(Role::Gateway((namespace.clone(), gateway.resource.key.name.to_arc())))
}

fn gateway_party(gateway: Typed<'_, Gateway>, mesh: &MeshView, proxies: &[Proxy], now: Instant) -> Party {
    let (namespace, name) = (gateway.resource.namespace(), gateway.resource.key.name.to_arc());
    let place = gateway.resource.key.place();
    let serves = |proxy: &&Proxy| match &proxy.interest {
        Interest::All => true,
        Interest::Gateways(names) => names.iter().any(|name| **name == *place),
        Interest::Workload(_) => false,
    };
    let replica = |proxy: &Proxy| Replica {
        name: proxy.name.to_string(),
        has_proxy: true,
        is_connected: proxy.is_live(now),
        is_ready: None,
        modes: Vec::new(),
        certificate: proxy.certificate.clone(),
    };
    Party {
        identity: mesh.identity(namespace, &format!("{GATEWAY_ACCOUNT}{name}")),
        id: Role::Gateway((namespace.into(), name)),
        services: Vec::new(),
        is_open: false,
        replicas: proxies.iter().filter(serves).map(replica).collect(),
    }
}

fn replica(workload: Typed<'_, Workload>, mesh: &MeshView, proxies: &[Proxy], now: Instant) -> Replica {
    let (spec, place) = (&workload.content.spec, workload.resource.key.place());
    let beside = |proxy: &&Proxy| matches!(&proxy.interest, Interest::Workload(of) if **of == *place);
    let proxy = proxies.iter().find(beside);
    let mut modes: Vec<MtlsMode> =
        spec.ports.iter().map(|port| spec.mtls_mode(port.port, mesh.mode)).collect();
    modes.dedup();
    Replica {
        has_proxy: spec.sidecar.is_some(),
        is_connected: proxy.is_some_and(|proxy| proxy.is_live(now)),
        is_ready: workload.content.status.ready(),
        modes: if spec.sidecar.is_some() { modes } else { Vec::new() },
        certificate: proxy.and_then(|proxy| proxy.certificate.clone()),
        name: place,
    }
}

/// Gives a Service to the parties whose workloads it selects; to one of its own when it selects none.
fn assign(
    service: Typed<'_, Service>,
    resources: &Resources,
    accounts: &ByPlace<Role>,
    parties: &mut BTreeMap<Role, Party>,
) {
    let (namespace, selector) = (service.resource.namespace(), &service.content.spec.selector);
    let place: Place = (namespace.into(), service.resource.key.name.to_arc());
    let is_selected = |workload: &Typed<'_, Workload>| {
        let labels = &workload.resource.meta.labels;
        !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let mut found = false;
    for workload in resources.workloads(namespace).filter(is_selected) {
        let key = (place.0.clone(), workload.resource.key.name.to_arc());
        let Some(party) = accounts.get(&key).and_then(|id| parties.get_mut(id)) else { continue };
        found = true;
        if !party.services.contains(&place) {
            party.services.push(place.clone());
        }
    }
    if !found {
        let id = Role::Service(place.clone());
        let services = vec![place];
        let party = Party { id: id.clone(), identity: None, services, is_open: false, replicas: Vec::new() };
        parties.insert(id, party);
    }
}
