//! Shims that carry traffic, with the operations on both of their sides.
//!
//! Whether a shim does all that it has to is shown by trying it, which takes milliseconds to a second: too long for who
//! compiles. So what is to be tried is named here, and somebody tries it where nobody waits.

use std::sync::Arc;

use apis::limits::SHIM_PROOF_MESSAGES_MAX;
use apis::shim::{Failed, Proof, Side, prove_within};
use model::kinds::shim::Shim;
use model::kinds::{ApiBinding, ApiVersion};
use model::{Resource, Resources};

use super::described::Described;
use super::{ApiBook, Version};
use crate::compile::resilience::told;
use crate::status::{Condition, ConditionStatus, ConditionType, Reason};

/// The shims of one binding.
#[derive(Clone, Debug)]
pub struct ShimInUse {
    /// The APIBinding in which they stand.
    pub binding: Arc<Resource>,
    old: Arc<Described>,
    parts: Vec<Part>,
}

/// One shim, and what it is between.
#[derive(Clone, Debug)]
struct Part {
    shim: Shim,
    /// Keys of the operations that pass it.
    operations: Vec<Arc<str>>,
    /// What its upstreams speak; nothing when nobody knows.
    new: Option<Arc<Described>>,
}

/// Every binding in force that has shims.
pub(super) fn all(book: &ApiBook, resources: &Resources) -> Arc<[ShimInUse]> {
    book.versions.values().filter_map(|version| of_version(version, book, resources)).collect()
}

fn of_version(version: &Version, book: &ApiBook, resources: &Resources) -> Option<ShimInUse> {
    let binding = version.parts.bindings.first()?;
    let spec = &binding.content::<ApiBinding>()?.spec;
    let shimmed = || spec.targets().filter_map(|target| Some((target, target.shim.as_ref()?)));
    shimmed().next()?;
    let old = version.good.as_ref()?.described.clone();
    let parts = shimmed().map(|(target, shim)| {
        let is_answered = |key: &&str| spec.target(key).is_some_and(|own| std::ptr::eq(own, target));
        let operations = old.keys().filter(is_answered).map(Arc::from).collect();
        let other = resources.find::<ApiVersion>(binding.namespace(), &shim.version);
        let new = other.and_then(|other| Some(book.described(other.resource)?.clone()));
        Part { shim: shim.clone(), operations, new }
    });
    let parts = parts.collect();
    Some(ShimInUse { binding: binding.clone(), old, parts })
}

impl ShimInUse {
    /// Whether both are the same question.
    #[must_use]
    pub fn is(&self, other: &ShimInUse) -> bool {
        let same = |mine: &Part, theirs: &Part| {
            let new = match (&mine.new, &theirs.new) {
                (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            new && mine.shim == theirs.shim && mine.operations == theirs.operations
        };
        self.binding.key == other.binding.key
            && Arc::ptr_eq(&self.old, &other.old)
            && self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(|(mine, theirs)| same(mine, theirs))
    }

    /// Tries them, as `selvedge api prove` does, within a bound of messages.
    #[must_use]
    pub fn prove(&self) -> Condition {
        let mut whole = Proof::default();
        for part in self.parts.iter().filter(|part| !part.operations.is_empty()) {
            let Some(new) = &part.new else {
                let version = &part.shim.version;
                let what = format!("there is no description of APIVersion `{version}` to prove it by");
                return self.condition(ConditionStatus::Unknown, Reason::TargetNotFound, what);
            };
            let left = SHIM_PROOF_MESSAGES_MAX.saturating_sub(whole.requests + whole.answers);
            let both = (&self.old.operations[..], &new.operations[..]);
            match prove_within(left, "shim", &part.shim, both, &part.operations) {
                Ok(proof) => add(&mut whole, proof),
                Err(wrong) => {
                    let what = told(&wrong).to_string();
                    return self.condition(ConditionStatus::False, Reason::Invalid, what);
                }
            }
        }
        let (requests, answers) = (whole.requests, whole.answers);
        let tried = format!("{requests} requests and {answers} answers");
        match whole.failed.first() {
            Some(first) => {
                let what = format!("{tried}: {} are not served; {}", whole.failures, sentence(first));
                self.condition(ConditionStatus::False, Reason::Refuted, what)
            }
            None if whole.is_cut => {
                let what = format!("{tried} are served; more were not tried, see `selvedge api prove`");
                self.condition(ConditionStatus::Unknown, Reason::Incomplete, what)
            }
            None => {
                let untried = match whole.untried.len() {
                    0 => String::new(),
                    count => format!("; {count} operations could not be tried"),
                };
                let what = format!("{tried}: all are served{untried}");
                self.condition(ConditionStatus::True, Reason::Proved, what)
            }
        }
    }

    fn condition(&self, status: ConditionStatus, reason: Reason, what: String) -> Condition {
        Condition::new(ConditionType::ShimProved, status, reason, what, self.binding.meta.generation)
    }
}

fn add(whole: &mut Proof, proof: Proof) {
    let Proof { requests, answers, failed, failures, untried, is_cut } = proof;
    whole.requests += requests;
    whole.answers += answers;
    whole.failures += failures;
    whole.failed.extend(failed);
    whole.untried.extend(untried);
    whole.is_cut |= is_cut;
}

/// A message that is not served, in one sentence.
fn sentence(failed: &Failed) -> String {
    let Failed { operation, side, case, sent, became, faults } = failed;
    let side = match side {
        Side::Request => "request",
        Side::Answer => "answer",
    };
    let became = if became.is_empty() { String::new() } else { format!(", became {became}") };
    let faults: Vec<String> = faults.iter().take(1).map(ToString::to_string).collect();
    format!("{operation}, {side} {case}: sent {sent}{became}: {}", faults.join("; "))
}
