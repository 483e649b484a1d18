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

mod many;

use std::time::{Duration, Instant};

use discovery::Interest;
use many::herd::{self, Herd};
use many::own::{self, resident};
use serde_json::{Value, json};
use tests::control::Control;

const PROXIES: usize = 300;
const SERVICES: usize = 1_000;
const ENDPOINTS: usize = 10_000;
const REACHES: usize = 20;
const EDITS: usize = 200;
/// The goals.
const LIVE_WITHIN: Duration = Duration::from_secs(1);
const KIB_A_PROXY: u64 = 200;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let count =
        |at: usize, otherwise: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(otherwise);
    match words.first().map(String::as_str) {
        Some("herd") => herd::run(&words[1..], beside).await,
        _ => measure(count(0, EDITS), count(1, PROXIES)).await,
    }
}

async fn measure(edits: usize, proxies: usize) {
    let began = Instant::now();
    let control = Control::start(&documents(proxies)).await;
    println!(
        "{SERVICES} Services and {ENDPOINTS} endpoints stored in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let empty = resident();
    let cpu = own::cpu();
    let began = Instant::now();
    let first = (SERVICES / REACHES).min(proxies / 2);
    let mut herd = Herd::start(&control, 0..first).await;
    herd.all_reach(1).await;
    let warm = resident();
    // From here on every object has been encoded for somebody.
    let mut others = Herd::start(&control, first..proxies).await;
    others.all_reach(1).await;
    let joining = (began.elapsed(), own::cpu() - cpu);
    let full = resident();
    let cpu = own::cpu();
    let mut took = Vec::new();
    for edit in 0..edits {
        let endpoint = edit * 37 % ENDPOINTS;
        let concerned: Vec<usize> = (0..proxies)
            .filter(|proxy| reaches(*proxy).any(|service| service == endpoint % SERVICES))
            .collect();
        let revision = control.put(endpoint_of(endpoint, Some(edit))).await;
        let since = Instant::now();
        let both = || concerned.iter().copied();
        tokio::join!(herd.reach(revision, both()), others.reach(revision, both()));
        took.push(since.elapsed());
    }
    let cpu = (own::cpu() - cpu) / u32::try_from(edits).unwrap_or(1);
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

/// The Workload that a proxy stands beside.
fn beside(proxy: usize) -> Interest {
    Interest::Workload(format!("callers/p{proxy}").into())
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
