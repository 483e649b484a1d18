//! Who of a cluster is asked: what requests and health checks have shown of its endpoints, put together.
//!
//! Decided when something happens and not for each request, which only takes the list that was made.

use std::rc::Rc;

use engine::config::{Outlier, UpstreamLimits};

use super::{Asked, ClusterState, EndpointState, Endpoints};
use crate::failure::Failure;
use crate::state::breakers::share;
use crate::state::health::{self, Candidate};
use crate::state::metrics::{ClusterCells, Metrics, Overflow};

impl ClusterState {
    /// Decides anew who is asked.
    pub(super) fn judge(&self) {
        let endpoints = self.endpoints();
        let Some(said) = self.resilience() else {
            self.asked.replace(Asked { near: endpoints, far: Endpoints::default(), near_percent: 100 });
            return;
        };
        let unwell = self.unwell.borrow();
        for endpoint in endpoints.iter() {
            endpoint.health.checked(unwell.binary_search(&endpoint.address).is_ok());
        }
        match &said.outlier {
            Some(outlier) => bring_back_beyond(&endpoints, outlier),
            None => endpoints.iter().for_each(|endpoint| endpoint.health.bring_back(0)),
        }
        let own = self.around.locality.as_deref();
        let overflow = said.overflow_percent.filter(|_| own.is_some());
        // Those of the config come first, in its order; what was resolved stands behind them.
        let mut known = self.cluster.endpoints.iter();
        let candidates: Vec<Candidate> = endpoints
            .iter()
            .map(|endpoint| {
                let place = known.next().and_then(|known| known.locality.as_deref());
                Candidate {
                    good: endpoint.health.is_good(),
                    distance: own.map_or(0, |own| own.distance(place)),
                }
            })
            .collect();
        let choice = health::choose(&candidates, said.panic_threshold_percent, overflow);
        let pick = |positions: &[usize]| -> Endpoints {
            positions.iter().map(|position| endpoints[*position].clone()).collect()
        };
        self.panics.set(choice.panics);
        self.untold.set(true);
        self.asked.replace(Asked {
            near: pick(&choice.near),
            far: pick(&choice.far),
            near_percent: choice.near_percent,
        });
    }

    /// An endpoint has answered, or failed to. `now` is in the seconds that deadlines count.
    pub fn note(&self, endpoint: &Rc<EndpointState>, good: bool, now: u32, metrics: &Metrics) {
        let Some(outlier) = self.resilience().and_then(|said| said.outlier.as_ref()) else { return };
        if good {
            return endpoint.health.succeeded();
        }
        if !endpoint.health.failed(outlier) {
            return;
        }
        let all = self.endpoints();
        if !health::may_eject(ejected(&all), all.len(), outlier) {
            return;
        }
        endpoint.health.eject(now, outlier);
        if let Some(cells) = metrics.cluster(self.cluster.slot) {
            cells.ejections.add(1);
        }
        self.judge();
        self.tell(metrics);
    }

    /// A second has passed.
    pub(super) fn tick(&self, now: u32, metrics: &Metrics) {
        let Some(said) = self.resilience() else { return };
        if let Some(outlier) = &said.outlier {
            let mut back = false;
            for endpoint in self.endpoints().iter() {
                back |= endpoint.health.tick(now, outlier);
            }
            if back {
                self.judge();
            }
        }
        if self.untold.get() {
            self.tell(metrics);
        }
    }

    fn tell(&self, metrics: &Metrics) {
        let Some(cells) = metrics.cluster(self.cluster.slot) else { return };
        let ClusterCells { endpoints, ejected: gone, unwell, panics, .. } = cells;
        let all = self.endpoints();
        endpoints.set(all.len() as u64);
        gone.set(ejected(&all) as u64);
        unwell.set(all.iter().filter(|endpoint| endpoint.health.has_failed_checks()).count() as u64);
        panics.set(u64::from(self.panics.get()));
        self.untold.set(false);
    }

    /// Counts a request that ran into a limit.
    pub fn overflow(&self, limit: Overflow, metrics: &Metrics) -> Failure {
        if let Some(cells) = metrics.cluster(self.cluster.slot) {
            cells.overflows[limit as usize].add(1);
        }
        match limit {
            Overflow::Requests => Failure::UpstreamLimitRequests,
            Overflow::Pending => Failure::UpstreamLimitPending,
            Overflow::Endpoint => Failure::UpstreamLimitEndpoint,
        }
    }

    /// Whether its endpoints are asked how they are.
    pub(super) fn health_checked(&self) -> bool {
        self.resilience().is_some_and(|said| said.health.is_some())
    }
}

fn ejected(endpoints: &[Rc<EndpointState>]) -> usize {
    endpoints.iter().filter(|endpoint| endpoint.health.ejected_until().is_some()).count()
}

/// With fewer endpoints than before, fewer may be ejected: those that would be back first are.
fn bring_back_beyond(endpoints: &[Rc<EndpointState>], outlier: &Outlier) {
    let all = endpoints.len();
    let mut gone: Vec<&Rc<EndpointState>> =
        endpoints.iter().filter(|endpoint| endpoint.health.ejected_until().is_some()).collect();
    gone.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.health.ejected_until()));
    while !gone.is_empty() && !health::may_eject(gone.len() - 1, all, outlier) {
        if let Some(first) = gone.pop() {
            first.health.bring_back(0);
        }
    }
}

/// What one of some workers may do of what all may.
pub(super) fn shared_out(limits: &UpstreamLimits, workers: u32) -> UpstreamLimits {
    let of = |limit: Option<u32>| limit.map(|limit| share(limit, workers));
    UpstreamLimits {
        connections: of(limits.connections),
        pending: limits.pending.map(|limit| limit.div_ceil(workers.max(1))),
        requests: of(limits.requests),
        endpoint_requests: of(limits.endpoint_requests),
    }
}
