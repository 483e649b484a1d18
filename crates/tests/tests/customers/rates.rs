//! A rate of a plan that two gateways give together: each its share, by who is asked.

use std::net::SocketAddr;

use serde_json::json;
use tests::until::eventually_some;

use super::products::object;
use super::quotas::Pair;

/// Requests that may come at once. So many that asking for them changes little of what is left.
const BURST: u64 = 10_000_000;
/// Requests between two looks.
const CROWD: usize = 20;

/// Asks at these gateways until what is left of a burst at the first of them is what it is to be.
async fn asks_until(pair: &Pair, entries: &[SocketAddr], what: &str, is_it: impl Fn(u64) -> bool) {
    eventually_some(what, || async {
        let mut left = None;
        for _ in 0..CROWD {
            for entry in entries.iter().rev() {
                let answer = pair.asks(*entry).await?;
                let told = answer.header("ratelimit")?.split(';').nth(1)?.strip_prefix("r=")?.parse().ok()?;
                left = Some(told);
            }
        }
        left.filter(|left| is_it(*left))
    })
    .await;
}

#[tokio::test]
async fn two_gateways_share_the_rate_of_a_plan_by_who_is_asked() {
    let rates = json!([{ "requests": BURST, "per": "1h" }]);
    let plan = json!({ "product": "pets", "state": "Published", "rates": rates });
    let pair = Pair::on(object("Plan", "pets-yearly", plan)).await;
    let [one, other] = pair.entries();

    let half = BURST * 4 / 10..=BURST * 6 / 10;
    asks_until(&pair, &[one, other], "half of it at one", |left| half.contains(&left)).await;
    asks_until(&pair, &[other, one], "half of it at the other", |left| half.contains(&left)).await;

    // What was asked for fades in a minute or two, so a crowd has to outweigh it.
    asks_until(&pair, &[other], "most of it at the other", |left| left > *half.end()).await;
}
