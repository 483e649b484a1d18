//! One object.

use http::StatusCode;

use super::view::View;
use super::{Asked, list};
use crate::api::answer::Answer;
use crate::api::state::State;
use crate::objects::status::Status;

/// Answers a get.
pub async fn get(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let view = View::of(asked, &state.clock)?;
    if let Some(revision) = asked.query.number("resourceVersion")? {
        list::reach(state, revision).await?;
    }
    let object = asked.current(state)?.ok_or_else(|| Status::not_found(asked.about()))?;
    Ok(Answer::json(StatusCode::OK, view.resource(&object, None)))
}
