//! All matches that serve one host of one listener, in the order Gateway API gives them.
//!
//! Routes may come to the same host by different hostnames of their own: on a listener for
//! `shop.example.com`, one says so and another says `*.example.com`. The one that says it more exactly is
//! asked first and the others stand behind it, in tiers; nearly every host has a single tier.

use std::cmp::Reverse;
use std::sync::Arc;

use super::field::Requirements;
use super::host_map::HostPattern;
use super::paths::{PathMatch, PathTable};
use crate::config::Rule;
use crate::request::{HeaderView, RequestView};

/// One match of one rule.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The route's own hostname by which it serves this host.
    pub hostname: HostPattern,
    /// What the path must be.
    pub path: PathMatch,
    /// What else must hold.
    pub requirements: Requirements,
    /// Who wins among equals.
    pub seniority: Arc<Seniority>,
    /// What happens then.
    pub rule: Arc<Rule>,
}

/// Order among matches that demand equally much; smaller wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seniority {
    /// When the route was created, in seconds since 1970; `i64::MAX` when it does not say.
    pub created: i64,
    /// Among routes that do not say: the order in which they were first seen. 0 for the others.
    pub seen: u64,
    /// `namespace/name`.
    pub route: Arc<str>,
    /// Position of the rule in the route.
    pub rule: u16,
    /// Position of the match in the rule.
    pub matched: u16,
}

/// Everything that serves one host.
#[derive(Debug)]
pub struct HostTable {
    tiers: Vec<PathTable>,
}

impl HostTable {
    /// Builds the table from entries in any order.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|left, right| precedence(left).cmp(&precedence(right)));
        let mut tiers = Vec::with_capacity(1); // one for each hostname, and mostly there is only one
        let mut rest = entries.into_iter().peekable();
        while let Some(first) = rest.next() {
            let hostname = first.hostname.clone();
            let mut tier = vec![first];
            tier.extend(std::iter::from_fn(|| rest.next_if(|entry| entry.hostname == hostname)));
            tiers.push(PathTable::new(tier));
        }
        HostTable { tiers }
    }

    /// The entry that answers a request.
    #[must_use]
    pub fn find<H: HeaderView>(&self, request: &RequestView<'_, H>) -> Option<&Entry> {
        self.tiers.iter().find_map(|tier| tier.find(request))
    }

    /// Every entry; for explanations and dumps.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.tiers.iter().flat_map(PathTable::entries)
    }
}

/// The order within one path. Own hostname first, to bring tiers together.
fn precedence(entry: &Entry) -> impl Ord + '_ {
    (Reverse(entry.hostname.specificity()), &entry.hostname, entry.requirements.rank(), &entry.seniority)
}
