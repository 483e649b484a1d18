//! Customers whose time has come: subscriptions that begin or end, credentials that expire.
//!
//! Proxies do not wait for it, because they are told the times themselves. It is written down for people, for the audit
//! log, and so that an application can subscribe anew where it had a subscription that is over. Each row says when it is
//! due, so one question finds those few among millions.

use std::sync::Arc;
use std::time::Duration;

use model::kinds::{self, KindName, PRODUCT_GROUP};
use model::units::Moment;
use serde_json::Value;

use super::driver::{Reconcile, Run, Summary};
use crate::clock::Clock;
use crate::store::Fence;
use crate::store::customers::{Row, RowSet, RowWrite, Written};
use crate::store::{AuditEntry, Expect, StoreError};
use crate::world::{Event, World};

/// How often the leader looks; how late a row says what has become of it.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Most rows that one run changes; the next follows at once.
const CHANGES_MAX: usize = 500;
/// Who writes.
pub(super) const NAME: &str = "selvedge.dev/customer-controller";

/// The loop.
#[derive(Debug)]
pub struct CustomerTimes {
    world: Arc<World>,
    clock: Clock,
}

impl CustomerTimes {
    /// The loop over the customers of a world.
    #[must_use]
    pub fn new(world: &Arc<World>, clock: &Clock) -> CustomerTimes {
        CustomerTimes { world: Arc::clone(world), clock: clock.clone() }
    }

    /// Writes down what time has done by now. Whoever else does the same says the same, so there is nothing to prove:
    /// a row that somebody has changed meanwhile is looked at again.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn sweep(&self) -> Result<Summary, StoreError> {
        let Some(rows) = self.world.store().customers() else { return Ok(Summary::default()) };
        let now = self.clock.seconds();
        let due = rows.due(now, CHANGES_MAX).await?;
        if due.is_empty() {
            return Ok(Summary::default());
        }
        let (writes, more) = (due.len(), due.len() == CHANGES_MAX);
        let audit = due.iter().map(|row| entry(row, &self.clock)).collect();
        let set = RowSet { writes: due.into_iter().map(|row| aged(row, Moment(now))).collect(), audit };
        match rows.write_rows(set).await? {
            Written::Done(_) => Ok(Summary { writes, refused: 0, more }),
            Written::Conflict(_) => Ok(Summary { writes: 0, refused: 0, more: true }),
            // Time takes claims away and makes none.
            Written::Taken(_) => Ok(Summary { writes: 0, refused: writes, more: false }),
        }
    }
}

impl Reconcile for CustomerTimes {
    fn run<'a>(&'a self, _fence: &'a Fence) -> Run<'a> {
        Box::pin(self.sweep())
    }

    /// Time alone leaves work behind here.
    fn concerns(&self, _event: &Event) -> bool {
        false
    }
}

/// What the audit log keeps of a change that nobody has asked for.
pub(super) fn entry(row: &Row, clock: &Clock) -> AuditEntry {
    AuditEntry {
        at: clock.milliseconds(),
        who: NAME.into(),
        verb: "update".into(),
        what: format!("{}/status.{PRODUCT_GROUP} {}/{}", row.kind.plural(), row.namespace, row.name).into(),
        outcome: "allowed".into(),
    }
}

/// The row as time has made it. One that time does not change after all, or that cannot be read, is due no more.
fn aged(row: Row, now: Moment) -> RowWrite {
    let state = match row.kind {
        KindName::Subscription => read::<kinds::Subscription>(&row)
            .and_then(|subscription| subscription.due()?.by(now))
            .map(|state| (state.as_str(), state.is_live())),
        KindName::Credential => read::<kinds::Credential>(&row)
            .and_then(|credential| credential.due()?.by(now))
            .map(|state| (state.as_str(), true)),
        _ => None,
    };
    match state {
        Some((state, keeps_claim)) => put(row, state, keeps_claim),
        None => RowWrite::Put { expect: Expect::Revision(row.revision), row, due: None },
    }
}

/// The row in another state, which time does not change again.
pub(super) fn put(mut row: Row, state: &str, keeps_claim: bool) -> RowWrite {
    if let Ok(mut object) = serde_json::from_str::<Value>(&row.json) {
        object["status"]["state"] = state.into();
        row.json = object.to_string().into();
    }
    if !keeps_claim {
        row.claim = None;
    }
    RowWrite::Put { expect: Expect::Revision(row.revision), row, due: None }
}

fn read<T: serde::de::DeserializeOwned>(row: &Row) -> Option<T> {
    serde_json::from_str(&row.json).ok()
}
