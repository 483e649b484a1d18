//! The control plane's end of one stream: view against view, one push at a time.
//!
//! A proxy begins by saying what it serves and what it has. From then on the newest view is all that matters: what
//! happens while a push is under way is joined into the next one. Nothing is sent twice on a stream, not even what was
//! rejected; a stream that begins anew is told again.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::limits::{GATEWAYS_ASKED_MAX, NAME_BYTES_MAX, OBJECTS_MAX, RESPONSE_BYTES, RESPONSE_OBJECTS};
use crate::messages::{Content, DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node};
use crate::object::{Interest, Object, ObjectName, TypeName, Version};
use crate::rejection::{self, Rejection};
use crate::view::{Change, Stated, View};

/// Name of the one object of type `Epoch`.
pub const MARKER: &str = "epoch";

/// What a request told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The proxy has said all it says at the beginning: find its view.
    Joined {
        /// Who it is.
        node: Node,
        /// What it serves.
        interest: Interest,
        /// The epoch it has, 0 for none.
        epoch: u64,
    },
    /// A push is in use, rejected objects excepted.
    Applied {
        /// Its epoch.
        epoch: u64,
    },
}

/// Why a stream is ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The type is not one of ours.
    #[error("type `{0}` is not known here")]
    Type(String),
    /// An answer came before the subscriptions were complete, or a subscription after it.
    #[error("{0}")]
    Order(&'static str),
    /// Too much was stated.
    #[error("{0}")]
    TooMuch(&'static str),
    /// A name or a version cannot be one.
    #[error("`{0}` is no name of an object")]
    Name(String),
}

/// One stream.
#[derive(Debug, Default)]
pub struct Session {
    joining: Joining,
    joined: bool,
    newest: Option<Arc<View>>,
    sent: Option<Arc<View>>,
    push: Option<Push>,
    rejected: BTreeMap<ObjectName, Rejection>,
    nonces: u64,
}

/// What was said so far.
#[derive(Debug, Default)]
struct Joining {
    node: Option<Node>,
    interest: Option<Interest>,
    types: BTreeSet<TypeName>,
    stated: Stated,
    epoch: u64,
}

/// A push under way.
#[derive(Debug)]
struct Push {
    epoch: u64,
    /// Not yet sent, type after type.
    left: VecDeque<Change>,
    /// Whether the marker has been sent.
    marked: bool,
    /// Sent and not answered: by nonce, the objects in it.
    unanswered: HashMap<String, Vec<ObjectName>>,
}

impl Session {
    /// A stream that has just begun.
    #[must_use]
    pub fn new() -> Session {
        Session::default()
    }

    /// Takes in a message of the proxy.
    ///
    /// # Errors
    /// When the proxy does not keep to the protocol; the stream is to be ended with that.
    pub fn receive(&mut self, request: DeltaDiscoveryRequest) -> Result<Option<Event>, Broken> {
        let of = TypeName::of_url(&request.type_url).ok_or_else(|| Broken::Type(shown(&request.type_url)))?;
        match (self.joined, request.response_nonce.is_empty()) {
            (false, true) => self.subscribe(of, request),
            (true, false) => Ok(self.answered(&of, &request)),
            (false, false) => Err(Broken::Order("an answer came before the subscriptions were complete")),
            (true, true) => Err(Broken::Order("what is served cannot be changed on a stream; begin another")),
        }
    }

    /// The newest view there is. An older one than before is passed over.
    pub fn offer(&mut self, view: Arc<View>) {
        if self.newest.as_ref().is_none_or(|known| known.epoch() <= view.epoch()) {
            self.newest = Some(view);
        }
    }

    /// The next message to send; `None` while there is nothing to send or the proxy has not answered.
    pub fn send(&mut self) -> Option<DeltaDiscoveryResponse> {
        if !self.joined {
            return None;
        }
        if self.push.is_none() {
            self.push = Some(self.begin()?);
        }
        let push = self.push.as_mut()?;
        if push.marked {
            return None;
        }
        self.nonces += 1;
        Some(push.next(self.nonces))
    }

    /// Whether a push is under way.
    #[must_use]
    pub fn is_pushing(&self) -> bool {
        self.push.is_some()
    }

    /// Objects that the proxy could not take in their present version.
    pub fn rejected(&self) -> impl Iterator<Item = &Rejection> {
        self.rejected.values()
    }

    fn subscribe(&mut self, of: TypeName, request: DeltaDiscoveryRequest) -> Result<Option<Event>, Broken> {
        let joining = &mut self.joining;
        let DeltaDiscoveryRequest { node, initial_resource_versions: versions, .. } = request;
        joining.node = joining.node.take().or(node);
        if of.is_epoch() {
            joining.epoch = versions.get(MARKER).and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
            self.joined = true;
            let node = joining.node.clone().unwrap_or_default();
            let interest = joining.interest.clone().unwrap_or(Interest::All);
            return Ok(Some(Event::Joined { node, interest, epoch: joining.epoch }));
        }
        if of.as_str() == TypeName::GATEWAY {
            if request.resource_names_subscribe.len() > GATEWAYS_ASKED_MAX {
                return Err(Broken::TooMuch("too many Gateways are asked for on one stream"));
            }
            joining.interest = Some(Interest::of_names(&request.resource_names_subscribe));
        }
        if joining.stated.len() + versions.len() > OBJECTS_MAX {
            return Err(Broken::TooMuch("too many objects are stated"));
        }
        for (name, version) in versions {
            if name.is_empty() || name.len() > NAME_BYTES_MAX || version.len() > NAME_BYTES_MAX {
                return Err(Broken::Name(shown(&name)));
            }
            let name = ObjectName { of: of.clone(), name: name.into() };
            joining.stated.insert(name, Version::stated(&version));
        }
        joining.types.insert(of);
        Ok(None)
    }

    /// An answer to what was never sent, or was answered before, says nothing.
    fn answered(&mut self, of: &TypeName, request: &DeltaDiscoveryRequest) -> Option<Event> {
        let push = self.push.as_mut()?;
        let objects = push.unanswered.remove(&request.response_nonce)?;
        for name in &objects {
            self.rejected.remove(name);
        }
        if let Some(error) = &request.error_detail {
            let about: BTreeSet<&ObjectName> = objects.iter().collect();
            let told = rejection::rejections(error).into_iter();
            let told =
                told.filter(|rejection| rejection.object.of == *of && about.contains(&rejection.object));
            self.rejected.extend(told.map(|rejection| (rejection.object.clone(), rejection)));
        }
        if !push.marked || !push.unanswered.is_empty() {
            return None;
        }
        let epoch = push.epoch;
        self.push = None;
        Some(Event::Applied { epoch })
    }

    /// The push from what was sent to the newest view; `None` when that was sent. A proxy that has just joined gets
    /// one in any case: an empty one tells it that it is up to date.
    fn begin(&mut self) -> Option<Push> {
        let newest = self.newest.clone()?;
        let changes = match &self.sent {
            // A view that is older than what the proxy has: another replica was further on. It waits for this one.
            None if newest.epoch() < self.joining.epoch => return None,
            None => newest.beyond(&std::mem::take(&mut self.joining.stated)),
            Some(sent) if Arc::ptr_eq(sent, &newest) => return None,
            Some(sent) => newest.since(sent),
        };
        let left = changes.into_iter().filter(|change| self.joining.wants(change)).collect();
        self.sent = Some(newest.clone());
        Some(Push { epoch: newest.epoch(), left, marked: false, unanswered: HashMap::new() })
    }
}

impl Joining {
    /// A proxy is not sent types that it never heard of, except what must deny: of that it is to say that it cannot
    /// read it, and refuse.
    fn wants(&self, change: &Change) -> bool {
        self.types.contains(&change.name().of)
            || match change {
                Change::Put(object) => denies(object),
                Change::Removed(_) => true,
            }
    }
}

fn denies(object: &Object) -> bool {
    use prost::Message as _;
    Content::decode(object.content.clone()).is_ok_and(|content| content.denies)
}

impl Push {
    /// The next response: objects of one type up to the bounds, or the marker when there are none left.
    fn next(&mut self, nonce: u64) -> DeltaDiscoveryResponse {
        let nonce = nonce.to_string();
        let mut response = DeltaDiscoveryResponse {
            system_version_info: self.epoch.to_string(),
            nonce: nonce.clone(),
            ..DeltaDiscoveryResponse::default()
        };
        let mut names = Vec::new();
        match self.left.front().map(|change| change.name().of.clone()) {
            Some(of) => {
                response.type_url = of.url();
                self.fill(&of, &mut response, &mut names);
            }
            None => {
                response.type_url = TypeName::new(TypeName::EPOCH).url();
                response.resources.push(crate::messages::Resource {
                    version: self.epoch.to_string(),
                    resource: None,
                    name: MARKER.to_owned(),
                });
                self.marked = true;
            }
        }
        self.unanswered.insert(nonce, names);
        response
    }

    fn fill(&mut self, of: &TypeName, response: &mut DeltaDiscoveryResponse, names: &mut Vec<ObjectName>) {
        let mut bytes = 0;
        while bytes < RESPONSE_BYTES && names.len() < RESPONSE_OBJECTS {
            if self.left.front().is_none_or(|change| change.name().of != *of) {
                return;
            }
            let Some(change) = self.left.pop_front() else { return };
            names.push(change.name().clone());
            match change {
                Change::Put(object) => {
                    bytes += object.content.len();
                    response.resources.push(object.resource());
                }
                Change::Removed(name) => {
                    bytes += name.name.len();
                    response.removed_resources.push(name.name.to_string());
                }
            }
        }
    }
}

/// A text of a stranger in a message, no longer than it helps.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
