//! Counters of one worker, readable from another thread.
//!
//! A cell is an atomic that only its worker writes, with a plain load and a plain store: no locked instruction
//! and no cache line shared between workers. Cells of a rule sit under its stable slot, so a change of
//! configuration neither resets nor moves them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use engine::authorization::PolicySlot;
use engine::config::{ClusterSlot, RuleSlot};
use identity::member::Refusal;

use crate::failure::Failure;
use crate::limits::{CLUSTER_COUNTERS_MAX, POLICY_COUNTERS_MAX, RULE_COUNTERS_MAX};
use crate::state::pairs::Pairs;

/// A number that one thread writes and others may read.
#[derive(Debug, Default)]
pub struct Cell(AtomicU64);

impl Cell {
    const fn new() -> Cell {
        Cell(AtomicU64::new(0))
    }

    /// Adds to it. Only the owning worker may call this.
    #[inline]
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    /// Takes from it (gauges). Only the owning worker may call this.
    #[inline]
    pub fn take(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(amount), Relaxed);
    }

    /// Says something else from now on (gauges). Only the owning worker may call this.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// What it says now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Upper bounds of the duration buckets are 2^6 µs … 2^26 µs (64 µs … 67 s), then infinity.
pub const DURATION_BUCKETS: usize = 22;
/// Exponent of the first bucket's upper bound in microseconds.
pub const DURATION_FIRST_EXPONENT: u32 = 6;

/// Counters of one rule.
#[derive(Debug, Default)]
pub struct RuleCells {
    /// Requests by status class; index 0 is 1xx, 4 is 5xx.
    pub statuses: [Cell; 5],
    /// Requests by duration.
    pub durations: [Cell; DURATION_BUCKETS],
    /// Sum of durations in microseconds.
    pub duration_micros: Cell,
    /// Bytes received from clients, heads and framing included.
    pub request_bytes: Cell,
    /// Bytes sent to clients, heads and framing included.
    pub response_bytes: Cell,
}

impl RuleCells {
    /// Counts one finished request.
    pub fn observe(&self, status: u16, micros: u64, request_bytes: u64, response_bytes: u64) {
        self.statuses[usize::from((status / 100).clamp(1, 5) - 1)].add(1);
        self.durations[duration_bucket(micros)].add(1);
        self.duration_micros.add(micros);
        self.request_bytes.add(request_bytes);
        self.response_bytes.add(response_bytes);
    }
}

/// The bucket for a duration.
#[must_use]
pub fn duration_bucket(micros: u64) -> usize {
    let exponent = u64::BITS - micros.saturating_sub(1).leading_zeros();
    (exponent.saturating_sub(DURATION_FIRST_EXPONENT) as usize).min(DURATION_BUCKETS - 1)
}

/// Counters of the connections of one rule that carry bytes.
#[derive(Debug, Default)]
pub struct ConnectionCells {
    /// Connections that began.
    pub begun: Cell,
    /// Connections open now.
    pub open: Cell,
    /// Connections that ended with a failure.
    pub failed: Cell,
    /// Connections by duration.
    pub durations: [Cell; DURATION_BUCKETS],
    /// Sum of durations in microseconds.
    pub duration_micros: Cell,
    /// Bytes that upstreams have taken.
    pub received_bytes: Cell,
    /// Bytes that clients have taken.
    pub sent_bytes: Cell,
}

impl ConnectionCells {
    /// Counts one connection that begins.
    pub fn begin(&self) {
        self.begun.add(1);
        self.open.add(1);
    }

    /// Takes note of bytes that have moved.
    pub fn moved(&self, received_bytes: u64, sent_bytes: u64) {
        self.received_bytes.add(received_bytes);
        self.sent_bytes.add(sent_bytes);
    }

    /// Counts one connection that is over.
    pub fn observe(&self, micros: u64, failed: bool) {
        self.open.take(1);
        self.failed.add(u64::from(failed));
        self.durations[duration_bucket(micros)].add(1);
        self.duration_micros.add(micros);
    }

    const fn new() -> ConnectionCells {
        ConnectionCells {
            begun: Cell::new(),
            open: Cell::new(),
            failed: Cell::new(),
            durations: [const { Cell::new() }; DURATION_BUCKETS],
            duration_micros: Cell::new(),
            received_bytes: Cell::new(),
            sent_bytes: Cell::new(),
        }
    }
}

const RULES_PER_CHUNK: usize = 256;
const CLUSTERS_PER_CHUNK: usize = 64;
const POLICIES_PER_CHUNK: usize = 256;

/// Cells by slot; those of neighbours come together, when the first of them is asked for.
type Chunks<T> = Box<[OnceLock<Box<[T; RULES_PER_CHUNK]>>]>;

fn chunks<T>() -> Chunks<T> {
    (0..RULE_COUNTERS_MAX / RULES_PER_CHUNK).map(|_| OnceLock::new()).collect()
}

/// Counters of one cluster of which policies say something.
#[derive(Debug, Default)]
pub struct ClusterCells {
    /// Requests sent again because a policy says so.
    pub retries: Cell,
    /// Requests not sent again because the budget was spent.
    pub retries_denied: Cell,
    /// Times an endpoint was ejected.
    pub ejections: Cell,
    /// Requests refused because of a limit: on requests, on waiting for a connection, on requests at an endpoint.
    pub overflows: [Cell; 3],
    /// Endpoints there are.
    pub endpoints: Cell,
    /// Endpoints that are ejected now.
    pub ejected: Cell,
    /// Endpoints that health checks find unwell now.
    pub unwell: Cell,
    /// 1 while all endpoints are asked because too few are healthy.
    pub panics: Cell,
}

/// A limit that requests ran into, in the order of [`ClusterCells::overflows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Requests under way.
    Requests,
    /// Waiting for a connection.
    Pending,
    /// Requests under way at each endpoint.
    Endpoint,
}

/// Everything one worker counts.
#[derive(Debug)]
pub struct Metrics {
    rules: Chunks<RuleCells>,
    connection_rules: Chunks<ConnectionCells>,
    clusters: Box<[OnceLock<Box<[ClusterCells; CLUSTERS_PER_CHUNK]>>]>,
    /// Requests that no rule matched or that were refused before routing, by status class and duration.
    pub unrouted: RuleCells,
    /// Connections that carry bytes by rules past the last counter.
    pub uncounted: ConnectionCells,
    /// Failures by kind, in the order of [`Failure::ALL`].
    pub failures: [Cell; Failure::ALL.len()],
    /// Certificates of the mesh that were refused, in the order of [`Refusal::ALL`].
    pub refusals: [Cell; Refusal::ALL.len()],
    /// Traffic between members of the mesh.
    pub pairs: Pairs,
    /// Client connections accepted.
    pub connections: Cell,
    /// Client connections open now.
    pub connections_open: Cell,
    /// Client connections over TLS whose handshake succeeded.
    pub handshakes: Cell,
    /// Connections opened to upstreams.
    pub upstream_connections: Cell,
    /// Attempts to open one that failed.
    pub upstream_connect_failures: Cell,
    /// Requests sent on an upstream connection that had served before.
    pub upstream_reuses: Cell,
    /// Requests sent again after a stale connection or a failed connect.
    pub upstream_repeats: Cell,
    /// Requests held back on purpose.
    pub faults_delayed: Cell,
    /// Requests failed on purpose.
    pub faults_aborted: Cell,
    /// Copies sent to mirrors.
    pub mirrored: Cell,
    /// Copies not sent because of a limit.
    pub mirrors_skipped: Cell,
    /// Answers of authorizers that let a request pass.
    pub authorizers_allowed: Cell,
    /// Answers of authorizers that refused one.
    pub authorizers_denied: Cell,
    /// Requests that were refused because an authorizer said nothing.
    pub authorizers_failed: Cell,
    /// Requests that went on although an authorizer said nothing.
    pub authorizers_passed_over: Cell,
    /// Requests that a ValidationPolicy has refused.
    pub requests_refused: Cell,
    /// Requests that a ValidationPolicy has let pass although they do not keep to the description.
    pub requests_reported: Cell,
    /// Answers that were judged by their description.
    pub answers_judged: Cell,
    /// Answers among them that a ValidationPolicy has refused.
    pub answers_refused: Cell,
    /// Answers among them that have passed although they do not keep to the description.
    pub answers_reported: Cell,
    /// Answers that were to be judged and could not be looked into.
    pub answers_unjudged: Cell,
    /// Log lines dropped because the writer could not keep up.
    pub log_lines_dropped: Cell,
    /// Spans of requests that were traced.
    pub spans: Cell,
    /// Spans dropped because the exporter could not keep up.
    pub spans_dropped: Cell,
    /// Decisions of policies, by their slots; made when a policy first decides something.
    policies: Box<[OnceLock<Box<[Cell; POLICIES_PER_CHUNK]>>]>,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            rules: chunks(),
            connection_rules: chunks(),
            clusters: (0..CLUSTER_COUNTERS_MAX / CLUSTERS_PER_CHUNK).map(|_| OnceLock::new()).collect(),
            unrouted: RuleCells::default(),
            uncounted: ConnectionCells::default(),
            failures: [const { Cell::new() }; Failure::ALL.len()],
            refusals: [const { Cell::new() }; Refusal::ALL.len()],
            pairs: Pairs::default(),
            connections: Cell::default(),
            connections_open: Cell::default(),
            handshakes: Cell::default(),
            upstream_connections: Cell::default(),
            upstream_connect_failures: Cell::default(),
            upstream_reuses: Cell::default(),
            upstream_repeats: Cell::default(),
            faults_delayed: Cell::default(),
            faults_aborted: Cell::default(),
            mirrored: Cell::default(),
            mirrors_skipped: Cell::default(),
            authorizers_allowed: Cell::default(),
            authorizers_denied: Cell::default(),
            authorizers_failed: Cell::default(),
            authorizers_passed_over: Cell::default(),
            requests_refused: Cell::default(),
            requests_reported: Cell::default(),
            answers_judged: Cell::default(),
            answers_refused: Cell::default(),
            answers_reported: Cell::default(),
            answers_unjudged: Cell::default(),
            log_lines_dropped: Cell::default(),
            spans: Cell::default(),
            spans_dropped: Cell::default(),
            policies: (0..POLICY_COUNTERS_MAX / POLICIES_PER_CHUNK).map(|_| OnceLock::new()).collect(),
        }
    }
}

impl Metrics {
    /// The cells of a rule; made on the rule's first request. Rules past the last chunk share `unrouted`.
    #[inline]
    pub fn rule(&self, slot: RuleSlot) -> &RuleCells {
        let index = slot.0 as usize;
        let Some(chunk) = self.rules.get(index / RULES_PER_CHUNK) else { return &self.unrouted };
        let chunk = chunk.get_or_init(|| Box::new([const { RuleCells::new() }; RULES_PER_CHUNK]));
        &chunk[index % RULES_PER_CHUNK]
    }

    /// The cells of a rule of connections; made on its first connection.
    #[inline]
    pub fn connections_of(&self, slot: RuleSlot) -> &ConnectionCells {
        let index = slot.0 as usize;
        let Some(chunk) = self.connection_rules.get(index / RULES_PER_CHUNK) else { return &self.uncounted };
        let chunk = chunk.get_or_init(|| Box::new([const { ConnectionCells::new() }; RULES_PER_CHUNK]));
        &chunk[index % RULES_PER_CHUNK]
    }

    /// The cells of a rule of connections, if there was one in this worker's chunk.
    #[must_use]
    pub fn peek_connections_of(&self, slot: RuleSlot) -> Option<&ConnectionCells> {
        let index = slot.0 as usize;
        Some(&self.connection_rules.get(index / RULES_PER_CHUNK)?.get()?[index % RULES_PER_CHUNK])
    }

    /// The cells of a cluster; `None` past the last one that is counted.
    pub fn cluster(&self, slot: ClusterSlot) -> Option<&ClusterCells> {
        let index = slot.0 as usize;
        let chunk = self.clusters.get(index / CLUSTERS_PER_CHUNK)?;
        let chunk = chunk.get_or_init(|| Box::new(std::array::from_fn(|_| ClusterCells::default())));
        Some(&chunk[index % CLUSTERS_PER_CHUNK])
    }

    /// The cells of a cluster, if something was counted near it.
    #[must_use]
    pub fn peek_cluster(&self, slot: ClusterSlot) -> Option<&ClusterCells> {
        let index = slot.0 as usize;
        Some(&self.clusters.get(index / CLUSTERS_PER_CHUNK)?.get()?[index % CLUSTERS_PER_CHUNK])
    }

    /// The counter of a policy's decisions. Policies past the last chunk share that of the default action.
    pub fn policy(&self, slot: PolicySlot) -> &Cell {
        let index = slot.0 as usize;
        let index = if index < POLICY_COUNTERS_MAX { index } else { 0 };
        let new = || Box::new([const { Cell::new() }; POLICIES_PER_CHUNK]);
        &self.policies[index / POLICIES_PER_CHUNK].get_or_init(new)[index % POLICIES_PER_CHUNK]
    }

    /// How often a policy decided; 0 as well when it has no counter of its own.
    #[must_use]
    pub fn policy_count(&self, slot: PolicySlot) -> u64 {
        let index = slot.0 as usize;
        let chunk = self.policies.get(index / POLICIES_PER_CHUNK).and_then(OnceLock::get);
        chunk.map_or(0, |chunk| chunk[index % POLICIES_PER_CHUNK].get())
    }

    /// The cells of a rule, if it has served a request in this worker's chunk.
    #[must_use]
    pub fn peek(&self, slot: RuleSlot) -> Option<&RuleCells> {
        let index = slot.0 as usize;
        Some(&self.rules.get(index / RULES_PER_CHUNK)?.get()?[index % RULES_PER_CHUNK])
    }
}

impl RuleCells {
    const fn new() -> RuleCells {
        RuleCells {
            statuses: [const { Cell::new() }; 5],
            durations: [const { Cell::new() }; DURATION_BUCKETS],
            duration_micros: Cell::new(),
            request_bytes: Cell::new(),
            response_bytes: Cell::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_bucket_whose_bound_it_does_not_exceed() {
        for (micros, bucket) in
            [(0, 0), (64, 0), (65, 1), (128, 1), (129, 2), (1 << 26, 20), ((1 << 26) + 1, 21)]
        {
            assert_eq!(duration_bucket(micros), bucket, "{micros} µs");
        }
        assert_eq!(duration_bucket(u64::MAX), DURATION_BUCKETS - 1);
    }
}
