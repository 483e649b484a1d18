//! How SQLite is written to: by one connection, which only the writer has.

use std::collections::HashMap;

use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::watch;

use super::file::Lock;
use crate::store::customers::sql::sqlite as customers;
use crate::store::customers::{RowSet, Written};
use crate::store::decide::{self, Decision, Known, decide};
use crate::store::history::audit_step;
use crate::store::keys::Keys;
use crate::store::leases::{Lease, grant};
use crate::store::line::Line;
use crate::store::quotas::sql::sqlite as quotas;
use crate::store::quotas::{QuotaRow, Wrote};
use crate::store::rows::{Row, namespace_of, number, revision};
use crate::store::usage::sql::sqlite as usage;
use crate::store::usage::{Kept, UsageWrite};
use crate::store::writer::{Engine, Group, Wish};
use crate::store::{AuditEntry, ChangeSet, Fence, Revision, StoreError};

/// Milliseconds since 1970. The clock of leases is the database's, as it is on the other engine.
const NOW: &str = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// The connection that writes.
pub(super) struct SqliteEngine {
    pub line: Line<Sqlite>,
    pub keys: Keys,
    pub epoch: watch::Sender<Revision>,
    pub row_epoch: watch::Sender<Revision>,
    /// The connections that read, closed before this one.
    pub readers: SqlitePool,
    /// Let go of after all connections are.
    pub _lock: Lock,
}

impl Engine for SqliteEngine {
    async fn write(&mut self, sets: &[ChangeSet]) -> Result<Group, StoreError> {
        let mut connection = self.line.take().await?;
        let group = write(&mut connection, sets, &self.keys).await?;
        self.line.keep(connection);
        Ok(group)
    }

    async fn lease(&mut self, wish: &Wish) -> Result<Option<Fence>, StoreError> {
        let mut connection = self.line.take().await?;
        let fence = lease(&mut connection, wish).await?;
        self.line.keep(connection);
        Ok(fence)
    }

    async fn release(&mut self, fence: &Fence) -> Result<(), StoreError> {
        let mut connection = self.line.take().await?;
        sqlx::query("UPDATE leases SET until = 0 WHERE name = ? AND token = ?")
            .bind(&*fence.lease)
            .bind(number(fence.token))
            .execute(&mut connection)
            .await?;
        self.line.keep(connection);
        Ok(())
    }

    async fn compact(&mut self, up_to: Revision) -> Result<(), StoreError> {
        let mut connection = self.line.take().await?;
        compact(&mut connection, up_to).await?;
        self.line.keep(connection);
        Ok(())
    }

    async fn shorten_audit(&mut self, kept: u64) -> Result<bool, StoreError> {
        let mut connection = self.line.take().await?;
        let more = shorten_audit(&mut connection, kept).await?;
        self.line.keep(connection);
        Ok(more)
    }

    async fn write_rows(&mut self, set: &RowSet) -> Result<(Written, Revision), StoreError> {
        let mut connection = self.line.take().await?;
        let written = customers::write(&mut connection, set).await?;
        self.line.keep(connection);
        Ok(written)
    }

    async fn pepper(&mut self, offered: &str) -> Result<String, StoreError> {
        let mut connection = self.line.take().await?;
        let pepper = customers::pepper(&mut connection, offered, &self.keys).await?;
        self.line.keep(connection);
        Ok(pepper)
    }

    async fn write_quotas(&mut self, rows: &[QuotaRow]) -> Result<Vec<Wrote>, StoreError> {
        let mut connection = self.line.take().await?;
        let written = quotas::write(&mut connection, rows).await?;
        self.line.keep(connection);
        Ok(written)
    }

    async fn forget_quotas(&mut self, ended_before: i64) -> Result<(), StoreError> {
        let mut connection = self.line.take().await?;
        quotas::forget(&mut connection, ended_before).await?;
        self.line.keep(connection);
        Ok(())
    }

    async fn write_usage(&mut self, writes: &[UsageWrite]) -> Result<Vec<Kept>, StoreError> {
        let mut connection = self.line.take().await?;
        let kept = usage::write(&mut connection, writes).await?;
        self.line.keep(connection);
        Ok(kept)
    }

    fn wrote_rows(&self, epoch: Revision) {
        self.row_epoch.send_if_modified(|told| std::mem::replace(told, epoch) != epoch);
    }

    fn wrote(&self, epoch: Revision) {
        self.epoch.send_if_modified(|told| std::mem::replace(told, epoch) != epoch);
    }

    async fn close(self) {
        // The last connection to be closed moves the write-ahead log into the database.
        self.readers.close().await;
        self.line.close().await;
    }
}

async fn write(
    connection: &mut SqliteConnection,
    sets: &[ChangeSet],
    keys: &Keys,
) -> Result<Group, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let decision = decide(sets, known(&mut transaction, sets).await?);
    if decision.is_empty() {
        transaction.rollback().await?;
    } else {
        keep(&mut transaction, &decision, keys).await?;
        transaction.commit().await?;
    }
    Ok(Group { answers: decision.answers, epoch: decision.epoch })
}

async fn lease(connection: &mut SqliteConnection, wish: &Wish) -> Result<Option<Fence>, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let now: i64 = sqlx::query_scalar(NOW).fetch_one(&mut *transaction).await?;
    let found: Option<(String, i64, i64)> =
        sqlx::query_as("SELECT holder, token, until FROM leases WHERE name = ?")
            .bind(&*wish.name)
            .fetch_optional(&mut *transaction)
            .await?;
    let found = found.map(|(holder, token, until)| Lease { holder, token, until });
    let Some(lease) = grant(found.as_ref(), wish, now) else {
        transaction.rollback().await?;
        return Ok(None);
    };
    sqlx::query("INSERT OR REPLACE INTO leases (name, holder, token, until) VALUES (?, ?, ?, ?)")
        .bind(&*wish.name)
        .bind(lease.holder)
        .bind(lease.token)
        .bind(lease.until)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Some(Fence { lease: wish.name.clone(), token: revision(lease.token)? }))
}

async fn compact(connection: &mut SqliteConnection, up_to: Revision) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("UPDATE meta SET compacted = max(compacted, min(epoch, ?))")
        .bind(number(up_to))
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM changes WHERE revision <= (SELECT compacted FROM meta)")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// What is to be forgotten is written down first: the log lets go of nothing else.
async fn shorten_audit(connection: &mut SqliteConnection, kept: u64) -> Result<bool, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let (first, last): (i64, i64) =
        sqlx::query_as("SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM audit")
            .fetch_one(&mut *transaction)
            .await?;
    let Some((up_to, more)) = audit_step(first, last, kept) else {
        transaction.rollback().await?;
        return Ok(false);
    };
    sqlx::query("UPDATE meta SET audit_forgotten = ?").bind(up_to).execute(&mut *transaction).await?;
    sqlx::query("DELETE FROM audit WHERE id <= ?").bind(up_to).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(more)
}

/// Reads what some sets depend on.
async fn known(transaction: &mut Transaction<'_, Sqlite>, sets: &[ChangeSet]) -> Result<Known, StoreError> {
    let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM meta").fetch_one(&mut **transaction).await?;
    let mut revisions = HashMap::new();
    for key in decide::keys(sets) {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT revision FROM objects WHERE api_group = ? AND kind = ? AND namespace = ? AND name = ?",
        )
        .bind(&*key.group)
        .bind(&*key.kind)
        .bind(&*namespace_of(key))
        .bind(key.name.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
        if let Some(found) = found {
            revisions.insert(key.clone(), revision(found)?);
        }
    }
    let mut leases = HashMap::new();
    for lease in decide::fences(sets) {
        let token: Option<i64> = sqlx::query_scalar(
            "SELECT token FROM leases WHERE name = ? AND until > unixepoch('subsec') * 1000",
        )
        .bind(&**lease)
        .fetch_optional(&mut **transaction)
        .await?;
        if let Some(token) = token {
            leases.insert(lease.clone(), revision(token)?);
        }
    }
    Ok(Known { epoch: revision(epoch)?, revisions, leases })
}

/// Writes what was decided.
async fn keep(
    transaction: &mut Transaction<'_, Sqlite>,
    decision: &Decision,
    keys: &Keys,
) -> Result<(), StoreError> {
    let rows: Vec<Row> = decision.log.iter().map(|change| Row::of_change(change, keys)).collect();
    for row in &rows {
        log(transaction, row).await?;
    }
    for &at in decision.last.values() {
        match rows[at].json {
            Some(_) => put(transaction, &rows[at]).await?,
            None => delete(transaction, &rows[at]).await?,
        }
    }
    for entry in &decision.audit {
        audit(transaction, entry).await?;
    }
    sqlx::query("UPDATE meta SET epoch = ?").bind(number(decision.epoch)).execute(&mut **transaction).await?;
    Ok(())
}

async fn log(transaction: &mut Transaction<'_, Sqlite>, row: &Row) -> Result<(), StoreError> {
    let insert = "INSERT INTO changes (api_group, kind, namespace, name, uid, revision, json, file, line) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    bound(sqlx::query(insert), row).execute(&mut **transaction).await?;
    Ok(())
}

async fn put(transaction: &mut Transaction<'_, Sqlite>, row: &Row) -> Result<(), StoreError> {
    let upsert = "INSERT INTO objects (api_group, kind, namespace, name, uid, revision, json, file, line) \
                  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET uid = excluded.uid, \
                  revision = excluded.revision, json = excluded.json, file = excluded.file, line = excluded.line";
    bound(sqlx::query(upsert), row).execute(&mut **transaction).await?;
    Ok(())
}

async fn delete(transaction: &mut Transaction<'_, Sqlite>, row: &Row) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM objects WHERE api_group = ? AND kind = ? AND namespace = ? AND name = ?")
        .bind(&*row.api_group)
        .bind(&*row.kind)
        .bind(&*row.namespace)
        .bind(&*row.name)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn audit(transaction: &mut Transaction<'_, Sqlite>, entry: &AuditEntry) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO audit (at, who, verb, what, outcome) VALUES (?, ?, ?, ?, ?)")
        .bind(number(entry.at))
        .bind(&*entry.who)
        .bind(&*entry.verb)
        .bind(&*entry.what)
        .bind(&*entry.outcome)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

fn bound<'q>(query: Query<'q>, row: &'q Row) -> Query<'q> {
    query
        .bind(&*row.api_group)
        .bind(&*row.kind)
        .bind(&*row.namespace)
        .bind(&*row.name)
        .bind(&*row.uid)
        .bind(row.revision)
        .bind(row.json.as_deref())
        .bind(row.file.as_deref())
        .bind(row.line)
}
