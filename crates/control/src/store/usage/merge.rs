//! Old rows of the ledger are put together: minutes become hours, and hours days.
//!
//! What is put together must not change any more, or it would be counted anew beside its sum. So a start's rows go in
//! the order of time, whole hours only, up to its watermark and to the first row that is not sealed; and how far that
//! is stands beside the start, where whoever keeps what is told later looks, under the same lock.

use commerce::usage::Span;

/// The functions of one engine, in a module of its own.
macro_rules! statements {
    ($module:ident, $database:ty, $connection:ty) => {
        /// What is asked of the database, by one connection.
        pub(in crate::store) mod $module {
            use commerce::usage::{Boot, Span, Window};
            use sqlx::{QueryBuilder, Transaction};

            use super::rows_of;
            use crate::store::StoreError;
            use crate::store::rows::number;
            use crate::store::usage::sql::{self, $module as statements, meters};
            use crate::store::usage::{Cursor, Kept, MERGED_ROWS_MAX, Merge, Merged};

            type Connected = $connection;
            type Turn<'t> = Transaction<'t, $database>;

            /// Which number was sealed last, noted for an hour.
            pub async fn mark(turn: &mut Turn<'_>, hour: Window) -> Result<Kept, StoreError> {
                let made = sqlx::query(
                    "INSERT INTO usage_marks (hour, seal) SELECT CAST($1 AS BIGINT), seal FROM usage_meta WHERE 1 = 1 \
                     ON CONFLICT (hour) DO NOTHING",
                )
                .bind(i64::from(hour.0))
                .execute(&mut **turn)
                .await?;
                Ok(if made.rows_affected() > 0 { Kept::Done } else { Kept::Unknown })
            }

            /// One step of putting rows of a start together.
            pub async fn merge(turn: &mut Turn<'_>, wanted: &Merge) -> Result<Kept, StoreError> {
                let boot = &sql::boot_text(wanted.boot);
                let Some((from, until)) = reach(turn, wanted, boot).await? else { return Ok(Kept::Unknown) };
                let until = step(turn, wanted, boot, (from, until)).await?;
                if until <= from {
                    return Ok(Kept::Unknown);
                }
                let were_rows = put_together(turn, wanted.into, boot, (from, until)).await?;
                let nothing_comes = !were_rows && is_over(turn, wanted.into, boot, from).await?;
                let done = if nothing_comes { i64::from(u32::MAX) } else { until };
                let column = super::column(wanted.into);
                let set = format!("UPDATE usage_boots SET {column} = $2 WHERE boot = $1");
                sqlx::query(sqlx::AssertSqlSafe(set)).bind(boot).bind(done).execute(&mut **turn).await?;
                if were_rows {
                    let set = format!("UPDATE usage_meta SET {column} = $1 WHERE {column} < $1");
                    sqlx::query(sqlx::AssertSqlSafe(set)).bind(until).execute(&mut **turn).await?;
                }
                Ok(Kept::Done)
            }

            /// From where to where a start may be put together at most.
            async fn reach(
                turn: &mut Turn<'_>,
                wanted: &Merge,
                boot: &str,
            ) -> Result<Option<(i64, i64)>, StoreError> {
                // Whoever tells of this start, or puts it together too, waits here until this is done.
                let found: Option<(i64, i64, i64, i64)> = sqlx::query_as(
                    "UPDATE usage_boots SET heard = heard WHERE boot = $1 \
                     RETURNING watermark, complete, hours_until, days_until",
                )
                .bind(boot)
                .fetch_optional(&mut **turn)
                .await?;
                let Some((watermark, complete, hours, days)) = found else { return Ok(None) };
                let before = i64::from(wanted.before.0);
                let (from, last) = match wanted.into {
                    Span::Hour if complete != 0 => (hours, before),
                    Span::Hour => (hours, watermark.min(before)),
                    Span::Day => (days, hours.min(before)),
                };
                Ok(Some((from, begin(wanted.into, last))))
            }

            /// Until where one step goes: no more rows than a transaction should have, and none that may change.
            async fn step(
                turn: &mut Turn<'_>,
                wanted: &Merge,
                boot: &str,
                (from, until): (i64, i64),
            ) -> Result<i64, StoreError> {
                let rows = rows_of(wanted.into);
                let after_enough: Vec<i64> = {
                    let select = format!(
                        "SELECT minute FROM usage_counts WHERE boot = $1 AND minute >= $2 AND minute < $3 AND {rows} \
                         ORDER BY minute LIMIT 1 OFFSET $4"
                    );
                    let select = sqlx::query_scalar(sqlx::AssertSqlSafe(select)).bind(boot).bind(from).bind(until);
                    select.bind(number(MERGED_ROWS_MAX)).fetch_all(&mut **turn).await?
                };
                let first: Option<i64> = {
                    let select = format!(
                        "SELECT CAST(MIN(minute) AS BIGINT) FROM usage_counts \
                         WHERE boot = $1 AND minute >= $2 AND minute < $3 AND {rows}"
                    );
                    let select = sqlx::query_scalar(sqlx::AssertSqlSafe(select)).bind(boot).bind(from).bind(until);
                    select.fetch_one(&mut **turn).await?
                };
                let Some(first) = first else { return Ok(until) };
                let one = begin(wanted.into, first) + i64::from(wanted.into.windows());
                let until = match after_enough.first() {
                    Some(minute) => begin(wanted.into, *minute).max(one),
                    None => until,
                };
                if wanted.into == Span::Day {
                    return Ok(until);
                }
                let open: Option<i64> = sqlx::query_scalar(
                    "SELECT CAST(MIN(minute) AS BIGINT) FROM usage_counts \
                     WHERE boot = $1 AND minute >= $2 AND minute < $3 AND shard >= 0 AND (seal IS NULL OR seal > \
                     COALESCE((SELECT seal FROM usage_marks WHERE hour <= $4 ORDER BY hour DESC LIMIT 1), -1))",
                )
                .bind(boot)
                .bind(from)
                .bind(until)
                .bind(i64::from(wanted.sealed_by.0))
                .fetch_one(&mut **turn)
                .await?;
                Ok(open.map_or(until, |open| until.min(begin(wanted.into, open))))
            }

            /// Makes the sums and takes away what they are of. Whether there was something.
            async fn put_together(
                turn: &mut Turn<'_>,
                into: Span,
                boot: &str,
                (from, until): (i64, i64),
            ) -> Result<bool, StoreError> {
                let (rows, windows) = (rows_of(into), into.windows());
                let names = meters(|meter| meter.to_owned());
                let sums = meters(|meter| format!("SUM({meter})"));
                let added = meters(|meter| format!("{meter} = usage_counts.{meter} + excluded.{meter}"));
                let insert = format!(
                    "INSERT INTO usage_counts (boot, shard, minute, series, {names}, seal) \
                     SELECT boot, -{windows}, minute / {windows} * {windows}, series, {sums}, -MAX(abs(seal)) \
                     FROM usage_counts WHERE boot = $1 AND minute >= $2 AND minute < $3 AND {rows} \
                     GROUP BY boot, minute / {windows} * {windows}, series \
                     ON CONFLICT (boot, minute, shard, series) DO UPDATE SET {added}"
                );
                let delete = format!(
                    "DELETE FROM usage_counts WHERE boot = $1 AND minute >= $2 AND minute < $3 AND {rows}"
                );
                let mut were = 0;
                for statement in [insert, delete] {
                    let statement = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(boot).bind(from).bind(until);
                    were = statement.execute(&mut **turn).await?.rows_affected();
                }
                Ok(were > 0)
            }

            /// Whether nothing of a start is left to put together, and nothing more will come.
            async fn is_over(
                turn: &mut Turn<'_>,
                into: Span,
                boot: &str,
                from: i64,
            ) -> Result<bool, StoreError> {
                let all_came = match into {
                    Span::Hour => "complete = 1".to_owned(),
                    Span::Day => format!("hours_until = {}", u32::MAX),
                };
                let rows = rows_of(into);
                let select = format!(
                    "SELECT COUNT(*) FROM usage_boots WHERE boot = $1 AND {all_came} AND NOT EXISTS \
                     (SELECT 1 FROM usage_counts WHERE usage_counts.boot = $1 AND minute >= $2 AND {rows})"
                );
                let select = sqlx::query_scalar(sqlx::AssertSqlSafe(select)).bind(boot).bind(from);
                let found: i64 = select.fetch_one(&mut **turn).await?;
                Ok(found > 0)
            }

            /// The beginning of the span in which a minute lies.
            fn begin(span: Span, minute: i64) -> i64 {
                minute - minute % i64::from(span.windows())
            }

            /// How far it is.
            pub async fn merged(connection: &mut Connected) -> Result<Merged, StoreError> {
                let (hours, days): (i64, i64) =
                    sqlx::query_as("SELECT hours_until, days_until FROM usage_meta").fetch_one(connection).await?;
                Ok(Merged { hours_until: sql::window(hours)?, days_until: sql::window(days)? })
            }

            /// Starts that are not as far as they could be.
            pub async fn aging(
                connection: &mut Connected,
                into: Span,
                before: Window,
            ) -> Result<Vec<Boot>, StoreError> {
                let column = super::column(into);
                let select =
                    format!("SELECT boot FROM usage_boots WHERE {column} < $1 ORDER BY {column} LIMIT 10000");
                let select = sqlx::query_scalar(sqlx::AssertSqlSafe(select)).bind(i64::from(before.0));
                let found: Vec<String> = select.fetch_all(connection).await?;
                found.iter().map(|text| sql::boot(text)).collect()
            }

            /// Whether something was put together that comes behind a cursor. Of the hour of its last window that cannot
            /// be said.
            pub async fn missed(
                connection: &mut Connected,
                namespace: Option<&str>,
                after: &Cursor,
            ) -> Result<bool, StoreError> {
                let mut select = QueryBuilder::<$database>::new(
                    "SELECT COUNT(*) FROM (SELECT 1 FROM usage_counts JOIN usage_series ON series = digest \
                     WHERE listener = '' AND seal <= ",
                );
                let ((boot, minute, _), seal) = (&after.last, -number(after.seal));
                select.push_bind(seal).push(" AND (seal < ").push_bind(seal);
                select.push(" OR (boot = ").push_bind(boot.clone());
                select.push(" AND minute > ").push_bind(i64::from(*minute)).push("))");
                statements::within(&mut select, namespace);
                select.push(" LIMIT 1) AS later");
                let found: i64 = select.build_query_scalar().fetch_one(connection).await?;
                Ok(found > 0)
            }
        }
    };
}

/// Which rows become such a span.
fn rows_of(into: Span) -> &'static str {
    match into {
        Span::Hour => "shard >= 0",
        Span::Day => "shard = -60",
    }
}

/// Where it stands how far that is.
fn column(into: Span) -> &'static str {
    match into {
        Span::Hour => "hours_until",
        Span::Day => "days_until",
    }
}

statements!(sqlite, sqlx::Sqlite, sqlx::SqliteConnection);
statements!(postgres, sqlx::Postgres, sqlx::PgConnection);
