//! What the engine says to the objects, each time there are others.
//!
//! Compiling takes milliseconds of a core, so it is done where nothing else waits. What the engine says, what proxies
//! could bind and what proofs of shims came to are folded into the conditions that are written as statuses.

use std::sync::Arc;

use engine::status::Conditions;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::proofs::{self, Proofs};
use crate::clock::Clock;
use crate::plane::ControlPlane;
use crate::proxies::Proxies;
use crate::snapshot::Snapshot;
use crate::status::{BindResult, fold};
use crate::store::Revision;
use crate::world::World;

/// What the engine made of the objects at one revision.
#[derive(Debug)]
pub struct Judged {
    /// The last write that is in it.
    pub revision: Revision,
    /// What it made of them.
    pub snapshot: Arc<Snapshot>,
    /// Certificates that were in use then although they were expired or not yet valid, one sentence each.
    pub warnings: Vec<String>,
}

/// What the judge tells.
pub struct Judging {
    /// The newest verdict.
    pub judged: watch::Receiver<Arc<Judged>>,
    /// The newest conditions, with what proxies could bind and what proofs came to.
    pub conditions: watch::Receiver<Arc<Conditions>>,
}

/// Judges the world as it is, and again whenever it changes.
pub fn start(
    world: &Arc<World>,
    proxies: &Arc<Proxies>,
    mut plane: ControlPlane,
    clock: &Clock,
    tasks: &mut JoinSet<()>,
) -> Judging {
    let first = judge(&mut plane, world, clock);
    let (tell_conditions, conditions) = watch::channel(Arc::new(first.snapshot.conditions.clone()));
    let (tell, judged) = watch::channel(Arc::new(first));
    tasks.spawn(judging(plane, Arc::clone(world), clock.clone(), tell));
    let proofs = proofs::start(judged.clone(), tasks);
    tasks.spawn(folding(judged.clone(), proofs, Arc::clone(proxies), tell_conditions));
    Judging { judged, conditions }
}

async fn judging(mut plane: ControlPlane, world: Arc<World>, clock: Clock, tell: watch::Sender<Arc<Judged>>) {
    let mut revision = world.subscribe();
    loop {
        revision.borrow_and_update();
        if tell.borrow().revision < world.now().revision {
            let (world, clock) = (Arc::clone(&world), clock.clone());
            let judged = tokio::task::spawn_blocking(move || {
                let judged = judge(&mut plane, &world, &clock);
                (plane, judged)
            });
            let Ok((kept, judged)) = judged.await else { return };
            plane = kept;
            tell.send_replace(Arc::new(judged));
        }
        if revision.changed().await.is_err() {
            return;
        }
    }
}

fn judge(plane: &mut ControlPlane, world: &World, clock: &Clock) -> Judged {
    let now = world.now();
    let snapshot = plane.compile(now.resources);
    Judged { revision: now.revision, snapshot, warnings: plane.keyring().warnings(clock.now()) }
}

async fn folding(
    mut judged: watch::Receiver<Arc<Judged>>,
    mut proofs: watch::Receiver<Arc<Proofs>>,
    proxies: Arc<Proxies>,
    tell: watch::Sender<Arc<Conditions>>,
) {
    let mut reported = proxies.changed();
    let mut folded: Option<(Arc<Judged>, Arc<Proofs>, Vec<BindResult>)> = None;
    loop {
        reported.borrow_and_update();
        let now = Arc::clone(&judged.borrow_and_update());
        let bound: Vec<BindResult> =
            proxies.live(Instant::now()).into_iter().flat_map(|proxy| proxy.bound).collect();
        let proven = Arc::clone(&proofs.borrow_and_update());
        // Every proxy reports every two seconds, and hardly ever that it listens elsewhere than before.
        let is_known = folded.as_ref().is_some_and(|(then, had, was)| {
            Arc::ptr_eq(then, &now) && Arc::ptr_eq(had, &proven) && *was == bound
        });
        if !is_known {
            let mut conditions = fold(&now.snapshot, &bound);
            proven.tell(&now.snapshot.shims, &mut conditions);
            tell.send_replace(Arc::new(conditions));
            folded = Some((now, proven, bound));
        }
        let more = tokio::select! {
            changed = judged.changed() => changed,
            changed = proofs.changed() => changed,
            changed = reported.changed() => changed,
        };
        if more.is_err() {
            return;
        }
    }
}
