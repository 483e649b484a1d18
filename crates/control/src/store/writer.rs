//! Puts the change sets that arrive while a transaction is being made durable into the next one.
//!
//! Making something durable costs about the same for one change as for a hundred, and it is what writing costs. So one
//! task of the process does all writing: it takes whatever waits, does it in one transaction, and answers everybody.
//! It also means that a caller who gives up does not leave half a transaction behind.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::customers::{RowSet, Written};
use super::quotas::{QuotaRow, Wrote};
use super::usage::{Kept, UsageWrite};
use super::{Change, ChangeSet, Fence, Revision, StoreError};

/// Most change sets and other wishes that wait for the writer. Past it callers wait to get in.
const WAITING_MAX: usize = 1_024;

/// Most change sets in one transaction.
const GROUP_SETS_MAX: usize = 256;

/// Most writes in one transaction, unless a single set has more.
const GROUP_WRITES_MAX: usize = 2_000;

/// How a database is written to. Only the writer calls it, one call after the other.
pub(super) trait Engine: Send + 'static {
    /// Does some sets in one transaction, each whole or not at all, and answers for each. An error means that the
    /// transaction failed, so none of them was done.
    fn write(&mut self, sets: &[ChangeSet]) -> impl Future<Output = Result<Group, StoreError>> + Send;

    /// Takes or prolongs a lease.
    fn lease(&mut self, wish: &Wish) -> impl Future<Output = Result<Option<Fence>, StoreError>> + Send;

    /// Gives a lease back.
    fn release(&mut self, fence: &Fence) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets changes.
    fn compact(&mut self, up_to: Revision) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets some of the oldest entries of the audit log beyond so many; says whether there are more.
    fn shorten_audit(&mut self, kept: u64) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Does a set of rows of customers, and says what their epoch is then.
    fn write_rows(
        &mut self,
        set: &RowSet,
    ) -> impl Future<Output = Result<(Written, Revision), StoreError>> + Send;

    /// The pepper that is kept, or this one from now on.
    fn pepper(&mut self, offered: &str) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// Writes those rows of quotas that nobody has written meanwhile, and says which.
    fn write_quotas(
        &mut self,
        rows: &[QuotaRow],
    ) -> impl Future<Output = Result<Vec<Wrote>, StoreError>> + Send;

    /// Forgets periods that ended before a moment.
    fn forget_quotas(&mut self, ended_before: i64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes to the usage ledger, all in one transaction.
    fn write_usage(
        &mut self,
        writes: &[UsageWrite],
    ) -> impl Future<Output = Result<Vec<Kept>, StoreError>> + Send;

    /// Called after rows of customers were written.
    fn wrote_rows(&self, epoch: Revision);

    /// Called when everything that was waiting is done, with the last epoch that was written.
    fn wrote(&self, epoch: Revision);

    /// Lets go of the database.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// What a transaction did.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// One answer for each set.
    pub answers: Vec<Result<Vec<Change>, StoreError>>,
    /// The last write.
    pub epoch: Revision,
}

/// A lease that somebody wants.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub name: Arc<str>,
    pub holder: Arc<str>,
    pub milliseconds: u64,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer can be asked for.
enum Job {
    Commit(ChangeSet, Reply<Vec<Change>>),
    Rows(RowSet, Reply<Written>),
    Pepper(String, Reply<String>),
    Quotas(Vec<QuotaRow>, Reply<Vec<Wrote>>),
    ForgetQuotas(i64, Reply<()>),
    Usage(Vec<UsageWrite>, Reply<Vec<Kept>>),
    Lease(Wish, Reply<Option<Fence>>),
    Release(Fence, Reply<()>),
    Compact(Revision, Reply<()>),
    ShortenAudit(u64, Reply<bool>),
    Close,
}

/// The way to the writer. When it is closed, or the last clone is gone, the task does what waits and ends.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the task.
    pub fn start(engine: impl Engine) -> Writer {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(run(engine, waiting));
        Writer { jobs }
    }

    pub async fn commit(&self, set: ChangeSet) -> Result<Vec<Change>, StoreError> {
        self.ask(|reply| Job::Commit(set, reply)).await
    }

    pub async fn write_rows(&self, set: RowSet) -> Result<Written, StoreError> {
        self.ask(|reply| Job::Rows(set, reply)).await
    }

    pub async fn pepper(&self, offered: String) -> Result<String, StoreError> {
        self.ask(|reply| Job::Pepper(offered, reply)).await
    }

    pub async fn write_quotas(&self, rows: Vec<QuotaRow>) -> Result<Vec<Wrote>, StoreError> {
        self.ask(|reply| Job::Quotas(rows, reply)).await
    }

    pub async fn forget_quotas(&self, ended_before: i64) -> Result<(), StoreError> {
        self.ask(|reply| Job::ForgetQuotas(ended_before, reply)).await
    }

    pub async fn write_usage(&self, writes: Vec<UsageWrite>) -> Result<Vec<Kept>, StoreError> {
        self.ask(|reply| Job::Usage(writes, reply)).await
    }

    pub async fn lease(&self, wish: Wish) -> Result<Option<Fence>, StoreError> {
        self.ask(|reply| Job::Lease(wish, reply)).await
    }

    pub async fn release(&self, fence: Fence) -> Result<(), StoreError> {
        self.ask(|reply| Job::Release(fence, reply)).await
    }

    pub async fn compact(&self, up_to: Revision) -> Result<(), StoreError> {
        self.ask(|reply| Job::Compact(up_to, reply)).await
    }

    pub async fn shorten_audit(&self, kept: u64) -> Result<bool, StoreError> {
        self.ask(|reply| Job::ShortenAudit(kept, reply)).await
    }

    /// Ends the task after what waits, and is back when it has let go of the database.
    pub async fn close(&self) {
        // When nobody takes it, the end is near or was before.
        let _ = self.jobs.send(Job::Close).await;
        self.ended().await;
    }

    /// Waits for the end of the task.
    pub async fn ended(&self) {
        self.jobs.closed().await;
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

/// What somebody is told who comes too late.
pub(super) fn ended() -> StoreError {
    StoreError::Unavailable("it was closed".to_owned())
}

/// Whoever waits for the end sees it when `waiting` is dropped, which is after the engine was closed.
async fn run(mut engine: impl Engine, mut waiting: mpsc::Receiver<Job>) {
    work(&mut engine, &mut waiting).await;
    engine.close().await;
}

async fn work(engine: &mut impl Engine, waiting: &mut mpsc::Receiver<Job>) {
    let mut taken = VecDeque::new();
    loop {
        let next = match taken.pop_front() {
            Some(job) => job,
            None => match waiting.recv().await {
                Some(job) => job,
                None => return,
            },
        };
        // Whoever asked may have gone meanwhile; then nobody hears the answer.
        match next {
            Job::Commit(set, reply) => {
                let group = gather(set, reply, waiting, &mut taken);
                commit(engine, group).await;
            }
            // Its caller has gone: the sooner nothing became of it, the better.
            Job::Rows(_, reply) if reply.is_closed() => {}
            Job::Rows(set, reply) => {
                let _ = reply.send(write_rows(engine, &set).await);
            }
            Job::Pepper(offered, reply) => {
                let _ = reply.send(engine.pepper(&offered).await);
            }
            Job::Quotas(_, reply) if reply.is_closed() => {}
            Job::Quotas(rows, reply) => {
                let _ = reply.send(engine.write_quotas(&rows).await);
            }
            Job::ForgetQuotas(ended_before, reply) => {
                let _ = reply.send(engine.forget_quotas(ended_before).await);
            }
            Job::Usage(writes, reply) => {
                let _ = reply.send(engine.write_usage(&writes).await);
            }
            Job::Lease(wish, reply) => {
                let _ = reply.send(engine.lease(&wish).await);
            }
            Job::Release(fence, reply) => {
                let _ = reply.send(engine.release(&fence).await);
            }
            Job::Compact(up_to, reply) => {
                let _ = reply.send(engine.compact(up_to).await);
            }
            Job::ShortenAudit(kept, reply) => {
                let _ = reply.send(engine.shorten_audit(kept).await);
            }
            Job::Close => return,
        }
    }
}

async fn write_rows(engine: &mut impl Engine, set: &RowSet) -> Result<Written, StoreError> {
    let (written, epoch) = engine.write_rows(set).await?;
    if let Written::Done(_) = written {
        engine.wrote_rows(epoch);
    }
    Ok(written)
}

/// The sets that wait, up to the first other job, which is kept for afterwards.
fn gather(
    first: ChangeSet,
    reply: Reply<Vec<Change>>,
    waiting: &mut mpsc::Receiver<Job>,
    taken: &mut VecDeque<Job>,
) -> Vec<(ChangeSet, Reply<Vec<Change>>)> {
    let mut writes = first.writes.len();
    let mut group = vec![(first, reply)];
    while group.len() < GROUP_SETS_MAX && taken.is_empty() {
        match waiting.try_recv() {
            Ok(Job::Commit(set, reply)) if writes + set.writes.len() <= GROUP_WRITES_MAX => {
                writes += set.writes.len();
                group.push((set, reply));
            }
            Ok(job) => taken.push_back(job),
            Err(_) => break,
        }
    }
    group
}

/// Sets whose callers have gone are not begun with: they were told that it is not known what became of them, and the
/// sooner it is nothing, the better.
///
/// A transaction that one of its sets makes fail would take the others with it; so they are done one by one then.
/// Not when the database is away: that is nobody's fault, and whether the transaction happened is not known.
async fn commit(engine: &mut impl Engine, group: Vec<(ChangeSet, Reply<Vec<Change>>)>) {
    let waited_for = group.into_iter().filter(|(_, reply)| !reply.is_closed());
    let (sets, replies): (Vec<_>, Vec<_>) = waited_for.unzip();
    if sets.is_empty() {
        return;
    }
    let answers = match engine.write(&sets).await {
        Ok(group) => {
            engine.wrote(group.epoch);
            group.answers
        }
        Err(StoreError::Broken(_)) if sets.len() > 1 => one_by_one(engine, &sets).await,
        Err(error) => sets.iter().map(|_| Err(error.clone())).collect(),
    };
    for (reply, answer) in replies.into_iter().zip(answers) {
        let _ = reply.send(answer);
    }
}

async fn one_by_one(engine: &mut impl Engine, sets: &[ChangeSet]) -> Vec<Result<Vec<Change>, StoreError>> {
    let mut answers = Vec::with_capacity(sets.len());
    for set in sets {
        match engine.write(std::slice::from_ref(set)).await {
            Ok(group) => {
                engine.wrote(group.epoch);
                answers.extend(group.answers);
            }
            Err(error) => answers.push(Err(error)),
        }
    }
    answers
}
