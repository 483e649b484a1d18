//! Operations of products as they come in to their provider.
//!
//! Whoever calls a Service is routed by the proxy beside itself, so what comes in here is what the application
//! understands: an operation without what stands before its path. What a product asks of callers is asked here, by the
//! proxy beside the provider, because nobody gets around that one; and so is what a ValidationPolicy asks of requests
//! and answers of an operation. Whatever no product has, and nobody judges, comes in as ever.

use std::sync::Arc;

use super::Ways;
use super::inbound::Parts;
use crate::compile::apis::Lowered;
use crate::compile::protection::Guard;
use crate::compile::rules::{self, RuleKey};
use crate::config::{Action, AddressRule, Origin, RateLimit, Rule, RuleSlot, Timeouts, Validation};
use crate::matching::{Entry, HostPattern};

/// An operation that leads here.
#[derive(Clone, Debug)]
pub(super) struct Product {
    version: Arc<Lowered>,
    /// Position of its rule.
    at: usize,
    slot: RuleSlot,
    guard: Guard,
    validation: Option<Arc<Validation>>,
}

impl Product {
    /// Whether both are the same operation with the same demands.
    pub(super) fn is(&self, other: &Product) -> bool {
        let Product { version, at, slot, guard, validation } = self;
        Arc::ptr_eq(version, &other.version)
            && *at == other.at
            && *slot == other.slot
            && *guard == other.guard
            && *validation == other.validation
    }

    /// Its entries in a table, with from where and how often callers may ask, and what becomes of requests.
    pub(super) fn entries(
        &self,
        (addresses, rates): (Option<&Arc<[AddressRule]>>, Option<&Arc<[RateLimit]>>),
        action: impl Fn() -> Action,
    ) -> Vec<Entry> {
        let Some((lowered, rule)) = self.version.rule(self.at) else { return Vec::new() };
        let Some(path) = &lowered.behind else { return Vec::new() };
        let place: Arc<str> = self.version.version.key.place().into();
        let position = u16::try_from(self.at).unwrap_or(u16::MAX);
        let entry = |(matched, wanted): (u16, _)| {
            let (mut requirements, unreadable) = rules::requirements(wanted);
            if let Some(method) = &lowered.behind_method {
                requirements.method = Some(method.clone());
            }
            // A demand that nobody can read is nobody's way around what is asked.
            let action = match unreadable {
                None => action(),
                Some(_) => Action::Refuse { status: 500, reason: "invalid_match" },
            };
            let name = rule.name.clone();
            let origin = Origin { kind: "APIVersion", route: place.clone(), rule: position, matched, name };
            let rule = Rule {
                slot: self.slot,
                origin,
                filters: Vec::new(),
                action,
                timeouts: Timeouts::default(),
                retry: None,
                fault: None,
                addresses: addresses.cloned(),
                rates: rates.cloned(),
                validation: self.validation.clone(),
                authentication: self.guard.authentication.clone(),
                authorizers: self.guard.authorizers.to_rule(),
                authorization: self.guard.authorization.clone(),
                access: self.guard.access.clone(),
                transforms: None,
                operation: lowered.operation.clone(),
            };
            Entry {
                hostname: HostPattern::Any,
                path: path.clone(),
                requirements,
                seniority: Arc::new(rules::seniority(&self.version.version, &place, (position, matched))),
                rule: Arc::new(rule),
            }
        };
        (0..).zip(&rule.matches).map(entry).collect()
    }
}

/// The operations of products, and those that are judged, that lead to ports of Services of a namespace. `label` tells
/// their rules from those of other ways in.
pub(super) fn leading_to(
    namespace: &Arc<str>,
    services: &[(Arc<str>, u16)],
    (label, guard): (&str, &Guard),
    ways: &mut Ways<'_>,
) -> Vec<Product> {
    let mut found = Vec::new();
    let parts = Parts::of(namespace, services, ways.resources);
    for (version, at) in ways.apis.leading_behind(namespace, services) {
        let Some((lowered, rule)) = version.rule(at) else { continue };
        let validation =
            ways.resilience.validation_behind(&version.version.key, (rule, lowered), parts.all());
        if lowered.access.is_none() && validation.is_none() {
            continue;
        }
        let unique = format!("{label} as {}", version.version.key.place());
        let key = rule.name.clone().map_or(RuleKey::At(0), RuleKey::Named);
        found.push(Product {
            version: version.clone(),
            at,
            slot: RuleSlot(ways.slots.of((unique.into(), key))),
            guard: guard.clone().admitting(lowered.access.as_ref(), ways.apis.usual_credentials()),
            validation,
        });
    }
    found
}
