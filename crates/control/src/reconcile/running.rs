//! All loops of a control plane, started and stopped together.

use std::sync::Arc;

use engine::status::Conditions;
use model::kinds::gateway_class::CONTROLLER_NAME;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::driver::{Driver, Reconcile};
use super::garbage::Garbage;
use super::gateway_status::GatewayStatus;
use super::leader::{Leader, Leadership};
use super::namespaces::Namespaces;
use super::write::Writer;
use crate::clock::Clock;
use crate::world::World;

/// The loops, running. Dropping them ends them at once; the lease is then held until it ends by itself.
#[derive(Debug)]
pub struct Loops {
    leadership: Leadership,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Starts the loops of one control plane. `holder` tells it from all others that use the store, `conditions` are the
/// newest that the engine and the proxies came to.
#[must_use]
pub fn start(
    world: &Arc<World>,
    clock: &Clock,
    holder: &str,
    conditions: watch::Receiver<Arc<Conditions>>,
) -> Loops {
    let (stop, stopping) = watch::channel(false);
    let (leader, leadership) = Leader::new(Arc::clone(world.store()), holder);
    let mut tasks = JoinSet::new();
    tasks.spawn(leader.run(stopping.clone()));
    let writer = |name: &str, audited| Writer::new(Arc::clone(world), clock.clone(), name, audited);
    let news = Arc::new(Notify::new());
    let loops: [(Arc<dyn Reconcile>, Arc<Notify>); 3] = [
        (Arc::new(Garbage::new(writer("selvedge.dev/garbage-collector", true))), Arc::default()),
        (Arc::new(Namespaces::new(writer("selvedge.dev/namespace-controller", true))), Arc::default()),
        (Arc::new(GatewayStatus::new(writer(CONTROLLER_NAME, false), conditions.clone())), Arc::clone(&news)),
    ];
    for (work, poke) in loops {
        let driver = Driver::new(Arc::clone(world), work, leadership.clone(), poke);
        tasks.spawn(driver.run(stopping.clone()));
    }
    tasks.spawn(pass_on(conditions, news, stopping));
    Loops { leadership, stop, tasks }
}

impl Loops {
    /// Whether this control plane leads.
    #[must_use]
    pub fn leadership(&self) -> &Leadership {
        &self.leadership
    }

    /// Ends them and gives the lease back, so that a successor need not wait for it to end.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Wakes whoever is to look whenever there are other conditions.
async fn pass_on(
    mut conditions: watch::Receiver<Arc<Conditions>>,
    news: Arc<Notify>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            told = conditions.changed() => if told.is_err() { return },
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        news.notify_one();
    }
}
