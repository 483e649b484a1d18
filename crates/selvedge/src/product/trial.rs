//! A key for whoever tries an API on the machine on which it runs: an application, its subscription to the free plan,
//! and a key of it, made through the API like any other.
//!
//! Keys are kept nowhere, so each start makes one. Those of starts before are good for another day: they stand in
//! somebody's notes.

use client::{Client, ListOptions, Object};
use model::kinds::KindName;
use model::units::Moment;
use serde_json::{Value, json};

use super::publication::Publication;
use crate::clock;
use crate::customers::Customers;
use crate::exit::Failure;
use crate::remote::failure;

/// The application of whoever tries.
const APPLICATION: &str = "try";
/// What names of its keys begin with.
const KEY: &str = "try-";
/// How long keys of starts before are good, in seconds.
const OVERLAP_SECONDS: u64 = 24 * 60 * 60;

/// A key that was made.
#[derive(Debug)]
pub struct Trial {
    /// The key.
    pub key: String,
    /// When it was made, as the epoch of customers that knows it.
    pub epoch: u64,
}

/// Makes a key for a publication; `None` where nobody needs one.
///
/// # Errors
/// What the control plane refuses.
pub async fn begin(client: Client, publication: &Publication) -> Result<Option<Trial>, Failure> {
    let customers = Customers { client, namespace: publication.namespace.clone() };
    let plan = customers.get(KindName::Plan, &publication.plan()).await?;
    if plan.0.pointer("/spec/credentials").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    ensure(&customers, KindName::Application, APPLICATION, json!({})).await?;
    let spec = json!({ "application": APPLICATION, "product": publication.api, "plan": publication.plan() });
    let name = format!("{APPLICATION}-{}", publication.api);
    ensure(&customers, KindName::Subscription, &name, spec).await?;
    let before = keys(&customers).await?;
    let made = customers.create(KindName::Credential, KEY, json!({ "application": APPLICATION })).await?;
    for old in before {
        fade(&customers, &old).await?;
    }
    let epoch = made.resource_version().parse().unwrap_or_default();
    Ok(Some(Trial { key: made.text("/status/key").to_owned(), epoch }))
}

/// Makes something unless it is there.
async fn ensure(customers: &Customers, kind: KindName, name: &str, spec: Value) -> Result<(), Failure> {
    match customers.client.get(&customers.collection(kind), name).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => customers.create(kind, name, spec).await.map(drop),
        Err(error) => Err(failure(error)),
    }
}

/// The keys of starts before that are good without an end.
async fn keys(customers: &Customers) -> Result<Vec<Object>, Failure> {
    let fields = Some(format!("spec.application={APPLICATION}"));
    let options = ListOptions { fields, ..ListOptions::default() };
    let all = customers
        .client
        .list(&customers.collection(KindName::Credential), &options)
        .await
        .map_err(failure)?;
    let is_old = |key: &Object| key.name().starts_with(KEY) && key.text("/status/state") == "Active";
    Ok(all.objects.into_iter().filter(is_old).collect())
}

async fn fade(customers: &Customers, key: &Object) -> Result<(), Failure> {
    let now = clock::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let ends = Moment(i64::try_from(now + OVERLAP_SECONDS).unwrap_or(i64::MAX)).to_string();
    customers.change(KindName::Credential, key.name(), json!({ "expiresAt": ends })).await?;
    customers.set(KindName::Credential, key.name(), json!({ "state": "Rotating" })).await?;
    Ok(())
}
