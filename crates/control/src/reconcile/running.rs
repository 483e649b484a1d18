//! All loops of a control plane, started and stopped together.

use std::sync::Arc;

use engine::status::Conditions;
use futures_util::future::join_all;
use model::kinds::gateway_class::CONTROLLER_NAME;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::driver::{Driver, Reconcile};
use super::garbage::Garbage;
use super::gateway_status::GatewayStatus;
use super::namespaces::Namespaces;
use super::write::Writer;
use crate::clock::Clock;
use crate::leader::{Candidate, TERM};
use crate::store::{Fence, history};
use crate::world::World;

/// Name of the lease that says which control plane runs its loops.
pub const LEASE: &str = "loops";

/// The loops, running while this control plane leads. Dropping them ends them at once; the lease is then held until it
/// runs out.
#[derive(Debug)]
pub struct Loops {
    leading: watch::Receiver<Option<Fence>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Starts the loops of one control plane. `conditions` are the newest that the engine and the proxies came to; `more`
/// are loops of others, each with what wakes it for reasons outside of the world.
#[must_use]
pub fn start(
    world: &Arc<World>,
    clock: &Clock,
    conditions: watch::Receiver<Arc<Conditions>>,
    more: Vec<(Arc<dyn Reconcile>, Arc<Notify>)>,
) -> Loops {
    let (stop, stopping) = watch::channel(false);
    let candidate = Candidate::new(Arc::clone(world.store()), LEASE, TERM);
    let leading = candidate.leading();
    let news = Arc::new(Notify::new());
    let mut drivers = drivers(world, clock, conditions.clone(), &news);
    drivers.extend(more.into_iter().map(|(work, poke)| Driver::new(Arc::clone(world), work, poke)));
    let mut tasks = JoinSet::new();
    let stopped = until(stopping.clone());
    let store = Arc::clone(world.store());
    tasks.spawn(async move {
        let work = |fence: Fence| {
            let drivers = drivers.clone().into_iter().map(move |driver| driver.run(fence.clone()));
            let store = Arc::clone(&store);
            async move {
                tokio::join!(join_all(drivers), history::keep_short(&*store));
            }
        };
        candidate.run(stopped, work).await;
    });
    tasks.spawn(async move {
        tokio::select! {
            () = pass_on(conditions, news) => {}
            () = until(stopping) => {}
        }
    });
    Loops { leading, stop, tasks }
}

fn drivers(
    world: &Arc<World>,
    clock: &Clock,
    conditions: watch::Receiver<Arc<Conditions>>,
    news: &Arc<Notify>,
) -> Vec<Driver> {
    let writer = |name: &str, audited| Writer::new(Arc::clone(world), clock.clone(), name, audited);
    let loops: [(Arc<dyn Reconcile>, Arc<Notify>); 3] = [
        (Arc::new(Garbage::new(writer("selvedge.dev/garbage-collector", true))), Arc::default()),
        (Arc::new(Namespaces::new(writer("selvedge.dev/namespace-controller", true))), Arc::default()),
        (Arc::new(GatewayStatus::new(writer(CONTROLLER_NAME, false), conditions)), Arc::clone(news)),
    ];
    loops.into_iter().map(|(work, poke)| Driver::new(Arc::clone(world), work, poke)).collect()
}

impl Loops {
    /// The proof of leadership, while this control plane leads.
    #[must_use]
    pub fn leading(&self) -> watch::Receiver<Option<Fence>> {
        self.leading.clone()
    }

    /// Ends them and gives the lease back, so that a successor need not wait for it to run out.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn until(mut stopping: watch::Receiver<bool>) {
    // When nobody can stop it any more, it is stopped.
    let _stopped = stopping.wait_for(|stop| *stop).await;
}

/// Wakes whoever is to look whenever there are other conditions.
async fn pass_on(mut conditions: watch::Receiver<Arc<Conditions>>, news: Arc<Notify>) {
    while conditions.changed().await.is_ok() {
        news.notify_one();
    }
}
