//! AuthenticationPolicies by what they are for, and which of them holds at a place.
//!
//! Unlike authorization, where all policies are asked, one policy says how callers prove who they are: the most
//! specific, or the least specific that lets nobody say otherwise. From the widest to the nearest: the mesh, the
//! Gateway's namespace, the Gateway, its listener, the namespace of the Service, the APIProduct, the route or
//! APIVersion, its rule or operation, the Service, its port. Of two policies for one target the older holds. One that
//! cannot do what it says lets nobody in.

mod method;
mod places;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::fetch_url::FetchUrl;
use model::ip_block::IpBlock;
use model::kinds::AuthenticationPolicy;
use model::kinds::authentication_policy::{Anonymous, Precedence};
use model::resources::Typed;
use model::{ResourceKey, Resources};

use super::protection::{Protected, protected};
use super::slots::Slots;
use crate::authentication::{Authentication, KeySource};

/// What holds at one level, and whether it holds for all below.
#[derive(Clone, Debug)]
pub(super) struct Level {
    pub(super) authentication: Arc<Authentication>,
    overrides: bool,
}

impl PartialEq for Level {
    fn eq(&self, other: &Self) -> bool {
        self.overrides == other.overrides && Arc::ptr_eq(&self.authentication, &other.authentication)
    }
}

impl Eq for Level {}

/// The level that holds, of those from the widest to the nearest.
pub(super) fn effective<'l>(levels: impl IntoIterator<Item = Option<&'l Level>>) -> Option<&'l Level> {
    let mut nearest = None;
    for level in levels.into_iter().flatten() {
        if level.overrides {
            return Some(level);
        }
        nearest = Some(level);
    }
    nearest
}

/// All policies.
#[derive(Debug, Default)]
pub(super) struct AuthenticationBook {
    levels: HashMap<Protected, Level>,
    made: BTreeMap<ResourceKey, Arc<Authentication>>,
    /// Positions of targets for which an older policy holds.
    lost: HashMap<ResourceKey, HashSet<usize>>,
    disputes: Vec<Arc<Authentication>>,
    key_slots: Slots<(FetchUrl, Box<[IpBlock]>)>,
    sources: BTreeMap<u32, Arc<KeySource>>,
}

impl AuthenticationBook {
    /// Takes all policies in as they are now.
    pub(super) fn update(&mut self, resources: &Resources) {
        let before = std::mem::take(&mut self.made);
        let sources = std::mem::take(&mut self.sources);
        self.levels.clear();
        self.lost.clear();
        let mut policies: Vec<Typed<'_, AuthenticationPolicy>> = resources.all().collect();
        policies.sort_by(|left, right| {
            (left.resource.age, &left.resource.key).cmp(&(right.resource.age, &right.resource.key))
        });
        for policy in policies {
            let made = self.compile(policy, resources, &sources);
            let kept = before.get(&policy.resource.key).filter(|known| ***known == made).cloned();
            let made = kept.unwrap_or_else(|| Arc::new(made));
            self.place(policy, &made);
            self.made.insert(policy.resource.key.clone(), made);
        }
    }

    fn place(&mut self, policy: Typed<'_, AuthenticationPolicy>, made: &Arc<Authentication>) {
        let overrides = policy.content.spec.precedence == Precedence::Override;
        for (at, target) in protected(policy.resource.namespace(), &policy.content.spec.target_refs) {
            let level = Level { authentication: made.clone(), overrides };
            match self.levels.entry(target) {
                Entry::Occupied(_) => {
                    self.lost.entry(policy.resource.key.clone()).or_default().insert(at);
                }
                Entry::Vacant(free) => drop(free.insert(level)),
            }
        }
    }

    fn compile(
        &mut self,
        policy: Typed<'_, AuthenticationPolicy>,
        resources: &Resources,
        sources: &BTreeMap<u32, Arc<KeySource>>,
    ) -> Authentication {
        let spec = &policy.content.spec;
        let mut workshop = method::Workshop {
            namespace: policy.resource.namespace(),
            resources,
            slots: &mut self.key_slots,
            before: sources,
            sources: &mut self.sources,
        };
        let (mut methods, mut problems) = (Vec::new(), Vec::new());
        for (at, written) in spec.methods.iter().enumerate() {
            match workshop.method(written) {
                Ok(method) => methods.push(method),
                Err(problem) => problems.push(format!("methods[{at}]: {problem}")),
            }
        }
        Authentication {
            policy: policy.resource.key.place().into(),
            anonymous: spec.anonymous == Anonymous::Allow,
            unusable: (!problems.is_empty()).then(|| problems.join("; ").into()),
            reserved: method::reserved(&methods),
            methods: methods.into(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.levels.is_empty()
    }

    /// What holds for something as such, whatever is around it.
    pub(super) fn of(&self, protected: &Protected) -> Option<&Level> {
        self.levels.get(protected)
    }

    /// What holds where all of several ways must agree. Where they do not, nobody is let in: whichever of them was
    /// asked, another one's backend would be reached by it.
    pub(super) fn agreed(&mut self, ways: Vec<Option<Level>>) -> Option<Arc<Authentication>> {
        let mut distinct: Vec<Option<Level>> = Vec::new();
        for way in ways {
            if !distinct.contains(&way) {
                distinct.push(way);
            }
        }
        if distinct.len() < 2 {
            return distinct.pop().flatten().map(|level| level.authentication);
        }
        let mut names: Vec<Arc<str>> =
            distinct.iter().flatten().map(|level| level.authentication.policy.clone()).collect();
        names.sort();
        let all = names.join(", ");
        let dispute = Authentication {
            policy: all.as_str().into(),
            methods: Box::default(),
            anonymous: false,
            unusable: Some(
                format!(
                    "the backends of one rule, or the products of one operation, ask for different credentials \
                     ({all}, or none)"
                )
                .into(),
            ),
            reserved: Box::default(),
        };
        if let Some(known) = self.disputes.iter().find(|known| ***known == dispute) {
            return Some(known.clone());
        }
        self.disputes.retain(|known| Arc::strong_count(known) > 1);
        let dispute = Arc::new(dispute);
        self.disputes.push(dispute.clone());
        Some(dispute)
    }

    /// Everything that is asked for keys.
    pub(super) fn sources(&self) -> Arc<[Arc<KeySource>]> {
        self.sources.values().cloned().collect()
    }

    /// Whether an older policy holds for a target of a policy.
    pub(super) fn has_lost(&self, policy: &ResourceKey, target: usize) -> bool {
        self.lost.get(policy).is_some_and(|lost| lost.contains(&target))
    }

    /// Why a policy lets nobody in, if it cannot do what it says.
    pub(super) fn unusable(&self, policy: &ResourceKey) -> Option<&Arc<str>> {
        self.made.get(policy)?.unusable.as_ref()
    }
}
