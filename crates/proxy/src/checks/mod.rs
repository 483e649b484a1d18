//! Asks endpoints how they are, where a policy says so: once for the whole process, off the path of requests.
//!
//! Each destination has a task that asks all its endpoints, waits, and asks again. What it finds goes to every worker
//! as an order, like the answers of name servers, and only when it is something else than before. An endpoint nobody
//! has asked yet counts as well, so that a start or a new replica waits for nothing; it takes several bad answers in a
//! row to take one out, and several good ones to bring it back.

mod ask;
pub mod grpc;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::config::{Cluster, ClusterSlot, Endpoint, HealthCheck};
use futures_util::{StreamExt, stream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

use crate::config::Prepared;
use crate::limits::HEALTH_CHECKS_MAX;
use crate::resolver;
use crate::state::random::Random;
use crate::worker::Order;

/// Checks for all workers.
#[derive(Debug)]
pub struct Checks {
    runtime: Handle,
    workers: Vec<mpsc::Sender<Order>>,
    permits: Arc<Semaphore>,
    watched: Mutex<HashMap<ClusterSlot, Watched>>,
}

#[derive(Debug)]
struct Watched {
    cluster: Arc<Cluster>,
    known: Arc<Mutex<Known>>,
    task: AbortHandle,
}

/// What is known of the endpoints of one destination.
#[derive(Debug, Default)]
struct Known {
    verdicts: BTreeMap<SocketAddr, Verdict>,
    told: Option<Arc<[SocketAddr]>>,
}

/// What is known of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Verdict {
    unwell: bool,
    /// Answers in a row that say otherwise.
    against: u32,
}

impl Verdict {
    fn note(&mut self, good: bool, check: &HealthCheck) {
        if good != self.unwell {
            self.against = 0;
            return;
        }
        self.against += 1;
        let needed = if self.unwell { check.healthy_threshold } else { check.unhealthy_threshold };
        if self.against >= needed {
            *self = Verdict { unwell: !self.unwell, against: 0 };
        }
    }
}

impl Known {
    /// Takes in a round of answers; returns the addresses that are unwell, if that is news.
    fn take(&mut self, answers: &[(SocketAddr, bool)], check: &HealthCheck) -> Option<Arc<[SocketAddr]>> {
        let before = std::mem::take(&mut self.verdicts);
        for (address, good) in answers {
            let mut verdict = before.get(address).copied().unwrap_or_default();
            verdict.note(*good, check);
            self.verdicts.insert(*address, verdict);
        }
        let unwell = self.verdicts.iter().filter(|(_, verdict)| verdict.unwell);
        let unwell: Arc<[SocketAddr]> = unwell.map(|(address, _)| *address).collect();
        let is_news = self.told.as_deref().unwrap_or_default() != &*unwell;
        is_news.then(|| {
            self.told = Some(unwell.clone());
            unwell
        })
    }
}

impl Checks {
    /// Checks nothing yet. What is found goes to all workers.
    #[must_use]
    pub fn new(runtime: Handle, workers: Vec<mpsc::Sender<Order>>) -> Checks {
        let permits = Arc::new(Semaphore::new(HEALTH_CHECKS_MAX));
        Checks { runtime, workers, permits, watched: Mutex::default() }
    }

    /// Checks what a config says from now on. A destination that only changed otherwise keeps what is known of it.
    pub fn follow(&self, prepared: &Prepared) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *watched);
        for (cluster, tls) in prepared.config.clusters.iter().zip(&prepared.client_tls) {
            let Some(cluster) = cluster else { continue };
            let Some(check) = check_of(cluster) else { continue };
            let old = before.remove(&cluster.slot);
            if let Some(same) = old.as_ref().filter(|old| Arc::ptr_eq(&old.cluster, cluster)) {
                watched.insert(cluster.slot, Watched::clone(same));
                continue;
            }
            let known = old
                .filter(|old| check_of(&old.cluster) == Some(check))
                .map(|old| {
                    old.task.abort();
                    old.known
                })
                .unwrap_or_default();
            let round = Round {
                cluster: cluster.clone(),
                check: check.clone(),
                tls: tls.clone(),
                known: known.clone(),
                permits: self.permits.clone(),
                workers: self.workers.clone(),
            };
            let task = self.runtime.spawn(round.repeat()).abort_handle();
            watched.insert(cluster.slot, Watched { cluster: cluster.clone(), known, task });
        }
        before.into_values().for_each(|gone| gone.task.abort());
    }
}

impl Clone for Watched {
    fn clone(&self) -> Watched {
        let Watched { cluster, known, task } = self;
        Watched { cluster: cluster.clone(), known: known.clone(), task: task.clone() }
    }
}

fn check_of(cluster: &Cluster) -> Option<&Arc<HealthCheck>> {
    cluster.resilience.as_ref()?.health.as_ref()
}

/// What it takes to ask all endpoints of one destination.
struct Round {
    cluster: Arc<Cluster>,
    check: Arc<HealthCheck>,
    tls: Option<Arc<rustls::ClientConfig>>,
    known: Arc<Mutex<Known>>,
    permits: Arc<Semaphore>,
    workers: Vec<mpsc::Sender<Order>>,
}

impl Round {
    async fn repeat(self) {
        let random = Random::new();
        loop {
            let answers = self.ask_all().await;
            let news = self.known.lock().unwrap_or_else(PoisonError::into_inner).take(&answers, &self.check);
            if let Some(unwell) = news {
                self.tell(&unwell).await;
            }
            tokio::time::sleep(spread(self.check.interval, &random)).await;
        }
    }

    async fn ask_all(&self) -> Vec<(SocketAddr, bool)> {
        let addresses = self.addresses().await;
        let questions = addresses.into_iter().map(|(address, is_member)| async move {
            // Permits are never closed.
            let _permit = self.permits.acquire().await;
            let question = ask::ask(address, is_member, &self.cluster, &self.check, self.tls.as_ref());
            let good = tokio::time::timeout(self.check.timeout, question).await.unwrap_or(false);
            (address, good)
        });
        stream::iter(questions).buffer_unordered(HEALTH_CHECKS_MAX).collect().await
    }

    /// Every address, and whether a member of the mesh must answer there.
    async fn addresses(&self) -> BTreeMap<SocketAddr, bool> {
        let known = self.cluster.endpoints.iter();
        let mut all: BTreeMap<SocketAddr, bool> =
            known.map(|Endpoint { address, mesh, .. }| (*address, mesh.is_some())).collect();
        for name in &self.cluster.names {
            let found = resolver::ask(name.clone()).await.unwrap_or_default();
            for address in found {
                all.entry(address).or_insert(false);
            }
        }
        all
    }

    async fn tell(&self, unwell: &Arc<[SocketAddr]>) {
        for worker in &self.workers {
            let order = Order::Checked { cluster: self.cluster.slot, unwell: unwell.clone() };
            let _ = worker.send(order).await; // A worker that has ended asks nobody.
        }
    }
}

/// The interval, give or take a tenth: many proxies must not ask at once.
fn spread(interval: Duration, random: &Random) -> Duration {
    interval.mul_f64(0.9 + f64::from(random.below(201)) / 1000.0)
}

#[cfg(test)]
mod tests {
    use engine::config::HealthQuestion;

    use super::*;

    fn check() -> HealthCheck {
        HealthCheck {
            ask: HealthQuestion::Connect,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_threshold: 2,
            unhealthy_threshold: 3,
        }
    }

    #[test]
    fn it_takes_several_answers_in_a_row_to_take_an_endpoint_out_and_to_bring_it_back() {
        let mut known = Known::default();
        let at = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut after = |answers: &str| {
            let mut news = None;
            for answer in answers.chars() {
                news = known.take(&[(at, answer == '+')], &check());
            }
            news.map(|unwell| unwell.len())
        };

        assert_eq!(after("--+--"), None);
        assert_eq!(after("-"), Some(1));
        assert_eq!(after("+-+"), None);
        assert_eq!(after("+"), Some(0));
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut known = Known::default();
        let at = SocketAddr::from(([127, 0, 0, 1], 1));
        for _ in 0..3 {
            known.take(&[(at, false)], &check());
        }

        assert_eq!(known.take(&[], &check()).map(|unwell| unwell.len()), Some(0));
        assert_eq!(known.take(&[(at, false)], &check()), None);
    }
}
