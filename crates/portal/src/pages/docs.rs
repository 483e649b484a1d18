//! The pages for everybody: which APIs there are, and the reference of one. Nobody logs in for them.
//!
//! Reading a description takes time, and strangers ask for these pages, so what was read is kept: a revision never
//! changes, and each is read once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;

use super::{Frame, absent, page};
use crate::api::{Api, Asking, Trouble};
use crate::facts::apis::Reference;
use crate::facts::catalogue::{CATALOGUE, Entry};
use crate::facts::{segment, text};
use bytes::Bytes;
use http::Response;
use serde_json::Value;

/// References that are kept; past it all are read anew.
const KEPT_MAX: usize = 1_000;

/// What was read of revisions, by UID and address: curl lines name the address.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<HashMap<(String, String), Arc<Reference>>>);

impl Shelf {
    /// The reference of a revision that is called at an address. Whoever reads one that nobody has read yet does it
    /// alone: many strangers at once take the time of one.
    fn reference(&self, revision: &Value, called: &str) -> Arc<Reference> {
        let key = (text(&revision["metadata"]["uid"]), called.to_owned());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(&key) {
            return Arc::clone(known);
        }
        let read = Arc::new(Reference::of(revision, called));
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, Arc::clone(&read));
        read
    }
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Docs {
    frame: Frame,
    entries: Vec<Entry>,
    has_failed: bool,
}

/// All of them.
pub async fn docs(frame: Frame, api: &dyn Api, here: &str) -> Response<Bytes> {
    let listed = Asking { api, token: "" }.one(CATALOGUE).await;
    let has_failed = listed.is_err();
    let items = listed.map(|mut list| list["items"].take()).unwrap_or_default();
    let entries = items.as_array().into_iter().flatten().map(|one| Entry::of(one, here)).collect();
    page(&Docs { frame: frame.outside(), entries, has_failed })
}

#[derive(Template)]
#[template(path = "docs_api.html")]
struct OneDocs {
    frame: Frame,
    entry: Entry,
    reference: Arc<Reference>,
}

/// One of them. One that is not for everybody is answered like one that is not there.
pub async fn docs_of(
    frame: Frame,
    api: &dyn Api,
    shelf: &Shelf,
    (namespace, name): (&str, &str),
    here: &str,
) -> Response<Bytes> {
    let path = format!("{CATALOGUE}/{}/{}", segment(namespace), segment(name));
    let found = match (Asking { api, token: "" }).one(&path).await {
        Ok(found) => found,
        Err(Trouble::Unknown | Trouble::Denied | Trouble::Absent | Trouble::Failed(_)) => {
            return absent(frame.outside());
        }
    };
    let entry = Entry::of(&found, here);
    let called = entry.servers.first().map_or("", String::as_str);
    let reference = shelf.reference(&found["revision"], called);
    page(&OneDocs { frame: frame.outside(), entry, reference })
}
