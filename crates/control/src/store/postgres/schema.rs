//! The tables of a PostgreSQL store, in a schema of their own, and how an older one becomes a newer one.

use sqlx::{Connection, PgConnection};

use crate::store::StoreError;
use crate::store::customers::tables::{DUE_POSTGRES, TABLES_POSTGRES};
use crate::store::keys::Keys;
use crate::store::quotas::sql as quotas;
use crate::store::usage::tables::{MERGING_POSTGRES, TABLES_POSTGRES as USAGE};

/// Name of the schema that holds everything.
pub(super) const SCHEMA: &str = "selvedge";

/// What to do to get from one version to the next. The version is the number of those that were done.
const MIGRATIONS: &[&str] =
    &[FIRST, SHORT_AUDIT, TABLES_POSTGRES, quotas::TABLES_POSTGRES, USAGE, DUE_POSTGRES, MERGING_POSTGRES];

const FIRST: &str = r#"
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    schema BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    compacted BIGINT NOT NULL,
    seal_check TEXT NOT NULL
);
INSERT INTO meta VALUES (1, 0, 0, 0, '');
CREATE TABLE objects (
    api_group TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL,
    uid TEXT NOT NULL, revision BIGINT NOT NULL, json TEXT NOT NULL, file TEXT, line BIGINT,
    PRIMARY KEY (api_group, kind, namespace, name)
);
CREATE TABLE changes (
    revision BIGINT PRIMARY KEY,
    api_group TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    uid TEXT NOT NULL, json TEXT, file TEXT, line BIGINT
);
CREATE TABLE leases (
    name TEXT PRIMARY KEY, holder TEXT NOT NULL, token BIGINT NOT NULL, until BIGINT NOT NULL
);
CREATE TABLE audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL, who TEXT NOT NULL, verb TEXT NOT NULL, what TEXT NOT NULL, outcome TEXT NOT NULL
);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"#;

/// The oldest entries of the audit log may go once it is written down how far it was forgotten.
const SHORT_AUDIT: &str = r#"
ALTER TABLE meta ADD COLUMN audit_forgotten BIGINT NOT NULL DEFAULT 0;
DROP TRIGGER audit_is_not_changed ON audit;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE FUNCTION refuse_deletion() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF OLD.id > (SELECT audit_forgotten FROM selvedge.meta) THEN
            RAISE EXCEPTION 'the audit log is append-only';
        END IF;
        RETURN OLD;
    END $$;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_deletion();
"#;

/// Brings the tables up to date, and checks that the database is fit and the keys are those of the store. Control
/// planes that start at the same time do it one after the other.
pub(super) async fn migrate(connection: &mut PgConnection, keys: &Keys) -> Result<(), StoreError> {
    let encoding: String = sqlx::query_scalar("SHOW server_encoding").fetch_one(&mut *connection).await?;
    if encoding != "UTF8" {
        let advice = "make one with `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`";
        return Err(StoreError::Broken(format!("the encoding of the database is {encoding}; {advice}")));
    }
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('selvedge migrations'))")
        .execute(&mut *transaction)
        .await?;
    let done = version(&mut transaction).await?;
    let known = MIGRATIONS.len();
    if done > known {
        return Err(StoreError::Broken(format!(
            "the schema `{SCHEMA}` was written by a newer version (number {done}, this program knows {known}); run \
             that version, or name another database"
        )));
    }
    for migration in &MIGRATIONS[done..] {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    if done < known {
        sqlx::query("UPDATE meta SET schema = $1").bind(known as i64).execute(&mut *transaction).await?;
    }
    let kept: String = sqlx::query_scalar("SELECT seal_check FROM meta").fetch_one(&mut *transaction).await?;
    if let Some(first) = keys.check(&kept)? {
        sqlx::query("UPDATE meta SET seal_check = $1").bind(first).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// How many migrations were done. Makes the schema when there is none.
async fn version(connection: &mut PgConnection) -> Result<usize, StoreError> {
    let tables: Option<i64> = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = pg_namespace.oid) \
         FROM pg_namespace WHERE nspname = $1",
    )
    .bind(SCHEMA)
    .fetch_optional(&mut *connection)
    .await?;
    match tables {
        None => {
            sqlx::raw_sql("CREATE SCHEMA selvedge").execute(&mut *connection).await?;
            return Ok(0);
        }
        Some(0) => return Ok(0),
        Some(_) => {}
    }
    let ours: bool = sqlx::query_scalar("SELECT to_regclass('selvedge.meta') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !ours {
        return Err(StoreError::Broken(format!(
            "its schema `{SCHEMA}` holds tables that are not ours; name another database"
        )));
    }
    let done: i64 = sqlx::query_scalar("SELECT schema FROM meta").fetch_one(connection).await?;
    Ok(usize::try_from(done).unwrap_or_default())
}
