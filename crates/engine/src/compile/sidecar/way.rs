//! Where connections of one Service lead: by its routes, or straight on where it has none.

use std::sync::Arc;

use super::Ways;
use super::products::Product;
use crate::compile::protection::Guard;
use crate::compile::references::ClusterKey;
use crate::compile::rules::RuleKey;
use crate::config::{
    Action, AddressRule, Backend, Backends, Carries, ClusterSlot, Origin, RateLimit, Rule, RuleSlot, Target,
    TcpAction, TcpRule, Timeouts, Validation,
};
use crate::matching::{
    Entry, HostMap, HostPattern, HostTable, Listener, ListenerTable, PathMatch, Requirements, Seniority,
};

/// Where connections lead.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// By routes of requests.
    Routes(Arc<Listener>),
    /// By a route of connections.
    Connections(Arc<TcpRule>),
    /// Straight on.
    Straight(Straight),
}

/// A way without a choice.
#[derive(Clone, Debug)]
pub(super) struct Straight {
    /// `namespace/service`, or the workload for calls that name no Service.
    place: Arc<str>,
    kind: &'static str,
    slot: RuleSlot,
    cluster: ClusterSlot,
    http: bool,
    addresses: Option<Arc<[AddressRule]>>,
    guard: Guard,
    rates: Option<Arc<[RateLimit]>>,
    validation: Option<Arc<Validation>>,
    /// Operations for which more is asked.
    products: Box<[Product]>,
}

/// For whom a straight way is laid.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// What tells it from all other ways; rules are counted by it.
    pub(super) unique: String,
    /// Kind of the object that is shown as its origin.
    pub(super) kind: &'static str,
    /// `namespace/name` of that object.
    pub(super) place: Arc<str>,
    /// From where they may come.
    pub(super) addresses: Option<Arc<[AddressRule]>>,
    /// What is asked of those who go that way.
    pub(super) guard: Guard,
    /// How often they may; connections that carry bytes are not counted.
    pub(super) rates: Option<Arc<[RateLimit]>>,
    /// What requests and answers must be like.
    pub(super) validation: Option<Arc<Validation>>,
    /// Operations for which more is asked.
    pub(super) products: Vec<Product>,
}

impl Way {
    /// A way straight to a cluster.
    pub(super) fn straight(label: Label, to: ClusterKey, http: bool, ways: &mut Ways<'_>) -> Way {
        let slot = RuleSlot(ways.slots.of((label.unique.into(), RuleKey::At(0))));
        let cluster = ways.book.slot(to);
        let Label { kind, place, addresses, guard, rates, validation, products, .. } = label;
        let products = products.into();
        Way::Straight(Straight {
            place,
            kind,
            slot,
            cluster,
            http,
            addresses,
            guard,
            rates,
            validation,
            products,
        })
    }

    /// Whether the two are the same, routes by pointer.
    pub(super) fn is(&self, other: &Way) -> bool {
        match (self, other) {
            (Way::Routes(mine), Way::Routes(theirs)) => Arc::ptr_eq(mine, theirs),
            (Way::Connections(mine), Way::Connections(theirs)) => Arc::ptr_eq(mine, theirs),
            (Way::Straight(mine), Way::Straight(theirs)) => mine.is(theirs),
            (Way::Routes(_) | Way::Connections(_) | Way::Straight(_), _) => false,
        }
    }

    /// The cluster that it leads to straight. What routes lead to is kept in use by them.
    pub(super) fn cluster(&self) -> Option<ClusterSlot> {
        match self {
            Way::Routes(_) | Way::Connections(_) => None,
            Way::Straight(straight) => Some(straight.cluster),
        }
    }

    pub(super) fn carries(&self) -> Carries {
        match self {
            Way::Routes(listener) => table(listener.clone()),
            Way::Connections(rule) => Carries::Tcp(rule.clone()),
            Way::Straight(straight) if straight.http => table(Arc::new(straight.listener())),
            Way::Straight(straight) => Carries::Tcp(Arc::new(TcpRule {
                slot: straight.slot,
                origin: straight.origin(),
                action: TcpAction::Forward(straight.backends()),
                addresses: straight.addresses.clone(),
                authorization: straight.guard.authorization.clone(),
            })),
        }
    }
}

impl Straight {
    fn is(&self, other: &Straight) -> bool {
        let Straight { place, kind, slot, cluster, http, addresses, guard, rates, validation, products } =
            self;
        *place == other.place
            && *kind == other.kind
            && *slot == other.slot
            && *cluster == other.cluster
            && *http == other.http
            && *addresses == other.addresses
            && *guard == other.guard
            && *rates == other.rates
            && *validation == other.validation
            && products.len() == other.products.len()
            && products.iter().zip(&other.products).all(|(mine, theirs)| mine.is(theirs))
    }

    fn origin(&self) -> Origin {
        Origin { kind: self.kind, route: self.place.clone(), rule: 0, matched: 0, name: None }
    }

    fn backends(&self) -> Backends {
        let only = Backend { weight: 1, target: Target::Cluster(self.cluster), filters: Vec::new() };
        Backends { choices: vec![only], weight_total: 1 }
    }

    /// A listener with one rule for all requests but those for operations of products.
    fn listener(&self) -> Listener {
        let rule = Rule {
            slot: self.slot,
            origin: self.origin(),
            filters: Vec::new(),
            action: Action::Forward(self.backends()),
            timeouts: Timeouts::default(),
            retry: None,
            fault: None,
            rates: self.rates.clone(),
            addresses: self.addresses.clone(),
            validation: self.validation.clone(),
            authentication: self.guard.authentication.clone(),
            authorizers: self.guard.authorizers.to_rule(),
            authorization: self.guard.authorization.clone(),
            transforms: None,
            access: None,
            operation: None,
        };
        let seniority =
            Seniority { created: i64::MAX, seen: 0, route: self.place.clone(), rule: 0, matched: 0 };
        let entry = Entry {
            hostname: HostPattern::Any,
            path: PathMatch::Prefix("/".into()),
            requirements: Requirements::default(),
            seniority: Arc::new(seniority),
            rule: Arc::new(rule),
        };
        let mut hosts = HostMap::default();
        let forward = || Action::Forward(self.backends());
        let around = (self.addresses.as_ref(), self.rates.as_ref());
        let mut entries: Vec<Entry> =
            self.products.iter().flat_map(|product| product.entries(around, forward)).collect();
        entries.push(entry);
        hosts.insert(&HostPattern::Any, Arc::new(HostTable::new(entries)));
        Listener { name: format!("{}/{}", self.kind, self.place).into(), hosts }
    }
}

fn table(listener: Arc<Listener>) -> Carries {
    Carries::Http(ListenerTable::new(vec![(HostPattern::Any, listener)]))
}
