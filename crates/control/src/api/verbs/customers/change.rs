//! Customers made, changed and deleted. What is allowed beyond the schemas stands in [`super::rules`].

use std::sync::Arc;

use http::StatusCode;
use model::Resource;
use model::kinds::KindName;
use serde_json::Value;

use super::super::create::refuse_while_ending;
use super::super::options::ListOptions;
use super::super::patch::force;
use super::super::view::{ListMeta, View};
use super::super::{Asked, Selection, delete as deleting};
use super::rules::{self, Fit};
use super::{current, failed, read, resource, rows, value};
use crate::api::answer::Answer;
use crate::api::incoming;
use crate::api::state::State;
use crate::objects::media::PatchKind;
use crate::objects::status::{self, About, Status};
use crate::objects::{self, Admitted, Verdict, body};
use crate::store::Expect;
use crate::store::customers::{Key, Row, RowSet, RowWrite, Written};

/// Most rows that are deleted together with what they belong to.
const CHILDREN_MAX: usize = 10_000;

/// Answers a create.
pub async fn create(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let (view, manager, dry_run) = (View::of(asked, &state.clock)?, asked.manager()?, asked.query.dry_run()?);
    let request = asked.request(state, &manager)?;
    let body = incoming::read(&asked.headers, &asked.body)?;
    let makes_up_name =
        body.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().is_empty();
    for _ in 0..state.limits.name_tries_max {
        let admitted = objects::create(&request, body.clone())?;
        let about = About::new(asked.kind, admitted.resource.key.name.as_str());
        refuse_while_ending(state, asked, about)?;
        may_change(state, asked, None, &admitted)?;
        let fit = rules::fit(state, asked.kind, admitted.object.clone(), None).await?;
        let name = admitted.resource.key.name.as_str();
        match put(state, asked, &admitted, fit, None, dry_run).await? {
            Put::Done(object) => {
                let warnings = admitted.warnings.iter().map(String::as_str);
                return Ok(Answer::json(StatusCode::CREATED, view.value(object)).warning(warnings));
            }
            Put::Conflict if !makes_up_name => {
                return Err(Status::already_exists(About::new(asked.kind, name)));
            }
            Put::Conflict => {}
        }
    }
    Err(Status::generated_name_taken(asked.about()))
}

/// Answers a replace.
pub async fn replace(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let manager = asked.manager()?;
    let request = asked.request(state, &manager)?;
    let body = incoming::read(&asked.headers, &asked.body)?;
    change(state, asked, |before| match before {
        Some(before) => objects::update(&request, before, body.clone()),
        None => Err(Status::not_found(asked.about())),
    })
    .await
}

/// Answers a patch.
pub async fn patch(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let kind = PatchKind::of(incoming::content_type(&asked.headers))?;
    let manager = asked.manager()?;
    let force = force(asked, kind)?;
    let request = asked.request(state, &manager)?;
    let body = body::read(kind.encoding(), &asked.body)?;
    change(state, asked, |before| objects::patch(&request, before, kind, body.clone(), force)).await
}

/// Tries again while others are faster, each time from what is there then.
async fn change(
    state: &State,
    asked: &Asked,
    admit: impl Fn(Option<&Value>) -> Result<Admitted, Status>,
) -> Result<Answer, Status> {
    let (view, dry_run) = (View::of(asked, &state.clock)?, asked.query.dry_run()?);
    for _ in 0..state.limits.patch_tries_max {
        let row = current(state, asked).await?;
        let before = row.as_ref().map(value).transpose()?;
        let admitted = admit(before.as_ref())?;
        let code = if row.is_none() { StatusCode::CREATED } else { StatusCode::OK };
        if row.is_none() {
            refuse_while_ending(state, asked, asked.about())?;
        }
        may_change(state, asked, row.as_ref(), &admitted)?;
        let warnings = || admitted.warnings.iter().map(String::as_str);
        if admitted.verdict == Verdict::Unchanged {
            let object = before.unwrap_or_else(|| admitted.object.clone());
            return Ok(Answer::json(code, view.value(object)).warning(warnings()));
        }
        let fit = rules::fit(state, asked.kind, admitted.object.clone(), row.as_ref()).await?;
        if let Put::Done(object) = put(state, asked, &admitted, fit, row.as_ref(), dry_run).await? {
            return Ok(Answer::json(code, view.value(object)).warning(warnings()));
        }
    }
    Err(Status::modified(asked.about()))
}

enum Put {
    Done(Value),
    Conflict,
}

async fn put(
    state: &State,
    asked: &Asked,
    admitted: &Admitted,
    fit: Fit,
    before: Option<&Row>,
    dry_run: bool,
) -> Result<Put, Status> {
    if dry_run {
        return Ok(Put::Done(fit.object));
    }
    let key = &admitted.resource.key;
    let row = Row {
        kind: asked.kind,
        namespace: admitted.resource.namespace().into(),
        name: key.name.to_arc(),
        uid: admitted.resource.meta.uid.clone().unwrap_or_default(),
        number: 0,
        revision: 0,
        parent: fit.parent,
        owner: fit.owner,
        place: fit.place,
        claim: fit.claim,
        json: fit.object.to_string().into(),
    };
    let expect = before.map_or(Expect::Absent, |before| Expect::Revision(before.revision));
    let name = key.name.as_str();
    match commit(state, asked, Some(name), vec![RowWrite::Put { row, expect, due: fit.due }]).await? {
        Written::Conflict(_) => Ok(Put::Conflict),
        Written::Taken(holder) => Err(rules::taken(About::new(asked.kind, name), &holder)),
        Written::Done(changes) => {
            let written = changes.first().ok_or_else(|| Status::internal_error("nothing was written"))?;
            let mut object = value(&written.row)?;
            if let (Some(key), Some(status)) = (fit.shown_once, object.get_mut("status")) {
                status["key"] = key.reveal().into();
            }
            Ok(Put::Done(object))
        }
    }
}

async fn commit(
    state: &State,
    asked: &Asked,
    name: Option<&str>,
    writes: Vec<RowWrite>,
) -> Result<Written, Status> {
    let permit = &asked.permit;
    let mut wish = permit.wish().clone();
    if let (Some(name), None) = (name, &wish.name) {
        wish.name = Some(name.to_owned());
    }
    let audit = vec![state.audit.entry(&permit.who().name, &wish, "allowed")];
    rows(state)?.write_rows(RowSet { writes, audit }).await.map_err(failed)
}

fn may_change(state: &State, asked: &Asked, before: Option<&Row>, admitted: &Admitted) -> Result<(), Status> {
    let before = before.map(resource).transpose()?;
    let after = (admitted.verdict != Verdict::Remove).then_some(&admitted.resource);
    let may = state.authorizer.may_change(&asked.permit, before.as_deref(), after);
    may.map_err(|why| Status::forbidden(asked.about_named(admitted), &why))
}

/// Answers a delete. What belongs to an application goes with it.
pub async fn delete(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let manager = asked.manager()?;
    let (request, options) = (asked.request(state, &manager)?, deleting::options(asked)?);
    for _ in 0..state.limits.patch_tries_max {
        let row = current(state, asked).await?.ok_or_else(|| Status::not_found(asked.about()))?;
        // Judges what the client has said it deletes; whatever is to be waited for has nobody to wait.
        objects::delete(&request, &value(&row)?, &options)?;
        if options.dry_run || gone(state, asked, &row).await? {
            return Ok(Answer::value(&status::deleted(asked.about(), &row.uid)));
        }
    }
    Err(Status::modified(asked.about()))
}

/// Answers the deletion of all that are picked.
pub async fn delete_collection(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let (view, options) = (View::of(asked, &state.clock)?, deleting::options(asked)?);
    let (selection, list) = (Selection::of(asked)?, ListOptions::parse(&asked.query)?);
    let picked = read::picked(state, asked, &list, &selection).await?;
    for object in &picked.items {
        let key = Key::new(asked.kind, object.namespace(), object.key.name.as_str());
        let found = rows(state)?.row(key).await.map_err(failed)?;
        // Gone meanwhile, or made anew: not what was picked.
        let Some(row) = found.filter(|row| is_same(row, object)) else { continue };
        if !options.dry_run && !gone(state, asked, &row).await? {
            return Err(Status::modified(About::new(asked.kind, &row.name)));
        }
    }
    let meta = ListMeta { revision: picked.revision, next: None, remaining: None };
    Ok(Answer::json(StatusCode::OK, view.list(&picked.items, &meta)))
}

fn is_same(row: &Row, object: &Arc<Resource>) -> bool {
    object.meta.uid.as_deref() == Some(&*row.uid)
}

/// Deletes a row with what belongs to it. Says whether nobody was faster.
async fn gone(state: &State, asked: &Asked, row: &Row) -> Result<bool, Status> {
    let mut writes = Vec::new();
    for kind in rules::goes_with(row.kind) {
        let children = rows(state)?.children(*kind, &row.namespace, &row.name, CHILDREN_MAX).await;
        writes.extend(
            children
                .map_err(failed)?
                .iter()
                .map(|child| RowWrite::Delete { key: child.key(), expect: Expect::Whatever }),
        );
    }
    if row.kind == KindName::Team {
        let left = rows(state)?.children(KindName::Application, &row.namespace, &row.name, 1).await;
        if let Some(left) = left.map_err(failed)?.first() {
            let why =
                format!("application `{}` belongs to it; delete that first, or close the team", left.name);
            return Err(Status::conflict(About::new(row.kind, &row.name), &why));
        }
    }
    writes.push(RowWrite::Delete { key: row.key(), expect: Expect::Revision(row.revision) });
    match commit(state, asked, Some(&row.name), writes).await? {
        Written::Done(_) => Ok(true),
        Written::Conflict(_) | Written::Taken(_) => Ok(false),
    }
}
