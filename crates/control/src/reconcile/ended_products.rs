//! Subscriptions to what is no longer there: closed, once every version that a product offers is retired.
//!
//! Retirement is for good, and so is this. Who has such a product is answered 410 by then; what remains is that nobody
//! counts, bills or shows a subscription that cannot be used. Rows are not found by product, so all are read, but once
//! for each product that ends: nobody subscribes to one of these any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use model::Resources;
use model::customers::lives::SubscriptionState;
use model::kinds::api_version::VersionState;
use model::kinds::{self, ApiProduct, ApiVersion, KindName};
use model::units::Moment;
use serde_json::Value;

use super::customer_times::{entry, put};
use super::driver::{Reconcile, Run, Summary};
use crate::clock::Clock;
use crate::store::customers::{Page, Row, RowSet, RowWrite, Written};
use crate::store::{Fence, StoreError};
use crate::world::{Event, World};

/// Rows that are read, and perhaps written, at once.
const ROWS_AT_ONCE: usize = 500;

/// The loop.
#[derive(Debug)]
pub struct EndedProducts {
    world: Arc<World>,
    clock: Clock,
    /// Products without live subscriptions, by UID: another one may have the name one day.
    settled: Mutex<BTreeSet<Arc<str>>>,
}

impl EndedProducts {
    /// The loop over the products of a world.
    #[must_use]
    pub fn new(world: &Arc<World>, clock: &Clock) -> EndedProducts {
        EndedProducts { world: Arc::clone(world), clock: clock.clone(), settled: Mutex::default() }
    }

    async fn sweep(&self) -> Result<Summary, StoreError> {
        let ended = self.ended(&self.world.now().resources);
        if ended.is_empty() {
            return Ok(Summary::default());
        }
        let Some(rows) = self.world.store().customers() else { return Ok(Summary::default()) };
        let mut page =
            Page { kind: KindName::Subscription, namespace: None, after: None, limit: ROWS_AT_ONCE };
        let mut done = Summary::default();
        loop {
            let (_, found) = rows.page(page.clone()).await?;
            let Some(last) = found.last() else { break };
            page.after = Some((last.namespace.clone(), last.name.clone()));
            let over: Vec<Row> = found.into_iter().filter(|row| is_live_of(row, &ended)).collect();
            if over.is_empty() {
                continue;
            }
            let audit = over.iter().map(|row| entry(row, &self.clock)).collect();
            let writes: Vec<RowWrite> = over.into_iter().map(|row| self.closed(row)).collect();
            let count = writes.len();
            match rows.write_rows(RowSet { writes, audit }).await? {
                Written::Done(_) => done.writes += count,
                // Somebody was faster: everything is looked at again.
                Written::Conflict(_) | Written::Taken(_) => return Ok(Summary { more: true, ..done }),
            }
        }
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).extend(ended.into_values());
        Ok(done)
    }

    /// Products that have ended and were not looked at yet: UIDs by `namespace/name`.
    fn ended(&self, resources: &Resources) -> BTreeMap<String, Arc<str>> {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let products = resources.all::<ApiProduct>().filter(|product| has_ended(resources, product));
        let by_place = products.filter_map(|product| {
            let resource = product.resource;
            Some((resource.key.place().to_string(), resource.meta.uid.as_deref()?.into()))
        });
        by_place.filter(|(_, uid)| !settled.contains(uid)).collect()
    }

    fn closed(&self, mut row: Row) -> RowWrite {
        if let Ok(mut object) = serde_json::from_str::<Value>(&row.json) {
            object["status"]["endsAt"] = Moment(self.clock.seconds()).to_string().into();
            row.json = object.to_string().into();
        }
        put(row, SubscriptionState::Closed.as_str(), false)
    }
}

/// Whether every version of a product is retired. One that offers nothing has not begun.
fn has_ended(resources: &Resources, product: &model::resources::Typed<'_, ApiProduct>) -> bool {
    let namespace = product.resource.namespace();
    let parts = &product.content.spec.apis;
    let is_retired = |name: &str| {
        let version = resources.find::<ApiVersion>(namespace, name);
        version.is_some_and(|version| version.content.spec.state == VersionState::Retired)
    };
    !parts.is_empty() && parts.iter().all(|part| is_retired(&part.version))
}

fn is_live_of(row: &Row, ended: &BTreeMap<String, Arc<str>>) -> bool {
    let Ok(subscription) = serde_json::from_str::<kinds::Subscription>(&row.json) else { return false };
    let (namespace, product) = subscription.spec.product_in(&row.namespace);
    subscription.status.state().is_live() && ended.contains_key(&format!("{namespace}/{product}"))
}

impl Reconcile for EndedProducts {
    fn run<'a>(&'a self, _fence: &'a Fence) -> Run<'a> {
        Box::pin(self.sweep())
    }

    fn concerns(&self, event: &Event) -> bool {
        let kinds = [KindName::ApiProduct, KindName::ApiVersion];
        event.before.iter().chain(&event.after).any(|side| kinds.contains(&side.kind_name()))
    }
}
