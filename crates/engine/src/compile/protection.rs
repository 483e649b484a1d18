//! Policies about callers by what they protect, merged for each place that asks.
//!
//! A policy is compiled once and shared by pointer; equal lists of policies make the same value by pointer, so a change
//! of one policy is felt by the routes it protects and by nothing else.
//!
//! Who is protected where: a policy for a Gateway, its namespace or the mesh holds for all that comes in there; one
//! for a route wherever the route is served; one for a Service or its namespace at the door that is nearest to it,
//! which is the Gateway in front as long as one of its replicas has nobody beside it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::kinds::authorization_policy::{AuthorizationPolicy, ROOT_NAMESPACE};
use model::kinds::backend_tls_policy::PolicyTargetRef;
use model::kinds::{KindName, mesh};
use model::resources::Typed;
use model::{Resource, ResourceKey, Resources};

use super::authentication::{AuthenticationBook, Level};
use super::authorizers::{Asked, AuthorizerBook};
pub(super) use super::beside::{asks_for_itself, port_name};
use super::clusters::ClusterBook;
use super::listeners::ListenerView;
use super::references::ClusterKey;
use super::slots::Slots;
use crate::authentication::Authentication;
use crate::authorization::{Authorization, DefaultAction, Policy, PolicySet, PolicySlot};
use crate::config::{Access, Action, Backends, Rule, Target};
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

/// Policies that hold for all that comes in by one listener. Equal ones are the same by pointer.
#[derive(Clone, Debug, Default)]
pub(super) struct Door {
    /// Who may do what; `None` when nothing is said of it.
    list: Option<Arc<[Arc<Policy>]>>,
    /// How callers prove who they are.
    authentication: Option<Level>,
    /// Who else is asked.
    authorizers: Asked,
}

impl PartialEq for Door {
    fn eq(&self, other: &Self) -> bool {
        same(self.list.as_ref(), other.list.as_ref())
            && self.authentication == other.authentication
            && self.authorizers == other.authorizers
    }
}

impl Eq for Door {}

/// What is asked of the callers of one place. Equal values are the same by pointer.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    /// How they prove who they are.
    pub(super) authentication: Option<Arc<Authentication>>,
    /// Who else is asked what they may do.
    pub(super) authorizers: Asked,
    /// What they may do.
    pub(super) authorization: Option<Arc<Authorization>>,
    /// What they must have subscribed to.
    pub(super) access: Option<Arc<Access>>,
}

impl PartialEq for Guard {
    fn eq(&self, other: &Self) -> bool {
        same(self.authentication.as_ref(), other.authentication.as_ref())
            && same(self.authorization.as_ref(), other.authorization.as_ref())
            && same(self.access.as_ref(), other.access.as_ref())
            && self.authorizers == other.authorizers
    }
}

impl Eq for Guard {}

impl Guard {
    /// What stands in a rule.
    pub(super) fn of(rule: &Rule) -> Guard {
        Guard {
            authentication: rule.authentication.clone(),
            authorizers: Asked::of(rule.authorizers.as_ref()),
            authorization: rule.authorization.clone(),
            access: rule.access.clone(),
        }
    }

    /// The same for an operation of products: subscribers have to prove who they are, in the usual way where no policy
    /// says another one.
    pub(super) fn admitting(mut self, access: Option<&Arc<Access>>, usual: &Arc<Authentication>) -> Guard {
        self.access = access.cloned();
        if access.is_some_and(|access| access.keyless.is_none()) {
            self.authentication.get_or_insert_with(|| usual.clone());
        }
        self
    }
}

fn same<T: ?Sized>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// All policies.
#[derive(Debug, Default)]
pub(super) struct PolicyBook {
    by_key: BTreeMap<ResourceKey, Held>,
    by_protected: HashMap<Protected, Vec<Arc<Policy>>>,
    pub(super) authentication: AuthenticationBook,
    pub(super) authorizers: AuthorizerBook,
    slots: Slots<(Arc<str>, Option<Arc<str>>)>,
    doors: HashMap<Vec<usize>, Arc<[Arc<Policy>]>>,
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
    Protection::of(resources).inbound(place)
}

/// What the policies of a set of resources make of its ways in, for those who ask about many.
#[derive(Debug)]
pub struct Protection(PolicyBook);

impl Protection {
    /// Of these resources.
    #[must_use]
    pub fn of(resources: &Resources) -> Protection {
        let mut book = PolicyBook::default();
        book.update(resources, MeshDefaults::of(MeshView::of(resources).as_ref()));
        Protection(book)
    }

    /// Of one way in; `None` where nothing is asked.
    pub fn inbound(&mut self, place: &Inbound<'_>) -> Option<Arc<Authorization>> {
        self.0.inbound(place)
    }
}

/// A route, as policies see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoutePlace<'a> {
    pub(super) kind: KindName,
    pub(super) namespace: &'a Arc<str>,
    pub(super) name: &'a Arc<str>,
    /// Products that the rule's operation is part of, in the same namespace.
    pub(super) products: &'a [Arc<str>],
}

impl PolicyBook {
    /// Takes all policies in as they are now.
    pub(super) fn update(&mut self, resources: &Resources, mesh: MeshDefaults) {
        self.authentication.update(resources);
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
            for (_, protected) in protected(typed.resource.namespace(), &typed.content.spec.target_refs) {
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
        self.by_key.is_empty()
            && self.mesh.default == DefaultAction::Allow
            && self.authentication.is_idle()
            && self.authorizers.is_idle()
    }

    /// The door that a listener of a Gateway is.
    pub(super) fn door(&mut self, view: &ListenerView) -> Door {
        Door {
            list: self.door_list(view),
            authentication: self.authentication.door(view),
            authorizers: self.authorizers.door(view),
        }
    }

    fn door_list(&mut self, view: &ListenerView) -> Option<Arc<[Arc<Policy>]>> {
        if self.by_key.is_empty() {
            return None;
        }
        let mut list = self.of(&Protected::Mesh).to_vec();
        list.extend_from_slice(self.of(&Protected::Namespace(view.namespace.clone())));
        list.extend(self.of_object(KindName::Gateway, &view.namespace, &view.gateway, Some(&view.name)));
        if list.is_empty() {
            return None;
        }
        let key = list.iter().map(address).collect();
        Some(self.doors.entry(key).or_insert_with(|| list.into()).clone())
    }

    /// What may come in to a workload by a port that stands for these ports of Services: all of them must agree,
    /// because who comes in by the workload's own port names none.
    pub(super) fn of_workload(
        &mut self,
        namespace: &Arc<str>,
        workload: &Arc<str>,
        services: &[(Arc<str>, u16)],
        resources: &Resources,
    ) -> Guard {
        if self.is_idle() {
            return Guard::default();
        }
        let authentication = self.authentication.of_workload(namespace, services, resources);
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
        let authorizers = self.authorizers.of_workload(namespace, services, resources);
        Guard { authentication, authorizers, authorization: self.merged(lists), access: None }
    }

    /// What may pass to a rule of a route that is served at a door.
    pub(super) fn of_rule(
        &mut self,
        door: &Door,
        route: RoutePlace<'_>,
        rule: &Rule,
        book: &ClusterBook,
        resources: &Resources,
    ) -> Guard {
        let backends = match &rule.action {
            Action::Forward(backends) => Some(backends),
            Action::Redirect(_) | Action::Answer(_) | Action::Mock(_) | Action::Refuse { .. } => None,
        };
        let place = (route, rule.origin.name.as_ref());
        Guard {
            authentication: self.authentication.of_rule(
                door.authentication.as_ref(),
                place,
                backends,
                book,
                resources,
            ),
            authorizers: self.authorizers.of_rule(&door.authorizers, place, backends, book, resources),
            authorization: self.of_backends(door, place, backends, book, resources),
            access: None,
        }
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
        let mut common: Vec<Arc<Policy>> = door.list.iter().flat_map(|list| list.iter().cloned()).collect();
        common.extend(self.of_object(route.kind, route.namespace, route.name, rule));
        for product in route.products {
            common.extend(self.of_object(KindName::ApiProduct, route.namespace, product, None));
        }
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
                // Those who stand beside its workloads ask the same policies, and see who really calls. Which replica
                // it will be is not known yet, so one without anybody beside it is enough for asking here as well.
                if !list.is_empty() && service.is_some_and(|service| asks_for_itself(service, resources)) {
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
        let list = self.coming_in(place);
        self.merged(vec![list])
    }

    /// The same for those who ask once about many places: nothing is remembered.
    pub(super) fn asked(&self, place: &Inbound<'_>) -> Option<Authorization> {
        if self.is_idle() {
            return None;
        }
        let list = self.coming_in(place);
        let list: Vec<&Arc<Policy>> = list.iter().collect();
        Authorization::new(vec![PolicySet::new(&list, self.mesh.default)])
    }

    fn coming_in(&self, place: &Inbound<'_>) -> Vec<Arc<Policy>> {
        let mut list = self.of(&Protected::Mesh).to_vec();
        list.extend_from_slice(self.of(&Protected::Namespace(place.namespace.clone())));
        if let Some((service, port)) = &place.service {
            list.extend(self.of_object(KindName::Service, place.namespace, service, port.as_ref()));
        }
        if let Some(workload) = place.workload {
            list.extend(self.of_object(KindName::Workload, place.namespace, workload, None));
        }
        list
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
        let mut list = self.of(&object(kind, namespace, name, None)).to_vec();
        if section.is_some() {
            list.extend_from_slice(self.of(&object(kind, namespace, name, section)));
        }
        list
    }
}

pub(super) fn object(
    kind: KindName,
    namespace: &Arc<str>,
    name: &Arc<str>,
    section: Option<&Arc<str>>,
) -> Protected {
    Protected::Object { kind, namespace: namespace.clone(), name: name.clone(), section: section.cloned() }
}

fn address(policy: &Arc<Policy>) -> usize {
    Arc::as_ptr(policy) as usize
}

/// What a policy of a namespace protects, whether it exists or not, with the positions of its targets. A target that
/// the policy may not have protects nothing.
pub(super) fn protected(namespace: &str, targets: &[PolicyTargetRef]) -> Vec<(usize, Protected)> {
    let is_root = namespace == ROOT_NAMESPACE;
    if targets.is_empty() {
        return vec![(0, if is_root { Protected::Mesh } else { Protected::Namespace(namespace.into()) })];
    }
    let one = |target: &PolicyTargetRef| match &*target.kind {
        "Mesh" => is_root.then_some(Protected::Mesh),
        kind => Some(Protected::Object {
            kind: KindName::find(&target.group, kind)?,
            namespace: namespace.into(),
            name: target.name.clone(),
            section: target.section_name.clone(),
        }),
    };
    targets.iter().enumerate().filter_map(|(at, target)| Some((at, one(target)?))).collect()
}
