//! What every engine promises about rows of quotas; run with the other promises of a store.

use std::sync::Arc;

use super::{QuotaKey, QuotaRow, QuotaRows, Wrote};
use crate::store::Store;

fn key(subscription: u8, quota: &str, start: i64) -> QuotaKey {
    QuotaKey { subscription: [subscription; 16], quota: quota.into(), start }
}

fn row(key: QuotaKey, version: u64, books: &str) -> QuotaRow {
    QuotaRow { end: key.start + 60, key, version, books: books.into() }
}

fn rows(store: &Arc<dyn Store>) -> &dyn QuotaRows {
    store.quotas().expect("rows")
}

pub async fn of_two_that_write_a_quota_anew_one_is_heard(store: Arc<dyn Store>) {
    let rows = rows(&store);
    let (minute, other) = (key(1, "minute", 60), key(2, "minute", 60));

    let late = |now| Wrote::Late(Some(now));
    assert_eq!(rows.write_quotas(vec![row(minute.clone(), 1, "a")]).await, Ok(vec![Wrote::Done]));
    let both = vec![row(minute.clone(), 1, "b"), row(other.clone(), 1, "c")];
    assert_eq!(rows.write_quotas(both).await, Ok(vec![late(row(minute.clone(), 1, "a")), Wrote::Done]));
    assert_eq!(rows.write_quotas(vec![row(minute.clone(), 2, "d")]).await, Ok(vec![Wrote::Done]));
    for (version, books) in [(2, "e"), (4, "f")] {
        let wrote = rows.write_quotas(vec![row(minute.clone(), version, books)]).await;
        assert_eq!(wrote, Ok(vec![late(row(minute.clone(), 2, "d"))]));
    }
    assert_eq!(rows.write_quotas(vec![row(key(9, "day", 0), 2, "g")]).await, Ok(vec![Wrote::Late(None)]));

    let found = rows.read_quotas(vec![other.clone(), key(3, "minute", 60), minute.clone()]).await.unwrap();
    assert_eq!(found, [row(other, 1, "c"), row(minute, 2, "d")]);
}

pub async fn many_that_write_a_quota_at_once_lose_nothing(store: Arc<dyn Store>) {
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let (rows, mut done) = (rows(&store), 0);
                while done < 10 {
                    let found = rows.read_quotas(vec![key(1, "month", 0)]).await.unwrap();
                    let (version, count) = found
                        .first()
                        .map_or((0, 0), |row| (row.version, row.books.parse::<u32>().expect("a number")));
                    let next = row(key(1, "month", 0), version + 1, &(count + 1).to_string());
                    done += u32::from(rows.write_quotas(vec![next]).await.unwrap()[0] == Wrote::Done);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }

    let found = rows(&store).read_quotas(vec![key(1, "month", 0)]).await.unwrap();
    assert_eq!((&*found[0].books, found[0].version), ("40", 40));
}

pub async fn a_subscription_has_its_own_quotas_and_old_periods_are_forgotten(store: Arc<dyn Store>) {
    let rows = rows(&store);
    let keys = [key(1, "minute", 60), key(1, "minute", 120), key(1, "day", 0), key(2, "minute", 60)];
    let all: Vec<QuotaRow> = keys.iter().map(|key| row(key.clone(), 1, "{}")).collect();
    rows.write_quotas(all).await.unwrap();

    let starts = |found: Vec<QuotaRow>| -> Vec<i64> { found.iter().map(|row| row.key.start).collect() };
    assert_eq!(starts(rows.quotas_of([1; 16]).await.unwrap()), [120, 60, 0]);
    rows.forget_quotas(121).await.unwrap();
    assert_eq!(starts(rows.quotas_of([1; 16]).await.unwrap()), [120]);
    assert_eq!(starts(rows.quotas_of([2; 16]).await.unwrap()), [0_i64; 0]);
}
