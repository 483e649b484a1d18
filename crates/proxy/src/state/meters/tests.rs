//! Counting without a ledger: what is in the file, what happens when there is no room, what a start finds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commerce::usage::{Boot, Class, Counts, Window};
use discovery::usage::Series;

use super::{Called, Meter, Meters, Opened};
use crate::clock::Clock;

const START: Duration = Duration::from_secs(60 * 1_000);

fn called(operation: u32) -> Called {
    Called { operation, by: [0; 16], plan: 0 }
}

fn series(operation: u32) -> Series {
    Series { version: "shop/v1".to_owned(), operation: format!("GET /{operation}"), ..Series::default() }
}

/// One worker, and time that passes when it is told to.
struct Worker {
    meters: Arc<Meters>,
    meter: Meter,
    began: Instant,
    passed: Duration,
}

impl Worker {
    fn of(meters: Meters) -> Worker {
        let meters = Arc::new(meters);
        let meter = Meter::new(meters.clone(), 0);
        Worker { meters, meter, began: Clock::start().now(), passed: Duration::ZERO }
    }

    fn counts(&self, operation: u32, class: Class) {
        self.meter.tick(self.began + self.passed, || START + self.passed);
        self.meter.count(called(operation), || series(operation), class, [10, 20]);
    }

    /// Rows as window, operation and counts.
    fn rows(&self) -> Vec<(Window, String, Counts)> {
        rows(&self.meters, false)
    }
}

fn rows(meters: &Meters, is_ended: bool) -> Vec<(Window, String, Counts)> {
    let rows = meters.ring(0).read(is_ended).map(|row| row.expect("a whole row"));
    rows.map(|row| (row.window, meters.series(row.series).expect("a name").operation, row.counts)).collect()
}

fn memory(rows: usize, names: usize) -> Worker {
    Worker::of(Meters::small(None, Boot(1), 1, (rows, names)).expect("memory").current)
}

#[test]
fn each_operation_has_a_row_for_each_minute_and_bytes_of_refused_requests_are_not_counted() {
    let mut worker = memory(64, 4096);

    worker.counts(1, Class::Success);
    worker.counts(2, Class::Refused);
    worker.counts(1, Class::Success);
    worker.passed += Duration::from_secs(60);
    worker.counts(1, Class::ServerError);

    let row = |minute, operation, counts| (Window(minute), format!("GET /{operation}"), Counts(counts));
    assert_eq!(
        worker.rows(),
        [
            row(1_000, 1, [2, 0, 0, 0, 20, 40]),
            row(1_000, 2, [0, 0, 0, 1, 0, 0]),
            row(1_001, 1, [0, 0, 1, 0, 10, 20]),
        ]
    );
}

#[test]
fn a_ring_that_is_full_makes_minutes_longer_and_loses_nothing() {
    let mut worker = memory(8, 4096);

    for _ in 0..60 {
        for operation in 0..3 {
            worker.counts(operation, Class::Success);
        }
        worker.passed += Duration::from_secs(60);
    }

    let rows = worker.rows();
    assert_eq!(rows.iter().map(|(_, _, counts)| counts.requests()).sum::<u64>(), 180);
    assert!(rows.len() <= 8 && worker.meters.folded() > 50, "{rows:?}");
    // The ledger has some of it: from then on minutes are minutes again.
    let ring = worker.meters.ring(0);
    ring.free(ring.open());
    worker.counts(0, Class::Success);
    worker.passed += Duration::from_secs(60);
    worker.counts(0, Class::Success);
    assert_eq!(worker.rows().last().expect("a row").0, Window(1_061));
}

#[test]
fn what_finds_neither_a_row_nor_room_for_its_name_is_counted_with_others() {
    let worker = memory(8, 512);

    for operation in 0..50 {
        worker.counts(operation, Class::Success);
    }

    let rows = worker.rows();
    assert_eq!(rows.iter().map(|(_, _, counts)| counts.requests()).sum::<u64>(), 50);
    assert!(rows.iter().any(|(_, operation, _)| operation == "*"), "{rows:?}");
    assert!(worker.meters.folded() > 0);
}

#[test]
fn clocks_that_go_back_do_not_take_windows_with_them() {
    let mut worker = memory(64, 4096);
    worker.counts(1, Class::Success);

    worker.meter.tick(worker.began + Duration::from_secs(90), || START - Duration::from_secs(3_600));
    worker.counts(1, Class::Success);

    assert_eq!(worker.rows().len(), 1);
    worker.passed = Duration::from_secs(4_000);
    worker.counts(1, Class::Success);
    assert_eq!(worker.rows()[1].0, Window(1_066));
}

#[test]
fn what_a_start_has_counted_is_found_by_the_next_one_and_by_nobody_who_runs_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |boot| Meters::small(Some(folder.path()), Boot(boot), 1, (64, 4096)).expect("room");
    let Opened { current, left } = open(1);
    assert!(left.is_empty() && current.are_kept());
    let worker = Worker::of(current);
    worker.counts(7, Class::Success);
    let beside = open(2);
    assert!(beside.left.is_empty(), "somebody counts in it");
    drop(beside);
    drop(worker);
    std::fs::write(folder.path().join("broken.meter"), [1; 9000]).expect("a file");

    let Opened { left, .. } = open(3);

    let mut found: Vec<_> = left.iter().map(Meters::boot).collect();
    found.sort();
    assert_eq!(found, [Boot(1), Boot(2)]);
    let first = left.iter().find(|meters| meters.boot() == Boot(1)).expect("it is there");
    assert_eq!(rows(first, true), [(Window(1_000), "GET /7".to_owned(), Counts([1, 0, 0, 0, 10, 20]))]);
    assert!(folder.path().join("broken.damaged").exists());
    left.into_iter().for_each(Meters::remove);
    assert!(open(4).left.iter().all(|meters| meters.boot() == Boot(3)));
}
