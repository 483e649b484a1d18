//! What every engine promises about the usage ledger; run with the other promises of a store.

mod merging;

use std::collections::BTreeMap;
use std::sync::Arc;

use commerce::usage::{Boot, Counts, Ledger, Place, Window};

use super::{By, Cursor, Kept, Picked, Registration, Series, Session, Shipment, Told, UsageRows, UsageWrite};
use crate::store::Store;

pub use merging::{
    old_minutes_become_hours_and_hours_days_and_no_sum_changes, what_may_still_change_is_not_put_together,
    whatever_is_told_late_and_put_together_early_the_sums_are_those_of_a_plain_ledger,
};

const OURS: Session = [1; 16];
const THEIRS: Session = [2; 16];

fn ledger(store: &Arc<dyn Store>) -> &dyn UsageRows {
    store.usage().expect("a ledger")
}

async fn register(store: &Arc<dyn Store>, boot: u128, session: Session, is_ended: bool) -> Kept {
    let registration = Registration { node: "edge".into(), boot: Boot(boot), session, is_ended };
    ledger(store).write_usage(vec![UsageWrite::Register(registration)]).await.unwrap()[0]
}

fn series(number: u8) -> Series {
    let (namespace, listener) = if number == 9 { ("", "127.0.0.1:80") } else { ("shop/", "") };
    let named = |name: &str| if number == 9 { String::new() } else { format!("{namespace}{name}") };
    Series {
        digest: [number; 16],
        subscription: named("").replace("shop/", "ab"),
        application: named(if number == 3 { "other" } else { "mobile" }),
        product: named("weather"),
        plan: named("free"),
        version: named("weather-v1"),
        operation: if number == 9 { String::new() } else { format!("GET /{number}") },
        listener: listener.to_owned(),
    }
}

/// Requests that succeeded, in one place.
fn told(shard: u16, minute: u32, number: u8, success: u64) -> Told {
    let counts = Counts([success, 0, 0, 1, 10 * success, 0]);
    Told { shard, window: Window(minute), series: [number; 16], counts }
}

fn shipment(boot: u128, told: Vec<Told>) -> Shipment {
    let series = told.iter().map(|told| series(told.series[0])).collect();
    Shipment { boot: Boot(boot), session: OURS, series, told, watermark: Window(0), is_complete: false }
}

async fn keep(store: &Arc<dyn Store>, shipment: Shipment) -> Kept {
    ledger(store).write_usage(vec![UsageWrite::Keep(shipment)]).await.unwrap()[0]
}

async fn sums(store: &Arc<dyn Store>, by: &[By]) -> Vec<(String, u64)> {
    let picked = Picked { until: Window(u32::MAX), ..Picked::default() };
    let found = ledger(store).usage(picked, by.to_vec()).await.unwrap();
    found.into_iter().map(|sum| (sum.of.operation, sum.counts.requests())).collect()
}

pub async fn the_ledger_keeps_the_larger_of_two_tellings_whatever_their_order(store: Arc<dyn Store>) {
    register(&store, 1, OURS, false).await;
    register(&store, 2, OURS, false).await;
    let mut model = Ledger::default();
    // The same places over and over, from two starts and two workers, larger and smaller, twice and late.
    for step in 0..24_u64 {
        let boot = 1 + u128::from(step % 2);
        let number = 1 + (step % 3) as u8;
        let value = (step * 7) % 23;
        let one = told((step / 3 % 2) as u16, 100 + (step % 4) as u32, number, value);
        let place = Place { boot: Boot(boot), shard: one.shard, window: one.window, series: one.series };
        model.hear(place, &one.counts);
        assert_eq!(keep(&store, shipment(boot, vec![one.clone()])).await, Kept::Done);
        assert_eq!(keep(&store, shipment(boot, vec![one])).await, Kept::Done);
    }

    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for (place, counts) in model.counts() {
        *expected.entry(format!("GET /{}", place.series[0])).or_default() += counts.requests();
    }
    assert_eq!(sums(&store, &[By::Operation]).await, expected.into_iter().collect::<Vec<_>>());
}

pub async fn a_copy_of_a_disk_tells_nothing_while_the_original_counts(store: Arc<dyn Store>) {
    assert_eq!(
        keep(&store, shipment(1, vec![told(0, 1, 1, 5)])).await,
        Kept::Unknown,
        "nobody registered it"
    );
    assert_eq!(register(&store, 1, OURS, false).await, Kept::Done);
    assert_eq!(register(&store, 1, OURS, false).await, Kept::Done, "the same process connects again");

    assert_eq!(
        register(&store, 1, THEIRS, false).await,
        Kept::Unknown,
        "nobody goes on where another counts"
    );
    assert_eq!(register(&store, 1, THEIRS, true).await, Kept::Counting, "it was heard of a moment ago");
    let copied = Shipment { session: THEIRS, ..shipment(1, vec![told(0, 1, 1, 99)]) };
    assert_eq!(keep(&store, copied).await, Kept::Unknown);

    assert_eq!(keep(&store, shipment(1, vec![told(0, 1, 1, 5)])).await, Kept::Done);
    assert_eq!(sums(&store, &[]).await, [(String::new(), 5)]);
}

pub async fn what_ended_starts_left_behind_is_kept_together_each_for_itself(store: Arc<dyn Store>) {
    assert_eq!(register(&store, 2, OURS, false).await, Kept::Done);
    let taken_over = |boot: u128, told: Vec<Told>| {
        let registration =
            Registration { node: "edge".into(), boot: Boot(boot), session: THEIRS, is_ended: true };
        let shipment = Shipment { session: THEIRS, is_complete: true, ..shipment(boot, told) };
        [UsageWrite::Register(registration), UsageWrite::Keep(shipment)]
    };
    let left = [
        taken_over(3, vec![told(0, 1, 1, 4), told(1, 1, 2, 8)]),
        taken_over(2, vec![told(0, 1, 1, 99)]),
        taken_over(1, vec![told(0, 1, 2, 16), told(0, 1, 1, 32)]),
        taken_over(4, Vec::new()),
    ]
    .concat();

    let (done, counting) = ([Kept::Done; 2], [Kept::Counting, Kept::Unknown]);
    for _ in 0..2 {
        let kept = ledger(&store).write_usage(left.clone()).await.unwrap();
        assert_eq!(kept, [done, counting, done, done].concat(), "the second one was heard of a moment ago");
        assert_eq!(sums(&store, &[]).await, [(String::new(), 4 + 8 + 16 + 32)]);
    }
    assert_eq!(keep(&store, shipment(2, vec![told(0, 1, 1, 5)])).await, Kept::Done);
    assert_eq!(sums(&store, &[By::Operation]).await, [("GET /1".to_owned(), 41), ("GET /2".to_owned(), 24)]);
    let mut boots = ledger(&store).boots().await.unwrap();
    boots.sort_by_key(|known| known.boot);
    let complete: Vec<bool> = boots.iter().map(|known| known.is_complete).collect();
    assert_eq!(complete, [true, false, true, true]);
}

pub async fn what_was_used_is_summed_as_it_is_asked_for(store: Arc<dyn Store>) {
    register(&store, 1, OURS, false).await;
    let all = vec![
        told(0, 60, 1, 1),
        told(1, 60, 1, 2),
        told(0, 1500, 2, 4),
        told(0, 61, 3, 8),
        told(0, 60, 9, 15),
    ];
    keep(&store, shipment(1, all)).await;
    let ask = async |picked: Picked, by: &[By]| {
        let found = ledger(&store).usage(picked, by.to_vec()).await.unwrap();
        found.into_iter().map(|sum| sum.counts.requests()).collect::<Vec<_>>()
    };
    let always = || Picked { until: Window(u32::MAX), ..Picked::default() };

    assert_eq!(ask(always(), &[]).await, [15], "what came by a listener is no usage");
    assert_eq!(ask(always(), &[By::Application]).await, [7, 8]);
    assert_eq!(ask(always(), &[By::Day]).await, [11, 4]);
    assert_eq!(ask(always(), &[By::Hour, By::Operation]).await, [3, 8, 4]);
    assert_eq!(ask(Picked { application: Some("shop/mobile".into()), ..always() }, &[]).await, [7]);
    assert_eq!(ask(Picked { namespace: Some("shop".into()), ..always() }, &[By::Gateway]).await, [15]);
    assert!(ask(Picked { namespace: Some("bank".into()), ..always() }, &[]).await.is_empty());
    assert_eq!(ask(Picked { from: Window(61), until: Window(62), ..always() }, &[]).await, [8]);
}

pub async fn what_is_sealed_is_told_once_in_order_and_both_counts_can_be_compared(store: Arc<dyn Store>) {
    register(&store, 1, OURS, false).await;
    keep(&store, shipment(1, vec![told(0, 1, 1, 1), told(1, 1, 1, 2), told(0, 1, 9, 3), told(0, 2, 1, 4)]))
        .await;
    let read = async |after: Cursor| ledger(&store).sealed(None, after, 1).await.unwrap();
    assert!(read(Cursor::default()).await.is_empty(), "nothing is final yet");

    keep(&store, Shipment { watermark: Window(2), ..shipment(1, Vec::new()) }).await;
    let first = read(Cursor::default()).await;
    assert_eq!(
        (first[0].sum.window, first[0].sum.counts.requests()),
        (Window(1), 3),
        "both workers together"
    );
    assert!(read(first[0].cursor.clone()).await.is_empty());
    let days = ledger(&store).conservation(Window(0), Window(u32::MAX)).await.unwrap();
    // The listener has refused one, two workers have refused one each.
    assert_eq!((days[0].sealed.usage.requests(), days[0].sealed.listeners.requests()), (3, 3));
    assert_eq!((days[0].sealed.error(), days[0].open.usage.requests()), (1, 4));

    keep(&store, Shipment { is_complete: true, ..shipment(1, vec![told(0, 2, 1, 6)]) }).await;
    let second = read(first[0].cursor.clone()).await;
    assert_eq!((second[0].sum.window, second[0].sum.counts.requests()), (Window(2), 6));
    let boots = ledger(&store).boots().await.unwrap();
    assert_eq!((boots[0].watermark, boots[0].is_complete), (Window(2), true), "a watermark never goes back");
}
