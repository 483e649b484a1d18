//! One AuthorizationPolicy, compiled.

use std::sync::Arc;

use model::Resource;
use model::kinds::authorization_policy::{AuthorizationPolicySpec, Live, PolicyAction};

use super::demand::{Around, Demands, Doubt};
use super::{Asked, Fault, Source};
use crate::request::HeaderView;

/// Stable index of what a policy decided, for counters. Slot 0 is the default action's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicySlot(pub u32);

/// A policy.
#[derive(Debug)]
pub struct Policy {
    /// `namespace/name`.
    pub name: Arc<str>,
    /// What becomes of requests that a rule matches.
    pub action: PolicyAction,
    /// Whether a change ends what it now forbids.
    pub enforces: bool,
    /// Counts decisions that no rule made: nothing was allowed.
    pub slot: PolicySlot,
    pub(super) rules: Box<[PolicyRule]>,
    asks_address: bool,
}

/// One rule of a policy.
#[derive(Debug)]
pub struct PolicyRule {
    /// Its name, or its position.
    pub name: Arc<str>,
    /// Counts its decisions.
    pub slot: PolicySlot,
    demands: Demands,
}

impl Policy {
    /// Compiles a policy. `slot` gives out numbers by the name of a rule; `None` is the policy itself.
    pub(crate) fn new(
        resource: &Resource,
        spec: &AuthorizationPolicySpec,
        trust_domain: Option<&Arc<str>>,
        mut slot: impl FnMut(Option<&Arc<str>>) -> PolicySlot,
    ) -> Policy {
        let AuthorizationPolicySpec { target_refs: _, action, live, rules } = spec;
        let around = Around { namespace: resource.namespace(), trust_domain };
        let rules = rules.iter().enumerate().map(|(position, rule)| {
            let name = rule.name.clone().unwrap_or_else(|| position.to_string().into());
            PolicyRule { slot: slot(Some(&name)), name, demands: Demands::new(rule, around) }
        });
        let rules: Box<[PolicyRule]> = rules.collect();
        Policy {
            name: resource.key.place().into(),
            action: *action,
            enforces: *live == Live::Enforce,
            slot: slot(None),
            asks_address: rules.iter().any(|rule| rule.demands.ask_address()),
            rules,
        }
    }

    /// Its rules in the order written.
    pub fn rules(&self) -> &[PolicyRule] {
        &self.rules
    }

    /// Whether it looks at the client's address.
    #[must_use]
    pub fn asks_address(&self) -> bool {
        self.asks_address
    }

    /// The first rule that matches, and the first one whose condition could not be evaluated. For a policy that
    /// denies they are the same: it matches.
    #[inline]
    pub(super) fn find<H: HeaderView>(&self, asked: &Asked<'_, H>) -> Found {
        let doubt = match self.action {
            PolicyAction::Allow => Doubt::Fails,
            PolicyAction::Deny | PolicyAction::Audit => Doubt::Holds,
        };
        let mut found = Found::default();
        for (position, rule) in (0_u16..).zip(&self.rules) {
            match rule.demands.met(asked, doubt) {
                Ok(false) => {}
                Ok(true) => return Found { rule: Some(position), fault: None },
                Err(fault) if doubt.holds() => {
                    return Found { rule: Some(position), fault: Some((position, fault)) };
                }
                Err(fault) => drop(found.fault.get_or_insert((position, fault))),
            }
        }
        found
    }
}

impl PolicyRule {
    /// Whether it speaks of a caller, whatever is asked.
    pub(super) fn concerns<H>(&self, asked: &Asked<'_, H>, denies: bool) -> bool {
        self.demands.concern(asked.source, if denies { Doubt::Holds } else { Doubt::Fails })
    }

    /// Whether it speaks of everything that its callers ask.
    pub(super) fn is_unlimited(&self) -> bool {
        self.demands.are_of_callers_only()
    }

    /// Whether it means everything that a caller asks, from every address.
    pub(super) fn shuts_out(&self, source: &Source<'_>) -> bool {
        self.is_unlimited() && self.demands.concern_from_anywhere(source, Doubt::Holds)
    }

    /// Whether it means something that a caller could ask from some address.
    pub(super) fn might_let_in(&self, source: &Source<'_>) -> bool {
        self.demands.concern_from_anywhere(source, Doubt::Fails)
    }

    /// Identities that it names letter by letter.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.demands.named()
    }
}

/// What a policy makes of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) rule: Option<u16>,
    pub(super) fault: Option<(u16, Fault)>,
}
