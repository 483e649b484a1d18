//! What became of each object is written into its status.
//!
//! The engine says it, proxies add what they know, and here it is compared with what the objects say of themselves.
//! Only what differs is written, all of it in one change set, so a change of a Gateway with a thousand routes is one
//! transaction and not a thousand.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use engine::status::{Conditions, ObjectConditions, ObjectStatus};
use model::kinds::gateway_class::CONTROLLER_NAME;
use model::{Resource, ResourceKey};
use serde_json::Value;
use tokio::sync::watch;

use super::driver::{Reconcile, Run, Summary};
use super::transitions::{lay, withdraw};
use super::write::{Change, Writer};
use crate::store::{Fence, StoreError};
use crate::world::{Event, Moment};

/// Most statuses that one run writes; the next follows at once.
const STATUSES_MAX: usize = 1_000;

/// The loop.
#[derive(Debug)]
pub struct GatewayStatus {
    writer: Writer,
    wanted: watch::Receiver<Arc<Conditions>>,
    /// What was found to agree: neither side need be looked at again until it changes.
    agreed: Mutex<HashMap<ResourceKey, Agreed>>,
}

#[derive(Debug)]
struct Agreed {
    object: Arc<Resource>,
    status: Arc<ObjectStatus>,
}

impl GatewayStatus {
    /// The loop that writes the newest of `wanted`. Its writer is to be called [`CONTROLLER_NAME`].
    #[must_use]
    pub fn new(writer: Writer, wanted: watch::Receiver<Arc<Conditions>>) -> GatewayStatus {
        GatewayStatus { writer, wanted, agreed: Mutex::new(HashMap::new()) }
    }

    async fn sweep(&self, fence: &Fence) -> Result<Summary, StoreError> {
        let wanted = Arc::clone(&self.wanted.borrow());
        let moment = self.writer.world().now();
        let mut changes = self.differences(&wanted, &moment);
        changes.extend(withdrawn(&wanted, &moment));
        let more = changes.len() > STATUSES_MAX;
        changes.truncate(STATUSES_MAX);
        self.writer.write(fence, changes, more).await
    }

    fn differences(&self, wanted: &Conditions, moment: &Moment) -> Vec<Change> {
        let mut agreed = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.writer.now().to_string();
        let mut next = HashMap::new();
        let mut changes = Vec::new();
        for object in wanted {
            let Some(current) = current(object, moment) else { continue };
            let known = agreed.remove(&current.key).filter(|known| known.is_of(current, &object.status));
            let change = if known.is_some() { None } else { difference(object, current, &now) };
            match change {
                Some(change) => changes.push(change),
                None => {
                    let status = Arc::clone(&object.status);
                    next.insert(current.key.clone(), Agreed { object: Arc::clone(current), status });
                }
            }
        }
        *agreed = next;
        changes
    }
}

impl Agreed {
    fn is_of(&self, object: &Arc<Resource>, status: &Arc<ObjectStatus>) -> bool {
        Arc::ptr_eq(&self.object, object) && (Arc::ptr_eq(&self.status, status) || self.status == *status)
    }
}

impl Reconcile for GatewayStatus {
    fn run<'a>(&'a self, fence: &'a Fence) -> Run<'a> {
        Box::pin(self.sweep(fence))
    }

    /// What we wrote ourselves comes back as an event too, and is found to agree at the cost of one look.
    fn concerns(&self, event: &Event) -> bool {
        event.after.is_some()
    }
}

/// The object as it is now, if it is still the one that was compiled.
fn current<'m>(object: &ObjectConditions, moment: &'m Moment) -> Option<&'m Arc<Resource>> {
    let current = moment.resources.get(&object.resource.key)?;
    (current.meta.uid == object.resource.meta.uid).then_some(current)
}

fn difference(object: &ObjectConditions, current: &Arc<Resource>, now: &str) -> Option<Change> {
    let before = current.written.value().get("status").cloned();
    // Serialising what is made of words and numbers cannot fail.
    let computed = serde_json::to_value(&*object.status).ok()?;
    let laid = lay(before.as_ref(), computed, now);
    (before.as_ref() != Some(&laid)).then(|| Change::status(current, laid))
}

/// Objects of which we have nothing more to say, but once did.
fn withdrawn(wanted: &Conditions, moment: &Moment) -> Vec<Change> {
    let named: HashSet<&ResourceKey> = wanted.iter().map(|object| &object.resource.key).collect();
    let left = moment.resources.iter().filter(|object| !named.contains(&object.key));
    left.filter(|object| object.written.json().contains(CONTROLLER_NAME))
        .filter_map(|object| {
            let status: Option<Value> = object.written.value().get("status").and_then(withdraw);
            Some(Change::status(object, status?))
        })
        .collect()
}
