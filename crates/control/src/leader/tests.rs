//! Leaders come and go; there is never more than one whose writes count.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use super::*;
use crate::store::{Answer, AuditEntry, Change, ChangeSet, Object, Revision, StoreError};

/// A store that knows of nothing but leases, by tokio's clock, and can be out of reach.
#[derive(Debug)]
struct Leases {
    born: Instant,
    leases: Mutex<Option<(String, u64, u64)>>,
    away: AtomicBool,
}

impl Leases {
    fn new() -> Arc<Leases> {
        Arc::new(Leases { born: Instant::now(), leases: Mutex::default(), away: AtomicBool::new(false) })
    }

    fn take(&self, holder: &str, milliseconds: u64) -> Result<Option<u64>, StoreError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(away());
        }
        let now = super::milliseconds(self.born.elapsed());
        let mut lease = self.leases.lock().unwrap();
        let token = match &*lease {
            None => 1,
            Some((_, token, until)) if *until <= now => token + 1,
            Some((held_by, token, _)) if held_by == holder => *token,
            Some(_) => return Ok(None),
        };
        *lease = Some((holder.to_owned(), token, now + milliseconds));
        Ok(Some(token))
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("away".to_owned())
}

fn answer<'a, T: Send + 'a>(answer: Result<T, StoreError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(answer))
}

impl Store for Leases {
    fn commit(&self, _: ChangeSet) -> Answer<'_, Vec<Change>> {
        answer(Err(away()))
    }
    fn load(&self) -> Answer<'_, (Revision, Vec<Object>)> {
        answer(Err(away()))
    }
    fn epoch(&self) -> Answer<'_, Revision> {
        answer(Err(away()))
    }
    fn changes(&self, _: Revision, _: usize) -> Answer<'_, Vec<Change>> {
        answer(Err(away()))
    }
    fn compact(&self, _: Revision) -> Answer<'_, ()> {
        answer(Err(away()))
    }
    fn wait(&self, _: Revision) -> Answer<'_, ()> {
        answer(Err(away()))
    }
    fn lease(&self, name: &str, holder: &str, milliseconds: u64) -> Answer<'_, Option<Fence>> {
        let token = self.take(holder, milliseconds);
        let lease: Arc<str> = name.into();
        answer(token.map(|token| token.map(|token| Fence { lease, token })))
    }
    fn release(&self, fence: &Fence) -> Answer<'_, ()> {
        if let Some((_, token, until)) = &mut *self.leases.lock().unwrap()
            && *token == fence.token
        {
            *until = 0;
        }
        answer(Ok(()))
    }
    fn audit(&self, _: Vec<AuditEntry>) -> Answer<'_, ()> {
        answer(Err(away()))
    }
    fn audited(&self, _: usize) -> Answer<'_, Vec<AuditEntry>> {
        answer(Err(away()))
    }
    fn shorten_audit(&self, _: u64) -> Answer<'_, bool> {
        answer(Err(away()))
    }
    fn close(&self) -> Answer<'_, ()> {
        answer(Ok(()))
    }
}

/// A candidate that runs in the background, and the beginnings of its work.
struct Running {
    task: tokio::task::JoinHandle<()>,
    stop: Arc<Notify>,
    begun: mpsc::Receiver<u64>,
    leading: watch::Receiver<Option<Fence>>,
}

/// Counts those who work at this moment.
struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    fn begin(count: &Arc<AtomicUsize>) -> AtWork {
        assert_eq!(count.fetch_add(1, Ordering::SeqCst), 0, "two work at the same time");
        AtWork(count.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(store: &Arc<Leases>, working: &Arc<AtomicUsize>) -> Running {
    let candidate = Candidate::new(store.clone(), "leader", TERM);
    let (begins, begun) = mpsc::channel(16);
    let (stop, leading) = (Arc::new(Notify::new()), candidate.leading());
    let (stopped, working) = (stop.clone(), working.clone());
    let task = tokio::spawn(async move {
        let work = |fence: Fence| {
            let (begins, working) = (begins.clone(), working.clone());
            async move {
                let _at_work = AtWork::begin(&working);
                begins.send(fence.token).await.unwrap();
                std::future::pending().await
            }
        };
        candidate.run(stopped.notified(), work).await;
    });
    Running { task, stop, begun, leading }
}

#[tokio::test(start_paused = true)]
async fn one_works_and_when_it_dies_another_one_takes_over_within_a_term() {
    let (store, working) = (Leases::new(), Arc::default());
    let mut first = run(&store, &working);
    assert_eq!(first.begun.recv().await, Some(1));
    let mut second = run(&store, &working);
    tokio::time::sleep(TERM * 20).await;
    assert!(second.begun.try_recv().is_err(), "the first one is well");
    assert_eq!(first.leading.borrow().as_ref().map(|fence| fence.token), Some(1));

    first.task.abort();
    let died = Instant::now();

    assert_eq!(second.begun.recv().await, Some(2));
    assert!(died.elapsed() <= TERM * 4 / 3, "{:?}", died.elapsed());
    assert!(first.leading.borrow().is_none());
}

#[tokio::test(start_paused = true)]
async fn who_stops_in_order_is_followed_at_once() {
    let (store, working) = (Leases::new(), Arc::default());
    let mut first = run(&store, &working);
    assert_eq!(first.begun.recv().await, Some(1));
    let mut second = run(&store, &working);
    tokio::time::sleep(TERM * 5).await;

    first.stop.notify_one();
    first.task.await.unwrap();
    let stopped = Instant::now();

    assert_eq!(second.begun.recv().await, Some(2));
    assert!(stopped.elapsed() <= TERM / 3, "{:?}", stopped.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_prolong_stops_before_another_one_may_begin_and_comes_back() {
    let (store, working) = (Leases::new(), Arc::default());
    let mut only = run(&store, &working);
    assert_eq!(only.begun.recv().await, Some(1));
    tokio::time::sleep(TERM * 3).await;

    store.away.store(true, Ordering::Relaxed);
    let until = store.leases.lock().unwrap().as_ref().unwrap().2;
    only.leading.wait_for(Option::is_none).await.unwrap();

    assert!(super::milliseconds(store.born.elapsed()) <= until, "it worked when its lease had run out");
    assert_eq!(working.load(Ordering::SeqCst), 0);
    store.away.store(false, Ordering::Relaxed);
    assert_eq!(only.begun.recv().await, Some(2), "its next term has another token");
}
