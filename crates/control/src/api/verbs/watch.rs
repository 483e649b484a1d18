//! Watches: every change after a revision, in order, for as long as the client wants.
//!
//! Nothing is queued for anybody. A watch is a place in the world's own line of events, and the next piece is made
//! when the client has taken the one before. Who is too slow finds the line has moved on, and is told 410.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use model::Resource;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::list::reach;
use super::options::WatchOptions;
use super::past;
use super::view::View;
use super::{Asked, Selection};
use crate::api::access::{Permit, Verdict};
use crate::api::answer::{Answer, Content};
use crate::api::state::{State, WatchPlace};
use crate::objects::status::{About, Status};
use crate::store::Revision;
use crate::world::Event;

/// Objects that go into one piece while everything there is is told.
const INITIAL_PIECE_OBJECTS: usize = 100;

/// Answers a watch.
pub async fn watch(state: &Arc<State>, asked: &Asked) -> Result<Answer, Status> {
    let options = WatchOptions::parse(&asked.query)?;
    let (selection, view) = (Selection::of(asked)?, View::of(asked, &state.clock)?);
    let place = state.watches.admit(&asked.permit.who().name, state.limits.watches_per_user_max)?;
    let after = options.after.unwrap_or(0);
    reach(state, after).await?;
    let (after, initial) = if options.initial {
        let objects = past::now(&state.world, asked.kind);
        let picked = objects.items.into_iter().filter(|object| selection.picks(object));
        (objects.revision, picked.collect())
    } else if after == 0 {
        (state.world.now().revision, Vec::new())
    } else {
        // Known before the head is sent, so that a client which is too far behind hears it as an answer.
        state.world.events(after, 1).map_err(|gone| Status::too_old(after, gone.forgotten))?;
        (after, Vec::new())
    };
    let now = Instant::now();
    let watching = Watching {
        seen: state.world.subscribe(),
        stopping: state.stopping.clone(),
        permit: asked.permit.clone(),
        about: asked.kind,
        view,
        selection,
        after,
        initial: initial.into_iter(),
        initial_ends: options.initial_ends,
        bookmarks: options.bookmarks,
        ends_at: now + options.lasts.unwrap_or(state.limits.watch_timeout).min(state.limits.watch_timeout),
        look_at: now + state.limits.bookmark_every,
        state: Arc::clone(state),
        _place: place,
    };
    let events = stream::unfold(Some(watching), |watching| async {
        let mut watching = watching?;
        match watching.next().await {
            Next::Piece(piece) => Some((piece, Some(watching))),
            Next::Last(piece) => Some((piece, None)),
            Next::End => None,
        }
    });
    Ok(Answer::new(StatusCode::OK, Content::Events(Box::pin(events))))
}

/// A watch under way.
struct Watching {
    state: Arc<State>,
    seen: watch::Receiver<Revision>,
    stopping: watch::Receiver<bool>,
    permit: Permit,
    about: model::kinds::KindName,
    view: View,
    selection: Selection,
    /// Everything up to here has been told.
    after: Revision,
    initial: std::vec::IntoIter<Arc<Resource>>,
    initial_ends: bool,
    bookmarks: bool,
    ends_at: Instant,
    /// When to send a bookmark, and to ask whether the watch is still allowed.
    look_at: Instant,
    _place: WatchPlace,
}

enum Next {
    Piece(Bytes),
    Last(Bytes),
    End,
}

enum Woken {
    News,
    Look,
    End,
}

impl Watching {
    async fn next(&mut self) -> Next {
        if let Some(piece) = self.initial_piece() {
            return Next::Piece(piece);
        }
        loop {
            // Marked as seen first: what comes while we look wakes us at once.
            self.seen.borrow_and_update();
            match self.news() {
                Ok(Some(piece)) => return Next::Piece(piece),
                Ok(None) => {}
                Err(status) => return Next::Last(error(&status)),
            }
            if self.state.world.now().revision > self.after {
                continue;
            }
            match self.wait().await {
                Woken::News => {}
                Woken::End => return Next::End,
                Woken::Look => match self.look() {
                    Ok(Some(piece)) => return Next::Piece(piece),
                    Ok(None) => {}
                    Err(status) => return Next::Last(error(&status)),
                },
            }
        }
    }

    fn initial_piece(&mut self) -> Option<Bytes> {
        let objects: Vec<Arc<Resource>> = self.initial.by_ref().take(INITIAL_PIECE_OBJECTS).collect();
        let mut piece = String::new();
        for object in &objects {
            self.write(&mut piece, "ADDED", object, None);
        }
        if self.initial.len() == 0 && std::mem::take(&mut self.initial_ends) {
            self.write_bookmark(&mut piece, true);
        }
        (!piece.is_empty()).then(|| piece.into())
    }

    /// What has happened since, as far as it concerns this watch.
    fn news(&mut self) -> Result<Option<Bytes>, Status> {
        let most = self.state.limits.watch_events_max;
        let events = self.state.world.events(self.after, most);
        let events = events.map_err(|gone| Status::too_old(self.after, gone.forgotten))?;
        let mut piece = String::new();
        for event in &events {
            self.tell(&mut piece, event);
            self.after = event.revision;
        }
        Ok((!piece.is_empty()).then(|| piece.into()))
    }

    /// An object that begins to be picked is added, and one that no longer is picked is deleted, whatever really
    /// happened to it.
    fn tell(&self, piece: &mut String, event: &Event) {
        let picked =
            |object: &Option<Arc<Resource>>| object.as_ref().filter(|it| self.selection.picks(it)).cloned();
        match (picked(&event.before), picked(&event.after)) {
            (None, None) => {}
            (None, Some(after)) => self.write(piece, "ADDED", &after, None),
            (Some(_), Some(after)) => self.write(piece, "MODIFIED", &after, None),
            (Some(before), None) => self.write(piece, "DELETED", &before, Some(event.revision)),
        }
    }

    async fn wait(&mut self) -> Woken {
        tokio::select! {
            seen = self.seen.changed() => if seen.is_ok() { Woken::News } else { Woken::End },
            () = sleep_until(self.ends_at) => Woken::End,
            () = sleep_until(self.look_at) => Woken::Look,
            _ = self.stopping.wait_for(|stop| *stop) => Woken::End,
        }
    }

    /// Whether it is still allowed, and a sign of life.
    fn look(&mut self) -> Result<Option<Bytes>, Status> {
        self.look_at = Instant::now() + self.state.limits.bookmark_every;
        if let Verdict::Denied(_) = self.state.authorizer.judge(self.permit.who(), self.permit.wish()) {
            let why = "the permission to watch has been withdrawn";
            return Err(Status::forbidden(About::new(self.about, ""), why));
        }
        let mut piece = String::new();
        if self.bookmarks {
            self.write_bookmark(&mut piece, false);
        }
        Ok((!piece.is_empty()).then(|| piece.into()))
    }

    fn write(&self, piece: &mut String, what: &str, object: &Resource, revision: Option<Revision>) {
        let object = self.view.resource(object, revision);
        piece.push_str(&format!("{{\"type\":\"{what}\",\"object\":{object}}}\n"));
    }

    fn write_bookmark(&self, piece: &mut String, ends_initial: bool) {
        let object = self.view.bookmark(self.after, ends_initial);
        piece.push_str(&format!("{{\"type\":\"BOOKMARK\",\"object\":{object}}}\n"));
    }
}

fn error(status: &Status) -> Bytes {
    format!("{}\n", json!({ "type": "ERROR", "object": status.body() })).into()
}
