//! Traffic between members of the mesh, by who called whom and what for. A proxy that is no member shows none of it.

use std::collections::BTreeMap;

use super::{CLASSES, Sum, durations, escape, head, line};
use crate::admin::Shown;
use crate::admin::connections::Sum as Connections;
use crate::state::metrics::Cell;
use crate::state::pairs::Pair;

/// A counter: name, type, help, and where to read it.
type Single<T> = (&'static str, &'static str, &'static str, fn(&T) -> u64);

#[rustfmt::skip] // the table is the point
const OF_REQUESTS: [Single<Sum>; 2] = [
    ("selvedge_mesh_request_bytes_total",  "counter", "Bytes of requests between members, heads included.", |sum| sum.request_bytes),
    ("selvedge_mesh_response_bytes_total", "counter", "Bytes of answers between members, heads included.",  |sum| sum.response_bytes),
];

#[rustfmt::skip] // the table is the point
const OF_CONNECTIONS: [Single<Connections>; 5] = [
    ("selvedge_mesh_tcp_connections_total",    "counter", "Connections between members that carry bytes.",        |sum| sum.begun),
    ("selvedge_mesh_tcp_connections_open",     "gauge",   "Connections between members that are open now.",       |sum| sum.open),
    ("selvedge_mesh_tcp_failures_total",       "counter", "Connections between members that did not end in order.", |sum| sum.failed),
    ("selvedge_mesh_tcp_received_bytes_total", "counter", "Bytes of callers that the called have taken.",         |sum| sum.received_bytes),
    ("selvedge_mesh_tcp_sent_bytes_total",     "counter", "Bytes of the called that callers have taken.",         |sum| sum.sent_bytes),
];

/// Writes all of them.
pub(super) fn render(out: &mut String, shown: &Shown) {
    let mut requests: BTreeMap<String, Sum> = BTreeMap::new();
    let mut connections: BTreeMap<String, Connections> = BTreeMap::new();
    for worker in &shown.workers {
        worker.pairs.each(|pair, cells| {
            if cells.requests.statuses.iter().any(|cell| cell.get() > 0) {
                requests.entry(labels(pair)).or_default().add(&cells.requests);
            }
            if Cell::get(&cells.connections.begun) > 0 {
                connections.entry(labels(pair)).or_default().add(&cells.connections);
            }
        });
    }
    if !requests.is_empty() {
        of_requests(out, &requests);
    }
    if !connections.is_empty() {
        of_connections(out, &connections);
    }
}

fn of_requests(out: &mut String, sums: &BTreeMap<String, Sum>) {
    let name = "selvedge_mesh_requests_total";
    head(out, name, "counter", "Requests between members, by who called whom and class of status.");
    for (label, sum) in sums {
        for (class, count) in CLASSES.iter().zip(sum.statuses).filter(|(_, count)| *count > 0) {
            line(out, name, &format!("{label},status=\"{class}\""), count);
        }
    }
    for (name, kind, help, read) in OF_REQUESTS {
        head(out, name, kind, help);
        sums.iter().for_each(|(label, sum)| line(out, name, label, read(sum)));
    }
    let name = "selvedge_mesh_request_duration_seconds";
    head(out, name, "histogram", "From the head of a request between members to the end of its answer.");
    durations(out, name, sums, |sum| (&sum.durations, sum.micros));
}

fn of_connections(out: &mut String, sums: &BTreeMap<String, Connections>) {
    for (name, kind, help, read) in OF_CONNECTIONS {
        head(out, name, kind, help);
        sums.iter().for_each(|(label, sum)| line(out, name, label, read(sum)));
    }
    let name = "selvedge_mesh_tcp_duration_seconds";
    head(out, name, "histogram", "From the accept of a connection between members to its end.");
    durations(out, name, sums, |sum| (&sum.durations, sum.micros));
}

/// Pairs past the limit have one label for all.
fn labels(pair: Option<&Pair>) -> String {
    let Some(Pair { side, source, destination, service }) = pair else {
        return "side=\"other\",source=\"other\",destination=\"other\",service=\"other\"".to_owned();
    };
    let [source, destination] = [source, destination].map(|identity| escape(identity.as_str()));
    format!(
        "side=\"{}\",source=\"{source}\",destination=\"{destination}\",service=\"{}\"",
        side.as_str(),
        escape(service)
    )
}
