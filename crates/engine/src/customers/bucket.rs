//! One bucket: an open-addressed table that is made once and never changed.
//!
//! Fingerprints are uniformly distributed by themselves, so their own bits say where to look: no hashing, no seed to
//! guess, and no walk that grows with the number of customers.

use super::credential::Packed;
use super::{Application, ApplicationId, Credential, Fingerprint};

/// How many places there are, for credentials and again for applications. With a million credentials a bucket has about
/// 244: few enough to send whenever one of them changes, and 64 KiB of pointers to copy for the next table.
pub const PLACES: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 12;

/// Where a bucket lies; control plane and proxy have to agree about it, so both ask here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(u16);

impl Place {
    /// A place by its number, if there is such a place.
    #[must_use]
    pub fn new(number: u32) -> Option<Place> {
        u16::try_from(number).ok().filter(|number| usize::from(*number) < PLACES).map(Place)
    }

    /// Every place.
    pub fn all() -> impl Iterator<Item = Place> {
        (0..1 << PLACE_BITS).map(Place)
    }

    /// Its number, below [`PLACES`].
    #[must_use]
    pub fn number(self) -> u32 {
        self.0.into()
    }

    /// The place of a credential: the first bits of its fingerprint.
    #[must_use]
    pub fn of_fingerprint(print: &Fingerprint) -> Place {
        Place(u16::from_be_bytes([print.0[0], print.0[1]]) >> (u16::BITS - PLACE_BITS))
    }

    /// The place of an application: the last bits of its number, which counts up.
    #[must_use]
    pub fn of_application(id: ApplicationId) -> Place {
        Place((id.0 % PLACES as u64) as u16)
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }
}

/// What a place holds from now on: all of it, since buckets are replaced and never mended.
#[derive(Clone, Debug)]
pub enum Bucket {
    /// Credentials. Whoever fills it answers for every fingerprint belonging there.
    Credentials(Place, Vec<(Fingerprint, Credential)>),
    /// Applications.
    Applications(Place, Vec<Application>),
}

pub(super) fn credentials_by_place(
    rows: impl IntoIterator<Item = (Fingerprint, Credential)>,
) -> impl Iterator<Item = Bucket> {
    by_place(rows, |(print, _)| Place::of_fingerprint(print))
        .map(|(place, rows)| Bucket::Credentials(place, rows))
}

pub(super) fn applications_by_place(
    rows: impl IntoIterator<Item = Application>,
) -> impl Iterator<Item = Bucket> {
    by_place(rows, |application| Place::of_application(application.id))
        .map(|(place, rows)| Bucket::Applications(place, rows))
}

fn by_place<T>(
    rows: impl IntoIterator<Item = T>,
    place: impl Fn(&T) -> Place,
) -> impl Iterator<Item = (Place, Vec<T>)> {
    let mut places: Vec<Vec<T>> = std::iter::repeat_with(Vec::new).take(PLACES).collect();
    for row in rows {
        let place = place(&row);
        places[place.index()].push(row);
    }
    Place::all().zip(places).filter(|(_, rows)| !rows.is_empty())
}

/// What can be found by bits of its own.
pub(super) trait Spread {
    /// 64 bits that are as good as random within a place.
    fn spread(&self) -> u64;
}

impl Spread for Fingerprint {
    fn spread(&self) -> u64 {
        let mut behind_the_place = [0; 8];
        behind_the_place.copy_from_slice(&self.0[8..]);
        u64::from_be_bytes(behind_the_place)
    }
}

impl Spread for (Fingerprint, Packed) {
    fn spread(&self) -> u64 {
        self.0.spread()
    }
}

impl Spread for ApplicationId {
    fn spread(&self) -> u64 {
        // Numbers that count up are spread by the golden ratio (Fibonacci hashing).
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Spread for std::sync::Arc<Application> {
    fn spread(&self) -> u64 {
        self.id.spread()
    }
}

/// A table at a load of at most four fifths.
pub(super) struct Filled<T> {
    slots: Box<[Option<T>]>,
    len: usize,
}

impl<T: Spread> Filled<T> {
    /// `None` when there is nothing to hold.
    pub(super) fn of(rows: impl ExactSizeIterator<Item = T>) -> Option<std::sync::Arc<Filled<T>>> {
        let len = rows.len();
        if len == 0 {
            return None;
        }
        let mut slots: Box<[Option<T>]> = std::iter::repeat_with(|| None).take(len + len / 4 + 1).collect();
        for row in rows {
            let mut at = first(slots.len(), row.spread());
            while slots[at].is_some() {
                at = after(slots.len(), at);
            }
            slots[at] = Some(row);
        }
        Some(std::sync::Arc::new(Filled { slots, len }))
    }

    /// One slot stays empty for good, so the walk ends.
    pub(super) fn find(&self, key: &impl Spread, is_it: impl Fn(&T) -> bool) -> Option<&T> {
        let mut at = first(self.slots.len(), key.spread());
        while let Some(row) = &self.slots[at] {
            if is_it(row) {
                return Some(row);
            }
            at = after(self.slots.len(), at);
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// The slot at which the walk for these bits begins: they are read as a fraction of the table.
fn first(slots: usize, spread: u64) -> usize {
    ((u128::from(spread) * slots as u128) >> 64) as usize
}

fn after(slots: usize, at: usize) -> usize {
    if at + 1 == slots { 0 } else { at + 1 }
}
