//! Workloads that nobody vouches for: first they are not ready, then those that a sidecar registered are deleted.
//!
//! The leader alone decides it, and only about time that it has seen pass itself: after a restart nobody is silent
//! before everybody had a lease's time to come back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::kinds::Workload;
use model::kinds::workload::REGISTERED_BY;
use model::resources::Typed;
use model::units::Moment;
use tokio::time::Instant;

use super::said::{Said, last_seen, vouching};
use super::{EXPIRY, LEASE};
use crate::clock::Clock;
use crate::proxies::Proxies;
use crate::reconcile::driver::{Reconcile, Run, Summary};
use crate::reconcile::write::{Change, Writer};
use crate::store::{Fence, StoreError};
use crate::world::{Event, World};

/// Most objects that one run changes; the next follows at once.
const CHANGES_MAX: usize = 500;
/// Who writes.
const NAME: &str = "selvedge.dev/workload-controller";

/// The loop.
#[derive(Debug)]
pub struct Expiry {
    writer: Writer,
    proxies: Arc<Proxies>,
    /// Since when we lead, and by which proof.
    began: Mutex<Option<(Fence, Moment)>>,
}

impl Expiry {
    /// The loop over the Workloads of a world; `proxies` are those that report here.
    #[must_use]
    pub fn new(world: &Arc<World>, clock: &Clock, proxies: &Arc<Proxies>) -> Expiry {
        let writer = Writer::new(Arc::clone(world), clock.clone(), NAME, true);
        Expiry { writer, proxies: Arc::clone(proxies), began: Mutex::default() }
    }

    pub(super) async fn sweep(&self, fence: &Fence, instant: Instant) -> Result<Summary, StoreError> {
        let (now, began) = (self.writer.now(), self.began(fence));
        let moment = self.writer.world().now();
        let beside = self.proxies.beside(instant);
        let heard = vouching(&beside, &moment.resources);
        let judged = moment.resources.all::<Workload>().filter_map(|found| {
            let here = heard.get(&*found.resource.key.place()).map(|here| here.heard_at(instant, now));
            judge(&found, here.max(Some(began)), now)
        });
        let mut changes: Vec<Change> = judged.collect();
        let more = changes.len() > CHANGES_MAX;
        changes.truncate(CHANGES_MAX);
        self.writer.write(fence, changes, more).await
    }

    fn began(&self, fence: &Fence) -> Moment {
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        match &*began {
            Some((by, since)) if by == fence => *since,
            Some(_) | None => began.insert((fence.clone(), self.writer.now())).1,
        }
    }
}

impl Reconcile for Expiry {
    fn run<'a>(&'a self, fence: &'a Fence) -> Run<'a> {
        Box::pin(self.sweep(fence, Instant::now()))
    }

    /// Time alone leaves work behind here.
    fn concerns(&self, _event: &Event) -> bool {
        false
    }
}

/// What is to become of a Workload; `known` is when we ourselves know that it was no longer silent.
fn judge(found: &Typed<'_, Workload>, known: Option<Moment>, now: Moment) -> Option<Change> {
    let (resource, seen) = (found.resource, last_seen(found.content));
    let is_registered = resource.meta.labels.contains_key(REGISTERED_BY);
    if !is_registered && seen.is_none() || resource.meta.deletion_timestamp.is_some() {
        return None;
    }
    let last = seen.max(known).max(resource.meta.creation_timestamp)?;
    let has_passed = |limit: Duration| now.0 - last.0 >= i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    match () {
        () if is_registered && has_passed(EXPIRY) => Some(Change::delete(resource, None)),
        () if has_passed(LEASE) && !Said::Silent.stands_in(resource) => {
            Some(Said::Silent.change(resource, None, now))
        }
        () => None,
    }
}
