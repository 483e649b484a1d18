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
    /// The subscription to a product (`namespace/name`). There is at most one that is live; of several, that one is
    /// the answer, so that an old and closed one cannot hide it.
    #[must_use]
    pub fn subscription(&self, product: &str) -> Option<&Subscription> {
        let mut to_it = self.subscriptions.iter().filter(|subscription| &*subscription.product == product);
        let first = to_it.next()?;
        if first.access.is_ok() {
            return Some(first);
        }
        Some(to_it.find(|subscription| subscription.access.is_ok()).unwrap_or(first))
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
    /// Whether it may be used at all.
    pub access: Result<(), Refusal>,
    /// Where its calendar periods begin, in seconds since 1970.
    pub anchor: u64,
}

/// Why a subscription may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody holds it.
    Held(Holds),
    /// It was not granted yet, or is over.
    NotActive,
}
