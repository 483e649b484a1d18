//! What the sidecars say that report to this control plane, written into the status of their Workloads.
//!
//! Not only the leader writes: whoever hears a sidecar vouches for it. No lease is needed, because each write names the
//! revision that it was made from, and of two that hear the same sidecar the one that heard it later is right.

use std::sync::Arc;
use std::time::Duration;

use model::units::Moment;
use tokio::time::{Instant, sleep};

use super::said::{Said, found, last_seen, vouching};
use super::{RENEW_ALONE, RENEW_SHARED};
use crate::clock::Clock;
use crate::proxies::{Beside, Proxies};
use crate::reconcile::Summary;
use crate::reconcile::write::{Change, Writer};
use crate::store::StoreError;
use crate::world::{self, World};

/// How long reports are gathered before they are looked at; how late a change of readiness may be written.
const GATHER: Duration = Duration::from_millis(250);
/// How soon a write that failed is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Most statuses that one run writes; the next follows at once.
const STATUSES_MAX: usize = 1_000;
/// How far the clocks of two control planes may be apart, in seconds. Past it, one that hears a sidecar no more may
/// write over one that does, until it has forgotten the sidecar.
const CLOCKS_APART: i64 = 2;
/// Who writes.
const NAME: &str = "selvedge.dev/workload-witness";

/// The loop. Each control plane runs it, whether it leads or not.
#[derive(Debug)]
pub struct Witness {
    writer: Writer,
    proxies: Arc<Proxies>,
    renew: Duration,
}

impl Witness {
    /// The loop over these proxies; `is_shared` when other control planes use the same store.
    #[must_use]
    pub fn new(world: &Arc<World>, clock: &Clock, proxies: &Arc<Proxies>, is_shared: bool) -> Witness {
        let writer = Writer::new(Arc::clone(world), clock.clone(), NAME, false);
        let renew = if is_shared { RENEW_SHARED } else { RENEW_ALONE };
        Witness { writer, proxies: Arc::clone(proxies), renew }
    }

    /// Runs until it is dropped.
    pub async fn run(self) {
        let (mut reported, mut news) = (self.proxies.changed(), self.writer.world().subscribe());
        loop {
            reported.borrow_and_update();
            news.borrow_and_update();
            match self.sweep(Instant::now()).await {
                Ok(Summary { more: true, .. }) => {}
                Ok(Summary { more: false, .. }) => {
                    let told = tokio::select! {
                        told = reported.changed() => told,
                        told = news.changed() => told,
                    };
                    if told.is_err() {
                        return;
                    }
                    sleep(GATHER).await;
                }
                Err(_) => sleep(TRY_AGAIN).await,
            }
        }
    }

    /// Writes what differs.
    pub(super) async fn sweep(&self, now: Instant) -> Result<Summary, StoreError> {
        let moment = self.writer.world().now();
        let beside = self.proxies.beside(now);
        let live = vouching(beside.iter().filter(|beside| beside.is_live), &moment.resources);
        let mut changes: Vec<Change> =
            live.into_values().filter_map(|beside| self.difference(beside, &moment, now)).collect();
        let more = changes.len() > STATUSES_MAX;
        changes.truncate(STATUSES_MAX);
        self.writer.write_without_leading(changes, more).await
    }

    fn difference(&self, beside: &Beside, moment: &world::Moment, now: Instant) -> Option<Change> {
        let found = found(&moment.resources, &beside.workload)?;
        found.content.spec.sidecar?;
        let wall = self.writer.now();
        let (heard, seen) = (beside.heard_at(now, wall), last_seen(found.content));
        if seen.is_some_and(|seen| seen.0 > heard.0 + CLOCKS_APART) {
            return None; // Somebody else has heard it since.
        }
        let said = Said::by(beside);
        if said.stands_in(found.resource) && !self.is_due(seen, heard) {
            return None;
        }
        Some(said.change(found.resource, seen.max(Some(heard)), wall))
    }

    fn is_due(&self, seen: Option<Moment>, heard: Moment) -> bool {
        let renew = i64::try_from(self.renew.as_secs()).unwrap_or(i64::MAX);
        seen.is_none_or(|seen| heard.0 - seen.0 >= renew)
    }
}
