//! What this proxy gives of rates that it gives together with others.
//!
//! A request is counted against a share that lies beside the account: no lock, no network. Whoever comes the first time
//! is put on a list, by which one thread tells the control plane about once a second who asks how often, and notes
//! what it is told. A party that asks for little of its rate is told nobody. Without a share of its own, and when
//! there was no answer for a while, a party has the even part: the whole, divided by the proxies that were alive when
//! somebody could be asked last.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use commerce::rate::Rate;
use commerce::shares::WHOLE;
use discovery::limits::RATES_TOLD_MAX;
use discovery::shares::{Demand, SharesResponse};

use super::{Parties, Party};
use crate::limits::{SHARE_KEPT_SECONDS, SHARED_PARTIES_MAX, SHARED_PARTIES_WAITING_MAX};

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;
/// Shortest and longest time over which demand is counted, in seconds. In between it is the time in which a whole burst
/// is paid for, so that a rate of a few requests in an hour does not forget between two of them who asks.
const COUNTED_OVER: (f64, f64) = (1.0, 60.0);
/// A party that asks for less than this part of its rate is told nobody.
const TOLD_FROM: f64 = 1.0 / 16.0;
/// Requests, faded, below which a party is asked for no more.
const FORGOTTEN_BELOW: f64 = 0.05;
/// Demand is told in parts of a request.
const PARTS: f64 = 16.0;

/// No proxy looks after the share of this place.
const UNLISTED: u32 = 0;
/// Somebody does, and the party has the even part.
const EVEN: u32 = u32::MAX;

/// The share of one place, and how often it was asked since the last look.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Millionths, or one of the two above.
    millionths: AtomicU32,
    asked: AtomicU32,
}

impl Share {
    /// Counts a request. `enlist` puts its party on the list, and says whether it could.
    pub(super) fn counts(&self, enlist: impl FnOnce() -> bool) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.millionths.load(Ordering::Relaxed) == UNLISTED && self.begins() && !enlist() {
            self.millionths.store(UNLISTED, Ordering::Relaxed);
        }
    }

    fn begins(&self) -> bool {
        self.millionths.compare_exchange(UNLISTED, EVEN, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Nobody is told how much its party asks.
    fn is_even(&self) {
        self.millionths.store(EVEN, Ordering::Relaxed);
    }

    /// Another party has the place from now on.
    pub(super) fn is_nobodys(&self) {
        self.asked.store(0, Ordering::Relaxed);
        self.millionths.store(UNLISTED, Ordering::Relaxed);
    }
}

/// The shares of all parties.
#[derive(Debug)]
pub struct Shares {
    /// The even part, in millionths.
    even: AtomicU32,
    /// When shares were told last, in nanoseconds.
    told_at: AtomicU64,
    listing: SyncSender<Listed>,
    list: Mutex<List>,
}

#[derive(Clone, Copy, Debug)]
struct Listed {
    party: Party,
    name: u64,
    rate: Rate,
}

#[derive(Debug)]
struct List {
    listed: Receiver<Listed>,
    parties: HashMap<Party, Known>,
    looked_at: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    name: u64,
    rate: Rate,
    /// Requests lately, faded.
    recent: f64,
    is_told: bool,
}

impl Default for Shares {
    fn default() -> Shares {
        let (listing, listed) = sync_channel(SHARED_PARTIES_WAITING_MAX);
        let list = List { listed, parties: HashMap::new(), looked_at: 0 };
        Shares { even: WHOLE.into(), told_at: AtomicU64::default(), listing, list: Mutex::new(list) }
    }
}

impl Shares {
    /// The share of a place at `now`, in nanoseconds.
    pub(super) fn of(&self, share: &Share, now: u64) -> u32 {
        match share.millionths.load(Ordering::Relaxed) {
            UNLISTED | EVEN => self.even(),
            _ if now.saturating_sub(self.told_at.load(Ordering::Relaxed)) > SHARE_KEPT_SECONDS * SECOND => {
                self.even()
            }
            millionths => millionths,
        }
    }

    /// The part of whoever has no share of its own.
    pub(super) fn even(&self) -> u32 {
        self.even.load(Ordering::Relaxed)
    }

    pub(super) fn enlist(&self, party: Party, name: u64, rate: Rate) -> bool {
        self.listing.try_send(Listed { party, name, rate }).is_ok()
    }

    fn list(&self) -> MutexGuard<'_, List> {
        // Nothing that runs under the lock panics half-way through a change.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parties {
    /// Who asks how often, of those who ask for more than a little: what the control plane is to be told at `now`, in
    /// nanoseconds. To be called about once a second.
    pub fn demands(&self, now: u64) -> Vec<Told> {
        let mut list = self.shares.list();
        list.take_in();
        let seconds = now.saturating_sub(list.looked_at) as f64 / SECOND as f64;
        list.looked_at = now;
        let mut told = Vec::new();
        list.parties.retain(|party, known| {
            let place = self.find(*party);
            let asked = place.map_or(0, |place| place.share.asked.swap(0, Ordering::Relaxed));
            known.fades(seconds, asked);
            let is_kept = place.is_some() && known.recent >= FORGOTTEN_BELOW;
            let weight = if is_kept { known.weight() } else { 0.0 };
            // Half of it is enough to stay, so that nobody is told and not told in turns.
            let is_told = weight >= if known.is_told { TOLD_FROM / 2.0 } else { TOLD_FROM };
            if is_told || known.is_told {
                let asked = if is_told { (known.recent * PARTS) as u64 } else { 0 };
                told.push(Told { party: *party, weight, demand: Demand { rate: known.name, asked } });
            }
            known.is_told = is_told;
            match place {
                Some(place) if !is_kept => place.share.is_nobodys(),
                Some(place) if !is_told => place.share.is_even(),
                Some(_) | None => {}
            }
            is_kept
        });
        told.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        for Told { party, .. } in told.drain(RATES_TOLD_MAX.min(told.len())..) {
            self.find(party).inspect(|place| place.share.is_even());
        }
        told
    }

    /// Takes in what the control plane has answered, at `now`, in nanoseconds.
    pub fn is_answered(&self, told: &[Told], response: &SharesResponse, now: u64) {
        self.shares.even.store(WHOLE / response.proxies.clamp(1, WHOLE), Ordering::Relaxed);
        for (told, share) in told.iter().zip(&response.shares) {
            let Some(place) = self.find(told.party) else { continue };
            let millionths = if *share == 0 { EVEN } else { (*share).min(WHOLE) };
            if told.demand.asked > 0 {
                place.share.millionths.store(millionths, Ordering::Relaxed);
            }
            if !place.is_of(told.party) {
                // Somebody else's at this very moment.
                place.share.is_nobodys();
            }
        }
        self.shares.told_at.store(now, Ordering::Relaxed);
    }
}

/// What is told of one party.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    party: Party,
    weight: f64,
    /// What the control plane is told.
    pub demand: Demand,
}

impl List {
    /// Takes in who came since the last look.
    fn take_in(&mut self) {
        while let Ok(Listed { party, name, rate }) = self.listed.try_recv() {
            if self.parties.len() >= SHARED_PARTIES_MAX {
                // It stays where it is, with the even part, until its place is another's.
                continue;
            }
            let known =
                self.parties.entry(party).or_insert(Known { name, rate, recent: 0.0, is_told: false });
            (known.name, known.rate) = (name, rate);
        }
    }
}

impl Known {
    /// Whoever asks for more than all of it has no more use for a share than whoever asks for all of it, and would
    /// only be remembered for longer.
    fn fades(&mut self, seconds: f64, asked: u32) {
        let faded = self.recent * (-seconds / self.counted_over()).exp() + f64::from(asked);
        let all = self.counted_over() / self.rate.interval_seconds();
        self.recent = faded.min(all.max(1.0));
    }

    /// How much of its rate it asks for: 1 is all of it.
    fn weight(&self) -> f64 {
        self.recent * self.rate.interval_seconds() / self.counted_over()
    }

    fn counted_over(&self) -> f64 {
        let (shortest, longest) = COUNTED_OVER;
        (self.rate.interval_seconds() * f64::from(self.rate.burst())).clamp(shortest, longest)
    }
}
