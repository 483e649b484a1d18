//! Everything that is wanted and known, in memory, at one revision: what the API answers from and everybody watches.
//!
//! The store is the truth and this is a reading of it, advanced only by what the store said happened. Reading costs
//! no database and no lock that a writer holds for long; a moment is a cheap clone that never changes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Resource, ResourceKey, Resources, yaml};
use serde_json::Value;
use tokio::sync::watch;

use crate::store::{Change, ChangeSet, Object, Revision, Store, StoreError};

/// Most changes that are kept for watchers to resume from. Who is further behind must list again (410 Gone).
pub const CHANGES_KEPT_MAX: usize = 20_000;

/// Most changes taken from the store at once.
const CHANGES_READ_MAX: usize = 5_000;

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

/// What came after the revision asked for is no longer known change by change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The last revision that was forgotten.
    pub forgotten: Revision,
}

/// The objects of a store, in memory.
#[derive(Debug)]
pub struct World {
    store: Arc<dyn Store>,
    state: Mutex<State>,
    revision: watch::Sender<Revision>,
}

#[derive(Debug)]
struct State {
    now: Moment,
    events: VecDeque<Event>,
    forgotten: Revision,
}

impl World {
    /// Reads all that a store holds.
    ///
    /// # Errors
    /// What the store says, or that it holds an object which cannot be read.
    pub async fn open(store: Arc<dyn Store>) -> Result<Arc<World>, StoreError> {
        let (revision, objects) = store.load().await?;
        let mut resources = Resources::new();
        for object in &objects {
            resources.put(resource(object)?);
        }
        let now = Moment { revision, resources };
        let state = Mutex::new(State { now, events: VecDeque::new(), forgotten: revision });
        Ok(Arc::new(World { store, state, revision: watch::Sender::new(revision) }))
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
        if !self.fold(&changes)? {
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
                    self.fold(&changes)?;
                }
                Err(StoreError::Compacted { .. }) => return self.reload().await,
                Err(error) => return Err(error),
            }
        }
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    async fn reload(&self) -> Result<(), StoreError> {
        let (revision, objects) = self.store.load().await?;
        let mut state = self.lock();
        if revision <= state.now.revision {
            return Ok(());
        }
        let mut resources = Resources::new();
        for object in &objects {
            resources.put(resource(object)?);
        }
        *state = State { now: Moment { revision, resources }, events: VecDeque::new(), forgotten: revision };
        self.tell(&state);
        Ok(())
    }

    /// Takes in changes that follow on what is known; says whether they did. Changes that are known already are passed
    /// over, those behind a gap are left for [`World::catch_up`].
    fn fold(&self, changes: &[Change]) -> Result<bool, StoreError> {
        let mut state = self.lock();
        for change in changes {
            if change.revision() <= state.now.revision {
                continue;
            }
            if change.revision() != state.now.revision + 1 {
                self.tell(&state);
                return Ok(false);
            }
            state.take(change)?;
        }
        self.tell(&state);
        Ok(true)
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
    fn take(&mut self, change: &Change) -> Result<(), StoreError> {
        let (before, after) = match change {
            Change::Put(object) => {
                let before = self.now.resources.get(&object.key).cloned();
                (before, Some(self.now.resources.put(resource(object)?)))
            }
            Change::Deleted { key, .. } => (self.now.resources.remove(key), None),
        };
        self.now.revision = change.revision();
        self.events.push_back(Event { revision: change.revision(), before, after });
        if self.events.len() > CHANGES_KEPT_MAX {
            self.forgotten = self.events.pop_front().map_or(self.forgotten, |event| event.revision);
        }
        Ok(())
    }
}

/// A stored object as the program understands it, its revision written into its metadata.
fn resource(object: &Object) -> Result<Resource, StoreError> {
    let unreadable = |problem: String| unreadable(&object.key, &problem);
    let mut value: Value =
        serde_json::from_str(&object.json).map_err(|fault| unreadable(fault.to_string()))?;
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.insert("resourceVersion".to_owned(), object.revision.to_string().into());
    }
    let mut resource = yaml::read_value(value).map_err(|violations| unreadable(violations.to_string()))?;
    resource.source.clone_from(&object.source);
    Ok(resource)
}

fn unreadable(key: &ResourceKey, problem: &str) -> StoreError {
    StoreError::Broken(format!("it holds {key}, which cannot be read: {problem}"))
}
