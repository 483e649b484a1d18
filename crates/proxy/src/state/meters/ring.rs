//! The rows of one worker: a queue from the worker, who adds to the newest, to the thread that tells the ledger.
//!
//! One thread writes and one frees; they share three numbers. Rows are numbered from 0 and never renumbered. From
//! `open` on a row may still grow; before it, it is final. So the reader needs no lock to know what it may free.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use commerce::usage::{Counts, METERS, Meter, Window};

use super::SeriesId;

// What the worker writes, on a line of its own.
const HEAD: usize = 0;
const OPEN: usize = 1;
const WINDOW: usize = 2;
const FOLDED: usize = 3;
/// What the reader writes, on another line.
const TAIL: usize = 8;
const FIRST_ROW: usize = 16;
/// A line of memory: what it is about, and a word for each meter.
const ROW_WORDS: usize = 8;
const COUNTS: usize = 2;

/// Free rows that a window begins with at least: one to count in, and one for everything that finds no room.
const ROOM_MIN: u64 = 2;
/// What part of all rows is free when a window begins, for calls that the one before did not see.
const SPARE_PART: u64 = 8;

const _: () = assert!(COUNTS + METERS == ROW_WORDS);

/// The rows of one worker.
#[derive(Clone, Copy, Debug)]
pub struct Ring<'w>(&'w [AtomicU64]);

/// A row as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub number: u64,
    /// When it is about.
    pub window: Window,
    /// What it is about.
    pub series: SeriesId,
    /// What was counted.
    pub counts: Counts,
    /// Whether nothing will be added.
    pub is_final: bool,
}

/// The counts of a row that may still grow.
#[derive(Clone, Copy, Debug)]
pub struct Growing<'w>(&'w [AtomicU64]);

impl Growing<'_> {
    /// Adds. Only the worker may call it: so it needs no locked instruction.
    #[inline]
    pub fn add(self, meter: Meter, amount: u64) {
        let count = &self.0[meter as usize];
        count.store(count.load(Relaxed).wrapping_add(amount), Relaxed);
    }
}

impl<'w> Ring<'w> {
    /// Words that a ring of so many rows takes.
    pub const fn words(rows: usize) -> usize {
        FIRST_ROW + rows * ROW_WORDS
    }

    /// The ring in these words.
    pub fn new(words: &'w [AtomicU64]) -> Ring<'w> {
        Ring(words)
    }

    fn rows(self) -> u64 {
        ((self.0.len() - FIRST_ROW) / ROW_WORDS) as u64
    }

    #[inline]
    fn row(self, number: u64) -> &'w [AtomicU64] {
        // Their count is a power of two.
        let at = FIRST_ROW + (number & (self.rows() - 1)) as usize * ROW_WORDS;
        &self.0[at..at + ROW_WORDS]
    }

    /// The window that is open; 0 before the first one.
    pub fn window(self) -> Window {
        Window(self.0[WINDOW].load(Acquire) as u32)
    }

    /// The first row that may still grow.
    pub fn open(self) -> u64 {
        self.0[OPEN].load(Acquire)
    }

    /// How often a window had to go on because there was no room for the next one.
    pub fn folded(self) -> u64 {
        self.0[FOLDED].load(Relaxed)
    }

    /// Rows that are not freed.
    pub fn waiting(self) -> u64 {
        self.0[HEAD].load(Acquire).saturating_sub(self.0[TAIL].load(Acquire))
    }

    /// Begins a window, which makes all rows before final. Only the worker may call it. Not when the next window might
    /// not find as much room as this one has taken, unless that is all that can be had: then this one goes on. Windows
    /// never go back, whatever a clock says.
    pub fn roll(self, window: Window) {
        let (head, open) = (self.0[HEAD].load(Relaxed), self.0[OPEN].load(Relaxed));
        if window <= self.window() {
            return;
        }
        let (taken, free) = (head - open, self.rows() - self.waiting());
        let is_alone = self.0[TAIL].load(Acquire) == open;
        let spare = (self.rows() / SPARE_PART).max(ROOM_MIN);
        if free < spare || (free <= taken && !is_alone) {
            self.0[FOLDED].store(self.folded() + 1, Relaxed);
            return;
        }
        self.0[OPEN].store(head, Release);
        self.0[WINDOW].store(window.0.into(), Release);
    }

    /// Appends a row to the open window; `None` when there is no room. Only the worker may call it. The last free row
    /// is kept for everything that finds no other: `takes_last`.
    pub fn append(self, series: SeriesId, takes_last: bool) -> Option<u64> {
        let free = self.rows() - self.waiting();
        if free <= u64::from(!takes_last) {
            return None;
        }
        let number = self.0[HEAD].load(Relaxed);
        let row = self.row(number);
        row[0].store(number + 1, Relaxed);
        row[1].store(u64::from(self.window().0) << 32 | u64::from(series.0), Relaxed);
        row[COUNTS..].iter().for_each(|count| count.store(0, Relaxed));
        self.0[HEAD].store(number + 1, Release);
        Some(number)
    }

    /// The counts of a row of the open window.
    #[inline]
    pub fn counts(self, number: u64) -> Growing<'w> {
        Growing(&self.row(number)[COUNTS..])
    }

    /// All rows, oldest first. Of a process that is no more, all are final.
    pub fn read(self, is_ended: bool) -> impl Iterator<Item = Option<Row>> + 'w {
        // What is open is read first: whatever is appended afterwards is not seen, or seen as open.
        let open = if is_ended { u64::MAX } else { self.open() };
        let (tail, head) = (self.0[TAIL].load(Relaxed), self.0[HEAD].load(Acquire));
        // A machine that lost its power may have left numbers that do not belong together.
        let first = tail.max(head.saturating_sub(self.rows()));
        (first..head).map(move |number| {
            let row = self.row(number);
            let about = row[1].load(Relaxed);
            let mut counts = Counts::default();
            counts.0.iter_mut().zip(&row[COUNTS..]).for_each(|(count, word)| *count = word.load(Acquire));
            let is_whole = row[0].load(Relaxed) == number + 1;
            is_whole.then_some(Row {
                number,
                window: Window((about >> 32) as u32),
                series: SeriesId(about as u32),
                counts,
                is_final: number < open,
            })
        })
    }

    /// The first row that is not freed.
    pub fn tail(self) -> u64 {
        self.0[TAIL].load(Relaxed)
    }

    /// Frees all rows before a number. Only the reader may call it, for rows that are final.
    pub fn free(self, before: u64) {
        if before > self.tail() {
            self.0[TAIL].store(before, Release);
        }
    }

    /// Every row about a window before this one has been freed, and none will come.
    pub fn watermark(self) -> Window {
        // The window first: rows that come afterwards are about it or a later one.
        let window = self.window();
        let (tail, head) = (self.0[TAIL].load(Relaxed), self.0[HEAD].load(Acquire));
        match tail < head {
            true => Window((self.row(tail)[1].load(Relaxed) >> 32) as u32),
            false => window,
        }
    }
}
