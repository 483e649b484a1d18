//! The coordinator's side: what is left of a quota, and who was lent the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Somebody who holds leases: a gateway between one start and the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// The gateway.
    pub node: Arc<str>,
    /// The number of its start. A copy of its disk that starts elsewhere has another.
    pub boot: u128,
}

/// Totals of one holder in one period, as it tells them. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What it knows to have been lent.
    pub lent: u64,
    /// What it has spent.
    pub spent: u64,
    /// What it has given back.
    pub given_back: u64,
}

/// What the coordinator keeps of one holder. Always spent + given back ≤ lent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// The totals.
    pub totals: Told,
    /// Whether nothing has been heard of it for so long that it may be gone. What it holds stays held: it may be
    /// spending it where nobody hears.
    pub lost: bool,
}

impl Book {
    /// Lent, and neither spent nor given back as far as is known.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.totals.lent - self.totals.spent - self.totals.given_back
    }
}

/// All of a pool, to be kept and read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The quota.
    pub quota: u64,
    /// Not yet lent.
    pub remaining: u64,
    /// Spent beyond the quota.
    pub overdrawn: u64,
    /// Spent by holders that are no more.
    pub settled: u64,
    /// Who holds something, or has.
    pub holders: Vec<(Holder, Book)>,
}

/// What was read is no pool: its books do not balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was spent, lent and left of a quota does not add up to it")]
pub struct Unbalanced;

/// One quota in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    quota: u64,
    remaining: u64,
    /// Spent beyond the quota: by gateways whose plan allows it while the coordinator is away.
    overdrawn: u64,
    /// Spent by holders that are no more.
    settled: u64,
    holders: BTreeMap<Holder, Book>,
}

impl Pool {
    /// A quota of which nothing is used.
    #[must_use]
    pub fn new(quota: u64) -> Pool {
        Pool { quota, remaining: quota, overdrawn: 0, settled: 0, holders: BTreeMap::new() }
    }

    /// All of it.
    #[must_use]
    pub fn written(&self) -> Written {
        let Pool { quota, remaining, overdrawn, settled, .. } = *self;
        let holders = self.holders.iter().map(|(holder, book)| (holder.clone(), *book)).collect();
        Written { quota, remaining, overdrawn, settled, holders }
    }

    /// A pool as it was written.
    ///
    /// # Errors
    /// It cannot have been one.
    pub fn read(written: Written) -> Result<Pool, Unbalanced> {
        let Written { quota, remaining, overdrawn, settled, holders } = written;
        let mut lent = 0_u64;
        for (_, Book { totals, .. }) in &holders {
            let gone = totals.spent.checked_add(totals.given_back).ok_or(Unbalanced)?;
            if gone > totals.lent {
                return Err(Unbalanced);
            }
            lent = lent.checked_add(totals.lent - totals.given_back).ok_or(Unbalanced)?;
        }
        let one_side = settled.checked_add(lent).and_then(|sum| sum.checked_add(remaining));
        if one_side.is_none() || one_side != quota.checked_add(overdrawn) {
            return Err(Unbalanced);
        }
        Ok(Pool { quota, remaining, overdrawn, settled, holders: holders.into_iter().collect() })
    }

    /// The quota is another one from now on. What is lent stays lent, even when that is more than the new one.
    pub fn resize(&mut self, quota: u64) {
        let more = quota.saturating_sub(self.quota);
        self.remaining += more;
        let less = self.quota.saturating_sub(quota);
        let covered = less.min(self.remaining);
        self.remaining -= covered;
        self.overdrawn += less - covered;
        self.quota = quota;
        self.repay();
    }

    /// The holders, and what is kept of them.
    pub fn holders(&self) -> impl Iterator<Item = (&Holder, &Book)> {
        self.holders.iter()
    }

    /// Hears what a holder tells, in whatever order and as often as it comes.
    pub fn hear(&mut self, holder: &Holder, told: Told) {
        let book = self.holders.entry(holder.clone()).or_default();
        book.lost = false;
        let known = &mut book.totals;
        known.spent = known.spent.max(told.spent);
        // It may know of more than was written down here, or have spent beyond it. It is charged for either.
        let must = known.spent.saturating_add(known.given_back).max(told.lent);
        if let Some(owed) = must.checked_sub(known.lent) {
            let covered = owed.min(self.remaining);
            self.remaining -= covered;
            self.overdrawn += owed - covered;
            known.lent = must;
        }
        // Nobody gives back more than it holds, whatever it says.
        let most = known.lent - known.spent;
        let given_back = told.given_back.min(most).max(known.given_back);
        self.remaining += given_back - known.given_back;
        known.given_back = given_back;
        self.repay();
    }

    /// What comes back pays for what was overdrawn first.
    fn repay(&mut self) {
        let repaid = self.remaining.min(self.overdrawn);
        self.remaining -= repaid;
        self.overdrawn -= repaid;
    }

    /// Lends some more to a holder that expects to spend `demand` before it asks again, of `holders` that share the
    /// quota. The answer is everything that was ever lent to it; unchanged, when nothing remains.
    ///
    /// A part of what remains, smaller towards the end and one at last, so that nobody sits on what others could use.
    /// A holder that has not heard the last answer is given that answer again, not more.
    pub fn lend(&mut self, holder: &Holder, told: Told, demand: u64, holders: u32) -> u64 {
        self.hear(holder, told);
        let book = self.holders.entry(holder.clone()).or_default();
        if told.lent < book.totals.lent && book.outstanding() > 0 {
            return book.totals.lent;
        }
        let part = self.remaining / (4 * u64::from(holders.max(1)));
        let lent = part.min(demand).max(1).min(self.remaining);
        self.remaining -= lent;
        book.totals.lent += lent;
        book.totals.lent
    }

    /// A holder has not been heard of for too long. What it holds stays held.
    pub fn lose(&mut self, holder: &Holder) {
        if let Some(book) = self.holders.get_mut(holder) {
            book.lost = true;
        }
    }

    /// A holder is no more, and these were its last totals (its counters outlive its process): what it had not spent
    /// may be lent again.
    pub fn settle(&mut self, holder: &Holder, last: Told) {
        self.hear(holder, last);
        if let Some(book) = self.holders.remove(holder) {
            self.settled += book.totals.spent;
            self.remaining += book.outstanding();
            self.repay();
        }
    }

    /// The quota.
    #[must_use]
    pub fn quota(&self) -> u64 {
        self.quota
    }

    /// Not yet lent.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Spent, as far as is known.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.settled + self.holders.values().map(|book| book.totals.spent).sum::<u64>()
    }

    /// Lent to holders that are alive.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.holders.values().filter(|book| !book.lost).map(Book::outstanding).sum()
    }

    /// Lent to holders of which nothing is heard.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.holders.values().filter(|book| book.lost).map(Book::outstanding).sum()
    }

    /// Spent beyond the quota.
    #[must_use]
    pub fn overdrawn(&self) -> u64 {
        self.overdrawn
    }

    /// What is kept of a holder.
    #[must_use]
    pub fn book(&self, holder: &Holder) -> Option<&Book> {
        self.holders.get(holder)
    }
}
