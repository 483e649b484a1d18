//! Who gives which share of which rate now: the side of whoever deals shares out.
//!
//! A share that was told is held until its gateway says something else, or nothing for [`HELD`]. Nobody is told more
//! than what others do not hold, so shares never add up to more than the whole while they move from one gateway to
//! another: one that takes over traffic is told its part when the other one has heard of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{WHOLE, divide};

/// How long a share is held for a gateway that says nothing.
pub const HELD: Duration = Duration::from_secs(10);
/// Most rates whose shares are remembered. Past it further ones are told none.
pub const RATES_MAX: usize = 1 << 18;

/// The shares of all rates. Moments are times since any beginning.
#[derive(Debug, Default)]
pub struct Board {
    rates: HashMap<u64, Vec<Holder>>,
    elsewhere: HashMap<Arc<str>, Elsewhere>,
    tidied: Duration,
}

/// A gateway that gives a share of a rate.
#[derive(Debug)]
struct Holder {
    gateway: Arc<str>,
    demand: u64,
    share: u32,
    heard: Duration,
}

/// What another board has dealt out, of the same rates and at the same time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Demand and shares by rate.
    pub rates: HashMap<u64, (u64, u32)>,
}

impl Board {
    /// Hears how many requests for a rate a gateway was asked lately; answers with its share in millionths. Without any
    /// it gives the share back, and is told 0. So is everybody for whom there is no room, or of whose part others still
    /// hold more than half: what they give by themselves meanwhile is theirs to know.
    pub fn hear(&mut self, gateway: &Arc<str>, rate: u64, demand: u64, now: Duration) -> u32 {
        self.tidy(now);
        if !self.rates.contains_key(&rate) && (demand == 0 || self.rates.len() >= RATES_MAX) {
            return 0;
        }
        let (demand_elsewhere, held_elsewhere) = self.elsewhere(rate);
        let holders = self.rates.entry(rate).or_default();
        holders.retain(|holder| holder.is_held(now) && (demand > 0 || holder.gateway != *gateway));
        if demand == 0 {
            return 0;
        }
        let own = holders.iter().position(|holder| holder.gateway == *gateway);
        let own = own.unwrap_or_else(|| {
            holders.push(Holder { gateway: gateway.clone(), demand, share: 0, heard: now });
            holders.len() - 1
        });
        (holders[own].demand, holders[own].heard, holders[own].share) = (demand, now, 0);
        let mut demands: Vec<u64> = holders.iter().map(|holder| holder.demand).collect();
        if held_elsewhere > 0 || demand_elsewhere > 0 {
            demands.push(demand_elsewhere);
        }
        let held = holders.iter().map(|holder| holder.share).sum::<u32>().saturating_add(held_elsewhere);
        let due = divide(&demands)[own];
        let share = due.min(WHOLE.saturating_sub(held));
        holders[own].share = share;
        if share < due / 2 { 0 } else { share }
    }

    /// Notes what another board deals out; `None` when it is no more.
    pub fn note(&mut self, board: &Arc<str>, told: Option<Elsewhere>) {
        match told {
            Some(told) => drop(self.elsewhere.insert(board.clone(), told)),
            None => drop(self.elsewhere.remove(board)),
        }
    }

    /// The other boards that are known.
    pub fn others(&self) -> impl Iterator<Item = &Arc<str>> {
        self.elsewhere.keys()
    }

    /// What other boards need to know of this one, of at most so many rates: those that are asked for most.
    #[must_use]
    pub fn told(&self, most: usize, now: Duration) -> Elsewhere {
        let sum = |holders: &[Holder]| {
            let held = holders.iter().filter(|holder| holder.is_held(now));
            held.fold((0_u64, 0_u32), |(demand, share), holder| {
                (demand.saturating_add(holder.demand), share + holder.share)
            })
        };
        let mut rates: Vec<_> = self.rates.iter().map(|(rate, holders)| (*rate, sum(holders))).collect();
        rates.retain(|(_, (demand, _))| *demand > 0);
        rates.sort_unstable_by_key(|(_, (demand, _))| std::cmp::Reverse(*demand));
        Elsewhere { rates: rates.into_iter().take(most).collect() }
    }

    fn elsewhere(&self, rate: u64) -> (u64, u32) {
        let known = self.elsewhere.values().filter_map(|board| board.rates.get(&rate));
        known.fold((0, 0), |(demand, share), (more, held)| {
            (u64::saturating_add(demand, *more), u32::saturating_add(share, *held))
        })
    }

    /// Forgets rates for which nobody holds a share.
    fn tidy(&mut self, now: Duration) {
        if now.saturating_sub(self.tidied) < HELD {
            return;
        }
        self.tidied = now;
        self.rates.retain(|_, holders| {
            holders.retain(|holder| holder.is_held(now));
            !holders.is_empty()
        });
    }
}

impl Holder {
    fn is_held(&self, now: Duration) -> bool {
        now.saturating_sub(self.heard) < HELD
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: u64 = 7;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn whoever_has_all_the_traffic_is_told_the_whole_and_gives_way_to_another() {
        let (mut board, one, other) = (Board::default(), "one".into(), "other".into());
        assert_eq!(board.hear(&one, RATE, 100, seconds(0)), WHOLE);
        assert_eq!(board.hear(&other, RATE, 100, seconds(1)), 0, "the first one still has all of it");
        assert_eq!(board.hear(&one, RATE, 100, seconds(1)), WHOLE / 2);
        assert_eq!(board.hear(&other, RATE, 100, seconds(2)), WHOLE / 2);

        assert_eq!(board.hear(&one, RATE, 0, seconds(3)), 0, "it gives its share back");
        assert_eq!(board.hear(&other, RATE, 100, seconds(3)), WHOLE);
    }

    #[test]
    fn what_a_silent_gateway_held_is_dealt_out_again_after_a_while() {
        let (mut board, one, other) = (Board::default(), "one".into(), "other".into());
        board.hear(&one, RATE, 900, seconds(0));
        assert_eq!(board.hear(&other, RATE, 100, seconds(9)), 0);
        assert_eq!(board.hear(&other, RATE, 100, seconds(10)), WHOLE);
        board.hear(&other, RATE, 0, seconds(11));
        board.hear(&other, RATE + 1, 1, seconds(40));
        assert_eq!(board.rates.len(), 1);
    }

    #[test]
    fn two_boards_that_tell_each_other_deal_out_one_whole() {
        let (mut here, mut there) = (Board::default(), Board::default());
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let mut shares = (0, 0);
        for second in 0..6 {
            shares =
                (here.hear(&one, RATE, 300, seconds(second)), there.hear(&other, RATE, 100, seconds(second)));
            let (told_here, told_there) = (here.told(10, seconds(second)), there.told(10, seconds(second)));
            here.note(&other, Some(told_there));
            there.note(&one, Some(told_here));
        }
        assert_eq!(shares.0 + shares.1, WHOLE, "{shares:?}");
        assert!(shares.0 > 2 * shares.1, "{shares:?}");
        here.note(&other, None);
        assert_eq!(here.hear(&one, RATE, 300, seconds(7)), WHOLE);
    }

    proptest! {
        #[test]
        fn shares_that_are_held_are_never_more_than_the_whole(
            events in prop::collection::vec((0_usize..5, 0_u64..1000, 0_u64..4), 1..100),
        ) {
            let names: Vec<Arc<str>> = (0..5).map(|at| format!("edge-{at}").into()).collect();
            let (mut board, mut now) = (Board::default(), seconds(0));
            let mut held = [(0, seconds(0)); 5];
            for (at, demand, pause) in events {
                now += seconds(pause);
                held[at] = (board.hear(&names[at], RATE, demand, now), now);
                let all = held.iter().filter(|(_, heard)| now - *heard < HELD);
                prop_assert!(all.map(|(share, _)| *share).sum::<u32>() <= WHOLE);
            }
        }
    }
}
