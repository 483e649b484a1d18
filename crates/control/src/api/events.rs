//! Events as Kubernetes has them: none, ever, in the shape that a client asked for.
//!
//! What happens to an object is told by its conditions here. But people's clients ask for events beside an object
//! whenever they describe it, and wait for them; so they are told in good form that there are none.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::accept::{self, Shape};
use super::access::{Permit, Verdict};
use super::answer::{Answer, Content};
use super::dispatch::Request;
use super::state::{State, WatchPlace};
use super::verbs::{INITIAL_EVENTS_END, ListOptions, WatchOptions};
use crate::objects::status::Status;
use crate::objects::table::IncludeObject;

/// What paths call them.
pub const EVENTS: &str = "events";

/// The columns that a cluster shows.
const COLUMNS: [&str; 5] = ["Last Seen", "Type", "Reason", "Object", "Message"];

/// `/api/v1/events`, of all namespaces or of one.
pub fn events(state: &Arc<State>, request: &Request) -> Result<Answer, Status> {
    let shape = accept::shape(&request.headers);
    let shape = shape.ok_or_else(|| Status::not_acceptable(&[crate::objects::media::JSON]))?;
    IncludeObject::of(request.query.text("includeObject"))?;
    if request.query.flag("watch")?.unwrap_or(false) {
        return watch(state, request, shape);
    }
    ListOptions::parse(&request.query)?;
    Ok(Answer::json(StatusCode::OK, empty(shape, state.world.now().revision).to_string()))
}

fn empty(shape: Shape, revision: u64) -> Value {
    let metadata = json!({ "resourceVersion": revision.to_string() });
    match shape {
        Shape::Whole => json!({ "kind": "EventList", "apiVersion": "v1", "metadata": metadata, "items": [] }),
        Shape::Metadata => json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": [],
        }),
        Shape::Table => table(metadata),
    }
}

fn table(metadata: Value) -> Value {
    let columns = COLUMNS.map(
        |name| json!({ "name": name, "type": "string", "format": "", "description": "", "priority": 0 }),
    );
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": columns,
        "rows": [],
    })
}

/// A watch that never has anything to tell but how far it is.
fn watch(state: &Arc<State>, request: &Request, shape: Shape) -> Result<Answer, Status> {
    let options = WatchOptions::parse(&request.query)?;
    let permit = request.permit.clone().ok_or_else(Status::unauthorized)?;
    let place = state.watches.admit(&permit.who().name, state.limits.watches_per_user_max)?;
    let now = Instant::now();
    let silence = Silence {
        stopping: state.stopping.clone(),
        permit,
        shape,
        begins: options.initial_ends,
        bookmarks: options.bookmarks,
        ends_at: now + options.lasts.unwrap_or(state.limits.watch_timeout).min(state.limits.watch_timeout),
        state: Arc::clone(state),
        _place: place,
    };
    let pieces = stream::unfold(Some(silence), |silence| async {
        let mut silence = silence?;
        match silence.next().await {
            Some(Ok(piece)) => Some((piece, Some(silence))),
            Some(Err(last)) => Some((last, None)),
            None => None,
        }
    });
    Ok(Answer::new(StatusCode::OK, Content::Events(Box::pin(pieces))))
}

struct Silence {
    state: Arc<State>,
    stopping: watch::Receiver<bool>,
    permit: Permit,
    shape: Shape,
    /// Whether it is still to be told that this is everything.
    begins: bool,
    bookmarks: bool,
    ends_at: Instant,
    _place: WatchPlace,
}

impl Silence {
    /// The next sign of life, the last one as an error; or the end.
    async fn next(&mut self) -> Option<Result<Bytes, Bytes>> {
        if std::mem::take(&mut self.begins) {
            return Some(Ok(self.bookmark(true)));
        }
        loop {
            let look_at = Instant::now() + self.state.limits.bookmark_every;
            tokio::select! {
                () = sleep_until(self.ends_at) => return None,
                _ = self.stopping.wait_for(|stop| *stop) => return None,
                () = sleep_until(look_at) => {}
            }
            if let Verdict::Denied(_) = self.state.authorizer.judge(self.permit.who(), self.permit.wish()) {
                let why = "the permission to watch has been withdrawn";
                let status = Status::forbidden_resource(EVENTS, why);
                return Some(Err(line("ERROR", &status.body())));
            }
            if self.bookmarks {
                return Some(Ok(self.bookmark(false)));
            }
        }
    }

    fn bookmark(&self, ends_initial: bool) -> Bytes {
        let revision = self.state.world.now().revision.to_string();
        let mut metadata = json!({ "resourceVersion": revision, "creationTimestamp": null });
        if ends_initial {
            metadata["annotations"] = json!({ INITIAL_EVENTS_END: "true" });
        }
        let object = match self.shape {
            Shape::Whole => json!({ "kind": "Event", "apiVersion": "v1", "metadata": metadata }),
            Shape::Metadata => {
                json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata })
            }
            Shape::Table => table(metadata),
        };
        line("BOOKMARK", &object)
    }
}

fn line(what: &str, object: &Value) -> Bytes {
    format!("{}\n", json!({ "type": what, "object": object })).into()
}
