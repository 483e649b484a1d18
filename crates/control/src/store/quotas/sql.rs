//! The statements of both engines: they are the same, so they are written once.

use super::{QuotaKey, QuotaRow};
use crate::store::StoreError;
use crate::store::rows::revision;

/// `subscription, quota, begins, ends, version, books`.
pub type QuotaColumns = (String, String, i64, i64, i64, String);

/// The table in SQLite.
pub const TABLES_SQLITE: &str = "
CREATE TABLE quotas (
    subscription TEXT NOT NULL, quota TEXT NOT NULL, begins INTEGER NOT NULL,
    ends INTEGER NOT NULL, version INTEGER NOT NULL, books TEXT NOT NULL,
    PRIMARY KEY (subscription, quota, begins)
) STRICT;
CREATE INDEX quotas_by_end ON quotas (ends);
";

/// The table in PostgreSQL.
pub const TABLES_POSTGRES: &str = r#"
CREATE TABLE quotas (
    subscription TEXT COLLATE "C" NOT NULL, quota TEXT COLLATE "C" NOT NULL, begins BIGINT NOT NULL,
    ends BIGINT NOT NULL, version BIGINT NOT NULL, books TEXT NOT NULL,
    PRIMARY KEY (subscription, quota, begins)
);
CREATE INDEX quotas_by_end ON quotas (ends);
"#;

/// A number of a subscription as it is kept.
pub fn written(subscription: &[u8; 16]) -> String {
    subscription.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A row of a database.
pub fn row(columns: QuotaColumns) -> Result<QuotaRow, StoreError> {
    let (subscription, quota, start, end, version, books) = columns;
    let mut bytes = [0; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        let digits = subscription.get(2 * at..2 * at + 2);
        *byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(|| {
            StoreError::Broken(format!("the quota {quota} of `{subscription}`: that is no subscription"))
        })?;
    }
    Ok(QuotaRow {
        key: QuotaKey { subscription: bytes, quota: quota.into(), start },
        end,
        version: revision(version)?,
        books: books.into(),
    })
}

/// The functions of one engine, in a module of its own.
macro_rules! statements {
    ($module:ident, $connection:ty, begin: $begin:literal) => {
        /// What is asked of the database, by one connection.
        pub(in crate::store) mod $module {
            use sqlx::Connection as _;

            use crate::store::StoreError;
            use crate::store::quotas::sql::{self, QuotaColumns, written};
            use crate::store::quotas::{QuotaKey, QuotaRow, Wrote};
            use crate::store::rows::number;

            type Connected = $connection;

            /// Writes those rows that nobody has written meanwhile.
            pub async fn write(
                connection: &mut Connected,
                rows: &[QuotaRow],
            ) -> Result<Vec<Wrote>, StoreError> {
                let mut turn = connection.begin_with($begin).await?;
                let mut order: Vec<usize> = (0..rows.len()).collect();
                // Two that write the same rows must not wait for each other.
                order.sort_by(|left, right| rows[*left].key.cmp(&rows[*right].key));
                let mut done = vec![Wrote::Late(None); rows.len()];
                for at in order {
                    done[at] = one(&mut turn, &rows[at]).await?;
                }
                turn.commit().await?;
                Ok(done)
            }

            async fn one(connection: &mut Connected, row: &QuotaRow) -> Result<Wrote, StoreError> {
                let statement = match row.version {
                    1 => {
                        "INSERT INTO quotas (subscription, quota, begins, ends, version, books) \
                         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subscription, quota, begins) DO NOTHING"
                    }
                    _ => {
                        "UPDATE quotas SET ends = $4, version = $5, books = $6 \
                         WHERE subscription = $1 AND quota = $2 AND begins = $3 AND version = $5 - 1"
                    }
                };
                let done = sqlx::query(statement)
                    .bind(written(&row.key.subscription))
                    .bind(&*row.key.quota)
                    .bind(row.key.start)
                    .bind(row.end)
                    .bind(number(row.version))
                    .bind(&*row.books)
                    .execute(&mut *connection)
                    .await?;
                match done.rows_affected() {
                    1 => Ok(Wrote::Done),
                    _ => Ok(Wrote::Late(find(connection, &row.key).await?)),
                }
            }

            /// Those of the rows that there are.
            pub async fn read(
                connection: &mut Connected,
                keys: &[QuotaKey],
            ) -> Result<Vec<QuotaRow>, StoreError> {
                let mut rows = Vec::with_capacity(keys.len());
                for key in keys {
                    rows.extend(find(connection, key).await?);
                }
                Ok(rows)
            }

            async fn find(
                connection: &mut Connected,
                key: &QuotaKey,
            ) -> Result<Option<QuotaRow>, StoreError> {
                let found: Option<QuotaColumns> = sqlx::query_as(
                    "SELECT subscription, quota, begins, ends, version, books FROM quotas \
                     WHERE subscription = $1 AND quota = $2 AND begins = $3",
                )
                .bind(written(&key.subscription))
                .bind(&*key.quota)
                .bind(key.start)
                .fetch_optional(connection)
                .await?;
                found.map(sql::row).transpose()
            }

            /// The rows of a subscription, the newest period first.
            pub async fn of(
                connection: &mut Connected,
                subscription: &[u8; 16],
            ) -> Result<Vec<QuotaRow>, StoreError> {
                let found: Vec<QuotaColumns> = sqlx::query_as(
                    "SELECT subscription, quota, begins, ends, version, books FROM quotas \
                     WHERE subscription = $1 ORDER BY begins DESC, quota",
                )
                .bind(written(subscription))
                .fetch_all(connection)
                .await?;
                found.into_iter().map(sql::row).collect()
            }

            /// Forgets periods that ended before a moment.
            pub async fn forget(connection: &mut Connected, ended_before: i64) -> Result<(), StoreError> {
                sqlx::query("DELETE FROM quotas WHERE ends < $1")
                    .bind(ended_before)
                    .execute(connection)
                    .await?;
                Ok(())
            }
        }
    };
}

statements!(sqlite, sqlx::SqliteConnection, begin: "BEGIN IMMEDIATE");
statements!(postgres, sqlx::PgConnection, begin: "BEGIN");
