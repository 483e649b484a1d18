//! What is told late, twice, in another order or not at all the first time ends in the same ledger.

use commerce::usage::{Boot, Counts, Ledger, Place, Window};
use proptest::prelude::*;

/// A gateway that counts: each step adds to a place, or tells some of what it has, or all.
#[derive(Clone, Debug)]
enum Step {
    Count(Place<u8>, usize, u64),
    /// Tells all places as they are now.
    Tell,
}

fn place() -> impl Strategy<Value = Place<u8>> {
    (0..3_u128, 0..2_u16, 0..4_u32, 0..3_u8).prop_map(|(boot, shard, window, series)| Place {
        boot: Boot(boot),
        shard,
        window: Window(window),
        series,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let count =
        (place(), 0..6_usize, 1..1_000_u64).prop_map(|(place, meter, by)| Step::Count(place, meter, by));
    prop::collection::vec(prop_oneof![4 => count, 1 => Just(Step::Tell)], 0..80)
}

/// Every telling, in the order in which they were made, and what is true at the end.
fn told(steps: &[Step]) -> (Vec<(Place<u8>, Counts)>, Ledger<u8>) {
    let (mut tellings, mut truth) = (Vec::new(), std::collections::BTreeMap::<Place<u8>, Counts>::new());
    for step in steps.iter().chain([&Step::Tell]) {
        match step {
            Step::Count(place, meter, by) => truth.entry(*place).or_default().0[*meter] += by,
            Step::Tell => tellings.extend(truth.iter().map(|(place, counts)| (*place, *counts))),
        }
    }
    let mut ledger = Ledger::default();
    truth.iter().for_each(|(place, counts)| ledger.hear(*place, counts));
    (tellings, ledger)
}

proptest! {
    #[test]
    fn the_order_repetition_and_loss_of_tellings_change_nothing_once_the_last_ones_came(
        steps in steps(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..300),
    ) {
        let (tellings, truth) = told(&steps);
        let last = tellings.iter().rev().take(truth.counts().count());
        let mut ledger = Ledger::default();
        // Any of them, any number of times, in any order; and at some time each place's last one.
        let chaos = order.iter().filter(|_| !tellings.is_empty()).map(|at| at.get(&tellings));
        for (place, counts) in chaos.chain(last) {
            ledger.hear(*place, counts);
        }
        prop_assert_eq!(ledger, truth);
    }

    #[test]
    fn the_ledger_never_says_more_than_was_counted(
        steps in steps(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..100),
    ) {
        let (tellings, truth) = told(&steps);
        let mut ledger = Ledger::default();
        for at in order.iter().filter(|_| !tellings.is_empty()) {
            let (place, counts) = at.get(&tellings);
            ledger.hear(*place, counts);
        }
        for (place, counts) in ledger.counts() {
            let counted = truth.sum(|other| other == place);
            prop_assert!(counts.0.iter().zip(counted.0).all(|(told, counted)| *told <= counted));
        }
    }

    #[test]
    fn a_watermark_never_goes_back_and_the_slowest_gateway_decides(
        marks in prop::collection::vec((0..3_u128, 0..10_u32), 1..20),
    ) {
        let mut ledger = Ledger::<u8>::default();
        let mut most = std::collections::BTreeMap::new();
        for (boot, window) in marks {
            ledger.seal(Boot(boot), Window(window));
            let known: &mut u32 = most.entry(boot).or_default();
            *known = window.max(*known);
        }
        prop_assert_eq!(ledger.watermark(), most.values().min().copied().map(Window));
        for (boot, most) in most {
            let at = |window| Place { boot: Boot(boot), shard: 0, window: Window(window), series: 0 };
            prop_assert!(!ledger.is_sealed(&at(most)));
            prop_assert!(most == 0 || ledger.is_sealed(&at(most - 1)));
        }
    }
}
