//! TransformPolicy: what is changed about the messages of a rule.
//!
//! All of them hold: the Gateway's first, which sees what clients send, then the route's, then the rule's, and last the
//! shim of an API, which speaks with the upstream. Answers go the other way. One that cannot be understood lets
//! nothing pass: half a change would be a message that nobody has asked for.

use std::collections::HashMap;
use std::sync::Arc;

use apis::shim;
use model::kinds::transform_policy::TransformPolicy;
use model::{Resource, ResourceKey, Resources};

use super::super::apis::LoweredRule;
use super::super::attached::{Attached, Target};
use crate::config::Transform;
use crate::status::{Condition, ConditionType, PolicyStatus, Reason};

/// Changes in the order in which they are made; `None` in the place of one that cannot be understood.
pub(in crate::compile) type Changes = Arc<[Option<Arc<Transform>>]>;

/// All TransformPolicies, each compiled once.
#[derive(Debug, Default)]
pub(super) struct Transforms {
    pub(super) attached: Attached,
    compiled: HashMap<ResourceKey, Result<Arc<Transform>, Arc<str>>>,
}

impl Transforms {
    pub(super) fn new(resources: &Resources) -> Transforms {
        let policies = resources.all::<TransformPolicy>();
        Transforms {
            attached: Attached::new::<TransformPolicy>(resources),
            compiled: policies
                .map(|policy| (policy.resource.key.clone(), compile(policy.resource, policy.content)))
                .collect(),
        }
    }

    /// What policies for a target change, the nearest last.
    pub(super) fn at(&self, target: &Target, section: Option<&str>) -> Vec<Option<Arc<Transform>>> {
        let held = self.attached.held(target, section);
        let mut found: Vec<_> =
            held.map(|held| self.compiled.get(&held.resource.key)?.as_ref().ok().cloned()).collect();
        found.reverse();
        found
    }

    /// Everything that is changed about the messages of a rule.
    pub(super) fn of_rule(
        &self,
        (target, section): (&Target, Option<&str>),
        gateway: Option<&Changes>,
        lowered: Option<&LoweredRule>,
    ) -> Option<Changes> {
        let mut all: Vec<_> = gateway.into_iter().flat_map(|changes| changes.iter().cloned()).collect();
        all.extend(self.at(target, section));
        all.extend(lowered.and_then(|lowered| lowered.shim.clone()).map(Some));
        super::some(all)
    }

    /// The same, with what is wrong with a policy.
    pub(super) fn judged(&self, policy: &Resource, mut status: PolicyStatus) -> PolicyStatus {
        let Some(Err(why)) = self.compiled.get(&policy.key) else { return status };
        let text = format!("{why}; its targets answer with 500");
        let wrong = Condition::no(ConditionType::Accepted, Reason::Invalid, text, policy.meta.generation);
        for ancestor in &mut status.ancestors {
            ancestor.conditions = vec![wrong.clone()];
        }
        status
    }
}

fn compile(resource: &Resource, policy: &TransformPolicy) -> Result<Arc<Transform>, Arc<str>> {
    let origin = format!("TransformPolicy {}", resource.key.place());
    let spec = &policy.spec;
    let changes =
        shim::Transform::compile(&origin, &spec.transform, spec.bodies).map_err(|wrong| told(&wrong))?;
    Ok(Arc::new(Transform { origin: origin.into(), base: "".into(), changes: Arc::new(changes) }))
}

/// Mistakes in one sentence.
pub(in crate::compile) fn told(wrong: &[apis::Problem]) -> Arc<str> {
    let all: Vec<String> =
        wrong
            .iter()
            .map(|one| {
                if one.pointer.is_empty() {
                    one.what.clone()
                } else {
                    format!("{}: {}", one.pointer, one.what)
                }
            })
            .collect();
    all.join("; ").into()
}
