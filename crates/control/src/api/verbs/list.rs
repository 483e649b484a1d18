//! Lists: one moment, whole or in chunks.

use std::sync::Arc;

use http::StatusCode;
use model::Resource;

use super::options::{At, Continue, ListOptions};
use super::past::{self, Objects};
use super::view::{ListMeta, View};
use super::{Asked, Selection};
use crate::api::answer::Answer;
use crate::api::limits::Limits;
use crate::api::state::State;
use crate::objects::status::Status;
use crate::store::Revision;

/// Answers a list.
pub async fn list(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let options = ListOptions::parse(&asked.query)?;
    let (selection, view) = (Selection::of(asked)?, View::of(asked, &state.clock)?);
    let objects = moment(state, asked, &options).await?;
    let chunk = chunk(objects, &options, &selection, &state.limits)?;
    let meta = ListMeta {
        revision: chunk.revision,
        next: chunk.next.as_ref().map(Continue::token),
        // How many are left is known only where nothing has to be picked.
        remaining: chunk.next.is_some().then_some(chunk.remaining).filter(|_| selection.is_everything()),
    };
    Ok(Answer::json(StatusCode::OK, view.list(&chunk.items, &meta)))
}

async fn moment(state: &State, asked: &Asked, options: &ListOptions) -> Result<Objects, Status> {
    if let Some(from) = &options.from {
        return past::at(&state.world, asked.kind, from.revision).map_err(|_| Status::continue_expired());
    }
    match options.at {
        At::Newest => Ok(past::now(&state.world, asked.kind)),
        At::NotOlderThan(revision) => {
            reach(state, revision).await?;
            Ok(past::now(&state.world, asked.kind))
        }
        At::Exactly(revision) => {
            reach(state, revision).await?;
            let objects = past::at(&state.world, asked.kind, revision);
            objects.map_err(|gone| Status::too_old(revision, gone.forgotten))
        }
    }
}

/// Waits until a revision has come, which another control plane may have written just now.
pub async fn reach(state: &State, revision: Revision) -> Result<(), Status> {
    let mut reached = state.world.subscribe();
    let waited = reached.wait_for(|now| *now >= revision);
    match tokio::time::timeout(state.limits.revision_timeout, waited).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => {
            let current = state.world.now().revision;
            Err(Status::too_large_version(revision, current))
        }
    }
}

struct Chunk {
    revision: Revision,
    items: Vec<Arc<Resource>>,
    next: Option<Continue>,
    remaining: usize,
}

fn chunk(
    objects: Objects,
    options: &ListOptions,
    selection: &Selection,
    limits: &Limits,
) -> Result<Chunk, Status> {
    let Objects { revision, items } = objects;
    let begins = |object: &Arc<Resource>| {
        options.from.as_ref().is_none_or(|from| past::place(&object.key) > from.after)
    };
    let picked = items.into_iter().filter(|object| selection.picks(object)).filter(begins);
    let most = options.limit.unwrap_or(usize::MAX).min(limits.list_objects_max);
    let mut chunk = Chunk { revision, items: Vec::new(), next: None, remaining: 0 };
    let mut bytes = 0;
    for object in picked {
        bytes += object.written.json().len();
        let is_full = chunk.items.len() >= most || bytes > limits.list_bytes_max;
        if chunk.next.is_some() || (is_full && !chunk.items.is_empty()) {
            chunk.remaining += 1;
            let last = chunk.items.last().map(|last| past::place(&last.key)).unwrap_or_default();
            chunk.next.get_or_insert(Continue { revision, after: last });
            continue;
        }
        chunk.items.push(object);
    }
    // Who did not ask for chunks would take the first one for everything.
    if chunk.next.is_some() && options.limit.is_none() {
        return Err(Status::request_entity_too_large(limits.list_bytes_max)
            .because("the list is too long to be sent at once: use `limit` and `continue`"));
    }
    Ok(chunk)
}
