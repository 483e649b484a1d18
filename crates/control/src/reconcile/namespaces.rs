//! A namespace that is deleted takes along what is in it, and one that is used needs no declaration.
//!
//! Deleting marks the namespace and leaves a finalizer; here its contents are deleted, and when nothing is left, not
//! even what waits for finalizers of its own, the namespace is let go. A namespace in which somebody has made something
//! is declared here, because clients ask for it before they look into it; so is `default`, as everywhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::Resource;
use model::kinds::{KindName, Namespace};
use serde_json::{Value, json};

use super::driver::{Reconcile, Run, Summary};
use super::write::{Change, Writer};
use crate::api::CONTENTS;
use crate::store::{Fence, StoreError};
use crate::world::{Event, Moment};

/// Most objects that one run deletes; the next follows at once.
const CHANGES_MAX: usize = 500;

/// The loop.
#[derive(Debug)]
pub struct Namespaces {
    writer: Writer,
}

impl Namespaces {
    /// The loop over the objects of a writer's world.
    #[must_use]
    pub fn new(writer: Writer) -> Namespaces {
        Namespaces { writer }
    }

    async fn sweep(&self, fence: &Fence) -> Result<Summary, StoreError> {
        let moment = self.writer.world().now();
        let mut changes: Vec<Change> =
            ending(&moment).iter().flat_map(|(namespace, value)| empty(&moment, namespace, value)).collect();
        let more = changes.len() > CHANGES_MAX;
        changes.truncate(CHANGES_MAX);
        let written = self.writer.write(fence, changes, more).await?;
        let declared = self.writer.create(fence, KindName::Namespace, undeclared(&moment)).await?;
        Ok(Summary {
            writes: written.writes + declared.writes,
            refused: written.refused + declared.refused,
            more: written.more || declared.more,
        })
    }
}

impl Reconcile for Namespaces {
    fn run<'a>(&'a self, fence: &'a Fence) -> Run<'a> {
        Box::pin(self.sweep(fence))
    }

    fn concerns(&self, event: &Event) -> bool {
        match &event.after {
            // The last object of a namespace may have gone.
            None => true,
            // The first one may have come.
            Some(after) => event.before.is_none() || after.content::<Namespace>().is_some(),
        }
    }
}

/// Namespaces that are going away.
fn ending(moment: &Moment) -> Vec<(Arc<Resource>, Value)> {
    let all = moment.resources.all::<Namespace>().map(|namespace| Arc::clone(namespace.resource));
    all.map(|namespace| {
        let value = namespace.written.value();
        (namespace, value)
    })
    .filter(|(_, value)| value.pointer("/metadata/deletionTimestamp").is_some())
    .collect()
}

/// Namespaces that are used, and `default`, as far as they are not there.
fn undeclared(moment: &Moment) -> Vec<Value> {
    let used = moment.resources.iter().map(|object| object.namespace()).filter(|name| !name.is_empty());
    let used: BTreeSet<&str> = used.chain(["default"]).collect();
    used.into_iter()
        .filter(|name| moment.resources.find::<Namespace>("", name).is_none())
        .take(CHANGES_MAX)
        .map(|name| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } }))
        .collect()
}

fn empty(moment: &Moment, namespace: &Arc<Resource>, value: &Value) -> Vec<Change> {
    let name = namespace.key.name.as_str();
    let contents: Vec<&Arc<Resource>> =
        moment.resources.iter().filter(|object| object.namespace() == name).collect();
    if contents.is_empty() {
        return vec![Change::without_finalizers(namespace, value, &[CONTENTS])];
    }
    let is_ending = |object: &Resource| object.written.json().contains("\"deletionTimestamp\"");
    contents
        .into_iter()
        .filter(|object| !is_ending(object))
        .map(|object| Change::delete(object, None))
        .collect()
}
