//! One of the customers, or a page of them.

use std::sync::Arc;

use http::StatusCode;
use model::Resource;

use super::super::options::{Continue, ListOptions};
use super::super::view::{ListMeta, View};
use super::super::{Asked, Selection, past};
use super::{current, failed, resource, rows};
use crate::api::answer::Answer;
use crate::api::state::State;
use crate::objects::status::Status;
use crate::store::Revision;
use crate::store::customers::Page;

/// Rows that are read at once, of which some are picked.
const PAGE_ROWS: usize = 1_000;

/// Answers a get.
pub async fn get(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let view = View::of(asked, &state.clock)?;
    let row = current(state, asked).await?.ok_or_else(|| Status::not_found(asked.about()))?;
    Ok(Answer::json(StatusCode::OK, view.resource(&*resource(&row)?, None)))
}

/// Answers a list.
pub async fn list(state: &State, asked: &Asked) -> Result<Answer, Status> {
    let options = ListOptions::parse(&asked.query)?;
    let (selection, view) = (Selection::of(asked)?, View::of(asked, &state.clock)?);
    let picked = picked(state, asked, &options, &selection).await?;
    let meta = ListMeta {
        revision: picked.revision,
        next: picked.next.as_ref().map(Continue::token),
        remaining: None,
    };
    Ok(Answer::json(StatusCode::OK, view.list(&picked.items, &meta)))
}

/// What a list has found.
pub struct Picked {
    pub revision: Revision,
    pub items: Vec<Arc<Resource>>,
    pub next: Option<Continue>,
}

/// Reads page after page until enough are picked. The answer is at most as long as any other list.
pub async fn picked(
    state: &State,
    asked: &Asked,
    options: &ListOptions,
    selection: &Selection,
) -> Result<Picked, Status> {
    let limits = &state.limits;
    let most = options.limit.unwrap_or(usize::MAX).min(limits.list_objects_max);
    let mut found = Picked { revision: 0, items: Vec::new(), next: None };
    let (mut after, mut bytes) = (options.from.as_ref().map(|from| from.after.clone()), 0);
    loop {
        let page = Page {
            kind: asked.kind,
            namespace: asked.namespace.as_deref().map(Into::into),
            after: after.as_ref().map(|(namespace, name)| (namespace.as_str().into(), name.as_str().into())),
            limit: PAGE_ROWS,
        };
        let (revision, page) = rows(state)?.page(page).await.map_err(failed)?;
        found.revision = revision;
        for row in &page {
            let object = resource(row)?;
            if !selection.picks(&object) {
                continue;
            }
            bytes += row.json.len();
            if found.items.len() >= most || (bytes > limits.list_bytes_max && !found.items.is_empty()) {
                let last = found.items.last().map(|last| past::place(&last.key)).unwrap_or_default();
                found.next = Some(Continue { revision, after: last });
                return whole(found, options, limits.list_bytes_max);
            }
            found.items.push(object);
        }
        match page.last() {
            Some(last) if page.len() == PAGE_ROWS => {
                after = Some((last.namespace.to_string(), last.name.to_string()));
            }
            Some(_) | None => return Ok(found),
        }
    }
}

/// Who did not ask for chunks would take the first one for everything.
fn whole(found: Picked, options: &ListOptions, bytes_max: usize) -> Result<Picked, Status> {
    match options.limit {
        Some(_) => Ok(found),
        None => Err(Status::request_entity_too_large(bytes_max)
            .because("the list is too long to be sent at once: use `limit` and `continue`")),
    }
}
