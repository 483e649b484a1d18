//! The store in a file of our own: what a control plane uses that stands alone, and needs nobody else for.
//!
//! Write-ahead logging with `synchronous=FULL`: what was acknowledged is on the disk, and readers do not wait for the
//! writer. One process at a time; several share a store on PostgreSQL.

mod customers;
mod engine;
mod file;
mod quotas;
mod schema;
#[cfg(test)]
mod tests;
mod usage;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite as Database, SqlitePool};
use tokio::sync::watch;

use engine::SqliteEngine;
use file::Lock;
pub use file::SetAside;

use super::customers::sql::sqlite as statements;
use super::keys::Keys;
use super::line::Line;
use super::rows::{self, AuditColumns, Columns, number, revision};
use super::writer::{Wish, Writer, ended};
use super::{Answer, AuditEntry, Change, ChangeSet, Fence, Object, Revision, Store, StoreError};

/// Most connections that read at the same time. Past it readers wait.
const READERS_MAX: u32 = 4;

/// How long a reader waits for its turn, and a writer for the file. Past it: [`StoreError::Unavailable`].
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long [`Store::wait`] waits. All writes come from this process and wake who waits; this only lets followers show
/// that they are alive.
const WAIT: Duration = Duration::from_secs(1);

/// To how many bytes the write-ahead log shrinks again after a burst of writes.
const LOG_BYTES_KEPT: &str = "67108864";

/// A store in a file.
#[derive(Debug)]
pub struct Sqlite {
    readers: SqlitePool,
    writer: Writer,
    epoch: watch::Receiver<Revision>,
    row_epoch: watch::Receiver<Revision>,
    keys: Keys,
    path: PathBuf,
}

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<Sqlite>,
    /// A damaged one that was in its place. Whoever opens a store has to tell people about it.
    pub set_aside: Option<SetAside>,
}

impl Sqlite {
    /// Opens a store, and makes one when there is none.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the file is no store or a newer one, when another process has it, or when its
    /// secrets are sealed with other keys; the file is left as it was.
    pub async fn open(path: &Path, keys: Keys) -> Result<Opened, StoreError> {
        Sqlite::open_with(path, keys, |options| options).await
    }

    async fn open_with(
        path: &Path,
        keys: Keys,
        adapt: impl Fn(SqliteConnectOptions) -> SqliteConnectOptions,
    ) -> Result<Opened, StoreError> {
        let lock = Lock::take(path)?;
        let set_aside = file::prepare(path).await?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(TURN_TIMEOUT)
            .pragma("journal_size_limit", LOG_BYTES_KEPT)
            .disable_statement_logging();
        let options = adapt(options);
        let mut connection = options.connect().await?;
        schema::migrate(&mut connection, &keys).await.map_err(|error| at(path, error))?;
        let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM meta").fetch_one(&mut connection).await?;
        let (sender, epoch) = watch::channel(revision(epoch)?);
        let (row_sender, row_epoch) = watch::channel(statements::epoch(&mut connection).await?);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(TURN_TIMEOUT)
            .connect_lazy_with(options.clone().pragma("query_only", "1"));
        let line = Line::new(options, connection);
        let (keys_to_seal, readers_to_close) = (keys.clone(), readers.clone());
        let engine = SqliteEngine {
            line,
            keys: keys_to_seal,
            epoch: sender,
            row_epoch: row_sender,
            readers: readers_to_close,
            _lock: lock,
        };
        let writer = Writer::start(engine);
        let store = Sqlite { readers, writer, epoch, row_epoch, keys, path: path.to_owned() };
        Ok(Opened { store: Arc::new(store), set_aside })
    }

    /// A connection to read with. It is opened to its end even when its reader gives up meanwhile: half opened, it
    /// would be nobody's, and could still write to the file when the store was closed.
    async fn reader(&self) -> Result<PoolConnection<Database>, StoreError> {
        let readers = self.readers.clone();
        let opened = tokio::spawn(async move { readers.acquire().await });
        Ok(opened.await.map_err(|_the_runtime_ends| ended())??)
    }

    async fn read_all(&self) -> Result<(Revision, Vec<Object>), StoreError> {
        let mut reader = self.reader().await?;
        // A transaction sees one moment, from its first statement on.
        let mut moment = reader.begin().await?;
        let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM meta").fetch_one(&mut *moment).await?;
        let found: Vec<Columns> = sqlx::query_as(
            "SELECT api_group, kind, namespace, name, uid, revision, json, file, line FROM objects \
             ORDER BY api_group, kind, namespace, name",
        )
        .fetch_all(&mut *moment)
        .await?;
        moment.rollback().await?;
        let objects = found.into_iter().map(|columns| rows::object(columns, &self.keys));
        Ok((revision(epoch)?, objects.collect::<Result<_, _>>()?))
    }

    async fn read_changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, StoreError> {
        let mut reader = self.reader().await?;
        let mut moment = reader.begin().await?;
        let compacted: i64 = sqlx::query_scalar("SELECT compacted FROM meta").fetch_one(&mut *moment).await?;
        let found: Vec<Columns> = sqlx::query_as(
            "SELECT api_group, kind, namespace, name, uid, revision, json, file, line FROM changes \
             WHERE revision > ? ORDER BY revision LIMIT ?",
        )
        .bind(number(after))
        .bind(number(limit as u64))
        .fetch_all(&mut *moment)
        .await?;
        moment.rollback().await?;
        let compacted = revision(compacted)?;
        if after < compacted {
            return Err(StoreError::Compacted { compacted });
        }
        found.into_iter().map(|columns| rows::change(columns, &self.keys)).collect()
    }

    async fn read_epoch(&self) -> Result<Revision, StoreError> {
        let mut reader = self.reader().await?;
        let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM meta").fetch_one(&mut *reader).await?;
        revision(epoch)
    }

    async fn read_audit(&self, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let mut reader = self.reader().await?;
        let found: Vec<AuditColumns> =
            sqlx::query_as("SELECT at, who, verb, what, outcome FROM audit ORDER BY id DESC LIMIT ?")
                .bind(number(limit as u64))
                .fetch_all(&mut *reader)
                .await?;
        Ok(found.into_iter().map(rows::audit_entry).collect())
    }

    async fn until_beyond(&self, beyond: Revision) -> Result<(), StoreError> {
        let mut epoch = self.epoch.clone();
        match tokio::time::timeout(WAIT, epoch.wait_for(|epoch| *epoch > beyond)).await {
            Ok(Err(_)) => Err(ended()),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }

    /// Does something and says which file it was about, if it fails.
    fn answer<'a, T: 'a>(
        &'a self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move { work.await.map_err(|error| at(&self.path, error)) })
    }
}

impl Store for Sqlite {
    fn commit(&self, set: ChangeSet) -> Answer<'_, Vec<Change>> {
        self.answer(self.writer.commit(set))
    }

    fn load(&self) -> Answer<'_, (Revision, Vec<Object>)> {
        self.answer(self.read_all())
    }

    fn epoch(&self) -> Answer<'_, Revision> {
        self.answer(self.read_epoch())
    }

    fn changes(&self, after: Revision, limit: usize) -> Answer<'_, Vec<Change>> {
        self.answer(self.read_changes(after, limit))
    }

    fn compact(&self, up_to: Revision) -> Answer<'_, ()> {
        self.answer(self.writer.compact(up_to))
    }

    fn wait(&self, beyond: Revision) -> Answer<'_, ()> {
        self.answer(self.until_beyond(beyond))
    }

    fn lease(&self, name: &str, holder: &str, milliseconds: u64) -> Answer<'_, Option<Fence>> {
        let wish = Wish { name: name.into(), holder: holder.into(), milliseconds };
        self.answer(self.writer.lease(wish))
    }

    fn release(&self, fence: &Fence) -> Answer<'_, ()> {
        self.answer(self.writer.release(fence.clone()))
    }

    fn audit(&self, entries: Vec<AuditEntry>) -> Answer<'_, ()> {
        let set = ChangeSet { audit: entries, ..ChangeSet::default() };
        self.answer(async move { self.writer.commit(set).await.map(drop) })
    }

    fn audited(&self, limit: usize) -> Answer<'_, Vec<AuditEntry>> {
        self.answer(self.read_audit(limit))
    }

    fn shorten_audit(&self, kept: u64) -> Answer<'_, bool> {
        self.answer(self.writer.shorten_audit(kept))
    }

    fn customers(&self) -> Option<&dyn super::customers::CustomerRows> {
        Some(self)
    }

    fn quotas(&self) -> Option<&dyn super::quotas::QuotaRows> {
        Some(self)
    }

    fn usage(&self) -> Option<&dyn super::usage::UsageRows> {
        Some(self)
    }

    fn close(&self) -> Answer<'_, ()> {
        self.answer(async {
            self.writer.close().await;
            Ok(())
        })
    }
}

/// An error that says where the store is.
fn at(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{}: {why}", path.display())),
        StoreError::Broken(why) => StoreError::Broken(format!("{}: {why}", path.display())),
        other @ (StoreError::Conflict { .. } | StoreError::Fenced { .. } | StoreError::Compacted { .. }) => {
            other
        }
    }
}
