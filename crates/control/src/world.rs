//! Everything that is wanted and known, in memory, at one revision: what the API answers from and everybody watches.
//!
//! The store is the truth and this is a reading of it, advanced only by what the store said happened. Reading costs
//! no database and no lock that a writer holds for long; a moment is a cheap clone that never changes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::kinds::KindName;
use model::violation::Problem;
use model::{Resource, ResourceKey, Resources, yaml};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::store::backoff::Backoff;
use crate::store::{Change, ChangeSet, Object, Revision, Store, StoreError};

/// Most changes that are kept for watchers to resume from. Who is further behind must list again (410 Gone).
pub const CHANGES_KEPT_MAX: usize = 20_000;

/// Most bytes, as JSON, of objects that were replaced or deleted and are kept for the changes that did it; in memory an
/// object takes two to three times as much. Past it the oldest changes are forgotten, as long as [`CHANGES_KEPT_MIN`]
/// are left.
pub const CHANGES_BYTES_MAX: usize = 1 << 20;

/// Changes that are kept however large the objects are.
pub const CHANGES_KEPT_MIN: usize = 100;

/// Most changes taken from the store at once.
const CHANGES_READ_MAX: usize = 5_000;

/// How long a follower that was woken waits for more. Most of what wakes it was written by this very process, which
/// takes it in by itself; reading it from the store as well would cost every write some reads.
const GATHER: Duration = Duration::from_millis(2);

/// All objects at one revision.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// The last write that is in it.
    pub revision: Revision,
    /// The objects.
    pub resources: Resources,
}

/// What happened to one object, both sides of it.
#[derive(Clone, Debug)]
pub struct Event {
    /// The number of the write.
    pub revision: Revision,
    /// As it was; `None` for a new object.
    pub before: Option<Arc<Resource>>,
    /// As it is; `None` for one that is gone.
    pub after: Option<Arc<Resource>>,
}

impl Event {
    /// Bytes of the object that nobody but those who resume asks for.
    fn bytes(&self) -> usize {
        self.before.as_ref().map_or(0, |before| before.written.json().len())
    }
}

/// What came after the revision asked for is no longer known change by change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The last revision that was forgotten.
    pub forgotten: Revision,
}

/// How well the world keeps up with its store.
#[derive(Clone, Debug)]
pub struct Following {
    /// When it was last known to hold all that the store held.
    pub complete: Instant,
    /// What went wrong since then, if anything did.
    pub failure: Option<StoreError>,
}

/// The objects of a store, in memory.
#[derive(Debug)]
pub struct World {
    store: Arc<dyn Store>,
    state: Mutex<State>,
    revision: watch::Sender<Revision>,
    following: watch::Sender<Following>,
}

#[derive(Debug)]
struct State {
    now: Moment,
    events: VecDeque<Event>,
    /// Bytes of the objects that only events still hold.
    replaced: usize,
    forgotten: Revision,
    /// What the store holds and nobody here understands, and why.
    unreadable: BTreeMap<ResourceKey, String>,
}

impl World {
    /// Reads all that a store holds.
    ///
    /// An object that cannot be read is left out, see [`World::unreadable`].
    ///
    /// # Errors
    /// What the store says.
    pub async fn open(store: Arc<dyn Store>) -> Result<Arc<World>, StoreError> {
        let complete = Instant::now();
        let state = State::read(&*store).await?;
        let revision = watch::Sender::new(state.now.revision);
        let following = watch::Sender::new(Following { complete, failure: None });
        Ok(Arc::new(World { store, state: Mutex::new(state), revision, following }))
    }

    /// Takes in what others write, for as long as it is polled. Who shares a store with others runs this once; it
    /// tries again after failures, and [`World::following`] says how it goes.
    pub async fn follow(&self) {
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            match self.follow_once().await {
                Ok(()) => {
                    backoff.reset();
                    self.following.send_replace(Following { complete: begun, failure: None });
                }
                Err(failure) => {
                    self.following.send_modify(|following| following.failure = Some(failure));
                    backoff.pause().await;
                    continue;
                }
            }
            let known = self.lock().now.revision;
            if let Err(failure) = self.store.wait(known).await {
                self.following.send_modify(|following| following.failure = Some(failure));
                backoff.pause().await;
            }
            sleep(GATHER).await;
        }
    }

    /// How well the world keeps up with its store, when somebody runs [`World::follow`].
    #[must_use]
    pub fn following(&self) -> watch::Receiver<Following> {
        self.following.subscribe()
    }

    /// Everything as it is now.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.lock().now.clone()
    }

    /// Tells the revision whenever it has grown.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Revision> {
        self.revision.subscribe()
    }

    /// What happened after a revision, in order, at most `limit` events.
    ///
    /// # Errors
    /// [`Gone`] when some of it is no longer known: then list again.
    pub fn events(&self, after: Revision, limit: usize) -> Result<Vec<Event>, Gone> {
        let state = self.lock();
        if after < state.forgotten {
            return Err(Gone { forgotten: state.forgotten });
        }
        let start = state.events.partition_point(|event| event.revision <= after);
        Ok(state.events.iter().skip(start).take(limit).cloned().collect())
    }

    /// Writes, and shows what was written as soon as it is durable.
    ///
    /// # Errors
    /// What the store says; nothing has changed then.
    pub async fn commit(&self, set: ChangeSet) -> Result<Vec<Change>, StoreError> {
        let changes = self.store.commit(set).await?;
        if !self.fold(&changes, judged) {
            self.catch_up().await?;
        }
        Ok(changes)
    }

    /// Takes in what others wrote.
    ///
    /// # Errors
    /// What the store says, except that it forgot: then everything is read anew, and watchers must list again.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        loop {
            let after = self.lock().now.revision;
            match self.store.changes(after, CHANGES_READ_MAX).await {
                Ok(changes) if changes.is_empty() => return Ok(()),
                Ok(changes) => {
                    self.fold(&changes, resource);
                }
                Err(StoreError::Compacted { .. }) => return self.reload().await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Objects that the store holds and that cannot be read, mostly because another version wrote them, each with its
    /// problem. Everything else lives on without them; one that could be read before stays as it was then.
    #[must_use]
    pub fn unreadable(&self) -> Vec<String> {
        self.lock().unreadable.iter().map(|(key, problem)| format!("{key}: {problem}")).collect()
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    async fn follow_once(&self) -> Result<(), StoreError> {
        // Asked in this order, the store is ahead of us or level, whatever is written meanwhile.
        let known = self.lock().now.revision;
        let epoch = self.store.epoch().await?;
        if epoch < known {
            return Err(StoreError::Broken(format!(
                "it has gone back from revision {known} to {epoch}: it was restored from a copy, or a standby took \
                 over that had not received everything; restart this control plane to go on from there"
            )));
        }
        if epoch > known { self.catch_up().await } else { Ok(()) }
    }

    async fn reload(&self) -> Result<(), StoreError> {
        let read = State::read(&*self.store).await?;
        let mut state = self.lock();
        if read.now.revision > state.now.revision {
            *state = read;
            self.tell(&state);
        }
        Ok(())
    }

    /// Takes in changes that follow on what is known; says whether they did. Changes that are known already are passed
    /// over, those behind a gap are left for [`World::catch_up`].
    fn fold(&self, changes: &[Change], read: Reader) -> bool {
        let mut state = self.lock();
        for change in changes {
            if change.revision() <= state.now.revision {
                continue;
            }
            if change.revision() != state.now.revision + 1 {
                self.tell(&state);
                return false;
            }
            state.take(change, read);
        }
        self.tell(&state);
        true
    }

    fn tell(&self, state: &State) {
        self.revision.send_if_modified(|told| {
            let grown = *told < state.now.revision;
            *told = state.now.revision;
            grown
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    async fn read(store: &dyn Store) -> Result<State, StoreError> {
        let (revision, objects) = store.load().await?;
        let (mut resources, mut unreadable) = (Resources::new(), BTreeMap::new());
        for object in &objects {
            match resource(object) {
                Ok(resource) => {
                    resources.put(resource);
                }
                Err(problem) => {
                    unreadable.insert(object.key.clone(), problem);
                }
            }
        }
        let now = Moment { revision, resources };
        Ok(State { now, events: VecDeque::new(), replaced: 0, forgotten: revision, unreadable })
    }

    fn take(&mut self, change: &Change, read: Reader) {
        self.now.revision = change.revision();
        self.unreadable.remove(change.key());
        let (before, after) = match change {
            Change::Put(object) => match read(object) {
                Ok(resource) => {
                    let before = self.now.resources.get(&object.key).cloned();
                    (before, Some(self.now.resources.put(resource)))
                }
                // For those who watch, nothing has happened.
                Err(problem) => {
                    self.unreadable.insert(object.key.clone(), problem);
                    return;
                }
            },
            Change::Deleted { key, .. } => match self.now.resources.remove(key) {
                Some(before) => (Some(before), None),
                None => return,
            },
        };
        let event = Event { revision: change.revision(), before, after };
        self.replaced += event.bytes();
        self.events.push_back(event);
        while self.is_remembering_too_much() {
            let Some(oldest) = self.events.pop_front() else { return };
            self.replaced -= oldest.bytes();
            self.forgotten = oldest.revision;
        }
    }

    fn is_remembering_too_much(&self) -> bool {
        let count = self.events.len();
        count > CHANGES_KEPT_MAX || self.replaced > CHANGES_BYTES_MAX && count > CHANGES_KEPT_MIN
    }
}

/// How a stored object is read.
type Reader = fn(&Object) -> Result<Resource, String>;

/// A stored object as the program understands it; or why it does not. Another version may have written it.
fn resource(object: &Object) -> Result<Resource, String> {
    let mut resource = yaml::read_value(numbered(object)?).map_err(|violations| violations.to_string())?;
    resource.source.clone_from(&object.source);
    Ok(resource)
}

/// The same of an object that this very process has judged and written.
fn judged(object: &Object) -> Result<Resource, String> {
    let Some(kind) = KindName::find(&object.key.group, &object.key.kind) else { return resource(object) };
    let read = yaml::read_judged(kind, numbered(object)?);
    let mut resource = read.map_err(|Problem { problem, .. }| problem)?;
    resource.source.clone_from(&object.source);
    Ok(resource)
}

/// The tree of a stored object, its revision written into its metadata.
fn numbered(object: &Object) -> Result<Value, String> {
    let mut value: Value = serde_json::from_str(&object.json).map_err(|fault| fault.to_string())?;
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.insert("resourceVersion".to_owned(), object.revision.to_string().into());
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keys::Keys;
    use crate::store::sqlite::Sqlite;
    use crate::store::{Expect, Write};

    fn put(name: &str, json: &str) -> ChangeSet {
        let key = ResourceKey {
            group: "".into(),
            kind: "ConfigMap".into(),
            namespace: Some("shop".parse().expect("a namespace")),
            name: name.parse().expect("a name"),
        };
        let object = Object { key, uid: name.into(), revision: 0, json: json.into(), source: None };
        ChangeSet { writes: vec![Write::Put { object, expect: Expect::Whatever }], ..ChangeSet::default() }
    }

    fn map(name: &str) -> String {
        let metadata = format!(r#"{{"name":"{name}","namespace":"shop"}}"#);
        format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{metadata}}}"#)
    }

    fn names(world: &World) -> Vec<String> {
        world.now().resources.iter().map(|object| object.key.name.to_string()).collect()
    }

    #[tokio::test]
    async fn what_large_objects_were_is_forgotten_early_and_what_they_are_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(&folder.path().join("keys")).expect("keys");
        let store = Sqlite::open(&folder.path().join("store"), keys).await.expect("a store").store;
        let world = World::open(store).await.expect("a world");
        let large = |filled: char| {
            let text: String = std::iter::repeat_n(filled, CHANGES_BYTES_MAX / CHANGES_KEPT_MIN).collect();
            let metadata = r#"{"name":"a","namespace":"shop"}"#;
            format!(
                r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{metadata},"data":{{"x":"{text}"}}}}"#
            )
        };
        let writes = CHANGES_KEPT_MIN as u64 + 10;

        for write in 0..writes {
            let filled = if write % 2 == 0 { 'e' } else { 'o' };
            world.commit(put("a", &large(filled))).await.expect("committed");
        }

        assert!(world.events(1, usize::MAX).is_err(), "the first are forgotten");
        let kept = world.events(writes - CHANGES_KEPT_MIN as u64, usize::MAX).expect("the last are known");
        assert_eq!(kept.len(), CHANGES_KEPT_MIN);
        assert_eq!(names(&world), ["a"]);
    }

    #[tokio::test]
    async fn an_object_that_cannot_be_read_is_set_aside_and_the_rest_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(&folder.path().join("keys")).expect("keys");
        let store = Sqlite::open(&folder.path().join("store"), keys).await.expect("a store").store;
        let world = World::open(store.clone()).await.expect("a world");
        for name in ["a", "b"] {
            world.commit(put(name, &map(name))).await.expect("committed");
        }

        world.commit(put("a", "from the future")).await.expect("committed");
        world.commit(put("c", &map("c"))).await.expect("committed");

        assert_eq!(names(&world), ["a", "b", "c"], "what could be read before stays as it was then");
        let unreadable = world.unreadable();
        assert!(unreadable.len() == 1 && unreadable[0].contains("ConfigMap/shop/a"), "{unreadable:?}");
        assert_eq!(
            world.events(2, 10).expect("known").len(),
            1,
            "nothing happened to it for those who watch"
        );
        let again = World::open(store).await.expect("a world");
        assert_eq!((names(&again), again.now().revision), (vec!["b".to_owned(), "c".to_owned()], 4));
        assert_eq!(again.unreadable(), unreadable);
        again.commit(put("a", &map("a"))).await.expect("committed");
        assert_eq!((names(&again).len(), again.unreadable().len()), (3, 0));
    }
}
