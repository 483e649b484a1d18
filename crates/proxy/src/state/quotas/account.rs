//! One quota of one subscription in one period.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use commerce::period::Window;
use commerce::quota::{Lease, Told};
use engine::customers::SubscriptionId;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::kept::Spent;

/// What was lent, what was spent of it, and whether more is to be had.
#[derive(Debug)]
pub struct Account {
    pub(super) subscription: SubscriptionId,
    pub(super) name: Arc<str>,
    pub(super) window: Window,
    pub(super) lease: Lease<Spent>,
    /// The plan of the subscription. It may change within a period; what was spent stays spent.
    plan: Mutex<Arc<str>>,
    standing: AtomicU8,
    /// Whether it waits to be asked for, or is being asked for.
    is_asking: AtomicBool,
    /// Whether somebody wants more.
    is_wanting: AtomicBool,
    was_refused: AtomicBool,
    /// Requests that wait for an answer.
    pub(super) waiting: AtomicU64,
    /// What the coordinator could still lend when it answered last.
    remaining: AtomicU64,
    answered: Notify,
    books: Mutex<Books>,
}

/// What the thread that talks to the coordinator remembers.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// What the coordinator has heard.
    pub told: Told,
    /// When, in seconds since 1970.
    pub told_at: i64,
    /// What was spent a second ago.
    pub spent_before: u64,
    /// Requests in a second, lately.
    pub recent: u64,
    /// When the last request was charged.
    pub active_at: i64,
}

/// What is known of the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// More may be had.
    Good,
    /// Nothing was left when it was asked for.
    UsedUp,
    /// The coordinator knows of no such quota.
    Unknown,
}

/// A request that waits.
#[derive(Debug)]
pub struct Waiting<'a>(&'a Account);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Account {
    pub(super) fn new(
        subscription: SubscriptionId,
        plan: Arc<str>,
        name: Arc<str>,
        window: Window,
        spent: Spent,
    ) -> Account {
        Account {
            subscription,
            name,
            window,
            lease: Lease::counting_in(spent),
            plan: Mutex::new(plan),
            standing: AtomicU8::new(0),
            is_asking: AtomicBool::default(),
            is_wanting: AtomicBool::default(),
            was_refused: AtomicBool::default(),
            waiting: AtomicU64::default(),
            remaining: AtomicU64::default(),
            answered: Notify::new(),
            books: Mutex::default(),
        }
    }

    /// Its period.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// Requests that are left, here and with the coordinator when it answered last.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.lease.left().saturating_add(self.remaining.load(Ordering::Relaxed))
    }

    /// Takes back what was just charged.
    pub fn forgive(&self) {
        self.lease.forgive(1);
    }

    /// Counts somebody among those who wait, for as long as it keeps the answer.
    #[must_use]
    pub fn waits(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// Ready at the next answer. To miss none, make it before trying.
    pub fn answered(&self) -> Notified<'_> {
        self.answered.notified()
    }

    pub(super) fn belongs_to(&self, plan: &Arc<str>) {
        let mut known = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != *plan {
            *known = plan.clone();
        }
    }

    pub(super) fn plan(&self) -> Arc<str> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Acquire) {
            0 => Standing::Good,
            1 => Standing::UsedUp,
            _ => Standing::Unknown,
        }
    }

    /// Notes what a coordinator has answered, and wakes those who wait.
    pub(super) fn stands(&self, standing: Standing, remaining: u64) {
        self.remaining.store(remaining, Ordering::Relaxed);
        let number = match standing {
            Standing::Good => 0,
            Standing::UsedUp => 1,
            Standing::Unknown => 2,
        };
        self.standing.store(number, Ordering::Release);
    }

    pub(super) fn was_refused(&self) {
        self.was_refused.store(true, Ordering::Relaxed);
    }

    /// Whether somebody was refused since it was asked the last time.
    pub(super) fn has_refused(&self) -> bool {
        self.was_refused.swap(false, Ordering::Relaxed)
    }

    /// Somebody wants more. Whether it is to be put into the queue.
    pub(super) fn begins_to_ask(&self) -> bool {
        self.is_wanting.store(true, Ordering::Release);
        self.begins_to_tell()
    }

    /// It has something to tell. Whether it is to be put into the queue.
    pub(super) fn begins_to_tell(&self) -> bool {
        !self.is_asking.swap(true, Ordering::AcqRel)
    }

    /// Whether somebody wants more.
    pub(super) fn wants(&self) -> bool {
        self.is_wanting.load(Ordering::Acquire)
    }

    /// It could not be put into the queue.
    pub(super) fn is_put_off(&self) {
        self.is_wanting.store(false, Ordering::Release);
        self.is_asking.store(false, Ordering::Release);
    }

    /// It is neither in the queue nor being asked for. Whoever waits tries again.
    pub(super) fn asks_no_more(&self) {
        self.is_put_off();
        self.answered.notify_waiters();
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
