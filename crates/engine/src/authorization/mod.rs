//! Who may do what: the policies of a place, merged into one value that answers for it.
//!
//! Everything is asked in one order: what a Deny matches is refused; else, where Allow policies apply, one of them
//! must match; else the mesh's default decides. Audit policies are told and decide nothing. Gateways, sidecars,
//! `explain` and `selvedge authz` ask here, so they cannot answer differently.
//!
//! Evaluating is pure and allocates nothing, but for conditions and for what an Audit policy has to tell.

mod condition;
mod demand;
mod glob;
mod policy;
mod reach;

use std::net::IpAddr;
use std::sync::Arc;

use model::kinds::authorization_policy::PolicyAction;
use model::spiffe::SpiffeId;

pub use policy::{Policy, PolicyRule, PolicySlot};
pub use reach::{Extent, Reach};

use crate::request::{HeaderView, RequestView};

/// Who asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    /// The client's address, as far as trusted proxies vouch for it; `None` when they said something unreadable.
    pub address: Option<IpAddr>,
    /// Its identity, verified.
    pub identity: Option<&'a SpiffeId>,
    /// The replica: `namespace/workload`.
    pub replica: Option<&'a str>,
    /// Who it was found to be by an AuthenticationPolicy.
    pub principal: Option<&'a str>,
    /// What its token claims.
    pub claims: Option<&'a serde_json::Map<String, serde_json::Value>>,
}

/// What is asked, as far as a connection tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Destination<'a> {
    /// The port.
    pub port: u16,
    /// Server name of the handshake in lower case, if there was one.
    pub server_name: Option<&'a str>,
}

/// Everything that a decision is made from.
#[derive(Debug)]
pub(crate) struct Asked<'a, H> {
    pub(crate) source: &'a Source<'a>,
    pub(crate) destination: &'a Destination<'a>,
    /// `None` for a connection that carries bytes.
    pub(crate) request: Option<&'a RequestView<'a, H>>,
}

/// What may pass one place.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorization {
    /// All of them must agree. There is one, but where the backends of a rule are protected differently.
    sets: Box<[PolicySet]>,
}

/// Policies that decide together.
#[derive(Clone, Debug)]
pub struct PolicySet {
    /// Deny, then Allow, then Audit.
    policies: Box<[Arc<Policy>]>,
    denies: usize,
    allows: usize,
    /// What becomes of what no policy speaks of.
    default: DefaultAction,
}

/// What becomes of requests that no policy speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DefaultAction {
    /// They pass.
    #[default]
    Allow,
    /// They are refused.
    Deny,
}

/// Why a condition could not be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It asks for something that this request does not have.
    Absent,
    /// A value it asks for is no text.
    NotText,
    /// It divides by zero, overflows, or reads a number where there is none.
    Failed,
}

impl Fault {
    /// Stable word for logs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Fault::Absent => "absent_value",
            Fault::NotText => "not_text",
            Fault::Failed => "failed",
        }
    }
}

/// What a policy said.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The rule; `None` when it is the lack of a rule that decided.
    pub rule: Option<&'a PolicyRule>,
    /// Set when the rule's condition could not be evaluated.
    pub fault: Option<Fault>,
}

impl Decision<'_> {
    /// Where it is counted.
    #[must_use]
    pub fn slot(&self) -> PolicySlot {
        self.rule.map_or(self.policy.slot, |rule| rule.slot)
    }
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    /// Whether it may pass.
    pub allowed: bool,
    /// What decided; `None` when nothing but the default did.
    pub by: Option<Decision<'a>>,
    /// Audit policies that matched.
    pub audits: Vec<Decision<'a>>,
    /// Whether something that is open already is to be ended by this.
    pub enforced: bool,
}

impl Authorization {
    /// The merged value of some sets; `None` when nothing is asked.
    pub(crate) fn new(sets: Vec<PolicySet>) -> Option<Authorization> {
        let mut sets: Vec<PolicySet> = sets.into_iter().filter(|set| !set.is_idle()).collect();
        let mut distinct: Vec<PolicySet> = Vec::new();
        for set in sets.drain(..) {
            if !distinct.contains(&set) {
                distinct.push(set);
            }
        }
        (!distinct.is_empty()).then(|| Authorization { sets: distinct.into() })
    }

    /// Whether a request may pass.
    #[inline]
    #[must_use]
    pub fn request<H: HeaderView>(
        &self,
        source: &Source<'_>,
        destination: &Destination<'_>,
        request: &RequestView<'_, H>,
    ) -> Verdict<'_> {
        self.judge(&Asked { source, destination, request: Some(request) })
    }

    /// Whether a connection that carries bytes may pass. What a rule demands of requests is met there by nothing for an
    /// Allow, and by everything for a Deny.
    #[must_use]
    pub fn connection(&self, source: &Source<'_>, destination: &Destination<'_>) -> Verdict<'_> {
        self.judge(&Asked::<&[(String, String)]> { source, destination, request: None })
    }

    fn judge<H: HeaderView>(&self, asked: &Asked<'_, H>) -> Verdict<'_> {
        let mut verdict = Verdict { allowed: true, by: None, audits: Vec::new(), enforced: false };
        for set in &self.sets {
            if verdict.allowed {
                set.judge(asked, &mut verdict);
            }
            set.audit(asked, &mut verdict.audits);
        }
        verdict
    }

    /// What makes it this value and no other, as long as its policies live.
    pub(crate) fn identity(&self) -> Vec<Vec<usize>> {
        let of_set =
            |set: &PolicySet| set.policies.iter().map(|policy| Arc::as_ptr(policy) as usize).collect();
        self.sets.iter().map(of_set).collect()
    }

    /// Whether some policy looks at the client's address.
    #[must_use]
    pub fn asks_address(&self) -> bool {
        self.policies().any(|policy| policy.asks_address())
    }

    /// Every policy; one that stands in several sets is told as often.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.sets.iter().flat_map(|set| &set.policies)
    }

    /// What becomes of what no policy speaks of.
    #[must_use]
    pub fn default_action(&self) -> DefaultAction {
        self.sets.first().map_or(DefaultAction::Allow, |set| set.default)
    }
}

impl PolicySet {
    /// A set. Policies are asked in the order of their names within an action.
    pub(crate) fn new(policies: &[&Arc<Policy>], default: DefaultAction) -> PolicySet {
        let mut sorted: Vec<Arc<Policy>> = policies.iter().map(|policy| Arc::clone(policy)).collect();
        let rank = |policy: &Policy| match policy.action {
            PolicyAction::Deny => 0,
            PolicyAction::Allow => 1,
            PolicyAction::Audit => 2,
        };
        sorted.sort_by(|left, right| (rank(left), &left.name).cmp(&(rank(right), &right.name)));
        sorted.dedup_by(|left, right| Arc::ptr_eq(left, right));
        let count = |action| sorted.iter().filter(|policy| policy.action == action).count();
        let (denies, allows) = (count(PolicyAction::Deny), count(PolicyAction::Allow));
        PolicySet { policies: sorted.into(), denies, allows, default }
    }

    fn is_idle(&self) -> bool {
        self.policies.is_empty() && self.default == DefaultAction::Allow
    }

    fn judge<'s, H: HeaderView>(&'s self, asked: &Asked<'_, H>, verdict: &mut Verdict<'s>) {
        let (denies, rest) = self.policies.split_at(self.denies);
        let allows = &rest[..self.allows];
        for policy in denies {
            let found = policy.find(asked);
            if let Some(rule) = found.rule {
                let fault = found.fault.map(|(_, fault)| fault);
                return verdict.refuse(decision(policy, Some(rule), fault), policy.enforces);
            }
        }
        let Some(first) = allows.first() else {
            // What was allowed by a set before is decided by this one as well, so its rule stays the one to tell.
            verdict.allowed = self.default == DefaultAction::Allow;
            if !verdict.allowed {
                verdict.by = None;
            }
            return;
        };
        let mut faulty = None;
        for policy in allows {
            let found = policy.find(asked);
            if let Some(rule) = found.rule {
                verdict.by = Some(decision(policy, Some(rule), None));
                return;
            }
            faulty = faulty.or(found.fault.map(|(rule, fault)| decision(policy, Some(rule), Some(fault))));
        }
        let enforced = allows.iter().any(|policy| policy.enforces);
        verdict.refuse(faulty.unwrap_or_else(|| decision(first, None, None)), enforced);
    }

    fn audit<'s, H: HeaderView>(&'s self, asked: &Asked<'_, H>, audits: &mut Vec<Decision<'s>>) {
        for policy in &self.policies[self.denies + self.allows..] {
            let told = audits.iter().any(|known| std::ptr::eq(known.policy, &**policy));
            let found = if told { policy::Found::default() } else { policy.find(asked) };
            if let Some(rule) = found.rule {
                audits.push(decision(policy, Some(rule), found.fault.map(|(_, fault)| fault)));
            }
        }
    }
}

impl<'a> Verdict<'a> {
    fn refuse(&mut self, by: Decision<'a>, enforced: bool) {
        self.allowed = false;
        self.by = Some(by);
        self.enforced = enforced;
    }
}

fn decision(policy: &Policy, rule: Option<u16>, fault: Option<Fault>) -> Decision<'_> {
    Decision { policy, rule: rule.and_then(|rule| policy.rules().get(usize::from(rule))), fault }
}

/// Sets are equal when they hold the very same policies.
impl PartialEq for PolicySet {
    fn eq(&self, other: &Self) -> bool {
        self.default == other.default
            && self.policies.len() == other.policies.len()
            && self.policies.iter().zip(&other.policies).all(|(mine, theirs)| Arc::ptr_eq(mine, theirs))
    }
}

impl Eq for PolicySet {}
