//! Runs a loop whenever there may be something for it to do.
//!
//! News of the world wakes it, gathered for a moment so that a burst costs one run; a timer wakes it too, because a
//! signal that was missed must not leave anything undone for ever. A run that failed is tried again soon.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::store::{Fence, Revision, StoreError};
use crate::world::{Event, World};

/// How long news is gathered before a run.
const GATHER: Duration = Duration::from_millis(10);
/// How often a loop runs without being woken.
const RUN_EVERY: Duration = Duration::from_secs(60);
/// How soon a run that failed is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Most events looked at to find out whether they concern a loop; behind more, it simply runs.
const EVENTS_LOOKED_AT_MAX: usize = 1_000;

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Writes.
    pub writes: usize,
    /// Changes that the rules of their kinds do not allow, and that nobody can make.
    pub refused: usize,
    /// Whether there was more to do than one run may.
    pub more: bool,
}

/// The end of a run, some time later.
pub type Run<'a> = Pin<Box<dyn Future<Output = Result<Summary, StoreError>> + Send + 'a>>;

/// A loop.
pub trait Reconcile: Send + Sync + std::fmt::Debug {
    /// Looks at what is, compares it with what should be, and mends some or all of the difference.
    fn run<'a>(&'a self, fence: &'a Fence) -> Run<'a>;

    /// Whether something that happened may have left work behind. In doubt, yes.
    fn concerns(&self, event: &Event) -> bool;
}

/// Runs one loop.
#[derive(Clone, Debug)]
pub struct Driver {
    world: Arc<World>,
    work: Arc<dyn Reconcile>,
    /// Wakes it for reasons outside of the world.
    poke: Arc<Notify>,
}

impl Driver {
    /// A driver; whoever holds `poke` may wake it.
    #[must_use]
    pub fn new(world: Arc<World>, work: Arc<dyn Reconcile>, poke: Arc<Notify>) -> Driver {
        Driver { world, work, poke }
    }

    /// Runs until it is dropped, which the end of the leadership does.
    pub async fn run(self, fence: Fence) {
        let mut news = self.world.subscribe();
        loop {
            let looked_at = *news.borrow_and_update();
            let next = match self.work.run(&fence).await {
                Ok(Summary { more: true, .. }) => continue,
                Ok(Summary { more: false, .. }) => RUN_EVERY,
                Err(_) => TRY_AGAIN,
            };
            self.rest(&mut news, looked_at, Instant::now() + next).await;
        }
    }

    /// Waits until there may be something to do.
    async fn rest(&self, news: &mut watch::Receiver<Revision>, mut after: Revision, until: Instant) {
        loop {
            tokio::select! {
                () = sleep_until(until) => return,
                () = self.poke.notified() => return,
                told = news.changed() => if told.is_err() { return },
            }
            tokio::time::sleep(GATHER).await;
            let told = *news.borrow_and_update();
            if self.concerned(after) {
                return;
            }
            after = told;
        }
    }

    fn concerned(&self, after: Revision) -> bool {
        match self.world.events(after, EVENTS_LOOKED_AT_MAX) {
            Ok(events) if events.len() < EVENTS_LOOKED_AT_MAX => {
                events.iter().any(|event| self.work.concerns(event))
            }
            Ok(_) | Err(_) => true,
        }
    }
}
