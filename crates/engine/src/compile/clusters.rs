//! Destinations: every cluster that rules lead to, and when it must be built again.
//!
//! Rules name a cluster by its slot, so endpoints may come and go without any rule being looked at. Where its
//! addresses come from stands in `endpoints.rs`.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use model::kinds::backend::Backend;
use model::kinds::service::Transport;
use model::resources::Typed;
use model::{Resource, Resources};

use super::callers::{CLIENT_CERTIFICATE_INVALID, Caller, Shown};
use super::certificates::{Certificates, Remembered};
use super::credentials;
use super::endpoints::Draft;
use super::policies::{PolicyTable, Tls, Validated, Validation, validate};
use super::references::{ClusterKey, Destination, Reached};
use super::resilience::{Part, ResilienceBook};
use super::selection::Selection;
use super::slots::Slots;
use crate::config::{Cluster, ClusterSlot, Endpoint, KeyPair, MeshPeer, UpstreamProtocol, UpstreamTls};
use crate::mesh::MeshView;
use crate::status::{Condition, ConditionType, ObjectStatus, PlainStatus, Reason};

/// All clusters that were ever named, and those that are in use.
#[derive(Debug, Default)]
pub(super) struct ClusterBook {
    slots: Slots<Reached>,
    entries: Vec<Entry>,
    built: Vec<Option<Arc<Cluster>>>,
    /// Slots that must be built again.
    stale: HashSet<u32>,
}

#[derive(Debug)]
struct Entry {
    key: Reached,
    /// How many routes lead here.
    uses: usize,
}

/// What clusters are built from.
pub(super) struct Sources<'a> {
    pub(super) resources: &'a Resources,
    pub(super) selection: &'a Selection,
    pub(super) mesh: Option<&'a MeshView>,
    pub(super) policies: &'a PolicyTable,
    pub(super) resilience: &'a ResilienceBook,
    pub(super) shown: &'a Shown,
    pub(super) remembered: &'a mut Remembered,
    pub(super) certificates: &'a mut dyn Certificates,
}

impl ClusterBook {
    /// The slot of a cluster, for good.
    pub(super) fn slot(&mut self, to: ClusterKey) -> ClusterSlot {
        self.slot_of(Reached { to, by: None, over_http2: false })
    }

    /// The slot of the same destination for a caller with a certificate of its own.
    pub(super) fn slot_for(&mut self, slot: ClusterSlot, caller: &Caller) -> ClusterSlot {
        let to = self.key(slot).clone();
        self.slot_of(Reached { to, by: Some(caller.clone()), over_http2: false })
    }

    /// The slot of the same destination for who calls it over gRPC.
    pub(super) fn over_http2(&mut self, slot: ClusterSlot) -> ClusterSlot {
        let to = self.key(slot).clone();
        self.slot_of(Reached { to, by: None, over_http2: true })
    }

    fn slot_of(&mut self, key: Reached) -> ClusterSlot {
        let slot = self.slots.of(key.clone());
        if self.entries.len() < self.slots.len() {
            self.entries.push(Entry { key, uses: 0 });
            self.built.push(None);
        }
        ClusterSlot(slot)
    }

    pub(super) fn key(&self, slot: ClusterSlot) -> &ClusterKey {
        &self.entries[slot.0 as usize].key.to
    }

    /// One more route leads there.
    pub(super) fn retain(&mut self, slot: ClusterSlot) {
        let entry = &mut self.entries[slot.0 as usize];
        entry.uses += 1;
        if entry.uses == 1 {
            self.stale.insert(slot.0);
        }
    }

    /// One route less leads there.
    pub(super) fn release(&mut self, slot: ClusterSlot) {
        let entry = &mut self.entries[slot.0 as usize];
        entry.uses -= 1;
        if entry.uses == 0 {
            self.stale.insert(slot.0);
        }
    }

    /// Everything made from these objects must be built again.
    pub(super) fn touch(&mut self, changed: &HashSet<Destination>) {
        if changed.is_empty() {
            return;
        }
        for (slot, entry) in (0_u32..).zip(&self.entries) {
            let destination = match entry.key.to.clone() {
                ClusterKey::Service { namespace, name, port: _ } => {
                    Destination { service: true, namespace, name }
                }
                ClusterKey::Backend { namespace, name } => Destination { service: false, namespace, name },
                ClusterKey::Application { .. } => continue,
            };
            if entry.uses > 0 && changed.contains(&destination) {
                self.stale.insert(slot);
            }
        }
    }

    /// Everything must be built again: policies or trust anchors have changed.
    pub(super) fn touch_all(&mut self) {
        self.stale
            .extend((0_u32..).zip(&self.entries).filter(|(_, entry)| entry.uses > 0).map(|(slot, _)| slot));
    }

    /// The workload beside which this proxy stands is another one.
    pub(super) fn touch_applications(&mut self) {
        let of_application =
            |entry: &Entry| entry.uses > 0 && matches!(entry.key.to, ClusterKey::Application { .. });
        self.stale.extend(
            (0_u32..).zip(&self.entries).filter(|(_, entry)| of_application(entry)).map(|(slot, _)| slot),
        );
    }

    /// What callers have a certificate for must be built again.
    pub(super) fn touch_callers(&mut self) {
        let of_callers = |entry: &Entry| entry.uses > 0 && entry.key.by.is_some();
        self.stale.extend(
            (0_u32..).zip(&self.entries).filter(|(_, entry)| of_callers(entry)).map(|(slot, _)| slot),
        );
    }

    /// Builds what is stale; a cluster that comes out the same stays the same by pointer.
    pub(super) fn refresh(&mut self, sources: &mut Sources<'_>) -> Vec<Option<Arc<Cluster>>> {
        for slot in std::mem::take(&mut self.stale) {
            let index = slot as usize;
            if self.entries[index].uses == 0 {
                self.built[index] = None;
                continue;
            }
            let key = self.entries[index].key.clone();
            let new = self.build(ClusterSlot(slot), &key, sources);
            let same = self.built[index].as_ref().zip(new.as_ref()).is_some_and(|(old, new)| equal(old, new));
            if !same {
                self.built[index] = new.map(Arc::new);
            }
        }
        self.built.clone()
    }

    fn build(&mut self, slot: ClusterSlot, key: &Reached, sources: &mut Sources<'_>) -> Option<Cluster> {
        let mut draft = Draft::default();
        match &key.to {
            ClusterKey::Service { namespace, name, port } => {
                let service = sources.resources.service(namespace, name)?;
                let port = service
                    .content
                    .spec
                    .ports
                    .iter()
                    .find(|known| known.port == *port && known.protocol == Transport::Tcp)?;
                let slices = sources.resources.endpoint_slices(namespace, name);
                let selector = &service.content.spec.selector;
                let pods = sources.selection.pods(namespace, selector);
                draft.service(service.content, port, slices, pods);
                for workload in sources.selection.workloads(namespace, selector) {
                    draft.workload(workload, service, port, sources.mesh);
                }
                draft.tls = sources.policies.find(namespace, name, port.name.as_deref()).cloned();
                let port = port.name.as_deref();
                draft.resilience = sources.resilience.cluster(Part::Service { namespace, name, port });
            }
            ClusterKey::Backend { namespace, name } => {
                let backend = sources.resources.backend(namespace, name)?;
                draft.backend(backend.content);
                draft.tls = validate_backend(backend, sources).map(|validated| validated.tls);
                let credential = credentials::of_backend(backend, sources.resources);
                draft.credential = credential.map(|(credential, _)| credential);
                draft.resilience = sources.resilience.cluster(Part::Backend { namespace, name });
            }
            ClusterKey::Application { namespace, name, port, spoken } => {
                draft.application(sources.resources.workload(namespace, name)?.content, *port, *spoken);
            }
        }
        let endpoints = endpoints(&mut draft);
        if let Some(caller) = &key.by {
            draft.tls = draft.tls.map(|tls| shown_by(sources.shown.get(caller), tls));
        }
        let (tls, refuse) = match draft.tls {
            None => (None, None),
            Some(Tls::Speak(tls)) => (Some(tls), None),
            Some(Tls::Refuse(reason)) => (None, Some(reason)),
        };
        let connect = draft.resilience.as_ref().and_then(|said| said.timeouts.connect);
        Some(Cluster {
            slot,
            name: key.to_string().into(),
            protocol: if key.over_http2 { UpstreamProtocol::Http2 } else { draft.protocol },
            tls,
            endpoints,
            names: draft.names,
            refuse,
            connect_timeout: connect.unwrap_or(draft.connect_timeout),
            credential: draft.credential,
            resilience: draft.resilience,
        })
    }
}

/// Addresses by number, members behind them.
fn endpoints(draft: &mut Draft) -> Vec<Endpoint> {
    draft.addresses.sort_unstable();
    draft.addresses.dedup();
    draft.members.sort_unstable_by(|left, right| (left.0, &left.1.replica).cmp(&(right.0, &right.1.replica)));
    draft.members.dedup();
    let plain = draft.addresses.drain(..).map(|address| (address, None));
    let members = draft.members.drain(..).map(|(address, peer)| (address, Some(Arc::new(peer))));
    let localities = &draft.localities;
    let endpoint = |(address, mesh): (SocketAddr, Option<Arc<MeshPeer>>)| Endpoint {
        address,
        mesh,
        locality: localities.get(&address).cloned(),
    };
    plain.chain(members).map(endpoint).collect()
}

/// TLS as a Gateway with a certificate of its own speaks it.
fn shown_by(own: Option<&Option<Arc<KeyPair>>>, tls: Tls) -> Tls {
    match (tls, own.and_then(Option::as_ref)) {
        (Tls::Refuse(reason), _) => Tls::Refuse(reason),
        (Tls::Speak(_), None) => Tls::Refuse(CLIENT_CERTIFICATE_INVALID),
        (Tls::Speak(tls), Some(pair)) => {
            let UpstreamTls { hostname, subject_alt_names, roots, client_certificate: _ } = &*tls;
            Tls::Speak(Arc::new(UpstreamTls {
                hostname: hostname.clone(),
                subject_alt_names: subject_alt_names.clone(),
                roots: roots.clone(),
                client_certificate: Some(pair.clone()),
            }))
        }
    }
}

fn equal(old: &Cluster, new: &Cluster) -> bool {
    let Cluster {
        slot,
        name,
        protocol,
        tls,
        endpoints,
        names,
        refuse,
        connect_timeout,
        credential,
        resilience,
    } = old;
    *slot == new.slot
        && *name == new.name
        && *protocol == new.protocol
        && *tls == new.tls
        && *endpoints == new.endpoints
        && *names == new.names
        && *refuse == new.refuse
        && *connect_timeout == new.connect_timeout
        && *credential == new.credential
        && *resilience == new.resilience
}

fn validate_backend(backend: Typed<'_, Backend>, sources: &mut Sources<'_>) -> Option<Validated> {
    let tls = backend.content.spec.tls.as_ref()?;
    let asked = Validation {
        namespace: backend.resource.namespace(),
        hostname: &tls.hostname,
        ca_certificate_refs: &tls.ca_certificate_refs,
        subject_alt_names: &tls.subject_alt_names,
        well_known: tls.well_known_ca_certificates.as_deref(),
        secrets: true,
    };
    Some(validate(&asked, sources.resources, sources.remembered, sources.certificates))
}

/// Statuses of the Backends.
pub(super) fn backend_statuses(sources: &mut Sources<'_>) -> Vec<(Arc<Resource>, ObjectStatus)> {
    let resources = sources.resources;
    let status = |backend: Typed<'_, Backend>| {
        let generation = backend.resource.meta.generation;
        let validated = validate_backend(backend, sources);
        let (refused, unresolved) = validated.map_or((None, None), |found| (found.refused, found.unresolved));
        let accepted = match refused {
            None => Condition::yes(ConditionType::Accepted, Reason::Accepted, generation),
            Some((reason, text)) => Condition::no(ConditionType::Accepted, reason, text, generation),
        };
        let lacking = credentials::of_backend(backend, resources).and_then(|(_, problem)| problem);
        let unresolved = unresolved.or_else(|| lacking.map(|problem| (Reason::Invalid, problem)));
        let resolved = match unresolved {
            None => Condition::yes(ConditionType::ResolvedRefs, Reason::ResolvedRefs, generation),
            Some((reason, text)) => Condition::no(ConditionType::ResolvedRefs, reason, text, generation),
        };
        let status = ObjectStatus::Plain(PlainStatus { conditions: vec![accepted, resolved] });
        (backend.resource.clone(), status)
    };
    resources.all::<Backend>().map(status).collect()
}
