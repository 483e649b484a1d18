//! A worker's own end of the counters: finds the row of a call in a few steps and adds to it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commerce::usage::{Class, Meter as Of, WINDOW_SECONDS, Window};
use discovery::usage::Series;
use foldhash::fast::FixedState;

use super::{Meters, OTHERS, SeriesId};
use crate::limits::METER_CALLS_MAX;

/// What tells one series of a proxy from another, in numbers that cost nothing to compare. Plans are told apart by a
/// hash of their names: two of one subscription that collide would be counted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Called {
    /// The slot of the operation.
    pub operation: u32,
    /// The subscription, or else the application.
    pub by: [u8; 16],
    /// A hash of the plan's name; 0 without a plan.
    pub plan: u64,
}

/// Where something was counted the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    series: SeriesId,
    row: u64,
}

/// Counts for one worker.
#[derive(Debug)]
pub struct Meter {
    meters: Arc<Meters>,
    shard: usize,
    /// When the window is to be closed.
    ends: Cell<Option<Instant>>,
    calls: RefCell<HashMap<Called, Counted, FixedState>>,
    /// The rows of the open window. Each series has one: what the ledger is told of a place is one number.
    rows: RefCell<HashMap<u32, u64, FixedState>>,
}

impl Meter {
    /// Counts as one of the workers.
    #[must_use]
    pub fn new(meters: Arc<Meters>, shard: usize) -> Meter {
        let (calls, rows) = (RefCell::default(), RefCell::default());
        Meter { meters, shard, ends: Cell::new(None), calls, rows }
    }

    /// Begins the window of this moment if the one before is over. Called now and then, so that windows end without
    /// traffic too. `wall` is time since 1970.
    #[inline]
    pub fn tick(&self, now: Instant, wall: impl FnOnce() -> Duration) {
        if self.ends.get().is_none_or(|ends| now >= ends) {
            self.roll(now, wall());
        }
    }

    #[cold]
    fn roll(&self, now: Instant, wall: Duration) {
        let window = Window::of(wall);
        let left = window.left(wall).min(Duration::from_secs(WINDOW_SECONDS));
        self.ends.set(now.checked_add(left));
        let ring = self.meters.ring(self.shard);
        let before = ring.open();
        ring.roll(window);
        if ring.open() != before {
            self.rows.borrow_mut().clear();
        }
    }

    /// Counts a request of a call.
    #[inline]
    pub fn count(&self, called: Called, name: impl FnOnce() -> Series, class: Class, bytes: [u64; 2]) {
        let known = self.calls.borrow().get(&called).copied();
        let counted = match known {
            Some(counted) if self.is_open(counted) => Some(counted),
            Some(_) | None => self.remember(called, known, name),
        };
        let Some(counted) = counted else { return };
        let counts = self.meters.ring(self.shard).counts(counted.row);
        counts.add(class.meter(), 1);
        if class != Class::Refused {
            counts.add(Of::RequestBytes, bytes[0]);
            counts.add(Of::ResponseBytes, bytes[1]);
        }
    }

    /// Counts a request once more, for the listener by which it came. `place` remembers where.
    #[inline]
    pub fn count_listener(&self, place: &Cell<Option<Counted>>, name: impl FnOnce() -> Series, class: Class) {
        let counted = match place.get() {
            Some(counted) if self.is_open(counted) => Some(counted),
            known => {
                place.set(self.place(known, name));
                place.get()
            }
        };
        let Some(counted) = counted else { return };
        self.meters.ring(self.shard).counts(counted.row).add(class.meter(), 1);
    }

    #[inline]
    fn is_open(&self, counted: Counted) -> bool {
        counted.row >= self.meters.ring(self.shard).open()
    }

    #[cold]
    fn remember(
        &self,
        called: Called,
        known: Option<Counted>,
        name: impl FnOnce() -> Series,
    ) -> Option<Counted> {
        let found = self.place(known, name)?;
        let mut calls = self.calls.borrow_mut();
        if calls.len() >= METER_CALLS_MAX && !calls.contains_key(&called) {
            // They are found again by their names.
            calls.clear();
        }
        calls.insert(called, found);
        Some(found)
    }

    /// The row of a series in the open window. There always is one: a window begins with room for the others.
    #[cold]
    fn place(&self, known: Option<Counted>, name: impl FnOnce() -> Series) -> Option<Counted> {
        let series = known.map_or_else(|| self.meters.intern(&name()), |counted| counted.series);
        let row = self.row(series, false).or_else(|| {
            self.meters.folds();
            self.row(OTHERS, true)
        })?;
        Some(Counted { series, row })
    }

    fn row(&self, series: SeriesId, takes_last: bool) -> Option<u64> {
        let mut rows = self.rows.borrow_mut();
        if let Some(row) = rows.get(&series.0) {
            return Some(*row);
        }
        let row = self.meters.ring(self.shard).append(series, takes_last)?;
        rows.insert(series.0, row);
        Some(row)
    }
}
