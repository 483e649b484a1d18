//! What earlier starts have left behind, many of them in one message: a gateway that was killed a hundred times is
//! not a hundred calls behind. No socket and no clock, as in the outbox.

use std::collections::VecDeque;

use discovery::usage::{ENDED_MAX, RECORDS_MAX, Shipment};

use super::outbox::{Outbox, Parcel};
use crate::state::meters::Meters;

/// The starts. They stay here until all of one was acknowledged, however a call about them ends.
#[derive(Debug, Default)]
pub(super) struct Behind {
    starts: Vec<Start>,
}

#[derive(Debug)]
struct Start {
    meters: Meters,
    outbox: Outbox,
    /// Whether the ledger has all of it.
    is_told: bool,
}

/// Which of the starts are still to be told in this round.
pub(super) type Waiting = VecDeque<usize>;

/// Some of them, to be told together.
#[derive(Debug)]
pub(super) struct Bundle {
    parcels: Vec<(usize, Parcel)>,
}

impl Bundle {
    /// What to send.
    pub fn shipments(&self) -> Vec<Shipment> {
        self.parcels.iter().map(|(_, parcel)| parcel.shipment.clone()).collect()
    }
}

impl Behind {
    /// More of them, nothing of which was acknowledged.
    pub fn add(&mut self, found: Vec<Meters>) {
        self.starts.extend(found.into_iter().map(|meters| {
            let outbox = Outbox::new(&meters, true);
            Start { meters, outbox, is_told: false }
        }));
    }

    /// A round of all.
    pub fn waiting(&self) -> Waiting {
        (0..self.starts.len()).collect()
    }

    /// Those that are told next, as many as may be told at once. `None`: none waits.
    pub fn next(&self, waiting: &mut Waiting) -> Option<Bundle> {
        let (mut parcels, mut records) = (Vec::new(), 0);
        while parcels.len() < ENDED_MAX
            && let Some(at) = waiting.front().copied()
        {
            let Start { meters, outbox, .. } = &self.starts[at];
            let parcel = outbox.next(meters);
            records += parcel.shipment.records.len();
            if records > RECORDS_MAX {
                break;
            }
            waiting.pop_front();
            parcels.push((at, parcel));
        }
        (!parcels.is_empty()).then_some(Bundle { parcels })
    }

    /// The counters of those of a bundle that the ledger has taken over.
    pub fn taken_over(&self, bundle: &Bundle, kept: &[bool]) -> impl Iterator<Item = &Meters> {
        kept_of(bundle, kept).map(|(at, _)| &self.starts[*at].meters)
    }

    /// The ledger has those of a bundle. What is not kept waits for another round, and holds up no other.
    pub fn received(&mut self, bundle: &Bundle, kept: &[bool], waiting: &mut Waiting) {
        for (at, parcel) in kept_of(bundle, kept) {
            let start = &mut self.starts[*at];
            start.is_told = start.outbox.received(&start.meters, parcel);
            if !start.is_told {
                waiting.push_back(*at);
            }
        }
    }

    /// Takes away the files of those that are told.
    pub fn remove_told(&mut self) {
        self.starts.extract_if(.., |start| start.is_told).for_each(|start| start.meters.remove());
    }
}

fn kept_of<'b>(bundle: &'b Bundle, kept: &[bool]) -> impl Iterator<Item = &'b (usize, Parcel)> {
    bundle.parcels.iter().zip(kept).filter(|(_, kept)| **kept).map(|(parcel, _)| parcel)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use commerce::usage::{Boot, Class};
    use discovery::usage::Series;

    use super::*;
    use crate::clock::Clock;
    use crate::state::meters::{Called, Meter};

    const SIZES: (usize, usize) = (4096, 64 * 1024);

    /// A start that was killed after it had counted so many operations.
    fn killed(folder: &std::path::Path, boot: u128, operations: u32) {
        let opened = Meters::small(Some(folder), Boot(boot), 1, SIZES).expect("room");
        let meter = Meter::new(Arc::new(opened.current), 0);
        meter.tick(Clock::start().now(), || Duration::from_secs(60_000));
        for operation in 0..operations {
            let series = || Series { operation: operation.to_string(), ..Series::default() };
            meter.count(Called { operation, by: [0; 16], plan: 0 }, series, Class::Success, [1, 1]);
        }
    }

    #[test]
    fn many_starts_are_told_together_and_one_that_is_not_taken_holds_up_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let (small, large) = (100, RECORDS_MAX as u32 + 10);
        for boot in 1..=small {
            killed(folder.path(), boot, 2);
        }
        killed(folder.path(), small + 1, large);
        let opened = Meters::small(Some(folder.path()), Boot(small + 2), 1, SIZES).expect("room");
        let mut behind = Behind::default();
        behind.add(opened.left);
        let refused = Boot(7).0.to_be_bytes();

        let (mut waiting, mut calls, mut records) = (behind.waiting(), 0, 0);
        while let Some(bundle) = behind.next(&mut waiting) {
            let shipments = bundle.shipments();
            let told: usize = shipments.iter().map(|shipment| shipment.records.len()).sum();
            assert!(told <= RECORDS_MAX && shipments.len() <= ENDED_MAX);
            let kept: Vec<bool> = shipments.iter().map(|shipment| *shipment.boot != refused).collect();
            behind.received(&bundle, &kept, &mut waiting);
            (calls, records) = (calls + 1, records + told);
        }
        behind.remove_told();

        assert!(calls <= 6, "{calls} calls for {small} starts");
        assert_eq!(records, 2 * small as usize + large as usize);
        assert_eq!(behind.waiting().len(), 1, "the one that was refused is told again");
        let left = opened.current.left_beside().expect("the folder");
        assert!(left.is_empty(), "of the others nothing is there any more");
    }
}
