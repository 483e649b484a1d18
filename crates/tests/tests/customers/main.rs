//! From a command to an answer: applications, their keys, and how soon a gateway knows what became of them. A real
//! control plane, a real gateway that follows it, and the command line as a process.

mod products;
mod quotas;
mod quotas_in_time;
mod rates;
mod rates_in_time;
mod shims;
mod tenants;
mod usage;

use std::path::PathBuf;

use serde_json::json;
use tests::binary;
use tests::client::{exchange, fetch_with, get};
use tests::control::{Follower, cache};
use tests::control_plane::ControlPlane;
use tests::scene::Scene;
use tests::tools::{self, Output};
use tests::until::eventually_some;
use tests::upstream::Upstream;

const HOST: &str = "a.example";

/// A gateway whose only route asks for keys of applications.
struct Stage {
    plane: ControlPlane,
    scene: Scene,
    _upstream: Option<Upstream>,
}

impl Stage {
    async fn start() -> Stage {
        let upstream = Upstream::recording().await;
        let mut scene = Scene::forwarding(&upstream);
        scene.document(json!({
            "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthenticationPolicy",
            "metadata": { "name": "keys", "namespace": "default" },
            "spec": { "methods": [{ "apiKey": { "in": [{ "header": "x-api-key" }] } }] },
        }));
        Stage { _upstream: Some(upstream), ..Stage::of(scene).await }
    }

    /// One with these objects.
    async fn of(scene: Scene) -> Stage {
        let stage = Stage { plane: ControlPlane::start().await, scene, _upstream: None };
        let file = stage.plane.folder().join("scene.yaml");
        std::fs::write(&file, stage.scene.yaml()).expect("a file");
        stage.done(&["apply", "--allow-unresolved", "-f", file.to_str().expect("text")]).await;
        stage
    }

    async fn gateway(&self, cache: Option<PathBuf>) -> Follower {
        let token = std::fs::read_to_string(self.plane.gateway_token()).expect("a token file");
        let token = token.parse().expect("a token file");
        let control = format!("https://{}", self.plane.address()).parse().expect("an address");
        let mut options = selvedge::gateway::GatewayOptions::new("edge-1", control, token);
        options.cache = cache;
        Follower::start(options, self.scene.entry()).await
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let kubeconfig = self.plane.kubeconfig();
        let mut all = arguments.to_vec();
        all.extend(["--kubeconfig", kubeconfig.to_str().expect("text")]);
        tools::run(binary::selvedge(), &all).await
    }

    /// What a command printed that went well.
    async fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.success, "{arguments:?}: {}\n{}", output.stdout, output.stderr);
        output.stdout.trim().to_owned()
    }

    /// Waits until a key is answered so.
    async fn answers(&self, key: &str, status: u16) {
        let field = format!("x-api-key: {key}\r\n");
        eventually_some(&format!("the answer {status}"), || async {
            let answer = exchange(self.scene.entry(), get(HOST, "/", &field)).await.ok()?;
            (answer.status == status).then_some(())
        })
        .await;
    }
}

async fn metric(gateway: &Follower, name: &str) -> u64 {
    let page = fetch_with(gateway.admin, "admin", "/metrics", "").await.text();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.unwrap_or_else(|| panic!("{name} in {page}")).parse().expect("a number")
}

#[tokio::test]
async fn a_key_opens_a_gateway_until_it_is_revoked_and_the_gateway_says_how_soon() {
    let stage = Stage::start().await;
    let gateway = stage.gateway(None).await;
    stage.done(&["app", "create", "mobile"]).await;

    let key = stage.done(&["key", "create", "--app", "mobile"]).await;
    stage.answers(&key, 200).await;
    let other = stage.done(&["key", "create", "--app", "mobile"]).await;
    stage.answers(&other, 200).await;
    let listed = stage.done(&["key", "list", "--app", "mobile"]).await;
    let name = |key: &str| {
        let line = listed.lines().find(|line| line.contains(&key[..12])).expect("its line");
        line.split_whitespace().next().expect("its name").to_owned()
    };
    assert!(!listed.contains(&key), "a list shows a key");

    stage.done(&["key", "revoke", &name(&key)]).await;

    stage.answers(&key, 401).await;
    stage.answers(&other, 200).await;
    assert_eq!(metric(&gateway, "selvedge_customers_credentials").await, 2);
    let most = metric(&gateway, "selvedge_customers_propagation_milliseconds_max").await;
    println!("from the command to all workers: at most {most} ms");
    let told = eventually_some("the control plane to know how soon", || async {
        let told: serde_json::Value =
            serde_json::from_str(&stage.run(&["status", "-o", "json"]).await.stdout).ok()?;
        (told["revocations"]["applied"].as_u64()? > 0).then(|| told["revocations"].clone())
    })
    .await;
    println!("revocations as the control plane tells them: {told}");
    let shown = stage.run(&["status"]).await.stdout;
    assert!(shown.contains("revocations    99 of 100 in force "), "{shown}");
    stage.done(&["app", "suspend", "mobile"]).await;
    eventually_some("the other key to be refused", || async {
        let field = format!("x-api-key: {other}\r\n");
        let answer = exchange(stage.scene.entry(), get(HOST, "/", &field)).await.ok()?;
        [401, 403].contains(&answer.status).then_some(())
    })
    .await;
    stage.done(&["app", "resume", "mobile"]).await;
    stage.answers(&other, 200).await;
}

#[tokio::test]
async fn a_gateway_that_starts_without_its_control_plane_knows_whom_it_knew() {
    let stage = Stage::start().await;
    let (_directory, cache) = cache();
    let gateway = stage.gateway(Some(cache.clone())).await;
    stage.done(&["app", "create", "mobile"]).await;
    let key = stage.done(&["key", "create", "--app", "mobile"]).await;
    stage.answers(&key, 200).await;
    gateway.stop().await;

    // Nobody answers at the address of the control plane any more.
    let token = std::fs::read_to_string(stage.plane.gateway_token()).expect("a token file");
    let nowhere = format!("https://{}", tests::address::free()).parse().expect("an address");
    let mut options =
        selvedge::gateway::GatewayOptions::new("edge-1", nowhere, token.parse().expect("a token file"));
    options.cache = Some(cache);
    let _alone = Follower::start(options, stage.scene.entry()).await;

    stage.answers(&key, 200).await;
    stage.answers("sk_live_0000000000000000000000000000000000", 401).await;
}

#[tokio::test]
async fn commands_say_what_became_of_customers_and_what_is_not_possible() {
    let stage = Stage::start().await;

    let subscribed =
        stage.run(&["subscribe", "weather", "--plan", "free", "--app", "mobile", "--no-key"]).await;
    assert!(subscribed.stderr.contains("application/mobile made"), "{}", subscribed.stderr);
    if subscribed.success {
        let held = stage.done(&["subscription", "hold", "mobile-weather", "--as", "security"]).await;
        assert_eq!(held, "subscription/mobile-weather is held by Security");
        stage.done(&["subscription", "hold", "mobile-weather", "--as", "billing"]).await;
        let released = stage.done(&["subscription", "release", "mobile-weather", "--as", "billing"]).await;
        assert_eq!(released, "subscription/mobile-weather is held by Security");
        stage.done(&["subscription", "cancel", "mobile-weather"]).await;
        let late = stage.run(&["subscription", "approve", "mobile-weather"]).await;
        assert!(late.stderr.contains("cannot become Active"), "{}", late.stderr);
    } else {
        // A control plane that knows plans refuses one that is not there.
        assert!(subscribed.stderr.contains("there is no plan `free`"), "{}", subscribed.stderr);
    }
    let identity = "spiffe://bank.example/ns/trade/sa/desk";
    stage.done(&["app", "create", "trading", "--identity", identity]).await;
    let taken = stage.run(&["app", "create", "other", "--identity", identity]).await;
    assert!(taken.stderr.contains("has it already"), "{}", taken.stderr);
    assert!(stage.done(&["app", "show", "trading"]).await.contains(identity));
}

#[tokio::test]
async fn a_namespace_is_not_deleted_while_customers_are_in_it() {
    let mut scene = Scene::new();
    scene.http();
    scene.document(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "left" } }));
    let stage = Stage::of(scene).await;
    stage.done(&["app", "create", "mobile", "-n", "left"]).await;

    let refused = stage.run(&["delete", "namespace", "left"]).await;

    assert!(refused.stderr.contains("Application `mobile` is in it"), "{}{}", refused.stdout, refused.stderr);
    stage.done(&["delete", "applications.product.selvedge.dev", "mobile", "-n", "left"]).await;
    stage.done(&["delete", "namespace", "left"]).await;
}
