//! Promises about quotas: whatever is lost, repeated or late, and whoever crashes.

use std::sync::Arc;

use commerce::quota::{Book, Holder, Lease, Pool, Take, Told, Unbalanced, WhenUnknown, Written};
use proptest::prelude::*;

fn holder(node: usize, boot: u128) -> Holder {
    Holder { node: format!("edge-{node}").into(), boot }
}

fn balanced(pool: &Pool) -> bool {
    pool.used() + pool.outstanding() + pool.remaining() + pool.held() == pool.quota() + pool.overdrawn()
}

/// Asks until the lease has room or the coordinator lends nothing.
fn refill(pool: &mut Pool, holder: &Holder, lease: &Lease, demand: u64, holders: u32) {
    let lent = pool.lend(holder, lease.told(), demand, holders);
    lease.lend(lent);
}

#[test]
fn one_gateway_uses_a_quota_to_its_last_request() {
    let (mut pool, lease, edge) = (Pool::new(1000), Lease::default(), holder(0, 1));
    let mut admitted = 0;
    loop {
        match lease.take(1) {
            Take::Taken { .. } => admitted += 1,
            Take::Beyond => unreachable!("nobody asked for that"),
            Take::Empty if pool.remaining() == 0 => break,
            Take::Empty => refill(&mut pool, &edge, &lease, 100, 1),
        }
    }
    pool.hear(&edge, lease.told());
    assert_eq!((admitted, pool.used(), pool.outstanding()), (1000, 1000, 0));
}

#[test]
fn a_refill_is_due_before_the_lease_is_empty() {
    let lease = Lease::default();
    lease.lend(10);
    let due: Vec<bool> = (0..10).map(|_| lease.take(1) == Take::Taken { refill: true }).collect();
    assert_eq!(due, [false, false, false, false, false, false, true, true, true, true]);
    assert_eq!(lease.take(1), Take::Empty);
}

#[test]
fn an_answer_that_was_lost_is_given_again_and_not_lent_twice() {
    let (mut pool, lease, edge) = (Pool::new(1000), Lease::default(), holder(0, 1));
    let first = pool.lend(&edge, lease.told(), 50, 1);
    let again = pool.lend(&edge, lease.told(), 50, 1);
    assert_eq!((first, again, pool.remaining()), (50, 50, 950));
}

#[test]
fn what_a_crashed_gateway_holds_is_not_lent_until_its_counters_arrive() {
    let (mut pool, lease, edge) = (Pool::new(100), Lease::default(), holder(0, 1));
    refill(&mut pool, &edge, &lease, 20, 1);
    for _ in 0..5 {
        assert!(matches!(lease.take(1), Take::Taken { .. }));
    }
    pool.lose(&edge);
    assert_eq!((pool.held(), pool.remaining()), (20, 80));
    pool.settle(&edge, lease.told());
    assert_eq!((pool.used(), pool.held(), pool.remaining()), (5, 0, 95));
}

#[test]
fn nobody_gives_back_more_than_it_holds() {
    let (mut pool, edge) = (Pool::new(100), holder(0, 1));
    let lent = pool.lend(&edge, Told::default(), 10, 1);
    pool.hear(&edge, Told { lent, spent: 4, given_back: 1_000_000 });
    assert_eq!((pool.used(), pool.remaining()), (4, 96));
}

#[test]
fn without_a_coordinator_a_plan_says_how_much_is_admitted_beyond_the_lease() {
    let admitted = |when_unknown| {
        let lease = Lease::default();
        lease.lend(10);
        (0..10).for_each(|_| assert!(matches!(lease.take(1), Take::Taken { .. })));
        (0..500).filter(|_| lease.take_beyond(1, when_unknown, 1000) == Take::Beyond).count()
    };
    assert_eq!(admitted(WhenUnknown::Closed), 0);
    assert_eq!(admitted(WhenUnknown::OpenCapped), 100);
    assert_eq!(admitted(WhenUnknown::Open), 500);
}

#[test]
fn what_was_admitted_beyond_the_quota_is_counted_and_shown() {
    let (mut pool, lease, edge) = (Pool::new(100), Lease::default(), holder(0, 1));
    (0..130).for_each(|_| assert_eq!(lease.take_beyond(1, WhenUnknown::Open, 100), Take::Beyond));
    pool.hear(&edge, lease.told());
    assert_eq!((pool.used(), pool.overdrawn(), pool.remaining()), (130, 30, 0));
    assert!(balanced(&pool));
}

#[test]
fn a_quota_that_becomes_larger_or_smaller_keeps_what_was_lent_and_spent() {
    let (mut pool, lease, edge) = (Pool::new(100), Lease::default(), holder(0, 1));
    refill(&mut pool, &edge, &lease, 20, 1);
    (0..20).for_each(|_| assert!(matches!(lease.take(1), Take::Taken { .. })));
    pool.hear(&edge, lease.told());

    pool.resize(150);
    assert_eq!((pool.quota(), pool.used(), pool.remaining(), pool.overdrawn()), (150, 20, 130, 0));
    pool.resize(15);
    assert_eq!((pool.quota(), pool.used(), pool.remaining(), pool.overdrawn()), (15, 20, 0, 5));
    assert_eq!(pool.lend(&edge, lease.told(), 10, 1), 20, "nothing more is lent");
    pool.resize(30);
    assert_eq!((pool.used(), pool.remaining(), pool.overdrawn()), (20, 10, 0));
    assert!(balanced(&pool));
}

#[test]
fn what_was_charged_and_forgiven_can_be_spent_again() {
    let lease = Lease::default();
    lease.lend(1);
    assert!(matches!(lease.take(1), Take::Taken { .. }));
    lease.forgive(1);
    assert!(matches!(lease.take(1), Take::Taken { .. }));
    assert_eq!(lease.take(1), Take::Empty);
}

#[test]
fn books_that_do_not_balance_are_no_pool() {
    let (mut pool, edge) = (Pool::new(100), holder(0, 1));
    pool.lend(&edge, Told::default(), 10, 1);
    let good = pool.written();
    assert_eq!(Pool::read(good.clone()), Ok(pool));

    for bad in [
        Written { remaining: good.remaining + 1, ..good.clone() },
        Written { settled: 1, ..good.clone() },
        Written { quota: u64::MAX, overdrawn: 1, ..good.clone() },
        Written { holders: Vec::new(), ..good.clone() },
        Written {
            holders: vec![(edge, Book { totals: Told { lent: 10, spent: 6, given_back: 5 }, lost: false })],
            ..good
        },
    ] {
        assert_eq!(Pool::read(bad), Err(Unbalanced));
    }
}

#[test]
fn workers_that_charge_at_once_spend_a_lease_once() {
    let lease = Arc::new(Lease::default());
    lease.lend(10_000);
    let spent: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| (0..5_000).filter(|_| matches!(lease.take(1), Take::Taken { .. })).count())
            })
            .collect();
        // Giving back at the same time takes its part and never somebody else's.
        let back = usize::try_from(lease.give_back()).unwrap();
        back + workers.into_iter().map(|worker| worker.join().unwrap()).sum::<usize>()
    });
    assert_eq!(spent, 10_000);
}

/// Something that happens between gateways and their coordinator.
#[derive(Clone, Debug)]
enum Event {
    /// Clients ask a gateway so often.
    Ask { node: usize, times: u64 },
    /// A gateway asks for more; the question and the answer may be lost.
    Refill { node: usize, heard: bool, answered: bool },
    /// A gateway gives back what it has; the coordinator hears of it later.
    GiveBack { node: usize },
    /// An old message arrives late.
    Late { node: usize, age: usize },
    /// A gateway crashes; its counters are found at its next start, which is later.
    Crash { node: usize },
    /// Nothing is heard of a gateway, which goes on.
    Silence { node: usize },
}

const NODES: usize = 4;

fn event() -> impl Strategy<Value = Event> {
    let node = 0..NODES;
    prop_oneof![
        4 => (node.clone(), 1_u64..50).prop_map(|(node, times)| Event::Ask { node, times }),
        4 => (node.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(node, heard, answered)| Event::Refill { node, heard, answered }),
        1 => node.clone().prop_map(|node| Event::GiveBack { node }),
        1 => (node.clone(), 0_usize..10).prop_map(|(node, age)| Event::Late { node, age }),
        1 => node.clone().prop_map(|node| Event::Crash { node }),
        1 => node.prop_map(|node| Event::Silence { node }),
    ]
}

struct Gateway {
    holder: Holder,
    lease: Lease,
    said: Vec<Told>,
}

proptest! {
    #[test]
    fn never_a_request_more_than_the_quota_and_the_books_always_balance(
        quota in 0_u64..2_000, events in prop::collection::vec(event(), 1..300),
    ) {
        let mut pool = Pool::new(quota);
        let mut boots = 0_u128;
        let mut start = |node| { boots += 1; Gateway { holder: holder(node, boots), lease: Lease::default(), said: vec![] } };
        let mut gateways: Vec<Gateway> = (0..NODES).map(&mut start).collect();
        let mut admitted = 0;
        for event in events {
            match event {
                Event::Ask { node, times } => {
                    admitted += (0..times).filter(|_| matches!(gateways[node].lease.take(1), Take::Taken { .. })).count() as u64;
                }
                Event::Refill { node, heard, answered } => {
                    let gateway = &mut gateways[node];
                    let told = gateway.lease.told();
                    gateway.said.push(told);
                    if heard {
                        let lent = pool.lend(&gateway.holder, told, 40, NODES as u32);
                        if answered { gateway.lease.lend(lent); }
                    }
                }
                Event::GiveBack { node } => { gateways[node].lease.give_back(); }
                Event::Late { node, age } => {
                    let gateway = &gateways[node];
                    if let Some(told) = gateway.said.iter().rev().nth(age) { pool.hear(&gateway.holder, *told); }
                }
                Event::Crash { node } => {
                    let gone = std::mem::replace(&mut gateways[node], start(node));
                    pool.settle(&gone.holder, gone.lease.told());
                }
                Event::Silence { node } => pool.lose(&gateways[node].holder),
            }
            prop_assert!(balanced(&pool), "{pool:?}");
            prop_assert_eq!(Pool::read(pool.written()), Ok(pool.clone()), "what is kept is what was");
            prop_assert!(admitted <= quota);
            prop_assert_eq!(pool.overdrawn(), 0);
            prop_assert!(pool.used() <= admitted, "the ledger never knows of more than happened");
        }
        for gateway in &gateways {
            pool.hear(&gateway.holder, gateway.lease.told());
        }
        prop_assert_eq!(pool.used(), admitted, "and in the end of all of it");
    }
}
