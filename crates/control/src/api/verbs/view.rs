//! Objects in the shape that a client asked for.
//!
//! What is kept is JSON text already, so the usual answer, an object as it is, is copied and never parsed.

use std::sync::Arc;

use model::Resource;
use model::kinds::KindName;
use model::units::Moment;
use serde_json::{Value, json};

use super::Asked;
use crate::api::accept::{self, Shape};
use crate::clock::Clock;
use crate::objects::status::Status;
use crate::objects::table::{self, IncludeObject};
use crate::objects::versions;
use crate::store::Revision;

/// The annotation of the bookmark that ends what there is at the beginning of a watch.
pub const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// A shape, for objects of one kind in one version.
#[derive(Clone, Copy, Debug)]
pub struct View {
    kind: KindName,
    version: &'static str,
    shape: Shape,
    /// What comes along with the rows of a table.
    include: IncludeObject,
    /// For the ages in tables.
    now: Moment,
}

/// What a list says of itself.
#[derive(Clone, Debug, Default)]
pub struct ListMeta {
    /// The moment it shows.
    pub revision: Revision,
    /// Where it goes on, if it does.
    pub next: Option<String>,
    /// How many objects are left, if that is known.
    pub remaining: Option<usize>,
}

impl View {
    /// The shape a request asks for.
    pub fn of(asked: &Asked, clock: &Clock) -> Result<View, Status> {
        let shape = accept::shape(&asked.headers);
        let shape = shape.ok_or_else(|| Status::not_acceptable(&[crate::objects::media::JSON]))?;
        let include = IncludeObject::of(asked.query.text("includeObject"))?;
        let now = Moment(clock.seconds());
        Ok(View { kind: asked.kind, version: asked.version, shape, include, now })
    }

    /// One object, as a tree in the version in which it is kept.
    pub fn value(&self, object: Value) -> String {
        self.shaped(self.versioned(object)).to_string()
    }

    /// One object; with a revision that is not its own where it is shown at its end.
    pub fn resource(&self, object: &Resource, revision: Option<Revision>) -> String {
        let is_kept_so = self.version == self.kind.versions()[0];
        if is_kept_so && self.shape == Shape::Whole && revision.is_none() {
            return object.written.json().to_owned();
        }
        let mut value = object.written.value();
        if let (Some(revision), Some(Value::Object(metadata))) = (revision, value.get_mut("metadata")) {
            metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
        }
        self.value(value)
    }

    /// A list.
    pub fn list(&self, items: &[Arc<Resource>], meta: &ListMeta) -> String {
        let (api_version, kind) = match self.shape {
            Shape::Table => {
                let objects = items.iter().map(|object| self.versioned(object.written.value()));
                return self.table(meta.value(), objects).to_string();
            }
            Shape::Whole => (versions::api_version(self.kind, self.version), format!("{}List", self.kind)),
            Shape::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList".to_owned()),
        };
        let items: Vec<String> = items.iter().map(|object| self.resource(object, None)).collect();
        let head = json!({ "apiVersion": api_version, "kind": kind, "metadata": meta.value() }).to_string();
        format!("{},\"items\":[{}]}}", &head[..head.len() - 1], items.join(","))
    }

    /// Tells how far a watch has come.
    pub fn bookmark(&self, revision: Revision, ends_initial: bool) -> String {
        let mut metadata = json!({ "resourceVersion": revision.to_string(), "creationTimestamp": null });
        if ends_initial {
            metadata["annotations"] = json!({ INITIAL_EVENTS_END: "true" });
        }
        match self.shape {
            // A row without a name would be shown to people.
            Shape::Table => {
                let mut bookmark = self.table(json!({}), []);
                bookmark["metadata"] = metadata;
                bookmark.to_string()
            }
            Shape::Whole | Shape::Metadata => {
                self.value(json!({ "kind": self.kind.as_str(), "metadata": metadata }))
            }
        }
    }

    fn versioned(&self, object: Value) -> Value {
        versions::shown(self.kind, self.version, object)
    }

    fn shaped(&self, object: Value) -> Value {
        match self.shape {
            Shape::Whole => object,
            Shape::Metadata => table::metadata_only(object),
            Shape::Table => {
                let revision = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
                self.table(json!({ "resourceVersion": revision }), [object])
            }
        }
    }

    fn table(&self, metadata: Value, objects: impl IntoIterator<Item = Value>) -> Value {
        table::table(self.kind, metadata, objects, self.include, true, self.now)
    }
}

impl ListMeta {
    fn value(&self) -> Value {
        let mut meta = json!({ "resourceVersion": self.revision.to_string() });
        if let Some(next) = &self.next {
            meta["continue"] = next.as_str().into();
        }
        if let Some(remaining) = self.remaining {
            meta["remainingItemCount"] = remaining.into();
        }
        meta
    }
}
