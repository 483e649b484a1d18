//! The tables of a SQLite store, and how an older one becomes a newer one.

use sqlx::{Connection, SqliteConnection};

use crate::store::StoreError;
use crate::store::customers::tables::{DUE_SQLITE, TABLES_SQLITE};
use crate::store::keys::Keys;
use crate::store::quotas::sql as quotas;
use crate::store::usage::tables::{MERGING_SQLITE, TABLES_SQLITE as USAGE};

/// `PRAGMA application_id` of our files: `Slvg`.
pub(super) const APPLICATION: i64 = 0x536c_7667;

/// What to do to get from one version to the next. The version of a file is the number of those that were done.
const MIGRATIONS: &[&str] =
    &[FIRST, SHORT_AUDIT, TABLES_SQLITE, quotas::TABLES_SQLITE, USAGE, DUE_SQLITE, MERGING_SQLITE];

const FIRST: &str = "
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL,
    compacted INTEGER NOT NULL,
    seal_check TEXT NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 0, 0, '');
CREATE TABLE objects (
    api_group TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    uid TEXT NOT NULL, revision INTEGER NOT NULL, json TEXT NOT NULL, file TEXT, line INTEGER,
    PRIMARY KEY (api_group, kind, namespace, name)
) STRICT;
CREATE TABLE changes (
    revision INTEGER PRIMARY KEY,
    api_group TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    uid TEXT NOT NULL, json TEXT, file TEXT, line INTEGER
) STRICT;
CREATE TABLE leases (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, token INTEGER NOT NULL, until INTEGER NOT NULL
) STRICT;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, who TEXT NOT NULL, verb TEXT NOT NULL, what TEXT NOT NULL, outcome TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_not_updated BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- INSERT OR REPLACE deletes without asking triggers for deletion.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
";

/// The oldest entries of the audit log may go once it is written down how far it was forgotten.
const SHORT_AUDIT: &str = "
ALTER TABLE meta ADD COLUMN audit_forgotten INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER audit_is_not_deleted;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    WHEN OLD.id > (SELECT audit_forgotten FROM meta)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
";

/// What a file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub application: i64,
    pub schema: i64,
    /// Tables and everything else that was made in it.
    pub things: i64,
}

impl Version {
    pub async fn read(connection: &mut SqliteConnection) -> Result<Version, sqlx::Error> {
        let application = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
        let schema = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
        let things = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(connection).await?;
        Ok(Version { application, schema, things })
    }

    /// Why the file must be left alone, if it must.
    pub fn refusal(self) -> Option<String> {
        let known = MIGRATIONS.len() as i64;
        if self.things > 0 && self.application != APPLICATION {
            return Some("it is the database of another program; name another file or folder".to_owned());
        }
        (self.schema > known).then(|| {
            format!(
                "it was written by a newer version (its schema is {}, this program knows {known}); run that \
                 version, or start with another folder",
                self.schema
            )
        })
    }
}

/// Brings the tables up to date, and checks that the keys are those of the store.
pub(super) async fn migrate(connection: &mut SqliteConnection, keys: &Keys) -> Result<(), StoreError> {
    let version = Version::read(connection).await?;
    let done = usize::try_from(version.schema).unwrap_or_default();
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for migration in &MIGRATIONS[done.min(MIGRATIONS.len())..] {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    let numbers =
        format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {}", MIGRATIONS.len());
    sqlx::raw_sql(sqlx::AssertSqlSafe(numbers)).execute(&mut *transaction).await?;
    let kept: String = sqlx::query_scalar("SELECT seal_check FROM meta").fetch_one(&mut *transaction).await?;
    if let Some(first) = keys.check(&kept)? {
        sqlx::query("UPDATE meta SET seal_check = ?").bind(first).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}
