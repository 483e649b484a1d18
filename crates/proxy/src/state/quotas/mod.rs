//! What this proxy was lent of quotas, for all of its workers together.
//!
//! A request is charged against what lies here already: a few atomic steps, no lock and no network. Only when little is
//! left is more asked for, in the background and by another thread, and only a request that finds nothing at all waits
//! for the answer. A worker remembers the accounts that it has used ([`near`]), so the lock of the table is taken once
//! for each account, worker and period.

mod account;
mod keeping;
mod kept;
pub mod near;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use commerce::period::Window;
use commerce::quota::{Take, WhenUnknown};
use commerce::usage::Boot;
use discovery::quotas::QuotaAsk;
use engine::config::Quota;
use engine::customers::SubscriptionId;
use tokio::sync::{Notify, mpsc};

use crate::limits::{QUOTA_ACCOUNTS_MAX, QUOTA_ASKS_WAITING_MAX};
pub use account::Account;
use account::Standing;
pub(crate) use kept::Left;
use kept::{Kept, Spent};

/// Every quota of every subscription that was asked for lately.
#[derive(Debug)]
pub struct Quotas {
    accounts: Mutex<HashMap<Place, Arc<Account>>>,
    asks: mpsc::Sender<Arc<Account>>,
    /// Whoever talks to the coordinator has it while it does.
    asked: tokio::sync::Mutex<mpsc::Receiver<Arc<Account>>>,
    /// Whether there is nobody to ask.
    is_away: AtomicBool,
    boot: [u8; 16],
    /// Where what is spent outlives the process.
    kept: Option<Arc<Kept>>,
    leaving: Notify,
    left: Notify,
}

/// What tells an account from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    subscription: SubscriptionId,
    quota: Arc<str>,
    start: i64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// It was charged.
    Admitted,
    /// The quota is used up.
    Refused,
    /// Nobody can tell how much of the quota is left, and the plan has no more to give then.
    Unknown,
    /// More was asked for: once there is an answer, try again.
    Wait,
}

impl Default for Quotas {
    /// Nothing was lent, and there is nobody to ask.
    fn default() -> Quotas {
        let (asks, asked) = mpsc::channel(QUOTA_ASKS_WAITING_MAX);
        Quotas {
            accounts: Mutex::default(),
            asks,
            asked: tokio::sync::Mutex::new(asked),
            is_away: AtomicBool::new(true),
            boot: identity::random(),
            kept: None,
            leaving: Notify::new(),
            left: Notify::new(),
        }
    }
}

impl Drop for Quotas {
    fn drop(&mut self) {
        self.kept.iter().for_each(|kept| kept.close());
    }
}

impl Quotas {
    /// Of a start of a proxy that counts what is spent in a folder, so that the next start can tell it. In memory only
    /// when the folder cannot be used.
    #[must_use]
    pub fn of(folder: Option<&Path>, boot: Boot) -> Quotas {
        let mut quotas = Quotas::default();
        quotas.boot = boot.0.to_be_bytes();
        quotas.kept = folder.and_then(|folder| Kept::create(folder, boot).ok()).map(Arc::new);
        quotas
    }

    /// The account of a subscription in a period. `None` when there are too many.
    pub fn account(
        &self,
        subscription: SubscriptionId,
        plan: &Arc<str>,
        quota: &Quota,
        window: Window,
    ) -> Option<Arc<Account>> {
        let place = Place { subscription, quota: quota.name.clone(), start: window.start };
        let mut accounts = self.accounts();
        if let Some(account) = accounts.get(&place) {
            account.belongs_to(plan);
            return Some(account.clone());
        }
        if accounts.len() >= QUOTA_ACCOUNTS_MAX {
            return None;
        }
        let spent = self.counter(&place, plan);
        let account = Arc::new(Account::new(subscription, plan.clone(), quota.name.clone(), window, spent));
        accounts.insert(place, account.clone());
        Some(account)
    }

    fn counter(&self, place: &Place, plan: &Arc<str>) -> Spent {
        let Some(kept) = &self.kept else { return Spent::Here(AtomicU64::default()) };
        kept.counter(&QuotaAsk {
            subscription: place.subscription.0.to_vec().into(),
            plan: plan.to_string(),
            quota: place.quota.to_string(),
            start: place.start,
            ..QuotaAsk::default()
        })
    }

    /// Charges one request, or says why not.
    pub fn charge(&self, account: &Arc<Account>, quota: &Quota) -> Charge {
        if !quota.is_hard {
            // It is counted and told, and never refused.
            account.lease.take_beyond(1, WhenUnknown::Open, quota.requests);
            return Charge::Admitted;
        }
        match account.lease.take(1) {
            Take::Taken { refill } => {
                if refill && account.standing() != Standing::UsedUp {
                    self.ask(account);
                }
                Charge::Admitted
            }
            Take::Beyond => Charge::Admitted,
            Take::Empty => self.empty(account, quota),
        }
    }

    fn empty(&self, account: &Arc<Account>, quota: &Quota) -> Charge {
        match account.standing() {
            Standing::UsedUp => {
                account.was_refused();
                Charge::Refused
            }
            Standing::Unknown => self.charge_unknown(account, quota),
            Standing::Good if self.is_away.load(Ordering::Acquire) => self.charge_unknown(account, quota),
            Standing::Good => {
                self.ask(account);
                Charge::Wait
            }
        }
    }

    /// Charges one request beyond what was lent, as far as the plan allows, because nobody has answered.
    pub fn charge_unknown(&self, account: &Arc<Account>, quota: &Quota) -> Charge {
        self.ask(account);
        match account.lease.take_beyond(1, quota.when_unknown, quota.requests) {
            Take::Beyond | Take::Taken { .. } => Charge::Admitted,
            Take::Empty => Charge::Unknown,
        }
    }

    /// Has more asked for, unless that is under way.
    fn ask(&self, account: &Arc<Account>) {
        if account.begins_to_ask() && self.asks.try_send(account.clone()).is_err() {
            // Too many wait. The next request that needs more tries again; waking those who wait would have them try
            // over and over.
            account.is_put_off();
        }
    }

    /// All of them, so that nobody who needs the table waits while they are looked at.
    fn all(&self) -> Vec<Arc<Account>> {
        self.accounts().values().cloned().collect()
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Place, Arc<Account>>> {
        // Nothing that runs under the lock panics half-way through a change.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
