//! How PostgreSQL is written to: by one connection of each control plane, one transaction after the other.
//!
//! The row with the epoch is locked first, so writers of all control planes stand in one line and what they commit is
//! seen in the order of the revisions. Whole groups are written with one statement.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use model::ResourceKey;
use sqlx::{Connection, PgConnection, Postgres};

use super::watching::Hint;
use crate::store::customers::sql::postgres as customers;
use crate::store::customers::{RowSet, Written};
use crate::store::decide::{self, Decision, Known, decide};
use crate::store::history::audit_step;
use crate::store::keys::Keys;
use crate::store::leases::{Lease, grant};
use crate::store::line::{Line, within};
use crate::store::quotas::sql::postgres as quotas;
use crate::store::quotas::{QuotaRow, Wrote};
use crate::store::rows::{Row, key, namespace_of, number, revision};
use crate::store::usage::sql::postgres as usage;
use crate::store::usage::{Kept, UsageWrite};
use crate::store::writer::{Engine, Group, Wish};
use crate::store::{ChangeSet, Fence, Revision, StoreError};

/// The connection that writes.
pub(super) struct PostgresEngine {
    pub line: Line<Postgres>,
    pub keys: Keys,
    pub hint: Hint,
    /// The same, of the rows of customers.
    pub row_hint: Hint,
    /// How long a transaction may take.
    pub patience: Duration,
}

impl Engine for PostgresEngine {
    async fn write(&mut self, sets: &[ChangeSet]) -> Result<Group, StoreError> {
        within(self.patience, async {
            let mut connection = self.line.take().await?;
            let group = write(&mut connection, sets, &self.keys).await?;
            self.line.keep(connection);
            Ok(group)
        })
        .await
    }

    async fn lease(&mut self, wish: &Wish) -> Result<Option<Fence>, StoreError> {
        within(self.patience, async {
            let mut connection = self.line.take().await?;
            let fence = lease(&mut connection, wish).await?;
            self.line.keep(connection);
            Ok(fence)
        })
        .await
    }

    async fn release(&mut self, fence: &Fence) -> Result<(), StoreError> {
        within(self.patience, async {
            let mut connection = self.line.take().await?;
            sqlx::query("UPDATE leases SET until = 0 WHERE name = $1 AND token = $2")
                .bind(&*fence.lease)
                .bind(number(fence.token))
                .execute(&mut connection)
                .await?;
            self.line.keep(connection);
            Ok(())
        })
        .await
    }

    async fn compact(&mut self, up_to: Revision) -> Result<(), StoreError> {
        within(self.patience, async {
            let mut connection = self.line.take().await?;
            compact(&mut connection, up_to).await?;
            self.line.keep(connection);
            Ok(())
        })
        .await
    }

    async fn shorten_audit(&mut self, kept: u64) -> Result<bool, StoreError> {
        within(self.patience, async {
            let mut connection = self.line.take().await?;
            let more = shorten_audit(&mut connection, kept).await?;
            self.line.keep(connection);
            Ok(more)
        })
        .await
    }

    async fn write_rows(&mut self, set: &RowSet) -> Result<(Written, Revision), StoreError> {
        within(self.patience, async {
            let mut connection = self.line.take().await?;
            let written = customers::write(&mut connection, set).await?;
            self.line.keep(connection);
            Ok(written)
        })
        .await
    }

    async fn pepper(&mut self, offered: &str) -> Result<String, StoreError> {
        within(self.patience, async {
            let mut connection = self.line.take().await?;
            let pepper = customers::pepper(&mut connection, offered, &self.keys).await?;
            self.line.keep(connection);
            Ok(pepper)
        })
        .await
    }

    async fn write_quotas(&mut self, rows: &[QuotaRow]) -> Result<Vec<Wrote>, StoreError> {
        within(self.patience, async {
            let mut connection = self.line.take().await?;
            let written = quotas::write(&mut connection, rows).await?;
            self.line.keep(connection);
            Ok(written)
        })
        .await
    }

    async fn forget_quotas(&mut self, ended_before: i64) -> Result<(), StoreError> {
        within(self.patience, async {
            let mut connection = self.line.take().await?;
            quotas::forget(&mut connection, ended_before).await?;
            self.line.keep(connection);
            Ok(())
        })
        .await
    }

    async fn write_usage(&mut self, writes: &[UsageWrite]) -> Result<Vec<Kept>, StoreError> {
        within(self.patience, async {
            let mut connection = self.line.take().await?;
            let kept = usage::write(&mut connection, writes).await?;
            self.line.keep(connection);
            Ok(kept)
        })
        .await
    }

    fn wrote_rows(&self, epoch: Revision) {
        self.row_hint.heard(epoch);
    }

    fn wrote(&self, epoch: Revision) {
        self.hint.heard(epoch);
    }

    async fn close(self) {
        let PostgresEngine { line, patience, .. } = self;
        // A database that went silent is not waited for.
        let _ = within(patience, async {
            line.close().await;
            Ok(())
        })
        .await;
    }
}

/// Milliseconds since 1970 by the clock of the database, which all control planes share. Not the time at which the
/// transaction began: it may have waited for its turn since.
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// Nearly always nobody else writes in this very moment. So what the sets depend on is read without taking a turn, and
/// written by one statement on condition that nothing was written since: two ways to the database instead of one for
/// each step, and the row that everybody waits for is locked only while the statement runs.
async fn write(connection: &mut PgConnection, sets: &[ChangeSet], keys: &Keys) -> Result<Group, StoreError> {
    // Who holds a lease may change without a write.
    if decide::fences(sets).is_empty() {
        let known = known(connection, sets).await?;
        let since = known.epoch;
        let decision = decide(sets, known);
        if decision.is_empty() || keep(connection, since, &decision, keys).await? {
            return Ok(Group { answers: decision.answers, epoch: decision.epoch });
        }
    }
    write_in_turn(connection, sets, keys).await
}

async fn write_in_turn(
    connection: &mut PgConnection,
    sets: &[ChangeSet],
    keys: &Keys,
) -> Result<Group, StoreError> {
    let mut transaction = connection.begin_with(TURN).await?;
    let known = known(&mut transaction, sets).await?;
    let since = known.epoch;
    let decision = decide(sets, known);
    if decision.is_empty() {
        transaction.rollback().await?;
    } else {
        if !keep(&mut transaction, since, &decision, keys).await? {
            return Err(StoreError::Broken("somebody wrote out of turn".to_owned()));
        }
        transaction.commit().await?;
    }
    Ok(Group { answers: decision.answers, epoch: decision.epoch })
}

/// Begins a transaction and waits for its turn. What is read after that is the truth until it ends.
const TURN: &str = "BEGIN; SELECT epoch FROM meta FOR UPDATE";

/// Reads what some sets depend on.
async fn known(connection: &mut PgConnection, sets: &[ChangeSet]) -> Result<Known, StoreError> {
    let (epoch, revisions) = revisions(connection, &decide::keys(sets)).await?;
    let names: Vec<&str> = decide::fences(sets).into_iter().map(|name| &**name).collect();
    let mut leases = HashMap::new();
    if !names.is_empty() {
        let held: Vec<(String, i64)> = sqlx::query_as(
            "SELECT name, token FROM leases \
             WHERE name = ANY($1) AND until > extract(epoch FROM clock_timestamp()) * 1000",
        )
        .bind(names)
        .fetch_all(&mut *connection)
        .await?;
        for (name, token) in held {
            leases.insert(Arc::from(name), revision(token)?);
        }
    }
    Ok(Known { epoch, revisions, leases })
}

/// The epoch beside an object, if one was found.
type Found = (i64, Option<String>, Option<String>, Option<String>, Option<String>, Option<i64>);

/// The epoch, and the last writes of those objects that exist, both of one moment.
async fn revisions(
    connection: &mut PgConnection,
    keys: &BTreeSet<&ResourceKey>,
) -> Result<(Revision, HashMap<ResourceKey, Revision>), StoreError> {
    let namespaces: Vec<Arc<str>> = keys.iter().map(|key| namespace_of(key)).collect();
    let found: Vec<Found> = sqlx::query_as(
        "SELECT epoch, api_group, kind, namespace, name, revision FROM meta LEFT JOIN ( \
         objects JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS wanted (g, k, s, n) \
         ON api_group = g AND kind = k AND namespace = s AND name = n) ON true",
    )
    .bind(keys.iter().map(|key| &*key.group).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| &*key.kind).collect::<Vec<_>>())
    .bind(namespaces.iter().map(|namespace| &**namespace).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let epoch = found.first().map(|found| found.0).ok_or(sqlx::Error::RowNotFound)?;
    let mut revisions = HashMap::new();
    for found in found {
        if let (_, Some(group), Some(kind), Some(namespace), Some(name), Some(last)) = found {
            revisions.insert(key(&group, &kind, &namespace, &name)?, revision(last)?);
        }
    }
    Ok((revision(epoch)?, revisions))
}

/// Writes what was decided by what was known at an epoch, and tells everybody once it is committed. Writes nothing, and
/// says so, when the epoch is another one by now.
async fn keep(
    connection: &mut PgConnection,
    since: Revision,
    decision: &Decision,
    keys: &Keys,
) -> Result<bool, StoreError> {
    let rows: Vec<Row> = decision.log.iter().map(|change| Row::of_change(change, keys)).collect();
    let mut is_last = vec![false; rows.len()];
    decision.last.values().for_each(|&at| is_last[at] = true);
    let audit = &decision.audit;
    let kept = sqlx::query(KEEP)
        .bind(rows.iter().map(|row| &*row.api_group).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| &*row.kind).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| &*row.namespace).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| &*row.name).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| &*row.uid).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.revision).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.json.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.file.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.line).collect::<Vec<_>>())
        .bind(is_last)
        .bind(number(decision.epoch))
        .bind(number(since))
        .bind(audit.iter().map(|entry| number(entry.at)).collect::<Vec<_>>())
        .bind(audit.iter().map(|entry| &*entry.who).collect::<Vec<_>>())
        .bind(audit.iter().map(|entry| &*entry.verb).collect::<Vec<_>>())
        .bind(audit.iter().map(|entry| &*entry.what).collect::<Vec<_>>())
        .bind(audit.iter().map(|entry| &*entry.outcome).collect::<Vec<_>>())
        .fetch_optional(connection)
        .await?;
    Ok(kept.is_some())
}

/// The turn first: everything else reads from it, and so waits for it and does nothing without it. Then all changes
/// into the log, and the last of each object into the objects or out of them. No object is in both halves, so that
/// their order does not matter. Entries of the audit log get their numbers in the order in which they are selected.
const KEEP: &str = "
    WITH turn AS (
        UPDATE meta SET epoch = $11 WHERE epoch = $12 RETURNING epoch
    ), happened AS (
        SELECT happened.* FROM turn, unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
            $6::bigint[], $7::text[], $8::text[], $9::bigint[], $10::bool[])
            AS happened (g, k, s, n, uid, revision, json, file, line, is_last)
    ), logged AS (
        INSERT INTO changes (api_group, kind, namespace, name, uid, revision, json, file, line)
        SELECT g, k, s, n, uid, revision, json, file, line FROM happened
    ), put AS (
        INSERT INTO objects (api_group, kind, namespace, name, uid, revision, json, file, line)
        SELECT g, k, s, n, uid, revision, json, file, line FROM happened WHERE is_last AND json IS NOT NULL
        ON CONFLICT (api_group, kind, namespace, name) DO UPDATE SET uid = excluded.uid,
            revision = excluded.revision, json = excluded.json, file = excluded.file, line = excluded.line
    ), gone AS (
        DELETE FROM objects USING happened
        WHERE is_last AND happened.json IS NULL AND api_group = g AND kind = k AND namespace = s AND name = n
    ), audited AS (
        INSERT INTO audit (at, who, verb, what, outcome)
        SELECT at, who, verb, what, outcome
        FROM turn, unnest($13::bigint[], $14::text[], $15::text[], $16::text[], $17::text[])
            WITH ORDINALITY AS entries (at, who, verb, what, outcome, place)
        ORDER BY place
    )
    SELECT CASE WHEN $11 > $12 THEN pg_notify('selvedge', epoch::text)::text END FROM turn";

async fn lease(connection: &mut PgConnection, wish: &Wish) -> Result<Option<Fence>, StoreError> {
    let mut transaction = connection.begin().await?;
    // A row to lock, also for a lease that nobody ever had.
    sqlx::query("INSERT INTO leases VALUES ($1, '', 0, 0) ON CONFLICT DO NOTHING")
        .bind(&*wish.name)
        .execute(&mut *transaction)
        .await?;
    let (holder, token, until): (String, i64, i64) =
        sqlx::query_as("SELECT holder, token, until FROM leases WHERE name = $1 FOR UPDATE")
            .bind(&*wish.name)
            .fetch_one(&mut *transaction)
            .await?;
    let now: i64 = sqlx::query_scalar(NOW).fetch_one(&mut *transaction).await?;
    let Some(lease) = grant(Some(&Lease { holder, token, until }), wish, now) else {
        transaction.rollback().await?;
        return Ok(None);
    };
    sqlx::query("UPDATE leases SET holder = $2, token = $3, until = $4 WHERE name = $1")
        .bind(&*wish.name)
        .bind(lease.holder)
        .bind(lease.token)
        .bind(lease.until)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Some(Fence { lease: wish.name.clone(), token: revision(lease.token)? }))
}

async fn compact(connection: &mut PgConnection, up_to: Revision) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await?;
    sqlx::query("UPDATE meta SET compacted = greatest(compacted, least(epoch, $1))")
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
async fn shorten_audit(connection: &mut PgConnection, kept: u64) -> Result<bool, StoreError> {
    let mut transaction = connection.begin_with(TURN).await?;
    let (first, last): (i64, i64) =
        sqlx::query_as("SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM audit")
            .fetch_one(&mut *transaction)
            .await?;
    let Some((up_to, more)) = audit_step(first, last, kept) else {
        transaction.rollback().await?;
        return Ok(false);
    };
    sqlx::query("UPDATE meta SET audit_forgotten = $1").bind(up_to).execute(&mut *transaction).await?;
    sqlx::query("DELETE FROM audit WHERE id <= $1").bind(up_to).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(more)
}
