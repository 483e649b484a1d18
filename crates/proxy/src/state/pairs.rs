//! Traffic of the mesh by who called whom, so that who depends on whom can be seen without reading a log.
//!
//! A connection of a caller looks its counters up once, in its handshake, and an endpoint when it is first asked; a
//! request then adds to cells of its own worker. There are as many as there are pairs of identities that have met, and
//! never more than `MESH_PAIRS_MAX`: the rest is counted together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::spiffe::SpiffeId;

use super::metrics::{ConnectionCells, RuleCells};
use crate::limits::MESH_PAIRS_MAX;

/// Who called whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    /// Which of the two counts.
    pub side: Side,
    /// Who called.
    pub source: SpiffeId,
    /// Who was called.
    pub destination: SpiffeId,
    /// What was asked for, `namespace/service:port`.
    pub service: Arc<str>,
}

/// Which end of a connection counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The proxy of the caller.
    Source,
    /// The proxy of the called.
    Destination,
}

impl Side {
    /// As a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::Source => "source",
            Side::Destination => "destination",
        }
    }
}

/// What is counted of a pair.
#[derive(Debug, Default)]
pub struct PairCells {
    /// Its requests.
    pub requests: RuleCells,
    /// Its connections that carry bytes.
    pub connections: ConnectionCells,
}

/// The pairs that one worker has seen.
#[derive(Debug, Default)]
pub struct Pairs {
    known: Mutex<HashMap<Pair, Arc<PairCells>>>,
    others: Arc<PairCells>,
}

impl Pairs {
    /// The counters of a pair; those past the limit share one.
    pub fn of(&self, pair: Pair) -> Arc<PairCells> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cells) = known.get(&pair) {
            return cells.clone();
        }
        if known.len() >= MESH_PAIRS_MAX {
            return self.others.clone();
        }
        known.entry(pair).or_default().clone()
    }

    /// Every pair with its counters, and whether a connection of it is open: whoever has one holds them.
    pub fn named(&self) -> Vec<(Pair, Arc<PairCells>, bool)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = |cells: &Arc<PairCells>| Arc::strong_count(cells) > 1;
        known.iter().map(|(pair, cells)| (pair.clone(), cells.clone(), is_held(cells))).collect()
    }

    /// Shows every pair, and then all others together, without names.
    pub fn each(&self, mut show: impl FnMut(Option<&Pair>, &PairCells)) {
        for (pair, cells) in self.known.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            show(Some(pair), cells);
        }
        show(None, &self.others);
    }
}

/// `namespace/service:port` of a server name of the mesh, `port.service.namespace.svc.trust-domain`; the name itself
/// when it is not one.
#[must_use]
pub fn service_named_by(server_name: &str) -> Arc<str> {
    let mut labels = server_name.split('.');
    match (labels.next(), labels.next(), labels.next()) {
        (Some(port), Some(service), Some(namespace)) => format!("{namespace}/{service}:{port}").into(),
        _ => server_name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(number: usize) -> Pair {
        Pair {
            side: Side::Destination,
            source: format!("spiffe://a/ns/b/sa/c{number}").parse().unwrap(),
            destination: "spiffe://a/ns/b/sa/d".parse().unwrap(),
            service: "b/d:80".into(),
        }
    }

    #[test]
    fn pairs_past_the_limit_are_counted_together() {
        let pairs = Pairs::default();
        for number in 0..MESH_PAIRS_MAX + 2 {
            pairs.of(pair(number)).requests.statuses[1].add(1);
        }
        pairs.of(pair(0)).requests.statuses[1].add(1);

        let (mut named, mut others) = (0, 0);
        pairs.each(|pair, cells| match pair {
            Some(_) => named += cells.requests.statuses[1].get(),
            None => others += cells.requests.statuses[1].get(),
        });
        assert_eq!((named, others), (MESH_PAIRS_MAX as u64 + 1, 2));
    }

    #[test]
    fn a_service_is_named_as_people_name_it() {
        assert_eq!(&*service_named_by("8080.cart.shop.svc.bank.example"), "shop/cart:8080");
        assert_eq!(&*service_named_by("cart"), "cart");
    }
}
