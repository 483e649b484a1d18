use commerce::period::{Calendar, Period};
use discovery::quotas::{QuotaAnswer, QuotasResponse};

use super::near::Near;
use super::*;

const NOON: i64 = 1_795_435_200;

fn quota(requests: u64, is_hard: bool, when_unknown: WhenUnknown) -> Quota {
    Quota {
        name: "minute".into(),
        requests,
        calendar: Calendar::new(Period::Minute, "UTC").expect("a calendar"),
        is_hard,
        when_unknown,
        announced: b"\"minute\";q=10;w=60".as_slice().into(),
    }
}

fn hard(requests: u64) -> Quota {
    quota(requests, true, WhenUnknown::Closed)
}

/// Accounts of a proxy that has somebody to ask.
fn quotas() -> Quotas {
    let quotas = Quotas::default();
    quotas.can_ask();
    quotas
}

fn account(quotas: &Quotas, quota: &Quota, now: i64) -> Arc<Account> {
    let window = quota.calendar.window(now);
    quotas.account(SubscriptionId([7; 16]), &"shop/free".into(), quota, window).expect("an account")
}

/// Everything that waits is asked for and answered so. Says what was wanted.
async fn answer(quotas: &Quotas, due: Vec<Arc<Account>>, lent: u64, remaining: u64) -> Vec<u64> {
    let mut accounts = due;
    accounts.extend(quotas.queue().await.now());
    let question = quotas.question(&accounts, "edge-1", &[]);
    let answers = vec![QuotaAnswer { is_known: true, lent, remaining }; accounts.len()];
    quotas.answered(&accounts, &question, &QuotasResponse { answers }, NOON);
    question.asks.iter().map(|ask| ask.wanted).collect()
}

#[tokio::test]
async fn a_request_that_finds_nothing_waits_and_those_after_it_do_not() {
    let (quotas, quota) = (quotas(), hard(100));
    let account = account(&quotas, &quota, NOON);

    let heard = account.answered();
    assert_eq!(quotas.charge(&account, &quota), Charge::Wait);
    assert_eq!(answer(&quotas, Vec::new(), 10, 90).await, [1]);
    heard.await;
    for _ in 0..10 {
        assert_eq!(quotas.charge(&account, &quota), Charge::Admitted);
    }
    assert_eq!(account.left(), 90);
    // Little was left, so more was asked for before somebody had to wait.
    assert_eq!(answer(&quotas, Vec::new(), 30, 70).await, [20]);
    assert_eq!(quotas.charge(&account, &quota), Charge::Admitted);
}

#[tokio::test]
async fn a_quota_that_is_used_up_refuses_at_once_and_is_asked_for_again_when_somebody_was_refused() {
    let (quotas, quota) = (quotas(), hard(1));
    let account = account(&quotas, &quota, NOON);
    assert_eq!(quotas.charge(&account, &quota), Charge::Wait);
    answer(&quotas, Vec::new(), 1, 0).await;
    assert_eq!(quotas.charge(&account, &quota), Charge::Admitted);
    answer(&quotas, Vec::new(), 1, 0).await;

    assert!(quotas.due(NOON).is_empty(), "nobody was refused");
    for _ in 0..1000 {
        assert_eq!(quotas.charge(&account, &quota), Charge::Refused);
    }
    assert!(quotas.queue().await.now().is_empty(), "refusing asks nobody");
    // Another gateway has given something back.
    let due = quotas.due(NOON + 1);
    assert_eq!(answer(&quotas, due, 2, 0).await.len(), 1);
    assert_eq!(quotas.charge(&account, &quota), Charge::Admitted);
}

#[tokio::test]
async fn without_anybody_to_ask_the_plan_says_what_becomes_of_requests() {
    for (when_unknown, admitted) in
        [(WhenUnknown::Closed, 10), (WhenUnknown::OpenCapped, 20), (WhenUnknown::Open, 50)]
    {
        let (quotas, quota) = (quotas(), quota(100, true, when_unknown));
        let account = account(&quotas, &quota, NOON);
        quotas.charge(&account, &quota);
        answer(&quotas, Vec::new(), 10, 90).await;
        quotas.cannot_ask();

        let charges: Vec<Charge> = (0..50).map(|_| quotas.charge(&account, &quota)).collect();

        let found = charges.iter().filter(|charge| **charge == Charge::Admitted).count();
        assert_eq!(found, admitted, "{when_unknown:?}");
        assert!(!charges.contains(&Charge::Wait));
        // Once somebody can be asked again, it is told what was spent meanwhile.
        let accounts = quotas.queue().await.now();
        assert_eq!(quotas.question(&accounts, "edge-1", &[]).asks[0].spent, admitted as u64);
    }
}

#[tokio::test]
async fn a_soft_quota_counts_and_refuses_nobody() {
    let (quotas, quota) = (quotas(), quota(3, false, WhenUnknown::Closed));
    let account = account(&quotas, &quota, NOON);
    quotas.cannot_ask();
    for _ in 0..10 {
        assert_eq!(quotas.charge(&account, &quota), Charge::Admitted);
    }
    let due = quotas.due(NOON);
    assert_eq!(quotas.question(&due, "edge-1", &[]).asks[0].spent, 10);
}

#[tokio::test]
async fn what_nobody_uses_is_given_back_and_what_is_over_is_told_and_forgotten() {
    let (quotas, quota) = (quotas(), hard(100));
    let first = account(&quotas, &quota, NOON);
    quotas.charge(&first, &quota);
    answer(&quotas, Vec::new(), 10, 90).await;
    quotas.charge(&first, &quota);
    quotas.due(NOON);

    let idle = quotas.due(NOON + 45);
    let told = &quotas.question(&idle, "edge-1", &[]).asks[0];
    assert_eq!((told.spent, told.given_back, told.wanted), (1, 9, 0));
    answer(&quotas, idle, 10, 99).await;
    assert!(quotas.due(NOON + 50).is_empty());
    assert_eq!(quotas.accounts().len(), 1);
    assert!(quotas.due(NOON + 70).is_empty());
    assert!(quotas.accounts().is_empty(), "its period is over, and everything was told");
}

#[test]
fn a_worker_finds_its_account_again_until_the_period_ends() {
    let (quotas, near, quota, plan) = (quotas(), Near::default(), hard(10), "shop/free".into());
    let id = SubscriptionId([7; 16]);
    let at = |now, plan: &Arc<str>| near.account(&quotas, id, plan, &quota, now).expect("an account");

    let (first, same, next) = (at(NOON, &plan), at(NOON + 59, &plan), at(NOON + 60, &plan));
    assert!(Arc::ptr_eq(&first, &same));
    assert!(!Arc::ptr_eq(&first, &next));
    assert_eq!(next.window().start, NOON + 60);
    // Another plan within a period goes on with what was spent.
    let other = at(NOON + 60, &"shop/gold".into());
    assert!(Arc::ptr_eq(&next, &other));
    assert_eq!(&*other.plan(), "shop/gold");
    near.forget(NOON + 120);
    assert_eq!(quotas.accounts().len(), 2, "the table forgets by itself");
}

#[tokio::test]
async fn what_a_killed_start_has_spent_is_told_by_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let boot = Boot(7);
    let quotas = Quotas::of(Some(folder.path()), boot);
    quotas.can_ask();
    let lasting = hard(100);
    // An account of a minute that is over takes no place any more.
    drop(account(&quotas, &lasting, NOON - 60));
    quotas.due(NOON + 2);
    let account = account(&quotas, &lasting, NOON);
    quotas.charge(&account, &lasting);
    answer(&quotas, Vec::new(), 10, 90).await;
    for _ in 0..4 {
        quotas.charge(&account, &lasting);
    }
    // Killed: nothing of it runs any more.
    drop((account, quotas));

    let counters = folder.path().join(format!("{:032x}.meter", boot.0));
    let left = super::Left::beside(&counters, boot).expect("what it has left behind");
    let asks = left.asks();

    assert_eq!(asks.len(), 1, "{asks:?}");
    assert_eq!((asks[0].spent, asks[0].wanted, &*asks[0].plan), (4, 0, "shop/free"));
    assert_eq!((asks[0].start, &*asks[0].ended_boot), (NOON, &boot.0.to_be_bytes()[..]));
    left.remove();
    assert!(super::Left::beside(&counters, boot).is_none());
}
