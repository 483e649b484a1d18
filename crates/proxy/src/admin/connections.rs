//! The counters of connections that carry bytes, by route. A proxy without such routes shows none of them.

use std::collections::{BTreeMap, HashSet};

use engine::Config;

use super::Shown;
use super::metrics::{durations, escape, head, line};
use crate::state::metrics::{Cell, ConnectionCells, DURATION_BUCKETS};

/// A counter of a route: name, type, help, and where to read it.
type Single = (&'static str, &'static str, &'static str, fn(&Sum) -> u64);

#[rustfmt::skip] // the table is the point
const SINGLES: [Single; 5] = [
    ("selvedge_tcp_connections_total",    "counter", "Connections that began, by route.",                     |sum| sum.begun),
    ("selvedge_tcp_connections_open",     "gauge",   "Connections open now, by route.",                       |sum| sum.open),
    ("selvedge_tcp_failures_total",       "counter", "Connections that did not end in order, by route.",      |sum| sum.failed),
    ("selvedge_tcp_received_bytes_total", "counter", "Bytes of clients that upstreams have taken, by route.", |sum| sum.received_bytes),
    ("selvedge_tcp_sent_bytes_total",     "counter", "Bytes of upstreams that clients have taken, by route.", |sum| sum.sent_bytes),
];

/// Sums of one route over all workers.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) begun: u64,
    pub(super) open: u64,
    pub(super) failed: u64,
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
    pub(super) durations: [u64; DURATION_BUCKETS],
    pub(super) micros: u64,
}

impl Sum {
    pub(super) fn add(&mut self, cells: &ConnectionCells) {
        let ConnectionCells { begun, open, failed, durations, duration_micros, received_bytes, sent_bytes } =
            cells;
        for (sum, cell) in [
            (&mut self.begun, begun),
            (&mut self.open, open),
            (&mut self.failed, failed),
            (&mut self.received_bytes, received_bytes),
            (&mut self.sent_bytes, sent_bytes),
            (&mut self.micros, duration_micros),
        ] {
            *sum = sum.wrapping_add(cell.get());
        }
        for (sum, cell) in self.durations.iter_mut().zip(durations) {
            *sum += Cell::get(cell);
        }
    }
}

/// Writes all of them.
pub fn render(out: &mut String, shown: &Shown, config: &Config) {
    let sums = sums(shown, config);
    if sums.is_empty() {
        return;
    }
    for (name, kind, help, read) in SINGLES {
        head(out, name, kind, help);
        sums.iter().for_each(|(label, sum)| line(out, name, label, read(sum)));
    }
    let name = "selvedge_tcp_duration_seconds";
    head(out, name, "histogram", "From the accept of a connection to its end.");
    durations(out, name, &sums, |sum| (&sum.durations, sum.micros));
}

fn sums(shown: &Shown, config: &Config) -> BTreeMap<String, Sum> {
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    let mut seen = HashSet::new();
    let carried = config.ports.iter().flat_map(|port| port.all_carried());
    for rule in carried.filter_map(|carries| carries.rule()).filter(|rule| seen.insert(rule.slot)) {
        let label = format!("route=\"{}\"", escape(&rule.origin.route));
        let sum = sums.entry(label).or_default();
        let workers = shown.workers.iter();
        workers.filter_map(|worker| worker.peek_connections_of(rule.slot)).for_each(|cells| sum.add(cells));
    }
    sums
}
