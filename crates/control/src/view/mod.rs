//! What each proxy needs, and no more; the same for all that need the same.
//!
//! Proxies with one interest share one view by pointer, and every object is encoded once for all views it stands in. A
//! change asks who needs what it touched, and only those views move on: what concerns one Gateway of three hundred
//! costs one of three hundred. A view that a change does not concern keeps its epoch, and its proxies hear nothing.

mod access;
mod callers;
mod closure;
mod encode;
mod index;
mod names;
mod needs;
mod selection;
mod touch;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use discovery::{Change, Interest, Object, View};
use engine::compile::Reachable;
use model::kinds::KindName;
use model::{Resource, ResourceKey, Resources};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::store::{Revision, Store};
use crate::world::{Event, Gone, World};
use closure::{Around, Closure, Moved};
use index::{Index, Place};
use names::Names;
use needs::Node;
use touch::{Touch, touches};

pub use encode::{encode, name};

/// Views that are kept although no proxy follows them, so that one that reconnects does not pay for a new one.
const VIEWS_IDLE_MAX: usize = 32;
/// Moments of a view's last changes that are kept. A proxy that is further behind is said to wait since the oldest.
const MOMENTS_KEPT_MAX: usize = 64;

/// The views of all interests.
#[derive(Debug)]
pub struct Views {
    world: Arc<World>,
    state: Mutex<State>,
    revision: watch::Sender<Revision>,
}

/// A proxy's share in a view; dropping it says that nobody follows.
#[derive(Debug)]
pub struct Follower {
    views: Arc<Views>,
    id: u64,
    view: watch::Receiver<Arc<View>>,
}

impl Follower {
    /// The view as it is, and a sign whenever there is another.
    pub fn view(&mut self) -> &mut watch::Receiver<Arc<View>> {
        &mut self.view
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.views.lock().unfollow(self.id);
    }
}

#[derive(Debug)]
struct State {
    revision: Revision,
    resources: Resources,
    index: Index,
    /// Who might get in where.
    reachable: Reachable,
    encoded: HashMap<ResourceKey, Encoded>,
    views: HashMap<u64, Shared>,
    by_interest: HashMap<Interest, u64>,
    /// The views that have a node.
    having: HashMap<Arc<Node>, BTreeSet<u64>>,
    /// The nodes of all views, each once.
    names: RefCell<Names>,
    next_id: u64,
}

/// An object as it is sent, and what it was made of.
#[derive(Debug)]
struct Encoded {
    of: Arc<Resource>,
    object: Arc<Object>,
}

#[derive(Debug)]
struct Shared {
    interest: Interest,
    /// The workload beside which the proxy stands, if it stands beside one.
    caller: Option<Place>,
    roots: Vec<Node>,
    closure: Closure,
    current: watch::Sender<Arc<View>>,
    /// The last epochs, each with when it came.
    moments: VecDeque<(u64, Instant)>,
    followers: usize,
}

/// How a proxy of some interest stands that runs on an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It runs on everything that concerns it.
    Current,
    /// Changes wait, the oldest since then.
    Behind(Instant),
    /// Nobody follows such a view, so nobody can tell.
    Unknown,
}

impl Views {
    /// Views of a world as it is now; [`Views::follow`] keeps them up to date.
    #[must_use]
    pub fn new(world: Arc<World>) -> Arc<Views> {
        let now = world.now();
        let state = State::new(now.revision, now.resources);
        let revision = watch::Sender::new(state.revision);
        Arc::new(Views { world, state: Mutex::new(state), revision })
    }

    /// Follows the world until it is gone. Whoever owns the views runs this on a task of its own.
    pub async fn follow(self: Arc<Self>) {
        let mut revision = self.world.subscribe();
        loop {
            revision.borrow_and_update();
            self.catch_up();
            if revision.changed().await.is_err() {
                return;
            }
        }
    }

    /// Takes in what happened in the world, all of it in one step.
    pub fn catch_up(&self) {
        let now = self.world.now();
        let mut state = self.lock();
        if now.revision <= state.revision {
            return;
        }
        match self.world.events(state.revision, usize::MAX) {
            Ok(events) => {
                let events: Vec<Event> =
                    events.into_iter().filter(|event| event.revision <= now.revision).collect();
                state.advance(now.revision, now.resources, &events);
            }
            Err(Gone { .. }) => state.restart(now.revision, now.resources),
        }
        drop(state);
        self.revision.send_replace(now.revision);
    }

    /// Where the world is kept, and what grows with customers beside it.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.world.store())
    }

    /// The share of one more proxy, in all that the world knows now.
    #[must_use]
    pub fn join(self: &Arc<Self>, interest: &Interest) -> Follower {
        self.catch_up();
        let mut state = self.lock();
        let id = state.find(interest);
        let Some(shared) = state.views.get_mut(&id) else { unreachable!("the view was just found") };
        shared.followers += 1;
        let view = shared.current.subscribe();
        Follower { views: self.clone(), id, view }
    }

    /// The revision up to which all views are current.
    #[must_use]
    pub fn revision(&self) -> watch::Receiver<Revision> {
        self.revision.subscribe()
    }

    /// The epoch a proxy of this interest runs on when it runs on everything; `None` when nobody follows it.
    #[must_use]
    pub fn epoch_of(&self, interest: &Interest) -> Option<u64> {
        let state = self.lock();
        let shared = state.views.get(state.by_interest.get(interest)?)?;
        let epoch = shared.current.borrow().epoch();
        Some(epoch)
    }

    /// How a proxy of this interest stands that runs on this epoch.
    #[must_use]
    pub fn standing(&self, interest: &Interest, epoch: u64) -> Standing {
        let state = self.lock();
        let shared = state.by_interest.get(interest).and_then(|id| state.views.get(id));
        let Some(shared) = shared else { return Standing::Unknown };
        if epoch >= shared.current.borrow().epoch() {
            return Standing::Current;
        }
        let waiting = shared.moments.iter().find(|(moved_to, _)| *moved_to > epoch);
        waiting.map_or(Standing::Unknown, |(_, since)| Standing::Behind(*since))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(revision: Revision, resources: Resources) -> State {
        let mut reachable = Reachable::default();
        reachable.update(&resources);
        State {
            revision,
            index: Index::new(&resources),
            reachable,
            resources,
            encoded: HashMap::new(),
            views: HashMap::new(),
            by_interest: HashMap::new(),
            having: HashMap::new(),
            names: RefCell::default(),
            next_id: 0,
        }
    }

    fn advance(&mut self, revision: Revision, resources: Resources, events: &[Event]) {
        self.resources = resources;
        self.revision = revision;
        if events.iter().any(is_of_access) {
            self.reachable.update(&self.resources);
        }
        let mut touched = BTreeSet::new();
        for event in events {
            self.index.change(event.before.as_deref(), event.after.as_ref());
        }
        for event in events {
            touched.extend(touches(event, &self.resources, &self.index));
        }
        let mut moved: HashMap<u64, Moved> = HashMap::new();
        for touch in &touched {
            self.apply(touch, &mut moved);
        }
        for (id, moved) in moved {
            self.settle(id, moved);
        }
    }

    /// Everything anew: what happened is no longer known one by one.
    fn restart(&mut self, revision: Revision, resources: Resources) {
        self.index = Index::new(&resources);
        self.reachable.update(&resources);
        self.resources = resources;
        self.revision = revision;
        let ids: Vec<u64> = self.views.keys().copied().collect();
        for id in ids {
            let mut moved = Moved::default();
            self.rebuild(id, &mut moved);
            self.settle(id, moved);
        }
    }

    fn apply(&mut self, touch: &Touch, moved: &mut HashMap<u64, Moved>) {
        let (Touch::Refresh(node) | Touch::Child { parent: node, .. } | Touch::Rebuild(node)) = touch;
        let concerned: Vec<u64> = self.having.get(node).into_iter().flatten().copied().collect();
        for id in concerned {
            let moved = moved.entry(id).or_default();
            match touch {
                Touch::Rebuild(_) => self.rebuild(id, moved),
                Touch::Refresh(node) => self.with(id, |closure, around| closure.refresh(node, around, moved)),
                Touch::Child { parent, child, needed } => {
                    self.with(id, |closure, around| closure.child(parent, child, *needed, around, moved));
                }
            }
        }
    }

    fn with(&mut self, id: u64, change: impl FnOnce(&mut Closure, Around<'_>)) {
        let State { resources, index, reachable, views, names, .. } = self;
        if let Some(Shared { closure, caller, .. }) = views.get_mut(&id) {
            change(closure, Around { resources, index, reachable, caller: caller.as_ref(), names });
        }
    }

    fn rebuild(&mut self, id: u64, moved: &mut Moved) {
        let State { resources, index, reachable, views, names, .. } = self;
        let Some(Shared { closure, caller, roots, .. }) = views.get_mut(&id) else { return };
        let around = Around { resources, index, reachable, caller: caller.as_ref(), names };
        let before = std::mem::take(closure);
        roots.iter().for_each(|root| closure.enter(&around.known(root.clone()), around, moved));
        for gone in before.nodes().filter(|node| !closure.has(node)) {
            moved.left.push(gone.clone());
            if let Node::Object(key) = &**gone {
                moved.touched.insert(key.clone());
            }
        }
    }

    /// Makes the next view of what moved, if anything is different.
    fn settle(&mut self, id: u64, moved: Moved) {
        let Some(shared) = self.views.get(&id) else { return };
        for node in moved.left.iter().filter(|node| !shared.closure.has(node)) {
            forget(&mut self.having, &mut self.names, node, id);
        }
        for node in moved.entered.iter().filter(|node| shared.closure.has(node)) {
            self.names.get_mut().keep(node);
            self.having.entry(node.clone()).or_default().insert(id);
        }
        let current = shared.current.borrow().clone();
        let mut changes = Vec::new();
        for key in &moved.touched {
            changes.extend(self.difference(id, key, &current));
        }
        for node in &moved.left {
            self.drop_unneeded(node);
        }
        if changes.is_empty() {
            return;
        }
        let next = Arc::new(current.next(self.revision, changes));
        if let Some(shared) = self.views.get_mut(&id) {
            shared.moments.push_back((next.epoch(), Instant::now()));
            if shared.moments.len() > MOMENTS_KEPT_MAX {
                shared.moments.pop_front();
            }
            shared.current.send_replace(next);
        }
    }

    fn difference(&mut self, id: u64, key: &ResourceKey, current: &View) -> Option<Change> {
        let name = name(key);
        let needed = self.views.get(&id)?.closure.has(&Node::Object(key.clone()));
        let now = if needed { self.encode(key) } else { None };
        match (current.get(&name), now) {
            (Some(before), Some(now)) if before.version == now.version => None,
            (_, Some(now)) => Some(Change::Put(now)),
            (Some(_), None) => Some(Change::Removed(name)),
            (None, None) => None,
        }
    }

    /// An object as it is sent: encoded once, and the same one again when its bytes come out the same.
    fn encode(&mut self, key: &ResourceKey) -> Option<Arc<Object>> {
        let Some(resource) = self.resources.get(key) else {
            self.encoded.remove(key);
            return None;
        };
        if let Some(known) = self.encoded.get(key)
            && Arc::ptr_eq(&known.of, resource)
        {
            return Some(known.object.clone());
        }
        let fresh = encode(resource);
        let object = match self.encoded.get(key) {
            Some(known) if known.object.version == fresh.version => known.object.clone(),
            Some(_) | None => Arc::new(fresh),
        };
        let encoded = Encoded { of: resource.clone(), object: object.clone() };
        self.encoded.insert(key.clone(), encoded);
        Some(object)
    }

    fn drop_unneeded(&mut self, node: &Node) {
        let Node::Object(key) = node else { return };
        if !self.having.contains_key(node) {
            self.encoded.remove(key);
        }
    }

    /// The view of an interest, made when there is none.
    fn find(&mut self, interest: &Interest) -> u64 {
        if let Some(id) = self.by_interest.get(interest) {
            return *id;
        }
        self.drop_idle();
        let id = self.next_id;
        self.next_id += 1;
        let shared = Shared {
            interest: interest.clone(),
            caller: caller(interest),
            roots: roots(interest),
            closure: Closure::default(),
            current: watch::Sender::new(Arc::new(View::empty(self.revision))),
            moments: VecDeque::from([(self.revision, Instant::now())]),
            followers: 0,
        };
        self.views.insert(id, shared);
        self.by_interest.insert(interest.clone(), id);
        let mut moved = Moved::default();
        self.rebuild(id, &mut moved);
        self.settle(id, moved);
        id
    }

    fn unfollow(&mut self, id: u64) {
        if let Some(shared) = self.views.get_mut(&id) {
            shared.followers -= 1;
        }
        self.drop_idle();
    }

    fn drop_idle(&mut self) {
        let mut idle: Vec<u64> =
            self.views.iter().filter(|(_, shared)| shared.followers == 0).map(|(id, _)| *id).collect();
        idle.sort_unstable();
        let over = idle.len().saturating_sub(VIEWS_IDLE_MAX);
        for id in idle.into_iter().take(over) {
            let Some(shared) = self.views.remove(&id) else { continue };
            self.by_interest.remove(&shared.interest);
            for node in shared.closure.nodes() {
                forget(&mut self.having, &mut self.names, node, id);
                self.drop_unneeded(node);
            }
        }
    }
}

/// The workload that calls by the proxy of an interest.
fn caller(interest: &Interest) -> Option<Place> {
    match interest {
        Interest::Workload(place) => {
            place.split_once('/').map(|(namespace, name)| (namespace.into(), name.into()))
        }
        Interest::All | Interest::Gateways(_) => None,
    }
}

fn roots(interest: &Interest) -> Vec<Node> {
    let mut roots: Vec<Node> = match interest {
        Interest::Workload(_) => caller(interest).map(Node::Sidecar).into_iter().collect(),
        Interest::All => vec![Node::OurGateways],
        Interest::Gateways(names) => {
            let places = names.iter().filter_map(|name| name.split_once('/'));
            places.filter_map(|(namespace, name)| needs::object(KindName::Gateway, namespace, name)).collect()
        }
    };
    roots.push(Node::TrustBundles);
    roots
}

/// Whether an event may change who gets in where.
fn is_of_access(event: &Event) -> bool {
    let mut sides = event.before.iter().chain(&event.after);
    sides.any(|side| matches!(side.kind_name(), KindName::AuthorizationPolicy | KindName::Mesh))
}

/// A view has a node no more.
fn forget(having: &mut HashMap<Arc<Node>, BTreeSet<u64>>, names: &mut RefCell<Names>, node: &Node, id: u64) {
    let is_left = having.get_mut(node).is_some_and(|ids| {
        ids.remove(&id);
        !ids.is_empty()
    });
    if !is_left {
        having.remove(node);
        names.get_mut().forget(node);
    }
}

#[cfg(test)]
mod tests;
