//! What became of the parts of APIs: whether revisions can be read, and whether what names versions and operations
//! names any.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::kinds::plan::PlanState;
use model::kinds::{ApiBinding, ApiProduct, ApiRevision, ApiVersion, Plan};
use model::resources::Typed;
use model::{Resource, Resources, suggest};

use super::{ApiBook, offers};
use crate::status::{Condition, ConditionType, ObjectStatus, PlainStatus, Reason};

/// Mistakes of a description that a condition tells; the rest are counted.
const MISTAKES_TOLD_MAX: usize = 20;

/// The statuses of all revisions, bindings, products and plans.
pub(super) fn all(book: &mut ApiBook, resources: &Resources) -> Vec<(Arc<Resource>, ObjectStatus)> {
    let mut found: Vec<(Arc<Resource>, ObjectStatus)> = Vec::new();
    for revision in resources.all::<ApiRevision>() {
        found.push((revision.resource.clone(), plain(vec![of_revision(book, revision.resource)])));
    }
    for binding in resources.all::<ApiBinding>() {
        let version = &binding.content.spec.version;
        let operations = binding.content.spec.operations.iter().flat_map(|one| &one.operations);
        let mut conditions =
            vec![named(book, binding.resource, [(version, operations.collect())], resources)];
        conditions.extend(is_second(book, binding.resource, version, resources));
        found.push((binding.resource.clone(), plain(conditions)));
    }
    for product in resources.all::<ApiProduct>() {
        let apis =
            product.content.spec.apis.iter().map(|api| (&api.version, api.operations.iter().collect()));
        let mut conditions = vec![named(book, product.resource, apis, resources)];
        if book.offers.is_closed(product.resource) {
            let condition =
                Condition::yes(ConditionType::Accepted, Reason::Accepted, product.resource.meta.generation);
            conditions.push(condition.saying("no Plan of it holds, so nobody may ask for its operations"));
        }
        found.push((product.resource.clone(), plain(conditions)));
    }
    for plan in resources.all::<Plan>() {
        found.push((plan.resource.clone(), plain(of_plan(plan, resources))));
    }
    found
}

fn plain(conditions: Vec<Condition>) -> ObjectStatus {
    ObjectStatus::Plain(PlainStatus { conditions })
}

fn of_revision(book: &mut ApiBook, revision: &Arc<Resource>) -> Condition {
    let generation = revision.meta.generation;
    match book.descriptions.read(revision) {
        Ok(described) => Condition::yes(ConditionType::Accepted, Reason::Accepted, generation)
            .saying(format!("{} operations", described.operations.len())),
        Err(problems) => {
            let mut told: Vec<String> =
                problems.iter().take(MISTAKES_TOLD_MAX).map(|one| one.to_string()).collect();
            if problems.len() > MISTAKES_TOLD_MAX {
                told.push(format!("  and {} more", problems.len() - MISTAKES_TOLD_MAX));
            }
            Condition::no(ConditionType::Accepted, Reason::Invalid, told.join("\n"), generation)
        }
    }
}

/// Whether versions exist and have the operations that are named of them.
fn named<'n>(
    book: &ApiBook,
    resource: &Resource,
    all: impl IntoIterator<Item = (&'n Arc<str>, Vec<&'n Arc<str>>)>,
    resources: &Resources,
) -> Condition {
    let mut wrong = Vec::new();
    for (version, operations) in all {
        let Some(found) = resources.find::<ApiVersion>(resource.namespace(), version) else {
            wrong.push(format!("there is no APIVersion `{version}`"));
            continue;
        };
        let Some(described) = book.operations(found.resource) else { continue };
        for operation in operations.into_iter().filter(|operation| !described.has(operation)) {
            let hint = suggest::did_you_mean(operation, described.keys());
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            wrong.push(format!("APIVersion `{version}` has no operation `{operation}`{hint}"));
        }
    }
    let generation = resource.meta.generation;
    match wrong.is_empty() {
        true => Condition::yes(ConditionType::ResolvedRefs, Reason::ResolvedRefs, generation),
        false => {
            Condition::no(ConditionType::ResolvedRefs, Reason::TargetNotFound, wrong.join("; "), generation)
        }
    }
}

/// Of several bindings of one version the oldest holds.
fn is_second(
    book: &ApiBook,
    binding: &Arc<Resource>,
    version: &str,
    resources: &Resources,
) -> Option<Condition> {
    let version = resources.find::<ApiVersion>(binding.namespace(), version)?;
    let first = book.versions.get(&version.resource.key)?.parts.bindings.first()?;
    if first.key == binding.key {
        return None;
    }
    let message = format!("the older APIBinding `{}` says what answers this version", first.key.name);
    let condition = Condition::yes(ConditionType::Conflicted, Reason::Conflicted, binding.meta.generation);
    Some(condition.saying(message))
}

/// [P2] Nobody who can have operations without a key would pay for them with one.
fn of_plan(plan: Typed<'_, Plan>, resources: &Resources) -> Vec<Condition> {
    let generation = plan.resource.meta.generation;
    let (namespace, spec) = (plan.resource.namespace(), &plan.content.spec);
    let Some(product) = resources.find::<ApiProduct>(namespace, &spec.product) else {
        let message = format!("there is no APIProduct `{}`", spec.product);
        return vec![Condition::no(ConditionType::ResolvedRefs, Reason::TargetNotFound, message, generation)];
    };
    let mut conditions = vec![Condition::yes(ConditionType::ResolvedRefs, Reason::ResolvedRefs, generation)];
    let problems = offers::problems(spec);
    if !problems.is_empty() {
        let message = format!("{}; the plan lets nobody in", problems.join("; "));
        conditions.push(Condition::no(ConditionType::Accepted, Reason::Invalid, message, generation));
    }
    let against: BTreeSet<String> = resources
        .within::<Plan>(namespace)
        .filter(|other| is_offered(other.content) && other.content.spec.is_keyless() != spec.is_keyless())
        .filter(|other| {
            let theirs = resources.find::<ApiProduct>(namespace, &other.content.spec.product);
            theirs.is_some_and(|theirs| shares(product.content, theirs.content))
        })
        .map(|other| format!("`{}`", other.resource.key.name))
        .collect();
    if is_offered(plan.content) && !against.is_empty() {
        let others = against.into_iter().collect::<Vec<_>>().join(", ");
        let message = match spec.is_keyless() {
            true => format!("it asks for no credential, and {others} for the same operations asks for one"),
            false => format!("it asks for a credential, and {others} for the same operations asks for none"),
        };
        let condition = Condition::yes(ConditionType::Conflicted, Reason::Conflicted, generation);
        conditions.push(condition.saying(message));
    }
    conditions
}

fn is_offered(plan: &Plan) -> bool {
    matches!(plan.spec.state, PlanState::Published | PlanState::Deprecated)
}

fn shares(left: &ApiProduct, right: &ApiProduct) -> bool {
    left.spec.apis.iter().any(|mine| {
        right.spec.apis.iter().filter(|theirs| theirs.version == mine.version).any(|theirs| {
            let all = mine.operations.is_empty() || theirs.operations.is_empty();
            all || mine.operations.iter().any(|operation| theirs.has(operation))
        })
    })
}
