//! Changes of customers, in order, for as long as the client wants. Nothing is kept in memory for anybody: a watch is a
//! number, and what came after it is read from the store when the client has taken what came before.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use model::{Resource, yaml};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::options::{ListOptions, WatchOptions};
use super::super::view::View;
use super::super::{Asked, Selection};
use super::{failed, numbered, read, rows};
use crate::api::access::{Permit, Verdict};
use crate::api::answer::{Answer, Content};
use crate::api::state::{State, WatchPlace};
use crate::objects::status::{About, Status};
use crate::store::customers::RowChange;
use crate::store::{Revision, StoreError};

/// Answers a watch.
pub async fn watch(state: &Arc<State>, asked: &Asked) -> Result<Answer, Status> {
    let options = WatchOptions::parse(&asked.query)?;
    let (selection, view) = (Selection::of(asked)?, View::of(asked, &state.clock)?);
    let place = state.watches.admit(&asked.permit.who().name, state.limits.watches_per_user_max)?;
    let mut first = String::new();
    let after = match options.after.filter(|after| *after > 0) {
        _ if options.initial => {
            let list = ListOptions::parse(&crate::api::query::Query::parse("")?)?;
            let picked = read::picked(state, asked, &list, &selection).await?;
            for object in &picked.items {
                write(&mut first, &view, "ADDED", object, None);
            }
            if options.initial_ends {
                first.push_str(&bookmark(&view, picked.revision, true));
            }
            picked.revision
        }
        Some(after) => {
            rows(state)?.row_changes(after, 1).await.map_err(|error| too_old(after, error))?;
            after
        }
        None => rows(state)?.row_epoch().await.map_err(failed)?,
    };
    let now = Instant::now();
    let watching = Watching {
        stopping: state.stopping.clone(),
        permit: asked.permit.clone(),
        about: asked.kind,
        view,
        selection,
        after,
        first: Some(first).filter(|first| !first.is_empty()),
        bookmarks: options.bookmarks,
        ends_at: now + options.lasts.unwrap_or(state.limits.watch_timeout).min(state.limits.watch_timeout),
        look_at: now + state.limits.bookmark_every,
        state: Arc::clone(state),
        _place: place,
    };
    let events = stream::unfold(Some(watching), |watching| async {
        let mut watching = watching?;
        match watching.next().await {
            Ok(Some(piece)) => Some((piece, Some(watching))),
            Ok(None) => None,
            Err(status) => Some((error(&status), None)),
        }
    });
    Ok(Answer::new(StatusCode::OK, Content::Events(Box::pin(events))))
}

/// A watch under way.
struct Watching {
    state: Arc<State>,
    stopping: watch::Receiver<bool>,
    permit: Permit,
    about: model::kinds::KindName,
    view: View,
    selection: Selection,
    /// Everything up to here has been told.
    after: Revision,
    first: Option<String>,
    bookmarks: bool,
    ends_at: Instant,
    /// When to send a bookmark, and to ask whether the watch is still allowed.
    look_at: Instant,
    _place: WatchPlace,
}

impl Watching {
    /// The next piece; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first.into()));
        }
        loop {
            if let Some(piece) = self.news().await? {
                return Ok(Some(piece));
            }
            let (state, after, ends_at) = (Arc::clone(&self.state), self.after, self.ends_at);
            let waited = async move { rows(&state)?.wait_rows(after).await.map_err(failed) };
            tokio::select! {
                waited = waited => waited?,
                () = tokio::time::sleep_until(ends_at) => return Ok(None),
                _ = self.stopping.wait_for(|stop| *stop) => return Ok(None),
            }
            if Instant::now() >= self.look_at
                && let Some(piece) = self.look()?
            {
                return Ok(Some(piece));
            }
        }
    }

    /// What has happened since, as far as it concerns this watch.
    async fn news(&mut self) -> Result<Option<Bytes>, Status> {
        let most = self.state.limits.watch_events_max;
        let changes = rows(&self.state)?.row_changes(self.after, most).await;
        let changes = changes.map_err(|error| too_old(self.after, error))?;
        let mut piece = String::new();
        for change in &changes {
            if change.row.kind == self.about {
                self.tell(&mut piece, change)?;
            }
            self.after = change.row.revision;
        }
        Ok((!piece.is_empty()).then(|| piece.into()))
    }

    /// An object that begins to be picked is added, and one that no longer is picked is deleted, whatever really
    /// happened to it.
    fn tell(&self, piece: &mut String, change: &RowChange) -> Result<(), Status> {
        let revision = change.row.revision;
        let before = change.before.as_deref().map(|json| typed(json, revision)).transpose()?;
        let after = (!change.is_gone).then(|| typed(&change.row.json, revision)).transpose()?;
        let picked = |object: &Option<Resource>| object.as_ref().is_some_and(|it| self.selection.picks(it));
        match (picked(&before), picked(&after), before, after) {
            (false, true, _, Some(after)) => write(piece, &self.view, "ADDED", &after, None),
            (true, true, _, Some(after)) => write(piece, &self.view, "MODIFIED", &after, None),
            (true, false, Some(before), _) => write(piece, &self.view, "DELETED", &before, Some(revision)),
            (..) => {}
        }
        Ok(())
    }

    /// Whether it is still allowed, and a sign of life.
    fn look(&mut self) -> Result<Option<Bytes>, Status> {
        self.look_at = Instant::now() + self.state.limits.bookmark_every;
        if let Verdict::Denied(_) = self.state.authorizer.judge(self.permit.who(), self.permit.wish()) {
            let why = "the permission to watch has been withdrawn";
            return Err(Status::forbidden(About::new(self.about, ""), why));
        }
        Ok(self.bookmarks.then(|| bookmark(&self.view, self.after, false).into()))
    }
}

fn too_old(after: Revision, error: StoreError) -> Status {
    match error {
        StoreError::Compacted { compacted } => Status::too_old(after, compacted),
        other => failed(other),
    }
}

fn typed(json: &str, revision: Revision) -> Result<Resource, Status> {
    yaml::read_value(numbered(json, revision)?).map_err(|_| Status::internal_error("a row cannot be read"))
}

fn write(piece: &mut String, view: &View, what: &str, object: &Resource, revision: Option<Revision>) {
    let object = view.resource(object, revision);
    piece.push_str(&format!("{{\"type\":\"{what}\",\"object\":{object}}}\n"));
}

fn bookmark(view: &View, revision: Revision, ends_initial: bool) -> String {
    format!("{{\"type\":\"BOOKMARK\",\"object\":{}}}\n", view.bookmark(revision, ends_initial))
}

fn error(status: &Status) -> Bytes {
    format!("{}\n", json!({ "type": "ERROR", "object": status.body() })).into()
}
