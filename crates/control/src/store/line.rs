//! Connections that do not outlive a failure.
//!
//! After an error, or when somebody stopped waiting in the middle, nobody knows whether a transaction is still open on
//! a connection. So whoever works takes it away and brings it back when all went well; else it is closed by being
//! dropped, which ends the transaction, and the next one to come connects anew.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Database};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::StoreError;
use super::writer::ended;

/// After how long a connection is asked whether it is still there before it is used again. The database may have been
/// restarted meanwhile; finding out in the middle of a transaction would cost a refusal.
const IDLE: Duration = Duration::from_millis(200);

type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// A connection, or the way to one.
pub(super) struct Line<DB: Database> {
    options: Options<DB>,
    kept: Option<(DB::Connection, Instant)>,
}

impl<DB: Database> Line<DB> {
    pub fn new(options: Options<DB>, connection: DB::Connection) -> Self {
        Line { options, kept: Some((connection, Instant::now())) }
    }

    /// The connection, for as long as all goes well.
    pub async fn take(&mut self) -> Result<DB::Connection, StoreError> {
        ready::<DB>(&self.options, self.kept.take()).await
    }

    /// Closes it in order.
    pub async fn close(self) {
        if let Some((connection, _)) = self.kept {
            // A database that is away does not hear it; the connection is gone either way.
            let _ = connection.close().await;
        }
    }

    /// Brings it back.
    pub fn keep(&mut self, connection: DB::Connection) {
        self.kept = Some((connection, Instant::now()));
    }
}

/// Several connections, for readers.
pub(super) struct Lines<DB: Database> {
    options: Options<DB>,
    turns: Semaphore,
    most: u32,
    kept: Mutex<Vec<(DB::Connection, Instant)>>,
}

impl<DB: Database> Lines<DB> {
    /// At most so many at the same time. Past it readers wait for their turn.
    pub fn new(options: Options<DB>, most: u16) -> Self {
        Lines { options, turns: Semaphore::new(most.into()), most: most.into(), kept: Mutex::new(Vec::new()) }
    }

    /// Works with a connection.
    pub async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut DB::Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _turn = self.turns.acquire().await.map_err(|_closed| ended())?;
        let mut connection = ready::<DB>(&self.options, self.pop()).await?;
        let forget = Forget(self);
        let done = work(&mut connection).await;
        // That changes are no longer kept is an answer like any other.
        if matches!(done, Ok(_) | Err(StoreError::Compacted { .. })) {
            std::mem::forget(forget);
            self.kept().push((connection, Instant::now()));
        }
        done
    }

    /// Lets nobody begin any more, waits for those who work, and closes all connections in order.
    pub async fn close(&self) {
        let everybodys = self.turns.acquire_many(self.most).await;
        self.turns.close();
        drop(everybodys);
        while let Some((connection, _)) = self.pop() {
            let _ = connection.close().await;
        }
    }

    fn pop(&self) -> Option<(DB::Connection, Instant)> {
        self.kept().pop()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(DB::Connection, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> fmt::Debug for Lines<DB> {
    /// Without the options: they hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("kept", &self.kept().len()).finish_non_exhaustive()
    }
}

/// When one connection failed, or went silent until nobody waited any more, the others did most likely too. Forgetting
/// them saves whoever comes next from finding that out one by one.
struct Forget<'a, DB: Database>(&'a Lines<DB>);

impl<DB: Database> Drop for Forget<'_, DB> {
    fn drop(&mut self) {
        self.0.kept().clear();
    }
}

async fn ready<DB: Database>(
    options: &Options<DB>,
    kept: Option<(DB::Connection, Instant)>,
) -> Result<DB::Connection, StoreError> {
    if let Some((mut connection, since)) = kept
        && (since.elapsed() < IDLE || connection.ping().await.is_ok())
    {
        return Ok(connection);
    }
    Ok(options.connect().await?)
}

/// Gives up after a while. What was waited for is dropped, and its connection with it.
pub(super) async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| {
        Err(StoreError::Unavailable(format!("the database did not answer within {patience:?}")))
    })
}
