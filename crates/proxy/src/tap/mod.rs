//! A live view of what passes, for whoever is let in at a socket: requests and connections as they end.
//!
//! A worker that nobody watches looks at one flag. One that is watched writes a line for each watcher who wants it, so
//! many a second and no more, into a queue with a bound: who reads too slowly misses lines and learns how many.
//! The socket belongs to the user of the proxy: what the log may show to its readers, and more, nobody else sees. Whoever
//! runs the control plane may watch as well, and decides who else may there.

mod filter;
mod socket;
mod watchers;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::mpsc::Sender;

pub use filter::Filter;
pub use socket::serve;
pub use watchers::{Watched, Watchers};

use crate::limits::TAP_LINES_PER_SECOND_MAX;

/// Somebody who watches.
#[derive(Debug)]
pub struct Tap {
    /// What they want to see.
    pub filter: Filter,
    lines: Sender<Vec<u8>>,
    missed: AtomicU64,
}

impl Tap {
    /// Somebody who reads from the other end of `lines`.
    #[must_use]
    pub fn new(filter: Filter, lines: Sender<Vec<u8>>) -> Tap {
        Tap { filter, lines, missed: AtomicU64::new(0) }
    }

    /// Lines that they were not shown so far.
    pub fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }
}

/// Everybody who watches a worker.
#[derive(Debug, Default)]
pub struct Taps {
    open: RefCell<Vec<Arc<Tap>>>,
    any: Cell<bool>,
    /// Lines told in a second.
    told: Cell<(u32, u32)>,
}

impl Taps {
    /// Somebody begins to watch.
    pub fn open(&self, tap: Arc<Tap>) {
        self.open.borrow_mut().push(tap);
        self.any.set(true);
    }

    /// Whether anybody watches.
    #[inline]
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.any.get()
    }

    /// Tells those who want to see something of it. `second` grows with time; `write` writes a line.
    pub fn tell(&self, second: u32, wants: impl Fn(&Filter) -> bool, write: impl Fn(&Filter, &mut Vec<u8>)) {
        let mut open = self.open.borrow_mut();
        open.retain(|tap| !tap.lines.is_closed());
        self.any.set(!open.is_empty());
        for tap in open.iter().filter(|tap| wants(&tap.filter)) {
            let room = self.may_tell(second).then(|| tap.lines.try_reserve().ok()).flatten();
            match room {
                Some(room) => {
                    let mut line = Vec::with_capacity(512);
                    write(&tap.filter, &mut line);
                    room.send(line);
                }
                None => drop(tap.missed.fetch_add(1, Relaxed)),
            }
        }
    }

    fn may_tell(&self, second: u32) -> bool {
        let (known, told) = self.told.get();
        let told = if known == second { told } else { 0 };
        self.told.set((second, told.saturating_add(1)));
        told < TAP_LINES_PER_SECOND_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn watched(room: usize) -> (Taps, Arc<Tap>, mpsc::Receiver<Vec<u8>>) {
        let (sender, receiver) = mpsc::channel(room);
        let (taps, tap) = (Taps::default(), Arc::new(Tap::new(Filter::default(), sender)));
        taps.open(tap.clone());
        (taps, tap, receiver)
    }

    fn tell(taps: &Taps, second: u32) {
        taps.tell(second, |_| true, |_, line| line.push(b'x'));
    }

    #[test]
    fn whoever_reads_too_slowly_misses_lines_and_learns_how_many() {
        let (taps, tap, _lines) = watched(2);

        (0..5).for_each(|_| tell(&taps, 1));

        assert_eq!(tap.missed(), 3);
    }

    #[test]
    fn no_more_lines_are_written_in_a_second_than_the_limit() {
        let (taps, tap, mut lines) = watched(2 * TAP_LINES_PER_SECOND_MAX as usize);

        (0..TAP_LINES_PER_SECOND_MAX + 3).for_each(|_| tell(&taps, 1));
        tell(&taps, 2);

        assert_eq!(tap.missed(), 3);
        let read = std::iter::from_fn(|| lines.try_recv().ok()).count();
        assert_eq!(read, TAP_LINES_PER_SECOND_MAX as usize + 1);
    }

    #[test]
    fn a_worker_forgets_those_who_are_gone() {
        let (taps, _tap, lines) = watched(2);
        drop(lines);

        tell(&taps, 1);

        assert!(!taps.is_any());
    }
}
