//! All resources at one moment.
//!
//! A set is cheap to clone and its clones never change, so the compiler can look at one moment while files are
//! read into the next. Each kind is a shelf of its own: an edit copies the pointers of one shelf, not of all.
//! Namespaces exist without being declared.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kinds::endpoint_slice::EndpointSlice;
use crate::kinds::{
    Backend, BackendTlsPolicy, ConfigMap, Gateway, GatewayClass, GatewayParameters, HttpRoute, KindName,
    KindType, Mesh, Namespace, Pod, ReferenceGrant, Secret, Service, Workload,
};
use crate::labels::{Labels, NAMESPACE_NAME, SERVICE_NAME};
use crate::names::{Name, ResourceKey};
use crate::resource::{Age, Resource};

/// Namespace (empty outside of namespaces) and name: the place of an object among those of its kind.
type Place = (Arc<str>, Arc<str>);
type Shelf = BTreeMap<Place, Arc<Resource>>;

/// Fewer of a kind than this are not worth packing.
const PACKED_FROM: usize = 64;

/// A resource together with its typed content.
#[derive(Debug)]
pub struct Typed<'a, T> {
    /// The resource.
    pub resource: &'a Arc<Resource>,
    /// Its content.
    pub content: &'a T,
}

impl<T> Clone for Typed<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Typed<'_, T> {}

impl<'a, T: KindType> Typed<'a, T> {
    fn new(resource: &'a Arc<Resource>) -> Option<Self> {
        Some(Typed { resource, content: resource.content::<T>()? })
    }
}

/// All resources at one moment.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    shelves: BTreeMap<KindName, Arc<Shelf>>,
    /// EndpointSlices by namespace and Service, in the order of their names.
    slices: Arc<BTreeMap<Place, Vec<Arc<Resource>>>>,
    /// Position that the next new object gets.
    next_seen: u64,
}

impl Resources {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Resources::default()
    }

    /// Puts a resource in. One with the same key is replaced: the new one keeps its age, and its generation grows
    /// when anything but metadata and status changed.
    pub fn insert(&mut self, mut resource: Resource) -> Arc<Resource> {
        let before = self.get(&resource.key).cloned();
        let seen = before.as_ref().map_or(self.next_seen, |old| old.age.seen());
        if let Some(old) = &before {
            let changed = !old.written.wants_the_same(&resource.written);
            resource.meta.generation = old.meta.generation + u64::from(changed);
            self.unlink_slice(old);
        }
        self.next_seen += u64::from(before.is_none());
        resource.age = Age::new(resource.meta.creation_timestamp, seen);
        let resource = Arc::new(resource);
        self.link_slice(&resource);
        let shelf = self.shelves.entry(resource.kind_name()).or_default();
        Arc::make_mut(shelf).insert(place(&resource.key), resource.clone());
        resource
    }

    /// Puts a resource in that a store numbered: its generation is what it says it is. One that replaces another
    /// keeps its age.
    pub fn put(&mut self, mut resource: Resource) -> Arc<Resource> {
        let seen = self.get(&resource.key).map_or(self.next_seen, |old| old.age.seen());
        self.next_seen = self.next_seen.max(seen + 1);
        resource.age = Age::new(resource.meta.creation_timestamp, seen);
        let resource = Arc::new(resource);
        self.adopt(resource.clone());
        resource
    }

    /// Takes a resource out.
    pub fn remove(&mut self, key: &ResourceKey) -> Option<Arc<Resource>> {
        let kind = KindName::find(&key.group, &key.kind)?;
        let shelf = self.shelves.get_mut(&kind)?;
        let removed = Arc::make_mut(shelf).remove(&place(key))?;
        self.unlink_slice(&removed);
        Some(removed)
    }

    /// The set that holds exactly `read`, told by what this one remembers: objects that are in both keep their age
    /// and generation, and those that did not change at all stay the very same, by pointer.
    #[must_use]
    pub fn reread(&self, read: Vec<Resource>) -> Resources {
        self.reread_beside(&[], read)
    }

    /// The set that holds exactly `read`, as [`Resources::reread`] makes it, and those of this set with the keys
    /// `kept`, which the caller knows not to have changed: what was not read again need not be compared either.
    #[must_use]
    pub fn reread_beside(&self, kept: &[ResourceKey], read: Vec<Resource>) -> Resources {
        let mut next = Resources { next_seen: self.next_seen, ..Resources::default() };
        kept.iter().filter_map(|key| self.get(key)).for_each(|old| next.adopt(old.clone()));
        for mut resource in read {
            let Some(old) = self.get(&resource.key) else {
                next.insert(resource);
                continue;
            };
            resource.age = Age::new(resource.meta.creation_timestamp, old.age.seen());
            let changed = !old.written.wants_the_same(&resource.written);
            resource.meta.generation = old.meta.generation + u64::from(changed);
            let kept = if **old == resource { old.clone() } else { Arc::new(resource) };
            next.adopt(kept);
        }
        next
    }

    /// Gives back room that was kept for more, where one kind has many objects: shelves that were filled in the order
    /// of their names are half empty.
    pub fn pack(&mut self) {
        for shelf in self.shelves.values_mut().filter(|shelf| shelf.len() >= PACKED_FROM) {
            *shelf =
                Arc::new(shelf.iter().map(|(place, resource)| (place.clone(), resource.clone())).collect());
        }
    }

    /// Puts a resource in as it is.
    fn adopt(&mut self, resource: Arc<Resource>) {
        self.link_slice(&resource);
        let shelf = self.shelves.entry(resource.kind_name()).or_default();
        if let Some(old) = Arc::make_mut(shelf).insert(place(&resource.key), resource) {
            self.unlink_slice(&old);
        }
    }

    /// Number of resources.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shelves.values().map(|shelf| shelf.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All resources, by kind, then namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.shelves.values().flat_map(|shelf| shelf.values())
    }

    /// All resources of a kind that is known only at run time, by namespace and name.
    pub fn of(&self, kind: KindName) -> impl Iterator<Item = &Arc<Resource>> {
        self.shelves.get(&kind).into_iter().flat_map(|shelf| shelf.values())
    }

    /// The resource with a key.
    #[must_use]
    pub fn get(&self, key: &ResourceKey) -> Option<&Arc<Resource>> {
        let kind = KindName::find(&key.group, &key.kind)?;
        self.shelves.get(&kind)?.get(&place(key))
    }

    /// The resource of a kind; `namespace` is empty for kinds outside of namespaces.
    #[must_use]
    pub fn find<T: KindType>(&self, namespace: &str, name: &str) -> Option<Typed<'_, T>> {
        let place: Place = (namespace.into(), name.into());
        Typed::new(self.shelves.get(&T::NAME)?.get(&place)?)
    }

    /// All resources of a kind, by namespace and name.
    pub fn all<T: KindType>(&self) -> impl Iterator<Item = Typed<'_, T>> {
        self.shelves.get(&T::NAME).into_iter().flat_map(|shelf| shelf.values()).filter_map(Typed::new)
    }

    /// The resources of a kind in one namespace, by name.
    pub fn within<T: KindType>(&self, namespace: &str) -> impl Iterator<Item = Typed<'_, T>> {
        let namespace: Arc<str> = namespace.into();
        let first: Place = (namespace.clone(), "".into());
        self.shelves
            .get(&T::NAME)
            .into_iter()
            .flat_map(move |shelf| shelf.range(first.clone()..))
            .take_while(move |((within, _), _)| *within == namespace)
            .filter_map(|(_, resource)| Typed::new(resource))
    }

    /// The set without all other kinds. What is not in it is not kept alive by it.
    #[must_use]
    pub fn only(&self, kinds: &[KindName]) -> Resources {
        let shelves = self.shelves.iter().filter(|(kind, _)| kinds.contains(kind));
        let shelves = shelves.map(|(kind, shelf)| (*kind, shelf.clone())).collect();
        Resources { shelves, next_seen: self.next_seen, ..Resources::default() }
    }

    /// Whether two sets are known to hold the very same resources of some kinds: as long as none of these kinds
    /// changes, a set and what became of it do.
    #[must_use]
    pub fn share(&self, other: &Resources, kinds: &[KindName]) -> bool {
        kinds.iter().all(|kind| match (self.shelves.get(kind), other.shelves.get(kind)) {
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        })
    }

    /// GatewayClasses.
    pub fn gateway_classes(&self) -> impl Iterator<Item = Typed<'_, GatewayClass>> {
        self.all()
    }

    /// A GatewayClass.
    #[must_use]
    pub fn gateway_class(&self, name: &str) -> Option<Typed<'_, GatewayClass>> {
        self.find("", name)
    }

    /// Gateways.
    pub fn gateways(&self) -> impl Iterator<Item = Typed<'_, Gateway>> {
        self.all()
    }

    /// A Gateway.
    #[must_use]
    pub fn gateway(&self, namespace: &str, name: &str) -> Option<Typed<'_, Gateway>> {
        self.find(namespace, name)
    }

    /// A GatewayParameters.
    #[must_use]
    pub fn gateway_parameters(&self, namespace: &str, name: &str) -> Option<Typed<'_, GatewayParameters>> {
        self.find(namespace, name)
    }

    /// HTTPRoutes.
    pub fn http_routes(&self) -> impl Iterator<Item = Typed<'_, HttpRoute>> {
        self.all()
    }

    /// A Service.
    #[must_use]
    pub fn service(&self, namespace: &str, name: &str) -> Option<Typed<'_, Service>> {
        self.find(namespace, name)
    }

    /// The EndpointSlices of a Service, by name.
    pub fn endpoint_slices(
        &self,
        namespace: &str,
        service: &str,
    ) -> impl Iterator<Item = Typed<'_, EndpointSlice>> {
        let place: Place = (namespace.into(), service.into());
        self.slices.get(&place).into_iter().flatten().filter_map(Typed::new)
    }

    /// A Backend.
    #[must_use]
    pub fn backend(&self, namespace: &str, name: &str) -> Option<Typed<'_, Backend>> {
        self.find(namespace, name)
    }

    /// A Secret.
    #[must_use]
    pub fn secret(&self, namespace: &str, name: &str) -> Option<Typed<'_, Secret>> {
        self.find(namespace, name)
    }

    /// A ConfigMap.
    #[must_use]
    pub fn config_map(&self, namespace: &str, name: &str) -> Option<Typed<'_, ConfigMap>> {
        self.find(namespace, name)
    }

    /// The BackendTLSPolicies of a namespace.
    pub fn backend_tls_policies(&self, namespace: &str) -> impl Iterator<Item = Typed<'_, BackendTlsPolicy>> {
        self.within(namespace)
    }

    /// The Pods of a namespace.
    pub fn pods(&self, namespace: &str) -> impl Iterator<Item = Typed<'_, Pod>> {
        self.within(namespace)
    }

    /// The Mesh that this world is: `default` where there are several, else the first by name.
    #[must_use]
    pub fn mesh(&self) -> Option<Typed<'_, Mesh>> {
        self.find("", "default").or_else(|| self.all().next())
    }

    /// The Workloads of a namespace.
    pub fn workloads(&self, namespace: &str) -> impl Iterator<Item = Typed<'_, Workload>> {
        self.within(namespace)
    }

    /// A Workload.
    #[must_use]
    pub fn workload(&self, namespace: &str, name: &str) -> Option<Typed<'_, Workload>> {
        self.find(namespace, name)
    }

    /// The ReferenceGrants of a namespace.
    pub fn reference_grants(&self, namespace: &str) -> impl Iterator<Item = Typed<'_, ReferenceGrant>> {
        self.within(namespace)
    }

    /// Whether an object of `from` may refer to the object of `to`: always within a namespace, else by a
    /// ReferenceGrant in the namespace referred to.
    #[must_use]
    pub fn may_refer(&self, from: Referrer<'_>, to: Referred<'_>) -> bool {
        from.namespace == to.namespace
            || self.reference_grants(to.namespace).any(|grant| {
                let spec = &grant.content.spec;
                spec.from.iter().any(|who| who.covers(from.group, from.kind, from.namespace))
                    && spec.to.iter().any(|what| what.covers(to.group, to.kind, to.name))
            })
    }

    /// Labels of a namespace, declared or not; its own name is always among them.
    #[must_use]
    pub fn namespace_labels(&self, namespace: &str) -> Labels {
        let declared = self.find::<Namespace>("", namespace);
        let mut labels = declared.map(|found| Labels::clone(&found.resource.meta.labels)).unwrap_or_default();
        labels.insert(NAMESPACE_NAME.into(), namespace.into());
        labels
    }

    fn link_slice(&mut self, resource: &Arc<Resource>) {
        let Some(owner) = slice_owner(resource) else { return };
        let siblings = Arc::make_mut(&mut self.slices).entry(owner).or_default();
        let position = siblings.partition_point(|other| other.key < resource.key);
        siblings.insert(position, resource.clone());
    }

    fn unlink_slice(&mut self, resource: &Arc<Resource>) {
        let Some(owner) = slice_owner(resource) else { return };
        let slices = Arc::make_mut(&mut self.slices);
        if let Some(siblings) = slices.get_mut(&owner) {
            siblings.retain(|other| !Arc::ptr_eq(other, resource));
            if siblings.is_empty() {
                slices.remove(&owner);
            }
        }
    }
}

/// Who refers to an object of another namespace.
#[derive(Clone, Copy, Debug)]
pub struct Referrer<'a> {
    /// API group of the referrer.
    pub group: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
}

/// What is referred to.
#[derive(Clone, Copy, Debug)]
pub struct Referred<'a> {
    /// API group of the object; empty for the core group.
    pub group: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

fn place(key: &ResourceKey) -> Place {
    (
        key.namespace.as_ref().map_or_else(|| "".into(), crate::names::Namespace::to_arc),
        Name::to_arc(&key.name),
    )
}

fn slice_owner(resource: &Resource) -> Option<Place> {
    resource.content::<EndpointSlice>()?;
    let service = resource.meta.labels.get(SERVICE_NAME)?;
    Some((place(&resource.key).0, service.clone()))
}
