//! Brings spans to their collectors, on a thread of its own that begins with the first config that wants one.
//!
//! Each collector has a queue of its own, so one that is away costs the others nothing. What a collector does not take
//! in time is given up and counted: a trace is never worth the memory of the proxy that tells it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::{Config, config};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;

use super::buffer::{Batch, Spans};
use super::collector::Collector;
use crate::limits::{COLLECTORS_MAX, SPAN_BATCHES_HELD_MAX, SPAN_BATCHES_WAITING_MAX, SPAN_DRAIN_SECONDS};
use crate::state::metrics::Metrics;

/// What became of spans that left their workers.
#[derive(Debug, Default)]
pub struct Exported {
    /// Collectors took them.
    pub taken: AtomicU64,
    /// Their collector had too many waiting.
    pub held_too_many: AtomicU64,
    /// Their collector did not answer, or asked for patience for too long.
    pub unreachable: AtomicU64,
    /// Their collector said that it will not take them.
    pub refused: AtomicU64,
}

/// The exporter of a proxy.
#[derive(Debug)]
pub struct Exporter {
    sender: Sender<Batch>,
    thread: Mutex<Thread>,
    /// What became of spans so far.
    pub exported: Arc<Exported>,
}

#[derive(Debug)]
enum Thread {
    Unneeded(Receiver<Batch>),
    Runs(JoinHandle<()>),
    /// It could not be started: spans are dropped by the workers.
    Failed,
}

impl Default for Exporter {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(SPAN_BATCHES_WAITING_MAX);
        Exporter { sender, thread: Mutex::new(Thread::Unneeded(receiver)), exported: Arc::default() }
    }
}

impl Exporter {
    /// A worker's end.
    #[must_use]
    pub fn spans(&self, metrics: Arc<Metrics>) -> Spans {
        Spans::new(self.sender.clone(), metrics)
    }

    /// Begins to work if a config wants it.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn follow(&self, config: &Config) -> io::Result<()> {
        if config.ports.iter().all(|port| port.settings.tracing.is_none()) {
            return Ok(());
        }
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *thread, Thread::Failed) {
            Thread::Unneeded(received) => *thread = Thread::Runs(start(received, self.exported.clone())?),
            other @ (Thread::Runs(_) | Thread::Failed) => *thread = other,
        }
        Ok(())
    }

    /// Tells what is left, for a bounded time. Workers must have let go of their ends.
    pub fn finish(self) {
        drop(self.sender);
        if let Thread::Runs(thread) = self.thread.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let _ = thread.join(); // One that panicked has nothing more to tell.
        }
    }
}

fn start(received: Receiver<Batch>, exported: Arc<Exported>) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        runtime.block_on(run(received, exported));
        runtime.shutdown_background();
    };
    std::thread::Builder::new().name("spans".into()).spawn(work)
}

async fn run(mut received: Receiver<Batch>, exported: Arc<Exported>) {
    let mut collectors: Vec<(Arc<config::Collector>, Sender<Batch>)> = Vec::new();
    let mut tasks = JoinSet::new();
    while let Some(batch) = received.recv().await {
        while tasks.try_join_next().is_some() {}
        if batch.tracing.collector.refuse {
            exported.refused.fetch_add(batch.count, Relaxed);
            continue;
        }
        collectors.retain(|(_, sender)| !sender.is_closed());
        let asked = &batch.tracing.collector;
        let at = match collectors.iter().position(|(known, _)| known == asked) {
            Some(at) => at,
            None if collectors.len() >= COLLECTORS_MAX => {
                exported.held_too_many.fetch_add(batch.count, Relaxed);
                continue;
            }
            None => {
                let (sender, receiver) = mpsc::channel(SPAN_BATCHES_HELD_MAX);
                tasks.spawn(Collector::new(asked, exported.clone()).serve(receiver));
                collectors.push((asked.clone(), sender));
                collectors.len() - 1
            }
        };
        let (_, collector) = &collectors[at];
        if let Err(returned) = collector.try_send(batch) {
            let (mpsc::error::TrySendError::Full(batch) | mpsc::error::TrySendError::Closed(batch)) =
                returned;
            exported.held_too_many.fetch_add(batch.count, Relaxed);
        }
    }
    // Collectors learn of the end by their queues, and make the most of the time that is left.
    drop(collectors);
    let rest = async { while tasks.join_next().await.is_some() {} };
    let limit = Duration::from_secs(u64::from(SPAN_DRAIN_SECONDS));
    let _elapsed = tokio::time::timeout(limit, rest).await;
}
