//! Quotas from a plan to a refusal: two gateways that share one, what becomes of it when one of them or the control
//! plane is away, and what callers are told.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tests::answer::Answer;
use tests::client::{exchange, get};
use tests::control::Follower;
use tests::scene::Scene;
use tests::until::eventually_some;

use super::Stage;
use super::products::{self, HOST, leads_to_more, object, problem};

const QUOTA: usize = 60;

fn plan(name: &str, requests: usize, when_unknown: &str) -> Value {
    let quota = json!({ "requests": requests, "per": "Year", "whenUnknown": when_unknown });
    object("Plan", name, json!({ "product": "pets", "state": "Published", "quotas": [quota] }))
}

/// The pets on one more plan, at two Gateways.
fn scene(plan: Value) -> (Scene, SocketAddr) {
    let mut scene = products::scene();
    let other = tests::address::free();
    scene.remove("APIVersion", "pets-v1");
    for document in [
        plan,
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": { "name": "other", "namespace": "default" },
            "spec": {
                "gatewayClassName": "selvedge",
                "addresses": [{ "type": "IPAddress", "value": other.ip().to_string() }],
                "listeners": [{ "name": "http", "port": other.port(), "protocol": "HTTP" }],
            },
        }),
        object(
            "APIVersion",
            "pets-v1",
            json!({
                "api": "pets", "label": "v1", "state": "Published", "revision": "one", "hostnames": [HOST],
                "parentRefs": [{ "name": "edge" }, { "name": "other" }],
            }),
        ),
    ] {
        scene.document(document);
    }
    (scene, other)
}

/// Two gateways, each of which serves one of the Gateways, and a key.
pub(super) struct Pair {
    pub(super) stage: Stage,
    gateways: Vec<Follower>,
    key: String,
}

impl Pair {
    async fn start(when_unknown: &str) -> Pair {
        Pair::on(plan("pets-yearly", QUOTA, when_unknown)).await
    }

    /// On a plan that is called `pets-yearly`.
    pub(super) async fn on(plan: Value) -> Pair {
        let (scene, other) = scene(plan);
        let stage = Stage::of(scene).await;
        let edge = stage.serving("edge", stage.scene.entry()).await;
        let other = stage.serving("other", other).await;
        let printed = stage.done(&["subscribe", "pets", "--plan", "yearly", "--app", "mobile"]).await;
        let (key, _) = printed.split_once('\n').expect("a key and a line");
        let pair = Pair { key: key.to_owned(), stage, gateways: vec![edge, other] };
        for entry in pair.entries() {
            // An operation that is not there is refused behind nothing: it shows that the gateway serves the API.
            eventually_some("a gateway that knows the key", || async {
                let answer = pair.asks(entry).await?;
                (answer.status == 200).then_some(())
            })
            .await;
        }
        pair
    }

    pub(super) fn entries(&self) -> [SocketAddr; 2] {
        [self.gateways[0].entry, self.gateways[1].entry]
    }

    pub(super) async fn asks(&self, entry: SocketAddr) -> Option<Answer> {
        exchange(entry, get(HOST, "/pets/pets", &format!("x-api-key: {}\r\n", self.key))).await.ok()
    }

    /// Asks until it is refused; says how often it was not, and with what it was refused.
    async fn uses_up(&self, entry: SocketAddr) -> (usize, Answer) {
        for admitted in 0..=2 * QUOTA {
            let answer = self.asks(entry).await.expect("an answer");
            if answer.status != 200 {
                return (admitted, answer);
            }
        }
        panic!("nobody was refused");
    }
}

impl Stage {
    /// A gateway that serves one Gateway.
    async fn serving(&self, name: &str, entry: SocketAddr) -> Follower {
        let token = std::fs::read_to_string(self.plane.gateway_token()).expect("a token file");
        let token = token.parse().expect("a token file");
        let control = format!("https://{}", self.plane.address()).parse().expect("an address");
        let mut options = selvedge::gateway::GatewayOptions::new(name, control, token);
        let gateway = format!("default/{name}").into();
        options.serve = discovery::Interest::Gateways([gateway].into());
        Follower::start(options, entry).await
    }
}

#[tokio::test]
async fn two_gateways_admit_a_quota_together_and_not_one_request_more() {
    let pair = Pair::start("Closed").await;
    let [one, other] = pair.entries();
    let mut admitted = 2;
    // In turns for a while, then each alone: what one of them still holds is its own.
    for _ in 0..10 {
        for entry in [one, other, one] {
            let answer = pair.asks(entry).await.expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.text());
            admitted += 1;
        }
    }
    let mut last = None;
    for entry in [one, other, one] {
        let (more, refused) = pair.uses_up(entry).await;
        admitted += more;
        last = Some(refused);
    }

    assert_eq!(admitted, QUOTA);
    let line = eventually_some("all of it to be told", || async {
        let shown = pair.stage.done(&["subscription", "show", "mobile-pets"]).await;
        let line = shown.lines().find(|line| line.starts_with("year ")).map(str::to_owned)?;
        let cells: Vec<&str> = line.split_whitespace().collect();
        (cells[1] == "60").then(|| cells[..6].join(" "))
    })
    .await;
    assert_eq!(line, "year 60 0 0 0 60");
    let refused = last.expect("a refusal");
    assert_eq!((refused.status, refused.code().as_deref()), (429, Some("quota_exceeded")));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"year\";q=60"));
    assert!(refused.header("ratelimit").expect("what is left").starts_with("\"year\";r=0;t="));
    let wait: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
    assert!(wait <= 366 * 86_400, "{wait}");
    let told = problem(&refused);
    assert_eq!((&told["quota"], &told["policy"]), (&json!("year"), &json!("Plan default/pets-yearly")));
    assert!(told["resetsAt"].as_str().expect("a moment").ends_with("-01-01T00:00:00Z"), "{told}");
    leads_to_more(&refused);
}

#[tokio::test]
async fn a_gateway_that_stops_gives_back_what_it_has_not_used() {
    let mut pair = Pair::start("Closed").await;
    let [one, other] = pair.entries();
    let mut admitted = 2;
    // It holds something then, because it expects more of the same.
    for _ in 0..12 {
        admitted += usize::from(pair.asks(other).await.expect("an answer").status == 200);
    }
    pair.gateways.pop().expect("a gateway").stop().await;

    let (more, _) = pair.uses_up(one).await;

    assert_eq!(admitted + more, QUOTA);
}

#[tokio::test]
async fn while_nobody_can_be_asked_a_lease_is_spent_and_then_the_plan_decides() {
    let pair = Pair::start("Closed").await;
    let [one, _] = pair.entries();
    let Pair { stage: Stage { plane, scene, _upstream }, gateways, key } = pair;
    let stopped = plane.stop().await;
    gateways[0].is_alone().await;

    let field = format!("x-api-key: {key}\r\n");
    let mut admitted = 0;
    let refused = loop {
        let answer = exchange(one, get(HOST, "/pets/pets", &field)).await.expect("an answer");
        if answer.status != 200 {
            break answer;
        }
        admitted += 1;
        assert!(admitted < QUOTA, "nobody was refused");
    };
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("quota_unknown")));
    assert_eq!(problem(&refused)["quota"], "year");

    let pair = Pair { stage: Stage { plane: stopped.start().await, scene, _upstream }, gateways, key };
    eventually_some("somebody to ask", || async { (pair.asks(one).await?.status == 200).then_some(()) })
        .await;
    let (more, _) = pair.uses_up(one).await;
    assert!(2 + admitted + 1 + more <= QUOTA, "{admitted} and {more}");
}
