//! What was used long ago, kept less finely: minutes become hours, and hours days.
//!
//! A ledger of minutes would grow for ever, and nobody bills by the minute of last spring. Sums stay what they are.

use std::sync::Arc;
use std::time::Duration;

use commerce::usage::{Span, Window};

use super::driver::{Reconcile, Run, Summary};
use crate::clock::Clock;
use crate::store::usage::{Kept, Merge, UsageRows, UsageWrite};
use crate::store::{Fence, StoreError};
use crate::world::{Event, World};

/// How long usage is kept by minutes after it became final, in days; then by hours.
pub const USAGE_MINUTES_DAYS: u32 = 7;
/// How long usage is kept by hours, in days; then by days, for ever.
pub const USAGE_HOURS_DAYS: u32 = 400;

/// The loop.
#[derive(Debug)]
pub struct UsageAges {
    world: Arc<World>,
    clock: Clock,
}

impl UsageAges {
    /// The loop over the ledger of a world's store.
    #[must_use]
    pub fn new(world: &Arc<World>, clock: &Clock) -> UsageAges {
        UsageAges { world: Arc::clone(world), clock: clock.clone() }
    }

    /// Puts together what has become old by now, one step of each start. Each step is a transaction, and the next one
    /// goes on where it ended, whoever does it.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn sweep(&self) -> Result<Summary, StoreError> {
        let store = self.world.store();
        let Some(ledger) = store.usage() else { return Ok(Summary::default()) };
        let now = Window::of(Duration::from_secs(self.clock.seconds().max(0).unsigned_abs()));
        ledger.write_usage(vec![UsageWrite::Mark(Span::Hour.begin(now))]).await?;
        let hours = merge(ledger, Span::Hour, now, USAGE_MINUTES_DAYS).await?;
        let days = merge(ledger, Span::Day, now, USAGE_HOURS_DAYS).await?;
        Ok(Summary { writes: hours + days, refused: 0, more: hours + days > 0 })
    }
}

/// One step of each start that has rows older than this; how many did something.
async fn merge(ledger: &dyn UsageRows, into: Span, now: Window, days: u32) -> Result<usize, StoreError> {
    let old = Window(now.0.saturating_sub(days * Span::Day.windows()));
    let before = into.begin(old);
    let mut steps = 0;
    for boot in ledger.aging(into, before).await? {
        let wanted = Merge { boot, into, before, sealed_by: Span::Hour.begin(old) };
        let kept = ledger.write_usage(vec![UsageWrite::Merge(wanted)]).await?;
        steps += kept.iter().filter(|kept| **kept == Kept::Done).count();
    }
    Ok(steps)
}

impl Reconcile for UsageAges {
    fn run<'a>(&'a self, _fence: &'a Fence) -> Run<'a> {
        Box::pin(self.sweep())
    }

    /// Time alone leaves work behind here.
    fn concerns(&self, _event: &Event) -> bool {
        false
    }
}
