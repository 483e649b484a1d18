//! The statements of both engines: they are the same, so they are written once.
//!
//! Both databases take numbered parameters, row values and upserts as they stand here. What differs is how a
//! transaction begins that nobody else can write beside, and that only one of them has anybody to notify.

use std::sync::Arc;

use model::kinds::KindName;

use super::{Key, Row, RowChange};
use crate::store::StoreError;
use crate::store::rows::revision;

/// `kind, namespace, name, uid, number, revision, parent, owner, place, claim, json`.
pub type RowColumns = (
    String,
    String,
    String,
    String,
    i64,
    i64,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    String,
);

/// The columns of a row, then `before`, `is_gone` and `at`.
pub type ChangeColumns = (
    String,
    String,
    String,
    String,
    i64,
    i64,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    String,
    Option<String>,
    i64,
    i64,
);

/// The tables in SQLite.
pub const TABLES_SQLITE: &str = "
CREATE TABLE customer_meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL, compacted INTEGER NOT NULL, pepper TEXT NOT NULL
) STRICT;
INSERT INTO customer_meta VALUES (1, 0, 0, '');
CREATE TABLE customers (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
    number INTEGER NOT NULL, revision INTEGER NOT NULL,
    parent TEXT, owner INTEGER, place INTEGER, claim TEXT UNIQUE, json TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) STRICT;
CREATE INDEX customers_by_parent ON customers (kind, namespace, parent);
CREATE INDEX customers_by_place ON customers (place, kind);
CREATE TABLE customer_changes (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
    number INTEGER NOT NULL, revision INTEGER PRIMARY KEY,
    parent TEXT, owner INTEGER, place INTEGER, claim TEXT, json TEXT NOT NULL,
    before TEXT, is_gone INTEGER NOT NULL, at INTEGER NOT NULL
) STRICT;
";

/// The tables in PostgreSQL.
pub const TABLES_POSTGRES: &str = r#"
CREATE TABLE customer_meta (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    epoch BIGINT NOT NULL, compacted BIGINT NOT NULL, pepper TEXT NOT NULL
);
INSERT INTO customer_meta VALUES (1, 0, 0, '');
CREATE TABLE customers (
    kind TEXT COLLATE "C" NOT NULL, namespace TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL,
    uid TEXT NOT NULL, number BIGINT NOT NULL, revision BIGINT NOT NULL,
    parent TEXT COLLATE "C", owner BIGINT, place BIGINT, claim TEXT COLLATE "C" UNIQUE, json TEXT NOT NULL,
    PRIMARY KEY (kind, namespace, name)
);
CREATE INDEX customers_by_parent ON customers (kind, namespace, parent);
CREATE INDEX customers_by_place ON customers (place, kind);
CREATE TABLE customer_changes (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
    number BIGINT NOT NULL, revision BIGINT PRIMARY KEY,
    parent TEXT, owner BIGINT, place BIGINT, claim TEXT, json TEXT NOT NULL,
    before TEXT, is_gone BIGINT NOT NULL, at BIGINT NOT NULL
);
"#;

/// When time changes a row next, in SQLite. What an older store holds is dated here.
pub const DUE_SQLITE: &str = "
ALTER TABLE customers ADD COLUMN due INTEGER;
UPDATE customers SET due = unixepoch(json_extract(json, '$.spec.expiresAt')) WHERE kind = 'Credential'
    AND json_extract(json, '$.status.state') IN ('Active', 'Rotating');
CREATE INDEX customers_by_due ON customers (due) WHERE due IS NOT NULL;
";

/// The same in PostgreSQL.
pub const DUE_POSTGRES: &str = "
ALTER TABLE customers ADD COLUMN due BIGINT;
UPDATE customers SET due = extract(epoch FROM (json::json #>> '{spec,expiresAt}')::timestamptz)::bigint
    WHERE kind = 'Credential' AND json::json #>> '{status,state}' IN ('Active', 'Rotating');
CREATE INDEX customers_by_due ON customers (due) WHERE due IS NOT NULL;
";

/// What sealed pepper is bound to.
pub const PEPPER: &[u8] = b"the pepper of this store";

/// A row of a database.
pub fn row(columns: RowColumns) -> Result<Row, StoreError> {
    let (kind, namespace, name, uid, number, last, parent, owner, place, claim, json) = columns;
    let broken = |what: &str| StoreError::Broken(format!("the row {kind} {namespace}/{name}: {what}"));
    Ok(Row {
        kind: kind_of(&kind).ok_or_else(|| broken("there is no such kind"))?,
        number: revision(number)?,
        revision: revision(last)?,
        owner: owner.map(revision).transpose()?,
        place: place.map(u32::try_from).transpose().map_err(|_| broken("there is no such bucket"))?,
        namespace: namespace.into(),
        name: name.into(),
        uid: uid.into(),
        parent: parent.map(Into::into),
        claim: claim.map(Into::into),
        json: json.into(),
    })
}

/// A change of a database.
pub fn change(columns: ChangeColumns) -> Result<RowChange, StoreError> {
    let (kind, namespace, name, uid, number, last, parent, owner, place, claim, json, before, is_gone, at) =
        columns;
    let columns = (kind, namespace, name, uid, number, last, parent, owner, place, claim, json);
    Ok(RowChange {
        row: row(columns)?,
        before: before.map(Arc::from),
        is_gone: is_gone != 0,
        at: revision(at)?,
    })
}

/// An object of which nothing is left but what it was called.
pub fn nobody(row: &Row) -> Arc<str> {
    let (namespace, name, uid) = (&*row.namespace, &*row.name, &*row.uid);
    let metadata = serde_json::json!({ "namespace": namespace, "name": name, "uid": uid });
    let (group, kind) = (row.kind.api_version(), row.kind.as_str());
    let object = serde_json::json!({ "apiVersion": group, "kind": kind, "metadata": metadata, "spec": {} });
    object.to_string().into()
}

/// The key of whoever holds a claim.
pub fn holder((kind, namespace, name): (String, String, String)) -> Result<Key, StoreError> {
    let known = kind_of(&kind).ok_or_else(|| StoreError::Broken(format!("it holds a row of kind {kind}")))?;
    Ok(Key::new(known, &namespace, &name))
}

fn kind_of(word: &str) -> Option<KindName> {
    KindName::ALL.iter().copied().find(|kind| kind.is_customer() && kind.as_str() == word)
}

/// The functions of one engine, in a module of its own.
macro_rules! statements {
    ($module:ident, $database:ty, $connection:ty, begin: $begin:literal, moment: $moment:literal, tell: $tell:literal) => {
        /// What is asked of the database, by one connection.
        pub(in crate::store) mod $module {
            use engine::customers::{ApplicationId, Place};
            use model::kinds::KindName;
            use sqlx::{Connection, Transaction};

            use crate::store::customers::sql::{self, ChangeColumns, RowColumns};
            use crate::store::customers::{
                CHANGES_KEPT_MAX, Key, Page, Row, RowChange, RowSet, RowWrite, Written,
            };
            use crate::store::keys::Keys;
            use crate::store::rows::{number, revision};
            use crate::store::{AuditEntry, Expect, Revision, StoreError};

            type Connected = $connection;
            type Turn<'t> = Transaction<'t, $database>;

            /// Does a set, and says what the epoch is then.
            pub async fn write(
                connection: &mut Connected,
                set: &RowSet,
            ) -> Result<(Written, Revision), StoreError> {
                let mut turn = connection.begin_with($begin).await?;
                let before = epoch_in(&mut turn).await?;
                let mut epoch = before;
                let mut done = Vec::with_capacity(set.writes.len());
                let at = set.audit.first().map_or(0, |entry| entry.at);
                for write in &set.writes {
                    match one(&mut turn, write, (&mut epoch, at)).await? {
                        Written::Done(changes) => done.extend(changes),
                        refused @ (Written::Conflict(_) | Written::Taken(_)) => {
                            turn.rollback().await?;
                            return Ok((refused, before));
                        }
                    }
                }
                for entry in &set.audit {
                    audit(&mut turn, entry).await?;
                }
                sqlx::query("UPDATE customer_meta SET epoch = $1")
                    .bind(number(epoch))
                    .execute(&mut *turn)
                    .await?;
                forget(&mut turn, before, epoch).await?;
                sqlx::query($tell).bind(format!("customers {epoch}")).execute(&mut *turn).await?;
                turn.commit().await?;
                Ok((Written::Done(done), epoch))
            }

            /// Shortens what is kept of the past, now and then.
            async fn forget(turn: &mut Turn<'_>, before: Revision, epoch: Revision) -> Result<(), StoreError> {
                const EVERY: u64 = 1_000;
                if before / EVERY == epoch / EVERY || epoch <= CHANGES_KEPT_MAX {
                    return Ok(());
                }
                let up_to = number(epoch - CHANGES_KEPT_MAX);
                sqlx::query("UPDATE customer_meta SET compacted = $1").bind(up_to).execute(&mut **turn).await?;
                sqlx::query("DELETE FROM customer_changes WHERE revision <= $1")
                    .bind(up_to)
                    .execute(&mut **turn)
                    .await?;
                Ok(())
            }

            async fn one(
                turn: &mut Turn<'_>,
                write: &RowWrite,
                (epoch, at): (&mut Revision, u64),
            ) -> Result<Written, StoreError> {
                let (key, expect) = match write {
                    RowWrite::Put { row, expect, .. } => (row.key(), *expect),
                    RowWrite::Delete { key, expect } => (key.clone(), *expect),
                };
                let found = row_in(turn, &key).await?;
                let is_met = match (expect, &found) {
                    (Expect::Whatever, _) | (Expect::Absent, None) => true,
                    (Expect::Revision(wanted), Some(found)) => found.revision == wanted,
                    (Expect::Absent, Some(_)) | (Expect::Revision(_), None) => false,
                };
                if !is_met {
                    return Ok(Written::Conflict(key));
                }
                match write {
                    RowWrite::Put { row, due, .. } => put(turn, (row, *due), found, (epoch, at)).await,
                    RowWrite::Delete { .. } => match found {
                        Some(found) => gone(turn, found, (epoch, at)).await,
                        None => Ok(Written::Done(Vec::new())),
                    },
                }
            }

            async fn put(
                turn: &mut Turn<'_>,
                (wanted, due): (&Row, Option<i64>),
                found: Option<Row>,
                (epoch, at): (&mut Revision, u64),
            ) -> Result<Written, StoreError> {
                if let Some(claim) = &wanted.claim
                    && let Some(holder) = holder(turn, claim).await?
                    && holder != wanted.key()
                {
                    return Ok(Written::Taken(holder));
                }
                *epoch += 1;
                let mut row = wanted.clone();
                row.revision = *epoch;
                row.number = found.as_ref().filter(|found| found.uid == row.uid).map_or(*epoch, |row| row.number);
                if row.kind == KindName::Application {
                    row.place = Some(Place::of_application(ApplicationId(row.number)).number());
                }
                let upsert = "INSERT INTO customers \
                     (kind, namespace, name, uid, number, revision, parent, owner, place, claim, json, due) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
                     ON CONFLICT (kind, namespace, name) DO UPDATE SET uid = excluded.uid, \
                     number = excluded.number, revision = excluded.revision, parent = excluded.parent, \
                     owner = excluded.owner, place = excluded.place, claim = excluded.claim, \
                     json = excluded.json, due = excluded.due";
                bound(sqlx::query(upsert), &row).bind(due).execute(&mut **turn).await?;
                let change = RowChange { row, before: found.map(|found| found.json), is_gone: false, at };
                log(turn, &change).await?;
                Ok(Written::Done(vec![change]))
            }

            async fn gone(
                turn: &mut Turn<'_>,
                found: Row,
                (epoch, at): (&mut Revision, u64),
            ) -> Result<Written, StoreError> {
                *epoch += 1;
                sqlx::query("DELETE FROM customers WHERE kind = $1 AND namespace = $2 AND name = $3")
                    .bind(found.kind.as_str())
                    .bind(&*found.namespace)
                    .bind(&*found.name)
                    .execute(&mut **turn)
                    .await?;
                let mut before = Some(found.json.clone());
                let mut row = Row { revision: *epoch, ..found };
                if row.kind == KindName::Developer {
                    (row.json, before) = (sql::nobody(&row), None);
                    forget_person(turn, &row).await?;
                }
                let change = RowChange { row, before, is_gone: true, at };
                log(turn, &change).await?;
                Ok(Written::Done(vec![change]))
            }

            /// Takes out of the past what was known of a person: what happened stays, and whom it was about.
            async fn forget_person(turn: &mut Turn<'_>, row: &Row) -> Result<(), StoreError> {
                let blank = "UPDATE customer_changes SET json = $1, before = NULL \
                     WHERE kind = $2 AND namespace = $3 AND name = $4";
                sqlx::query(blank)
                    .bind(&*row.json)
                    .bind(row.kind.as_str())
                    .bind(&*row.namespace)
                    .bind(&*row.name)
                    .execute(&mut **turn)
                    .await?;
                Ok(())
            }

            async fn log(turn: &mut Turn<'_>, change: &RowChange) -> Result<(), StoreError> {
                let insert = "INSERT INTO customer_changes \
                     (kind, namespace, name, uid, number, revision, parent, owner, place, claim, json, before, \
                     is_gone, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
                bound(sqlx::query(insert), &change.row)
                    .bind(change.before.as_deref())
                    .bind(i64::from(change.is_gone))
                    .bind(number(change.at))
                    .execute(&mut **turn)
                    .await?;
                Ok(())
            }

            async fn audit(turn: &mut Turn<'_>, entry: &AuditEntry) -> Result<(), StoreError> {
                sqlx::query("INSERT INTO audit (at, who, verb, what, outcome) VALUES ($1, $2, $3, $4, $5)")
                    .bind(number(entry.at))
                    .bind(&*entry.who)
                    .bind(&*entry.verb)
                    .bind(&*entry.what)
                    .bind(&*entry.outcome)
                    .execute(&mut **turn)
                    .await?;
                Ok(())
            }

            async fn holder(turn: &mut Turn<'_>, claim: &str) -> Result<Option<Key>, StoreError> {
                let found: Option<(String, String, String)> =
                    sqlx::query_as("SELECT kind, namespace, name FROM customers WHERE claim = $1")
                        .bind(claim)
                        .fetch_optional(&mut **turn)
                        .await?;
                found.map(sql::holder).transpose()
            }

            async fn row_in(turn: &mut Turn<'_>, key: &Key) -> Result<Option<Row>, StoreError> {
                row(turn, key).await
            }

            async fn epoch_in(turn: &mut Turn<'_>) -> Result<Revision, StoreError> {
                epoch(turn).await
            }

            /// One row.
            pub async fn row(connection: &mut Connected, key: &Key) -> Result<Option<Row>, StoreError> {
                let found: Option<RowColumns> = sqlx::query_as(
                    "SELECT kind, namespace, name, uid, number, revision, parent, owner, place, claim, json \
                     FROM customers WHERE kind = $1 AND namespace = $2 AND name = $3",
                )
                .bind(key.kind.as_str())
                .bind(&*key.namespace)
                .bind(&*key.name)
                .fetch_optional(connection)
                .await?;
                found.map(sql::row).transpose()
            }

            /// Some rows of a kind, in order.
            pub async fn page(
                connection: &mut Connected,
                page: &Page,
            ) -> Result<(Revision, Vec<Row>), StoreError> {
                let mut moment = connection.begin_with($moment).await?;
                let epoch = epoch_in(&mut moment).await?;
                // Names begin with letters and digits: `{` comes after all of them.
                let (first, last) = match &page.namespace {
                    Some(namespace) => (&**namespace, &**namespace),
                    None => ("", "{"),
                };
                let (after, name) = match &page.after {
                    Some((namespace, name)) => (&**namespace, &**name),
                    None => (first, ""),
                };
                let found: Vec<RowColumns> = sqlx::query_as(
                    "SELECT kind, namespace, name, uid, number, revision, parent, owner, place, claim, json \
                     FROM customers WHERE kind = $1 AND (namespace, name) > ($2, $3) AND namespace <= $4 \
                     ORDER BY namespace, name LIMIT $5",
                )
                .bind(page.kind.as_str())
                .bind(after)
                .bind(name)
                .bind(last)
                .bind(number(page.limit as u64))
                .fetch_all(&mut *moment)
                .await?;
                moment.rollback().await?;
                Ok((epoch, found.into_iter().map(sql::row).collect::<Result<_, _>>()?))
            }

            /// The rows that belong to a parent.
            pub async fn children(
                connection: &mut Connected,
                kind: KindName,
                namespace: &str,
                parent: &str,
                limit: usize,
            ) -> Result<Vec<Row>, StoreError> {
                let found: Vec<RowColumns> = sqlx::query_as(
                    "SELECT kind, namespace, name, uid, number, revision, parent, owner, place, claim, json \
                     FROM customers WHERE kind = $1 AND namespace = $2 AND parent = $3 ORDER BY name LIMIT $4",
                )
                .bind(kind.as_str())
                .bind(namespace)
                .bind(parent)
                .bind(number(limit as u64))
                .fetch_all(connection)
                .await?;
                found.into_iter().map(sql::row).collect()
            }

            /// The rows of some buckets.
            pub async fn buckets(
                connection: &mut Connected,
                kinds: [KindName; 2],
                first: u32,
                last: u32,
            ) -> Result<(Revision, Vec<Row>), StoreError> {
                let mut moment = connection.begin_with($moment).await?;
                let epoch = epoch_in(&mut moment).await?;
                let found: Vec<RowColumns> = sqlx::query_as(
                    "SELECT kind, namespace, name, uid, number, revision, parent, owner, place, claim, json \
                     FROM customers WHERE place >= $1 AND place <= $2 AND (kind = $3 OR kind = $4)",
                )
                .bind(i64::from(first))
                .bind(i64::from(last))
                .bind(kinds[0].as_str())
                .bind(kinds[1].as_str())
                .fetch_all(&mut *moment)
                .await?;
                moment.rollback().await?;
                Ok((epoch, found.into_iter().map(sql::row).collect::<Result<_, _>>()?))
            }

            /// The rows that time should have changed.
            pub async fn due(
                connection: &mut Connected,
                now: i64,
                limit: usize,
            ) -> Result<Vec<Row>, StoreError> {
                let found: Vec<RowColumns> = sqlx::query_as(
                    "SELECT kind, namespace, name, uid, number, revision, parent, owner, place, claim, json \
                     FROM customers WHERE due <= $1 ORDER BY due LIMIT $2",
                )
                .bind(now)
                .bind(number(limit as u64))
                .fetch_all(connection)
                .await?;
                found.into_iter().map(sql::row).collect()
            }

            /// The number of the last write.
            pub async fn epoch(connection: &mut Connected) -> Result<Revision, StoreError> {
                let epoch: i64 =
                    sqlx::query_scalar("SELECT epoch FROM customer_meta").fetch_one(connection).await?;
                revision(epoch)
            }

            /// What happened after a revision.
            pub async fn changes(
                connection: &mut Connected,
                after: Revision,
                limit: usize,
            ) -> Result<Vec<RowChange>, StoreError> {
                let mut moment = connection.begin_with($moment).await?;
                let compacted: i64 = sqlx::query_scalar("SELECT compacted FROM customer_meta")
                    .fetch_one(&mut *moment)
                    .await?;
                let found: Vec<ChangeColumns> = sqlx::query_as(
                    "SELECT kind, namespace, name, uid, number, revision, parent, owner, place, claim, json, \
                     before, is_gone, at FROM customer_changes WHERE revision > $1 ORDER BY revision LIMIT $2",
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
                found.into_iter().map(sql::change).collect()
            }

            /// The pepper that is kept, or this one from now on.
            pub async fn pepper(
                connection: &mut Connected,
                offered: &str,
                keys: &Keys,
            ) -> Result<String, StoreError> {
                let mut turn = connection.begin_with($begin).await?;
                let kept: String =
                    sqlx::query_scalar("SELECT pepper FROM customer_meta").fetch_one(&mut *turn).await?;
                if !kept.is_empty() {
                    turn.rollback().await?;
                    let opened = keys.unseal(sql::PEPPER, &kept);
                    return opened.map_err(|error| StoreError::Broken(format!("the pepper of keys: {error}")));
                }
                sqlx::query("UPDATE customer_meta SET pepper = $1")
                    .bind(keys.seal(sql::PEPPER, offered))
                    .execute(&mut *turn)
                    .await?;
                turn.commit().await?;
                Ok(offered.to_owned())
            }

            type Query<'q> = sqlx::query::Query<'q, $database, <$database as sqlx::Database>::Arguments>;

            fn bound<'q>(query: Query<'q>, row: &'q Row) -> Query<'q> {
                query
                    .bind(row.kind.as_str())
                    .bind(&*row.namespace)
                    .bind(&*row.name)
                    .bind(&*row.uid)
                    .bind(number(row.number))
                    .bind(number(row.revision))
                    .bind(row.parent.as_deref())
                    .bind(row.owner.map(number))
                    .bind(row.place.map(i64::from))
                    .bind(row.claim.as_deref())
                    .bind(&*row.json)
            }
        }
    };
}

statements!(sqlite, sqlx::Sqlite, sqlx::SqliteConnection,
    begin: "BEGIN IMMEDIATE", moment: "BEGIN", tell: "SELECT $1");
statements!(postgres, sqlx::Postgres, sqlx::PgConnection,
    begin: "BEGIN; SELECT epoch FROM customer_meta FOR UPDATE",
    moment: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    tell: "SELECT pg_notify('selvedge', $1)");
