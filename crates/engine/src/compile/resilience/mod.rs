//! ResiliencePolicy, FaultPolicy and RateLimitPolicy: who says what, and what comes of it for a rule and for a cluster.
//!
//! The caller's side (timeouts, retries, faults) is put together for each rule: the rule's own words in its route, then
//! a policy for the rule, for the route, for the Gateway, for the mesh, field by field. The destination's side is put
//! together for each cluster: a policy for the port, for the Service or Backend, for the mesh. Where the caller's side
//! is silent about a whole part, what the destination says of it holds. Limits of rates are not put together: all of
//! them hold, because nobody may loosen what another has limited.

mod merge;
mod rates;
mod request;
mod upstream;

use std::collections::HashSet;
use std::sync::Arc;

use model::kinds::backend_tls_policy::PolicyTargetRef;
use model::kinds::fault_policy::FaultPolicy;
use model::kinds::http_route::HttpRule;
use model::kinds::rate_limit_policy::RateLimitPolicy;
use model::kinds::resilience_policy::{ResiliencePolicy, ResiliencePolicySpec};
use model::{Resource, Resources};

use super::attached::{self, Attached, Policy, Target, TargetKind};
use super::changes::Change;
use super::references::Destination;
use crate::config::{Fault, RateLimit, Resilience, Retry, Timeouts};
use crate::status::ObjectStatus;

pub(super) use upstream::Part;

impl Policy for ResiliencePolicy {
    fn target_refs(&self) -> &[PolicyTargetRef] {
        &self.spec.target_refs
    }
}

impl Policy for FaultPolicy {
    fn target_refs(&self) -> &[PolicyTargetRef] {
        &self.spec.target_refs
    }
}

impl Policy for RateLimitPolicy {
    fn target_refs(&self) -> &[PolicyTargetRef] {
        &self.spec.target_refs
    }

    fn is_idle_at(target: &Target, resources: &Resources) -> Option<String> {
        attached::without_sidecars(target, resources)
    }
}

/// All policies of these kinds.
#[derive(Debug, Default)]
pub(super) struct ResilienceBook {
    resilience: Attached,
    faults: Attached,
    rates: Attached,
}

/// What a Gateway says about every request that comes in by it. Equal ones make equal rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GatewaySide {
    resilience: Option<Arc<ResiliencePolicySpec>>,
    fault: Option<Arc<Fault>>,
    rates: Option<Arc<[RateLimit]>>,
}

/// What holds for the requests of one rule.
#[derive(Debug, Default)]
pub(super) struct RuleSide {
    pub(super) timeouts: Timeouts,
    pub(super) retry: Option<Arc<Retry>>,
    pub(super) fault: Option<Arc<Fault>>,
    pub(super) rates: Option<Arc<[RateLimit]>>,
}

/// What changed policies are about.
#[derive(Debug, Default)]
pub(super) struct Concerned {
    /// Namespace and name.
    pub(super) routes: HashSet<(Arc<str>, Arc<str>)>,
    pub(super) destinations: HashSet<Destination>,
    pub(super) gateways: bool,
    /// Everything.
    pub(super) meshes: bool,
}

impl Concerned {
    /// Takes in changes of one kind of policy.
    pub(super) fn note<P: Policy>(&mut self, changes: &[Change]) {
        let sides = changes.iter().flat_map(Change::sides);
        for Target { kind, namespace, name } in sides.flat_map(|side| attached::targets::<P>(side)) {
            match kind {
                TargetKind::Gateway => self.gateways = true,
                TargetKind::Route => drop(self.routes.insert((namespace, name))),
                TargetKind::Service => {
                    self.destinations.insert(Destination { service: true, namespace, name });
                }
                TargetKind::Backend => {
                    self.destinations.insert(Destination { service: false, namespace, name });
                }
                TargetKind::Mesh => {
                    self.gateways = true;
                    self.meshes = true;
                }
            }
        }
    }
}

impl ResilienceBook {
    pub(super) fn new(resources: &Resources) -> ResilienceBook {
        ResilienceBook {
            resilience: Attached::new::<ResiliencePolicy>(resources),
            faults: Attached::new::<FaultPolicy>(resources),
            rates: Attached::new::<RateLimitPolicy>(resources),
        }
    }

    /// What a Gateway says.
    pub(super) fn gateway(&self, namespace: &Arc<str>, name: &Arc<str>) -> GatewaySide {
        let target = Target { kind: TargetKind::Gateway, namespace: namespace.clone(), name: name.clone() };
        let own = self.resilience.of::<ResiliencePolicy>(&target, None);
        let merged = merge::all(own.chain(self.resilience.of_meshes()).map(|policy| &policy.spec));
        let fault = self.faults.of::<FaultPolicy>(&target, None).next();
        GatewaySide {
            resilience: merged.map(Arc::new),
            fault: fault.map(|policy| Arc::new(request::fault(&policy.spec))),
            rates: some(rates::at(&self.rates, &target, None)),
        }
    }

    /// What holds for a rule, beside what stands in its cluster.
    pub(super) fn rule(&self, route: (&str, &str), rule: &HttpRule, gateway: &GatewaySide) -> RuleSide {
        let target = Target { kind: TargetKind::Route, namespace: route.0.into(), name: route.1.into() };
        let section = rule.name.as_deref();
        let own = rule.retry.as_ref().map(request::written);
        let policies = self.resilience.of::<ResiliencePolicy>(&target, section).map(|policy| &policy.spec);
        let levels = own.iter().chain(policies).chain(gateway.resilience.as_deref());
        let merged = merge::all(levels).unwrap_or_default();
        let fault = self.faults.of::<FaultPolicy>(&target, section).next();
        RuleSide {
            timeouts: request::timeouts(rule.timeouts).or(&request::bounds(merged.timeouts)),
            retry: merged.retries.as_ref().map(|retries| Arc::new(request::retry(retries))),
            fault: fault
                .map(|policy| Arc::new(request::fault(&policy.spec)))
                .or_else(|| gateway.fault.clone()),
            rates: self.rates(&target, section, gateway),
        }
    }

    /// Those of the rule and its route, and then those of the Gateway.
    fn rates(
        &self,
        target: &Target,
        section: Option<&str>,
        gateway: &GatewaySide,
    ) -> Option<Arc<[RateLimit]>> {
        let mut own = rates::at(&self.rates, target, section);
        if own.is_empty() {
            return gateway.rates.clone();
        }
        own.extend(gateway.rates.iter().flat_map(|limits| limits.iter().cloned()));
        some(own)
    }

    /// The limits of all of these ports of Services, for who comes in by a door that stands for them.
    pub(super) fn rates_of<'p>(&self, parts: impl Iterator<Item = Part<'p>>) -> Option<Arc<[RateLimit]>> {
        let mut all: Vec<RateLimit> = Vec::new();
        for (target, section) in parts.map(Part::target) {
            for limit in rates::at(&self.rates, &target, section) {
                // Two ports of a Service share what holds for all of it.
                if all.iter().all(|known| known.account != limit.account) {
                    all.push(limit);
                }
            }
        }
        some(all)
    }

    /// What holds for a destination.
    pub(super) fn cluster(&self, part: Part<'_>) -> Option<Arc<Resilience>> {
        let (target, section) = part.target();
        let own = self.resilience.of::<ResiliencePolicy>(&target, section);
        let merged = merge::all(own.chain(self.resilience.of_meshes()).map(|policy| &policy.spec));
        let fault = self.faults.of::<FaultPolicy>(&target, section).next();
        if merged.is_none() && fault.is_none() {
            return None;
        }
        let fault = fault.map(|policy| Arc::new(request::fault(&policy.spec)));
        Some(Arc::new(upstream::resilience(&merged.unwrap_or_default(), fault)))
    }

    /// What became of each policy.
    pub(super) fn statuses(
        &self,
        controller: &Arc<str>,
        resources: &Resources,
    ) -> Vec<(Arc<Resource>, ObjectStatus)> {
        let resilience = self.resilience.statuses::<ResiliencePolicy>(controller, resources);
        let faults = self.faults.statuses::<FaultPolicy>(controller, resources);
        let rates = self.rates.statuses::<RateLimitPolicy>(controller, resources);
        let all = resilience.chain(faults).chain(rates);
        all.map(|(resource, status)| (resource, ObjectStatus::Policy(status))).collect()
    }
}

fn some(limits: Vec<RateLimit>) -> Option<Arc<[RateLimit]>> {
    (!limits.is_empty()).then(|| limits.into())
}
