//! Rules of one route, compiled for one kind of listener.

use std::sync::Arc;

use model::kinds::http_route::{
    HttpBackendRef, HttpMatch, HttpRoute, HttpRule, PathMatchType, ValueMatchType,
};
use model::resource::Source;
use model::resources::Typed;
use model::{FieldPath, Resource};

use super::apis::{Lowered, LoweredRule};
use super::filters::{self, ListenerSide, Surroundings, Unworkable};
use super::references::{Resolution, Resolved};
use super::resilience::{Changes, GatewaySide, ResilienceBook, RulePlace, RuleSide};
use super::slots::Slots;
use crate::config::{
    Action, Backend, Backends, Cors, Filter, Origin, Rule, RuleSlot, RuleSource, Target, Transform,
};
use crate::matching::{FieldMatch, PathMatch, Pattern, Requirements, Seniority, ValueMatch};
use crate::status::Reason;

/// One match of a route, ready to stand in a host's table.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) path: PathMatch,
    pub(super) requirements: Requirements,
    pub(super) seniority: Arc<Seniority>,
    pub(super) rule: Arc<Rule>,
}

/// What came of the rules of a route.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    pub(super) templates: Vec<Template>,
    /// Matches that cannot do what they say; those that could be read refuse.
    pub(super) unworkable: Vec<Unworkable>,
    /// How many matches can.
    pub(super) workable: usize,
    /// Things that were written and have no effect.
    pub(super) ignored: Vec<String>,
}

/// Stable numbers of rules: by the rule's name where it has one, else by its position.
pub(super) type RuleSlots = Slots<(Arc<str>, RuleKey)>;

/// What tells a rule from the others of its route.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum RuleKey {
    Named(Arc<str>),
    At(u16),
    /// The one rule of a TCPRoute.
    Connections,
    /// What a listener without a TCPRoute does with its connections; its name stands for the route's.
    Nobody,
}

/// Whether the rules must be compiled for each kind of listener apart.
pub(super) fn depend_on_listener(route: &HttpRoute) -> bool {
    route.spec.rules.iter().any(|rule| {
        filters::depend_on_listener(&rule.filters)
            || rule.backend_refs.iter().any(|backend| filters::depend_on_listener(&backend.filters))
    })
}

/// Policies that have something to say of rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    pub(super) resilience: &'a ResilienceBook,
    /// What those for the Gateway say.
    pub(super) gateway: &'a GatewaySide,
    /// Of which API the route is made, if of one.
    pub(super) lowered: Option<&'a Lowered>,
    /// Whether the route is served beside whoever calls, whose address is then its own: the other end judges it.
    pub(super) beside_the_caller: bool,
}

/// Compiles the rules of a route.
pub(super) fn compile(
    route: Typed<'_, HttpRoute>,
    resolved: &Resolved,
    side: ListenerSide,
    told: Told<'_>,
    slots: &mut RuleSlots,
) -> Compiled {
    let mut compiler = RuleCompiler {
        route,
        place: route.resource.key.place().into(),
        resolved,
        side,
        told,
        slots,
        compiled: Compiled::default(),
    };
    for (position, rule) in route.content.spec.rules.iter().enumerate() {
        let Ok(position) = u16::try_from(position) else { break };
        compiler.rule(position, rule);
    }
    compiler.compiled
}

fn slot(place: &Arc<str>, position: u16, rule: &HttpRule, slots: &mut RuleSlots) -> RuleSlot {
    let key = rule.name.clone().map_or(RuleKey::At(position), RuleKey::Named);
    RuleSlot(slots.of((place.clone(), key)))
}

/// Every rule of a route with the lines of its matches.
pub(super) fn sources(
    route: Typed<'_, HttpRoute>,
    slots: &mut RuleSlots,
) -> Vec<(RuleSlot, Option<RuleSource>)> {
    let place: Arc<str> = route.resource.key.place().into();
    let rules = (0_u16..).zip(&route.content.spec.rules);
    rules.map(|(at, rule)| (slot(&place, at, rule, slots), source(route.resource, at, rule))).collect()
}

fn source(resource: &Resource, position: u16, rule: &HttpRule) -> Option<RuleSource> {
    let Source { file, line: start } = resource.source.as_deref()?;
    let field = FieldPath::root().field("spec").field("rules").index(usize::from(position));
    let line = |field: &FieldPath| resource.line_of(field).unwrap_or(*start).saturating_sub(*start);
    let below = match rule.matches.len() {
        0 => [line(&field)].into(),
        matches => (0..matches).map(|at| line(&field.clone().field("matches").index(at))).collect(),
    };
    Some(RuleSource { file: file.clone(), start: *start, below })
}

struct RuleCompiler<'a> {
    route: Typed<'a, HttpRoute>,
    place: Arc<str>,
    resolved: &'a Resolved,
    side: ListenerSide,
    told: Told<'a>,
    slots: &'a mut RuleSlots,
    compiled: Compiled,
}

impl RuleCompiler<'_> {
    fn rule(&mut self, position: u16, rule: &HttpRule) {
        let slot = slot(&self.place, position, rule, self.slots);
        if rule.session_persistence.is_some() {
            let text = format!("`rules[{position}].sessionPersistence` has no effect yet");
            self.compiled.ignored.push(text);
        }
        let lowered = self.told.lowered.and_then(|lowered| lowered.rules.get(usize::from(position)));
        let side = self.told.resilience.rule(&self.named(position), (rule, lowered), self.told.gateway);
        let everything = [match_all()];
        let matches = if rule.matches.is_empty() { &everything[..] } else { &rule.matches };
        for (matched, wanted) in matches.iter().enumerate() {
            let Ok(matched) = u16::try_from(matched) else { break };
            self.one_match(slot, (position, matched), rule, wanted, &side);
        }
    }

    /// What policies call it.
    fn named(&self, position: u16) -> RulePlace {
        let (namespace, name) = (self.route.resource.namespace(), self.route.resource.key.name.as_str());
        match self.told.lowered {
            None => RulePlace::route(namespace, name),
            Some(lowered) => {
                let rule = lowered.rules.get(usize::from(position));
                RulePlace::version(namespace, name, rule.map_or(&[], |rule| &rule.products))
            }
        }
    }

    fn one_match(
        &mut self,
        slot: RuleSlot,
        (position, matched): (u16, u16),
        rule: &HttpRule,
        wanted: &HttpMatch,
        policies: &RuleSide,
    ) {
        let at = format!("rules[{position}].matches[{matched}]");
        let lowered = self.told.lowered.and_then(|lowered| lowered.rules.get(usize::from(position)));
        let path = match lowered.map_or_else(|| path(wanted), |lowered| Ok(lowered.path.clone())) {
            Ok(path) => path,
            Err(problem) => {
                // Nobody can say which paths were meant, so no request is this match's to refuse.
                self.unworkable(&at, format!("path: {problem}; the match is left out"));
                return;
            }
        };
        let (requirements, unreadable) = requirements(wanted);
        let below = lowered.map_or(&path, |lowered| &lowered.below);
        let around = Surroundings { path: below, resolved: self.resolved, side: self.side };
        let (mut filters, action) = match unreadable {
            Some(problem) => {
                self.unworkable(&at, format!("{problem}; requests that carry it are answered with 500"));
                (Vec::new(), Action::Refuse { status: 500, reason: "invalid_match" })
            }
            None => match workings(rule, around) {
                Ok(workings) => {
                    self.compiled.workable += 1;
                    workings
                }
                Err(problem) => {
                    let message = format!("rules[{position}]: {}; it answers with 500", problem.message);
                    self.remember(Unworkable { message, ..problem });
                    (Vec::new(), Action::Refuse { status: 500, reason: "invalid_filter" })
                }
            },
        };
        let action = lowered.and_then(LoweredRule::action).unwrap_or(action);
        let operation = lowered.and_then(|lowered| lowered.operation.clone());
        let name = rule.name.clone();
        let kind = if lowered.is_some() { "APIVersion" } else { "HTTPRoute" };
        let origin = Origin { kind, route: self.place.clone(), rule: position, matched, name };
        let RuleSide { timeouts, retry, fault, rates, addresses, cors, transforms, validation } = policies;
        let (transforms, action) = understood(transforms.as_ref(), action);
        let (timeouts, retry, fault, rates) = (*timeouts, retry.clone(), fault.clone(), rates.clone());
        let addresses = addresses.clone().filter(|_| !self.told.beside_the_caller);
        answer_other_sites(&mut filters, cors.as_ref());
        let (authentication, authorizers, authorization, access) = (None, None, None, None);
        let rule = Arc::new(Rule {
            slot,
            origin,
            filters,
            action,
            timeouts,
            retry,
            fault,
            addresses,
            rates,
            authentication,
            authorizers,
            authorization,
            transforms,
            access,
            validation: validation.clone(),
            operation,
        });
        let seniority = Arc::new(seniority(self.route.resource, &self.place, (position, matched)));
        self.compiled.templates.push(Template { path, requirements, seniority, rule });
    }

    fn unworkable(&mut self, at: &str, message: String) {
        self.remember(Unworkable { reason: Reason::UnsupportedValue, message: format!("{at}: {message}") });
    }

    /// All matches of a rule share its filters; one message is enough.
    fn remember(&mut self, problem: Unworkable) {
        if self.compiled.unworkable.last() != Some(&problem) {
            self.compiled.unworkable.push(problem);
        }
    }
}

/// A filter of the rule's own is nearer than any policy.
fn answer_other_sites(filters: &mut Vec<Filter>, cors: Option<&Arc<Cors>>) {
    if let Some(cors) = cors
        && !filters.iter().any(|filter| matches!(filter, Filter::Cors(_)))
    {
        filters.insert(0, Filter::Cors(cors.clone()));
    }
}

/// How old a match is, in the order of the Gateway API: an object's time, then its name.
pub(super) fn seniority(resource: &Resource, place: &Arc<str>, (rule, matched): (u16, u16)) -> Seniority {
    let created = resource.meta.creation_timestamp.map(|moment| moment.0);
    Seniority {
        created: created.unwrap_or(i64::MAX),
        seen: if created.is_some() { 0 } else { resource.age.seen() },
        route: place.clone(),
        rule,
        matched,
    }
}

fn match_all() -> HttpMatch {
    let path =
        model::kinds::http_route::PathMatch { match_type: PathMatchType::PathPrefix, value: "/".into() };
    HttpMatch { path, headers: Vec::new(), query_params: Vec::new(), method: None }
}

fn path(wanted: &HttpMatch) -> Result<PathMatch, String> {
    let value = &wanted.path.value;
    match wanted.path.match_type {
        PathMatchType::Exact => Ok(PathMatch::Exact(value.clone())),
        PathMatchType::PathPrefix => Ok(PathMatch::Prefix(value.clone())),
        PathMatchType::RegularExpression => {
            Pattern::new(value).map(PathMatch::Pattern).map_err(|error| error.to_string())
        }
    }
}

/// Demands of a match, and what is wrong with them. Of a repeated name only the first one counts.
pub(super) fn requirements(wanted: &HttpMatch) -> (Requirements, Option<String>) {
    let mut problems = Vec::new();
    let mut fields = |what: &str, list: &[model::kinds::http_route::ValueMatch], lower: bool| {
        let mut found: Vec<FieldMatch> = Vec::new();
        for demand in list {
            let name: Arc<str> =
                if lower { demand.name.to_ascii_lowercase().into() } else { demand.name.clone() };
            if found.iter().any(|known| known.name == name) {
                continue;
            }
            let value = match demand.match_type {
                ValueMatchType::Exact => ValueMatch::Exact(demand.value.clone()),
                ValueMatchType::RegularExpression => match Pattern::new(&demand.value) {
                    Ok(pattern) => ValueMatch::Pattern(pattern),
                    Err(error) => {
                        problems.push(format!("{what} `{}`: {error}", demand.name));
                        ValueMatch::Unreadable(demand.value.clone())
                    }
                },
            };
            found.push(FieldMatch { name, value });
        }
        found
    };
    let requirements = Requirements {
        method: wanted.method.map(|method| method.as_str().into()),
        headers: fields("header", &wanted.headers, true),
        query: fields("query parameter", &wanted.query_params, false),
    };
    (requirements, (!problems.is_empty()).then(|| problems.join("; ")))
}

/// The changes of a rule. One that cannot be understood lets nothing pass.
fn understood(changes: Option<&Changes>, action: Action) -> (Option<Arc<[Arc<Transform>]>>, Action) {
    let Some(changes) = changes else { return (None, action) };
    match changes.iter().cloned().collect::<Option<Vec<_>>>() {
        Some(all) => (Some(all.into()), action),
        None => (None, Action::Refuse { status: 500, reason: "transform_invalid" }),
    }
}

/// Filters and action of a rule.
fn workings(rule: &HttpRule, around: Surroundings<'_>) -> Result<(Vec<Filter>, Action), Unworkable> {
    let filters::Compiled { filters, redirect } = filters::compile(&rule.filters, around)?;
    let action = match redirect {
        Some(redirect) => Action::Redirect(redirect),
        None => forward(&rule.backend_refs, around)?,
    };
    Ok((filters, action))
}

fn forward(references: &[HttpBackendRef], around: Surroundings<'_>) -> Result<Action, Unworkable> {
    let mut choices = Vec::new();
    for reference in references {
        let filters::Compiled { filters, redirect } = filters::compile(&reference.filters, around)?;
        let target = match (redirect, around.resolved.get(&reference.target)) {
            (Some(redirect), _) => Target::Redirect(Arc::new(redirect)),
            (None, Some(resolution)) => Resolution::target(resolution),
            (None, None) => Target::Invalid { reason: "backend_not_found" },
        };
        if reference.weight > 0 {
            choices.push(Backend { weight: reference.weight, target, filters });
        }
    }
    let weight_total = choices.iter().fold(0_u32, |sum, choice| sum.saturating_add(choice.weight));
    if choices.is_empty() {
        return Ok(Action::Refuse { status: 500, reason: "no_backends" });
    }
    Ok(Action::Forward(Backends { choices, weight_total }))
}
