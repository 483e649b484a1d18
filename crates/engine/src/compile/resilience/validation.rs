//! ValidationPolicy: what comes together for one rule.
//!
//! Whether and how a description is kept to is said by whoever is nearest to the rule: a policy for the rule, for its
//! route or version, for the Gateway. Bounds of bodies are not for one to say: the tightest of all hold, because nobody
//! may loosen what another has limited. A description that cannot be had lets nothing pass.

use std::collections::HashMap;
use std::sync::Arc;

use apis::check::Bounds;
use model::Resources;
use model::kinds::ApiRevision;
use model::kinds::validation_policy::{
    AnswerValidation as WrittenAnswers, BodyLimits, DescribedBy, RequestValidation, ValidationAction,
    ValidationPolicy, ValidationPolicySpec,
};

use super::super::apis::{ApiBook, LoweredRule};
use super::super::attached::{Attached, Held, Target};
use crate::config::{AnswerValidation, BodyBounds, Described, Validation};

const BODY_BYTES_MAX: u32 = 1 << 20;
const ANSWER_BYTES_MAX: u32 = 256 << 10;
const ANSWERS_PERCENT: u8 = 1;
const DEPTH_MAX: u32 = 32;
const KEYS_MAX: u32 = 1_000;
const ITEMS_MAX: u32 = 10_000;
const TEXT_BYTES_MAX: u32 = 64 << 10;
const VALUES_MAX: u32 = 100_000;

/// What one policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::compile) struct Said {
    policy: Arc<str>,
    spec: ValidationPolicySpec,
    described: Option<Result<Described, Arc<str>>>,
}

/// The descriptions that policies name: operations in the order in which they are asked, or why there are none.
pub(super) type Named = HashMap<(Arc<str>, Arc<str>), Result<Arc<[Arc<apis::Operation>]>, Arc<str>>>;

/// Reads what policies name.
pub(super) fn named(resources: &Resources, apis: &mut ApiBook) -> Named {
    let mut found = Named::new();
    for policy in resources.all::<ValidationPolicy>() {
        let Some(DescribedBy { revision, .. }) = &policy.content.spec.description else { continue };
        let namespace: Arc<str> = policy.resource.namespace().into();
        found
            .entry((namespace.clone(), revision.clone()))
            .or_insert_with(|| operations(&namespace, revision, resources, apis));
    }
    found
}

fn operations(
    namespace: &str,
    revision: &str,
    resources: &Resources,
    apis: &mut ApiBook,
) -> Result<Arc<[Arc<apis::Operation>]>, Arc<str>> {
    let Some(found) = resources.find::<ApiRevision>(namespace, revision) else {
        return Err(format!("there is no APIRevision `{namespace}/{revision}`").into());
    };
    let mut operations = apis.operations_of(found.resource).map_err(|mistakes| {
        Arc::from(format!("APIRevision `{namespace}/{revision}` cannot be read ({mistakes} mistakes)"))
    })?;
    operations.sort_by(|left, right| left.template.precedence(&right.template));
    Ok(operations.into())
}

/// What policies say at a target or a part of it, the nearest first.
pub(super) fn at(policies: &Attached, named: &Named, target: &Target, section: Option<&str>) -> Vec<Said> {
    policies.held(target, section).filter_map(|held| said(&held, named)).collect()
}

fn said(held: &Held<'_>, named: &Named) -> Option<Said> {
    let spec = &held.resource.content::<ValidationPolicy>()?.spec;
    Some(Said {
        policy: held.resource.key.place().into(),
        spec: spec.clone(),
        described: spec.description.as_ref().map(|by| described(by, held.resource.namespace(), named)),
    })
}

/// What a policy names as the description.
pub(super) fn described(by: &DescribedBy, namespace: &str, named: &Named) -> Result<Described, Arc<str>> {
    let base = by.base_path.as_deref().unwrap_or("").trim_end_matches('/').into();
    match named.get(&(namespace.into(), by.revision.clone())) {
        Some(Ok(operations)) => Ok(Described::Operations { operations: operations.clone(), base }),
        Some(Err(why)) => Err(why.clone()),
        None => Err(format!("there is no APIRevision `{namespace}/{}`", by.revision).into()),
    }
}

/// What holds for a rule; `None` when nothing is asked of it. Rules of an API that carry no operation answer by
/// themselves, and nothing passes there.
pub(super) fn of_rule(said: &[Said], lowered: Option<&LoweredRule>) -> Option<Arc<Validation>> {
    match lowered {
        Some(rule) => described_by(said, Some(rule.described()?)),
        None => described_by(said, None),
    }
}

/// What holds where `own` is described, or where nothing but policies says what is.
pub(super) fn described_by(said: &[Said], own: Option<Described>) -> Option<Arc<Validation>> {
    if said.is_empty() {
        return None;
    }
    let described = own.map(Ok).or_else(|| said.iter().find_map(|one| one.described.clone()));
    let (described, broken) = match described {
        None => (None, None),
        Some(Ok(described)) => (Some(described), None),
        Some(Err(why)) => (None, Some(why)),
    };
    // A policy for a Gateway judges by descriptions where there are some.
    let is_judged = described.is_some();
    let requests = said.iter().find_map(|one| one.spec.requests).filter(|_| is_judged);
    let answers = said.iter().find_map(|one| one.spec.answers).filter(|_| is_judged);
    let limits: Vec<BodyLimits> = said.iter().filter_map(|one| one.spec.limits).collect();
    let names: Vec<&str> = said.iter().map(|one| &*one.policy).collect();
    Some(Arc::new(Validation {
        policies: names.join(", ").into(),
        requests: requests.map(|RequestValidation { action }| action.unwrap_or(ValidationAction::Refuse)),
        answers: answers.map(answers_of),
        bodies: (requests.is_some() || !limits.is_empty()).then(|| bounds(&limits)),
        described,
        broken,
    }))
}

fn answers_of(written: WrittenAnswers) -> AnswerValidation {
    let WrittenAnswers { action, percent, body_bytes_max } = written;
    let action = action.unwrap_or(ValidationAction::Report);
    AnswerValidation {
        action,
        percent: match action {
            ValidationAction::Refuse => 100,
            ValidationAction::Report => percent.unwrap_or(ANSWERS_PERCENT),
        },
        body_bytes_max: body_bytes_max.unwrap_or(ANSWER_BYTES_MAX) as usize,
    }
}

/// The tightest of all.
fn bounds(limits: &[BodyLimits]) -> BodyBounds {
    let least = |default: u32, of: fn(&BodyLimits) -> Option<u32>| {
        limits.iter().map(|limits| of(limits).unwrap_or(default)).min().unwrap_or(default)
    };
    BodyBounds {
        bytes_max: least(BODY_BYTES_MAX, |limits| limits.body_bytes_max) as usize,
        of_every_type: !limits.is_empty(),
        json: Bounds {
            depth: least(DEPTH_MAX, |limits| limits.depth_max),
            keys: least(KEYS_MAX, |limits| limits.keys_max),
            items: least(ITEMS_MAX, |limits| limits.items_max),
            text_bytes: least(TEXT_BYTES_MAX, |limits| limits.text_bytes_max),
            values: least(VALUES_MAX, |limits| limits.values_max),
        },
    }
}
