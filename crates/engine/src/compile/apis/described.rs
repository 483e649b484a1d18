//! Descriptions, each read once.
//!
//! The only file here that knows how a description is read; all others see operations.

use std::collections::HashMap;
use std::sync::Arc;

use model::kinds::ApiRevision;
use model::{Resource, ResourceKey, Resources};

/// The operations of one revision, by template and method.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) operations: Vec<Arc<apis::Operation>>,
}

impl Described {
    /// Whether some operation has this key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.operations.iter().any(|operation| operation.key.as_str() == key)
    }

    /// Keys that are like this one, for whoever slipped.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(|operation| operation.key.as_str())
    }
}

type Read = Result<Arc<Described>, Arc<[apis::Problem]>>;

/// What was read, by revision.
#[derive(Debug, Default)]
pub(super) struct Descriptions {
    read: HashMap<ResourceKey, (Arc<Resource>, Read)>,
}

impl Descriptions {
    /// The operations of a revision, or everything that is wrong with its documents. An object that says what the one
    /// before said is not read again.
    pub(super) fn read(&mut self, revision: &Arc<Resource>) -> Read {
        if let Some((known, read)) = self.read.get(&revision.key)
            && (Arc::ptr_eq(known, revision) || known.kind == revision.kind)
        {
            return read.clone();
        }
        let read = read(revision.content::<ApiRevision>());
        self.read.insert(revision.key.clone(), (revision.clone(), read.clone()));
        read
    }

    /// Forgets revisions that are gone.
    pub(super) fn keep(&mut self, resources: &Resources) {
        self.read.retain(|key, _| resources.get(key).is_some());
    }
}

fn read(revision: Option<&ApiRevision>) -> Read {
    let documents = documents_of(revision.map_or(&[][..], |revision| &revision.spec.documents));
    let overlays = documents_of(revision.map_or(&[][..], |revision| &revision.spec.overlays));
    match apis::Description::read_overlaid(&documents, &overlays) {
        Ok(description) => Ok(Arc::new(Described { operations: description.operations })),
        Err(problems) => Err(problems.into()),
    }
}

fn documents_of(written: &[model::kinds::api_revision::Document]) -> Vec<apis::Document> {
    let one = |document: &model::kinds::api_revision::Document| {
        apis::Document::new(document.name.clone(), document.content.clone())
    };
    written.iter().map(one).collect()
}
