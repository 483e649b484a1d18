//! What a list or a watch asks for, and which combinations of it make sense.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::query::Query;
use crate::objects::status::Status;
use crate::store::Revision;

/// Which moment is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The newest.
    Newest,
    /// Any that is not older than this.
    NotOlderThan(Revision),
    /// Exactly this one.
    Exactly(Revision),
}

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continue {
    /// The moment of its first chunk.
    pub revision: Revision,
    /// Namespace and name of the last object that was sent.
    pub after: (String, String),
}

impl Continue {
    /// As clients carry it.
    #[must_use]
    pub fn token(&self) -> String {
        let Continue { revision, after: (namespace, name) } = self;
        URL_SAFE_NO_PAD.encode(json!([revision, namespace, name]).to_string())
    }

    fn parse(token: &str) -> Result<Continue, Status> {
        let wrong = || Status::bad_request("continue key is not valid");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let tree: Value = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        let text = |at: usize| tree.get(at).and_then(Value::as_str).map(str::to_owned).ok_or_else(wrong);
        let revision = tree.get(0).and_then(Value::as_u64).ok_or_else(wrong)?;
        Ok(Continue { revision, after: (text(1)?, text(2)?) })
    }
}

/// What a list asks for besides selectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOptions {
    /// The moment.
    pub at: At,
    /// Where it goes on.
    pub from: Option<Continue>,
    /// Most objects in one answer.
    pub limit: Option<usize>,
}

impl ListOptions {
    /// Reads them.
    pub fn parse(query: &Query) -> Result<ListOptions, Status> {
        let limit = query.number("limit")?.filter(|limit| *limit > 0);
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let from = query.text("continue").map(Continue::parse).transpose()?;
        let (revision, matching) = (revision(query)?, query.text("resourceVersionMatch"));
        if from.is_some() && (matching.is_some() || revision.is_some_and(|revision| revision != 0)) {
            return Err(Status::bad_request(
                "`resourceVersion` and `resourceVersionMatch` are not for a list that is continued",
            ));
        }
        let at = match (revision, matching) {
            (None, Some(_)) => {
                return Err(Status::bad_request("`resourceVersionMatch` needs a `resourceVersion`"));
            }
            (Some(0), Some("Exact")) => {
                return Err(Status::bad_request("there is no `resourceVersion` 0 to match exactly"));
            }
            (Some(revision), Some("Exact")) => At::Exactly(revision),
            // What the first chunks of old clients mean.
            (Some(revision), None) if limit.is_some() && revision != 0 => At::Exactly(revision),
            (Some(revision), None | Some("NotOlderThan")) => At::NotOlderThan(revision),
            (None, None) => At::Newest,
            (Some(_), Some(other)) => {
                let problem = format!("`resourceVersionMatch={other}`: use `Exact` or `NotOlderThan`");
                return Err(Status::bad_request(problem));
            }
        };
        Ok(ListOptions { at, from, limit })
    }
}

/// What a watch asks for besides selectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// After which revision.
    pub after: Option<Revision>,
    /// Whether everything there is comes first.
    pub initial: bool,
    /// Whether a bookmark tells that this has been everything.
    pub initial_ends: bool,
    /// Whether bookmarks are wanted.
    pub bookmarks: bool,
    /// How long it lasts.
    pub lasts: Option<Duration>,
}

impl WatchOptions {
    /// Reads them.
    pub fn parse(query: &Query) -> Result<WatchOptions, Status> {
        let initial = query.flag("sendInitialEvents")?;
        match (initial, query.text("resourceVersionMatch")) {
            (None, Some(_)) => {
                let problem = "`resourceVersionMatch` is for a watch with `sendInitialEvents` only";
                return Err(Status::bad_request(problem));
            }
            (Some(_), Some("NotOlderThan")) | (None, None) => {}
            (Some(_), _) => {
                let problem = "`sendInitialEvents` needs `resourceVersionMatch=NotOlderThan`";
                return Err(Status::bad_request(problem));
            }
        }
        let (after, bookmarks) = (revision(query)?, query.flag("allowWatchBookmarks")?.unwrap_or(false));
        Ok(WatchOptions {
            after,
            // Who names no revision and does not say has always been told everything first.
            initial: initial.unwrap_or(after.is_none_or(|after| after == 0)),
            initial_ends: initial == Some(true) && bookmarks,
            bookmarks,
            lasts: query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0).map(Duration::from_secs),
        })
    }
}

fn revision(query: &Query) -> Result<Option<Revision>, Status> {
    let Some(text) = query.text("resourceVersion") else { return Ok(None) };
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| Status::bad_request(format!("`resourceVersion={text}`: use one that was given by us")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(query: &str) -> Result<ListOptions, Status> {
        ListOptions::parse(&Query::parse(query)?)
    }

    fn watch(query: &str) -> Result<WatchOptions, Status> {
        WatchOptions::parse(&Query::parse(query)?)
    }

    #[test]
    fn a_list_means_the_newest_moment_unless_it_says_otherwise() {
        let at = |query: &str| list(query).map(|options| options.at).ok();

        assert_eq!(at(""), Some(At::Newest));
        assert_eq!(at("resourceVersion=0"), Some(At::NotOlderThan(0)));
        assert_eq!(at("resourceVersion=7&limit=500"), Some(At::Exactly(7)));
        assert_eq!(at("resourceVersion=7"), Some(At::NotOlderThan(7)));
        assert_eq!(at("resourceVersion=7&resourceVersionMatch=Exact"), Some(At::Exactly(7)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for query in [
            "resourceVersionMatch=Exact",
            "resourceVersion=0&resourceVersionMatch=Exact",
            "resourceVersion=7&resourceVersionMatch=Newest",
            "resourceVersion=abc",
            "continue=abc",
        ] {
            assert_eq!(list(query).expect_err(query).code(), 400);
        }
        for query in ["sendInitialEvents=true", "resourceVersionMatch=NotOlderThan"] {
            assert_eq!(watch(query).expect_err(query).code(), 400);
        }
    }

    #[test]
    fn a_list_goes_on_where_it_stopped() {
        let from = Continue { revision: 9, after: ("shop".into(), "cart".into()) };

        let token = from.token();

        assert_eq!(list(&format!("limit=2&continue={token}")).expect("sound").from, Some(from));
        let refused = list(&format!("continue={token}&resourceVersion=3")).expect_err("two moments");
        assert_eq!(refused.code(), 400);
    }

    #[test]
    fn a_watch_may_ask_for_everything_first() {
        let options = watch(
            "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=5",
        );

        let options = options.expect("sound");
        assert!(options.initial && options.initial_ends && options.bookmarks);
        assert_eq!(options.lasts, Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_watch_without_a_revision_begins_with_everything_and_one_with_a_revision_goes_on() {
        let initial = |query: &str| watch(query).map(|options| options.initial).ok();

        assert_eq!(initial(""), Some(true));
        assert_eq!(initial("resourceVersion=0"), Some(true));
        assert_eq!(initial("resourceVersion=5"), Some(false));
        assert_eq!(initial("sendInitialEvents=false&resourceVersionMatch=NotOlderThan"), Some(false));
    }
}
