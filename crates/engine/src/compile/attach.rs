//! Which listeners take a route, and what is said about it at each of its parents.

use std::sync::Arc;

use model::kinds::references::ParentRef;
use model::kinds::{GATEWAY_GROUP, KindName};
use model::names::Hostname;
use model::{Resource, Resources};

use super::listeners::{ListenerView, ParentKind, RouteSource};
use super::rules;
use super::service_parents;
use crate::matching::HostPattern;
use crate::status::{Condition, ConditionType, ParentStatus, Reason, RouteStatus};

/// A route as its parents see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'r> {
    pub(super) kind: KindName,
    pub(super) resource: &'r Resource,
    pub(super) parents: &'r [ParentRef],
    /// Empty for kinds that know no hosts, too.
    pub(super) hostnames: &'r [Hostname],
}

/// A host of a listener that a route serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Position in the list of listeners.
    pub(super) listener: Arc<str>,
    /// What listener and route have in common.
    pub(super) host: HostPattern,
    /// The route's own hostname that led here.
    pub(super) own: HostPattern,
}

/// What became of one parentRef.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) parent: ParentRef,
    /// Listeners that take the route, or why none does.
    pub(super) outcome: Result<Vec<Arc<str>>, (Reason, String)>,
}

/// Everything about a route's parents.
#[derive(Debug, Default)]
pub(super) struct Attachment {
    pub(super) parents: Vec<Attached>,
    pub(super) places: Vec<Place>,
}

/// Finds the listeners of a route. Parents that another controller looks after are left out.
pub(super) fn attach(route: Candidate<'_>, views: &[ListenerView], resources: &Resources) -> Attachment {
    let mut attachment = Attachment::default();
    for parent in route.parents {
        let namespace = parent.namespace.as_deref().unwrap_or(route.resource.namespace());
        if *parent.group == *GATEWAY_GROUP && *parent.kind == *"Gateway" {
            let mine: Vec<&ListenerView> = views
                .iter()
                .filter(|view| view.parent == ParentKind::Gateway)
                .filter(|view| *view.namespace == *namespace && view.gateway == parent.name)
                .collect();
            let exists = resources.gateway(namespace, &parent.name).is_some();
            if mine.is_empty() && exists {
                continue;
            }
            let outcome = choose(route, parent, namespace, &mine, resources);
            let taken = outcome.as_ref().map_or(&[][..], |taken| taken.as_slice());
            for view in taken {
                attachment.places.extend(places(route.hostnames, view));
            }
            let outcome = outcome.map(|taken| taken.iter().map(|view| view.unique.clone()).collect());
            attachment.parents.push(Attached { parent: parent.clone(), outcome });
        } else if service_parents::is_service(parent) {
            let outcome = service_parents::choose(parent, route.kind, namespace, views, resources);
            let taken: Vec<&ListenerView> = match &outcome {
                Ok(named) => named
                    .iter()
                    .copied()
                    .filter(|view| allows(view, route.kind, route.resource.namespace(), resources))
                    .collect(),
                Err(_) => Vec::new(),
            };
            attachment.places.extend(taken.iter().map(|view| service_parents::place(view)));
            let outcome = outcome.map(|_| taken.iter().map(|view| view.unique.clone()).collect());
            attachment.parents.push(Attached { parent: parent.clone(), outcome });
        } else {
            let message = format!("parents of kind `{}` are not supported", parent.kind);
            let outcome = Err((Reason::NoMatchingParent, message));
            attachment.parents.push(Attached { parent: parent.clone(), outcome });
        }
    }
    settle(&mut attachment.places);
    attachment
}

fn choose<'v>(
    route: Candidate<'_>,
    parent: &ParentRef,
    namespace: &str,
    mine: &[&'v ListenerView],
    resources: &Resources,
) -> Result<Vec<&'v ListenerView>, (Reason, String)> {
    let shown = format!("{namespace}/{}", parent.name);
    if mine.is_empty() {
        return Err((Reason::NoMatchingParent, format!("no Gateway `{shown}` exists")));
    }
    let named: Vec<&ListenerView> = mine
        .iter()
        .copied()
        .filter(|view| parent.section_name.as_ref().is_none_or(|section| *section == view.name))
        .filter(|view| parent.port.is_none_or(|port| port == view.port))
        .collect();
    if named.is_empty() {
        let names: Vec<&str> = mine.iter().map(|view| &*view.name).collect();
        let message = format!("Gateway `{shown}` has no such listener; it has: {}", names.join(", "));
        return Err((Reason::NoMatchingParent, message));
    }
    let from = route.resource.namespace();
    let allowed: Vec<&ListenerView> =
        named.into_iter().filter(|view| allows(view, route.kind, from, resources)).collect();
    if allowed.is_empty() {
        let kind = route.kind;
        let message = format!("no listener of Gateway `{shown}` takes {kind}s from namespace `{from}`");
        return Err((Reason::NotAllowedByListeners, message));
    }
    let fitting: Vec<&ListenerView> =
        allowed.into_iter().filter(|view| places(route.hostnames, view).next().is_some()).collect();
    if fitting.is_empty() {
        let message = format!("no hostname of the route fits a listener of Gateway `{shown}`");
        return Err((Reason::NoMatchingListenerHostname, message));
    }
    Ok(fitting)
}

fn allows(view: &ListenerView, kind: KindName, from: &str, resources: &Resources) -> bool {
    view.takes.contains(&kind)
        && match &view.from {
            RouteSource::All => true,
            RouteSource::Same => *view.namespace == *from,
            RouteSource::Nowhere => false,
            RouteSource::Selector(selector) => selector.matches(&resources.namespace_labels(from)),
            RouteSource::Only(namespace) => **namespace == *from,
        }
}

fn places<'a>(hostnames: &'a [Hostname], view: &'a ListenerView) -> impl Iterator<Item = Place> + 'a {
    let none = hostnames.is_empty().then_some(HostPattern::Any);
    let own = hostnames.iter().map(|hostname| HostPattern::new(Some(hostname.as_str())));
    own.chain(none).filter_map(|own| {
        let host = own.intersect(&view.hostname)?;
        Some(Place { listener: view.unique.clone(), host, own })
    })
}

/// A route comes to each host of a listener once, by the most specific of its hostnames.
fn settle(places: &mut Vec<Place>) {
    places.sort_by(|left, right| {
        let order = (&left.listener, &left.host).cmp(&(&right.listener, &right.host));
        order.then_with(|| right.own.specificity().cmp(&left.own.specificity()))
    });
    places.dedup_by(|later, kept| later.listener == kept.listener && later.host == kept.host);
}

impl Attachment {
    /// The status of the route.
    pub(super) fn status(
        &self,
        controller: &Arc<str>,
        generation: u64,
        rules: &rules::Compiled,
        unresolved: &[(Reason, String)],
    ) -> RouteStatus {
        let of_rules = rule_conditions(generation, rules, unresolved);
        let parents = self.parents.iter().map(|attached| ParentStatus {
            parent_ref: attached.parent.clone(),
            controller_name: controller.clone(),
            conditions: attached.conditions(generation, rules, &of_rules),
        });
        RouteStatus { parents: parents.collect() }
    }

    /// Whether traffic comes through some parent.
    pub(super) fn listeners(&self) -> impl Iterator<Item = &Arc<str>> {
        self.parents.iter().filter_map(|attached| attached.outcome.as_ref().ok()).flatten()
    }
}

impl Attached {
    fn conditions(&self, generation: u64, rules: &rules::Compiled, of_rules: &[Condition]) -> Vec<Condition> {
        let accepted = match &self.outcome {
            Err((reason, text)) => Condition::no(ConditionType::Accepted, *reason, text, generation),
            Ok(_) if nothing_works(rules) => {
                let text = sentences(rules);
                Condition::no(ConditionType::Accepted, Reason::UnsupportedValue, text, generation)
            }
            Ok(_) => Condition::yes(ConditionType::Accepted, Reason::Accepted, generation)
                .saying(rules.ignored.join("; ")),
        };
        std::iter::once(accepted).chain(of_rules.iter().cloned()).collect()
    }
}

/// Whether no match of the route can do what it says, for reasons of values.
pub(super) fn nothing_works(rules: &rules::Compiled) -> bool {
    rules.workable == 0 && rules.unworkable.iter().any(|problem| problem.reason == Reason::UnsupportedValue)
}

fn sentences(rules: &rules::Compiled) -> String {
    let texts = rules.unworkable.iter().filter(|problem| problem.reason == Reason::UnsupportedValue);
    texts.map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ")
}

fn rule_conditions(
    generation: u64,
    rules: &rules::Compiled,
    unresolved: &[(Reason, String)],
) -> Vec<Condition> {
    let filters = rules.unworkable.iter().filter(|problem| problem.reason == Reason::InvalidKind);
    let mut broken: Vec<(Reason, String)> = unresolved.to_vec();
    broken.extend(filters.map(|problem| (problem.reason, problem.message.clone())));
    let resolved = match super::listeners::join(broken) {
        None => Condition::yes(ConditionType::ResolvedRefs, Reason::ResolvedRefs, generation),
        Some((reason, text)) => Condition::no(ConditionType::ResolvedRefs, reason, text, generation),
    };
    let text = sentences(rules);
    let partly = (!text.is_empty() && !nothing_works(rules)).then(|| {
        Condition::yes(ConditionType::PartiallyInvalid, Reason::UnsupportedValue, generation)
            .saying(format!("Dropped Rule(s): {text}"))
    });
    std::iter::once(resolved).chain(partly).collect()
}
