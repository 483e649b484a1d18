//! What is known of DNS names.
//!
//! Kept by name and not by destination, so a destination that is given one more name keeps the addresses of the
//! others, and one name that cannot be resolved takes nothing from its neighbours.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use engine::config::{ClusterSlot, DnsEndpoint};

/// The names of every destination that has some.
pub(super) type Names = BTreeMap<ClusterSlot, Vec<DnsEndpoint>>;

/// Every name once.
pub(super) fn distinct(names: &Names) -> BTreeSet<DnsEndpoint> {
    names.values().flatten().cloned().collect()
}

/// The last answer for every name that was asked for; without addresses while there was none.
#[derive(Debug, Default)]
pub(super) struct Answers {
    last: HashMap<DnsEndpoint, Arc<[SocketAddr]>>,
}

impl Answers {
    /// Names that nobody has asked for yet.
    pub(super) fn unasked(&self, names: &Names) -> Vec<DnsEndpoint> {
        distinct(names).into_iter().filter(|name| !self.last.contains_key(name)).collect()
    }

    /// Takes in an answer. One without addresses, or none at all, leaves those that are known: a name server that
    /// is away must not take upstreams away with it.
    pub(super) fn take(&mut self, name: &DnsEndpoint, answer: Option<Vec<SocketAddr>>) {
        let answer = answer.unwrap_or_default();
        if !answer.is_empty() || !self.last.contains_key(name) {
            self.last.insert(name.clone(), answer.into());
        }
    }

    /// The addresses of all these names, sorted; empty while nothing is known.
    pub(super) fn addresses(&self, names: &[DnsEndpoint]) -> Vec<SocketAddr> {
        let known = names.iter().filter_map(|name| self.last.get(name));
        let mut all: Vec<SocketAddr> = known.flat_map(|addresses| addresses.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Forgets names that nobody uses any more.
    pub(super) fn retain(&mut self, names: &Names) {
        let used = distinct(names);
        self.last.retain(|name, _| used.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> DnsEndpoint {
        DnsEndpoint { name: name.into(), port: 80 }
    }

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 80))
    }

    #[test]
    fn a_name_is_new_until_it_was_asked_for_whatever_the_answer() {
        let names =
            Names::from([(ClusterSlot(0), vec![name("a"), name("b")]), (ClusterSlot(1), vec![name("a")])]);
        let mut answers = Answers::default();
        assert_eq!(answers.unasked(&names), [name("a"), name("b")]);

        answers.take(&name("a"), Some(vec![at(1)]));
        answers.take(&name("b"), None);

        assert_eq!(answers.unasked(&names), []);
    }

    #[test]
    fn what_cannot_be_resolved_now_keeps_its_addresses_and_takes_none_from_others() {
        let both = [name("a"), name("b")];
        let mut answers = Answers::default();
        answers.take(&name("a"), Some(vec![at(2), at(1)]));
        answers.take(&name("b"), None);
        assert_eq!(answers.addresses(&both), [at(1), at(2)]);

        answers.take(&name("b"), Some(vec![at(2), at(3)]));
        answers.take(&name("a"), None);
        answers.take(&name("b"), Some(Vec::new()));

        assert_eq!(answers.addresses(&both), [at(1), at(2), at(3)]);
    }

    #[test]
    fn a_name_that_nobody_uses_any_more_is_new_when_it_comes_back() {
        let names = Names::from([(ClusterSlot(0), vec![name("a")])]);
        let mut answers = Answers::default();
        answers.take(&name("a"), Some(vec![at(1)]));

        answers.retain(&Names::new());

        assert_eq!(answers.unasked(&names), [name("a")]);
        assert_eq!(answers.addresses(&[name("a")]), []);
    }
}
