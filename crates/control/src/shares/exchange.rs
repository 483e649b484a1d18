//! Several control planes of one store deal out the same rates: each to the gateways that are connected to it. What
//! each has dealt out, the others read in a row of the store, every two seconds and while there is something to tell.
//! So shares add up to the whole over all of them, a few seconds later than with one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use commerce::shares::Elsewhere;
use discovery::limits::RATES_TOLD_MAX;
use tokio::time::{MissedTickBehavior, interval};

use super::Dealer;
use crate::clock::Clock;
use crate::store::quotas::{QuotaKey, QuotaRow, QuotaRows, Wrote};
use crate::store::{Store, StoreError};

/// Time between two rounds.
const EVERY: Duration = Duration::from_secs(2);
/// Seconds for which others believe a row.
const BELIEVED_FOR: i64 = 10;
/// The number under which these rows stand among those of quotas. No subscription has it: theirs are random.
const NOBODY: [u8; 16] = [0; 16];

/// One control plane among others.
#[derive(Debug)]
pub struct Exchange {
    dealer: Arc<Dealer>,
    clock: Clock,
    /// The row of this one, as it was written last.
    own: QuotaRow,
}

impl Exchange {
    /// Of a dealer whose control plane has begun now.
    #[must_use]
    pub fn new(dealer: Arc<Dealer>, clock: Clock) -> Exchange {
        let plane = u128::from_be_bytes(identity::random());
        let key = QuotaKey { subscription: NOBODY, quota: format!("{plane:032x}").into(), start: 0 };
        let own = QuotaRow { key, end: 0, version: 0, books: "{}".into() };
        Exchange { dealer, clock, own }
    }

    /// Goes on for as long as it is polled.
    pub async fn run(mut self, store: Arc<dyn Store>) {
        let Some(rows) = store.quotas() else { return };
        let mut rounds = interval(EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            // What cannot be read or written now is not known for a while: each deals out the whole then.
            let _ = self.round(rows).await;
        }
    }

    /// Tells the others, and hears them.
    ///
    /// # Errors
    /// The store's.
    pub async fn round(&mut self, rows: &dyn QuotaRows) -> Result<(), StoreError> {
        let now = self.clock.seconds();
        self.tell(rows, now).await?;
        let mut heard = HashSet::new();
        for row in rows.quotas_of(NOBODY).await? {
            if row.key.quota != self.own.key.quota && row.end > now {
                heard.insert(row.key.quota.clone());
                self.dealer.board().note(&row.key.quota, Some(read(&row.books)));
            }
        }
        let mut board = self.dealer.board();
        let gone: Vec<Arc<str>> = board.others().filter(|plane| !heard.contains(*plane)).cloned().collect();
        gone.iter().for_each(|plane| board.note(plane, None));
        Ok(())
    }

    async fn tell(&mut self, rows: &dyn QuotaRows, now: i64) -> Result<(), StoreError> {
        let told = self.dealer.board().told(RATES_TOLD_MAX, self.dealer.now());
        if told.rates.is_empty() && &*self.own.books == "{}" {
            return Ok(());
        }
        let next = QuotaRow {
            end: now + BELIEVED_FOR,
            version: self.own.version + 1,
            books: write(&told).into(),
            key: self.own.key.clone(),
        };
        match rows.write_quotas(vec![next.clone()]).await?.first() {
            // A write of which nobody knew whether it happened has happened.
            Some(Wrote::Late(Some(found))) => self.own.version = found.version,
            Some(Wrote::Late(None)) => self.own.version = 0,
            Some(Wrote::Done) | None => self.own = next,
        }
        Ok(())
    }
}

fn write(told: &Elsewhere) -> String {
    let rates: HashMap<String, (u64, u32)> =
        told.rates.iter().map(|(rate, known)| (format!("{rate:016x}"), *known)).collect();
    serde_json::to_string(&rates).expect("numbers and texts can be written")
}

/// What cannot be read is of another version, and says nothing.
fn read(books: &str) -> Elsewhere {
    let rates: HashMap<String, (u64, u32)> = serde_json::from_str(books).unwrap_or_default();
    let rates =
        rates.into_iter().filter_map(|(rate, known)| Some((u64::from_str_radix(&rate, 16).ok()?, known)));
    Elsewhere { rates: rates.collect() }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use commerce::shares::WHOLE;
    use discovery::shares::{Demand, SharesRequest};

    use super::*;
    use crate::store::keys::Keys;
    use crate::store::sqlite::Sqlite;

    fn asks(dealer: &Dealer, node: &str, asked: u64) -> u32 {
        let request = SharesRequest {
            node: node.to_owned(),
            boot: Bytes::from_static(&[1; 16]),
            serves: Vec::new(),
            demands: vec![Demand { rate: 7, asked }],
        };
        dealer.answer("spec", &request).expect("a sound request")[0]
    }

    #[tokio::test]
    async fn two_control_planes_of_a_store_deal_out_one_whole_and_one_alone_all_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(&folder.path().join("keys")).expect("keys");
        let store = Sqlite::open(&folder.path().join("store"), keys).await.expect("a store").store;
        let rows = store.quotas().expect("rows");
        let dealers: [Arc<Dealer>; 2] = Default::default();
        let seconds = Arc::new(std::sync::atomic::AtomicU64::new(1_800_000_000));
        let shown = seconds.clone();
        let clock = Clock::new(move || {
            let seconds = shown.load(std::sync::atomic::Ordering::Relaxed);
            std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
        });
        let mut exchanges = dealers.clone().map(|dealer| Exchange::new(dealer, clock.clone()));
        assert_eq!((asks(&dealers[0], "one", 300), asks(&dealers[1], "other", 100)), (WHOLE, WHOLE));

        let mut shares = (0, 0);
        for _ in 0..4 {
            for exchange in &mut exchanges {
                exchange.round(rows).await.expect("a round");
            }
            shares = (asks(&dealers[0], "one", 300), asks(&dealers[1], "other", 100));
        }
        assert_eq!(shares.0 + shares.1, WHOLE, "{shares:?}");
        assert!(shares.0 > 2 * shares.1, "{shares:?}");

        // One of them is no more, and its row is believed no longer.
        seconds.fetch_add(11, std::sync::atomic::Ordering::Relaxed);
        exchanges[0].round(rows).await.expect("a round");
        assert_eq!(asks(&dealers[0], "one", 300), WHOLE);
    }
}
