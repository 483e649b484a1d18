//! Products from an order to a refusal: who is let in by which subscription, what a plan gives, and what those are told
//! who are not let in.

use serde_json::{Value, json};
use tests::answer::Answer;
use tests::client::{exchange, get};
use tests::control::Follower;
use tests::h2_client::{H2Client, request};
use tests::scene::Scene;
use tests::tools;
use tests::until::eventually_some;

use super::Stage;

const PETS: &str = "openapi: 3.1.0
info: { title: Pets, version: '1' }
paths:
  /pets:
    get: { responses: { '200': { description: all, content: { application/json: { example: [] } } } } }
    post: { responses: { '204': { description: made } } }
  /owners:
    get: { responses: { '204': { description: all } } }
";
pub const HOST: &str = "pets.example";
/// Where plans of the pets are chosen.
pub const PAGE: &str = "https://developer.example/pets?from=429#plans";

pub fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "product.selvedge.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
}

fn plan(name: &str, rates: Value) -> Value {
    object("Plan", name, json!({ "product": "pets", "state": "Published", "rates": rates }))
}

/// Pets, of which a product has some operations, on two plans. Nobody says how callers prove who they are.
pub fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.http();
    let text = json!([{ "name": "pets.yaml", "content": PETS }]);
    for document in [
        object("API", "pets", json!({ "title": "Pets" })),
        object("APIRevision", "one", json!({ "api": "pets", "version": "pets-v1", "documents": text })),
        object(
            "APIVersion",
            "pets-v1",
            json!({
                "api": "pets", "label": "v1", "state": "Published", "revision": "one", "hostnames": [HOST],
                "parentRefs": [{ "name": "edge" }],
            }),
        ),
        object("APIBinding", "pets-v1", json!({ "version": "pets-v1", "default": { "mock": {} } })),
        object(
            "APIProduct",
            "pets",
            json!({
                "state": "Published", "page": PAGE,
                "apis": [{ "version": "pets-v1", "operations": ["GET /pets", "POST /pets"] }],
            }),
        ),
        plan("pets-free", json!([{ "requests": 2, "per": "1h" }])),
        plan("pets-gold", json!([{ "requests": 1000, "per": "1s" }])),
    ] {
        scene.document(document);
    }
    scene
}

pub(super) async fn start() -> (Stage, Follower) {
    let stage = Stage::of(scene()).await;
    let gateway = stage.gateway(None).await;
    (stage, gateway)
}

impl Stage {
    pub async fn asks(&self, path: &str, key: &str) -> Option<Answer> {
        let field = if key.is_empty() { String::new() } else { format!("x-api-key: {key}\r\n") };
        exchange(self.scene.entry(), get(HOST, path, &field)).await.ok()
    }

    /// Waits until a key is answered with a status and, where there is one, a reason.
    pub async fn is_told(&self, path: &str, key: &str, status: u16, reason: &str) -> Answer {
        eventually_some(&format!("{path} to be answered {status} {reason}"), || async {
            let answer = self.asks(path, key).await?;
            let reason_is = reason.is_empty() || answer.code().as_deref() == Some(reason);
            (answer.status == status && reason_is).then_some(answer)
        })
        .await
    }
}

pub fn problem(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text()).unwrap_or_else(|_| panic!("no problem document: {}", answer.text()))
}

/// A refusal that says where a plan that gives more is chosen.
pub fn leads_to_more(refused: &Answer) {
    let link = format!("<{PAGE}>; rel=\"help\"; title=\"upgrade\"");
    assert_eq!(refused.header_all("link"), [link], "{}", refused.text());
    assert_eq!(problem(refused)["upgrade"], PAGE, "{}", refused.text());
}

async fn grpc_caller_is_led_to_more(stage: &Stage, key: &str) {
    let mut client = H2Client::connect(stage.scene.entry()).await;
    let mut call = request("POST", HOST, "/pets/pets");
    for (name, value) in [("content-type", "application/grpc"), ("x-api-key", key)] {
        call.headers_mut().insert(name, value.parse().expect("a value"));
    }
    let answer = client.exchange(call, &[0, 0, 0, 0, 0], None).await.expect("an answer");
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("8")), "RESOURCE_EXHAUSTED");
    assert!(answer.header("link").is_some_and(|link| link.contains(PAGE)), "{:?}", answer.header("link"));
}

#[tokio::test]
async fn one_command_gives_a_key_and_a_line_that_works_within_the_limits_of_its_plan() {
    let (stage, _gateway) = start().await;
    stage.is_told("/pets/owners", "", 204, "").await;
    let nobody = problem(&stage.is_told("/pets/pets", "", 401, "credential_missing").await);
    assert_eq!(nobody["plans"], json!(["default/pets-free", "default/pets-gold"]), "{nobody}");
    assert_eq!(nobody["subscribe"], "selvedge subscribe default/pets --plan pets-free");

    let printed = stage.done(&["subscribe", "pets", "--plan", "free", "--app", "mobile"]).await;
    let (key, line) = printed.split_once('\n').expect("a key and a line");
    stage.is_told("/pets/pets", key, 200, "").await;
    let shell = tools::run(&tools::program("sh"), &["-c", &format!("{line} -sf -D -")]).await;
    assert!(shell.success, "{line}: {}", shell.stderr);
    assert!(shell.stdout.contains("ratelimit: \"2-per-1h\";r=0;"), "{line}: {}", shell.stdout);

    let third = stage.is_told("/pets/pets", key, 429, "rate_limited").await;
    assert_eq!(third.header("ratelimit-policy"), Some("\"2-per-1h\";q=2;w=3600"));
    let told = problem(&third);
    assert_eq!((&told["limit"], &told["policy"]), (&json!("2-per-1h"), &json!("Plan default/pets-free")));
    leads_to_more(&third);
    assert_eq!(told["plans"], json!(["default/pets-gold"]), "{told}");
    grpc_caller_is_led_to_more(&stage, key).await;
    let other = stage.done(&["key", "create", "--app", "mobile"]).await;
    stage.is_told("/pets/pets", &other, 429, "rate_limited").await;

    let other = stage.done(&["subscribe", "pets", "--plan", "gold", "--app", "desktop"]).await;
    let (key, _) = other.split_once('\n').expect("a key and a line");
    stage.is_told("/pets/pets", key, 200, "").await;
    stage.is_told("/pets/owners", key, 204, "").await;
}

#[tokio::test]
async fn a_limit_of_the_place_leads_to_no_plan_and_a_product_without_a_page_only_names_them() {
    let mut scene = scene();
    scene.remove("APIProduct", "pets");
    let apis = json!([{ "version": "pets-v1", "operations": ["GET /pets"] }]);
    scene.document(object("APIProduct", "pets", json!({ "state": "Published", "apis": apis })));
    let limit = json!({ "name": "place", "requests": 3, "per": "24h", "scope": "EachProxy" });
    let target = json!({ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge" });
    scene.document(json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "RateLimitPolicy",
        "metadata": { "name": "place", "namespace": "default" },
        "spec": { "targetRefs": [target], "limits": [limit] },
    }));
    let stage = Stage::of(scene).await;
    let _gateway = stage.gateway(None).await;
    let key = |printed: String| printed.lines().next().expect("a key").to_owned();
    let free = key(stage.done(&["subscribe", "pets", "--plan", "free", "--app", "mobile"]).await);
    for _ in 0..2 {
        stage.is_told("/pets/pets", &free, 200, "").await;
    }

    let outgrown = stage.is_told("/pets/pets", &free, 429, "rate_limited").await;

    assert_eq!(outgrown.header("link"), None, "the product has no page");
    let told = problem(&outgrown);
    assert_eq!((&told["plans"], &told["upgrade"]), (&json!(["default/pets-gold"]), &Value::Null), "{told}");
    let gold = key(stage.done(&["subscribe", "pets", "--plan", "gold", "--app", "desktop"]).await);
    stage.is_told("/pets/pets", &gold, 200, "").await;
    let told = problem(&stage.is_told("/pets/pets", &free, 429, "rate_limited").await);
    assert_eq!((&told["policy"], &told["plans"]), (&json!("RateLimitPolicy default/place"), &Value::Null));
}

#[tokio::test]
async fn who_is_refused_is_told_exactly_why() {
    let (stage, gateway) = start().await;
    stage.done(&["app", "create", "mobile"]).await;
    let key = stage.done(&["key", "create", "--app", "mobile"]).await;

    let nothing = problem(&stage.is_told("/pets/pets", &key, 403, "subscription_missing").await);
    assert_eq!(nothing["plans"], json!(["default/pets-free", "default/pets-gold"]), "{nothing}");
    stage.done(&["subscribe", "pets", "--plan", "gold", "--app", "mobile", "--no-key"]).await;
    stage.is_told("/pets/pets", &key, 200, "").await;
    for side in ["security", "billing"] {
        stage.done(&["subscription", "hold", "mobile-pets", "--as", side]).await;
    }
    let held = eventually_some("both holds", || async {
        let told = problem(&stage.is_told("/pets/pets", &key, 403, "subscription_held").await);
        (told["heldBy"] == json!(["Billing", "Security"])).then_some(told)
    })
    .await;
    assert_eq!(held["product"], "default/pets");
    stage.done(&["subscription", "release", "mobile-pets", "--as", "billing"]).await;
    stage.done(&["subscription", "release", "mobile-pets", "--as", "security"]).await;
    stage.is_told("/pets/pets", &key, 200, "").await;
    stage.done(&["app", "suspend", "mobile"]).await;
    stage.is_told("/pets/pets", &key, 403, "application_suspended").await;
    stage.done(&["app", "resume", "mobile"]).await;
    stage.is_told("/pets/pets", &key, 200, "").await;

    stage.done(&["delete", "plans.product.selvedge.dev", "pets-gold"]).await;
    stage.is_told("/pets/pets", &key, 403, "plan_ended").await;
    stage.done(&["subscription", "cancel", "mobile-pets"]).await;
    stage.is_told("/pets/pets", &key, 403, "subscription_missing").await;
    drop(gateway);
}

#[tokio::test]
async fn a_subscription_ends_on_time_and_one_that_begins_later_waits_for_it() {
    let (stage, _gateway) = start().await;
    let printed = stage.done(&["subscribe", "pets", "--plan", "gold", "--app", "mobile"]).await;
    let (key, _) = printed.split_once('\n').expect("a key and a line");
    stage.is_told("/pets/pets", key, 200, "").await;

    let changed = stage.done(&["subscription", "change", "mobile-pets", "--plan", "free"]).await;
    assert_eq!(changed, "subscription/mobile-pets is on plan pets-free");
    let ending = stage.done(&["subscription", "end", "mobile-pets", "--in", "2s"]).await;
    assert!(ending.contains("subscription/mobile-pets is Ending, and may be used until"), "{ending}");
    stage.is_told("/pets/pets", key, 403, "").await;
    eventually_some("it to be closed", || async {
        let listed = stage.done(&["subscription", "list"]).await;
        listed.contains("Closed").then_some(())
    })
    .await;
    let again = ["subscribe", "pets", "--plan", "gold", "--app", "mobile", "--no-key"];
    let later = stage.run(&[&again[..], &["--from", "2100-01-01T00:00:00Z"]].concat()).await;
    assert!(later.stderr.contains("is Scheduled"), "{}", later.stderr);
    stage.is_told("/pets/pets", key, 403, "subscription_inactive").await;
}
