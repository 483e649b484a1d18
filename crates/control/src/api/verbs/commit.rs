//! The one way in which the API writes: what was judged, if nobody was faster, together with its line in the audit log.

use std::sync::Arc;

use model::Resource;
use serde_json::Value;

use super::Asked;
use crate::api::state::State;
use crate::objects::{Admitted, Status, Verdict};
use crate::store::{Change, ChangeSet, Expect, Object, Revision, StoreError, Write};

/// Why a write did not happen.
#[derive(Debug)]
pub enum Failure {
    /// Somebody else was faster: look again.
    Conflict,
    /// There is nothing to be done about it here.
    Final(Status),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        Failure::Final(status)
    }
}

/// Does what the verdict says and answers with the object as it is then, in the version in which it is kept.
pub async fn commit(
    state: &State,
    asked: &Asked,
    admitted: &Admitted,
    before: Option<&Resource>,
    dry_run: bool,
) -> Result<Value, Failure> {
    let after = (admitted.verdict != Verdict::Remove).then_some(&admitted.resource);
    let may = state.authorizer.may_change(&asked.permit, before, after);
    may.map_err(|why| Status::forbidden(asked.about_named(admitted), &why))?;
    let Some(write) = write(admitted, before) else {
        return Ok(before.map_or_else(|| admitted.object.clone(), |before| before.written.value()));
    };
    if dry_run {
        let kept = before.and_then(|before| before.meta.resource_version.as_deref());
        return Ok(numbered(admitted.object.clone(), kept));
    }
    let changes = commit_all(state, asked, vec![write]).await?;
    let revision = changes.last().map(|change| change.revision().to_string());
    Ok(numbered(admitted.object.clone(), revision.as_deref()))
}

/// Commits writes that belong to one request.
pub async fn commit_all(state: &State, asked: &Asked, writes: Vec<Write>) -> Result<Vec<Change>, Failure> {
    let permit = &asked.permit;
    let mut wish = permit.wish().clone();
    if let ([only], None) = (writes.as_slice(), &wish.name) {
        wish.name = Some(only.key().name.as_str().to_owned());
    }
    let entry = state.audit.entry(&permit.who().name, &wish, "allowed");
    let set = ChangeSet { writes, audit: vec![entry], fence: None };
    state.world.commit(set).await.map_err(failure)
}

/// The write that a verdict asks for; none when everything is as it should be.
pub fn write(admitted: &Admitted, before: Option<&Resource>) -> Option<Write> {
    let expect = before.and_then(revision_of).map_or(Expect::Absent, Expect::Revision);
    let key = admitted.resource.key.clone();
    match admitted.verdict {
        Verdict::Unchanged => None,
        Verdict::Remove => Some(Write::Delete { key, expect }),
        Verdict::Put => {
            let uid = admitted.resource.meta.uid.clone().unwrap_or_default();
            let source = before.and_then(|before| before.source.clone());
            let json = admitted.object.to_string().into();
            Some(Write::Put { object: Object { key, uid, revision: 0, json, source }, expect })
        }
    }
}

fn revision_of(resource: &Resource) -> Option<Revision> {
    resource.meta.resource_version.as_ref()?.parse().ok()
}

fn numbered(mut object: Value, revision: Option<&str>) -> Value {
    if let (Some(revision), Some(Value::Object(metadata))) = (revision, object.get_mut("metadata")) {
        metadata.insert("resourceVersion".to_owned(), revision.into());
    }
    object
}

/// What a failing store means to a client. Its words may name files and hosts, so they are not passed on.
fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::Conflict { .. } => Failure::Conflict,
        StoreError::Fenced { .. } | StoreError::Unavailable(_) | StoreError::Compacted { .. } => {
            Failure::Final(Status::service_unavailable("the store is not available now", 1))
        }
        StoreError::Broken(_) => Failure::Final(Status::internal_error("the store cannot be used")),
    }
}

/// Tries again while others are faster, each time from what is there then.
pub async fn retrying<F>(
    state: &State,
    asked: &Asked,
    mut attempt: impl FnMut(Option<Arc<Resource>>) -> F,
) -> Result<Value, Status>
where
    F: Future<Output = Result<Value, Failure>>,
{
    for _ in 0..state.limits.patch_tries_max {
        match attempt(asked.current(state)?).await {
            Ok(object) => return Ok(object),
            Err(Failure::Final(status)) => return Err(status),
            // Another control plane may have written what this one has not read yet.
            Err(Failure::Conflict) => state.world.catch_up().await.map_err(|error| match failure(error) {
                Failure::Conflict => Status::modified(asked.about()),
                Failure::Final(status) => status,
            })?,
        }
    }
    Err(Status::modified(asked.about()))
}
