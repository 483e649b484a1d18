//! AuthorizationPolicies by what they protect, merged for each place that asks.
//!
//! A policy is compiled once and shared by pointer; equal lists of policies make the same value by pointer, so a change
//! of one policy is felt by the routes it protects and by nothing else.
//!
//! Who is protected where: a policy for a Gateway, its namespace or the mesh holds for all that comes in there; one
//! for a route wherever the route is served; one for a Service or its namespace at the door that is nearest to it,
//! which is the Gateway in front when nobody stands beside its workloads.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::kinds::authorization_policy::{AuthorizationPolicy, ROOT_NAMESPACE};
use model::kinds::{KindName, Service, Workload, mesh};
use model::resources::Typed;
use model::{Resource, ResourceKey, Resources};

use super::clusters::ClusterBook;
use super::listeners::ListenerView;
use super::references::ClusterKey;
use super::slots::Slots;
use crate::authorization::{Authorization, DefaultAction, Policy, PolicySet, PolicySlot};
use crate::config::{Action, Backends, Rule, Target};
use crate::mesh::MeshView;

/// What a policy is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Protected {
    Mesh,
    Namespace(Arc<str>),
    /// An object, or a section of it: a listener, a rule or a port by name.
    Object {
        kind: KindName,
        namespace: Arc<str>,
        name: Arc<str>,
        section: Option<Arc<str>>,
    },
}

/// Policies that hold for all that comes in by one listener; `None` when there are none. Equal lists are the same by
/// pointer.
#[derive(Clone, Debug, Default)]
pub(super) struct Door(Option<Arc<[Arc<Policy>]>>);

impl PartialEq for Door {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

impl Eq for Door {}

/// All policies.
#[derive(Debug, Default)]
pub(super) struct PolicyBook {
    by_key: BTreeMap<ResourceKey, Held>,
    by_protected: HashMap<Protected, Vec<Arc<Policy>>>,
    slots: Slots<(Arc<str>, Option<Arc<str>>)>,
    doors: HashMap<Vec<usize>, Door>,
    made: HashMap<(Vec<Vec<usize>>, DefaultAction), Arc<Authorization>>,
    mesh: MeshDefaults,
    all: Arc<[Arc<Policy>]>,
}

/// What the mesh says of all policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MeshDefaults {
    pub(super) trust_domain: Option<Arc<str>>,
    pub(super) default: DefaultAction,
}

impl MeshDefaults {
    pub(super) fn of(mesh: Option<&MeshView>) -> Self {
        let default = match mesh.map(|mesh| mesh.default_action) {
            Some(mesh::DefaultAction::Deny) => DefaultAction::Deny,
            Some(mesh::DefaultAction::Allow) | None => DefaultAction::Allow,
        };
        MeshDefaults { trust_domain: mesh.map(|mesh| mesh.trust_domain.clone()), default }
    }
}

#[derive(Debug)]
struct Held {
    resource: Arc<Resource>,
    policy: Arc<Policy>,
}

/// A way in to a workload, as policies see it.
#[derive(Clone, Debug)]
pub struct Inbound<'a> {
    /// Namespace of Service and workload.
    pub namespace: &'a Arc<str>,
    /// The Service, with the name of its port.
    pub service: Option<(Arc<str>, Option<Arc<str>>)>,
    /// The workload.
    pub workload: Option<&'a Arc<str>>,
}

/// What the policies of a set of resources make of a way in, for those who ask once.
#[must_use]
pub fn inbound(resources: &Resources, place: &Inbound<'_>) -> Option<Arc<Authorization>> {
    let mut book = PolicyBook::default();
    book.update(resources, MeshDefaults::of(MeshView::of(resources).as_ref()));
    book.inbound(place)
}

/// A route, as policies see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoutePlace<'a> {
    pub(super) kind: KindName,
    pub(super) namespace: &'a Arc<str>,
    pub(super) name: &'a Arc<str>,
}

impl PolicyBook {
    /// Takes all policies in as they are now.
    pub(super) fn update(&mut self, resources: &Resources, mesh: MeshDefaults) {
        let mut before = std::mem::take(&mut self.by_key);
        let same_mesh = self.mesh == mesh;
        self.mesh = mesh;
        self.by_protected.clear();
        for typed in resources.all::<AuthorizationPolicy>() {
            let old = before.remove(&typed.resource.key).filter(|_| same_mesh);
            let kept = old.filter(|held| {
                Arc::ptr_eq(&held.resource, typed.resource)
                    || held.resource.content::<AuthorizationPolicy>() == Some(typed.content)
            });
            let policy = match kept {
                Some(held) => held.policy,
                None => Arc::new(self.compile(typed)),
            };
            for protected in protected(typed) {
                self.by_protected.entry(protected).or_default().push(policy.clone());
            }
            let held = Held { resource: typed.resource.clone(), policy };
            self.by_key.insert(typed.resource.key.clone(), held);
        }
        self.all = self.by_key.values().map(|held| held.policy.clone()).collect();
        // What is remembered holds the policies whose addresses are its key, so no address is used again meanwhile.
        let current: HashSet<usize> = self.all.iter().map(address).collect();
        self.doors.retain(|list, _| list.iter().all(|policy| current.contains(policy)));
        self.made.retain(|_, made| Arc::strong_count(made) > 1);
    }

    fn compile(&mut self, typed: Typed<'_, AuthorizationPolicy>) -> Policy {
        let place: Arc<str> = typed.resource.key.place().into();
        let slots = &mut self.slots;
        let slot = |rule: Option<&Arc<str>>| PolicySlot(slots.of((place.clone(), rule.cloned())) + 1);
        Policy::new(typed.resource, &typed.content.spec, self.mesh.trust_domain.as_ref(), slot)
    }

    /// Every policy.
    pub(super) fn all(&self) -> Arc<[Arc<Policy>]> {
        self.all.clone()
    }

    /// Whether nothing is asked anywhere.
    pub(super) fn is_idle(&self) -> bool {
        self.by_key.is_empty() && self.mesh.default == DefaultAction::Allow
    }

    /// The door that a listener of a Gateway is.
    pub(super) fn door(&mut self, view: &ListenerView) -> Door {
        if self.by_key.is_empty() {
            return Door::default();
        }
        let mut list = self.of(&Protected::Mesh).to_vec();
        list.extend_from_slice(self.of(&Protected::Namespace(view.namespace.clone())));
        list.extend(self.of_object(KindName::Gateway, &view.namespace, &view.gateway, Some(&view.name)));
        if list.is_empty() {
            return Door::default();
        }
        let key = list.iter().map(address).collect();
        self.doors.entry(key).or_insert_with(|| Door(Some(list.into()))).clone()
    }

    /// What may come in to a workload by a port that stands for these ports of Services: all of them must agree,
    /// because who comes in by the workload's own port names none.
    pub(super) fn of_workload(
        &mut self,
        namespace: &Arc<str>,
        workload: &Arc<str>,
        services: &[(Arc<str>, u16)],
        resources: &Resources,
    ) -> Option<Arc<Authorization>> {
        if self.is_idle() {
            return None;
        }
        let mut common = self.of(&Protected::Mesh).to_vec();
        common.extend_from_slice(self.of(&Protected::Namespace(namespace.clone())));
        common.extend(self.of_object(KindName::Workload, namespace, workload, None));
        let mut lists: Vec<Vec<Arc<Policy>>> = services
            .iter()
            .map(|(service, port)| {
                let named = port_name(namespace, service, *port, resources);
                self.of_object(KindName::Service, namespace, service, named.as_ref())
            })
            .collect();
        if lists.is_empty() {
            lists.push(Vec::new());
        }
        lists.iter_mut().for_each(|list| list.extend(common.iter().cloned()));
        self.merged(lists)
    }

    /// What may pass to a rule of a route that is served at a door.
    pub(super) fn of_rule(
        &mut self,
        door: &Door,
        route: RoutePlace<'_>,
        rule: &Rule,
        book: &ClusterBook,
        resources: &Resources,
    ) -> Option<Arc<Authorization>> {
        let backends = match &rule.action {
            Action::Forward(backends) => Some(backends),
            Action::Redirect(_) | Action::Answer(_) | Action::Mock(_) | Action::Refuse { .. } => None,
        };
        self.of_backends(door, (route, rule.origin.name.as_ref()), backends, book, resources)
    }

    /// What may pass to the backends of a rule of a route, whatever is carried.
    pub(super) fn of_backends(
        &mut self,
        door: &Door,
        (route, rule): (RoutePlace<'_>, Option<&Arc<str>>),
        backends: Option<&Backends>,
        book: &ClusterBook,
        resources: &Resources,
    ) -> Option<Arc<Authorization>> {
        if self.is_idle() {
            return None;
        }
        let mut common: Vec<Arc<Policy>> = door.0.iter().flat_map(|list| list.iter().cloned()).collect();
        common.extend(self.of_object(route.kind, route.namespace, route.name, rule));
        let targets =
            backends.iter().flat_map(|backends| backends.choices.iter().map(|backend| &backend.target));
        let mut lists: Vec<Vec<Arc<Policy>>> =
            targets.map(|target| self.of_target(target, book, resources)).collect();
        if lists.is_empty() {
            lists.push(Vec::new());
        }
        lists.iter_mut().for_each(|list| list.extend(common.iter().cloned()));
        self.merged(lists)
    }

    /// Policies of what a backend leads to.
    fn of_target(&self, target: &Target, book: &ClusterBook, resources: &Resources) -> Vec<Arc<Policy>> {
        let Target::Cluster(slot) = target else { return Vec::new() };
        match book.key(*slot) {
            ClusterKey::Service { namespace, name, port } => {
                let service = resources.service(namespace, name);
                let named = port_name(namespace, name, *port, resources);
                let mut list = self.of(&Protected::Namespace(namespace.clone())).to_vec();
                list.extend(self.of_object(KindName::Service, namespace, name, named.as_ref()));
                // Those who stand beside its workloads ask the same policies, and see who really calls.
                if !list.is_empty() && service.is_some_and(|service| has_sidecars(service, resources)) {
                    list.clear();
                }
                list
            }
            ClusterKey::Backend { namespace, .. } => {
                self.of(&Protected::Namespace(namespace.clone())).to_vec()
            }
            // No route leads to it.
            ClusterKey::Application { .. } => Vec::new(),
        }
    }

    /// What may come in to a port of a Service at one of its workloads, where a proxy stands beside it.
    pub(super) fn inbound(&mut self, place: &Inbound<'_>) -> Option<Arc<Authorization>> {
        if self.is_idle() {
            return None;
        }
        let mut list = self.of(&Protected::Mesh).to_vec();
        list.extend_from_slice(self.of(&Protected::Namespace(place.namespace.clone())));
        if let Some((service, port)) = &place.service {
            list.extend(self.of_object(KindName::Service, place.namespace, service, port.as_ref()));
        }
        if let Some(workload) = place.workload {
            list.extend(self.of_object(KindName::Workload, place.namespace, workload, None));
        }
        self.merged(vec![list])
    }

    /// One value for lists of which all must agree. Equal ones are the same by pointer.
    fn merged(&mut self, lists: Vec<Vec<Arc<Policy>>>) -> Option<Arc<Authorization>> {
        let sets = lists.iter().map(|list| {
            let list: Vec<&Arc<Policy>> = list.iter().collect();
            PolicySet::new(&list, self.mesh.default)
        });
        let authorization = Authorization::new(sets.collect())?;
        let key = (authorization.identity(), self.mesh.default);
        let made = self.made.entry(key).or_insert_with(|| Arc::new(authorization));
        Some(made.clone())
    }

    fn of(&self, protected: &Protected) -> &[Arc<Policy>] {
        self.by_protected.get(protected).map_or(&[], Vec::as_slice)
    }

    /// Policies of an object as a whole and of one of its sections.
    fn of_object(
        &self,
        kind: KindName,
        namespace: &Arc<str>,
        name: &Arc<str>,
        section: Option<&Arc<str>>,
    ) -> Vec<Arc<Policy>> {
        let object = |section: Option<&Arc<str>>| Protected::Object {
            kind,
            namespace: namespace.clone(),
            name: name.clone(),
            section: section.cloned(),
        };
        let mut list = self.of(&object(None)).to_vec();
        if section.is_some() {
            list.extend_from_slice(self.of(&object(section)));
        }
        list
    }
}

fn port_name(namespace: &str, service: &str, port: u16, resources: &Resources) -> Option<Arc<str>> {
    let service = resources.find::<Service>(namespace, service)?;
    service.content.spec.ports.iter().find(|known| known.port == port)?.name.clone()
}

/// Whether some workload behind a Service has a proxy beside it.
fn has_sidecars(service: Typed<'_, Service>, resources: &Resources) -> bool {
    let selector = &service.content.spec.selector;
    let mut workloads = resources.within::<Workload>(service.resource.namespace());
    !selector.is_empty()
        && workloads.any(|workload| {
            let labels = &workload.resource.meta.labels;
            workload.content.spec.sidecar.is_some()
                && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        })
}

fn address(policy: &Arc<Policy>) -> usize {
    Arc::as_ptr(policy) as usize
}

/// What a policy protects, whether it exists or not. A target that the policy may not have protects nothing.
pub(super) fn protected(policy: Typed<'_, AuthorizationPolicy>) -> Vec<Protected> {
    let namespace = policy.resource.namespace();
    let is_root = namespace == ROOT_NAMESPACE;
    let targets = &policy.content.spec.target_refs;
    if targets.is_empty() {
        return vec![if is_root { Protected::Mesh } else { Protected::Namespace(namespace.into()) }];
    }
    let one = |target: &model::kinds::backend_tls_policy::PolicyTargetRef| match &*target.kind {
        "Mesh" => is_root.then_some(Protected::Mesh),
        kind => Some(Protected::Object {
            kind: KindName::find(&target.group, kind)?,
            namespace: namespace.into(),
            name: target.name.clone(),
            section: target.section_name.clone(),
        }),
    };
    targets.iter().filter_map(one).collect()
}
