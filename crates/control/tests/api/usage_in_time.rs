//! What time does to the usage ledger, by a time that is moved: what was long ago is told less finely, and is as much.

use std::time::Duration;

use commerce::usage::{Boot, Counts, Window};
use control::reconcile::usage_ages::{USAGE_HOURS_DAYS, USAGE_MINUTES_DAYS, UsageAges};
use control::store::usage::{Kept, Registration, Series, Shipment, Told, UsageWrite};
use serde_json::Value;

use crate::server::Server;

const BASE: &str = "/usage.selvedge.dev/v1";
const DAY: Duration = Duration::from_secs(86_400);
const BOOT: Boot = Boot(7);

fn series(number: u8) -> Series {
    let named = |name: &str| if number == 0 { String::new() } else { format!("shop/{name}") };
    Series {
        digest: [number; 16],
        application: named("mobile"),
        version: named("pets-v1"),
        operation: if number == 0 { String::new() } else { "GET /pets".to_owned() },
        listener: if number == 0 { "127.0.0.1:80".to_owned() } else { String::new() },
        ..Series::default()
    }
}

impl Server {
    fn window(&self) -> Window {
        Window::of(Duration::from_secs(self.clock.seconds().unsigned_abs()))
    }

    async fn ledger(&self, write: UsageWrite) {
        let store = self.world.store();
        let kept = store.usage().expect("a ledger").write_usage(vec![write]).await.expect("it is written");
        assert_eq!(kept, [Kept::Done]);
    }

    /// A gateway tells that it was asked once a minute for so many minutes, by whom and at which listener; and that this
    /// is all until now.
    async fn is_told(&self, minutes: u32) {
        let now = self.window();
        let counts = Counts([1, 0, 0, 0, 10, 20]);
        let told =
            |(back, number)| Told { shard: 0, window: Window(now.0 - back), series: [number; 16], counts };
        let all = (1..=minutes).flat_map(|back| [(back, 0), (back, 1)]).map(told).collect();
        let series = vec![series(0), series(1)];
        let shipment =
            Shipment { boot: BOOT, session: [1; 16], series, told: all, watermark: now, is_complete: false };
        self.ledger(UsageWrite::Keep(shipment)).await;
    }

    /// Everything that the leader does now, step by step.
    async fn sweeps_usage(&self) {
        let ages = UsageAges::new(&self.world, &self.clock);
        while ages.sweep().await.expect("a store").more {}
    }

    async fn usage(&self, query: &str) -> Value {
        self.admin().get(&format!("{BASE}/usage?from=0&{query}")).await.fine()
    }
}

fn requests(usage: &Value) -> Vec<u64> {
    usage["items"].as_array().expect("items").iter().filter_map(|item| item["requests"].as_u64()).collect()
}

#[tokio::test]
async fn what_was_used_long_ago_is_told_by_hour_then_by_day_and_is_as_much() {
    let server = Server::start().await;
    let registration = Registration { node: "edge".into(), boot: BOOT, session: [1; 16], is_ended: false };
    server.ledger(UsageWrite::Register(registration)).await;
    server.is_told(300).await;
    server.sweeps_usage().await;
    let by_hour = requests(&server.usage("by=hour").await);
    let events = server.admin().get(&format!("{BASE}/events")).await.fine();
    let events = events.as_array().expect("events");
    let cursor = |at: usize| events[at]["selvedgecursor"].as_str().expect("a cursor");
    let (first, last) = (cursor(0), cursor(299));

    server.pass(DAY * USAGE_MINUTES_DAYS - DAY);
    server.is_told(30).await;
    server.sweeps_usage().await;
    assert!(server.usage("by=hour").await.get("hoursUntil").is_none(), "nothing is so old yet");

    server.pass(DAY * 2);
    server.is_told(30).await;
    server.sweeps_usage().await;
    let old = server.usage("by=hour").await;
    assert!(old["hoursUntil"].is_string() && old.get("daysUntil").is_none(), "{old}");
    assert_eq!(requests(&old)[..by_hour.len()], by_hour, "hours are what they were");
    assert_eq!(requests(&server.usage("by=application").await), [360]);
    let (code, reason, message) = server.admin().get(&format!("{BASE}/events?after={first}")).await.refusal();
    assert_eq!((code, reason.as_str()), (410, "Expired"), "{message}");
    for whole in [format!("{BASE}/events?after={last}"), format!("{BASE}/events")] {
        let events = server.admin().get(&whole).await.fine();
        assert_eq!(events.as_array().expect("events").len(), 60, "{whole}");
    }

    server.pass(DAY * USAGE_HOURS_DAYS);
    server.is_told(1).await;
    server.sweeps_usage().await;
    let oldest = server.usage("by=day").await;
    assert!(oldest["daysUntil"].is_string(), "{oldest}");
    assert_eq!(requests(&oldest).iter().sum::<u64>(), 361);
    let checked = server.admin().get(&format!("{BASE}/check?from=0")).await.fine();
    assert_eq!(checked["error"], 0, "{checked}");
}
