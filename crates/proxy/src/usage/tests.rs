//! Gateways and a ledger in simulated time: messages that are lost, come twice, late and in any order, gateways that are
//! killed, and a ledger that is away for two hours.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commerce::usage::{Boot, Class, Counts, Ledger, Place, Window};
use discovery::usage::{Series, Shipment};

use super::outbox::Outbox;
use crate::clock::Clock;
use crate::state::meters::{Called, Meter, Meters};
use crate::state::random::Random;

const WORKERS: usize = 2;
const SIZES: (usize, usize) = (256, 64 * 1024);
/// While the ledger is away, in minutes.
const AWAY: std::ops::Range<u64> = 100..220;
const MINUTES: u64 = 300;

/// A gateway between two starts.
struct Gateway {
    meters: Arc<Meters>,
    workers: Vec<Meter>,
    outbox: Outbox,
    left: Vec<(Meters, Outbox)>,
}

impl Gateway {
    fn start(folder: &Path, boot: u128) -> Gateway {
        let opened = Meters::small(Some(folder), Boot(boot), WORKERS, SIZES).expect("room");
        let meters = Arc::new(opened.current);
        let workers = (0..WORKERS).map(|shard| Meter::new(meters.clone(), shard)).collect();
        let outbox = Outbox::new(&meters, false);
        let left = opened.left.into_iter().map(|left| {
            let outbox = Outbox::new(&left, true);
            (left, outbox)
        });
        let left = left.collect();
        Gateway { meters, workers, outbox, left }
    }

    fn call(&self, worker: usize, operation: u32, now: Instant, wall: Duration) {
        let series = || Series { operation: format!("GET /{operation}"), ..Series::default() };
        let called = Called { operation, by: [0; 16], plan: 0 };
        self.workers[worker].tick(now, || wall);
        self.workers[worker].count(called, series, Class::Success, [1, 2]);
    }
}

/// The ledger, and messages that are still somewhere.
#[derive(Default)]
struct World {
    ledger: Ledger<[u8; 16]>,
    astray: Vec<Shipment>,
}

impl World {
    fn hear(&mut self, shipment: &Shipment) {
        let boot = Boot(u128::from_be_bytes(shipment.boot.as_ref().try_into().expect("16 bytes")));
        for record in &shipment.records {
            let series = shipment.series[record.series as usize].digest();
            let place = Place { boot, shard: record.shard as u16, window: Window(record.window), series };
            let counts = Counts(record.counts.as_slice().try_into().expect("a number for each meter"));
            let was_sealed = self.ledger.is_sealed(&place);
            let before = self.ledger.sum(|other| *other == place);
            self.ledger.hear(place, &counts);
            assert!(
                !was_sealed || self.ledger.sum(|other| *other == place) == before,
                "a sealed window changed"
            );
        }
        self.ledger.seal(boot, Window(shipment.watermark));
    }

    /// Tells what one file of counters has. Says whether all of it was acknowledged.
    fn told(&mut self, meters: &Meters, outbox: &mut Outbox, random: &Random, is_sure: bool) -> bool {
        for _ in 0..20 {
            let parcel = outbox.next(meters);
            match if is_sure { 9 } else { random.below(10) } {
                // It never arrives.
                0 => return false,
                // It arrives some other time.
                1 => {
                    self.astray.push(parcel.shipment);
                    return false;
                }
                // The receipt is lost.
                2 => {
                    self.hear(&parcel.shipment);
                    return false;
                }
                // Twice.
                3 => self.astray.push(parcel.shipment.clone()),
                _ => {}
            }
            self.hear(&parcel.shipment);
            if outbox.received(meters, &parcel) {
                return true;
            }
            if !parcel.is_cut {
                return false;
            }
        }
        false
    }

    fn tells(&mut self, gateway: &mut Gateway, random: &Random, is_sure: bool) {
        self.told(&gateway.meters, &mut gateway.outbox, random, is_sure);
        let left = std::mem::take(&mut gateway.left);
        for (meters, mut outbox) in left {
            match self.told(&meters, &mut outbox, random, is_sure) {
                true => meters.remove(),
                false => gateway.left.push((meters, outbox)),
            }
        }
        while !self.astray.is_empty() && random.below(3) == 0 {
            let late = self.astray.swap_remove(random.below(self.astray.len() as u32) as usize);
            self.hear(&late);
        }
    }

    fn requests(&self) -> u64 {
        self.ledger.sum(|_| true).requests()
    }
}

#[test]
fn kills_outages_and_lost_repeated_and_late_messages_lose_no_request_and_invent_none() {
    let (folder, random, began) =
        (tempfile::tempdir().expect("a folder"), Random::new(), Clock::start().now());
    let mut world = World::default();
    let mut boot = 1;
    let mut gateway = Gateway::start(folder.path(), boot);
    let mut counted: BTreeMap<u32, u64> = BTreeMap::new();
    for minute in 0..MINUTES {
        let passed = Duration::from_secs(60 * minute);
        let wall = Duration::from_secs(1_700_000_000) + passed;
        for _ in 0..random.below(40) {
            let operation = random.below(12);
            gateway.call(random.below(WORKERS as u32) as usize, operation, began + passed, wall);
            *counted.entry(operation).or_default() += 1;
        }
        if !AWAY.contains(&minute) {
            world.tells(&mut gateway, &random, false);
        }
        if random.below(20) == 0 {
            // `kill -9`: nothing is told, flushed or closed in order.
            drop(gateway);
            boot += 1;
            gateway = Gateway::start(folder.path(), boot);
        }
        assert!(world.requests() <= counted.values().sum::<u64>(), "minute {minute}");
    }
    drop(gateway);
    let mut last = Gateway::start(folder.path(), boot + 1);
    while !last.left.is_empty() {
        world.tells(&mut last, &random, true);
    }

    for (operation, requests) in &counted {
        let digest = Series { operation: format!("GET /{operation}"), ..Series::default() }.digest();
        let known = world.ledger.sum(|place| place.series == digest);
        // Two hours without a ledger are longer than what there is room for as minutes, and still nothing is lost.
        assert_eq!(known.requests(), *requests, "GET /{operation} after {boot} starts");
        assert_eq!((known.0[4], known.0[5]), (*requests, 2 * requests));
    }
    assert_eq!(world.requests(), counted.values().sum::<u64>());
}
