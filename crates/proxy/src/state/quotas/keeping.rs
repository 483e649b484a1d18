//! The side of the accounts that faces the coordinator. One thread at a time is here; requests go on meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use commerce::quota::Told;
use discovery::limits::QUOTAS_ASKED_MAX;
use discovery::quotas::{QuotaAnswer, QuotaAsk, QuotasRequest, QuotasResponse};
use tokio::sync::{MutexGuard, mpsc};

use super::account::{Books, Standing};
use super::{Account, Place, Quotas};
use crate::limits::{QUOTA_DEMAND_SECONDS, QUOTA_IDLE_SECONDS, QUOTA_LATE_SECONDS, QUOTA_TOLD_SECONDS};

/// Seconds for which an account is kept after its period, for requests that were admitted at its very end.
const KEPT_AFTER: i64 = 2;

/// Accounts that wait to be asked for, for whoever talks to the coordinator.
pub struct Queue<'q>(MutexGuard<'q, mpsc::Receiver<Arc<Account>>>);

impl Queue<'_> {
    /// The next ones; at least one.
    pub async fn next(&mut self) -> Vec<Arc<Account>> {
        let mut some = Vec::new();
        self.0.recv_many(&mut some, QUOTAS_ASKED_MAX).await;
        some
    }

    /// Those that wait now.
    pub fn now(&mut self) -> Vec<Arc<Account>> {
        let mut some = Vec::new();
        while some.len() < QUOTAS_ASKED_MAX
            && let Ok(account) = self.0.try_recv()
        {
            some.push(account);
        }
        some
    }
}

impl Quotas {
    /// The number of this start.
    #[must_use]
    pub fn boot(&self) -> [u8; 16] {
        self.boot
    }

    /// The queue, once nobody else has it.
    pub async fn queue(&self) -> Queue<'_> {
        Queue(self.asked.lock().await)
    }

    /// Somebody can be asked, or will be in a moment.
    pub fn can_ask(&self) {
        self.is_away.store(false, Ordering::Release);
    }

    /// Nobody can be asked. What the plans say holds from now on, also for those who wait; whatever was asked is asked
    /// again later.
    pub fn cannot_ask(&self) {
        self.is_away.store(true, Ordering::Release);
        for account in self.all() {
            account.asks_no_more();
        }
    }

    /// What is to be told although nobody asks for more: what was spent, what nobody needs any more, what is over. Also
    /// finds out whether used up quotas were given back. To be called about once a second; `now` is in seconds since
    /// 1970.
    pub fn due(&self, now: i64) -> Vec<Arc<Account>> {
        let (mut due, mut over) = (Vec::new(), Vec::new());
        for account in self.all() {
            let told = account.look(now);
            let kept_for = if told == Due::Nothing { KEPT_AFTER } else { i64::from(QUOTA_LATE_SECONDS) };
            if now >= account.window.end + kept_for {
                over.push(account.place());
            }
            let is_due = match told {
                Due::Nothing => false,
                Due::Telling => account.begins_to_tell(),
                Due::Asking => account.begins_to_ask(),
            };
            if is_due {
                due.push(account);
            }
        }
        let mut accounts = self.accounts();
        over.iter().for_each(|place| drop(accounts.remove(place)));
        due
    }

    /// Makes every account give back what is left of it.
    pub fn give_back(&self) -> Vec<Arc<Account>> {
        let mut holding = self.all();
        holding.retain(|account| account.lease.give_back() > 0);
        holding
    }

    /// What the coordinator is asked about some accounts.
    #[must_use]
    pub fn question(&self, accounts: &[Arc<Account>], node: &str, serves: &[String]) -> QuotasRequest {
        QuotasRequest {
            node: node.to_owned(),
            boot: self.boot.to_vec().into(),
            serves: serves.to_vec(),
            asks: accounts.iter().map(|account| account.question()).collect(),
        }
    }

    /// Takes in an answer at `now`, in seconds since 1970.
    pub fn answered(
        &self,
        accounts: &[Arc<Account>],
        asked: &QuotasRequest,
        response: &QuotasResponse,
        now: i64,
    ) {
        self.can_ask();
        for ((account, ask), answer) in accounts.iter().zip(&asked.asks).zip(&response.answers) {
            account.take_in(ask, answer, now);
        }
    }

    /// Says that this proxy ends, and waits until what is left was given back, or nobody is there to do it.
    pub async fn leave(&self) {
        let left = self.left.notified();
        self.leaving.notify_one();
        if self.asked.try_lock().is_err() {
            left.await;
        }
    }

    /// Ready when the proxy ends.
    pub async fn leaving(&self) {
        self.leaving.notified().await;
    }

    /// Everything was given back.
    pub fn has_left(&self) {
        self.left.notify_waiters();
    }
}

/// What is to be done for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Telling,
    Asking,
}

impl Account {
    fn place(&self) -> Place {
        let Account { subscription, name, window, .. } = self;
        Place { subscription: *subscription, quota: name.clone(), start: window.start }
    }

    fn look(&self, now: i64) -> Due {
        let mut books = self.books();
        let spent = self.lease.told().spent;
        let since = spent.saturating_sub(books.spent_before);
        books.spent_before = spent;
        books.recent = since.max(books.recent / 2);
        if since > 0 || books.active_at == 0 {
            books.active_at = now;
        }
        let is_over = now >= self.window.end + KEPT_AFTER;
        if is_over || now - books.active_at >= i64::from(QUOTA_IDLE_SECONDS) {
            self.lease.give_back();
        }
        let told = self.lease.told();
        let is_news = (told.spent, told.given_back) != (books.told.spent, books.told.given_back);
        let is_time = is_over
            || told.given_back != books.told.given_back
            || now - books.told_at >= i64::from(QUOTA_TOLD_SECONDS);
        if !is_over && self.standing() != Standing::Good && self.has_refused() {
            return Due::Asking;
        }
        if is_news && is_time { Due::Telling } else { Due::Nothing }
    }

    fn question(&self) -> QuotaAsk {
        let Told { lent, spent, given_back } = self.lease.told();
        QuotaAsk {
            subscription: self.subscription.0.to_vec().into(),
            plan: self.plan().to_string(),
            quota: self.name.to_string(),
            start: self.window.start,
            lent,
            spent,
            given_back,
            wanted: if self.wants() { self.demand(&self.books()) } else { 0 },
            ended_boot: bytes::Bytes::new(),
        }
    }

    /// Requests that are expected until the next answer after this one. What comes now counts as much as what came in a
    /// whole second, so that the first crowd of a period does not wait for long.
    fn demand(&self, books: &Books) -> u64 {
        let now = self.lease.told().spent.saturating_sub(books.spent_before);
        let waiting = self.waiting.load(Ordering::Relaxed);
        waiting.saturating_add(books.recent.max(now).saturating_mul(u64::from(QUOTA_DEMAND_SECONDS))).max(1)
    }

    fn take_in(&self, ask: &QuotaAsk, answer: &QuotaAnswer, now: i64) {
        if !answer.is_known {
            self.stands(Standing::Unknown, 0);
            return self.asks_no_more();
        }
        {
            let mut books = self.books();
            books.told = Told { lent: answer.lent, spent: ask.spent, given_back: ask.given_back };
            books.told_at = now;
        }
        self.lease.lend(answer.lent);
        let is_more = answer.lent > ask.lent;
        let standing = match ask.wanted {
            0 if self.standing() == Standing::UsedUp && answer.remaining == 0 => Standing::UsedUp,
            0 => Standing::Good,
            _ if is_more => Standing::Good,
            _ => Standing::UsedUp,
        };
        self.stands(standing, answer.remaining);
        self.asks_no_more();
    }
}
