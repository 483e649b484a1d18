//! Makes the world hold what files ask for, and let go of what they asked for before.
//!
//! Files are one writer among others, with a name of its own ([`MANAGER`]): what stands in them is applied as
//! `kubectl apply --server-side` would, so edits of other fields live beside them, and what a file says wins over what
//! somebody else said of the same field. One edit is one change set. Files that could not be read never come here, so
//! nothing is let go of because of a mistake.

use std::collections::HashSet;
use std::sync::Arc;

use model::kinds::KindName;
use model::units::Moment;
use model::violation::Violation;
use model::{FieldPath, Resource, ResourceKey, Resources, Violations};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::objects::deletion::{self, DeleteOptions};
use crate::objects::media::PatchKind;
use crate::objects::request::{FieldValidation, Part, Request};
use crate::objects::status::{About, resource_of};
use crate::objects::{self, Admitted, Body, Status, Verdict};
use crate::store::{AuditEntry, ChangeSet, Expect, Object, Revision, StoreError, Write};
use crate::world::World;

/// The field manager of what stands in files, and their user in the audit log.
pub const MANAGER: &str = "file";

/// Most attempts to apply one edit while others write the same objects.
const TRIES_MAX: usize = 10;

/// Fields of `metadata` that a server sets; in a file they are remains of an export.
const SET_BY_SERVERS: [&str; 6] =
    ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// Why the world does not hold what the files ask for.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// Some of it cannot be applied to what is there; nothing was.
    #[error("{0}")]
    Refused(Violations),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Applies files to a world, one edit after the other.
#[derive(Debug)]
pub struct Declared {
    world: Arc<World>,
    clock: Clock,
    /// What the files asked for the last time, by pointer.
    before: Resources,
}

impl Declared {
    /// Nothing has been asked for yet.
    #[must_use]
    pub fn new(world: Arc<World>, clock: Clock) -> Declared {
        Declared { world, clock, before: Resources::new() }
    }

    /// Makes the world hold what files ask for now. Answers with the revision at which it does.
    ///
    /// # Errors
    /// See [`DeclareError`]; nothing has changed then.
    pub async fn apply(&mut self, wanted: &Resources) -> Result<Revision, DeclareError> {
        for _ in 0..TRIES_MAX {
            let set = self.change_set(wanted).map_err(DeclareError::Refused)?;
            if set.writes.is_empty() {
                return Ok(self.applied_all(wanted));
            }
            match self.world.commit(set).await {
                Ok(_) => return Ok(self.applied_all(wanted)),
                // Somebody else was faster: work it out again from what is there now.
                Err(StoreError::Conflict { .. }) => self.world.catch_up().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Unavailable(
            "others wrote the same objects all the time; nothing was applied".to_owned(),
        )
        .into())
    }

    fn applied_all(&mut self, wanted: &Resources) -> Revision {
        self.before = wanted.clone();
        self.world.now().revision
    }

    fn change_set(&self, wanted: &Resources) -> Result<ChangeSet, Violations> {
        let now = self.world.now().resources;
        let (mut set, mut violations) = (ChangeSet::default(), Violations::new());
        for asked in wanted.iter() {
            let current = now.get(&asked.key);
            let same = self.before.get(&asked.key).is_some_and(|before| Arc::ptr_eq(before, asked));
            if same && current.is_some() {
                continue;
            }
            match self.applied(asked, current) {
                Ok(admitted) => {
                    self.write(asked.kind_name(), current, asked.source.clone(), admitted, &mut set)
                }
                Err(status) => refused(asked, &status).into_iter().for_each(|one| violations.add(one)),
            }
        }
        for left in left_alone(&now, wanted) {
            if let Some(admitted) = self.released(left) {
                self.write(left.kind_name(), Some(left), None, admitted, &mut set);
            }
        }
        if violations.is_empty() { Ok(set) } else { Err(violations) }
    }

    /// The object with what a file says of it.
    fn applied(&self, asked: &Resource, current: Option<&Arc<Resource>>) -> Result<Admitted, Status> {
        if asked.kind_name().is_customer() {
            let about = About::new(asked.kind_name(), asked.key.name.as_str());
            let why = "customers are kept by the control plane alone; use `selvedge apply` or `selvedge app`";
            return Err(Status::forbidden(about, why));
        }
        self.patched(asked, current, config(asked))
    }

    /// The object without what the files said of it; nothing when it is to stay as it is. It goes when nobody else says
    /// anything of it, or when what others say makes no object.
    fn released(&self, left: &Arc<Resource>) -> Option<Admitted> {
        if is_of_others_too(left)
            && let Ok(reduced) = self.patched(left, Some(left), identity(left))
        {
            return Some(reduced);
        }
        let request = self.request(left);
        deletion::delete(&request, &left.written.value(), &DeleteOptions::default()).ok()
    }

    fn patched(
        &self,
        object: &Resource,
        current: Option<&Arc<Resource>>,
        config: Value,
    ) -> Result<Admitted, Status> {
        let current = current.map(|current| current.written.value());
        objects::patch(&self.request(object), current.as_ref(), PatchKind::Apply, Body::from(config), true)
    }

    fn request<'a>(&self, object: &'a Resource) -> Request<'a> {
        let version = object.api_version.rsplit('/').next().unwrap_or_default();
        Request {
            kind: object.kind_name(),
            version,
            namespace: object.key.namespace.as_ref().map(|namespace| namespace.as_str()),
            name: Some(object.key.name.as_str()),
            part: Part::Whole,
            manager: MANAGER,
            validation: FieldValidation::Ignore,
            now: Moment(self.clock.seconds()),
        }
    }

    fn write(
        &self,
        kind: KindName,
        current: Option<&Arc<Resource>>,
        source: Option<Box<model::Source>>,
        admitted: Admitted,
        set: &mut ChangeSet,
    ) {
        let revision = current.and_then(|current| current.meta.resource_version.as_ref()?.parse().ok());
        let expect = revision.map_or(Expect::Absent, Expect::Revision);
        let key = admitted.resource.key.clone();
        let moved = current.is_some_and(|current| source.is_some() && current.source != source);
        let (write, verb) = match admitted.verdict {
            Verdict::Unchanged if !moved => return,
            Verdict::Remove => (Write::Delete { key: key.clone(), expect }, "delete"),
            Verdict::Unchanged | Verdict::Put => {
                let uid = admitted.resource.meta.uid.clone().unwrap_or_default();
                let json = without_revision(admitted.object).to_string().into();
                let object = Object { key: key.clone(), uid, revision: 0, json, source };
                (Write::Put { object, expect }, "apply")
            }
        };
        set.writes.push(write);
        set.audit.push(self.entry(kind, &key, verb));
    }

    fn entry(&self, kind: KindName, key: &ResourceKey, verb: &str) -> AuditEntry {
        AuditEntry {
            at: self.clock.milliseconds(),
            who: MANAGER.into(),
            verb: verb.into(),
            what: format!("{} {}", resource_of(kind), key.place()).into(),
            outcome: "allowed".into(),
        }
    }
}

/// Objects of which files once said something, and no longer do.
fn left_alone<'r>(now: &'r Resources, wanted: &'r Resources) -> impl Iterator<Item = &'r Arc<Resource>> {
    let named: HashSet<&ResourceKey> = wanted.iter().map(|asked| &asked.key).collect();
    now.iter().filter(move |object| !named.contains(&object.key) && is_of_files(object))
}

fn is_of_files(object: &Resource) -> bool {
    // Nearly all objects are told apart without being read.
    object.written.json().contains(MANAGER)
        && managers(object).any(|(name, operation, _)| name == MANAGER && operation == "Apply")
}

/// Whether anybody but files, and those who write statuses, says something of an object.
fn is_of_others_too(object: &Resource) -> bool {
    managers(object)
        .any(|(name, operation, part)| part.is_empty() && !(name == MANAGER && operation == "Apply"))
}

/// Name, operation and subresource of those who own fields of an object.
fn managers(object: &Resource) -> impl Iterator<Item = (String, String, String)> {
    let value = object.written.value();
    let entries = value.pointer("/metadata/managedFields").and_then(Value::as_array).cloned();
    entries.unwrap_or_default().into_iter().map(|entry| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        (text("manager"), text("operation"), text("subresource"))
    })
}

/// What a file says of an object, and nothing that defaults or servers say.
fn config(asked: &Resource) -> Value {
    let mut value = asked.written.as_written();
    if let Value::Object(map) = &mut value {
        map.shift_remove("status");
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.retain(|field, _| !SET_BY_SERVERS.contains(&field.as_str()));
        }
    }
    value
}

/// Which object, and nothing else of it.
fn identity(object: &Resource) -> Value {
    let mut metadata = json!({ "name": object.key.name.as_str() });
    if let Some(namespace) = &object.key.namespace {
        metadata["namespace"] = namespace.as_str().into();
    }
    json!({ "apiVersion": &*object.api_version, "kind": &*object.key.kind, "metadata": metadata })
}

fn without_revision(mut object: Value) -> Value {
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.shift_remove("resourceVersion");
    }
    object
}

/// What is wrong with an object, at the lines of the fields that are.
fn refused(asked: &Resource, status: &Status) -> Vec<Violation> {
    let remedy = || Some("see what is there already: `selvedge get` shows it".to_owned());
    let body = status.body();
    let causes = body.pointer("/details/causes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if causes.is_empty() {
        return vec![asked.violation(FieldPath::root(), status.message(), remedy())];
    }
    let text = |cause: &Value, field: &str| cause[field].as_str().unwrap_or_default().to_owned();
    let violation =
        |cause| asked.violation(FieldPath::read(&text(cause, "field")), text(cause, "message"), remedy());
    causes.iter().map(violation).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::apply::Applier;
    use crate::files::SourceFile;
    use crate::store::keys::Keys;
    use crate::store::sqlite::Sqlite;

    const SHOP: &str = "apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: { name: shop, labels: { team: shop } }
spec: { endpoints: [ 127.0.0.1:9001 ] }
";
    const CART: &str = "---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: { name: cart }
spec: { endpoints: [ 127.0.0.1:9002 ] }
";

    struct Desk {
        _folder: tempfile::TempDir,
        declared: Declared,
        applier: Applier,
        asked: Resources,
    }

    impl Desk {
        async fn new() -> Desk {
            let folder = tempfile::tempdir().expect("a folder");
            let keys = Keys::open(&folder.path().join("keys")).expect("keys");
            let store = Sqlite::open(&folder.path().join("store"), keys).await.expect("a store").store;
            let world = World::open(store).await.expect("a world");
            let clock = Clock::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
            let declared = Declared::new(world, clock);
            Desk { _folder: folder, declared, applier: Applier::default(), asked: Resources::new() }
        }

        async fn write(&mut self, text: &str) -> Revision {
            let file = SourceFile { name: "shop.yaml".into(), text: text.into() };
            self.asked = self.applier.apply(&self.asked, &[file]).expect("sound");
            self.declared.apply(&self.asked).await.expect("applied")
        }

        /// Somebody else says something of an object.
        async fn label(&self, name: &str, label: &str) {
            let world = &self.declared.world;
            let now = world.now().resources;
            let found = now.find::<model::kinds::Backend>("default", name).expect("there");
            let mut value = found.resource.written.value();
            value["metadata"]["labels"][label] = "yes".into();
            let request = Request { manager: "ana", ..self.declared.request(found.resource) };
            let current = found.resource.written.value();
            let admitted = objects::update(&request, &current, Body::from(value)).expect("admitted");
            let mut set = ChangeSet::default();
            self.declared.write(KindName::Backend, Some(found.resource), None, admitted, &mut set);
            world.commit(set).await.expect("committed");
        }

        fn labels(&self, name: &str) -> Option<Vec<String>> {
            let now = self.declared.world.now().resources;
            let found = now.find::<model::kinds::Backend>("default", name)?;
            Some(found.resource.meta.labels.keys().map(ToString::to_string).collect())
        }
    }

    #[tokio::test]
    async fn what_a_file_no_longer_asks_for_goes_and_what_it_never_asked_for_stays() {
        let mut desk = Desk::new().await;

        desk.write(&format!("{SHOP}{CART}")).await;
        desk.label("shop", "ana").await;
        desk.write(SHOP).await;

        assert_eq!(desk.labels("cart"), None);
        assert_eq!(desk.labels("shop"), Some(vec!["ana".to_owned(), "team".to_owned()]));
        desk.write(&SHOP.replace(", labels: { team: shop }", "")).await;
        assert_eq!(desk.labels("shop"), Some(vec!["ana".to_owned()]));
    }

    #[tokio::test]
    async fn writing_the_same_again_writes_nothing() {
        let mut desk = Desk::new().await;

        let first = desk.write(SHOP).await;

        assert_eq!(desk.write(SHOP).await, first);
        let mut restarted = Declared::new(Arc::clone(&desk.declared.world), desk.declared.clock.clone());
        assert_eq!(restarted.apply(&desk.asked).await.expect("applied"), first);
    }

    #[tokio::test]
    async fn an_object_remembers_the_file_and_line_that_asked_for_it() {
        let mut desk = Desk::new().await;

        desk.write(&format!("{SHOP}{CART}")).await;

        let now = desk.declared.world.now().resources;
        let cart = now.find::<model::kinds::Backend>("default", "cart").expect("there");
        let source = cart.resource.source.as_ref().expect("a source");
        assert_eq!((&*source.file, source.line), ("shop.yaml", 6));
    }

    #[tokio::test]
    async fn what_may_not_be_changed_is_refused_at_the_line_of_the_field_that_its_rule_names() {
        let mesh = |domain: &str| {
            format!(
                "apiVersion: mesh.selvedge.dev/v1alpha1
kind: Mesh
metadata: {{ name: default }}
spec:
  defaultAction: Allow
  trustDomain: {domain}
"
            )
        };
        let mut desk = Desk::new().await;
        desk.write(&mesh("one.example")).await;
        let file = SourceFile { name: "mesh.yaml".into(), text: mesh("two.example").into() };
        let asked = desk.applier.apply(&desk.asked, &[file]).expect("sound by itself");

        let refused = desk.declared.apply(&asked).await.expect_err("it may not be changed").to_string();

        assert!(refused.contains("mesh.yaml:6  Mesh default  spec.trustDomain\n"), "{refused}");
    }
}
