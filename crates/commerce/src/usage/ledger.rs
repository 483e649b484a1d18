//! The ledger as a value: what is kept of what gateways tell. A store does the same with rows, and is held to it.

use std::collections::BTreeMap;

use super::{Boot, Counts, Window};

/// What one number is about. Workers of a gateway count apart (`shard`), so that none of them ever sees its own number
/// become smaller because another one has been heard already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place<Series> {
    /// The gateway, between two starts.
    pub boot: Boot,
    /// The worker.
    pub shard: u16,
    /// When.
    pub window: Window,
    /// What was called, and by whom.
    pub series: Series,
}

/// Everything that gateways have told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger<Series> {
    counts: BTreeMap<Place<Series>, Counts>,
    /// Before that, everything of a gateway is here.
    watermarks: BTreeMap<Boot, Window>,
}

impl<Series> Default for Ledger<Series> {
    fn default() -> Self {
        Ledger { counts: BTreeMap::new(), watermarks: BTreeMap::new() }
    }
}

impl<Series: Ord + Clone> Ledger<Series> {
    /// Hears what a gateway tells of one place.
    pub fn hear(&mut self, place: Place<Series>, told: &Counts) {
        self.counts.entry(place).or_default().hear(told);
    }

    /// Hears that everything of a gateway before a window has been told, and was heard.
    pub fn seal(&mut self, boot: Boot, before: Window) {
        let known = self.watermarks.entry(boot).or_default();
        *known = (*known).max(before);
    }

    /// Whether a place will not change any more.
    #[must_use]
    pub fn is_sealed(&self, place: &Place<Series>) -> bool {
        self.watermarks.get(&place.boot).is_some_and(|before| place.window < *before)
    }

    /// Before that everything of every gateway is here; `None` when no gateway was heard of.
    #[must_use]
    pub fn watermark(&self) -> Option<Window> {
        self.watermarks.values().min().copied()
    }

    /// Everything that was told.
    pub fn counts(&self) -> impl Iterator<Item = (&Place<Series>, &Counts)> {
        self.counts.iter()
    }

    /// The sum of what a rule picks.
    #[must_use]
    pub fn sum(&self, pick: impl Fn(&Place<Series>) -> bool) -> Counts {
        let mut sum = Counts::default();
        self.counts().filter(|(place, _)| pick(place)).for_each(|(_, counts)| sum.add(counts));
        sum
    }
}
