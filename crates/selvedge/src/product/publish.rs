//! Publishes a description: writes its revision and makes it the current one. Whatever people have changed since the
//! first time (what answers, plans, states) stays as they left it.

use client::{Client, Patch, WriteOptions};
use model::kinds::KindName;
use serde_json::{Value, json};

use super::collection;
use super::publication::Publication;
use crate::exit::Failure;
use crate::remote::failure;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is an API that there was not.
    New,
    /// The version is described by another revision now.
    Revised,
    /// Nothing is different.
    Unchanged,
}

/// Publishes.
///
/// # Errors
/// What the control plane refuses.
pub async fn publish(client: &Client, publication: &Publication) -> Result<Outcome, Failure> {
    ensure(client, publication, KindName::ApiRevision, &publication.document()).await?;
    for (kind, object) in publication.once() {
        ensure(client, publication, kind, &object).await?;
    }
    let first = publication.first_version();
    if ensure(client, publication, KindName::ApiVersion, &first).await? {
        return Ok(Outcome::New);
    }
    let versions = collection(KindName::ApiVersion, &publication.namespace);
    let (name, revision) = (publication.version(), publication.revision());
    let before = client.get(&versions, &name).await.map_err(failure)?;
    if before.text("/spec/revision") == revision {
        return Ok(Outcome::Unchanged);
    }
    let patch = Patch::Merge(json!({ "spec": { "revision": revision } }));
    client.patch(&versions, &name, &patch, WriteOptions::default()).await.map_err(failure)?;
    Ok(Outcome::Revised)
}

/// Makes an object unless there is one. Returns whether it was made.
async fn ensure(
    client: &Client,
    publication: &Publication,
    kind: KindName,
    object: &Value,
) -> Result<bool, Failure> {
    let objects = collection(kind, &publication.namespace);
    match client.create(&objects, object, WriteOptions::default()).await {
        Ok(_) => Ok(true),
        Err(error) if error.status().is_some_and(client::Status::is_conflict) => Ok(false),
        Err(error) => Err(failure(error)),
    }
}
