//! The gateway's side: what was lent to it, and what it has spent of that.

use std::borrow::Borrow;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Told, WhenUnknown};

/// What a gateway holds of one quota in one period. Workers share it without a lock: they charge, while one thread
/// alone talks to the coordinator ([`told`](Lease::told), [`lend`](Lease::lend), [`give_back`](Lease::give_back)).
///
/// What is spent can be counted where it survives the process; then the next start can tell it.
#[derive(Debug)]
pub struct Lease<Counter = AtomicU64> {
    /// Lent so far, all of it together.
    lent: AtomicU64,
    /// Spent so far.
    spent: Counter,
    /// Given back so far.
    given_back: AtomicU64,
    /// What was lent the last time; a refill is due when little of it is left.
    last: AtomicU64,
}

/// What became of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Admitted out of the lease.
    Taken {
        /// Whether it is time to ask for more, in the background.
        refill: bool,
    },
    /// Admitted beyond the lease, because the coordinator cannot be asked.
    Beyond,
    /// Not covered by what was lent.
    Empty,
}

impl Default for Lease {
    fn default() -> Lease {
        Lease::counting_in(AtomicU64::default())
    }
}

impl<Counter: Borrow<AtomicU64>> Lease<Counter> {
    /// Nothing was lent yet; what is spent is counted in here, from zero.
    #[must_use]
    pub fn counting_in(spent: Counter) -> Lease<Counter> {
        let nothing = AtomicU64::default;
        Lease { lent: nothing(), spent, given_back: nothing(), last: nothing() }
    }

    fn spent(&self) -> &AtomicU64 {
        self.spent.borrow()
    }

    /// Charges `cost` at admission. Either all of it or nothing.
    pub fn take(&self, cost: u64) -> Take {
        if !self.spend_up_to(cost, || self.room()) {
            return Take::Empty;
        }
        // Three parts in ten of what came last: enough for the way to the coordinator and back.
        let left = self.left();
        Take::Taken { refill: left.saturating_mul(10) <= self.last.load(Ordering::Relaxed).saturating_mul(3) }
    }

    /// Charges `cost` beyond what was lent, as far as the plan allows while the coordinator is away.
    pub fn take_beyond(&self, cost: u64, when_unknown: WhenUnknown, quota: u64) -> Take {
        let beyond = when_unknown.beyond(quota);
        match self.spend_up_to(cost, || self.room().saturating_add(beyond)) {
            true => Take::Beyond,
            false => Take::Empty,
        }
    }

    /// Takes back what was just charged, as if it had not been asked for. A coordinator that was told of it meanwhile
    /// goes on counting it, which is the safe way to be wrong.
    pub fn forgive(&self, cost: u64) {
        let _ = self
            .spent()
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |spent| Some(spent.saturating_sub(cost)));
    }

    fn spend_up_to(&self, cost: u64, most: impl Fn() -> u64) -> bool {
        let spend = |spent: u64| spent.checked_add(cost).filter(|then| *then <= most());
        self.spent().fetch_update(Ordering::AcqRel, Ordering::Acquire, spend).is_ok()
    }

    /// What may be spent altogether.
    fn room(&self) -> u64 {
        // What was given back is read first: read last, a refill in between would be seen without its price.
        let given_back = self.given_back.load(Ordering::Acquire);
        self.lent.load(Ordering::Acquire).saturating_sub(given_back)
    }

    /// What is left of what was lent.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.room().saturating_sub(self.spent().load(Ordering::Acquire))
    }

    /// What was lent the last time.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// What the coordinator is told: totals, so that telling it twice changes nothing.
    #[must_use]
    pub fn told(&self) -> Told {
        // Spent first: what is spent meanwhile is told the next time.
        let spent = self.spent().load(Ordering::Acquire);
        Told {
            lent: self.lent.load(Ordering::Acquire),
            spent,
            given_back: self.given_back.load(Ordering::Acquire),
        }
    }

    /// Takes in what the coordinator has lent so far; an older answer changes nothing.
    pub fn lend(&self, lent: u64) {
        let before = self.lent.fetch_max(lent, Ordering::AcqRel);
        if lent > before {
            self.last.store(lent - before, Ordering::Relaxed);
        }
    }

    /// Gives back everything that is left, because nobody asks for it or the gateway stops. Those that charge
    /// meanwhile either come before it or find nothing. The answer is what was given back now.
    pub fn give_back(&self) -> u64 {
        // Spending it first is what makes sure that nobody else does; then it is told as given back instead.
        let mut left = 0;
        let _ = self.spent().fetch_update(Ordering::AcqRel, Ordering::Acquire, |spent| {
            left = self.room().saturating_sub(spent);
            (left > 0).then(|| spent + left)
        });
        if left > 0 {
            self.given_back.fetch_add(left, Ordering::AcqRel);
            self.spent().fetch_sub(left, Ordering::AcqRel);
        }
        left
    }
}
