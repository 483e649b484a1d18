//! An object in place of the one that is there.

use http::StatusCode;
use serde_json::Value;

use super::Asked;
use super::commit::{commit, retrying};
use super::view::View;
use crate::api::answer::Answer;
use crate::api::incoming;
use crate::api::state::State;
use crate::objects;
use crate::objects::status::Status;

/// Answers a replace. One that says what it replaces fails when that has changed; one that does not is carried out in
/// any case.
pub async fn replace(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let (view, manager, dry_run) = (View::of(asked, &state.clock)?, asked.manager()?, asked.query.dry_run()?);
    let request = asked.request(state, &manager)?;
    let body = incoming::read(&asked.headers, &asked.body)?;
    let mut warnings = Vec::new();
    let object = retrying(state, asked, |current| {
        let admitted = current.ok_or_else(|| Status::not_found(asked.about())).and_then(|current| {
            let value: Value = current.written.value();
            Ok((objects::update(&request, &value, body.clone())?, current))
        });
        if let Ok((admitted, _)) = &admitted {
            warnings.clone_from(&admitted.warnings);
        }
        async move {
            let (admitted, current) = admitted?;
            commit(state, asked, &admitted, Some(&current), dry_run).await
        }
    });
    let object = object.await?;
    let warnings = warnings.iter().map(String::as_str);
    Ok(Answer::json(StatusCode::OK, view.value(object)).warning(warnings))
}
