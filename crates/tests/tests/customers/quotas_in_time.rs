//! Eight gateways with skewed load and crashes in simulated time, over the accounts of real proxies and a real
//! coordinator with a real store: never one call above a quota, at least 98.8 % of it used before anybody is refused,
//! and whole again when its period begins anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use control::clock::Clock;
use control::quotas::{Coordinator, standings};
use control::store::keys::Keys;
use control::store::sqlite::Sqlite;
use control::store::{ChangeSet, Expect, Object, Store, Write};
use control::world::World;
use discovery::quotas::{QuotaAsk, QuotasRequest};
use engine::config::Quota;
use engine::customers::SubscriptionId;
use model::kinds::plan::{PlanQuota, QuotaLimit, QuotaPeriod, WhenUnknown};
use proxy::quotas::{Account, Charge, Quotas};
use serde_json::json;

const GATEWAYS: usize = 8;
/// 2026-11-30T23:59:00Z: the last minute of a month.
const BEGIN: i64 = 1_796_083_140;
/// Milliseconds from a gateway to the coordinator and back.
const WAY: i64 = 5;
/// Milliseconds for which a crashed gateway is away.
const AWAY: i64 = 200;
const PLAN: &str = "shop/free";

struct Gateway {
    name: String,
    quotas: Quotas,
    account: Arc<Account>,
    /// Requests that wait for an answer.
    waiting: u64,
    /// What is being asked, and when the answer is here.
    asked: Option<(i64, Vec<Arc<Account>>, QuotasRequest)>,
    back_at: i64,
    /// The last totals of the start before, which are found on its disk.
    last: Option<QuotaAsk>,
}

impl Gateway {
    fn new(name: String, quota: &Quota, now: i64, last: Option<QuotaAsk>) -> Gateway {
        let quotas = Quotas::default();
        quotas.can_ask();
        let account = account(&quotas, quota, now);
        Gateway { name, quotas, account, waiting: 0, asked: None, back_at: now, last }
    }
}

fn account(quotas: &Quotas, quota: &Quota, now: i64) -> Arc<Account> {
    let window = quota.calendar.window(now / 1000);
    quotas.account(SubscriptionId([7; 16]), &PLAN.into(), quota, window).expect("an account")
}

struct Simulation {
    store: Arc<dyn Store>,
    coordinator: Coordinator,
    /// Milliseconds since 1970.
    now: Arc<AtomicI64>,
    quota: Quota,
    gateways: Vec<Gateway>,
    admitted: u64,
    first_refusal: Option<u64>,
    draws: u64,
    _folder: tempfile::TempDir,
}

impl Simulation {
    async fn new(requests: u64) -> Simulation {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(&folder.path().join("keys")).expect("keys");
        let opened = Sqlite::open(&folder.path().join("store"), keys).await.expect("a store");
        let store: Arc<dyn Store> = opened.store;
        offer(&*store, requests).await;
        let now = Arc::new(AtomicI64::new(BEGIN * 1000));
        let clock = now.clone();
        let millis = move || u64::try_from(clock.load(Ordering::Relaxed)).expect("after 1970");
        let clock = Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_millis(millis()));
        let world = World::open(store.clone()).await.expect("a world");
        let quota = quota(requests);
        let gateways =
            (0..GATEWAYS).map(|at| Gateway::new(format!("edge-{at}"), &quota, BEGIN * 1000, None)).collect();
        Simulation {
            store,
            coordinator: Coordinator::new(world, clock),
            now,
            quota,
            gateways,
            admitted: 0,
            first_refusal: None,
            draws: requests,
            _folder: folder,
        }
    }

    fn time(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    /// A number below a bound; the same at each run.
    fn draw(&mut self, bound: u64) -> u64 {
        self.draws =
            self.draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.draws >> 33) % bound
    }

    fn request(&mut self, at: usize) {
        let gateway = &mut self.gateways[at];
        if gateway.back_at > self.now.load(Ordering::Relaxed) {
            return;
        }
        match gateway.quotas.charge(&gateway.account, &self.quota) {
            Charge::Admitted => self.admitted += 1,
            Charge::Wait => gateway.waiting += 1,
            Charge::Refused => drop(self.first_refusal.get_or_insert(self.admitted)),
            Charge::Unknown => panic!("the coordinator is there"),
        }
    }

    /// A millisecond passes.
    async fn tick(&mut self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        for at in 0..GATEWAYS {
            if self.gateways[at].back_at <= now {
                self.answer(at, now).await;
                self.ask(at, now).await;
            }
        }
    }

    async fn answer(&mut self, at: usize, now: i64) {
        let gateway = &mut self.gateways[at];
        let Some((_, accounts, question)) = gateway.asked.take_if(|(arrives, ..)| *arrives <= now) else {
            return;
        };
        let response = self.coordinator.answer("spec", &question).await.expect("an answer");
        gateway.quotas.answered(&accounts, &question, &response, now / 1000);
        let (mut waiting, mut refused) = (std::mem::take(&mut gateway.waiting), false);
        while waiting > 0 {
            match gateway.quotas.charge(&gateway.account, &self.quota) {
                Charge::Admitted => self.admitted += 1,
                Charge::Wait => break,
                Charge::Refused => refused = true,
                Charge::Unknown => panic!("the coordinator is there"),
            }
            waiting -= 1;
        }
        gateway.waiting = waiting;
        if refused {
            self.first_refusal.get_or_insert(self.admitted);
        }
    }

    async fn ask(&mut self, at: usize, now: i64) {
        let gateway = &mut self.gateways[at];
        if gateway.asked.is_some() {
            return;
        }
        let mut accounts = gateway.quotas.queue().await.now();
        if now % 1000 == 0 {
            accounts.extend(gateway.quotas.due(now / 1000));
        }
        if accounts.is_empty() {
            return;
        }
        let mut question = gateway.quotas.question(&accounts, &gateway.name, &[]);
        question.asks.extend(gateway.last.take());
        gateway.asked = Some((now + WAY, accounts, question));
    }

    /// A gateway dies. Its counters outlive it, and are found at its next start.
    fn crash(&mut self, at: usize) {
        let now = self.time();
        let gone = &self.gateways[at];
        let mut last =
            gone.quotas.question(std::slice::from_ref(&gone.account), &gone.name, &[]).asks.remove(0);
        last.wanted = 0;
        last.ended_boot = gone.quotas.boot().to_vec().into();
        let mut next = Gateway::new(gone.name.clone(), &self.quota, now, Some(last));
        next.back_at = now + AWAY;
        self.gateways[at] = next;
    }

    /// Four requests each millisecond, most of them at few gateways, until somebody is refused.
    async fn runs_until_a_refusal(&mut self, weights: [u64; GATEWAYS], crashes: &[(i64, usize)]) -> u64 {
        let (total, began) = (weights.iter().sum(), self.time());
        while self.first_refusal.is_none() {
            for _ in 0..4 {
                let mut left = self.draw(total);
                let at = weights.iter().position(|weight| {
                    let is_here = left < *weight;
                    left = left.saturating_sub(*weight);
                    is_here
                });
                self.request(at.expect("one of them"));
            }
            for (after, at) in crashes {
                if began + after == self.time() {
                    self.crash(*at);
                }
            }
            self.tick().await;
            assert!(self.admitted <= self.quota.requests, "{} were admitted", self.admitted);
        }
        self.first_refusal.expect("a refusal")
    }
}

fn quota(requests: u64) -> Quota {
    let written = PlanQuota {
        requests,
        per: QuotaPeriod::Month,
        time_zone: None,
        limit: QuotaLimit::Hard,
        when_unknown: WhenUnknown::Closed,
    };
    Quota::all(&[written]).expect("a quota")[0].clone()
}

async fn offer(store: &dyn Store, requests: u64) {
    let plan = json!({
        "apiVersion": "product.selvedge.dev/v1alpha1", "kind": "Plan",
        "metadata": {
            "name": "free", "namespace": "shop", "uid": "1", "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "product": "pets", "version": 1, "state": "Published", "credentials": ["APIKey"],
            "approval": "Automatic",
            "quotas": [{ "requests": requests, "per": "Month", "limit": "Hard", "whenUnknown": "Closed" }],
        },
    });
    let key = model::ResourceKey {
        group: "product.selvedge.dev".into(),
        kind: "Plan".into(),
        namespace: Some("shop".parse().expect("a namespace")),
        name: "free".parse().expect("a name"),
    };
    let object = Object { key, uid: "1".into(), revision: 0, json: plan.to_string().into(), source: None };
    let writes = vec![Write::Put { object, expect: Expect::Whatever }];
    store.commit(ChangeSet { writes, ..ChangeSet::default() }).await.expect("written");
}

#[tokio::test]
async fn skewed_load_and_crashes_use_a_quota_up_and_never_exceed_it_and_the_next_period_is_whole() {
    let mut simulation = Simulation::new(12_000).await;
    let weights = [400, 150, 80, 40, 20, 8, 3, 1];
    let crashes = [(300, 0), (700, 3), (1_100, 0), (1_500, 1), (1_900, 7)];

    let before = simulation.runs_until_a_refusal(weights, &crashes).await;
    println!("{before} of 12000 before the first refusal");
    assert!(before * 1000 >= 12_000 * 988, "{before} of 12000");

    // Whoever still holds something may spend it; all of it together is the quota and no more.
    for _ in 0..3_000 {
        (0..GATEWAYS).for_each(|at| simulation.request(at));
        simulation.tick().await;
    }
    assert_eq!(simulation.admitted, 12_000);
    let standing = standings(&*simulation.store, [7; 16]).await.expect("standings").remove(0);
    println!("{standing:?}");
    assert_eq!((standing.remaining, standing.held, standing.overdrawn), (0, 0, 0));

    // Another month.
    simulation.now.store((BEGIN + 61) * 1000, Ordering::Relaxed);
    for gateway in &mut simulation.gateways {
        gateway.account = account(&gateway.quotas, &simulation.quota, (BEGIN + 61) * 1000);
        gateway.waiting = 0;
    }
    (simulation.admitted, simulation.first_refusal) = (0, None);
    let before = simulation.runs_until_a_refusal([1; GATEWAYS], &[]).await;
    println!("{before} of 12000 before the first refusal of the next month");
    assert!(before * 1000 >= 12_000 * 988, "{before} of 12000");
}
