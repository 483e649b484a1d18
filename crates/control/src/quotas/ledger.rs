//! The pools of a control plane: read once, written whenever they change, read again when somebody else has.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use commerce::period::Window;
use commerce::quota::{Holder, Pool, Told};
use discovery::quotas::QuotaAnswer;

use super::books;
use crate::store::StoreError;
use crate::store::quotas::{QuotaKey, QuotaRow, QuotaRows, Wrote};

/// Most pools that are remembered. Past it all of them are read again.
const KNOWN_MAX: usize = 100_000;
/// Seconds after which a gateway that said nothing is not counted among those that share a quota.
const SILENT_AFTER: i64 = 60;
/// Seconds for which the books of a period are kept after its end.
const KEPT_AFTER: i64 = 86_400;
/// Seconds between two looks for books that are too old.
const TIDY_EVERY: i64 = 600;
/// How often a row is written anew that somebody else has changed meanwhile. Whoever wrote last need not read before it
/// writes again, so that others lose many times in a row while it is asked without a pause.
const TRIES_MAX: usize = 1024;

/// What a gateway says of one quota.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub holder: Holder,
    /// Whether the holder is no more, and these are its last totals.
    pub has_ended: bool,
    pub key: QuotaKey,
    pub window: Window,
    /// Whether that period is now.
    pub is_now: bool,
    pub quota: u64,
    pub told: Told,
    pub wanted: u64,
}

#[derive(Clone, Debug)]
struct Known {
    version: u64,
    end: i64,
    pool: Pool,
}

impl Known {
    fn read(row: &QuotaRow) -> Result<Known, StoreError> {
        Ok(Known { version: row.version, end: row.end, pool: books::read(row)? })
    }
}

/// What is known of the rows.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    known: HashMap<QuotaKey, Known>,
    /// When somebody was last heard of, in seconds since 1970.
    heard: HashMap<Holder, i64>,
    tidied: i64,
}

impl Ledger {
    /// Takes in what gateways say, in this order, and answers once that is durable.
    pub async fn answer(
        &mut self,
        rows: &dyn QuotaRows,
        asks: &[&Ask],
        now: i64,
    ) -> Result<Vec<QuotaAnswer>, StoreError> {
        self.tidy(rows, now).await;
        for ask in asks.iter().filter(|ask| !ask.has_ended) {
            self.heard.insert(ask.holder.clone(), now);
        }
        let mut answers = vec![QuotaAnswer::default(); asks.len()];
        let mut pending: Vec<usize> = (0..asks.len()).collect();
        for _ in 0..TRIES_MAX {
            self.read(rows, pending.iter().map(|at| &asks[*at].key)).await?;
            let mut drafts = BTreeMap::new();
            for at in &pending {
                answers[*at] = self.take(&mut drafts, asks[*at], now);
            }
            let late = self.keep(rows, drafts).await?;
            pending.retain(|at| late.contains(&asks[*at].key));
            if pending.is_empty() {
                return Ok(answers);
            }
        }
        Err(StoreError::Unavailable("others keep changing the same quotas".to_owned()))
    }

    /// Reads what is not known.
    async fn read(
        &mut self,
        rows: &dyn QuotaRows,
        keys: impl Iterator<Item = &QuotaKey>,
    ) -> Result<(), StoreError> {
        let missing: BTreeSet<&QuotaKey> = keys.filter(|key| !self.known.contains_key(*key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for row in rows.read_quotas(missing.into_iter().cloned().collect()).await? {
            let known = Known::read(&row)?;
            self.known.insert(row.key, known);
        }
        Ok(())
    }

    /// Takes in what one gateway says of one quota.
    fn take(&self, drafts: &mut BTreeMap<QuotaKey, Known>, ask: &Ask, now: i64) -> QuotaAnswer {
        let begun = drafts.get(&ask.key).or_else(|| self.known.get(&ask.key)).cloned();
        let begins = || Known { version: 0, end: ask.window.end, pool: Pool::new(ask.quota) };
        let Some(mut draft) = begun.or_else(|| ask.is_now.then(begins)) else {
            return QuotaAnswer::default();
        };
        let pool = &mut draft.pool;
        // What has ended may know an older plan.
        if pool.quota() != ask.quota && ask.is_now && !ask.has_ended {
            pool.resize(ask.quota);
        }
        if ask.has_ended {
            // Whoever is not in the books any more was settled before.
            if pool.book(&ask.holder).is_some() {
                pool.settle(&ask.holder, ask.told);
            }
        } else {
            bury(pool, &ask.holder);
            if ask.wanted > 0 && ask.is_now {
                let sharing = self.sharing(pool, now);
                pool.lend(&ask.holder, ask.told, ask.wanted, sharing);
            } else {
                pool.hear(&ask.holder, ask.told);
            }
        }
        let lent = pool.book(&ask.holder).map_or(0, |book| book.totals.lent);
        let answer = QuotaAnswer { is_known: true, lent, remaining: pool.remaining() };
        drafts.insert(ask.key.clone(), draft);
        answer
    }

    /// How many gateways share a quota now.
    fn sharing(&self, pool: &Pool, now: i64) -> u32 {
        let is_heard = |holder| self.heard.get(holder).is_some_and(|heard| now - heard < SILENT_AFTER);
        let sharing = pool.holders().filter(|(holder, book)| !book.lost && is_heard(holder)).count();
        u32::try_from(sharing).unwrap_or(u32::MAX).max(1)
    }

    /// Makes what has changed durable. Answers with what somebody else has written meanwhile.
    async fn keep(
        &mut self,
        rows: &dyn QuotaRows,
        drafts: BTreeMap<QuotaKey, Known>,
    ) -> Result<BTreeSet<QuotaKey>, StoreError> {
        let changed = drafts
            .into_iter()
            .filter(|(key, draft)| self.known.get(key).is_none_or(|before| before.pool != draft.pool));
        let changed: Vec<(QuotaKey, Known)> =
            changed.map(|(key, draft)| (key, Known { version: draft.version + 1, ..draft })).collect();
        if changed.is_empty() {
            return Ok(BTreeSet::new());
        }
        // What is known holds again when this has happened. Until then, and for good when it fails, nobody knows.
        for (key, _) in &changed {
            self.known.remove(key);
        }
        let written = changed.iter().map(|(key, draft)| QuotaRow {
            key: key.clone(),
            end: draft.end,
            version: draft.version,
            books: books::write(&draft.pool).into(),
        });
        let done = rows.write_quotas(written.collect()).await?;
        let mut late = BTreeSet::new();
        for ((key, draft), wrote) in changed.into_iter().zip(done) {
            let known = match wrote {
                Wrote::Done => Some(draft),
                Wrote::Late(now) => {
                    late.insert(key.clone());
                    now.as_ref().map(Known::read).transpose()?
                }
            };
            if let Some(known) = known {
                self.known.insert(key, known);
            }
        }
        Ok(late)
    }

    async fn tidy(&mut self, rows: &dyn QuotaRows, now: i64) {
        if self.known.len() > KNOWN_MAX {
            self.known.clear();
        }
        if (0..TIDY_EVERY).contains(&(now - self.tidied)) {
            return;
        }
        self.tidied = now;
        self.heard.retain(|_, heard| now - *heard < SILENT_AFTER);
        self.known.retain(|_, known| known.end >= now - KEPT_AFTER);
        // Old books do no harm; another time they can be forgotten.
        let _ = rows.forget_quotas(now - KEPT_AFTER).await;
    }
}

/// A gateway that started again is another holder: what the one before it still held stays held, and one that held
/// nothing needs no place in the books.
fn bury(pool: &mut Pool, holder: &Holder) {
    let before = |(other, _): &(&Holder, &commerce::quota::Book)| {
        other.node == holder.node && other.boot != holder.boot
    };
    let earlier: Vec<Holder> = pool.holders().filter(before).map(|(other, _)| other.clone()).collect();
    for other in earlier {
        match pool.book(&other) {
            Some(book) if book.outstanding() == 0 => pool.settle(&other, book.totals),
            Some(_) => pool.lose(&other),
            None => {}
        }
    }
}
