//! A new object.

use http::StatusCode;
use serde_json::Value;

use super::Asked;
use super::commit::{Failure, commit};
use super::view::View;
use crate::api::answer::Answer;
use crate::api::incoming;
use crate::api::state::State;
use crate::objects::status::{About, Status};
use crate::objects::{self, Body};

/// Answers a create.
pub async fn create(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let (view, manager, dry_run) = (View::of(asked, &state.clock)?, asked.manager()?, asked.query.dry_run()?);
    let request = asked.request(state, &manager)?;
    let body = incoming::read(&asked.headers, &asked.body)?;
    let makes_up_name = names_no_name(&body);
    for _ in 0..state.limits.name_tries_max {
        let admitted = objects::create(&request, body.clone())?;
        let name = admitted.resource.key.name.as_str();
        let about = About::new(asked.kind, name);
        refuse_while_ending(state, asked, about)?;
        match commit(state, asked, &admitted, None, dry_run).await {
            Ok(object) => {
                let warnings = admitted.warnings.iter().map(String::as_str);
                return Ok(Answer::json(StatusCode::CREATED, view.value(object)).warning(warnings));
            }
            Err(Failure::Final(status)) => return Err(status),
            // Another control plane may have been first; then this one has to learn of it.
            Err(Failure::Conflict) if !makes_up_name => {
                let _later_at_the_latest = state.world.catch_up().await;
                return Err(Status::already_exists(about));
            }
            Err(Failure::Conflict) => {}
        }
    }
    Err(Status::generated_name_taken(asked.about()))
}

fn names_no_name(body: &Body) -> bool {
    let name = body.value.pointer("/metadata/name").and_then(Value::as_str);
    name.unwrap_or_default().is_empty()
}

/// Nothing new may come into a namespace that is going away, or it would never be gone.
pub fn refuse_while_ending(state: &State, asked: &Asked, about: About<'_>) -> Result<(), Status> {
    let Some(namespace) = &asked.namespace else { return Ok(()) };
    let moment = state.world.now();
    let found = moment.resources.find::<model::kinds::Namespace>("", namespace);
    let is_ending = found.is_some_and(|found| {
        found
            .resource
            .written
            .value()
            .pointer("/metadata/deletionTimestamp")
            .is_some_and(|when| !when.is_null())
    });
    if is_ending {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        return Err(Status::forbidden(about, &why));
    }
    Ok(())
}
