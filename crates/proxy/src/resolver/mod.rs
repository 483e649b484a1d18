//! Keeps the addresses of DNS names fresh, off the path of requests.
//!
//! Names are asked for again every few seconds on a thread of their own. What cannot be resolved now keeps the
//! addresses it had. A name that is new is asked for before its config is put into use: for a bounded time, so that
//! the first requests find addresses and a name server that is away delays nothing for long.

mod answers;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::Config;
use engine::config::{ClusterSlot, DnsEndpoint};
use futures_util::{Stream, StreamExt, stream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

use crate::limits::{DNS_FIRST_ANSWER_MILLISECONDS, DNS_QUESTIONS_MAX};
use crate::worker::Order;

use answers::{Answers, Names, distinct};

/// Time between two questions for the same name.
const REFRESH: Duration = Duration::from_secs(5);
/// Longest time to wait for an answer before the old addresses are kept.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Addresses of the names of each destination, as far as they are known.
pub type Resolved = HashMap<ClusterSlot, Arc<[SocketAddr]>>;

/// Resolves names for all workers.
#[derive(Debug)]
pub struct Resolver {
    runtime: Runtime,
    names: watch::Sender<Names>,
    answers: SharedAnswers,
}

/// Filled by questions for new names as well as by those that are repeated.
#[derive(Clone, Debug, Default)]
struct SharedAnswers(Arc<Mutex<Answers>>);

impl SharedAnswers {
    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let answers = SharedAnswers::default();
        runtime.spawn(refresh(changes, workers, answers.clone()));
        Ok(Resolver { runtime, names, answers })
    }

    /// What is known of the names of a config that is about to be used. Blocks for names that were never asked for,
    /// and for no others, at most for [`DNS_FIRST_ANSWER_MILLISECONDS`].
    pub fn first_answers(&self, config: &Config) -> Resolved {
        let names = names_of(config);
        let unasked = self.answers.lock().unasked(&names);
        if !unasked.is_empty() {
            self.runtime.block_on(learn_first(unasked, &self.answers, ask));
        }
        let mut answers = self.answers.lock();
        // Nobody waits for them a second time.
        let silent = answers.unasked(&names);
        silent.iter().for_each(|name| answers.take(name, None));
        let known = names.iter().map(|(slot, names)| (*slot, answers.addresses(names)));
        known.filter(|(_, known)| !known.is_empty()).map(|(slot, known)| (slot, known.into())).collect()
    }

    /// Follows the names of a new config.
    pub fn follow(&self, config: &Config) {
        let names = names_of(config);
        self.answers.lock().retain(&names);
        self.names.send_if_modified(|known| {
            let changed = *known != names;
            *known = names;
            changed
        });
    }

    /// Where work runs that belongs to no worker.
    pub fn runtime(&self) -> tokio::runtime::Handle {
        self.runtime.handle().clone()
    }

    /// Blocks until something is done or a time has passed.
    pub fn wait(&self, limit: Duration, work: impl Future<Output = ()>) {
        let _elapsed = self.runtime.block_on(async { tokio::time::timeout(limit, work).await });
    }

    /// Does something else off the path of requests, until the end.
    pub fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    /// Ends the thread without waiting for answers that may never come.
    pub fn stop(self) {
        self.runtime.shutdown_background();
    }
}

fn names_of(config: &Config) -> Names {
    let clusters = config.clusters.iter().flatten().filter(|cluster| !cluster.names.is_empty());
    clusters.map(|cluster| (cluster.slot, cluster.names.clone())).collect()
}

/// Asks for all names again and again, and tells the workers what is different.
async fn refresh(
    mut changes: watch::Receiver<Names>,
    workers: Vec<mpsc::Sender<Order>>,
    answers: SharedAnswers,
) {
    let mut told = Told::default();
    loop {
        let names = changes.borrow_and_update().clone();
        told.retain(|slot, (of, _)| names.get(slot) == Some(of));
        let mut answered = pin!(ask_all(distinct(&names), ask));
        let changed = loop {
            tokio::select! {
                // New names must not wait for old ones that nobody answers.
                changed = changes.changed() => break changed,
                answer = answered.next() => match answer {
                    Some((name, answer)) => {
                        for (slot, addresses) in learn(&name, answer, &names, &answers, &mut told) {
                            tell(&workers, slot, &addresses).await;
                        }
                    }
                    None if names.is_empty() => break changes.changed().await,
                    None => {
                        tokio::select! {
                            changed = changes.changed() => break changed,
                            () = tokio::time::sleep(REFRESH) => break Ok(()),
                        }
                    }
                },
            }
        };
        if changed.is_err() {
            return;
        }
    }
}

/// What the workers have been told of a destination with these names.
type Told = BTreeMap<ClusterSlot, (Vec<DnsEndpoint>, Arc<[SocketAddr]>)>;

/// Takes in an answer and returns what it changes.
fn learn(
    name: &DnsEndpoint,
    answer: Option<Vec<SocketAddr>>,
    names: &Names,
    answers: &SharedAnswers,
    told: &mut Told,
) -> Vec<(ClusterSlot, Arc<[SocketAddr]>)> {
    let mut answers = answers.lock();
    answers.take(name, answer);
    let mut news = Vec::new();
    for (slot, of) in names.iter().filter(|(_, of)| of.contains(name)) {
        let addresses = answers.addresses(of);
        let known = told.get(slot).is_some_and(|(_, known)| **known == *addresses);
        if !known && !addresses.is_empty() {
            let addresses: Arc<[SocketAddr]> = addresses.into();
            told.insert(*slot, (of.clone(), addresses.clone()));
            news.push((*slot, addresses));
        }
    }
    news
}

async fn tell(workers: &[mpsc::Sender<Order>], cluster: ClusterSlot, addresses: &Arc<[SocketAddr]>) {
    for worker in workers {
        let order = Order::Resolved { cluster, addresses: addresses.clone() };
        let _ = worker.send(order).await; // A worker that has ended needs no addresses.
    }
}

/// Answers as they come, some questions under way at once.
fn ask_all<Q: Future<Output = Option<Vec<SocketAddr>>>>(
    names: impl IntoIterator<Item = DnsEndpoint>,
    ask: impl Fn(DnsEndpoint) -> Q,
) -> impl Stream<Item = (DnsEndpoint, Option<Vec<SocketAddr>>)> {
    let questions = names.into_iter().map(move |name| {
        let question = ask(name.clone());
        async move { (name, question.await) }
    });
    stream::iter(questions).buffer_unordered(DNS_QUESTIONS_MAX)
}

/// The addresses of a name; `None` when nobody answers in time.
pub(crate) async fn ask(name: DnsEndpoint) -> Option<Vec<SocketAddr>> {
    let question = tokio::net::lookup_host((&*name.name, name.port));
    let found = tokio::time::timeout(ANSWER_WITHIN, question).await.ok()?.ok()?;
    Some(found.collect())
}

/// Takes in the answers that come within the time that the first use of a name may wait.
async fn learn_first<Q: Future<Output = Option<Vec<SocketAddr>>>>(
    names: Vec<DnsEndpoint>,
    answers: &SharedAnswers,
    ask: impl Fn(DnsEndpoint) -> Q,
) {
    let learning = async {
        let mut answered = pin!(ask_all(names, ask));
        while let Some((name, answer)) = answered.next().await {
            answers.lock().take(&name, answer);
        }
    };
    let limit = Duration::from_millis(DNS_FIRST_ANSWER_MILLISECONDS);
    let _elapsed = tokio::time::timeout(limit, learning).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> DnsEndpoint {
        DnsEndpoint { name: name.into(), port: 80 }
    }

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 80))
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_nobody_answers_delays_the_first_use_of_the_others_for_a_bounded_time() {
        let answers = SharedAnswers::default();
        let began = tokio::time::Instant::now();

        learn_first(vec![name("slow"), name("quick")], &answers, |name| async move {
            if *name.name == *"slow" {
                std::future::pending::<()>().await;
            }
            Some(vec![at(1)])
        })
        .await;

        assert_eq!(began.elapsed(), Duration::from_millis(DNS_FIRST_ANSWER_MILLISECONDS));
        assert_eq!(answers.lock().addresses(&[name("slow"), name("quick")]), [at(1)]);
    }

    #[test]
    fn only_what_is_different_is_told_and_only_to_those_who_use_the_name() {
        let names = Names::from([
            (ClusterSlot(0), vec![name("a"), name("b")]),
            (ClusterSlot(1), vec![name("b")]),
            (ClusterSlot(2), vec![name("c")]),
        ]);
        let (answers, mut told) = (SharedAnswers::default(), Told::default());
        let mut learn = |name: &DnsEndpoint, answer| -> Vec<(u32, usize)> {
            let news = learn(name, answer, &names, &answers, &mut told);
            news.into_iter().map(|(slot, addresses)| (slot.0, addresses.len())).collect()
        };

        assert_eq!(learn(&name("a"), Some(vec![at(1)])), [(0, 1)]);
        assert_eq!(learn(&name("b"), Some(vec![at(2)])), [(0, 2), (1, 1)]);
        assert_eq!(learn(&name("b"), Some(vec![at(2)])), []);
        assert_eq!(learn(&name("b"), None), []);
        assert_eq!(learn(&name("c"), None), []);
    }
}
