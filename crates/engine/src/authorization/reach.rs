//! What a caller may do at all, for those who ask about people and not about one request.
//!
//! A rule that allows some requests lets its callers in as far as it goes; a rule that denies some leaves the others.
//! So the answer is one of three, and the rules that made it.

use std::sync::Arc;

use model::kinds::authorization_policy::PolicyAction;

use super::{Asked, Authorization, Decision, DefaultAction, Destination, Policy, PolicySet, Source};

/// What a caller may do.
#[derive(Clone, Debug)]
pub struct Reach<'a> {
    /// How much.
    pub extent: Extent,
    /// The rules that let it in, or that shut it out.
    pub by: Vec<Decision<'a>>,
}

/// How much a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Nothing passes.
    Nothing,
    /// Some requests pass, as the rules say.
    Some,
    /// Everything passes.
    Everything,
}

impl Authorization {
    /// What a caller may do here. Conditions count as demands on requests: they limit.
    #[must_use]
    pub fn reach(&self, source: &Source<'_>) -> Reach<'_> {
        let of_sets = self.sets.iter().map(|set| set.reach(source));
        of_sets
            .reduce(|one, other| if other.extent < one.extent { other } else { one })
            .unwrap_or(Reach { extent: Extent::Everything, by: Vec::new() })
    }

    /// Whether something that a caller asks might pass here, from whatever address it comes. No is certain.
    #[must_use]
    pub fn might_admit(&self, source: &Source<'_>) -> bool {
        self.sets.iter().all(|set| set.might_admit(source))
    }
}

impl PolicySet {
    fn reach(&self, source: &Source<'_>) -> Reach<'_> {
        let destination = Destination::default();
        let asked = Asked::<&[(String, String)]> { source, destination: &destination, request: None };
        let mut denied = Vec::new();
        let mut allowed = Vec::new();
        let mut everything = false;
        for policy in &self.policies {
            for rule in policy.rules() {
                let decision = Decision { policy, rule: Some(rule), fault: None };
                match policy.action {
                    PolicyAction::Deny if rule.concerns(&asked, true) && rule.is_unlimited() => {
                        return Reach { extent: Extent::Nothing, by: vec![decision] };
                    }
                    PolicyAction::Deny if rule.concerns(&asked, true) => denied.push(decision),
                    PolicyAction::Allow if rule.concerns(&asked, false) => {
                        everything |= rule.is_unlimited();
                        allowed.push(decision);
                    }
                    PolicyAction::Deny | PolicyAction::Allow | PolicyAction::Audit => {}
                }
            }
        }
        let first_allow = self.policies[self.denies..].first().filter(|_| self.allows > 0);
        let extent = match (first_allow, self.default) {
            (None, DefaultAction::Deny) => Extent::Nothing,
            (None, DefaultAction::Allow) if denied.is_empty() => Extent::Everything,
            (None, DefaultAction::Allow) => Extent::Some,
            (Some(_), _) if allowed.is_empty() => Extent::Nothing,
            (Some(_), _) if everything && denied.is_empty() => Extent::Everything,
            (Some(_), _) => Extent::Some,
        };
        if let (Extent::Nothing, Some(policy)) = (extent, first_allow) {
            allowed.push(Decision { policy, rule: None, fault: None });
        }
        allowed.extend(denied);
        Reach { extent, by: allowed }
    }

    fn might_admit(&self, source: &Source<'_>) -> bool {
        let (denies, rest) = self.policies.split_at(self.denies);
        let shut = |policy: &Arc<Policy>| policy.rules().iter().any(|rule| rule.shuts_out(source));
        if denies.iter().any(shut) {
            return false;
        }
        match &rest[..self.allows] {
            [] => self.default == DefaultAction::Allow,
            allows => allows.iter().any(|policy| policy.rules().iter().any(|rule| rule.might_let_in(source))),
        }
    }
}
