//! Windows as CloudEvents (version 1.0, JSON batch format), for programs that rate and bill.
//!
//! Only windows that will not change any more are told, in the order in which they were sealed; and each has an
//! `id` that is the same whenever it is asked for. So whoever keeps the cursor of the last event it has, and forgets
//! ids that it has seen, counts everything once.

use commerce::usage::WINDOW_SECONDS;
use serde_json::{Map, Value, json};

use super::{Document, ask, away, show};
use crate::api::Query;
use crate::objects::status::Status;
use crate::reconcile::usage_ages::USAGE_MINUTES_DAYS;
use crate::store::usage::{Sealed, UsageRows};

/// The media type of a batch.
const BATCH: &str = "application/cloudevents-batch+json; charset=utf-8";
/// The type of all events.
const TYPE: &str = "dev.selvedge.usage.v1";

/// What was sealed after a cursor.
pub async fn batch(
    ledger: &dyn UsageRows,
    query: &Query,
    namespace: Option<String>,
) -> Result<Document, Status> {
    let (after, limit) = ask::page(query)?;
    let sealed = ledger.sealed(namespace.clone(), after.clone(), limit).await.map_err(|_| away())?;
    // Asked afterwards, so that nothing is put together unseen between the two. Whoever begins has missed nothing.
    if after.seal > 0 && ledger.missed(namespace, after).await.map_err(|_| away())? {
        return Err(Status::expired(format!(
            "minutes behind this cursor were put together to hours, {USAGE_MINUTES_DAYS} days after they became final; \
             take what is missing from `/usage?by=hour`, and begin anew without `after`"
        )));
    }
    let events: Vec<Value> = sealed.iter().map(event).collect();
    Ok(Document { media: BATCH, text: Value::from(events).to_string() })
}

fn event(sealed: &Sealed) -> Value {
    let Sealed { cursor, sum, boot } = sealed;
    let mut data = Map::new();
    for (name, value) in [
        ("subscription", &sum.of.subscription),
        ("application", &sum.of.application),
        ("product", &sum.of.product),
        ("plan", &sum.of.plan),
        ("version", &sum.of.version),
        ("operation", &sum.of.operation),
    ] {
        data.insert(name.to_owned(), value.clone().into());
    }
    data.insert("windowSeconds".to_owned(), WINDOW_SECONDS.into());
    show::count(&mut data, &sum.counts);
    // Whom it is billed to: a subscription, else an application, else nobody.
    let subjects = [&sum.of.subscription, &sum.of.application];
    let subject = subjects.into_iter().find(|name| !name.is_empty());
    let (_, _, series) = &cursor.last;
    json!({
        "specversion": "1.0",
        "id": format!("{:032x}-{}-{series}", boot.0, sum.window.0),
        "source": format!("/selvedge/gateways/{}", sum.gateway),
        "type": TYPE,
        "subject": subject.map_or("anonymous", |subject| subject.as_str()),
        "time": show::moment(sum.window),
        "datacontenttype": "application/json",
        "selvedgecursor": ask::written(cursor),
        "data": data,
    })
}
