//! The Prometheus text format (version 0.0.4) of all workers' counters, added up.
//!
//! Series are bounded by the configuration: routes and failure codes, nothing a client can choose.

mod clusters;
mod mesh;
mod usage;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use engine::Config;
use engine::authorization::PolicySlot;
use engine::config::{Carries, Rule};
use identity::member::Refusal;
use model::spiffe::SpiffeId;

use super::{Shown, connections};
use crate::config::{CallerCount, RouteCount};
use crate::customers::Standing;
use crate::failure::Failure;
use crate::state::metrics::{Cell, DURATION_BUCKETS, DURATION_FIRST_EXPONENT, Metrics, RuleCells};
use crate::state::pairs::Side;
use crate::trace::Exported;

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// A counter of the whole process: name, type, help, and where to read it.
type Single = (&'static str, &'static str, &'static str, fn(&Metrics) -> &Cell);

#[rustfmt::skip] // the table is the point
const SINGLES: [Single; 23] = [
    ("selvedge_connections_total",              "counter", "Client connections accepted.",                           |m| &m.connections),
    ("selvedge_connections_open",               "gauge",   "Client connections open now.",                           |m| &m.connections_open),
    ("selvedge_tls_handshakes_total",           "counter", "TLS handshakes with clients that succeeded.",            |m| &m.handshakes),
    ("selvedge_upstream_connections_total",     "counter", "Connections opened to upstreams.",                       |m| &m.upstream_connections),
    ("selvedge_upstream_connect_failures_total","counter", "Connections to upstreams that failed to open.",          |m| &m.upstream_connect_failures),
    ("selvedge_upstream_reuses_total",          "counter", "Requests sent on a kept upstream connection.",           |m| &m.upstream_reuses),
    ("selvedge_upstream_repeats_total",         "counter", "Requests sent again because a kept connection was dead.",|m| &m.upstream_repeats),
    ("selvedge_faults_delayed_total",           "counter", "Requests held back by a FaultPolicy.",                   |m| &m.faults_delayed),
    ("selvedge_faults_aborted_total",           "counter", "Requests answered by a FaultPolicy.",                    |m| &m.faults_aborted),
    ("selvedge_mirrored_total",                 "counter", "Copies of requests sent to mirrors.",                    |m| &m.mirrored),
    ("selvedge_mirrors_skipped_total",          "counter", "Copies not sent because of a limit.",                    |m| &m.mirrors_skipped),
    ("selvedge_authorizers_allowed_total",       "counter", "Answers of external authorizers that let a request pass.", |m| &m.authorizers_allowed),
    ("selvedge_authorizers_denied_total",        "counter", "Answers of external authorizers that refused a request.", |m| &m.authorizers_denied),
    ("selvedge_authorizers_failed_total",        "counter", "Requests refused because an external authorizer said nothing.", |m| &m.authorizers_failed),
    ("selvedge_authorizers_passed_over_total",   "counter", "Requests that went on although an external authorizer said nothing.", |m| &m.authorizers_passed_over),
    ("selvedge_validation_requests_refused_total", "counter", "Requests refused by a ValidationPolicy.",              |m| &m.requests_refused),
    ("selvedge_validation_requests_reported_total", "counter", "Requests that do not keep to their description and passed.", |m| &m.requests_reported),
    ("selvedge_validation_answers_judged_total", "counter", "Answers judged by their description.",                  |m| &m.answers_judged),
    ("selvedge_validation_answers_refused_total", "counter", "Answers refused by a ValidationPolicy.",               |m| &m.answers_refused),
    ("selvedge_validation_answers_reported_total", "counter", "Answers that do not keep to their description and passed.", |m| &m.answers_reported),
    ("selvedge_validation_answers_unjudged_total", "counter", "Answers to be judged that could not be looked into.", |m| &m.answers_unjudged),
    ("selvedge_log_lines_dropped_total",        "counter", "Access log lines dropped by a slow writer.",             |m| &m.log_lines_dropped),
    ("selvedge_spans_total",                    "counter", "Spans of requests that were traced.",                    |m| &m.spans),
];

/// Everything there is to scrape.
pub fn render(shown: &Shown) -> String {
    let mut out = String::with_capacity(16 * 1024);
    for (name, kind, help, read) in SINGLES {
        head(&mut out, name, kind, help);
        let sum: u64 = shown.workers.iter().map(|worker| read(worker).get()).fold(0, u64::wrapping_add);
        line(&mut out, name, "", sum);
    }
    spans(&mut out, shown);
    failures(&mut out, shown);
    refusals(&mut out, shown);
    mesh::render(&mut out, shown);
    head(&mut out, "selvedge_workers", "gauge", "Worker threads.");
    line(&mut out, "selvedge_workers", "", shown.workers.len() as u64);
    control(&mut out, shown);
    usage::render(&mut out, shown);
    let Some(current) = shown.current() else { return out };
    head(&mut out, "selvedge_config_epoch", "gauge", "Number of the change in force.");
    line(&mut out, "selvedge_config_epoch", "", current.config.epoch);
    head(
        &mut out,
        "selvedge_config_age_seconds",
        "gauge",
        "Time since the config in force was applied, and on the disk before.",
    );
    let now = shown.clock.now();
    let followed = shown.follows.get().and_then(|progress| progress.now().age(now));
    let age = followed.unwrap_or_else(|| now.saturating_duration_since(current.since)).as_secs();
    line(&mut out, "selvedge_config_age_seconds", "", age);
    routes(&mut out, shown, &current.config);
    connections::render(&mut out, shown, &current.config);
    clusters::render(&mut out, shown, &current.config);
    policies(&mut out, shown, &current.config);
    out
}

/// How far a proxy is with its control plane, if that is another process.
fn control(out: &mut String, shown: &Shown) {
    let Some(progress) = shown.follows.get().map(|progress| progress.now()) else { return };
    let gauges = [
        (
            "selvedge_control_connected",
            "Whether the control plane is connected.",
            u64::from(progress.connected),
        ),
        ("selvedge_control_epoch", "Number of the control plane's change in force.", progress.epoch),
        (
            "selvedge_control_silence_seconds",
            "Time since the control plane was last heard of.",
            progress.silence(shown.clock.now()).as_secs(),
        ),
        (
            "selvedge_control_rejected",
            "Objects of which this proxy could not take the latest version.",
            progress.rejected.len() as u64,
        ),
    ];
    for (name, help, value) in gauges {
        head(out, name, "gauge", help);
        line(out, name, "", value);
    }
    if let Some(standing) = progress.customers {
        customers(out, standing);
    }
}

/// How far it is with who may call.
fn customers(out: &mut String, standing: Standing) {
    let gauges = [
        ("selvedge_customers_epoch", "Number of the last change of customers in force.", standing.epoch),
        ("selvedge_customers_credentials", "Credentials that are known.", standing.credentials),
        ("selvedge_customers_applications", "Applications that are known.", standing.applications),
        (
            "selvedge_customers_propagation_milliseconds",
            "How long the last change of customers took from the command to all workers.",
            standing.age_ms.unwrap_or_default(),
        ),
        (
            "selvedge_customers_propagation_milliseconds_max",
            "The longest that a change of customers took since the start.",
            standing.age_ms_max,
        ),
    ];
    for (name, help, value) in gauges {
        head(out, name, "gauge", help);
        line(out, name, "", value);
    }
}

/// Requests of each route, its rules added up.
pub fn route_counts(shown: &Shown, config: &Config) -> HashMap<Arc<str>, RouteCount> {
    let mut counts: HashMap<Arc<str>, RouteCount> = HashMap::new();
    let mut seen = HashSet::new();
    for_each_rule(config, |rule| {
        if !seen.insert(rule.slot) {
            return;
        }
        for cells in shown.workers.iter().filter_map(|worker| worker.peek(rule.slot)) {
            if cells.statuses.iter().any(|cell| cell.get() > 0) {
                add(counts.entry(rule.origin.route.clone()).or_default(), cells);
            }
        }
    });
    for worker in &shown.workers {
        add(counts.entry("".into()).or_default(), &worker.unrouted);
    }
    counts
}

fn add(count: &mut RouteCount, cells: &RuleCells) {
    count.requests += cells.statuses.iter().map(Cell::get).sum::<u64>();
    count.errors += cells.statuses[4].get();
    for (sum, cell) in count.durations.iter_mut().zip(&cells.durations) {
        *sum += cell.get();
    }
}

/// What members of the mesh have done here, all workers together. Those past the limit have no name and are left out.
pub fn caller_counts(shown: &Shown) -> BTreeMap<SpiffeId, CallerCount> {
    let mut counts: BTreeMap<SpiffeId, CallerCount> = BTreeMap::new();
    let pairs = shown.workers.iter().flat_map(|worker| worker.pairs.named());
    for (pair, cells, is_connected) in pairs.filter(|(pair, ..)| pair.side == Side::Destination) {
        let count = counts.entry(pair.source).or_default();
        count.requests += cells.requests.statuses.iter().map(Cell::get).sum::<u64>();
        count.errors += cells.requests.statuses[4].get();
        count.is_connected |= is_connected;
    }
    counts
}

/// What each rule of each policy decided. For an Allow it is what it refused by allowing nothing that fits: what passes
/// is not counted, because it is the rule and not the exception.
fn policies(out: &mut String, shown: &Shown, config: &Config) {
    let name = "selvedge_policy_decisions_total";
    head(
        out,
        name,
        "counter",
        "Requests that a policy denied or, for an Audit, told of, by policy and rule.",
    );
    let sum = |slot| shown.workers.iter().map(|worker| worker.policy_count(slot)).sum::<u64>();
    let mut row = |policy: &str, action: &str, rule: &str, slot| {
        let count = sum(slot);
        if count > 0 {
            let (policy, rule) = (escape(policy), escape(rule));
            line(out, name, &format!("policy=\"{policy}\",action=\"{action}\",rule=\"{rule}\""), count);
        }
    };
    row("", "Default", "", PolicySlot(0));
    for policy in config.policies.iter() {
        row(&policy.name, policy.action.as_str(), "", policy.slot);
        for rule in policy.rules() {
            row(&policy.name, policy.action.as_str(), &rule.name, rule.slot);
        }
    }
}

fn failures(out: &mut String, shown: &Shown) {
    let name = "selvedge_failures_total";
    head(out, name, "counter", "Requests and connections that failed, by code; see docs/failures.md.");
    for (index, failure) in Failure::ALL.iter().enumerate() {
        let sum: u64 = shown.workers.iter().map(|worker| worker.failures[index].get()).sum();
        if sum > 0 {
            line(out, name, &format!("code=\"{}\"", failure.facts().code), sum);
        }
    }
}

/// What became of spans. Those that are neither here nor there are on their way.
fn spans(out: &mut String, shown: &Shown) {
    let Exported { taken, held_too_many, unreachable, refused } = &*shown.exported;
    let name = "selvedge_spans_exported_total";
    head(out, name, "counter", "Spans that collectors took.");
    line(out, name, "", taken.load(Relaxed));
    let name = "selvedge_spans_dropped_total";
    head(out, name, "counter", "Spans that nobody was told of, by reason; see docs/telemetry.md.");
    let late: u64 = shown.workers.iter().map(|worker| worker.spans_dropped.get()).sum();
    for (reason, count) in [
        ("exporter_full", late),
        ("collector_full", held_too_many.load(Relaxed)),
        ("collector_unreachable", unreachable.load(Relaxed)),
        ("collector_refused", refused.load(Relaxed)),
    ] {
        line(out, name, &format!("reason=\"{reason}\""), count);
    }
}

fn refusals(out: &mut String, shown: &Shown) {
    let name = "selvedge_mesh_refusals_total";
    head(
        out,
        name,
        "counter",
        "Certificates of the mesh that were refused, by reason; see docs/mesh-tls.md.",
    );
    for (index, refusal) in Refusal::ALL.iter().enumerate() {
        let sum: u64 = shown.workers.iter().map(|worker| worker.refusals[index].get()).sum();
        if sum > 0 {
            line(out, name, &format!("reason=\"{refusal}\""), sum);
        }
    }
}

/// Sums of one route's rules over all workers.
#[derive(Default)]
struct Sum {
    statuses: [u64; 5],
    durations: [u64; DURATION_BUCKETS],
    micros: u64,
    request_bytes: u64,
    response_bytes: u64,
}

impl Sum {
    fn add(&mut self, cells: &RuleCells) {
        let pairs = self.statuses.iter_mut().zip(&cells.statuses);
        for (sum, cell) in pairs.chain(self.durations.iter_mut().zip(&cells.durations)) {
            *sum += cell.get();
        }
        self.micros += cells.duration_micros.get();
        self.request_bytes += cells.request_bytes.get();
        self.response_bytes += cells.response_bytes.get();
    }
}

fn routes(out: &mut String, shown: &Shown, config: &Arc<Config>) {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for_each_rule(config, |rule| {
        for cells in shown.workers.iter().filter_map(|worker| worker.peek(rule.slot)) {
            if cells.statuses.iter().any(|cell| cell.get() > 0) {
                let label = format!("route=\"{}\",rule=\"{}\"", escape(&rule.origin.route), rule.origin.rule);
                sums.entry(label).or_default().add(cells);
            }
        }
    });
    let unrouted = sums.entry("route=\"\",rule=\"\"".to_owned()).or_default();
    for worker in &shown.workers {
        unrouted.add(&worker.unrouted);
    }
    requests(out, &sums);
    bytes(out, &sums);
    let name = "selvedge_request_duration_seconds";
    head(out, name, "histogram", "From the head of a request to the end of its answer.");
    durations(out, name, &sums, |sum| (&sum.durations, sum.micros));
}

fn for_each_rule(config: &Config, mut visit: impl FnMut(&Rule)) {
    for port in &config.ports {
        let tables = port.all_carried().filter_map(Carries::table);
        for (_, listener) in tables.flat_map(|table| table.listeners().sorted()) {
            for (_, host) in listener.hosts.sorted() {
                host.entries().for_each(|entry| visit(&entry.rule));
            }
        }
    }
}

fn requests(out: &mut String, sums: &BTreeMap<String, Sum>) {
    let name = "selvedge_requests_total";
    head(out, name, "counter", "Requests that ended, by route, rule and class of status.");
    for (label, sum) in sums {
        for (class, count) in CLASSES.iter().zip(sum.statuses) {
            if count > 0 {
                line(out, name, &format!("{label},status=\"{class}\""), count);
            }
        }
    }
}

fn bytes(out: &mut String, sums: &BTreeMap<String, Sum>) {
    let name = "selvedge_request_bytes_total";
    head(out, name, "counter", "Bytes received from clients, heads included.");
    for (label, sum) in sums {
        line(out, name, label, sum.request_bytes);
    }
    let name = "selvedge_response_bytes_total";
    head(out, name, "counter", "Bytes sent to clients, heads included.");
    for (label, sum) in sums {
        line(out, name, label, sum.response_bytes);
    }
}

/// A histogram; `of` reads the buckets and the sum in microseconds.
pub(super) fn durations<T>(
    out: &mut String,
    name: &str,
    sums: &BTreeMap<String, T>,
    of: impl Fn(&T) -> (&[u64; DURATION_BUCKETS], u64),
) {
    for (label, sum) in sums {
        let (buckets, micros) = of(sum);
        let mut total = 0;
        for (index, count) in buckets.iter().enumerate() {
            total += count;
            let bound = match index {
                last if last == DURATION_BUCKETS - 1 => "+Inf".to_owned(),
                _ => format!("{}", f64::from(1u32 << (DURATION_FIRST_EXPONENT + index as u32)) / 1e6),
            };
            line(out, &format!("{name}_bucket"), &format!("{label},le=\"{bound}\""), total);
        }
        let _ = writeln!(out, "{name}_sum{{{label}}} {}", micros as f64 / 1e6);
        line(out, &format!("{name}_count"), label, total);
    }
}

pub(super) fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

pub(super) fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    let _ = if labels.is_empty() {
        writeln!(out, "{name} {value}")
    } else {
        writeln!(out, "{name}{{{labels}}} {value}")
    };
}

pub(super) fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
