//! Gateways that give one rate together, in simulated time, over the accounts of real proxies and the dealer of a real
//! control plane: how much they admit together while demand moves between them, and while nobody can be asked.

use std::time::Duration;

use commerce::rate::{Asked, Rate};
use control::shares::Dealer;
use discovery::shares::{SharesRequest, SharesResponse};
use proxy::shares::{Parties, Party};

/// Requests a second, and at once.
const RATE: u64 = 100;
/// Milliseconds between two steps.
const STEP: u64 = 10;
const MILLISECOND: u64 = 1_000_000;
/// What stands for the rate and the caller on every gateway.
const NAME: u64 = 7;

struct Gateway {
    node: String,
    boot: [u8; 16],
    parties: Parties,
    party: Party,
    /// Millionths of a request that are due.
    due: u64,
}

impl Gateway {
    fn new(at: usize) -> Gateway {
        let parties = Parties::default();
        let party = parties.party(|hasher| hasher.write_u64(NAME));
        Gateway {
            node: format!("edge-{at}"),
            boot: [u8::try_from(at).expect("few"); 16],
            parties,
            party,
            due: 0,
        }
    }

    /// Asks as often as is due after a step, and says how often it was let by.
    fn asks(&mut self, requests_a_second: u64, rate: Rate, now: u64) -> u64 {
        self.due += requests_a_second * STEP * 1000;
        let mut admitted = 0;
        while self.due >= 1_000_000 {
            self.due -= 1_000_000;
            let asked = self.parties.ask_together(self.party, rate, now, || NAME);
            admitted += u64::from(matches!(asked, Asked::Admitted(_)));
        }
        admitted
    }
}

struct Simulation {
    gateways: Vec<Gateway>,
    dealer: Dealer,
    rate: Rate,
    /// Milliseconds.
    now: u64,
    is_away: bool,
}

impl Simulation {
    fn new(count: usize) -> Simulation {
        let gateways: Vec<Gateway> = (0..count).map(Gateway::new).collect();
        let proxies = u32::try_from(count).expect("few");
        for gateway in &gateways {
            // The first call is about nothing, and says how many there are.
            gateway.parties.is_answered(&[], &SharesResponse { shares: Vec::new(), proxies }, 0);
        }
        let rate = Rate::new(u32::try_from(RATE).expect("small"), Duration::from_secs(1), None);
        Simulation {
            gateways,
            dealer: Dealer::default(),
            rate: rate.expect("a rate"),
            now: 0,
            is_away: false,
        }
    }

    /// Lets each gateway be asked so often in a second; says how many requests they have admitted together.
    async fn run(&mut self, seconds: u64, demands: &[u64]) -> u64 {
        let mut admitted = 0;
        let proxies = u32::try_from(self.gateways.len()).expect("few");
        for _ in 0..seconds * 1000 / STEP {
            self.now += STEP;
            tokio::time::advance(Duration::from_millis(STEP)).await;
            for (at, gateway) in self.gateways.iter_mut().enumerate() {
                let now = self.now * MILLISECOND;
                admitted += gateway.asks(demands[at], self.rate, now);
                // Each has a second of its own, and the way there and back takes a step.
                if self.is_away || self.now % 1000 != 310 * at as u64 % 1000 / STEP * STEP {
                    continue;
                }
                let told = gateway.parties.demands(now);
                let request = SharesRequest {
                    node: gateway.node.clone(),
                    boot: gateway.boot.to_vec().into(),
                    serves: Vec::new(),
                    demands: told.iter().map(|told| told.demand).collect(),
                };
                let shares = self.dealer.answer("spec", &request).expect("sound demands");
                gateway.parties.is_answered(&told, &SharesResponse { shares, proxies }, now);
            }
        }
        admitted
    }
}

/// Whether it is about the rate: at most so many per cent less, and two more.
fn is_about(admitted: u64, seconds: u64, less: u64) -> bool {
    let whole = RATE * seconds;
    (whole * (100 - less) / 100..=whole * 102 / 100).contains(&admitted)
}

#[tokio::test(start_paused = true)]
async fn gateways_that_are_asked_too_often_admit_the_rate_together() {
    for demands in [&[300, 300][..], &[400, 100], &[60, 60], &[150, 10, 150, 10], &[50; 8]] {
        let mut simulation = Simulation::new(demands.len());
        // The bursts at the beginning, and until everybody was told.
        let first = simulation.run(5, demands).await;
        assert!(first <= RATE * 9, "{demands:?}: {first} at the beginning");

        let then = simulation.run(30, demands).await;

        println!("{demands:?}: {first} in 5 s, then {then} of {} in 30 s", RATE * 30);
        assert!(is_about(then, 30, 10), "{demands:?}: {then}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_has_all_the_traffic_gives_nearly_all_of_the_rate_within_seconds() {
    let mut simulation = Simulation::new(3);
    simulation.run(10, &[200, 200, 200]).await;
    let moving = simulation.run(4, &[0, 0, 600]).await;

    let moved = simulation.run(20, &[0, 0, 600]).await;

    println!("{moving} in the 4 s of the move, then {moved} of {}", RATE * 20);
    assert!(moving <= RATE * 4 + RATE, "{moving}");
    assert!(is_about(moved, 20, 5), "{moved}");
}

#[tokio::test(start_paused = true)]
async fn each_move_of_the_traffic_lets_at_most_a_burst_and_two_seconds_more_by() {
    let mut simulation = Simulation::new(2);
    simulation.run(5, &[400, 0]).await;
    let (mut admitted, moves, pause) = (0, 10, 12);
    for turn in 0..moves {
        let demands = if turn % 2 == 0 { [0, 400] } else { [400, 0] };
        admitted += simulation.run(pause, &demands).await;
    }
    println!("{admitted} in {} s with {moves} moves, {} by rate alone", moves * pause, RATE * moves * pause);
    assert!(admitted <= RATE * moves * pause + moves * 3 * RATE, "{admitted}");
    assert!(admitted >= RATE * moves * pause * 9 / 10, "{admitted}");
}

#[tokio::test(start_paused = true)]
async fn without_anybody_to_ask_shares_hold_for_a_while_and_are_even_then() {
    let mut simulation = Simulation::new(2);
    simulation.run(10, &[400, 50]).await;
    simulation.is_away = true;
    let known = simulation.run(9, &[400, 50]).await;
    assert!(is_about(known, 9, 10), "{known}: what was told last holds");
    simulation.run(3, &[400, 50]).await;

    let even = simulation.run(20, &[400, 400]).await;
    assert!(is_about(even, 20, 2), "{even}");
    let one = simulation.run(20, &[400, 0]).await;
    assert!(is_about(2 * one, 20, 5), "{one}: half of it, and what was left of a burst");

    simulation.is_away = false;
    simulation.run(3, &[400, 0]).await;
    let again = simulation.run(20, &[400, 0]).await;
    println!("{known} in 9 s as told, {even} in 20 s evenly, {one} at one alone, {again} told again");
    assert!(is_about(again, 20, 5), "{again}");
}
