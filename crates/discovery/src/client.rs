//! The proxy's end of the stream: what comes is staged, and handed out whole when the marker comes.
//!
//! What is held is what is in use, what was rejected excepted. A connection that is lost takes with it what was staged
//! and nothing else; the next one begins with what is held, so that only the difference travels.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

pub use crate::held::Held;
use crate::limits::{NAME_BYTES_MAX, OBJECTS_MAX};
use crate::messages::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Resource};
use crate::object::{Interest, ObjectName, TypeName, Version};
use crate::rejection::{self, Rejection};
use crate::server::MARKER;

/// An object as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// Its version.
    pub version: Version,
    /// A [`crate::messages::Content`], not yet decoded.
    pub content: Bytes,
}

impl std::fmt::Debug for Received {
    /// Without its content: it may hold keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.version, self.content.len())
    }
}

/// All that is different between what is in use and an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// The epoch.
    pub epoch: u64,
    /// Objects that are new or edited.
    pub put: BTreeMap<ObjectName, Received>,
    /// Objects that are gone.
    pub removed: Vec<ObjectName>,
}

/// Why a stream is ended. What is in use stays in use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The type is not one of ours.
    #[error("the control plane sent type `{0}`, which is none of ours")]
    Type(String),
    /// A name cannot be one.
    #[error("the control plane sent `{0}`, which is no name of an object")]
    Name(String),
    /// An object came without its content.
    #[error("the control plane sent {0} without content")]
    Empty(ObjectName),
    /// More came than can be meant.
    #[error("the control plane sent more than {OBJECTS_MAX} objects in one push")]
    TooMuch,
    /// The next push came before the last one was answered.
    #[error("the control plane began a push before the last one was answered")]
    Unasked,
    /// The epoch is no number.
    #[error("the control plane sent an epoch that is no number")]
    Epoch,
    /// The epoch is older than what is in use.
    #[error("the control plane is at epoch {offered}, and epoch {held} is in use here already")]
    Backwards {
        /// What is in use.
        held: u64,
        /// What was offered.
        offered: u64,
    },
}

/// One proxy's end, over all its connections.
#[derive(Debug)]
pub struct Session {
    node: Node,
    interest: Interest,
    types: Vec<TypeName>,
    held: Held,
    epoch: u64,
    staged: BTreeMap<ObjectName, Option<Received>>,
    answers: Vec<Answer>,
    /// The update that was handed out and not yet answered, without the contents: whoever has it takes them along.
    waiting: Option<Waiting>,
}

/// An update as it is to be answered.
#[derive(Debug)]
struct Waiting {
    epoch: u64,
    put: Vec<(ObjectName, Version)>,
    removed: Vec<ObjectName>,
}

/// A response that must be answered.
#[derive(Debug)]
struct Answer {
    of: TypeName,
    nonce: String,
    names: Vec<ObjectName>,
}

impl Session {
    /// An end that holds what a cache held, or nothing at epoch 0. `types` are those that this proxy understands.
    #[must_use]
    pub fn new(node: Node, interest: Interest, types: Vec<TypeName>, held: Held, epoch: u64) -> Session {
        let (staged, answers) = (BTreeMap::new(), Vec::new());
        Session { node, interest, types, held, epoch, staged, answers, waiting: None }
    }

    /// The first messages of a new connection.
    pub fn open(&mut self) -> Vec<DeltaDiscoveryRequest> {
        self.staged.clear();
        self.answers.clear();
        self.waiting = None;
        let mut versions: BTreeMap<TypeName, BTreeMap<String, String>> =
            self.types.iter().map(|of| (of.clone(), BTreeMap::new())).collect();
        for (of, name, version) in self.held.iter() {
            let of_type = versions.entry(of.clone()).or_default();
            of_type.insert(name.to_owned(), version.to_string());
        }
        let mut requests: Vec<_> =
            versions.into_iter().map(|(of, held)| self.subscription(&of, held)).collect();
        let epoch = [(MARKER.to_owned(), self.epoch.to_string())].into();
        requests.push(self.subscription(&TypeName::new(TypeName::EPOCH), epoch));
        if let Some(first) = requests.first_mut() {
            first.node = Some(self.node.clone());
        }
        requests
    }

    fn subscription(&self, of: &TypeName, held: BTreeMap<String, String>) -> DeltaDiscoveryRequest {
        let names =
            if of.as_str() == TypeName::GATEWAY { self.interest.names() } else { vec!["*".to_owned()] };
        DeltaDiscoveryRequest {
            type_url: of.url(),
            resource_names_subscribe: names,
            initial_resource_versions: held,
            ..DeltaDiscoveryRequest::default()
        }
    }

    /// Takes in a message of the control plane. The update that ends a push must be answered with
    /// [`Session::applied`] before the next message is taken in.
    ///
    /// # Errors
    /// When the control plane does not keep to the protocol; the connection is to be ended with that.
    pub fn receive(&mut self, response: DeltaDiscoveryResponse) -> Result<Option<Update>, Broken> {
        if self.waiting.is_some() {
            return Err(Broken::Unasked);
        }
        let DeltaDiscoveryResponse { resources, type_url, nonce, removed_resources, .. } = response;
        let of = TypeName::of_url(&type_url).ok_or_else(|| Broken::Type(shown(&type_url)))?;
        if of.is_epoch() {
            let epoch = marked(&resources)?;
            self.answers.push(Answer { of, nonce, names: Vec::new() });
            return self.hand_out(epoch).map(Some);
        }
        if self.staged.len() + resources.len() + removed_resources.len() > OBJECTS_MAX {
            return Err(Broken::TooMuch);
        }
        let mut names = Vec::with_capacity(resources.len());
        for resource in resources {
            let name = named(&of, &resource.name)?;
            let Some(content) = resource.resource else { return Err(Broken::Empty(name)) };
            let received = Received { version: Version::stated(&resource.version), content: content.value };
            names.push(name.clone());
            self.staged.insert(name, Some(received));
        }
        for removed in removed_resources {
            self.staged.insert(named(&of, &removed)?, None);
        }
        self.answers.push(Answer { of, nonce, names });
        Ok(None)
    }

    fn hand_out(&mut self, epoch: u64) -> Result<Update, Broken> {
        if epoch < self.epoch {
            return Err(Broken::Backwards { held: self.epoch, offered: epoch });
        }
        let mut update = Update { epoch, ..Update::default() };
        for (name, staged) in std::mem::take(&mut self.staged) {
            match staged {
                Some(received) => {
                    update.put.insert(name, received);
                }
                None => update.removed.push(name),
            }
        }
        let put = update.put.iter().map(|(name, received)| (name.clone(), received.version.clone()));
        self.waiting = Some(Waiting { epoch, put: put.collect(), removed: update.removed.clone() });
        Ok(update)
    }

    /// The last update is in use, these objects of it excepted, of which the last good version stays. Returns what is
    /// to be sent; when the connection is gone meanwhile, it is not needed.
    pub fn applied(&mut self, rejections: &[Rejection]) -> Vec<DeltaDiscoveryRequest> {
        let Some(update) = self.waiting.take() else { return Vec::new() };
        self.epoch = update.epoch;
        self.held.remove(&update.removed);
        let rejected: HashMap<&ObjectName, &Rejection> =
            rejections.iter().map(|rejection| (&rejection.object, rejection)).collect();
        let judged = |(name, version)| match rejected.contains_key(&name) {
            true => (name, Version::unusable()),
            false => (name, version),
        };
        self.held.extend(update.put.into_iter().map(judged));
        std::mem::take(&mut self.answers).into_iter().map(|answer| answer.request(&rejected)).collect()
    }

    /// What is in use.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// The epoch in use, 0 for none.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl Answer {
    fn request(self, rejected: &HashMap<&ObjectName, &Rejection>) -> DeltaDiscoveryRequest {
        let mine: Vec<&Rejection> =
            self.names.iter().filter_map(|name| rejected.get(name).copied()).collect();
        DeltaDiscoveryRequest {
            type_url: self.of.url(),
            response_nonce: self.nonce,
            error_detail: rejection::status(&mine),
            ..DeltaDiscoveryRequest::default()
        }
    }
}

fn marked(resources: &[Resource]) -> Result<u64, Broken> {
    match resources {
        [marker] if marker.name == MARKER => marker.version.parse().map_err(|_| Broken::Epoch),
        _ => Err(Broken::Epoch),
    }
}

/// `namespace/name` or `name`, as an object can be called.
fn named(of: &TypeName, text: &str) -> Result<ObjectName, Broken> {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
    };
    let sound = text.len() <= NAME_BYTES_MAX
        && match text.split_once('/') {
            Some((namespace, name)) => part(namespace) && part(name),
            None => part(text),
        };
    if !sound {
        return Err(Broken::Name(shown(text)));
    }
    Ok(ObjectName { of: of.clone(), name: text.into() })
}

/// A text of somebody else in a message, no longer than it helps.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
