//! ResiliencePolicy, FaultPolicy, RateLimitPolicy, IpPolicy, CorsPolicy and ValidationPolicy: who says what, and what
//! comes of it for a rule and for a cluster.
//!
//! The caller's side (timeouts, retries, faults) is put together for each rule: the rule's own words in its route, then
//! a policy for the rule, for the route, for the Gateway, for the mesh, field by field. The destination's side is put
//! together for each cluster: a policy for the port, for the Service or Backend, for the mesh. Where the caller's side
//! is silent about a whole part, what the destination says of it holds. Limits of rates and addresses are not put
//! together: all of them hold, because nobody may loosen what another has limited. Of CorsPolicies the nearest holds.

mod addresses;
mod merge;
mod rates;
mod request;
mod transforms;
mod upstream;
mod validation;

use std::collections::HashSet;
use std::sync::Arc;

use model::kinds::backend_tls_policy::PolicyTargetRef;
use model::kinds::fault_policy::FaultPolicy;
use model::kinds::http_route::HttpRule;
use model::kinds::rate_limit_policy::RateLimitPolicy;
use model::kinds::resilience_policy::{ResiliencePolicy, ResiliencePolicySpec};
use model::kinds::transform_policy::TransformPolicy;
use model::kinds::validation_policy::ValidationPolicy;
use model::kinds::{CorsPolicy, IpPolicy};
use model::{Resource, ResourceKey, Resources};

use super::apis::{ApiBook, LoweredRule};
use super::attached::{self, Attached, Policy, Target, TargetKind};
use super::changes::Change;
use super::filters;
use super::references::Destination;
use crate::config::{AddressRule, Cors, Fault, RateLimit, Resilience, Retry, Timeouts, Validation};
use crate::status::{Condition, ConditionType, ObjectStatus, PolicyStatus, Reason};

pub(super) use transforms::{Changes, told};
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

impl Policy for IpPolicy {
    fn target_refs(&self) -> &[PolicyTargetRef] {
        &self.spec.target_refs
    }
}

impl Policy for CorsPolicy {
    fn target_refs(&self) -> &[PolicyTargetRef] {
        &self.spec.target_refs
    }
}

impl Policy for TransformPolicy {
    fn target_refs(&self) -> &[PolicyTargetRef] {
        &self.spec.target_refs
    }
}

impl Policy for ValidationPolicy {
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
    addresses: Attached,
    cors: Attached,
    transforms: transforms::Transforms,
    validation: Attached,
    /// The descriptions that ValidationPolicies name.
    named: validation::Named,
}

/// What a Gateway says about every request that comes in by it. Equal ones make equal rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GatewaySide {
    resilience: Option<Arc<ResiliencePolicySpec>>,
    fault: Option<Arc<Fault>>,
    rates: Option<Arc<[RateLimit]>>,
    pub(super) addresses: Option<Arc<[AddressRule]>>,
    cors: Option<Arc<Cors>>,
    transforms: Option<Changes>,
    validation: Option<Arc<[validation::Said]>>,
}

/// What policies name when they mean a rule.
#[derive(Debug)]
pub(super) struct RulePlace {
    /// The route, or the version of an API that was lowered to it.
    pub(super) target: Target,
    /// Products that its operation is part of.
    pub(super) products: Vec<Target>,
}

impl RulePlace {
    /// A route of this name.
    pub(super) fn route(namespace: &str, name: &str) -> RulePlace {
        let target = Target { kind: TargetKind::Route, namespace: namespace.into(), name: name.into() };
        RulePlace { target, products: Vec::new() }
    }

    /// A route of connections of this name.
    pub(super) fn connections(namespace: &str, name: &str) -> RulePlace {
        let target = Target { kind: TargetKind::TcpRoute, namespace: namespace.into(), name: name.into() };
        RulePlace { target, products: Vec::new() }
    }

    /// A version of an API with the products that an operation of it is part of.
    pub(super) fn version(namespace: &str, name: &str, products: &[Arc<str>]) -> RulePlace {
        let one = |kind, name: &str| Target { kind, namespace: namespace.into(), name: name.into() };
        RulePlace {
            target: one(TargetKind::ApiVersion, name),
            products: products.iter().map(|product| one(TargetKind::ApiProduct, product)).collect(),
        }
    }
}

/// What holds for the requests of one rule.
#[derive(Debug, Default)]
pub(super) struct RuleSide {
    pub(super) timeouts: Timeouts,
    pub(super) retry: Option<Arc<Retry>>,
    pub(super) fault: Option<Arc<Fault>>,
    pub(super) rates: Option<Arc<[RateLimit]>>,
    pub(super) addresses: Option<Arc<[AddressRule]>>,
    pub(super) cors: Option<Arc<Cors>>,
    pub(super) transforms: Option<Changes>,
    pub(super) validation: Option<Arc<Validation>>,
}

/// What changed policies are about.
#[derive(Debug, Default)]
pub(super) struct Concerned {
    /// Namespace and name.
    pub(super) routes: HashSet<(Arc<str>, Arc<str>)>,
    /// APIProducts, likewise.
    pub(super) products: HashSet<(Arc<str>, Arc<str>)>,
    pub(super) destinations: HashSet<Destination>,
    /// Those of the destinations of which it is said anew from where they may be reached.
    pub(super) kept: HashSet<Destination>,
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
                TargetKind::Route | TargetKind::TcpRoute | TargetKind::ApiVersion => {
                    self.routes.insert((namespace, name));
                }
                TargetKind::ApiProduct => drop(self.products.insert((namespace, name))),
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

    /// Takes in changes of policies about addresses, which whoever leads to a Service asks too.
    pub(super) fn note_addresses(&mut self, changes: &[Change]) {
        let mut said = Concerned::default();
        said.note::<IpPolicy>(changes);
        self.kept.extend(said.destinations);
        self.note::<IpPolicy>(changes);
    }
}

impl ResilienceBook {
    pub(super) fn new(resources: &Resources, apis: &mut ApiBook) -> ResilienceBook {
        ResilienceBook {
            resilience: Attached::new::<ResiliencePolicy>(resources),
            faults: Attached::new::<FaultPolicy>(resources),
            rates: Attached::new::<RateLimitPolicy>(resources),
            addresses: Attached::new::<IpPolicy>(resources),
            cors: Attached::new::<CorsPolicy>(resources),
            transforms: transforms::Transforms::new(resources),
            validation: Attached::new::<ValidationPolicy>(resources),
            named: validation::named(resources, apis),
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
            addresses: some(addresses::at(&self.addresses, &target, None)),
            cors: self.cors(&target, None),
            transforms: some(self.transforms.at(&target, None)),
            validation: some(validation::at(&self.validation, &self.named, &target, None)),
        }
    }

    /// What holds for a rule, beside what stands in its cluster.
    pub(super) fn rule(
        &self,
        place: &RulePlace,
        (rule, lowered): (&HttpRule, Option<&LoweredRule>),
        gateway: &GatewaySide,
    ) -> RuleSide {
        let RulePlace { target, products } = place;
        let section = rule.name.as_deref();
        let own = rule.retry.as_ref().map(request::written);
        let policies = self.resilience.of::<ResiliencePolicy>(target, section).map(|policy| &policy.spec);
        let levels = own.iter().chain(policies).chain(gateway.resilience.as_deref());
        let merged = merge::all(levels).unwrap_or_default();
        let fault = self.faults.of::<FaultPolicy>(target, section).next();
        RuleSide {
            timeouts: request::timeouts(rule.timeouts).or(&request::bounds(merged.timeouts)),
            retry: merged.retries.as_ref().map(|retries| Arc::new(request::retry(retries))),
            fault: fault
                .map(|policy| Arc::new(request::fault(&policy.spec)))
                .or_else(|| gateway.fault.clone()),
            rates: all(&self.rates, place, section, rates::at, gateway.rates.as_ref()),
            addresses: all(&self.addresses, place, section, addresses::at, gateway.addresses.as_ref()),
            cors: self
                .cors(target, section)
                .or_else(|| products.iter().find_map(|product| self.cors(product, None)))
                .or_else(|| gateway.cors.clone()),
            transforms: self.transforms.of_rule((target, section), gateway.transforms.as_ref(), lowered),
            validation: self.validation(place, (section, lowered), gateway),
        }
    }

    /// The nearest of the rules about other sites.
    fn cors(&self, target: &Target, section: Option<&str>) -> Option<Arc<Cors>> {
        let policy = self.cors.of::<CorsPolicy>(target, section).next()?;
        // The schema lets nothing by that is no origin and no name.
        filters::cors(&policy.spec.cors).ok().map(Arc::new)
    }

    /// What policies for the rule, its route, the products that it is part of and the Gateway say, in this order.
    fn validation(
        &self,
        RulePlace { target, products }: &RulePlace,
        (section, lowered): (Option<&str>, Option<&LoweredRule>),
        gateway: &GatewaySide,
    ) -> Option<Arc<Validation>> {
        let at = |target, section| validation::at(&self.validation, &self.named, target, section);
        let mut said = at(target, section);
        said.extend(products.iter().flat_map(|product| at(product, None)));
        said.extend(gateway.validation.iter().flat_map(|said| said.iter().cloned()));
        validation::of_rule(&said, lowered)
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

    /// What all of these ports of Services ask of requests and answers, for who comes in by a door that stands for
    /// them.
    pub(super) fn validation_of<'p>(&self, parts: impl Iterator<Item = Part<'p>>) -> Option<Arc<Validation>> {
        validation::described_by(&self.said_of(parts), None)
    }

    /// The same for an operation of a version that comes in there as its provider knows it.
    pub(super) fn validation_behind<'p>(
        &self,
        version: &ResourceKey,
        (rule, lowered): (&HttpRule, &LoweredRule),
        parts: impl Iterator<Item = Part<'p>>,
    ) -> Option<Arc<Validation>> {
        let namespace = version.namespace.as_ref().map_or("", |namespace| namespace.as_str());
        let place = RulePlace::version(namespace, version.name.as_str(), &lowered.products);
        let at = |target, section| validation::at(&self.validation, &self.named, target, section);
        let mut said = at(&place.target, rule.name.as_deref());
        said.extend(place.products.iter().flat_map(|product| at(product, None)));
        said.extend(self.said_of(parts));
        validation::described_by(&said, lowered.described_behind())
    }

    fn said_of<'p>(&self, parts: impl Iterator<Item = Part<'p>>) -> Vec<validation::Said> {
        let mut all: Vec<validation::Said> = Vec::new();
        for (target, section) in parts.map(Part::target) {
            for said in validation::at(&self.validation, &self.named, &target, section) {
                // Two ports of a Service share what holds for all of it.
                if !all.contains(&said) {
                    all.push(said);
                }
            }
        }
        all
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
        let addresses = self.addresses.statuses::<IpPolicy>(controller, resources);
        let cors = self.cors.statuses::<CorsPolicy>(controller, resources);
        let transforms = self.transforms.attached.statuses::<TransformPolicy>(controller, resources);
        let transforms = transforms.map(|(resource, status)| {
            let status = self.transforms.judged(&resource, status);
            (resource, status)
        });
        let validation = self.validation.statuses::<ValidationPolicy>(controller, resources);
        let validation =
            validation.map(|(resource, status)| (resource.clone(), self.resolved(&resource, status)));
        let all = resilience.chain(faults).chain(rates).chain(addresses).chain(cors);
        let all = all.chain(transforms).chain(validation);
        all.map(|(resource, status)| (resource, ObjectStatus::Policy(status))).collect()
    }
}

impl ResilienceBook {
    /// The same, with what became of the description that a ValidationPolicy names.
    fn resolved(&self, policy: &Resource, mut status: PolicyStatus) -> PolicyStatus {
        let content = policy.content::<ValidationPolicy>();
        let Some(by) = content.and_then(|policy| policy.spec.description.as_ref()) else { return status };
        let generation = policy.meta.generation;
        let condition = match validation::described(by, policy.namespace(), &self.named) {
            Ok(_) => Condition::yes(ConditionType::ResolvedRefs, Reason::ResolvedRefs, generation),
            Err(why) => {
                let text = format!("{why}; its targets answer with 500");
                Condition::no(ConditionType::ResolvedRefs, Reason::TargetNotFound, text, generation)
            }
        };
        for ancestor in &mut status.ancestors {
            ancestor.conditions.push(condition.clone());
        }
        status
    }
}

fn some<T>(list: Vec<T>) -> Option<Arc<[T]>> {
    (!list.is_empty()).then(|| list.into())
}

/// Those of the rule, its route and the products that it is part of, and then those of the Gateway.
fn all<T: Clone>(
    policies: &Attached,
    place: &RulePlace,
    section: Option<&str>,
    at: fn(&Attached, &Target, Option<&str>) -> Vec<T>,
    gateway: Option<&Arc<[T]>>,
) -> Option<Arc<[T]>> {
    let mut own = at(policies, &place.target, section);
    own.extend(place.products.iter().flat_map(|product| at(policies, product, None)));
    if own.is_empty() {
        return gateway.cloned();
    }
    own.extend(gateway.iter().flat_map(|limits| limits.iter().cloned()));
    some(own)
}
