//! How loops write: many objects in one change set, as somebody with a name, with the proof of leadership.
//!
//! Somebody may always have been faster. Then nothing is written, and the loop looks again at what is there now.

use std::sync::Arc;

use model::kinds::KindName;
use model::units::Moment;
use model::{Resource, ResourceKey};
use serde_json::Value;

use super::driver::Summary;
use crate::clock::Clock;
use crate::objects::deletion::{self, DeleteOptions};
use crate::objects::request::{FieldValidation, Part, Request};
use crate::objects::status::resource_of;
use crate::objects::{self, Admitted, Body, Status, Verdict};
use crate::store::{AuditEntry, ChangeSet, Expect, Fence, Object, StoreError, Write};
use crate::world::World;

/// Writes for one loop.
#[derive(Clone, Debug)]
pub struct Writer {
    world: Arc<World>,
    clock: Clock,
    /// Who writes: the manager of the fields, and the user in the audit log.
    name: Arc<str>,
    /// Whether each write is told in the audit log; what happens all the time is not.
    audited: bool,
}

/// What is to become of one object.
#[derive(Clone, Debug)]
pub struct Change {
    object: Arc<Resource>,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    /// This object in its place.
    Object(Value),
    /// This status.
    Status(Value),
    /// Nothing; with a finalizer that is to be waited for.
    Nothing(Option<&'static str>),
}

impl Change {
    /// This object in place of another.
    #[must_use]
    pub fn put(object: &Arc<Resource>, value: Value) -> Change {
        Change { object: Arc::clone(object), wanted: Wanted::Object(value) }
    }

    /// This status in place of another; the tree is that of the status.
    #[must_use]
    pub fn status(object: &Arc<Resource>, status: Value) -> Change {
        Change { object: Arc::clone(object), wanted: Wanted::Status(status) }
    }

    /// Nothing in place of an object, after a finalizer has been waited for.
    #[must_use]
    pub fn delete(object: &Arc<Resource>, waits: Option<&'static str>) -> Change {
        Change { object: Arc::clone(object), wanted: Wanted::Nothing(waits) }
    }

    /// The object without some of its finalizers.
    #[must_use]
    pub fn without_finalizers(object: &Arc<Resource>, value: &Value, names: &[&str]) -> Change {
        let mut value = value.clone();
        if let Some(Value::Array(finalizers)) = value.pointer_mut("/metadata/finalizers") {
            finalizers
                .retain(|finalizer| finalizer.as_str().is_none_or(|finalizer| !names.contains(&finalizer)));
        }
        Change::put(object, value)
    }
}

impl Writer {
    /// A writer of this name.
    #[must_use]
    pub fn new(world: Arc<World>, clock: Clock, name: impl Into<Arc<str>>, audited: bool) -> Writer {
        Writer { world, clock, name: name.into(), audited }
    }

    /// The world it writes to.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Now, as objects say it.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment(self.clock.seconds())
    }

    /// Writes all of this at once. `more` tells that there is more to do in any case.
    ///
    /// # Errors
    /// What the store says; that somebody was faster is no error but a reason to look again.
    pub async fn write(
        &self,
        fence: &Fence,
        changes: Vec<Change>,
        more: bool,
    ) -> Result<Summary, StoreError> {
        self.write_with(Some(fence.clone()), changes, more).await
    }

    /// As [`Writer::write`], for what every control plane may say, whether it leads or not.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn write_without_leading(
        &self,
        changes: Vec<Change>,
        more: bool,
    ) -> Result<Summary, StoreError> {
        self.write_with(None, changes, more).await
    }

    async fn write_with(
        &self,
        fence: Option<Fence>,
        changes: Vec<Change>,
        more: bool,
    ) -> Result<Summary, StoreError> {
        let mut set = ChangeSet { writes: Vec::new(), audit: Vec::new(), fence };
        let mut refused = 0;
        for change in &changes {
            let Some(kind) = KindName::find(&change.object.key.group, &change.object.key.kind) else {
                continue;
            };
            // What its schema no longer admits cannot be mended by a loop, and must not keep others from being mended.
            let Ok(admitted) = self.admit(kind, change) else {
                refused += 1;
                continue;
            };
            let Some((write, verb)) = write_of(change, admitted) else { continue };
            if self.audited {
                set.audit.push(self.entry(kind, write.key(), verb));
            }
            set.writes.push(write);
        }
        self.commit(set, refused, more).await
    }

    /// Makes these objects, which are outside of namespaces, all at once.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn create(
        &self,
        fence: &Fence,
        kind: KindName,
        objects: Vec<Value>,
    ) -> Result<Summary, StoreError> {
        let mut set = ChangeSet { writes: Vec::new(), audit: Vec::new(), fence: Some(fence.clone()) };
        let mut refused = 0;
        for object in objects {
            let request = self.request(kind, None, None, Part::Whole);
            let Ok(admitted) = objects::create(&request, Body::from(object)) else {
                refused += 1;
                continue;
            };
            let key = admitted.resource.key.clone();
            let uid = admitted.resource.meta.uid.clone().unwrap_or_default();
            set.audit.push(self.entry(kind, &key, "create"));
            let object =
                Object { key, uid, revision: 0, json: admitted.object.to_string().into(), source: None };
            set.writes.push(Write::Put { object, expect: Expect::Absent });
        }
        self.commit(set, refused, false).await
    }

    async fn commit(&self, set: ChangeSet, refused: usize, more: bool) -> Result<Summary, StoreError> {
        let writes = set.writes.len();
        if writes == 0 {
            return Ok(Summary { writes, refused, more: false });
        }
        match self.world.commit(set).await {
            Ok(_) => Ok(Summary { writes, refused, more }),
            Err(StoreError::Conflict { .. }) => {
                self.world.catch_up().await?;
                Ok(Summary { writes: 0, refused, more: true })
            }
            Err(error) => Err(error),
        }
    }

    fn request<'a>(
        &'a self,
        kind: KindName,
        namespace: Option<&'a str>,
        name: Option<&'a str>,
        part: Part,
    ) -> Request<'a> {
        Request {
            kind,
            version: kind.versions()[0],
            namespace,
            name,
            part,
            manager: &self.name,
            validation: FieldValidation::Ignore,
            now: self.now(),
        }
    }

    fn admit(&self, kind: KindName, change: &Change) -> Result<Admitted, Status> {
        let current = change.object.written.value();
        let key = &change.object.key;
        let part = if matches!(change.wanted, Wanted::Status(_)) { Part::Status } else { Part::Whole };
        let namespace = key.namespace.as_ref().map(|namespace| namespace.as_str());
        let request = self.request(kind, namespace, Some(key.name.as_str()), part);
        match &change.wanted {
            Wanted::Object(value) => objects::update(&request, &current, Body::from(value.clone())),
            Wanted::Status(status) => {
                let mut value = current.clone();
                value["status"] = status.clone();
                objects::update(&request, &current, Body::from(value))
            }
            Wanted::Nothing(waits) => {
                let mut value = current;
                if let Some(waits) = waits {
                    deletion_waits_for(&mut value, waits);
                }
                deletion::delete(&request, &value, &DeleteOptions::default())
            }
        }
    }

    fn entry(&self, kind: KindName, key: &ResourceKey, verb: &str) -> AuditEntry {
        AuditEntry {
            at: self.clock.milliseconds(),
            who: Arc::clone(&self.name),
            verb: verb.into(),
            what: format!("{} {}", resource_of(kind), key.place()).into(),
            outcome: "allowed".into(),
        }
    }
}

/// Makes the deletion of an object wait for a finalizer.
pub fn deletion_waits_for(object: &mut Value, finalizer: &str) {
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return };
    let finalizers = metadata.entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(finalizers) = finalizers else { return };
    if !finalizers.iter().any(|found| found == finalizer) {
        finalizers.push(finalizer.into());
    }
}

fn write_of(change: &Change, admitted: Admitted) -> Option<(Write, &'static str)> {
    let revision = change.object.meta.resource_version.as_ref().and_then(|version| version.parse().ok());
    // Without a revision it never came from a store, and there is nothing to write over.
    let expect = Expect::Revision(revision?);
    let key = admitted.resource.key.clone();
    match admitted.verdict {
        Verdict::Unchanged => None,
        Verdict::Remove => Some((Write::Delete { key, expect }, "delete")),
        Verdict::Put => {
            let uid = admitted.resource.meta.uid.clone().unwrap_or_default();
            let (source, json) = (change.object.source.clone(), admitted.object.to_string().into());
            let verb = if matches!(change.wanted, Wanted::Nothing(_)) { "delete" } else { "update" };
            Some((Write::Put { object: Object { key, uid, revision: 0, json, source }, expect }, verb))
        }
    }
}
