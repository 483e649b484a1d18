//! Keeps the addresses of DNS names fresh, off the path of requests.
//!
//! Names are asked for again every few seconds on a thread of their own. What cannot be resolved now keeps the
//! addresses it had: a name server that is away must not take upstreams away with it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::Config;
use engine::config::{ClusterSlot, DnsEndpoint};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

use crate::worker::Order;

/// Time between two questions for the same name.
const REFRESH: Duration = Duration::from_secs(5);
/// Longest time to wait for an answer before the old addresses are kept.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

type Names = BTreeMap<ClusterSlot, Vec<DnsEndpoint>>;

/// Resolves names for all workers.
#[derive(Debug)]
pub struct Resolver {
    runtime: Runtime,
    names: watch::Sender<Names>,
}

impl Resolver {
    /// Starts the resolver's thread; answers go to all workers.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(workers: Vec<mpsc::Sender<Order>>) -> io::Result<Resolver> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("resolver").enable_all().build()?;
        let (names, changes) = watch::channel(Names::new());
        runtime.spawn(resolve(changes, workers));
        Ok(Resolver { runtime, names })
    }

    /// Follows the names of a new config.
    pub fn follow(&self, config: &Config) {
        let names: Names = config
            .clusters
            .iter()
            .flatten()
            .filter(|cluster| !cluster.names.is_empty())
            .map(|cluster| (cluster.slot, cluster.names.clone()))
            .collect();
        self.names.send_if_modified(|known| {
            let changed = *known != names;
            *known = names;
            changed
        });
    }

    /// Blocks until something is done or a time has passed.
    pub fn wait(&self, limit: Duration, work: impl Future<Output = ()>) {
        let _elapsed = self.runtime.block_on(async { tokio::time::timeout(limit, work).await });
    }

    /// Ends the thread without waiting for answers that may never come.
    pub fn stop(self) {
        self.runtime.shutdown_background();
    }
}

async fn resolve(mut changes: watch::Receiver<Names>, workers: Vec<mpsc::Sender<Order>>) {
    let mut told: BTreeMap<ClusterSlot, Arc<[SocketAddr]>> = BTreeMap::new();
    loop {
        let names = changes.borrow_and_update().clone();
        told.retain(|slot, _| names.contains_key(slot));
        for (slot, names) in &names {
            let Some(addresses) = ask(names).await else { continue };
            if told.get(slot).is_some_and(|known| **known == *addresses) {
                continue;
            }
            let addresses: Arc<[SocketAddr]> = addresses.into();
            for worker in &workers {
                let order = Order::Resolved { cluster: *slot, addresses: addresses.clone() };
                let _ = worker.send(order).await; // A worker that has ended needs no addresses.
            }
            told.insert(*slot, addresses);
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(REFRESH), if !names.is_empty() => {}
        }
    }
}

/// All addresses of all names, sorted; `None` when one of them could not be resolved.
async fn ask(names: &[DnsEndpoint]) -> Option<Vec<SocketAddr>> {
    let mut all = Vec::new();
    for endpoint in names {
        let question = tokio::net::lookup_host((&*endpoint.name, endpoint.port));
        let found = tokio::time::timeout(ANSWER_WITHIN, question).await.ok()?.ok()?;
        let before = all.len();
        all.extend(found);
        if all.len() == before {
            return None;
        }
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}
