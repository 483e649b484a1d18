//! Series of clusters of which a policy says something.
//!
//! Each worker judges endpoints for itself, so a gauge tells what the worker sees that sees most.

use engine::Config;

use super::{escape, head, line};
use crate::admin::Shown;
use crate::state::metrics::{Cell, ClusterCells};

/// A series of a cluster: name, help, and where to read it.
type Series = (&'static str, &'static str, fn(&ClusterCells) -> &Cell);

#[rustfmt::skip] // the table is the point
const COUNTERS: [Series; 3] = [
    ("selvedge_upstream_retries_total",        "Requests sent again because a policy says so.",         |c| &c.retries),
    ("selvedge_upstream_retries_denied_total", "Requests not sent again because the budget was spent.", |c| &c.retries_denied),
    ("selvedge_upstream_ejections_total",      "Times an endpoint was left alone for failing.",         |c| &c.ejections),
];

#[rustfmt::skip] // the table is the point
const GAUGES: [Series; 4] = [
    ("selvedge_upstream_endpoints",           "Endpoints there are.",                                           |c| &c.endpoints),
    ("selvedge_upstream_endpoints_ejected",   "Endpoints that are left alone for failing.",                     |c| &c.ejected),
    ("selvedge_upstream_endpoints_unhealthy", "Endpoints that health checks find unwell.",                      |c| &c.unwell),
    ("selvedge_upstream_panic",               "1 while all endpoints are asked because too few are healthy.",   |c| &c.panics),
];

/// Words for the limits, in the order of the cells.
const LIMITS: [&str; 3] = ["requests", "pending", "endpoint"];

/// Writes them.
pub(super) fn render(out: &mut String, shown: &Shown, config: &Config) {
    let clusters: Vec<(String, Vec<&ClusterCells>)> = config
        .clusters
        .iter()
        .flatten()
        .filter_map(|cluster| {
            let workers = shown.workers.iter();
            let cells: Vec<_> = workers.filter_map(|worker| worker.peek_cluster(cluster.slot)).collect();
            let spoken_of = cluster.resilience.is_some()
                || cells.iter().any(|cells| cells.retries.get() + cells.retries_denied.get() > 0);
            (spoken_of && !cells.is_empty()).then(|| (escape(&cluster.name), cells))
        })
        .collect();
    if clusters.is_empty() {
        return;
    }
    for (name, help, read) in COUNTERS {
        head(out, name, "counter", help);
        for (cluster, cells) in &clusters {
            line(
                out,
                name,
                &format!("cluster=\"{cluster}\""),
                cells.iter().map(|cells| read(cells).get()).sum(),
            );
        }
    }
    let name = "selvedge_upstream_overflows_total";
    head(out, name, "counter", "Requests refused because a limit of the cluster was reached.");
    for (cluster, cells) in &clusters {
        for (at, limit) in LIMITS.iter().enumerate() {
            let sum = cells.iter().map(|cells| cells.overflows[at].get()).sum();
            line(out, name, &format!("cluster=\"{cluster}\",limit=\"{limit}\""), sum);
        }
    }
    for (name, help, read) in GAUGES {
        head(out, name, "gauge", help);
        for (cluster, cells) in &clusters {
            let most = cells.iter().map(|cells| read(cells).get()).max().unwrap_or(0);
            line(out, name, &format!("cluster=\"{cluster}\""), most);
        }
    }
}
