//! What two thousand proxies cost a control plane when all of them come at once, and when everything changes at once.
//!
//! Two processes. This one is the control plane, with its store on disk and nothing else, so that its memory and its
//! time are the control plane's; a child holds the simulated proxies, each on a connection of its own over TLS. Ten
//! Gateways have a thousand routes each and two hundred proxies each. The proxies join together; the control plane dies
//! and comes back, and all of them with it; then one change set edits every route there is.
//!
//! `cargo run --profile fast -p selvedge-tests --example discovery_herd -- [PROXIES] [ROUTES]`. The last line is the
//! figures as JSON, for `cargo xtask bench discovery`.
#![allow(clippy::disallowed_methods, reason = "it measures time")]

mod many;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use discovery::Interest;
use many::herd::{self, Herd};
use many::own::{self, resident};
use serde_json::{Value, json};
use tests::control::Control;

const PROXIES: usize = 2_000;
const ROUTES: usize = 10_000;
const GATEWAYS: usize = 10;
/// How often memory is looked at for its peak.
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let count =
        |at: usize, otherwise: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(otherwise);
    match words.first().map(String::as_str) {
        Some("herd") => herd::run(&words[1..], serves).await,
        _ => measure(count(0, PROXIES), count(1, ROUTES)).await,
    }
}

/// What one of the three events came to.
struct Cost {
    within: Duration,
    cpu: Duration,
    peak_kib: u64,
}

/// Measures from its making to [`Watch::cost`].
struct Watch {
    began: Instant,
    cpu: Duration,
    peak: Arc<AtomicU64>,
    looking: tokio::task::JoinHandle<()>,
}

impl Watch {
    fn start() -> Watch {
        let peak = Arc::new(AtomicU64::new(resident()));
        let seen = Arc::clone(&peak);
        let looking = tokio::spawn(async move {
            loop {
                seen.fetch_max(resident(), Ordering::Relaxed);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Watch { began: Instant::now(), cpu: own::cpu(), peak, looking }
    }

    fn cost(self) -> Cost {
        self.looking.abort();
        self.peak.fetch_max(resident(), Ordering::Relaxed);
        Cost {
            within: self.began.elapsed(),
            cpu: own::cpu() - self.cpu,
            peak_kib: self.peak.load(Ordering::Relaxed),
        }
    }
}

async fn measure(proxies: usize, routes: usize) {
    let mut control = Control::start(&documents(routes, 0)).await;
    let alone_kib = resident();
    let watch = Watch::start();
    let mut herd = Herd::start(&control, 0..proxies).await;
    herd.all_reach(1).await;
    let joined = watch.cost();

    let watch = Watch::start();
    control.kill();
    control.revive().await;
    // Who hears of an edit has come back.
    let revision = control.edit(&edited(routes, 0, GATEWAYS)).await;
    herd.all_reach(revision).await;
    let back = watch.cost();

    let watch = Watch::start();
    let revision = control.edit(&documents(routes, 2)).await;
    herd.all_reach(revision).await;
    let pushed = watch.cost();

    let figures = json!({
        "proxies": proxies, "routes": routes, "gateways": GATEWAYS, "alone_kib": alone_kib,
        "join": told(&joined), "return": told(&back), "push": told(&pushed),
    });
    println!("{figures}");
}

/// The Gateway that a proxy serves.
fn serves(proxy: usize) -> Interest {
    Interest::Gateways([format!("default/g{}", proxy % GATEWAYS).into()].into())
}

fn told(cost: &Cost) -> Value {
    json!({ "seconds": cost.within.as_secs_f64(), "cpu_s": cost.cpu.as_secs_f64(), "peak_kib": cost.peak_kib })
}

/// Everything there is, all routes of this edition.
fn documents(routes: usize, edition: usize) -> String {
    edited(routes, edition, 0)
}

/// The same, the first routes of the next edition already.
fn edited(routes: usize, edition: usize, first: usize) -> String {
    let mut all = vec![json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": { "name": "selvedge" },
        "spec": { "controllerName": "selvedge.dev/gateway-controller" },
    })];
    all.extend((0..GATEWAYS).map(|number| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": { "name": format!("g{number}") },
            "spec": {
                "gatewayClassName": "selvedge",
                "listeners": [{ "name": "http", "port": 8080 + number, "protocol": "HTTP" }],
            },
        })
    }));
    all.extend((0..50).map(|number| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": format!("s{number}") },
            "spec": { "ports": [{ "port": 80 }] },
        })
    }));
    all.extend((0..routes).map(|number| route(number, edition + usize::from(number < first))));
    all.iter().map(|document| format!("---\n{document}\n")).collect()
}

fn route(number: usize, edition: usize) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": format!("r{number}"), "namespace": "default" },
        "spec": {
            "parentRefs": [{ "name": format!("g{}", number % GATEWAYS) }], "hostnames": [format!("h{number}.example")],
            "rules": [{
                "matches": [{ "path": { "type": "PathPrefix", "value": format!("/edition-{edition}") } }],
                "backendRefs": [{ "name": format!("s{}", number % 50), "port": 80 }],
            }],
        },
    })
}
