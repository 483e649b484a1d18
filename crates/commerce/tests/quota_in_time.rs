//! A quota over eight gateways in simulated time: skewed load, crashes, and a way to the coordinator that takes time.
//!
//! What is shown: never one call above the quota, and at least 98.8 % of it used before anybody is refused.

use std::collections::VecDeque;

use commerce::quota::{Holder, Lease, Pool, Take, Told};
use proptest::prelude::*;

const GATEWAYS: usize = 8;
/// Ticks (milliseconds) from a gateway to the coordinator and back.
const WAY: u64 = 5;
/// Ticks after which an idle gateway gives back what it holds.
const IDLE: u64 = 500;
/// Ticks for which a crashed gateway is away.
const AWAY: u64 = 200;

struct Gateway {
    holder: Holder,
    lease: Lease,
    /// Requests that wait for an answer of the coordinator.
    waiting: u64,
    /// When the answer to a question arrives.
    asked: Option<(u64, Told)>,
    last_request: u64,
    recent: u64,
    away_until: u64,
}

impl Gateway {
    fn new(node: usize, boot: u128) -> Gateway {
        Gateway {
            holder: Holder { node: format!("edge-{node}").into(), boot },
            lease: Lease::default(),
            waiting: 0,
            asked: None,
            last_request: 0,
            recent: 0,
            away_until: 0,
        }
    }
}

struct Simulation {
    pool: Pool,
    gateways: Vec<Gateway>,
    crashed: VecDeque<(u64, Holder, Told)>,
    now: u64,
    boots: u128,
    admitted: u64,
    first_refusal: Option<u64>,
}

impl Simulation {
    fn new(quota: u64) -> Simulation {
        let gateways = (0..GATEWAYS).map(|node| Gateway::new(node, node as u128)).collect();
        Simulation {
            pool: Pool::new(quota),
            gateways,
            crashed: VecDeque::new(),
            now: 0,
            boots: 100,
            admitted: 0,
            first_refusal: None,
        }
    }

    fn request(&mut self, node: usize) {
        let gateway = &mut self.gateways[node];
        if gateway.away_until > self.now {
            return;
        }
        gateway.last_request = self.now;
        gateway.recent += 1;
        match gateway.lease.take(1) {
            Take::Taken { refill } => {
                self.admitted += 1;
                if refill {
                    Simulation::ask(gateway, self.now);
                }
            }
            Take::Beyond => unreachable!(),
            Take::Empty => {
                gateway.waiting += 1;
                Simulation::ask(gateway, self.now);
            }
        }
    }

    fn ask(gateway: &mut Gateway, now: u64) {
        if gateway.asked.is_none() {
            gateway.asked = Some((now + WAY, gateway.lease.told()));
        }
    }

    fn tick(&mut self) {
        self.now += 1;
        while self.crashed.front().is_some_and(|(at, ..)| *at <= self.now) {
            let (_, holder, last) = self.crashed.pop_front().unwrap();
            self.pool.settle(&holder, last);
        }
        for node in 0..GATEWAYS {
            self.answer(node);
            let gateway = &mut self.gateways[node];
            if self.now.is_multiple_of(100) {
                gateway.recent /= 2;
            }
            if gateway.asked.is_none()
                && self.now > gateway.last_request + IDLE
                && gateway.lease.give_back() > 0
            {
                self.pool.hear(&gateway.holder, gateway.lease.told());
            }
        }
    }

    fn answer(&mut self, node: usize) {
        let gateway = &mut self.gateways[node];
        let Some((at, told)) = gateway.asked else { return };
        if at > self.now {
            return;
        }
        gateway.asked = None;
        let before = told.lent;
        let lent = self.pool.lend(&gateway.holder, told, gateway.recent.max(1), GATEWAYS as u32);
        gateway.lease.lend(lent);
        while gateway.waiting > 0 && matches!(gateway.lease.take(1), Take::Taken { .. }) {
            gateway.waiting -= 1;
            self.admitted += 1;
        }
        if gateway.waiting == 0 {
            return;
        }
        if lent > before {
            Simulation::ask(gateway, self.now);
        } else {
            gateway.waiting = 0;
            self.first_refusal.get_or_insert(self.admitted);
        }
    }

    fn crash(&mut self, node: usize) {
        self.boots += 1;
        let mut fresh = Gateway::new(node, self.boots);
        fresh.away_until = self.now + AWAY;
        let gone = std::mem::replace(&mut self.gateways[node], fresh);
        self.pool.lose(&gone.holder);
        self.crashed.push_back((self.now + AWAY, gone.holder, gone.lease.told()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn skewed_load_and_crashes_use_a_quota_up_and_never_exceed_it(
        quota in 10_000_u64..40_000,
        weights in prop::collection::vec(1_u32..200, GATEWAYS..=GATEWAYS),
        crashes in prop::collection::vec((0_u64..2_000, 0..GATEWAYS), 0..6),
        draws in prop::collection::vec(any::<u32>(), 1024..=1024),
    ) {
        let mut simulation = Simulation::new(quota);
        let total: u32 = weights.iter().sum();
        let mut number = 0;
        while simulation.first_refusal.is_none() && simulation.now < 60_000 {
            for _ in 0..4 {
                let mut left = (draws[number % draws.len()].rotate_left((number / draws.len()) as u32)) % total;
                number += 1;
                let node = weights.iter().position(|weight| {
                    let here = left < *weight;
                    left = left.saturating_sub(*weight);
                    here
                }).unwrap();
                simulation.request(node);
            }
            for (at, node) in &crashes {
                if *at == simulation.now { simulation.crash(*node); }
            }
            simulation.tick();
            prop_assert!(simulation.admitted <= quota);
        }
        let before_refusal = simulation.first_refusal.expect("the quota ends within the simulated minute");
        prop_assert!(before_refusal * 1000 >= quota * 988, "{before_refusal} of {quota}");
    }
}
