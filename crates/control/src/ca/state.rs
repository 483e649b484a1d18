//! All that is kept of the authorities of one mesh, sealed.
//!
//! It lies in the store as a Secret, whose only value is sealed once more with the keys of the store. So whoever may
//! read Secrets through the API, or is sent one, reads nothing; whoever may write them can put nothing in its place
//! that opens; and every control plane of the store can sign, because the keys are beside each of them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::kinds::secret::TYPE_AUTHORITY;
use model::kinds::{KindName, Secret};
use model::units::Moment;
use model::{Resource, ResourceKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::root::Root;
use crate::store::keys::Keys;
use crate::store::{Expect, Object, Write};

/// Where authorities are kept.
pub const NAMESPACE: &str = "selvedge-system";
/// The only value of the Secret.
const SEALED: &str = "sealed";
/// Most roots that are trusted at once. Past it no rotation begins.
pub const ROOTS_MAX: usize = 8;
/// Most roots that are kept after they have gone. Past it the oldest is forgotten, and what it vouched for is cut.
pub const RETIRED_MAX: usize = 8;

/// The authorities of one mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Whose identities they vouch for. A Mesh with another trust domain begins anew.
    pub trust_domain: String,
    /// The roots that are trusted.
    pub roots: Vec<Root>,
    /// Which of them signs: [`Root::id`].
    pub signing: String,
    /// The change of roots that is under way.
    pub rotation: Option<Rotation>,
    /// Roots that have gone in good order, oldest first.
    #[serde(default)]
    pub retired: Vec<Retired>,
}

/// A root that opens nothing any more, but stands by what was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Its key identifier: [`Root::id`].
    pub id: String,
    /// The root, PEM.
    pub anchor: String,
    /// By then the last certificate of it has ended, in seconds since 1970.
    pub until: i64,
}

/// A change of roots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The root that is to be the only one.
    pub to: String,
    /// How far it is.
    pub stage: Stage,
    /// When the stage began, in seconds since 1970.
    pub since: i64,
    /// What becomes of connections when the old roots go.
    #[serde(default)]
    pub sessions: Sessions,
}

/// What becomes of connections that a root vouched for when it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sessions {
    /// They live on until their certificates end.
    #[default]
    Stay,
    /// They are cut: others may have the root's key, so it says nothing of who opened them.
    End,
}

/// How far a change of roots is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Members learn of the new root; the old one signs.
    Spreading,
    /// The new root signs; certificates of old ones are left.
    Moving,
}

impl Stage {
    /// As it is shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Spreading => "Spreading",
            Stage::Moving => "Moving",
        }
    }
}

/// Why what is kept cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the authorities of mesh `{mesh}` (Secret {NAMESPACE}/{name}) cannot be opened: {why}", name = name(mesh))]
pub struct Unopened {
    mesh: String,
    why: String,
}

impl State {
    /// A mesh with one root.
    #[must_use]
    pub fn of(trust_domain: &str, root: Root) -> State {
        State {
            trust_domain: trust_domain.to_owned(),
            signing: root.id.clone(),
            roots: vec![root],
            rotation: None,
            retired: Vec::new(),
        }
    }

    /// The root that signs.
    #[must_use]
    pub fn signer(&self) -> Option<&Root> {
        self.root(&self.signing)
    }

    /// A root by its key identifier.
    #[must_use]
    pub fn root(&self, id: &str) -> Option<&Root> {
        self.roots.iter().find(|root| root.id == id)
    }

    /// Opens what is kept.
    ///
    /// # Errors
    /// When it does not open: it was altered, or sealed with other keys.
    pub fn open(mesh: &str, secret: &Secret, keys: &Keys) -> Result<State, Unopened> {
        let unopened = |why: String| Unopened { mesh: mesh.to_owned(), why };
        let sealed = secret.get(SEALED).ok_or_else(|| unopened("it is empty".to_owned()))?;
        let sealed = String::from_utf8_lossy(sealed);
        let text = keys.unseal(&context(mesh), &sealed).map_err(|error| unopened(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| unopened(error.to_string()))
    }

    /// The write that keeps it, in place of what is there.
    #[must_use]
    pub fn write(&self, mesh: &str, before: Option<&Arc<Resource>>, keys: &Keys, now: Moment) -> Write {
        // What is made of words, numbers and lists can be written.
        let text = serde_json::to_string(self).unwrap_or_default();
        let sealed = STANDARD.encode(keys.seal(&context(mesh), &text));
        let content = json!({ "type": TYPE_AUTHORITY, "data": { SEALED: sealed } });
        put(KindName::Secret, Some(NAMESPACE), &name(mesh), before, content, now)
    }
}

/// What the name of the Secret of a mesh begins with, followed by the name of the mesh.
const PREFIX: &str = "mesh-authority-";

/// Name of the Secret of a mesh.
#[must_use]
pub fn name(mesh: &str) -> String {
    format!("{PREFIX}{mesh}")
}

/// The mesh that a Secret of this name is of.
#[must_use]
pub fn mesh_of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

fn context(mesh: &str) -> Vec<u8> {
    format!("authorities of mesh {mesh}").into_bytes()
}

/// Writes an object that nobody may write by hand, so that it does not go the way of what people write.
pub(super) fn put(
    kind: KindName,
    namespace: Option<&str>,
    name: &str,
    before: Option<&Arc<Resource>>,
    content: Value,
    now: Moment,
) -> Write {
    let known = before.map(|before| before.written.value());
    let of_metadata = |field: &str| known.as_ref()?.pointer(&format!("/metadata/{field}")).cloned();
    let uid = before.and_then(|before| before.meta.uid.clone());
    let uid = uid.unwrap_or_else(|| uuid::Uuid::new_v4().to_string().into());
    let mut metadata = json!({
        "name": name,
        "uid": &*uid,
        "creationTimestamp": of_metadata("creationTimestamp").unwrap_or_else(|| now.to_string().into()),
        "generation": of_metadata("generation").and_then(|number| number.as_i64()).unwrap_or(0) + 1,
    });
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    let mut object = json!({ "apiVersion": kind.api_version(), "kind": kind.as_str(), "metadata": metadata });
    if let (Value::Object(object), Value::Object(content)) = (&mut object, content) {
        object.extend(content);
    }
    let key = ResourceKey {
        group: kind.group().into(),
        kind: kind.as_str().into(),
        namespace: namespace.and_then(|namespace| namespace.parse().ok()),
        name: name.parse().unwrap_or_else(|_| unreachable!("names of meshes are names")),
    };
    let revision = before.and_then(|before| before.meta.resource_version.as_ref()?.parse().ok());
    let expect = revision.map_or(Expect::Absent, Expect::Revision);
    Write::Put {
        object: Object { key, uid, revision: 0, json: object.to_string().into(), source: None },
        expect,
    }
}
