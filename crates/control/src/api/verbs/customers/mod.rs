//! The same verbs for what grows with customers: rows that are asked for one by one, where other objects lie in memory.
//!
//! To a client there is no difference but three: a list that is read in chunks shows each chunk as it is
//! then, an object
//! cannot be waited for (finalizers and foreground deletion mean nothing), and the answer that makes a key shows it.

mod change;
mod home;
mod quotas;
mod read;
mod rules;
mod watch;

use std::sync::Arc;

pub use home::refuse_while_inhabited;
use model::Resource;
use model::yaml;
use serde_json::Value;

use super::{Asked, Endpoint};
use crate::api::answer::Answer;
use crate::api::state::State;
use crate::objects::status::Status;
use crate::store::StoreError;
use crate::store::customers::{CustomerRows, Key, Row};

/// Answers a request about customers.
pub async fn answer(state: &Arc<State>, asked: &Asked, endpoint: Endpoint) -> Result<Answer, Status> {
    match endpoint {
        Endpoint::List if asked.query.flag("watch")?.unwrap_or(false) => watch::watch(state, asked).await,
        Endpoint::List => read::list(state, asked).await,
        Endpoint::Get | Endpoint::GetStatus => read::get(state, asked).await,
        Endpoint::GetQuotas => quotas::get(state, asked).await,
        Endpoint::Create => change::create(state, asked).await,
        Endpoint::Replace | Endpoint::ReplaceStatus => change::replace(state, asked).await,
        Endpoint::Patch | Endpoint::PatchStatus => change::patch(state, asked).await,
        Endpoint::Delete => change::delete(state, asked).await,
        Endpoint::DeleteCollection => change::delete_collection(state, asked).await,
        _ => Err(Status::no_such_path()),
    }
}

fn rows(state: &State) -> Result<&dyn CustomerRows, Status> {
    let rows = state.world.store().customers();
    rows.ok_or_else(|| Status::service_unavailable("this store keeps no customers", 60))
}

/// What a failing store means to a client. Its words may name files and hosts, so they are not passed on.
fn failed(error: StoreError) -> Status {
    match error {
        StoreError::Broken(_) => Status::internal_error("the store cannot be used"),
        StoreError::Conflict { .. }
        | StoreError::Fenced { .. }
        | StoreError::Compacted { .. }
        | StoreError::Unavailable(_) => Status::service_unavailable("the store is not available now", 1),
    }
}

/// The row that the path names, as it is now.
async fn current(state: &State, asked: &Asked) -> Result<Option<Row>, Status> {
    let (Some(namespace), Some(name)) = (&asked.namespace, &asked.name) else { return Ok(None) };
    rows(state)?.row(Key::new(asked.kind, namespace, name)).await.map_err(failed)
}

/// A row as a client sees it.
fn value(row: &Row) -> Result<Value, Status> {
    numbered(&row.json, row.revision)
}

fn numbered(json: &str, revision: u64) -> Result<Value, Status> {
    let mut value: Value =
        serde_json::from_str(json).map_err(|_| Status::internal_error("a row cannot be read"))?;
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
    }
    Ok(value)
}

/// A row with its types, for whoever selects.
fn resource(row: &Row) -> Result<Arc<Resource>, Status> {
    let read = yaml::read_value(value(row)?);
    read.map(Arc::new).map_err(|_| Status::internal_error("a row cannot be read"))
}
