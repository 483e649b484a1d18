//! What a mesh costs its control plane: 300 proxies, 1,000 Services, 10,000 endpoints.
//!
//! Two processes. This one is the control plane, with its store on disk and nothing else, so that its memory and its
//! time are the control plane's; a child holds three hundred simulated proxies on real connections over TLS. Each
//! stands beside a Workload that reaches twenty Services. Endpoints are changed one by one; time runs from the moment
//! the write is durable to the moment the last proxy that reaches the endpoint has it.
//!
//! `cargo run --profile fast -p selvedge-tests --example discovery_mesh -- [EDITS] [PROXIES]`; the numbers stand in
//! `bench/DISCOVERY.md`.
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use discovery::{Interest, TokenFile};
use serde_json::{Value, json};
use tests::control::Control;
use tests::simulated::Simulated;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const PROXIES: usize = 300;
const SERVICES: usize = 1_000;
const ENDPOINTS: usize = 10_000;
const REACHES: usize = 20;
const EDITS: usize = 200;
/// What `/proc` counts time in.
const TICK: Duration = Duration::from_millis(10);
/// The goals.
const LIVE_WITHIN: Duration = Duration::from_secs(1);
const KIB_A_PROXY: u64 = 200;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["herd", url, from, to] => herd(url, count(Some(from), 0)..count(Some(to), PROXIES)).await,
        ref words => {
            measure(count(words.first().copied(), EDITS), count(words.get(1).copied(), PROXIES)).await
        }
    }
}

fn count(word: Option<&str>, otherwise: usize) -> usize {
    word.and_then(|word| word.parse().ok()).unwrap_or(otherwise)
}

async fn measure(edits: usize, proxies: usize) {
    let began = Instant::now();
    let control = Control::start(&documents(proxies)).await;
    println!(
        "{SERVICES} Services and {ENDPOINTS} endpoints stored in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let empty = resident();
    let cpu = own_cpu();
    let began = Instant::now();
    let first = (SERVICES / REACHES).min(proxies / 2);
    let mut herd = Herd::start(&control, 0, first, proxies).await;
    herd.reach(1, &(0..first).collect::<Vec<_>>()).await;
    let warm = resident();
    // From here on every object has been encoded for somebody.
    let mut others = Herd::start(&control, first, proxies, proxies).await;
    others.reach(1, &(first..proxies).collect::<Vec<_>>()).await;
    let joining = (began.elapsed(), own_cpu() - cpu);
    let full = resident();
    let cpu = own_cpu();
    let mut took = Vec::new();
    for edit in 0..edits {
        let endpoint = edit * 37 % ENDPOINTS;
        let concerned: Vec<usize> = (0..proxies)
            .filter(|proxy| reaches(*proxy).any(|service| service == endpoint % SERVICES))
            .collect();
        let revision = control.put(endpoint_of(endpoint, Some(edit))).await;
        let since = Instant::now();
        let (early, late): (Vec<usize>, Vec<usize>) = concerned.iter().partition(|proxy| **proxy < first);
        tokio::join!(herd.reach(revision, &early), others.reach(revision, &late));
        took.push(since.elapsed());
    }
    let cpu = (own_cpu() - cpu) / u32::try_from(edits).unwrap_or(1);
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share).round() as usize];
    let grown = full.saturating_sub(empty) / proxies as u64;
    let further = full.saturating_sub(warm) / (proxies - first) as u64;
    println!("| measured | value |\n|---|---:|");
    println!("| endpoint live everywhere, p50 | {:.1} ms |", millis(at(0.5)));
    println!("| endpoint live everywhere, p99 | {:.1} ms |", millis(at(0.99)));
    println!("| slowest of {edits} | {:.1} ms |", millis(at(1.0)));
    println!("| CPU of the control plane an edit | {:.2} ms |", millis(cpu));
    println!("| memory without proxies | {} MiB |", empty >> 10);
    println!("| memory with {proxies} proxies | {} MiB |", full >> 10);
    println!("| memory a proxy, what all share divided among them | {grown} KiB |");
    println!("| memory of one more proxy | {further} KiB |");
    println!("| all of them joined in | {:.1} s |", joining.0.as_secs_f64());
    println!("| CPU of the control plane a joining proxy | {:.2} ms |", millis(joining.1 / proxies as u32));
    // For whoever writes `bench/RESULTS.md`.
    let row = json!({
        "proxies": proxies, "edits": edits, "p50_ms": millis(at(0.5)), "p99_ms": millis(at(0.99)),
        "edit_cpu_ms": millis(cpu), "kib_a_proxy": grown, "kib_one_more": further,
        "join_cpu_ms": millis(joining.1 / proxies as u32),
    });
    println!("{row}");
    let said = |good: bool| if good { "kept" } else { "MISSED" };
    println!("goal p99 <= {LIVE_WITHIN:?}: {}", said(at(0.99) <= LIVE_WITHIN));
    println!("goal <= {KIB_A_PROXY} KiB a proxy: {}", said(further <= KIB_A_PROXY));
}

/// The proxies, in a process of their own.
struct Herd {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    epochs: Vec<u64>,
}

impl Herd {
    async fn start(control: &Control, from: usize, to: usize, proxies: usize) -> Herd {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["herd", &control.url().to_string(), &from.to_string(), &to.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a child");
        // Not among its arguments: it is a secret of sorts.
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(control.token.to_string().as_bytes()).await.expect("it reads");
        drop(stdin);
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        Herd { _child: child, lines, epochs: vec![0; proxies] }
    }

    /// Waits until these proxies have an epoch.
    async fn reach(&mut self, epoch: u64, proxies: &[usize]) {
        while proxies.iter().any(|proxy| self.epochs[*proxy] < epoch) {
            let line = self.lines.next_line().await.expect("a pipe").expect("the herd lives");
            let (proxy, epoch) = line.split_once(' ').expect("two numbers");
            self.epochs[proxy.parse::<usize>().expect("a number")] = epoch.parse().expect("a number");
        }
    }
}

async fn herd(url: &str, proxies: std::ops::Range<usize>) {
    let token = std::io::read_to_string(std::io::stdin()).expect("a token file");
    let token: TokenFile = token.parse().expect("a token file");
    let mut tasks = tokio::task::JoinSet::new();
    for number in proxies {
        let (url, token) = (url.parse().expect("an address"), token.clone());
        tasks.spawn(async move {
            let interest = Interest::Workload(format!("callers/p{number}").into());
            let mut proxy = Simulated::start(&format!("p{number}"), url, token, interest);
            let mut epoch = 0;
            loop {
                proxy.reaches(epoch + 1).await;
                epoch = proxy.seen().epoch;
                println!("{number} {epoch}");
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// The Services that a proxy is interested in.
fn reaches(proxy: usize) -> impl Iterator<Item = usize> {
    (0..REACHES).map(move |step| (proxy * REACHES + step * 7) % SERVICES)
}

fn documents(proxies: usize) -> String {
    let mut all = vec![json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Mesh", "metadata": { "name": "default" },
        "spec": { "trustDomain": "bench.example" },
    })];
    all.extend((0..SERVICES).map(|number| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": format!("s{number}"), "namespace": "shop" },
            "spec": { "selector": { "app": format!("s{number}") }, "ports": [{ "name": "http", "port": 8080 }] },
        })
    }));
    all.extend((0..ENDPOINTS).map(|number| endpoint_of(number, None)));
    all.extend((0..proxies).map(|number| {
        let reaches: Vec<String> = reaches(number).map(|service| format!("shop/s{service}")).collect();
        let mut workload = workload("callers", &format!("p{number}"), "caller", number);
        workload["spec"]["reaches"] = json!(reaches);
        workload
    }));
    all.iter().map(|document| format!("---\n{document}\n")).collect()
}

/// One endpoint; each edit gives it another port of its sidecar.
fn endpoint_of(number: usize, edit: Option<usize>) -> Value {
    let service = number % SERVICES;
    let mut workload = workload("shop", &format!("w{number}"), &format!("s{service}"), number);
    workload["spec"]["sidecar"]["port"] = json!(20_000 + edit.map_or(0, |edit| edit + 1) % 10_000);
    workload
}

fn workload(namespace: &str, name: &str, app: &str, number: usize) -> Value {
    json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
        "metadata": { "name": name, "namespace": namespace, "labels": { "app": app } },
        "spec": {
            "address": format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255),
            "serviceAccount": app, "sidecar": {},
            "ports": [{ "name": "http", "port": 8080, "protocol": "HTTP" }],
        },
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Resident memory of this process in KiB, the program's own code excepted.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// User and system time of this process.
fn own_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u32>().expect("ticks");
    TICK * (ticks(11) + ticks(12))
}
