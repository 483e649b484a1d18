//! What every engine promises about rows that are put together: no sum is another one afterwards.

use std::sync::Mutex;

use commerce::usage::Span;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::*;
use crate::store::usage::{Day, Merge, Merged};

/// Minutes that are looked at: three days.
const MINUTES: u32 = 3 * 1440;

async fn write(store: &Arc<dyn Store>, write: UsageWrite) -> Kept {
    ledger(store).write_usage(vec![write]).await.unwrap()[0]
}

async fn mark(store: &Arc<dyn Store>, hour: u32) -> Kept {
    write(store, UsageWrite::Mark(Window(hour))).await
}

/// Puts rows of a start together, as far as they were sealed when an hour was marked.
async fn merge(store: &Arc<dyn Store>, boot: u128, into: Span, before: u32, sealed_by: u32) -> Kept {
    let (before, sealed_by) = (Window(before), Window(sealed_by));
    write(store, UsageWrite::Merge(Merge { boot: Boot(boot), into, before, sealed_by })).await
}

/// The same sums, told apart in many ways.
async fn told_apart(store: &Arc<dyn Store>, by: &[By]) -> Vec<(Series, Window, Counts)> {
    let picked = Picked { until: Window(u32::MAX), ..Picked::default() };
    let found = ledger(store).usage(picked, by.to_vec()).await.unwrap();
    found.into_iter().map(|sum| (sum.of, sum.window, sum.counts)).collect()
}

async fn days(store: &Arc<dyn Store>) -> Vec<Day> {
    ledger(store).conservation(Window(0), Window(u32::MAX)).await.unwrap()
}

fn every_few_minutes() -> Vec<Told> {
    let minutes = (0..MINUTES).step_by(7);
    minutes.map(|minute| told((minute % 2) as u16, minute, [1, 2, 3, 9][(minute % 4) as usize], 5)).collect()
}

pub async fn old_minutes_become_hours_and_hours_days_and_no_sum_changes(store: Arc<dyn Store>) {
    register(&store, 1, OURS, false).await;
    keep(&store, shipment(1, every_few_minutes())).await;
    keep(&store, Shipment { watermark: Window(3012), ..shipment(1, Vec::new()) }).await;
    assert_eq!(mark(&store, 0).await, Kept::Done);
    assert_eq!(mark(&store, 0).await, Kept::Unknown, "an hour is marked once");
    let by_hour = told_apart(&store, &[By::Operation, By::Hour]).await;
    let by_day = told_apart(&store, &[By::Application, By::Day]).await;
    let both = days(&store).await;
    let exported = ledger(&store).sealed(None, Cursor::default(), 1000).await.unwrap();

    assert_eq!(merge(&store, 1, Span::Hour, MINUTES, 0).await, Kept::Done);
    assert_eq!(merge(&store, 1, Span::Hour, MINUTES, 0).await, Kept::Unknown, "there is nothing left to do");

    assert_eq!(told_apart(&store, &[By::Operation, By::Hour]).await, by_hour);
    assert_eq!(days(&store).await, both);
    let kept = ledger(&store).sealed(None, Cursor::default(), 1000).await.unwrap();
    let hours: Vec<u32> = kept.iter().map(|sealed| sealed.sum.window.0 / 60).collect();
    assert_eq!(hours, [50], "of what was final, only what is of an hour that is not over");
    assert!(exported.len() > 300);
    let missed = async |cursor| ledger(&store).missed(Some("shop".into()), cursor).await.unwrap();
    assert!(missed(exported[0].cursor.clone()).await, "who has read the first minute only");
    let last = exported.last().unwrap().cursor.clone();
    assert!(!missed(last).await, "who has read all of it has missed nothing");
    assert_eq!(ledger(&store).merged().await.unwrap().hours_until, Window(3000));

    // Told once more, as it was and larger than anybody may: it is in the sums already.
    keep(&store, shipment(1, every_few_minutes())).await;
    keep(&store, shipment(1, vec![told(0, 14, 3, 999)])).await;
    assert_eq!(told_apart(&store, &[By::Operation, By::Hour]).await, by_hour);

    assert_eq!(merge(&store, 1, Span::Day, MINUTES, 0).await, Kept::Done);
    assert_eq!(told_apart(&store, &[By::Application, By::Day]).await, by_day);
    assert_eq!(days(&store).await, both);
    let merged = Merged { hours_until: Window(3000), days_until: Window(2880) };
    assert_eq!(ledger(&store).merged().await.unwrap(), merged);

    keep(&store, Shipment { is_complete: true, ..shipment(1, Vec::new()) }).await;
    mark(&store, 60).await;
    for into in [Span::Hour, Span::Day] {
        for later in [1440, 2880] {
            while merge(&store, 1, into, MINUTES + later, 60).await == Kept::Done {}
        }
        assert_eq!(
            ledger(&store).aging(into, Window(u32::MAX)).await.unwrap(),
            [],
            "nothing of it will come"
        );
    }
    assert_eq!(told_apart(&store, &[By::Application, By::Day]).await, by_day);
}

pub async fn what_may_still_change_is_not_put_together(store: Arc<dyn Store>) {
    register(&store, 1, OURS, false).await;
    keep(&store, shipment(1, vec![told(0, 10, 1, 1), told(0, 70, 1, 2), told(0, 130, 1, 4)])).await;
    mark(&store, 0).await;
    assert_eq!(merge(&store, 1, Span::Hour, 600, 0).await, Kept::Unknown, "a gateway may add to all of it");
    assert_eq!(merge(&store, 7, Span::Hour, 600, 0).await, Kept::Unknown, "nobody knows that start");

    keep(&store, Shipment { watermark: Window(100), ..shipment(1, Vec::new()) }).await;
    merge(&store, 1, Span::Hour, 600, 0).await;
    assert_eq!(
        ledger(&store).merged().await.unwrap(),
        Merged::default(),
        "somebody may not have read it yet"
    );
    mark(&store, 60).await;
    assert_eq!(merge(&store, 1, Span::Hour, 600, 60).await, Kept::Done);

    assert_eq!(ledger(&store).merged().await.unwrap().hours_until, Window(60), "the second hour is not over");
    keep(&store, shipment(1, vec![told(0, 110, 1, 8), told(0, 130, 1, 5)])).await;
    let by_hour: Vec<u64> =
        told_apart(&store, &[By::Hour]).await.iter().map(|(_, _, counts)| counts.requests()).collect();
    assert_eq!(by_hour, [1, 10, 5]);
    assert_eq!(merge(&store, 1, Span::Day, 14_400, 60).await, Kept::Unknown, "its day is not over");
}

/// Something that happens: which, to which start, at which minute, of what, and how much of it.
type Draw = (u8, u8, u32, u8, u64);

pub async fn whatever_is_told_late_and_put_together_early_the_sums_are_those_of_a_plain_ledger(
    store: Arc<dyn Store>,
) {
    let draw = (0_u8..8, 0_u8..2, 0..MINUTES, 0_usize..4, 0_u64..50);
    let draw = draw
        .prop_map(|(what, start, minute, series, much)| (what, start, minute, [1, 2, 3, 9][series], much));
    let histories = prop::collection::vec(draw, 1..50);
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    // One store for all cases: each has starts of its own, and what was marked stays.
    let state = Mutex::new((Plain::default(), 0_u128));
    let outcome = block_in_place(|| {
        runner.run(&histories, |history| {
            let (plain, case) = &mut *state.lock().unwrap();
            *case += 1;
            Handle::current().block_on(async {
                for start in 0..2 {
                    register(&store, 2 * *case + start, OURS, false).await;
                }
                for draw in history {
                    plain.happens(&store, *case, draw).await;
                    let told = told_apart(&store, &[By::Operation, By::Day]).await;
                    prop_assert_eq!(told, plain.by_day());
                }
                Ok(())
            })
        })
    });
    outcome.unwrap();
    assert!(days(&store).await.iter().all(|day| day.window.0 % 1440 == 0));
}

/// What gateways have counted and told, in a ledger that keeps every minute.
#[derive(Default)]
struct Plain {
    counted: BTreeMap<Place<[u8; 16]>, Counts>,
    told: Ledger<[u8; 16]>,
    sealed: BTreeMap<Boot, Window>,
    hour: u32,
}

impl Plain {
    async fn happens(
        &mut self,
        store: &Arc<dyn Store>,
        case: u128,
        (what, start, minute, number, much): Draw,
    ) {
        let boot = Boot(2 * case + u128::from(start));
        let sealed = self.sealed.get(&boot).copied().unwrap_or_default();
        match what {
            // It is called, in a window that is open, and told or not.
            0..=2 if Window(minute) >= sealed => {
                let one = told(u16::from(start), minute, number, much);
                let place = Place { boot, shard: one.shard, window: one.window, series: one.series };
                self.counted.entry(place).or_default().add(&one.counts);
                if what > 0 {
                    self.tells(store, |known| *known == place, 0).await;
                }
            }
            // Something is told late, as it once was.
            3 => {
                self.tells(store, |place| place.boot == boot && place.window.0 % 5 == minute % 5, much).await
            }
            // Everything until then is told, and final.
            4 => {
                let until = sealed.max(Window(minute));
                self.tells(store, |place| place.boot == boot && place.window < until, 0).await;
                keep(store, Shipment { watermark: until, ..shipment(boot.0, Vec::new()) }).await;
                self.sealed.insert(boot, until);
            }
            5 => {
                self.hour += 60;
                mark(store, self.hour).await;
            }
            6 => {
                merge(store, boot.0, Span::Hour, minute, self.hour).await;
            }
            _ => {
                merge(store, boot.0, Span::Day, minute, self.hour).await;
            }
        }
    }

    /// Tells some places, with so much less than was counted by now.
    async fn tells(&mut self, store: &Arc<dyn Store>, which: impl Fn(&Place<[u8; 16]>) -> bool, less: u64) {
        let mut shipments: BTreeMap<Boot, Vec<Told>> = BTreeMap::new();
        for (place, counts) in self.counted.iter().filter(|(place, _)| which(place)) {
            let counts = Counts(counts.0.map(|count| count.saturating_sub(less)));
            self.told.hear(*place, &counts);
            let Place { boot, shard, window, series } = *place;
            shipments.entry(boot).or_default().push(Told { shard, window, series, counts });
        }
        for (boot, told) in shipments {
            assert_eq!(keep(store, shipment(boot.0, told)).await, Kept::Done);
        }
    }

    /// As the ledger says it: what came by listeners is no usage.
    fn by_day(&self) -> Vec<(Series, Window, Counts)> {
        let mut sums: BTreeMap<(Window, String, String), Counts> = BTreeMap::new();
        for (place, counts) in self.told.counts().filter(|(place, _)| place.series[0] != 9) {
            let Series { version, operation, .. } = series(place.series[0]);
            sums.entry((Span::Day.begin(place.window), version, operation)).or_default().add(counts);
        }
        let told = |((window, version, operation), counts)| {
            (Series { version, operation, ..Series::default() }, window, counts)
        };
        sums.into_iter().map(told).collect()
    }
}
