//! An object changed by a description of the change, in four languages; the last of them also makes new objects.

use http::StatusCode;

use super::Asked;
use super::commit::{commit, retrying};
use super::create::refuse_while_ending;
use super::view::View;
use crate::api::answer::Answer;
use crate::api::incoming;
use crate::api::state::State;
use crate::objects::media::PatchKind;
use crate::objects::status::{Cause, Status};
use crate::objects::{self, body};

/// Answers a patch. When the object changed while it was worked out, it is worked out again, a bounded number of times.
pub async fn patch(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let kind = PatchKind::of(incoming::content_type(&asked.headers))?;
    let (view, manager, dry_run) = (View::of(asked, &state.clock)?, asked.manager()?, asked.query.dry_run()?);
    let force = force(asked, kind)?;
    let request = asked.request(state, &manager)?;
    let body = body::read(kind.encoding(), &asked.body)?;
    let (mut warnings, mut code) = (Vec::new(), StatusCode::OK);
    let object = retrying(state, asked, |current| {
        let before = current.as_ref().map(|current| current.written.value());
        let admitted = objects::patch(&request, before.as_ref(), kind, body.clone(), force);
        if let Ok(admitted) = &admitted {
            warnings.clone_from(&admitted.warnings);
            code = if current.is_none() { StatusCode::CREATED } else { StatusCode::OK };
        }
        async move {
            let admitted = admitted?;
            if current.is_none() {
                refuse_while_ending(state, asked, asked.about())?;
            }
            commit(state, asked, &admitted, current.as_deref(), dry_run).await
        }
    });
    let object = object.await?;
    let warnings = warnings.iter().map(String::as_str);
    Ok(Answer::json(code, view.value(object)).warning(warnings))
}

/// Only who applies can force, and who applies must say who they are.
pub fn force(asked: &Asked, kind: PatchKind) -> Result<bool, Status> {
    let force = asked.query.flag("force")?;
    match kind {
        PatchKind::Apply if asked.query.text("fieldManager").is_none() => {
            Err(Status::invalid_options(&Cause {
                reason: "FieldValueRequired",
                field: "fieldManager".to_owned(),
                message: "Required value: is required for apply patch".to_owned(),
            }))
        }
        PatchKind::Apply => Ok(force.unwrap_or(false)),
        PatchKind::Merge | PatchKind::Json | PatchKind::Strategic => match force {
            None => Ok(false),
            Some(_) => Err(Status::invalid_options(&Cause {
                reason: "FieldValueForbidden",
                field: "force".to_owned(),
                message: "Forbidden: may not be specified for non-apply patch".to_owned(),
            })),
        },
    }
}
