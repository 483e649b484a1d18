//! What every caller that is limited has been given: one table for all workers.
//!
//! A limit that each worker counted for itself would give a caller as much as there are workers. So this is shared,
//! without a lock: a place is taken by writing whose it is, and charged by adding to one number. Memory comes in small
//! neighbourhoods as callers come, and not at all before the first limit is asked.
//!
//! Where several proxies give one rate together, each gives its share of it ([`shares`]).

pub mod shares;

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use commerce::rate::{Account, Asked, Rate};
use foldhash::quality::RandomState;

use crate::limits::{LIMITED_PARTIES_MAX, LIMITED_PARTIES_NEAR};
use shares::{Share, Shares};

/// Places that lie together: a caller is looked for in one neighbourhood only.
const NEIGHBOURS: usize = 64;
const NEIGHBOURHOODS: usize = LIMITED_PARTIES_MAX / NEIGHBOURS;

type Neighbourhood = [Place; NEIGHBOURS];

/// Every limited caller of this proxy.
#[derive(Debug, Default)]
pub struct Parties {
    table: OnceLock<Box<[OnceLock<Box<Neighbourhood>>]>>,
    shares: Shares,
    // Not to be guessed: whoever knew it could choose names that share a place with somebody else's.
    hashes: RandomState,
}

/// Who is limited by what: all that tells it apart, as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Party(u64);

#[derive(Debug, Default)]
struct Place {
    /// Zero: nobody's.
    party: AtomicU64,
    account: Account,
    share: Share,
}

impl Parties {
    /// What stands for somebody.
    pub fn party(&self, write: impl FnOnce(&mut dyn Hasher)) -> Party {
        let mut hasher = self.hashes.build_hasher();
        write(&mut hasher);
        // Zero means nobody.
        Party(hasher.finish() | 1)
    }

    /// Decides about a request of a party at `now`, in nanoseconds.
    pub fn ask(&self, party: Party, rate: Rate, now: u64) -> Asked {
        let place = self.place(party, now);
        let asked = place.account.ask(rate, now, 1);
        if !place.is_of(party) {
            // It had paid for everything, and another took its place at this very moment: ask where it is now. The
            // other has been charged once too often, which is the safe way to be wrong.
            return self.place(party, now).account.ask(rate, now, 1);
        }
        asked
    }

    /// The same for a rate that several proxies give together. `name` is what stands for the rate and the party on
    /// every proxy; it is asked for when the party comes the first time.
    pub fn ask_together(&self, party: Party, rate: Rate, now: u64, name: impl FnOnce() -> u64) -> Asked {
        let place = self.place(party, now);
        if !place.is_of(party) {
            // It shares somebody's account, so nobody could say whose demand it is.
            return self.ask(party, rate.share(self.shares.even()), now);
        }
        place.share.counts(|| self.shares.enlist(party, name(), rate));
        let share = self.shares.of(&place.share, now);
        place.account.ask(rate.share(share), now, 1)
    }

    /// Takes back what was just admitted.
    pub fn forgive(&self, party: Party, rate: Rate, now: u64) {
        self.place(party, now).account.forgive(rate, 1);
    }

    /// The same for a rate that several proxies give together.
    pub fn forgive_together(&self, party: Party, rate: Rate, now: u64) {
        let place = self.place(party, now);
        place.account.forgive(rate.share(self.shares.of(&place.share, now)), 1);
    }

    /// What is given together with other proxies.
    #[must_use]
    pub fn shares(&self) -> &Shares {
        &self.shares
    }

    /// The place of a party that has one.
    fn find(&self, party: Party) -> Option<&Place> {
        let places = self.neighbourhood(party);
        let first = party.0 as usize >> 1;
        let mut near = (0..LIMITED_PARTIES_NEAR).map(|step| &places[first.wrapping_add(step) % NEIGHBOURS]);
        near.find(|place| place.is_of(party))
    }

    fn place(&self, party: Party, now: u64) -> &Place {
        let places = self.neighbourhood(party);
        let first = party.0 as usize >> 1;
        let near = (0..LIMITED_PARTIES_NEAR).map(|step| &places[first.wrapping_add(step) % NEIGHBOURS]);
        // Its own first, wherever nearby: a place before it may have become free since.
        if let Some(own) = near.clone().find(|place| place.is_of(party)) {
            return own;
        }
        near.clone()
            .find(|place| place.take(party, now))
            // Everybody nearby owes something. The first one's account is shared until one of them has paid.
            .unwrap_or(&places[first % NEIGHBOURS])
    }

    fn neighbourhood(&self, party: Party) -> &Neighbourhood {
        let table = self.table.get_or_init(|| (0..NEIGHBOURHOODS).map(|_| OnceLock::new()).collect());
        // The upper half of the number finds the neighbourhood, the lower one the place in it.
        let at = (party.0 >> 32) as usize % NEIGHBOURHOODS;
        table[at].get_or_init(|| Box::new(std::array::from_fn(|_| Place::default())))
    }
}

impl Place {
    /// Makes a place a party's, if it is nobody's or of somebody who has paid for everything.
    fn take(&self, party: Party, now: u64) -> bool {
        let whose = self.party.load(Ordering::Relaxed);
        let free = whose == 0 || self.account.is_settled(now);
        let taken =
            free && self.party.compare_exchange(whose, party.0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if taken {
            self.share.is_nobodys();
        }
        taken
    }

    fn is_of(&self, party: Party) -> bool {
        self.party.load(Ordering::Relaxed) == party.0
    }
}

/// Adds text with its length, so that two texts never look like one.
pub fn hash_text(text: &[u8], hasher: &mut dyn Hasher) {
    hasher.write_usize(text.len());
    hasher.write(text);
}

/// Adds anything that can be hashed.
pub fn hash_value(value: &impl Hash, mut hasher: &mut dyn Hasher) {
    value.hash(&mut hasher);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    fn rate(requests: u32) -> Rate {
        Rate::new(requests, Duration::from_secs(1), None).unwrap()
    }

    fn admitted(asked: Asked) -> bool {
        matches!(asked, Asked::Admitted(_))
    }

    #[test]
    fn workers_count_a_party_together_and_parties_apart() {
        let (parties, given) = (Parties::default(), AtomicU32::new(0));
        let [kim, lee] =
            ["kim", "lee"].map(|name| parties.party(|hasher| hash_text(name.as_bytes(), hasher)));
        std::thread::scope(|scope| {
            for party in [kim, kim, lee, lee] {
                let (parties, given) = (&parties, &given);
                scope.spawn(move || {
                    for _ in 0..100 {
                        given.fetch_add(
                            u32::from(admitted(parties.ask(party, rate(50), 7))),
                            Ordering::Relaxed,
                        );
                    }
                });
            }
        });
        assert_eq!(given.into_inner(), 100);
    }

    #[test]
    fn a_place_is_given_to_another_once_its_party_has_paid() {
        let parties = Parties::default();
        let second = 1_000_000_000;
        // Parties whose numbers lead to one place, and one more than there are places nearby.
        let crowd: Vec<Party> =
            (0..=LIMITED_PARTIES_NEAR as u64).map(|n| Party(2 * n * NEIGHBOURS as u64 + 1)).collect();
        for party in &crowd[..LIMITED_PARTIES_NEAR] {
            assert!(admitted(parties.ask(*party, rate(1), second)));
            assert!(!admitted(parties.ask(*party, rate(1), second)), "each has an account of its own");
        }
        let late = crowd[LIMITED_PARTIES_NEAR];
        assert!(!admitted(parties.ask(late, rate(1), second)), "it shares one that has been used up");
        assert!(admitted(parties.ask(late, rate(1), 3 * second)), "and has its own when somebody has paid");
        assert!(admitted(parties.ask(crowd[1], rate(1), 3 * second)), "which was not everybody's");
    }

    #[test]
    fn what_is_forgiven_may_be_asked_for_again() {
        let parties = Parties::default();
        let party = parties.party(|hasher| hash_value(&1_u8, hasher));
        assert!(admitted(parties.ask(party, rate(1), 5)));
        parties.forgive(party, rate(1), 5);
        assert!(admitted(parties.ask(party, rate(1), 5)));
    }
}
