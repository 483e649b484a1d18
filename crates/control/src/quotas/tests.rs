use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use commerce::quota::{Lease, Take};
use discovery::quotas::{QuotaAnswer, QuotaAsk, QuotasRequest};
use model::ResourceKey;
use serde_json::json;

use super::{Coordinator, QuotaError, Standing, standings};
use crate::clock::Clock;
use crate::store::keys::Keys;
use crate::store::sqlite::Sqlite;
use crate::store::{ChangeSet, Expect, Object, Store, Write};
use crate::world::World;

/// 2026-11-23T12:00:00Z
const NOON: i64 = 1_795_435_200;
/// The beginning of that month, in UTC.
const NOVEMBER: i64 = 1_793_491_200;

/// A store with a plan of 1000 requests a month and 100 a minute.
struct Shop {
    store: Arc<dyn Store>,
    now: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(&folder.path().join("keys")).expect("keys");
        let opened = Sqlite::open(&folder.path().join("store"), keys).await.expect("a store");
        let shop = Shop { store: opened.store, now: Arc::new(NOON.into()), _folder: folder };
        shop.offer(1000).await;
        shop
    }

    async fn offer(&self, a_month: u64) {
        let plan = json!({
            "apiVersion": "product.selvedge.dev/v1alpha1", "kind": "Plan",
            "metadata": {
                "name": "free", "namespace": "shop", "uid": "1", "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {
                "product": "pets", "version": 1, "state": "Published", "credentials": ["APIKey"],
                "approval": "Automatic",
                "quotas": [
                    { "requests": a_month, "per": "Month", "limit": "Hard", "whenUnknown": "Closed" },
                    { "requests": 100, "per": "Minute", "limit": "Hard", "whenUnknown": "Closed" },
                ],
            },
        });
        let key = ResourceKey {
            group: "product.selvedge.dev".into(),
            kind: "Plan".into(),
            namespace: Some("shop".parse().expect("a namespace")),
            name: "free".parse().expect("a name"),
        };
        let object =
            Object { key, uid: "1".into(), revision: 0, json: plan.to_string().into(), source: None };
        let writes = vec![Write::Put { object, expect: Expect::Whatever }];
        self.store.commit(ChangeSet { writes, ..ChangeSet::default() }).await.expect("written");
    }

    /// Another control plane of the same store.
    async fn coordinator(&self) -> Coordinator {
        let world = World::open(self.store.clone()).await.expect("a world");
        let now = self.now.clone();
        let seconds = move || u64::try_from(now.load(Ordering::Relaxed)).expect("after 1970");
        Coordinator::new(world, Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds())))
    }
}

fn ask(quota: &str, start: i64, lease: &Lease, wanted: u64) -> QuotaAsk {
    let told = lease.told();
    QuotaAsk {
        subscription: vec![7; 16].into(),
        plan: "shop/free".to_owned(),
        quota: quota.to_owned(),
        start,
        lent: told.lent,
        spent: told.spent,
        given_back: told.given_back,
        wanted,
        ended_boot: bytes::Bytes::new(),
    }
}

fn request(node: &str, boot: u8, asks: Vec<QuotaAsk>) -> QuotasRequest {
    QuotasRequest { node: node.to_owned(), boot: vec![boot; 16].into(), serves: Vec::new(), asks }
}

async fn borrow(coordinator: &Coordinator, node: &str, lease: &Lease, wanted: u64) -> QuotaAnswer {
    let question = request(node, 1, vec![ask("month", NOVEMBER, lease, wanted)]);
    let answer = coordinator.answer("spec", &question).await.expect("an answer").answers.remove(0);
    lease.lend(answer.lent);
    answer
}

async fn month(shop: &Shop) -> Standing {
    let all = standings(&*shop.store, [7; 16]).await.expect("standings");
    all.into_iter().find(|standing| standing.name == "month").expect("the month")
}

fn spend(lease: &Lease, times: u64) {
    (0..times).for_each(|_| assert!(matches!(lease.take(1), Take::Taken { .. })));
}

#[tokio::test]
async fn what_was_answered_is_known_to_a_control_plane_that_starts_afterwards() {
    let shop = Shop::open().await;
    let lease = Lease::default();
    let answer = borrow(&shop.coordinator().await, "edge-1", &lease, 40).await;
    assert_eq!((answer.lent, answer.remaining), (40, 960));

    let next = shop.coordinator().await;
    // As if the answer had been lost: it is given again, and nothing is lent twice.
    let again = borrow(&next, "edge-1", &Lease::default(), 40).await;
    assert_eq!((again.lent, again.remaining), (40, 960));
    spend(&lease, 10);
    borrow(&next, "edge-1", &lease, 0).await;
    let standing = month(&shop).await;
    assert_eq!((standing.used, standing.lent, standing.remaining), (10, 30, 960));
    assert_eq!((standing.start, standing.requests), (NOVEMBER, 1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_control_planes_that_lend_at_once_lend_the_quota_and_no_more() {
    let shop = Shop::open().await;
    let planes = [Arc::new(shop.coordinator().await), Arc::new(shop.coordinator().await)];
    let gateways: Vec<_> = (0..6)
        .map(|number| {
            let plane = planes[number % 2].clone();
            tokio::spawn(async move {
                let (lease, node, mut spent) = (Lease::default(), format!("edge-{number}"), 0);
                loop {
                    let before = lease.told().lent;
                    let answer = borrow(&plane, &node, &lease, 50).await;
                    if answer.lent == before {
                        return spent;
                    }
                    while matches!(lease.take(1), Take::Taken { .. }) {
                        spent += 1;
                    }
                }
            })
        })
        .collect();
    let mut spent = 0;
    for gateway in gateways {
        spent += gateway.await.expect("a gateway");
    }
    assert_eq!(spent, 1000);
    assert_eq!(month(&shop).await.used, 1000);
}

#[tokio::test]
async fn a_period_that_begins_is_whole_and_one_that_is_not_now_is_not_lent() {
    let shop = Shop::open().await;
    let coordinator = shop.coordinator().await;
    let minute = |start| {
        let coordinator = &coordinator;
        async move {
            let question = request("edge-1", 1, vec![ask("minute", start, &Lease::default(), 20)]);
            coordinator.answer("spec", &question).await.expect("an answer").answers.remove(0)
        }
    };

    assert_eq!(minute(NOON).await.remaining, 80);
    assert_eq!(minute(NOON + 30).await, QuotaAnswer::default(), "no minute begins there");
    assert_eq!(minute(NOON + 3600).await, QuotaAnswer::default(), "that is not now");
    shop.now.store(NOON + 3600, Ordering::Relaxed);
    assert_eq!(minute(NOON + 3600).await.remaining, 80);
    // What was spent in a period that is over is still heard, and not lent any more.
    let late = Lease::default();
    late.lend(20);
    spend(&late, 15);
    let question = request("edge-1", 1, vec![ask("minute", NOON, &late, 5)]);
    let answer = coordinator.answer("spec", &question).await.expect("an answer").answers.remove(0);
    assert_eq!((answer.is_known, answer.lent), (true, 20));
    let all = standings(&*shop.store, [7; 16]).await.expect("standings");
    let used: Vec<_> = all.iter().map(|standing| (standing.start, standing.used)).collect();
    assert_eq!(used, [(NOON + 3600, 0), (NOON, 15)]);
}

#[tokio::test]
async fn what_a_gateway_held_that_crashed_stays_held_until_its_last_totals_come() {
    let shop = Shop::open().await;
    let coordinator = shop.coordinator().await;
    let before = Lease::default();
    borrow(&coordinator, "edge-1", &before, 40).await;
    spend(&before, 25);

    let after = Lease::default();
    let question = request("edge-1", 2, vec![ask("month", NOVEMBER, &after, 10)]);
    after.lend(coordinator.answer("spec", &question).await.expect("an answer").answers[0].lent);
    let standing = month(&shop).await;
    assert_eq!((standing.held, standing.lent, standing.remaining), (40, 10, 950));

    let last = QuotaAsk { ended_boot: vec![1; 16].into(), ..ask("month", NOVEMBER, &before, 0) };
    for _ in 0..2 {
        // Told twice, because the first answer was lost.
        coordinator.answer("spec", &request("edge-1", 2, vec![last.clone()])).await.expect("an answer");
    }
    let standing = month(&shop).await;
    assert_eq!((standing.used, standing.held, standing.lent, standing.remaining), (25, 0, 10, 965));
}

#[tokio::test]
async fn a_plan_that_gives_more_gives_more_at_once() {
    let shop = Shop::open().await;
    let lease = Lease::default();
    borrow(&shop.coordinator().await, "edge-1", &lease, 40).await;

    shop.offer(2000).await;

    let answer = borrow(&shop.coordinator().await, "edge-1", &lease, 10).await;
    assert_eq!((answer.lent, answer.remaining), (50, 1950));
}

#[tokio::test]
async fn what_nobody_offers_is_not_known_and_what_cannot_be_kept_is_not_lent() {
    let shop = Shop::open().await;
    let coordinator = shop.coordinator().await;
    let lease = Lease::default();
    let strange = QuotaAsk { plan: "shop/gold".to_owned(), ..ask("month", NOVEMBER, &lease, 1) };
    let asks = vec![strange, ask("day", NOVEMBER, &lease, 1), ask("month", NOVEMBER, &lease, 1)];
    let answers = coordinator.answer("spec", &request("edge-1", 1, asks)).await.expect("an answer").answers;
    let known: Vec<bool> = answers.iter().map(|answer| answer.is_known).collect();
    assert_eq!(known, [false, false, true]);

    let malformed = QuotasRequest { boot: vec![1].into(), ..request("edge-1", 1, Vec::new()) };
    assert!(matches!(coordinator.answer("spec", &malformed).await, Err(QuotaError::Malformed(_))));

    shop.store.close().await.expect("closed");
    let question = request("edge-2", 1, vec![ask("month", NOVEMBER, &lease, 1)]);
    assert!(matches!(coordinator.answer("spec", &question).await, Err(QuotaError::Store(_))));
}
