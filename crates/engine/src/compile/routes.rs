//! What is kept of each route between compiles, and when it must be looked at again.
//!
//! A route is compiled from its own text and from where its references lead, and attached by the listeners
//! there are. Each of the three is remembered apart, so that a change elsewhere costs a comparison at most.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use model::kinds::KindName;
use model::kinds::http_route::HttpRoute;
use model::resources::Typed;
use model::{Resource, ResourceKey, Resources};

use super::apis::{self, ApiBook, Lowered};
use super::attach::{self, Attachment, Candidate};
use super::callers::Caller;
use super::changes::Change;
use super::clusters::ClusterBook;
use super::filters::ListenerSide;
use super::listeners::ListenerView;
use super::protection::{Door, Guard, PolicyBook, RoutePlace};
use super::references::{Destination, Resolved, of_http_route, referrer};
use super::resilience::{GatewaySide, ResilienceBook};
use super::rules::{self, RuleSlots, Template};
use super::service_parents;
use super::slots::Slots;
use super::tables::{Contribution, Tables};
use crate::config::{Action, ClusterSlot, Rule, RuleSlot, Sources};
use crate::status::{ObjectStatus, Reason};

/// All routes.
#[derive(Debug, Default)]
pub(super) struct Routes {
    by_key: BTreeMap<ResourceKey, RouteState>,
    numbers: Slots<ResourceKey>,
    pub(super) rule_slots: RuleSlots,
}

/// One route as it was compiled last.
#[derive(Debug)]
pub(super) struct RouteState {
    pub(super) resource: Arc<Resource>,
    /// The version of an API that was lowered to it.
    lowered: Option<Arc<Lowered>>,
    number: u32,
    resolved: Resolved,
    /// Its rules.
    rules: Box<[RuleSlot]>,
    /// Clusters this route keeps in use.
    held: Box<[ClusterSlot]>,
    /// Compiled rules by what they depend on of the listener; one entry where they depend on nothing.
    variants: Vec<(Depends, Arc<[Template]>)>,
    /// Rules as they were judged; the templates stand in `variants`.
    judged: rules::Compiled,
    pub(super) attachment: Attachment,
    pub(super) status: Arc<ObjectStatus>,
}

/// What of a listener the compiled rules of a route depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Depends {
    /// Port and scheme, where some filter asks for them.
    side: Option<ListenerSide>,
    /// The Gateway, where it shows backends a certificate of its own.
    caller: Option<Caller>,
    /// What policies for the Gateway say of its requests.
    says: GatewaySide,
    /// Who may come in there at all.
    door: Door,
}

/// What routes are compiled with.
pub(super) struct Workshop<'a> {
    pub(super) controller: &'a Arc<str>,
    pub(super) resources: &'a Resources,
    pub(super) views: &'a [ListenerView],
    pub(super) resilience: &'a ResilienceBook,
    pub(super) book: &'a mut ClusterBook,
    pub(super) tables: &'a mut Tables,
    pub(super) sources: &'a mut Arc<Sources>,
    pub(super) protection: &'a mut PolicyBook,
    pub(super) apis: &'a ApiBook,
    /// Whether the routes are served before somebody calls. Who may call is then decided where it comes in.
    pub(super) beside_the_caller: bool,
    /// Whether anybody is to run on what is compiled.
    pub(super) serves: bool,
}

/// What changed around the routes.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// Listeners or namespaces are different: every route must be attached again.
    pub(super) listeners: bool,
    /// ReferenceGrants are different.
    pub(super) grants: bool,
    /// Services and Backends that are different.
    pub(super) destinations: HashSet<Destination>,
    /// Routes, by namespace and name, of which policies say something else.
    pub(super) spoken_of: HashSet<(Arc<str>, Arc<str>)>,
    /// APIProducts, likewise.
    pub(super) products: HashSet<(Arc<str>, Arc<str>)>,
    /// Services of which it is said anew from where they may be reached.
    pub(super) kept: HashSet<Destination>,
    /// Policies about callers are different.
    pub(super) authorization: bool,
}

impl Around {
    /// Whether routes that did not change may have to be looked at.
    pub(super) fn concerns_routes(&self) -> bool {
        let quiet = self.destinations.is_empty()
            && self.spoken_of.is_empty()
            && self.products.is_empty()
            && self.kept.is_empty();
        self.listeners || self.grants || self.authorization || !quiet
    }

    /// Whether references of a route of this namespace may lead elsewhere now.
    pub(super) fn concerns(&self, resolved: &Resolved, namespace: &str) -> bool {
        (self.grants && resolved.crosses(namespace))
            || resolved.destinations(namespace).any(|place| self.destinations.contains(&place))
    }

    /// Whether a route of this namespace leads to a Service of which it is said anew from where it may be reached.
    pub(super) fn keeps(&self, resolved: &Resolved, namespace: &str) -> bool {
        !self.kept.is_empty() && resolved.destinations(namespace).any(|place| self.kept.contains(&place))
    }
}

impl Routes {
    /// Brings all routes up to date.
    pub(super) fn update(&mut self, mut changes: Vec<Change>, around: &Around, shop: &mut Workshop<'_>) {
        changes.retain(|change| !self.follow_move(change, shop));
        let changed: HashSet<&ResourceKey> =
            changes.iter().flat_map(Change::sides).map(|resource| &resource.key).collect();
        if around.concerns_routes() {
            for state in self.by_key.values_mut().filter(|state| !changed.contains(&state.resource.key)) {
                state.reconsider(around, &mut self.rule_slots, shop);
            }
        }
        for change in &changes {
            let old = change.before.as_ref().and_then(|resource| self.by_key.remove(&resource.key));
            let new = change.after.as_ref().map(|resource| self.compile(resource, old.as_ref(), shop));
            if let Some(old) = old {
                old.leave(new.as_ref(), shop);
            }
            if let Some(new) = new {
                self.by_key.insert(new.resource.key.clone(), new);
            }
        }
    }

    /// Takes over the lines of a route that only stands elsewhere in its file now.
    fn follow_move(&mut self, change: &Change, shop: &mut Workshop<'_>) -> bool {
        let Some(after) = change.after.as_ref().filter(|_| change.is_move()) else { return false };
        let Some(state) = self.by_key.get_mut(&after.key) else { return false };
        if shop.apis.lowered(&after.key).is_some() {
            return false; // what an API is made of may be another although the route is the same
        }
        state.resource = after.clone();
        if let Some(source) = &after.source {
            let sources = Arc::make_mut(shop.sources);
            state.rules.iter().for_each(|rule| sources.start_at(*rule, source.line));
        }
        true
    }

    fn compile(
        &mut self,
        resource: &Arc<Resource>,
        old: Option<&RouteState>,
        shop: &mut Workshop<'_>,
    ) -> RouteState {
        let number = match old {
            Some(old) => old.number,
            None => self.numbers.of(resource.key.clone()),
        };
        let content = resource.content::<HttpRoute>().expect("the shelf of HTTPRoutes holds HTTPRoutes");
        let resolved = resolve(resource, content, shop);
        let mut state = RouteState {
            resource: resource.clone(),
            lowered: shop.apis.lowered(&resource.key).cloned(),
            number,
            resolved,
            rules: Box::default(),
            held: Box::default(),
            variants: Vec::new(),
            judged: rules::Compiled::default(),
            attachment: Attachment::default(),
            status: Arc::new(ObjectStatus::Route(Default::default())),
        };
        state.judge(&mut self.rule_slots, shop);
        state.attachment = attach::attach(state.candidate(), shop.views, shop.resources);
        state.enter(&mut self.rule_slots, shop);
        state.tell_lines(&mut self.rule_slots, shop);
        state
    }

    /// Every route in the order of keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RouteState> {
        self.by_key.values()
    }
}

fn resolve(resource: &Resource, route: &HttpRoute, shop: &mut Workshop<'_>) -> Resolved {
    let is_api = shop.apis.lowered(&resource.key).is_some();
    let from = referrer(if is_api { apis::REFERRER } else { KindName::HttpRoute }, resource.namespace());
    Resolved::of(from, of_http_route(route), shop.resources, shop.book)
}

fn told<'a>(shop: &Workshop<'a>, gateway: &'a GatewaySide, lowered: Option<&'a Lowered>) -> rules::Told<'a> {
    rules::Told { resilience: shop.resilience, gateway, lowered, beside_the_caller: shop.beside_the_caller }
}

/// Writes into rules from where the Services may be reached that they lead to.
fn keep(templates: &mut [Template], shop: &Workshop<'_>) {
    if shop.beside_the_caller || !shop.resilience.keeps_services() {
        return;
    }
    for template in templates {
        let Action::Forward(backends) = &template.rule.action else { continue };
        let said = template.rule.addresses.clone();
        let said = shop.resilience.addresses_towards(said, backends, shop.book, shop.resources);
        if let Some(rule) = Arc::get_mut(&mut template.rule) {
            rule.addresses = said;
        }
    }
}

impl RouteState {
    fn typed(&self) -> Typed<'_, HttpRoute> {
        let content = self.resource.content::<HttpRoute>().expect("the shelf of HTTPRoutes holds HTTPRoutes");
        Typed { resource: &self.resource, content }
    }

    fn candidate(&self) -> Candidate<'_> {
        let spec = &self.typed().content.spec;
        Candidate {
            kind: KindName::HttpRoute,
            resource: &self.resource,
            parents: &spec.parent_refs,
            hostnames: &spec.hostnames,
        }
    }

    /// Compiles the rules as a plain listener would have them, which tells all that is wrong with them.
    fn judge(&mut self, slots: &mut RuleSlots, shop: &mut Workshop<'_>) {
        let plain = ListenerSide { port: 80, https: false };
        let says = GatewaySide::default();
        let lowered = self.lowered.clone();
        let told = told(shop, &says, lowered.as_deref());
        let mut judged = rules::compile(self.typed(), &self.resolved, plain, told, slots);
        let mut templates = std::mem::take(&mut judged.templates);
        self.judged = judged;
        if !shop.serves {
            return;
        }
        let side = rules::depend_on_listener(self.typed().content).then_some(plain);
        let depends = Depends { side, caller: None, says, door: Door::default() };
        self.protect(&mut templates, &depends.door, shop);
        self.variants = vec![(depends, templates.into())];
    }

    fn tell_lines(&mut self, slots: &mut RuleSlots, shop: &mut Workshop<'_>) {
        if !shop.serves {
            return;
        }
        let all = Arc::make_mut(shop.sources);
        let lines = rules::sources(self.typed(), slots);
        self.rules = lines.iter().map(|(rule, _)| *rule).collect();
        lines.into_iter().for_each(|(rule, source)| all.put(rule, source));
    }

    /// Looks again at what may be different because of changes elsewhere.
    fn reconsider(&mut self, around: &Around, slots: &mut RuleSlots, shop: &mut Workshop<'_>) {
        let place: (Arc<str>, Arc<str>) = (self.resource.namespace().into(), self.resource.key.name.to_arc());
        let mut rules_changed = around.spoken_of.contains(&place)
            || self.is_in(&around.products)
            || around.keeps(&self.resolved, &place.0);
        if rules_changed {
            self.judge(slots, shop);
        }
        if around.concerns(&self.resolved, self.resource.namespace()) {
            let resolved = resolve(&self.resource, self.typed().content, shop);
            // The name of a Service's port may be what a policy goes by.
            if resolved != self.resolved || shop.resilience.keeps_services() {
                self.resolved = resolved;
                self.judge(slots, shop);
                rules_changed = true;
            }
        }
        // The name of a Service's port may be what a policy goes by.
        let protection = around.authorization || !around.destinations.is_empty();
        if protection && !shop.protection.is_idle() || around.authorization {
            rules_changed |= self.reprotect(shop);
        }
        let parents =
            service_parents::named(self.resource.namespace(), &self.typed().content.spec.parent_refs);
        let parents = parents.into_iter().any(|place| around.destinations.contains(&place));
        if !rules_changed && !around.listeners && !parents {
            return;
        }
        let attachment = attach::attach(self.candidate(), shop.views, shop.resources);
        let old = std::mem::replace(&mut self.attachment, attachment);
        for place in old.places.iter().filter(|place| !self.stands_at(place)) {
            shop.tables.take(&place.listener, &place.host, self.number);
        }
        self.enter(slots, shop);
    }

    /// Whether an operation of it is part of one of these products.
    fn is_in(&self, products: &HashSet<(Arc<str>, Arc<str>)>) -> bool {
        let namespace = self.resource.namespace();
        let named =
            self.lowered.iter().flat_map(|lowered| &lowered.rules).flat_map(|rule| rule.products.iter());
        !products.is_empty()
            && named.into_iter().any(|name| products.contains(&(namespace.into(), name.clone())))
    }

    /// Takes its places in the tables and writes its status.
    fn enter(&mut self, slots: &mut RuleSlots, shop: &mut Workshop<'_>) {
        let mut callers: Vec<Option<Caller>> = Vec::new();
        let mut said: Vec<GatewaySide> = vec![GatewaySide::default()];
        let mut doors: Vec<Door> = Vec::new();
        for at in 0..self.attachment.places.len() {
            let place = self.attachment.places[at].clone();
            let view = shop.views.iter().find(|view| view.unique == place.listener);
            let view = view.expect("routes attach to listeners there are");
            if !callers.contains(&view.caller) {
                callers.push(view.caller.clone());
            }
            if !said.contains(&view.says) {
                said.push(view.says.clone());
            }
            let door = shop.protection.door(view);
            if !doors.contains(&door) {
                doors.push(door);
            }
            if !shop.serves {
                continue;
            }
            let templates = self.variant(view, slots, shop);
            shop.tables.put(
                &place.listener,
                &place.host,
                self.number,
                Contribution { own: place.own, templates },
            );
        }
        self.hold(&callers, &doors, shop.book);
        self.variants.retain(|(depends, _)| said.contains(&depends.says));
        let mut unresolved: Vec<(Reason, String)> = self.resolved.problems().collect();
        let missing = self.lowered.iter().flat_map(|lowered| &lowered.missing);
        unresolved.extend(missing.map(|why| (Reason::TargetNotFound, why.clone())));
        let generation = self.resource.meta.generation;
        let status = self.attachment.status(shop.controller, generation, &self.judged, &unresolved);
        self.status = Arc::new(ObjectStatus::Route(status));
    }

    fn variant(
        &mut self,
        view: &ListenerView,
        slots: &mut RuleSlots,
        shop: &mut Workshop<'_>,
    ) -> Arc<[Template]> {
        let side = ListenerSide { port: view.port, https: view.tls };
        let depends = Depends {
            side: rules::depend_on_listener(self.typed().content).then_some(side),
            caller: view.caller.clone(),
            says: view.says.clone(),
            door: shop.protection.door(view),
        };
        if let Some((_, templates)) = self.variants.iter().find(|(known, _)| *known == depends) {
            return templates.clone();
        }
        let resolved = self.reached_by(view.caller.as_ref(), shop.book);
        let lowered = self.lowered.clone();
        let told = told(shop, &view.says, lowered.as_deref());
        let mut compiled = rules::compile(self.typed(), &resolved, side, told, slots);
        self.protect(&mut compiled.templates, &depends.door, shop);
        let templates: Arc<[Template]> = compiled.templates.into();
        self.variants.push((depends, templates.clone()));
        templates
    }

    /// Writes into rules that were just compiled what is asked of callers.
    fn protect(&self, templates: &mut [Template], door: &Door, shop: &mut Workshop<'_>) {
        keep(templates, shop);
        if shop.protection.is_idle() && self.lowered.is_none() {
            return;
        }
        for template in templates {
            let guard = self.guard(&template.rule, door, shop);
            if let Some(rule) = Arc::get_mut(&mut template.rule) {
                rule.authentication = guard.authentication;
                rule.authorizers = guard.authorizers.to_rule();
                rule.authorization = guard.authorization;
                rule.access = guard.access;
                if shop.beside_the_caller {
                    rule.operation =
                        rule.operation.as_deref().map(|operation| Arc::new(operation.uncounted()));
                }
            }
        }
    }

    fn guard(&self, rule: &Rule, door: &Door, shop: &mut Workshop<'_>) -> Guard {
        if shop.beside_the_caller {
            return Guard::default();
        }
        let (namespace, name) = (self.resource.namespace().into(), self.resource.key.name.to_arc());
        let kind = if self.lowered.is_some() { KindName::ApiVersion } else { KindName::HttpRoute };
        let lowered =
            self.lowered.as_ref().and_then(|lowered| lowered.rules.get(usize::from(rule.origin.rule)));
        let products = lowered.map_or(&[][..], |lowered| &lowered.products);
        let place = RoutePlace { kind, namespace: &namespace, name: &name, products };
        let guard = shop.protection.of_rule(door, place, rule, shop.book, shop.resources);
        match lowered {
            Some(lowered) => guard.admitting(lowered.access.as_ref(), shop.apis.usual_credentials()),
            None => guard,
        }
    }

    /// Forgets rules that somebody else may ask by now. Returns whether its places must be taken anew.
    fn reprotect(&mut self, shop: &mut Workshop<'_>) -> bool {
        let mut variants = std::mem::take(&mut self.variants);
        let before = variants.len();
        variants.retain(|(depends, templates)| {
            templates
                .iter()
                .all(|template| self.guard(&template.rule, &depends.door, shop) == Guard::of(&template.rule))
        });
        self.variants = variants;
        let doors: Vec<Door> = shop
            .views
            .iter()
            .filter(|view| self.stands_in(view))
            .map(|view| shop.protection.door(view))
            .collect();
        let known = |door: &Door| self.variants.iter().any(|(depends, _)| depends.door == *door);
        self.variants.len() < before || !doors.iter().all(known)
    }

    fn stands_in(&self, view: &ListenerView) -> bool {
        self.attachment.places.iter().any(|place| place.listener == view.unique)
    }

    fn reached_by(&self, caller: Option<&Caller>, book: &mut ClusterBook) -> Cow<'_, Resolved> {
        match caller {
            None => Cow::Borrowed(&self.resolved),
            Some(caller) => Cow::Owned(self.resolved.reached_by(caller, book)),
        }
    }

    /// Keeps in use what these callers reach, and nothing else. A route that is attached nowhere is as one that
    /// is reached without a certificate. Rules compiled for callers that are gone are forgotten.
    fn hold(&mut self, callers: &[Option<Caller>], doors: &[Door], book: &mut ClusterBook) {
        let callers = if callers.is_empty() { &[None][..] } else { callers };
        let mut wanted: Vec<ClusterSlot> = Vec::new();
        for caller in callers {
            wanted.extend(self.reached_by(caller.as_ref(), book).clusters());
        }
        wanted.iter().for_each(|slot| book.retain(*slot));
        std::mem::replace(&mut self.held, wanted.into()).into_iter().for_each(|slot| book.release(slot));
        self.variants.retain(|(depends, _)| depends.caller.is_none() || callers.contains(&depends.caller));
        let plain = Door::default();
        self.variants.retain(|(depends, _)| depends.door == plain || doors.contains(&depends.door));
    }

    /// Gives up what a newer version of the route does not hold.
    fn leave(self, newer: Option<&RouteState>, shop: &mut Workshop<'_>) {
        self.held.iter().for_each(|slot| shop.book.release(*slot));
        let lost = self.rules.iter().filter(|rule| !newer.is_some_and(|newer| newer.rules.contains(rule)));
        let sources = Arc::make_mut(shop.sources);
        lost.for_each(|rule| sources.put(*rule, None));
        let gone =
            self.attachment.places.iter().filter(|place| !newer.is_some_and(|newer| newer.stands_at(place)));
        for place in gone {
            shop.tables.take(&place.listener, &place.host, self.number);
        }
    }

    fn stands_at(&self, place: &attach::Place) -> bool {
        self.attachment.places.iter().any(|mine| mine.listener == place.listener && mine.host == place.host)
    }

    /// The object as somebody wrote it.
    pub(super) fn written(&self) -> &Arc<Resource> {
        self.lowered.as_ref().map_or(&self.resource, |lowered| &lowered.version)
    }

    pub(super) fn clusters(&self) -> impl Iterator<Item = ClusterSlot> + '_ {
        self.resolved.clusters()
    }

    /// Whether the route counts as attached.
    pub(super) fn is_accepted(&self) -> bool {
        !attach::nothing_works(&self.judged)
    }
}
