//! The accounts that one worker has used lately, so that it finds them again without asking anybody.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use engine::config::Quota;
use engine::customers::SubscriptionId;
use foldhash::fast::RandomState;

use super::{Account, Quotas};
use crate::state::Shared;

/// Seconds between two looks for accounts of periods that are over.
const FORGET_EVERY: i64 = 60;

/// Accounts by subscription.
#[derive(Debug, Default)]
pub struct Near {
    accounts: RefCell<HashMap<SubscriptionId, Vec<Known>, RandomState>>,
    forgot_at: Cell<i64>,
}

#[derive(Debug)]
struct Known {
    plan: Arc<str>,
    quota: Arc<str>,
    account: Shared<Account>,
}

impl Near {
    /// The account of a subscription at `now`, in seconds since 1970. Allocates when it is asked for the first time in
    /// a period. `None` when this proxy has more accounts than it may.
    pub fn account(
        &self,
        quotas: &Quotas,
        subscription: SubscriptionId,
        plan: &Arc<str>,
        quota: &Quota,
        now: i64,
    ) -> Option<Shared<Account>> {
        let mut accounts = self.accounts.borrow_mut();
        let known = accounts.entry(subscription).or_default();
        let same = known.iter_mut().find(|known| known.quota == quota.name);
        if let Some(known) = &same
            && is_within(&known.account, now)
            && known.plan == *plan
        {
            return Some(known.account.clone());
        }
        let account = quotas.account(subscription, plan, quota, quota.calendar.window(now))?;
        let next = Known { plan: plan.clone(), quota: quota.name.clone(), account: Rc::new(account) };
        let account = next.account.clone();
        match same {
            Some(known) => *known = next,
            None => known.push(next),
        }
        Some(account)
    }

    /// Forgets accounts of periods that are over, now and then. `now` is in seconds since 1970.
    pub fn forget(&self, now: i64) {
        if (0..FORGET_EVERY).contains(&(now - self.forgot_at.get())) {
            return;
        }
        self.forgot_at.set(now);
        self.accounts.borrow_mut().retain(|_, known| {
            known.retain(|known| is_within(&known.account, now));
            !known.is_empty()
        });
    }
}

fn is_within(account: &Account, now: i64) -> bool {
    let window = account.window();
    window.start <= now && now < window.end
}
