//! APIs lowered to routes.
//!
//! A version of an API is compiled as the route that somebody would write by hand who had the patience: one rule for
//! each operation, with the hosts, the selector and the upstreams of the version. So everything that holds for routes
//! holds for APIs (attachment, policies, certificates of callers, sidecars), and what serves requests never learns
//! the word.
//!
//! A description is read once for each revision and kept by pointer; a version is lowered again only when something it
//! is made of is another object than before.

mod answers;
mod described;
mod ends;
mod lowering;
mod offers;
mod selector;
mod shims;
mod statuses;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use model::kinds::{ApiBinding, ApiProduct, ApiRevision, ApiVersion, KindName};
use model::resources::Typed;
use model::{Resource, ResourceKey, Resources};

use super::changes::Change;
use super::slots::Slots;
use crate::authentication::Authentication;
use crate::config::OperationSlot;
use crate::status::ObjectStatus;
use described::{Described, Descriptions};
use offers::{Offer, Offers, UsualCredentials};

pub(super) use lowering::{Lowered, LoweredRule};
pub use shims::ShimInUse;

/// Stable numbers of operations, by version and key.
type OperationSlots = Slots<(Arc<str>, Arc<str>)>;

/// All APIs as they were lowered last.
#[derive(Debug, Default)]
pub(super) struct ApiBook {
    descriptions: Descriptions,
    versions: BTreeMap<ResourceKey, Version>,
    offers: Offers,
    usual: UsualCredentials,
    slots: OperationSlots,
    statuses: Vec<(Arc<Resource>, ObjectStatus)>,
    shims: Arc<[ShimInUse]>,
}

/// One version as it was lowered last.
#[derive(Debug, Default)]
struct Version {
    parts: Parts,
    lowered: Option<Arc<Lowered>>,
    /// The last revision whose description could be read.
    good: Option<Revision>,
}

/// A revision with its operations.
#[derive(Clone, Debug)]
struct Revision {
    resource: Arc<Resource>,
    described: Arc<Described>,
}

/// The objects that a version is made of. Two are equal when they are the same objects.
#[derive(Clone, Debug, Default)]
struct Parts {
    version: Option<Arc<Resource>>,
    api: Option<Arc<Resource>>,
    revision: Option<Arc<Resource>>,
    candidate: Option<Arc<Resource>>,
    successor: Option<Arc<Resource>>,
    bindings: Vec<Arc<Resource>>,
    /// Products that guard its operations.
    offers: Vec<Offer>,
    /// Products that have operations of it, by name.
    products: Vec<Arc<Resource>>,
}

impl Parts {
    fn of(
        version: Typed<'_, ApiVersion>,
        around: &Around<'_>,
        offers: &Offers,
        resources: &Resources,
    ) -> Self {
        let (namespace, spec) = (version.resource.namespace(), &version.content.spec);
        let revision = |name: &Option<Arc<str>>| {
            let found = resources.find::<ApiRevision>(namespace, name.as_deref()?)?;
            Some(found.resource.clone())
        };
        let place = (namespace, version.resource.key.name.as_str());
        let successor =
            spec.successor.as_deref().and_then(|name| resources.find::<ApiVersion>(namespace, name));
        Parts {
            version: Some(version.resource.clone()),
            api: resources.find::<model::kinds::Api>(namespace, &spec.api).map(|api| api.resource.clone()),
            revision: revision(&spec.revision),
            candidate: revision(&spec.candidate),
            successor: successor.map(|found| found.resource.clone()),
            bindings: around.bindings.get(&place).cloned().unwrap_or_default(),
            offers: offers.of_version(version.resource),
            products: around.products.get(&place).cloned().unwrap_or_default(),
        }
    }

    fn is(&self, other: &Parts) -> bool {
        let all = |parts: &Parts| {
            let Parts { version, api, revision, candidate, successor, bindings, offers: _, products } =
                parts.clone();
            let one = [version, api, revision, candidate, successor];
            // What has none of one list cannot be told from one that has more of the other by position alone.
            let parted = bindings.into_iter().map(Some).chain([None]).chain(products.into_iter().map(Some));
            one.into_iter().chain(parted).collect::<Vec<_>>()
        };
        let (mine, others) = (all(self), all(other));
        mine.len() == others.len()
            && mine.iter().zip(&others).all(|(mine, other)| match (mine, other) {
                (Some(mine), Some(other)) => Arc::ptr_eq(mine, other),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            })
            && self.offers.len() == other.offers.len()
            && self.offers.iter().zip(&other.offers).all(|(mine, other)| mine.is(other))
    }
}

/// Objects by the version they are for.
type ByVersion<'r> = HashMap<(&'r str, &'r str), Vec<Arc<Resource>>>;

/// What names versions of which it is a part.
struct Around<'r> {
    /// The oldest first.
    bindings: ByVersion<'r>,
    /// By name.
    products: ByVersion<'r>,
}

impl ApiBook {
    /// Lowers what changed. Returns the routes that are different, as if somebody had edited them.
    pub(super) fn update(&mut self, resources: &Resources) -> Vec<Change> {
        let around = Around { bindings: bindings(resources), products: products(resources) };
        self.offers.update(resources);
        let mut changes = Vec::new();
        let mut known = BTreeSet::new();
        for version in resources.all::<ApiVersion>() {
            let key = version.resource.key.clone();
            let parts = Parts::of(version, &around, &self.offers, resources);
            let state = self.versions.entry(key.clone()).or_default();
            known.insert(key);
            if state.parts.is(&parts) {
                continue;
            }
            state.parts = parts;
            let before = state.lowered.take();
            let after = state.lower(version, &mut self.descriptions, &mut self.slots);
            state.lowered = Some(after.clone());
            changes.push(Change {
                before: before.map(|lowered| lowered.route.clone()),
                after: Some(after.route.clone()),
            });
        }
        let gone: Vec<ResourceKey> =
            self.versions.keys().filter(|key| !known.contains(*key)).cloned().collect();
        for key in gone {
            let before = self.versions.remove(&key).and_then(|state| state.lowered.clone());
            changes.push(Change { before: before.map(|lowered| lowered.route.clone()), after: None });
        }
        self.descriptions.keep(resources);
        self.statuses = statuses::all(self, resources);
        self.shims = shims::all(self, resources);
        changes
    }

    /// The operations of a revision, or how many mistakes it has.
    pub(super) fn operations_of(
        &mut self,
        revision: &Arc<Resource>,
    ) -> Result<Vec<Arc<apis::Operation>>, usize> {
        match self.descriptions.read(revision) {
            Ok(described) => Ok(described.operations.clone()),
            Err(problems) => Err(problems.len()),
        }
    }

    /// What a version was lowered to.
    pub(super) fn lowered(&self, key: &ResourceKey) -> Option<&Arc<Lowered>> {
        self.versions.get(key)?.lowered.as_ref()
    }

    /// Rules of versions of a namespace that callers of Services have, and that lead to one of these ports of them.
    pub(super) fn leading_behind<'a>(
        &'a self,
        namespace: &'a str,
        services: &'a [(Arc<str>, u16)],
    ) -> impl Iterator<Item = (&'a Arc<Lowered>, usize)> {
        let lowered = self.versions.values().filter_map(|version| version.lowered.as_ref());
        let here = lowered.filter(move |lowered| lowered.version.namespace() == namespace);
        let called = here.filter(|lowered| lowered.has_callers_of_services());
        called.flat_map(move |lowered| {
            let rules = 0..lowered.rules.len();
            rules.filter(move |at| lowered.leads_behind(*at, services)).map(move |at| (lowered, at))
        })
    }

    /// How subscribers prove who they are where no policy says it.
    pub(super) fn usual_credentials(&self) -> &Arc<Authentication> {
        &self.usual.0
    }

    /// Shims that carry traffic.
    pub(super) fn shims(&self) -> &Arc<[ShimInUse]> {
        &self.shims
    }

    /// What became of revisions, bindings, products and plans.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (Arc<Resource>, ObjectStatus)> + '_ {
        self.statuses.iter().cloned()
    }

    /// The operations of a version, as far as its current revision can be read.
    fn operations(&self, version: &Resource) -> Option<&Described> {
        self.described(version).map(|described| &**described)
    }

    /// The same, to be kept.
    fn described(&self, version: &Resource) -> Option<&Arc<Described>> {
        Some(&self.versions.get(&version.key)?.good.as_ref()?.described)
    }
}

fn products(resources: &Resources) -> ByVersion<'_> {
    let mut found: ByVersion<'_> = HashMap::new();
    for product in resources.all::<ApiProduct>() {
        let versions: BTreeSet<&str> = product.content.spec.apis.iter().map(|api| &*api.version).collect();
        for version in versions {
            found.entry((product.resource.namespace(), version)).or_default().push(product.resource.clone());
        }
    }
    found.values_mut().for_each(|products| products.sort_by(|left, right| left.key.cmp(&right.key)));
    found
}

fn bindings(resources: &Resources) -> ByVersion<'_> {
    let mut found: ByVersion<'_> = HashMap::new();
    for binding in resources.all::<ApiBinding>() {
        let place = (binding.resource.namespace(), &*binding.content.spec.version);
        found.entry(place).or_default().push(binding.resource.clone());
    }
    found.values_mut().for_each(|bindings| bindings.sort_by_key(|binding| binding.age));
    found
}

impl Version {
    /// Reads what describes the version now. Where that cannot be read, what could be read last stays.
    fn revise(&mut self, version: &ApiVersion, descriptions: &mut Descriptions) -> Vec<String> {
        let Some(named) = &version.spec.revision else {
            self.good = None;
            return Vec::new();
        };
        let read = match &self.parts.revision {
            None => Err(format!("there is no APIRevision `{named}`")),
            Some(resource) => match descriptions.read(resource) {
                Ok(described) => Ok(Revision { resource: resource.clone(), described }),
                Err(problems) => {
                    Err(format!("APIRevision `{named}` cannot be read ({} mistakes)", problems.len()))
                }
            },
        };
        match read {
            Ok(revision) => {
                self.good = Some(revision);
                Vec::new()
            }
            Err(why) => match &self.good {
                Some(good) => vec![format!("{why}; `{}` stays in use", good.resource.key.name)],
                None => vec![why],
            },
        }
    }

    fn lower(
        &mut self,
        version: Typed<'_, ApiVersion>,
        descriptions: &mut Descriptions,
        slots: &mut OperationSlots,
    ) -> Arc<Lowered> {
        let mut missing = self.revise(version.content, descriptions);
        let candidate = self.parts.candidate.as_ref().map(|resource| (resource, descriptions.read(resource)));
        let candidate = match (&version.content.spec.candidate, candidate) {
            (None, _) => None,
            (Some(_), Some((resource, Ok(described)))) => {
                Some(Revision { resource: resource.clone(), described })
            }
            (Some(name), Some((_, Err(problems)))) => {
                missing.push(format!("candidate `{name}` cannot be read ({} mistakes)", problems.len()));
                None
            }
            (Some(name), None) => {
                missing.push(format!("there is no APIRevision `{name}` to be the candidate"));
                None
            }
        };
        let place: Arc<str> = version.resource.key.place().into();
        let mut slot = |key: &Arc<str>| OperationSlot(slots.of((place.clone(), key.clone())));
        let ground = lowering::Ground {
            version,
            api: self.parts.api.as_deref(),
            successor: self.parts.successor.as_deref(),
            offers: &self.parts.offers,
            products: &self.parts.products,
            binding: self.parts.bindings.first().and_then(|binding| binding.content::<ApiBinding>()),
            current: self.good.as_ref().map(|good| &*good.described),
            candidate: candidate.as_ref().map(|one| (one.resource.key.name.as_str(), &*one.described)),
        };
        Arc::new(lowering::lower(&ground, missing, &mut slot))
    }
}

/// Who refers to backends on behalf of a version.
pub(super) const REFERRER: KindName = KindName::ApiBinding;
