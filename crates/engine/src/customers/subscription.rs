//! An application, and what it has subscribed to.

use std::sync::Arc;

use super::Holds;

/// Number of an application. It is never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationId(pub u64);

/// Number of a subscription, the same wherever it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(pub [u8; 16]);

/// What calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its number.
    pub id: ApplicationId,
    /// `namespace/name`.
    pub name: Arc<str>,
    /// Name of the team that it belongs to; shared by all of its applications.
    pub team: Arc<str>,
    /// Whether it and its team are active. Nothing of it may call when not.
    pub live: bool,
    /// What it has subscribed to, of products that somebody serves.
    pub subscriptions: Box<[Subscription]>,
}

impl Application {
    /// The subscription to a product (`namespace/name`). There is at most one that is live; of several, the one that
    /// may be used is the answer, so that an old and closed one cannot hide it. `now` tells the seconds since 1970,
    /// and is asked only where that matters.
    #[must_use]
    pub fn subscription(&self, product: &str, now: impl Fn() -> u64) -> Option<&Subscription> {
        let mut to_it = self.subscriptions.iter().filter(|subscription| &*subscription.product == product);
        let first = to_it.next()?;
        if first.usable(&now).is_ok() {
            return Some(first);
        }
        Some(to_it.find(|subscription| subscription.usable(&now).is_ok()).unwrap_or(first))
    }
}

/// A right to call the operations of a product, within the limits of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its number.
    pub id: SubscriptionId,
    /// `namespace/name` of the APIProduct.
    pub product: Arc<str>,
    /// `namespace/name` of the Plan.
    pub plan: Arc<str>,
    /// Whether it may be used at all, within its time.
    pub access: Result<(), Refusal>,
    /// Its time.
    pub term: Term,
    /// Where its calendar periods begin, in seconds since 1970.
    pub anchor: u64,
}

impl Subscription {
    /// Whether it may be used now. `now` tells the seconds since 1970; only one that begins or ends asks for them.
    ///
    /// # Errors
    /// Why not.
    pub fn usable(&self, now: impl Fn() -> u64) -> Result<(), Refusal> {
        match self.term == Term::ALWAYS || self.term.holds(now()) {
            true => self.access,
            false => Err(Refusal::NotActive),
        }
    }
}

/// From when until when something may be used, by the clock of whoever asks: it needs nobody to say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The first second, since 1970.
    pub begins: u64,
    /// The first second in which it is over, since 1970.
    pub ends: u64,
}

impl Term {
    /// No beginning and no end.
    pub const ALWAYS: Term = Term { begins: 0, ends: u64::MAX };

    /// Whether a moment is within it.
    #[must_use]
    pub fn holds(self, now: u64) -> bool {
        (self.begins..self.ends).contains(&now)
    }
}

/// Why a subscription may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody holds it.
    Held(Holds),
    /// It was not granted yet, or is over.
    NotActive,
}
