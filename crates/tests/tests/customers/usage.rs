//! From a call to the ledger: who has called what, as commands tell it, whatever was killed in between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::binary;
use tests::client::{RawClient, get};
use tests::process::Process;
use tests::scene::Scene;
use tests::tools;
use tests::until::{eventually_some, within_time};
use tokio::time::Instant;

use super::products::{self, HOST};

/// How long a gateway that was killed counts as alive, and some more.
const UNTIL_KNOWN: Duration = Duration::from_secs(60);
/// How often processes are killed in the ordinary run.
const KILLS: u64 = 4;
/// Clients that call while processes are killed, each with one request at a time.
const CLIENTS: u64 = 4;

/// The sum of requests in an answer of `selvedge usage -o json`, by member.
fn sum(answer: &str, member: &str) -> u64 {
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    answer["items"].as_array().expect("items").iter().filter_map(|item| item[member].as_u64()).sum()
}

#[tokio::test]
async fn calls_are_in_the_ledger_by_who_called_what_and_both_counts_agree() {
    let (stage, gateway) = products::start().await;
    let printed = stage.done(&["subscribe", "pets", "--plan", "gold", "--app", "mobile"]).await;
    let (key, _) = printed.split_once('\n').expect("a key and a line");
    stage.is_told("/pets/pets", key, 200, "").await;
    // How often it took until the gateway knew the key is not known; from here on it is.
    let before = eventually_some("the first calls", || async {
        let told = stage.done(&["usage", "--app", "mobile", "-o", "json"]).await;
        (sum(&told, "requests") > 0).then(|| sum(&told, "requests"))
    })
    .await;
    for _ in 0..5 {
        stage.is_told("/pets/pets", key, 200, "").await;
    }
    stage.is_told("/pets/pets", "sk_live_0", 401, "").await;

    let told = eventually_some("the calls in the ledger", || async {
        let told = stage.done(&["usage", "--app", "mobile", "--by", "operation,plan", "-o", "json"]).await;
        (sum(&told, "success") == before + 5).then_some(told)
    })
    .await;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["items"][0]["operation"], "GET /pets");
    assert_eq!(told["items"][0]["plan"], "default/pets-gold");
    assert_eq!(told["items"][0]["refused"], 0);
    let nobody = stage.done(&["usage", "--by", "application,status", "-o", "csv"]).await;
    assert!(nobody.lines().any(|line| line.starts_with(",refused,")), "{nobody}");
    assert_eq!(stage.done(&["usage", "--app", "nobody"]).await, "");

    let checked = stage.done(&["usage", "check", "--output", "json"]).await;
    let checked: Value = serde_json::from_str(&checked).expect("JSON");
    let open = &checked["days"][0]["open"];
    let all = |side: &Value| {
        side["requests"].as_u64().unwrap_or_default() + side["refused"].as_u64().unwrap_or_default()
    };
    assert!(all(&open["usage"]) + all(&checked["days"][0]["sealed"]["usage"]) >= before + 6, "{checked}");
    assert_eq!(checked["gateways"][0]["gateway"], "edge-1");
    drop(gateway);
}

#[tokio::test]
async fn what_was_called_just_before_a_gateway_stops_is_told_before_it_is_gone() {
    let (stage, gateway) = products::start().await;
    let printed = stage.done(&["subscribe", "pets", "--plan", "gold", "--app", "mobile"]).await;
    let (key, _) = printed.split_once('\n').expect("a key and a line");
    let mut answered = 0;
    let first = AtomicU64::new(0);
    eventually_some("the key to be known", || async {
        let is_known = stage.asks("/pets/pets", key).await?.status == 200;
        first.fetch_add(u64::from(is_known), SeqCst);
        is_known.then_some(())
    })
    .await;
    for _ in 0..20 {
        answered += u64::from(stage.asks("/pets/pets", key).await.expect("an answer").status == 200);
    }

    gateway.stop().await;

    let told = stage.done(&["usage", "--app", "mobile", "-o", "json"]).await;
    assert_eq!(sum(&told, "success"), first.into_inner() + answered, "{told}");
}

#[tokio::test]
async fn a_namespace_sees_its_own_usage_and_who_may_not_look_is_refused() {
    let (stage, _gateway) = products::start().await;

    let elsewhere = stage.done(&["usage", "-n", "elsewhere", "-o", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&elsewhere).expect("JSON")["items"], Value::Array(Vec::new()));
    let wrong = stage.run(&["usage", "--by", "operatoin"]).await;
    assert!(wrong.stderr.contains("did you mean `operation`?"), "{}", wrong.stderr);
    let exported = stage.done(&["usage", "export", "-A"]).await;
    assert!(serde_json::from_str::<Value>(&exported).expect("JSON").is_array(), "{exported}");
}

/// A client that calls until it is told to stop, and counts the answers that it had whole.
async fn call(entry: SocketAddr, key: Arc<str>, stop: Arc<AtomicBool>, whole: Arc<AtomicU64>) {
    let request = get(HOST, "/pets/pets", &format!("x-api-key: {key}\r\n"));
    while !stop.load(SeqCst) {
        let Ok(mut client) = RawClient::try_connect(entry).await else {
            tokio::task::yield_now().await;
            continue;
        };
        while !stop.load(SeqCst) && client.try_send(&request).await.is_ok() {
            match client.try_answer().await {
                Ok(answer) if answer.status == 200 => {
                    whole.fetch_add(1, SeqCst);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
}

/// A control plane and a gateway as processes of their own, with folders that outlive them.
struct Processes {
    data: TempDir,
    cache: TempDir,
    listen: SocketAddr,
    scene: Scene,
    control: Process,
    gateway: Option<Process>,
}

impl Processes {
    async fn start() -> Processes {
        Processes::of(products::scene()).await
    }

    async fn of(scene: Scene) -> Processes {
        let folder = || tempfile::tempdir().expect("a folder");
        let (data, cache, listen) = (folder(), folder(), tests::address::free());
        let control = Process::control(data.path(), listen).await.expect("it starts");
        let mut processes = Processes { data, cache, listen, scene, control, gateway: None };
        let file = processes.data.path().join("scene.yaml");
        std::fs::write(&file, processes.scene.yaml()).expect("a file");
        processes.done(&["apply", "--allow-unresolved", "-f", file.to_str().expect("text")]).await;
        processes.start_gateway().await;
        processes
    }

    /// A gateway that counts in the folder of the one before.
    async fn start_gateway(&mut self) {
        let token = std::fs::read_to_string(self.data.path().join("gateway.token")).expect("a token file");
        let (control, cache) = (format!("https://{}", self.listen), self.cache.path().display().to_string());
        let own = ["--name", "edge-1", "--access-log", "off", "--workers", "2", "--cache", &cache];
        let ip = self.scene.ip().to_string();
        let flags = [&own[..], &["--bind", &ip]].concat();
        let (gateway, _) =
            Process::gateway(&control, &token.parse().expect("a token"), &flags).await.expect("it starts");
        self.gateway = Some(gateway);
    }

    async fn kill_gateway(&mut self) {
        self.gateway.take().expect("it runs").kill().await;
        self.start_gateway().await;
    }

    async fn kill_control(&mut self) {
        self.control.kill().await;
        self.control = Process::control(self.data.path(), self.listen).await.expect("it starts again");
    }

    async fn run(&self, arguments: &[&str]) -> tools::Output {
        let data = self.data.path().display().to_string();
        tools::run(binary::selvedge(), &[arguments, &["--data", &data]].concat()).await
    }

    async fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.success, "{arguments:?}: {}\n{}", output.stdout, output.stderr);
        output.stdout.trim().to_owned()
    }

    /// Waits until the ledger has everything of every start that has ended, and at least so much; tells what it has, and
    /// by how much its counts differ.
    async fn everything(&self, ended: u64, least: u64) -> (u64, u64) {
        let looking = async {
            loop {
                let checked = self.run(&["usage", "check", "--output", "json"]).await;
                let checked: Value = serde_json::from_str(&checked.stdout).unwrap_or_default();
                let known = checked["gateways"].as_array().into_iter().flatten();
                let complete = known.filter(|known| known["complete"] == true).count() as u64;
                let told = sum(&self.done(&["usage", "--app", "mobile", "-o", "json"]).await, "success");
                if complete == ended && told >= least {
                    return (told, checked["error"].as_u64().unwrap_or(u64::MAX));
                }
            }
        };
        within_time(UNTIL_KNOWN, "the ledger", looking).await.unwrap_or_else(|problem| panic!("{problem}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_gateway_was_lent_of_a_quota_can_be_used_again_once_it_is_back() {
    let quota = json!([{ "requests": 1000, "per": "Year", "whenUnknown": "Closed" }]);
    let plan = json!({ "product": "pets", "state": "Published", "quotas": quota });
    let mut scene = products::scene();
    scene.document(products::object("Plan", "pets-yearly", plan));
    let mut processes = Processes::of(scene).await;
    let printed = processes.done(&["subscribe", "pets", "--plan", "yearly", "--app", "mobile"]).await;
    let key: Arc<str> = printed.split_once('\n').expect("a key and a line").0.into();
    let (stop, whole) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let calling = tokio::spawn(call(processes.scene.entry(), key, stop.clone(), whole.clone()));
    eventually_some("calls", || async { (whole.load(SeqCst) >= 200).then_some(()) }).await;

    processes.kill_gateway().await;
    // The next one borrows too, so that what the one before held is known to be held.
    let wanted = whole.load(SeqCst) + 50;
    eventually_some("more calls", || async { (whole.load(SeqCst) >= wanted).then_some(()) }).await;
    stop.store(true, SeqCst);
    calling.await.expect("it ends");

    let settled = async {
        loop {
            let shown = processes.done(&["subscription", "show", "mobile-pets"]).await;
            // Used, lent, held, left.
            let line = shown.lines().find_map(|line| line.strip_prefix("year ")).map(str::to_owned);
            let cells: Vec<u64> = line
                .iter()
                .flat_map(|line| line.split_whitespace().map_while(|cell| cell.parse().ok()))
                .collect();
            if let [used, _, 0, ..] = cells[..]
                && used >= whole.load(SeqCst)
            {
                return (used, shown);
            }
        }
    };
    let (used, shown) =
        within_time(UNTIL_KNOWN, "nothing to be held any more", settled).await.expect("settled");
    println!("{} answers, {used} used of the quota", whole.load(SeqCst));
    let under_way = 2;
    assert!((whole.load(SeqCst)..=whole.load(SeqCst) + under_way).contains(&used), "{shown}");
}

/// `SELVEDGE_TEST_KILLS` says how often; the ordinary run is short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_and_ledgers_that_are_killed_lose_no_more_than_was_under_way() {
    let kills = std::env::var("SELVEDGE_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let mut processes = Processes::start().await;
    let printed = processes.done(&["subscribe", "pets", "--plan", "gold", "--app", "mobile"]).await;
    let key: Arc<str> = printed.split_once('\n').expect("a key and a line").0.into();
    let (stop, whole) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let entry = processes.scene.entry();
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(call(entry, key.clone(), stop.clone(), whole.clone()))).collect();
    let mut gateways = 0;
    for kill in 0..kills {
        let wanted = whole.load(SeqCst) + 20 + kill * 37 % 101;
        eventually_some("calls", || async { (whole.load(SeqCst) >= wanted).then_some(()) }).await;
        if kill % 3 == 2 {
            processes.kill_control().await;
        } else {
            processes.kill_gateway().await;
            gateways += 1;
        }
    }
    stop.store(true, SeqCst);
    for client in clients {
        client.await.expect("it ends");
    }

    let (whole, under_way) = (whole.load(SeqCst), gateways * CLIENTS);
    let stopped = Instant::now();
    let (told, error) = processes.everything(gateways, whole.saturating_sub(under_way)).await;

    let waited = stopped.elapsed().as_secs();
    println!(
        "{kills} kills: {whole} answers, {told} in the ledger {waited} s after the last; {under_way} may be missing; \
         counts differ by {error}"
    );
    assert!(told <= whole, "the ledger has {told}, clients had {whole}");
    assert!(whole - told <= under_way, "the ledger has {told}, clients had {whole}");
    assert!(error <= under_way, "{error}");
}
