//! The thread that puts updates into use: replica, workers, disk, in this order.
//!
//! Its own thread, because compiling takes a core for a while and waiting for workers blocks: neither may happen where
//! the connection to the control plane is kept alive, and neither may happen on a worker.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use discovery::client::{Held, Update};
use discovery::{ObjectName, Rejection, Version};
use model::kinds::KindName;
use tokio::sync::{mpsc, oneshot};

use super::cache::{Cache, Contents};
use super::progress::Progress;
use super::replica::{Replica, Taken};
use super::subscribe::{Event, Tell};
use crate::clock::Clock;
use crate::keeper::{self, Keeper};
use crate::limits::UPDATES_WAITING_MAX;
use crate::proxy::Proxy;

/// From so many objects on an update leaves enough behind to be given back.
pub const LARGE_UPDATE: usize = 64;

/// An update, and where to say what became of it.
pub struct Order {
    pub update: Update,
    pub done: oneshot::Sender<Vec<Rejection>>,
}

/// What the thread owns.
pub struct Following {
    pub proxy: Arc<Proxy>,
    pub replica: Replica,
    pub cache: Option<Cache>,
    pub progress: Arc<Progress>,
    pub clock: Clock,
    pub tell: Tell,
    pub keeper: Option<Arc<Keeper>>,
}

impl Following {
    /// Starts the thread. It ends when the sender is dropped.
    pub fn start(self) -> io::Result<(mpsc::Sender<Order>, JoinHandle<()>)> {
        let (orders, received) = mpsc::channel(UPDATES_WAITING_MAX);
        let thread = std::thread::Builder::new().name("config".into()).spawn(move || self.run(received))?;
        Ok((orders, thread))
    }

    fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        while let Some(Order { update, done }) = orders.blocking_recv() {
            let rejections = self.follow(&update, None);
            // When the connection is gone meanwhile, what is in use is in use all the same.
            let _ = done.send(rejections.clone());
            let is_large = update.put.len() + update.removed.len() >= LARGE_UPDATE;
            self.keep(update, &rejections);
            if is_large {
                os::give_back_heap();
            }
        }
    }

    /// Puts what a cache held into use. Returns what of it is held from now on.
    pub fn begin(&mut self, contents: Contents) -> (Held, u64) {
        if let Some(told) = contents.told {
            (self.tell)(Event::CacheUnusable(told));
        }
        let Some(update) = contents.update else { return (Held::new(), 0) };
        let saved = Duration::from_millis(contents.saved_at);
        let age = self.clock.unix(self.clock.now()).saturating_sub(saved);
        let rejections = self.follow(&update, Some(age));
        let epoch = update.epoch;
        let mut held: Held =
            update.put.into_iter().map(|(name, received)| (name, received.version)).collect();
        held.extend(rejections.into_iter().map(|rejection| (rejection.object, Version::unusable())));
        (held, epoch)
    }

    fn follow(&mut self, update: &Update, cached_age: Option<Duration>) -> Vec<Rejection> {
        let began = self.clock.now();
        let Taken { config, rejections } = self.replica.take(update);
        self.trust(update);
        let is_new = config.is_some();
        let bound = config.map(|config| self.proxy.apply(config).bound);
        let now = self.clock.now();
        let warnings = self.replica.warnings(std::time::UNIX_EPOCH + self.clock.unix(now));
        self.progress.change(|state| {
            state.applied = Some(now);
            state.epoch = update.epoch;
            state.cached_age = cached_age;
            state.warnings = warnings;
            state.rejected = rejected(std::mem::take(&mut state.rejected), update, &rejections);
            if let Some(bound) = &bound {
                state.bound.clone_from(bound);
            }
        });
        let bound = bound.unwrap_or_default();
        let unbound = bound.into_iter().filter(|bound| bound.error.is_some()).collect();
        let took = took(began, now);
        (self.tell)(Event::Applied {
            epoch: update.epoch,
            is_new,
            cached_age,
            rejections: rejections.clone(),
            unbound,
            took,
        });
        rejections
    }

    /// Whom to believe, when that is not what it was. A proxy that is nobody itself must know as well, so that it
    /// takes nobody for a member whom others vouch for.
    fn trust(&self, update: &Update) {
        let is_bundle = |name: &ObjectName| name.of.as_str() == KindName::TrustBundle.as_str();
        if update.put.keys().chain(&update.removed).any(is_bundle) {
            let bundles = self.replica.trust_bundles();
            match &self.keeper {
                Some(keeper) => keeper.trust(&bundles),
                None => keeper::believe(self.proxy.member(), &bundles),
            }
        }
    }

    /// Writes what is in use to the disk. What was rejected is left out, except what denies: a proxy that starts again
    /// must deny again.
    fn keep(&mut self, mut update: Update, rejections: &[Rejection]) {
        let Some(cache) = &mut self.cache else { return };
        for rejection in rejections {
            if self.replica.denying().all(|name| *name != rejection.object) {
                update.put.remove(&rejection.object);
            }
        }
        let saved_at = self.clock.unix(self.clock.now()).as_millis();
        let epoch = update.epoch;
        if let Err(error) = cache.keep(update, u64::try_from(saved_at).unwrap_or(u64::MAX)) {
            (self.tell)(Event::CacheUnusable(format!("epoch {epoch} could not be cached: {error}")));
        }
    }
}

fn took(began: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(began)
}

/// What stands rejected after an update: what was before and is not mended or gone, and what is new.
fn rejected(before: Vec<Rejection>, update: &Update, now: &[Rejection]) -> Vec<Rejection> {
    let concerned = |rejection: &Rejection| {
        update.put.contains_key(&rejection.object) || update.removed.contains(&rejection.object)
    };
    let standing = before.into_iter().filter(|rejection| !concerned(rejection));
    standing.chain(now.iter().cloned()).collect()
}
