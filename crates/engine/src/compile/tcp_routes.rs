//! TCPRoutes: which of them has the connections of a listener.
//!
//! Nothing tells the connections of a listener apart, so of several routes the oldest has them all; the others are
//! accepted, as the Gateway API says, and told that they get nothing. Who is oldest is settled here, when compiling.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::kinds::tcp_route::TcpRoute;
use model::kinds::{KindName, references::BackendObjectRef};
use model::resource::Source;
use model::{FieldPath, Resource, ResourceKey};

use super::attach::{self, Attachment, Candidate};
use super::callers::Caller;
use super::changes::Change;
use super::listeners::ListenerView;
use super::protection::RoutePlace;
use super::references::{Resolution, Resolved, referrer};
use super::resilience::RulePlace;
use super::routes::{Around, Workshop};
use super::rules::{self, RuleKey, RuleSlots, seniority};
use crate::authorization::Authorization;
use crate::config::{
    AddressRule, Backend, Backends, ClusterSlot, Origin, RuleSlot, RuleSource, Target, TcpAction, TcpRule,
};
use crate::matching::Seniority;
use crate::status::{Condition, ConditionType, ObjectStatus, ParentStatus, Reason, RouteStatus};

const KIND: &str = KindName::TcpRoute.as_str();

/// All TCPRoutes, and who has which listener.
#[derive(Debug, Default)]
pub(super) struct TcpRoutes {
    by_key: BTreeMap<ResourceKey, TcpRouteState>,
    /// By the listener's unique name.
    winners: HashMap<Arc<str>, Winner>,
    /// What listeners without a route do.
    refusals: HashMap<Arc<str>, Arc<TcpRule>>,
}

#[derive(Debug)]
struct Winner {
    seniority: Arc<Seniority>,
    rule: Arc<TcpRule>,
}

/// One route as it was compiled last.
#[derive(Debug)]
pub(super) struct TcpRouteState {
    pub(super) resource: Arc<Resource>,
    seniority: Arc<Seniority>,
    slot: RuleSlot,
    resolved: Resolved,
    /// Clusters this route keeps in use.
    held: Vec<ClusterSlot>,
    /// The rule as each caller follows it.
    rules: Vec<(Option<Caller>, Arc<TcpRule>)>,
    pub(super) attachment: Attachment,
    /// The rule by listener, as far as the route is attached.
    places: Vec<(Arc<str>, Arc<TcpRule>)>,
    pub(super) status: Arc<ObjectStatus>,
}

impl TcpRoutes {
    /// Brings all routes up to date.
    pub(super) fn update(
        &mut self,
        changes: Vec<Change>,
        around: &Around,
        slots: &mut RuleSlots,
        shop: &mut Workshop<'_>,
    ) {
        let changed: HashSet<&ResourceKey> =
            changes.iter().flat_map(Change::sides).map(|resource| &resource.key).collect();
        let mut moved = !changes.is_empty();
        if around.concerns_routes() {
            for state in self.by_key.values_mut().filter(|state| !changed.contains(&state.resource.key)) {
                moved |= state.reconsider(around, shop);
            }
        }
        for change in &changes {
            let old = change.before.as_ref().and_then(|resource| self.by_key.remove(&resource.key));
            let new = change.after.as_ref().map(|resource| TcpRouteState::new(resource, slots, shop));
            if let Some(old) = old {
                old.leave(new.is_some(), shop);
            }
            if let Some(new) = new {
                self.by_key.insert(new.resource.key.clone(), new);
            }
        }
        if moved {
            self.settle(shop);
        }
    }

    /// Finds the oldest route of each listener and tells all routes.
    fn settle(&mut self, shop: &Workshop<'_>) {
        self.winners.clear();
        for state in self.by_key.values() {
            for (listener, rule) in &state.places {
                let older =
                    self.winners.get(listener).is_some_and(|known| known.seniority <= state.seniority);
                if !older {
                    let winner = Winner { seniority: state.seniority.clone(), rule: rule.clone() };
                    self.winners.insert(listener.clone(), winner);
                }
            }
        }
        for state in self.by_key.values_mut() {
            state.tell(&self.winners, shop);
        }
    }

    /// What the route that has the connections of a listener makes of them, if there is one.
    pub(super) fn winner(&self, listener: &str) -> Option<&Arc<TcpRule>> {
        self.winners.get(listener).map(|winner| &winner.rule)
    }

    /// What becomes of the connections of a listener.
    pub(super) fn rule(&mut self, listener: &Arc<str>, slots: &mut RuleSlots) -> Arc<TcpRule> {
        if let Some(rule) = self.winner(listener) {
            return rule.clone();
        }
        let refusal = self.refusals.entry(listener.clone()).or_insert_with(|| {
            let slot = RuleSlot(slots.of((listener.clone(), RuleKey::Nobody)));
            let origin = Origin { kind: "Gateway", route: listener.clone(), rule: 0, matched: 0, name: None };
            let action = TcpAction::Refuse { reason: "no_route" };
            Arc::new(TcpRule { slot, origin, action, addresses: None, authorization: None })
        });
        refusal.clone()
    }

    /// Every route in the order of keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = &TcpRouteState> {
        self.by_key.values()
    }

    /// Forgets listeners that are gone.
    pub(super) fn retain(&mut self, is_known: impl Fn(&str) -> bool) {
        self.refusals.retain(|listener, _| is_known(listener));
    }
}

impl TcpRouteState {
    fn new(resource: &Arc<Resource>, slots: &mut RuleSlots, shop: &mut Workshop<'_>) -> Self {
        let place: Arc<str> = resource.key.place().into();
        let mut state = TcpRouteState {
            resource: resource.clone(),
            seniority: Arc::new(seniority(resource, &place, (0, 0))),
            slot: RuleSlot(slots.of((place, RuleKey::Connections))),
            resolved: resolve(resource, shop),
            held: Vec::new(),
            rules: Vec::new(),
            attachment: Attachment::default(),
            places: Vec::new(),
            status: Arc::new(ObjectStatus::Route(RouteStatus::default())),
        };
        state.attachment = attach::attach(state.candidate(), shop.views, shop.resources);
        state.enter(shop);
        Arc::make_mut(shop.sources).put(state.slot, source(resource));
        state
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            kind: KindName::TcpRoute,
            resource: &self.resource,
            parents: &content(&self.resource).spec.parent_refs,
            hostnames: &[],
        }
    }

    /// Looks again at what may be different because of changes elsewhere. Returns whether it may be.
    fn reconsider(&mut self, around: &Around, shop: &mut Workshop<'_>) -> bool {
        let place: (Arc<str>, Arc<str>) = (self.resource.namespace().into(), self.resource.key.name.to_arc());
        let mut concerned = around.listeners || around.authorization || around.spoken_of.contains(&place);
        concerned |= around.keeps(&self.resolved, &place.0);
        // The name of a Service's port may be what a policy goes by.
        let asked = !shop.protection.is_idle() || shop.resilience.keeps_services();
        concerned |= !around.destinations.is_empty() && asked;
        if around.concerns(&self.resolved, self.resource.namespace()) {
            let resolved = resolve(&self.resource, shop);
            if resolved != self.resolved {
                self.resolved = resolved;
                self.rules.clear();
                concerned = true;
            }
        }
        if around.listeners {
            self.attachment = attach::attach(self.candidate(), shop.views, shop.resources);
        }
        if concerned {
            self.enter(shop);
        }
        concerned
    }

    /// Compiles the rule for each listener it stands at, and keeps in use what it leads to.
    fn enter(&mut self, shop: &mut Workshop<'_>) {
        let mut places: Vec<Arc<str>> =
            self.attachment.places.iter().map(|place| place.listener.clone()).collect();
        places.dedup();
        let mut wanted: Vec<ClusterSlot> = Vec::new();
        let mut rules = Vec::new();
        for listener in places {
            let view = shop.views.iter().find(|view| view.unique == listener);
            let view = view.expect("routes attach to listeners there are");
            let rule = self.rule(view, &mut wanted, shop);
            rules.push((listener, rule));
        }
        if rules.is_empty() {
            wanted.extend(self.resolved.clusters());
        }
        self.places = rules;
        let places = &self.places;
        self.rules.retain(|(_, rule)| places.iter().any(|(_, used)| Arc::ptr_eq(rule, used)));
        wanted.iter().for_each(|slot| shop.book.retain(*slot));
        std::mem::replace(&mut self.held, wanted).into_iter().for_each(|slot| shop.book.release(slot));
    }

    fn rule(
        &mut self,
        view: &ListenerView,
        wanted: &mut Vec<ClusterSlot>,
        shop: &mut Workshop<'_>,
    ) -> Arc<TcpRule> {
        let reached = view.caller.as_ref().map(|caller| self.resolved.reached_by(caller, shop.book));
        let resolved = reached.as_ref().unwrap_or(&self.resolved);
        wanted.extend(resolved.clusters());
        let mut rule = self.compile(resolved);
        rule.authorization = self.authorization(view, &rule, shop);
        rule.addresses = self.addresses(view, &rule, shop);
        let same = |(caller, known): &&(Option<Caller>, Arc<TcpRule>)| {
            *caller == view.caller
                && known.authorization == rule.authorization
                && known.addresses == rule.addresses
        };
        if let Some((_, known)) = self.rules.iter().find(same) {
            return known.clone();
        }
        let rule = Arc::new(rule);
        self.rules.push((view.caller.clone(), rule.clone()));
        rule
    }

    /// From where connections may come: what is said of the route, of its Gateway and of where it leads.
    fn addresses(
        &self,
        view: &ListenerView,
        rule: &TcpRule,
        shop: &Workshop<'_>,
    ) -> Option<Arc<[AddressRule]>> {
        if shop.beside_the_caller {
            return None; // Its address is its own there; the other end asks.
        }
        let place = RulePlace::connections(self.resource.namespace(), self.resource.key.name.as_str());
        let name = rule.origin.name.as_deref();
        let said = shop.resilience.addresses_of_connections(&place, name, &view.says);
        match &rule.action {
            TcpAction::Forward(backends) => {
                shop.resilience.addresses_towards(said, backends, shop.book, shop.resources)
            }
            TcpAction::Refuse { .. } => said,
        }
    }

    fn authorization(
        &self,
        view: &ListenerView,
        rule: &TcpRule,
        shop: &mut Workshop<'_>,
    ) -> Option<Arc<Authorization>> {
        if shop.beside_the_caller {
            return None; // Who is called judges, as with requests.
        }
        let (namespace, name) = (self.resource.namespace().into(), self.resource.key.name.to_arc());
        let place =
            RoutePlace { kind: KindName::TcpRoute, namespace: &namespace, name: &name, products: &[] };
        let backends = match &rule.action {
            TcpAction::Forward(backends) => Some(backends),
            TcpAction::Refuse { .. } => None,
        };
        let door = shop.protection.door(view);
        let place = (place, rule.origin.name.as_ref());
        shop.protection.of_backends(&door, place, backends, shop.book, shop.resources)
    }

    fn compile(&self, resolved: &Resolved) -> TcpRule {
        let rule = content(&self.resource).spec.rules.first();
        let written = rule.map_or(&[][..], |rule| &rule.backend_refs);
        let choices: Vec<Backend> = written
            .iter()
            .filter(|reference| reference.weight > 0)
            .map(|reference| Backend {
                weight: reference.weight,
                target: resolved
                    .get(&reference.target)
                    .map_or(Target::Invalid { reason: "backend_not_found" }, Resolution::target),
                filters: Vec::new(),
            })
            .collect();
        let weight_total = choices.iter().fold(0_u32, |sum, choice| sum.saturating_add(choice.weight));
        let action = if choices.is_empty() {
            TcpAction::Refuse { reason: "no_backends" }
        } else {
            TcpAction::Forward(Backends { choices, weight_total })
        };
        let name = rule.and_then(|rule| rule.name.clone());
        let route = self.seniority.route.clone();
        let origin = Origin { kind: KIND, route, rule: 0, matched: 0, name };
        TcpRule { slot: self.slot, origin, action, addresses: None, authorization: None }
    }

    /// Writes the status, given who has which listener.
    fn tell(&mut self, winners: &HashMap<Arc<str>, Winner>, shop: &Workshop<'_>) {
        let unresolved: Vec<(Reason, String)> = self.resolved.problems().collect();
        let generation = self.resource.meta.generation;
        let nothing_wrong = rules::Compiled::default();
        let mut status = self.attachment.status(shop.controller, generation, &nothing_wrong, &unresolved);
        for (parent, attached) in status.parents.iter_mut().zip(&self.attachment.parents) {
            let listeners = attached.outcome.as_ref().map_or(&[][..], Vec::as_slice);
            self.tell_of_older(parent, listeners, winners);
        }
        if *self.status != ObjectStatus::Route(status.clone()) {
            self.status = Arc::new(ObjectStatus::Route(status));
        }
    }

    fn tell_of_older(
        &self,
        parent: &mut ParentStatus,
        listeners: &[Arc<str>],
        winners: &HashMap<Arc<str>, Winner>,
    ) {
        let lost = listeners.iter().filter_map(|listener| {
            let winner = winners.get(listener).filter(|winner| winner.seniority != self.seniority)?;
            let older = &winner.seniority.route;
            Some(format!("the connections of listener `{listener}` go to the older TCPRoute `{older}`"))
        });
        let sentences: Vec<String> = lost.collect();
        if !sentences.is_empty() {
            let generation = self.resource.meta.generation;
            let condition = Condition::yes(ConditionType::Conflicted, Reason::Conflicted, generation);
            parent.conditions.push(condition.saying(sentences.join("; ")));
        }
    }

    fn leave(self, is_replaced: bool, shop: &mut Workshop<'_>) {
        self.held.iter().for_each(|slot| shop.book.release(*slot));
        if !is_replaced {
            Arc::make_mut(shop.sources).put(self.slot, None);
        }
    }

    pub(super) fn clusters(&self) -> impl Iterator<Item = ClusterSlot> + '_ {
        self.resolved.clusters()
    }
}

fn content(resource: &Resource) -> &TcpRoute {
    resource.content().expect("the shelf of TCPRoutes holds TCPRoutes")
}

fn references(route: &TcpRoute) -> impl Iterator<Item = &BackendObjectRef> {
    route.spec.rules.iter().flat_map(|rule| &rule.backend_refs).map(|reference| &reference.target)
}

fn resolve(resource: &Resource, shop: &mut Workshop<'_>) -> Resolved {
    let from = referrer(KindName::TcpRoute, resource.namespace());
    Resolved::of(from, references(content(resource)), shop.resources, shop.book)
}

fn source(resource: &Resource) -> Option<RuleSource> {
    let Source { file, line: start } = resource.source.as_deref()?;
    let field = FieldPath::root().field("spec").field("rules").index(0);
    let below = resource.line_of(&field).unwrap_or(*start).saturating_sub(*start);
    Some(RuleSource { file: file.clone(), start: *start, below: [below].into() })
}
