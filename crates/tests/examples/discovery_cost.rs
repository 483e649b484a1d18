//! What an edit costs a control plane with three hundred proxies, and how soon all of them have it.
//!
//! One process: a control plane with its store on disk and three hundred simulated proxies on real connections over
//! TLS. Some of them serve a Gateway with five thousand routes, the others one with ten; routes of the large one are
//! edited one by one. Time is from the moment the write is durable to the moment the last interested proxy has it; CPU
//! is that of the control plane's own threads, for one edit.
//!
//! `cargo run --profile fast -p selvedge-tests --example discovery_cost -- [EDITS]`. The last line is the figures as
//! JSON, for `cargo xtask bench discovery`.
#![allow(clippy::disallowed_methods, reason = "it measures time")]

mod many;

use std::time::{Duration, Instant};

use discovery::Interest;
use many::own;
use serde_json::{Value, json};
use tests::control::Control;
use tests::simulated::Simulated;

const PROXIES: usize = 300;
const ROUTES: usize = 5_000;
const EDITS: usize = 100;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let edits = std::env::args().nth(1).and_then(|edits| edits.parse().ok()).unwrap_or(EDITS);
    println!(
        "| interested proxies of {PROXIES} | p50 live | p99 live | slowest | CPU of the control plane an edit |"
    );
    println!("|---:|---:|---:|---:|---:|");
    let mut curve = Vec::new();
    for interested in [30, 100, 300] {
        curve.push(measure(interested, edits).await);
    }
    println!("{}", json!({ "proxies": PROXIES, "routes": ROUTES, "edits": edits, "curve": curve }));
}

async fn measure(interested: usize, edits: usize) -> Value {
    let control = Control::start(&documents()).await;
    let serve = |number: usize| if number < interested { "default/large" } else { "default/small" };
    let mut herd: Vec<Simulated> = (0..PROXIES)
        .map(|number| {
            let interest = Interest::Gateways([serve(number).into()].into());
            Simulated::start(&format!("p{number}"), control.url(), control.token.clone(), interest)
        })
        .collect();
    for proxy in &mut herd {
        proxy.reaches(1).await;
    }
    let before = own::cpu_of_threads("control");
    let mut took = Vec::new();
    for edit in 0..edits {
        let revision = control.put(route("large", edit % ROUTES, &format!("/edit-{edit}"))).await;
        let since = Instant::now();
        for proxy in &mut herd[..interested] {
            proxy.reaches(revision).await;
        }
        took.push(since.elapsed());
    }
    let cpu = (own::cpu_of_threads("control") - before) / u32::try_from(edits).unwrap_or(1);
    took.sort();
    let quantile = |share: f64| took[((took.len() - 1) as f64 * share).round() as usize];
    println!(
        "| {interested} | {:.1} ms | {:.1} ms | {:.1} ms | {:.2} ms |",
        millis(quantile(0.5)),
        millis(quantile(0.99)),
        millis(quantile(1.0)),
        millis(cpu)
    );
    json!({
        "interested": interested, "p50_ms": millis(quantile(0.5)), "p99_ms": millis(quantile(0.99)),
        "max_ms": millis(quantile(1.0)), "cpu_ms": millis(cpu),
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn documents() -> String {
    let mut all = vec![json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": { "name": "selvedge" },
        "spec": { "controllerName": "selvedge.dev/gateway-controller" },
    })];
    for (name, port, routes) in [("large", 8080, ROUTES), ("small", 8081, 10)] {
        all.push(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": { "name": name },
            "spec": {
                "gatewayClassName": "selvedge", "listeners": [{ "name": "http", "port": port, "protocol": "HTTP" }],
            },
        }));
        all.extend((0..routes).map(|number| route(name, number, "/")));
    }
    all.extend((0..50).map(|number| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": format!("s{number}") },
            "spec": { "ports": [{ "port": 80 }] },
        })
    }));
    all.iter().map(|document| format!("---\n{document}\n")).collect()
}

fn route(gateway: &str, number: usize, path: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": format!("{gateway}-{number}"), "namespace": "default" },
        "spec": {
            "parentRefs": [{ "name": gateway }], "hostnames": [format!("h{number}.example")],
            "rules": [{
                "matches": [{ "path": { "type": "PathPrefix", "value": path } }],
                "backendRefs": [{ "name": format!("s{}", number % 50), "port": 80 }],
            }],
        },
    })
}
