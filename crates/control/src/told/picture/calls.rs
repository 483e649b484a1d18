//! Who calls whom: what routes lead to, what policies say of it, and what proxies see.
//!
//! Where nobody is asked for anything everybody may call, and a picture of that would be all lines: such a party is
//! called open, and only calls that are made are told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use engine::authorization::{Extent, Reach, Source};
use engine::compile::{Inbound, Protection};
use engine::explain::Said;
use model::Resources;
use model::kinds::references::{BackendObjectRef, ParentRef};
use model::kinds::{HttpRoute, Service, TcpRoute, Workload};

use super::parties::{Party, Role};
use super::{CALLS_MAX, Place};
use crate::proxies::Called;

/// From one party to another.
#[derive(Clone, Debug)]
pub struct Call {
    /// The caller, as parties are named; a SPIFFE ID for a stranger.
    pub from: String,
    /// Whom it calls.
    pub to: String,
    /// By which Services.
    pub services: Vec<Place>,
    /// `Everything`, `Some` or `Nothing`.
    pub may: &'static str,
    /// What says so: policies with their rules, or a route.
    pub because: Vec<String>,
    /// Whether a connection is open.
    pub is_connected: bool,
    /// Requests a second.
    pub requests: f64,
    /// Those that were answered with 5xx, a second.
    pub errors: f64,
}

/// What is known of the calls from one party to another.
#[derive(Default)]
struct Between {
    services: BTreeSet<Place>,
    may: Option<Extent>,
    because: BTreeSet<String>,
    is_connected: bool,
    requests: f64,
    errors: f64,
}

/// All calls, those that are made first, and how many there are besides. Finds out who is open.
pub fn all(resources: &Resources, parties: &mut [Party], seen: &[Called]) -> (Vec<Call>, usize) {
    let mut between: BTreeMap<(String, String), Between> = BTreeMap::new();
    declared(resources, parties, &mut between);
    made(resources, parties, seen, &mut between);
    let mut calls: Vec<Call> = between.into_iter().map(|(ends, between)| between.told(ends)).collect();
    calls.sort_by(|one, other| other.requests.total_cmp(&one.requests));
    let more = calls.len().saturating_sub(CALLS_MAX);
    calls.truncate(CALLS_MAX);
    (calls, more)
}

impl Between {
    fn told(self, (from, to): (String, String)) -> Call {
        let may = match self.may {
            Some(Extent::Everything) | None => "Everything",
            Some(Extent::Some) => "Some",
            Some(Extent::Nothing) => "Nothing",
        };
        Call {
            from,
            to,
            services: self.services.into_iter().collect(),
            may,
            because: self.because.into_iter().collect(),
            is_connected: self.is_connected,
            requests: self.requests,
            errors: self.errors,
        }
    }
}

/// What policies and routes say.
fn declared(resources: &Resources, parties: &mut [Party], between: &mut BTreeMap<(String, String), Between>) {
    let mut protection = Protection::of(resources);
    let routed = routed(resources);
    let mut open = BTreeSet::new();
    for to in parties.iter() {
        for place in &to.services {
            let Some(service) = resources.service(&place.0, &place.1) else { continue };
            let asked = asked(service.content, place);
            let authorization = protection.inbound(&asked);
            if authorization.as_ref().is_none_or(|authorization| {
                authorization.reach(&Source::default()).extent == Extent::Everything
            }) {
                open.insert(to.id.clone());
            }
            for from in parties.iter().filter(|from| from.id != to.id) {
                let reach = authorization.as_ref().map(|authorization| from.reach(authorization));
                let route = match &from.id {
                    Role::Gateway(gateway) => routed.get(&(gateway.clone(), place.clone())),
                    Role::Account(_) | Role::Service(_) => None,
                };
                if !is_worth_a_line(from, place, reach.as_ref(), route.is_some(), resources) {
                    continue;
                }
                let entry = between.entry((from.id.name(), to.id.name())).or_default();
                entry.services.insert(place.clone());
                entry.may =
                    entry.may.max(Some(reach.as_ref().map_or(Extent::Everything, |reach| reach.extent)));
                entry.because.extend(route.cloned());
                let said = reach.iter().flat_map(|reach| reach.by.iter().map(|by| Said::new(by).to_string()));
                entry.because.extend(said);
            }
        }
    }
    for party in parties {
        party.is_open = open.contains(&party.id);
    }
}

/// A Gateway calls what its routes lead to. A workload calls what a policy lets it call by name, or what it says that
/// it reaches; that everybody may call somebody is said of the one who is called.
fn is_worth_a_line(
    from: &Party,
    place: &Place,
    reach: Option<&Reach<'_>>,
    is_routed: bool,
    resources: &Resources,
) -> bool {
    match &from.id {
        Role::Gateway(_) => is_routed,
        Role::Service(_) => false,
        Role::Account((namespace, account)) => {
            let mut of_account = resources
                .workloads(namespace)
                .filter(|workload| workload.content.spec.service_account == *account);
            let covers = |workload: &Workload| {
                let reaches = workload.spec.reaches.as_ref()?;
                Some(reaches.iter().any(|reach| reach.covers(namespace, &place.0, &place.1)))
            };
            let reaches = of_account.find_map(|workload| covers(workload.content));
            let is_named = reach.is_some_and(|reach| reach.extent > Extent::Nothing && !reach.by.is_empty());
            reaches.unwrap_or(is_named) && reach.is_none_or(|reach| reach.extent > Extent::Nothing)
        }
    }
}

impl Party {
    fn reach<'a>(&self, authorization: &'a engine::authorization::Authorization) -> Reach<'a> {
        let replica = self.replicas.first().map(|replica| replica.name.as_str());
        let replica = replica.filter(|_| matches!(self.id, Role::Account(_)));
        authorization.reach(&Source {
            address: None,
            identity: self.identity.as_ref(),
            replica,
            ..Source::default()
        })
    }
}

fn asked<'a>(service: &Service, place: &'a Place) -> Inbound<'a> {
    let port = service.spec.ports.first().and_then(|port| port.name.clone());
    Inbound { namespace: &place.0, service: Some((place.1.clone(), port)), workload: None }
}

/// Which Services the routes of which Gateways lead to, and by which route.
fn routed(resources: &Resources) -> HashMap<(Place, Place), String> {
    let mut routed = HashMap::new();
    let mut add = |home: &str, route: String, parents: &[ParentRef], backends: Vec<&BackendObjectRef>| {
        let within = |namespace: &Option<_>| namespace.clone().unwrap_or_else(|| home.into());
        for parent in parents.iter().filter(|parent| *parent.kind == *"Gateway") {
            for backend in backends.iter().filter(|backend| *backend.kind == *"Service") {
                let gateway: Place = (within(&parent.namespace), parent.name.clone());
                let service: Place = (within(&backend.namespace), backend.name.clone());
                routed.insert((gateway, service), route.clone());
            }
        }
    };
    for route in resources.all::<HttpRoute>() {
        let backends = route.content.spec.rules.iter().flat_map(|rule| &rule.backend_refs);
        let backends = backends.map(|backend| &backend.target).collect();
        let name = format!("HTTPRoute {}", route.resource.key.place());
        add(route.resource.namespace(), name, &route.content.spec.parent_refs, backends);
    }
    for route in resources.all::<TcpRoute>() {
        let backends = route.content.spec.rules.iter().flat_map(|rule| &rule.backend_refs);
        let backends = backends.map(|backend| &backend.target).collect();
        let name = format!("TCPRoute {}", route.resource.key.place());
        add(route.resource.namespace(), name, &route.content.spec.parent_refs, backends);
    }
    routed
}

/// What proxies see: whoever is connected to a workload, with what it asks.
fn made(
    resources: &Resources,
    parties: &[Party],
    seen: &[Called],
    between: &mut BTreeMap<(String, String), Between>,
) {
    let by_identity: HashMap<&str, &Party> =
        parties.iter().filter_map(|party| Some((party.identity.as_ref()?.as_str(), party))).collect();
    for called in seen {
        let Some((namespace, name)) = called.workload.split_once('/') else { continue };
        let Some(workload) = resources.workload(namespace, name) else { continue };
        let to = Role::Account((namespace.into(), workload.content.spec.service_account.clone()));
        let from = by_identity.get(&*called.identity).map(|party| party.id.name());
        let entry = between.entry((from.unwrap_or_else(|| called.identity.clone()), to.name())).or_default();
        entry.is_connected |= called.is_connected;
        entry.requests += called.requests;
        entry.errors += called.errors;
    }
}
