//! The store in PostgreSQL: for control planes that stand side by side and see the same truth.
//!
//! The order of all writes is the order in which transactions lock the row with the epoch. Others are told with
//! `NOTIFY`, and look for themselves in case they were not. Every question has a time by which it is answered, here and
//! in the server, so that a connection that went silent holds up nobody for longer.

mod customers;
mod engine;
#[cfg(test)]
mod faults;
mod quotas;
mod schema;
#[cfg(test)]
pub(in crate::store) mod server;
#[cfg(test)]
mod tests;
mod usage;
mod watching;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Postgres as Database};
use tokio::task::JoinHandle;

use engine::PostgresEngine;
use watching::Hint;

use super::customers::sql::postgres as statements;
use super::keys::Keys;
use super::line::{Line, Lines, within};
use super::rows::{self, AuditColumns, Columns, number, revision};
use super::writer::{Wish, Writer, ended};
use super::{Answer, AuditEntry, Change, ChangeSet, Fence, Object, Revision, Store, StoreError};

/// Most connections that read at the same time. Past it readers wait.
const READERS_MAX: u16 = 4;

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A transaction of the writer. A commit may wait for the one before it, and so takes at most twice as long.
    pub transaction: Duration,
    /// Reading something.
    pub read: Duration,
    /// Reading everything.
    pub load: Duration,
    /// After how long [`Store::wait`] lets its caller look, when nothing was heard.
    pub poll: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            transaction: Duration::from_secs(5),
            read: Duration::from_secs(5),
            load: Duration::from_secs(60),
            poll: Duration::from_secs(1),
        }
    }
}

/// A store in a database.
#[derive(Debug)]
pub struct Postgres {
    readers: Lines<Database>,
    writer: Writer,
    hint: Hint,
    row_hint: Hint,
    listening: JoinHandle<()>,
    keys: Keys,
    patience: Patience,
    /// Where it is, without the password.
    place: String,
}

impl Postgres {
    /// Opens the store in a database, `postgres://user@host/database`, and makes one when there is none. Every control
    /// plane of it needs the same keys.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be reached now; [`StoreError::Broken`] when it refuses us, holds
    /// something else, or was made by a newer version or with other keys.
    pub async fn open(url: &str, keys: Keys, patience: Patience) -> Result<Arc<Postgres>, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::Broken(format!("the address of the database: {error}")))?
            .application_name("selvedge")
            .disable_statement_logging();
        let place = place(&options);
        Postgres::open_with(&options, keys, patience, place.clone()).await.map_err(|error| at(&place, error))
    }

    async fn open_with(
        options: &PgConnectOptions,
        keys: Keys,
        patience: Patience,
        place: String,
    ) -> Result<Arc<Postgres>, StoreError> {
        let (connection, options, epoch, row_epoch) = within(patience.read, async {
            let options = durable(options, patience).await?;
            let mut connection = options.connect().await?;
            schema::migrate(&mut connection, &keys).await?;
            let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM meta").fetch_one(&mut connection).await?;
            let row_epoch = statements::epoch(&mut connection).await?;
            Ok((connection, options, revision(epoch)?, row_epoch))
        })
        .await?;
        let (hint, row_hint) = (Hint::new(epoch), Hint::new(row_epoch));
        let line = Line::new(options.clone(), connection);
        let writer = Writer::start(PostgresEngine {
            line,
            keys: keys.clone(),
            hint: hint.clone(),
            row_hint: row_hint.clone(),
            patience: patience.transaction,
        });
        let listening = tokio::spawn(watching::listen(
            options.clone(),
            watching::Hints { objects: hint.clone(), rows: row_hint.clone() },
            patience.read,
        ));
        let readers =
            Lines::new(options.options([milliseconds("statement_timeout", patience.load)]), READERS_MAX);
        Ok(Arc::new(Postgres { readers, writer, hint, row_hint, listening, keys, patience, place }))
    }

    async fn read_all(&self, reader: &mut PgConnection) -> Result<(Revision, Vec<Object>), StoreError> {
        let mut moment = reader.begin_with(ONE_MOMENT).await?;
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

    async fn read_changes(
        &self,
        reader: &mut PgConnection,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<Change>, StoreError> {
        let mut moment = reader.begin_with(ONE_MOMENT).await?;
        let compacted: i64 = sqlx::query_scalar("SELECT compacted FROM meta").fetch_one(&mut *moment).await?;
        let found: Vec<Columns> = sqlx::query_as(
            "SELECT api_group, kind, namespace, name, uid, revision, json, file, line FROM changes \
             WHERE revision > $1 ORDER BY revision LIMIT $2",
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

    async fn read_epoch(&self, reader: &mut PgConnection) -> Result<Revision, StoreError> {
        let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM meta").fetch_one(reader).await?;
        revision(epoch)
    }

    async fn read_audit(
        &self,
        reader: &mut PgConnection,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let found: Vec<AuditColumns> =
            sqlx::query_as("SELECT at, who, verb, what, outcome FROM audit ORDER BY id DESC LIMIT $1")
                .bind(number(limit as u64))
                .fetch_all(reader)
                .await?;
        Ok(found.into_iter().map(rows::audit_entry).collect())
    }

    /// Does something by a time, and says which database it was about if it fails.
    fn answer<'a, T: 'a>(
        &'a self,
        patience: Duration,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move { within(patience, work).await.map_err(|error| at(&self.place, error)) })
    }

    /// How long somebody waits who needs the writer.
    fn turn(&self) -> Duration {
        self.patience.transaction * 2
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Store for Postgres {
    fn commit(&self, set: ChangeSet) -> Answer<'_, Vec<Change>> {
        self.answer(self.turn(), self.writer.commit(set))
    }

    fn load(&self) -> Answer<'_, (Revision, Vec<Object>)> {
        self.answer(self.patience.load, self.readers.with(async |reader| self.read_all(reader).await))
    }

    fn epoch(&self) -> Answer<'_, Revision> {
        self.answer(self.patience.read, self.readers.with(async |reader| self.read_epoch(reader).await))
    }

    fn changes(&self, after: Revision, limit: usize) -> Answer<'_, Vec<Change>> {
        self.answer(
            self.patience.read,
            self.readers.with(async move |reader| self.read_changes(reader, after, limit).await),
        )
    }

    fn compact(&self, up_to: Revision) -> Answer<'_, ()> {
        self.answer(self.turn(), self.writer.compact(up_to))
    }

    fn wait(&self, beyond: Revision) -> Answer<'_, ()> {
        self.answer(self.patience.poll * 2, async move {
            tokio::select! {
                () = self.writer.ended() => Err(ended()),
                () = self.hint.beyond(beyond, self.patience.poll) => Ok(()),
            }
        })
    }

    fn lease(&self, name: &str, holder: &str, milliseconds: u64) -> Answer<'_, Option<Fence>> {
        let wish = Wish { name: name.into(), holder: holder.into(), milliseconds };
        self.answer(self.turn(), self.writer.lease(wish))
    }

    fn release(&self, fence: &Fence) -> Answer<'_, ()> {
        self.answer(self.turn(), self.writer.release(fence.clone()))
    }

    fn audit(&self, entries: Vec<AuditEntry>) -> Answer<'_, ()> {
        let set = ChangeSet { audit: entries, ..ChangeSet::default() };
        self.answer(self.turn(), async move { self.writer.commit(set).await.map(drop) })
    }

    fn audited(&self, limit: usize) -> Answer<'_, Vec<AuditEntry>> {
        self.answer(
            self.patience.read,
            self.readers.with(async move |reader| self.read_audit(reader, limit).await),
        )
    }

    fn shorten_audit(&self, kept: u64) -> Answer<'_, bool> {
        self.answer(self.turn(), self.writer.shorten_audit(kept))
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
        self.listening.abort();
        self.answer(self.turn() + self.patience.read, async {
            self.writer.close().await;
            self.readers.close().await;
            Ok(())
        })
    }
}

/// What is read by several statements is read as of the first one.
const ONE_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Settings of our sessions: where our tables are, and that the server too gives up on us in time. A transaction of a
/// client that cannot be reached any more would hold the lock that every writer needs.
async fn durable(options: &PgConnectOptions, patience: Patience) -> Result<PgConnectOptions, StoreError> {
    let mut plain = options.connect().await?;
    let committed: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut plain).await?;
    plain.close().await?;
    let options = options
        .clone()
        .options([("search_path", schema::SCHEMA), ("default_transaction_isolation", "read committed")])
        .options([
            milliseconds("statement_timeout", patience.transaction),
            milliseconds("idle_in_transaction_session_timeout", patience.transaction),
        ])
        .options([
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ]);
    // What was acknowledged is on a disk. Who set more than that keeps it.
    Ok(match committed.as_str() {
        "off" => options.options([("synchronous_commit", "on")]),
        _ => options,
    })
}

fn milliseconds(setting: &'static str, time: Duration) -> (&'static str, String) {
    (setting, time.as_millis().to_string())
}

fn place(options: &PgConnectOptions) -> String {
    let host =
        options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
    let database = options.get_database().unwrap_or(options.get_username());
    format!("PostgreSQL at {host}:{}, database `{database}`", options.get_port())
}

/// An error that says where the store is.
fn at(place: &str, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{place}: {why}")),
        StoreError::Broken(why) => StoreError::Broken(format!("{place}: {why}")),
        other @ (StoreError::Conflict { .. } | StoreError::Fenced { .. } | StoreError::Compacted { .. }) => {
            other
        }
    }
}
