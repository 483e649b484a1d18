//! Deleting: one object, or all that are picked.
//!
//! What must be waited for is written into the object as a finalizer: what it owns (`foregroundDeletion`), what it is
//! to let go (`orphan`), and what is in a namespace. The loops of [`crate::reconcile`] do the waiting, so it goes on
//! after a restart.

use std::sync::Arc;

use http::StatusCode;
use model::Resource;
use model::kinds::KindName;
use serde_json::json;

use super::commit::{Failure, commit, commit_all, retrying, write};
use super::customers::refuse_while_inhabited;
use super::list::reach;
use super::options::{At, ListOptions};
use super::view::{ListMeta, View};
use super::{Asked, Selection, past};
use crate::api::answer::Answer;
use crate::api::incoming;
use crate::api::state::State;
use crate::objects::deletion::{DeleteOptions, Propagation};
use crate::objects::status::{self, About, Status};
use crate::objects::{self, Admitted, Request, Verdict};
use crate::reconcile::deletion_waits_for;

/// Finalizer of an object whose dependents are deleted before it.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an object whose dependents are let go.
pub const ORPHAN: &str = "orphan";
/// Finalizer of a namespace that is not empty yet.
pub const CONTENTS: &str = "selvedge.dev/contents";

/// Objects of a collection that are deleted in one transaction.
const COLLECTION_BATCH: usize = 200;

/// Answers a delete.
pub async fn delete(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let (view, manager) = (View::of(asked, &state.clock)?, asked.manager()?);
    let (request, options) = (asked.request(state, &manager)?, options(asked)?);
    if asked.kind == KindName::Namespace {
        refuse_while_inhabited(state, asked.name.as_deref().unwrap_or_default()).await?;
    }
    let mut removed = None;
    let object = retrying(state, asked, |current| {
        let admitted = current
            .ok_or_else(|| Status::not_found(asked.about()))
            .and_then(|current| Ok((admit(state, &request, &current, &options)?, current)));
        if let Ok((admitted, current)) = &admitted {
            removed =
                (admitted.verdict == Verdict::Remove).then(|| current.meta.uid.clone().unwrap_or_default());
        }
        let dry_run = options.dry_run;
        async move {
            let (admitted, current) = admitted?;
            commit(state, asked, &admitted, Some(&current), dry_run).await
        }
    });
    let object = object.await?;
    Ok(match removed {
        Some(uid) => Answer::value(&status::deleted(asked.about(), &uid)),
        None => Answer::json(StatusCode::OK, view.value(object)),
    })
}

/// Answers the deletion of all that are picked.
pub async fn delete_collection(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let (view, manager) = (View::of(asked, &state.clock)?, asked.manager()?);
    let (mut request, options) = (asked.request(state, &manager)?, options(asked)?);
    let (selection, list) = (Selection::of(asked)?, ListOptions::parse(&asked.query)?);
    if let At::NotOlderThan(revision) | At::Exactly(revision) = list.at {
        reach(state, revision).await?;
    }
    let objects = past::now(&state.world, asked.kind);
    let picked = objects.items.into_iter().filter(|object| selection.picks(object));
    let picked: Vec<Arc<Resource>> = picked.take(list.limit.unwrap_or(usize::MAX)).collect();
    if asked.kind == KindName::Namespace {
        for namespace in &picked {
            refuse_while_inhabited(state, namespace.key.name.as_str()).await?;
        }
    }
    for batch in picked.chunks(COLLECTION_BATCH) {
        delete_batch(state, asked, &mut request, batch, &options).await?;
    }
    let meta = ListMeta { revision: state.world.now().revision, next: None, remaining: None };
    Ok(Answer::json(StatusCode::OK, view.list(&picked, &meta)))
}

async fn delete_batch<'a>(
    state: &State,
    asked: &'a Asked,
    request: &mut Request<'a>,
    batch: &'a [Arc<Resource>],
    options: &DeleteOptions,
) -> Result<(), Status> {
    for _ in 0..state.limits.patch_tries_max {
        let moment = state.world.now();
        let mut writes = Vec::new();
        for object in batch {
            // Gone meanwhile, or made anew: not what was picked.
            let current = moment.resources.get(&object.key).filter(|now| now.meta.uid == object.meta.uid);
            let Some(current) = current else { continue };
            request.name = Some(object.key.name.as_str());
            request.namespace = Some(object.namespace()).filter(|namespace| !namespace.is_empty());
            let admitted = admit(state, request, current, options)?;
            writes.extend(write(&admitted, Some(current)));
        }
        if options.dry_run || writes.is_empty() {
            return Ok(());
        }
        match commit_all(state, asked, writes).await {
            Ok(_) => return Ok(()),
            Err(Failure::Final(status)) => return Err(status),
            Err(Failure::Conflict) => {
                let caught_up = state.world.catch_up().await;
                caught_up.map_err(|_| Status::service_unavailable("the store is not available now", 1))?;
            }
        }
    }
    Err(Status::modified(asked.about()))
}

pub fn options(asked: &Asked) -> Result<DeleteOptions, Status> {
    let body = incoming::read(&asked.headers, &asked.body)?;
    DeleteOptions::read(&body, |name| asked.query.text(name).map(str::to_owned))
}

fn admit(
    state: &State,
    request: &Request<'_>,
    current: &Resource,
    options: &DeleteOptions,
) -> Result<Admitted, Status> {
    let mut object = current.written.value();
    let is_ending = object.pointer("/metadata/deletionTimestamp").is_some();
    let about = About::new(request.kind, current.key.name.as_str());
    if request.kind == KindName::Namespace && current.key.name.as_str() == "default" {
        return Err(Status::forbidden(about, "this namespace may not be deleted"));
    }
    let mut waits = Vec::new();
    match options.propagation {
        Propagation::Background => {}
        Propagation::Foreground => waits.push(FOREGROUND),
        Propagation::Orphan => waits.push(ORPHAN),
    }
    if request.kind == KindName::Namespace && !is_empty(state, current.key.name.as_str()) {
        waits.push(CONTENTS);
    }
    for wait in waits.into_iter().filter(|_| !is_ending) {
        deletion_waits_for(&mut object, wait);
    }
    if !is_ending && request.kind == KindName::Namespace {
        object["status"] = json!({ "phase": "Terminating" });
    }
    objects::delete(request, &object, options)
}

/// Whether nothing is in a namespace.
fn is_empty(state: &State, namespace: &str) -> bool {
    state.world.now().resources.iter().all(|object| object.namespace() != namespace)
}
