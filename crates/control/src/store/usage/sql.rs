//! The statements of both engines: they are the same but for the clock and the word for the larger of two numbers.

use commerce::usage::{Boot, Conservation, Counts, METERS, Side, Window};

use super::{By, Cursor, Day, KnownBoot, Sealed, Series, Sum, UsageWrite};
use crate::store::StoreError;
use crate::store::rows::revision;

/// A sum: six texts, the gateway, the minute, six numbers.
pub type SumColumns = (Names, i64, Numbers);
/// `subscription, application, product, plan, version, operation, node`.
pub type Names = (String, String, String, String, String, String, String);
/// A number for each meter.
pub type Numbers = (i64, i64, i64, i64, i64, i64);
/// `minute, whether it is a listener, whether it is sealed` and the numbers.
pub type DayColumns = (i64, i64, i64, i64, i64, i64, i64, i64, i64);
/// `node, boot, watermark, complete, silent`.
pub type BootColumns = (String, String, i64, i64, i64);

/// The sums of all meters, as columns.
pub const SUMS: &str = "CAST(SUM(success) AS BIGINT), CAST(SUM(client_errors) AS BIGINT), \
     CAST(SUM(server_errors) AS BIGINT), CAST(SUM(refused) AS BIGINT), CAST(SUM(request_bytes) AS BIGINT), \
     CAST(SUM(response_bytes) AS BIGINT)";

/// Minutes of a day.
pub const DAY: u32 = 24 * 60;

/// A start as it is kept.
pub fn boot_text(boot: Boot) -> String {
    format!("{:032x}", boot.0)
}

/// The places of what is to be written, in the order of the starts that it is about; of one start as they came.
pub fn by_start(writes: &[UsageWrite]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..writes.len()).collect();
    places.sort_by_key(|at| match &writes[*at] {
        UsageWrite::Register(registration) => registration.boot,
        UsageWrite::Keep(shipment) => shipment.boot,
        UsageWrite::Merge(merge) => merge.boot,
        UsageWrite::Mark(_) => Boot::default(),
    });
    places
}

/// The names that come with something.
pub fn series_of(write: &UsageWrite) -> &[Series] {
    match write {
        UsageWrite::Register(_) | UsageWrite::Mark(_) | UsageWrite::Merge(_) => &[],
        UsageWrite::Keep(shipment) => &shipment.series,
    }
}

/// Something for the column of each meter, in the order of [`commerce::usage::Meter::ALL`].
pub(super) fn meters(each: impl Fn(&str) -> String) -> String {
    let columns = ["success", "client_errors", "server_errors", "refused", "request_bytes", "response_bytes"];
    columns.map(each).join(", ")
}

pub(super) fn boot(text: &str) -> Result<Boot, StoreError> {
    let broken = |_| StoreError::Broken(format!("`{text}` is not the number of a gateway's start"));
    u128::from_str_radix(text, 16).map(Boot).map_err(broken)
}

pub(super) fn window(minute: i64) -> Result<Window, StoreError> {
    let number = revision(minute)?;
    u32::try_from(number).map(Window).map_err(|_| StoreError::Broken(format!("there is no minute {number}")))
}

/// What is selected of the names of a sum, and by what it is grouped: a name by which nothing is told apart is empty.
pub fn names(by: &[By]) -> String {
    let of = |wanted: &[By], column: &str| match by.iter().any(|by| wanted.contains(by)) {
        true => column.to_owned(),
        false => "''".to_owned(),
    };
    let minute = match by {
        by if by.contains(&By::Hour) => "minute / 60 * 60",
        by if by.contains(&By::Day) => "minute / 1440 * 1440",
        _ => "0",
    };
    let columns = [
        of(&[By::Subscription], "subscription"),
        of(&[By::Application], "application"),
        of(&[By::Product], "product"),
        of(&[By::Plan], "plan"),
        of(&[By::Version, By::Operation], "version"),
        of(&[By::Operation], "operation"),
        of(&[By::Gateway], "node"),
    ];
    let columns = columns.map(|column| format!("CAST({column} AS TEXT)"));
    format!("{}, CAST({minute} AS BIGINT)", columns.join(", "))
}

/// A sum of a database.
pub fn sum((names, minute, numbers): SumColumns) -> Result<Sum, StoreError> {
    let (subscription, application, product, plan, version, operation, gateway) = names;
    let of = Series { subscription, application, product, plan, version, operation, ..Series::default() };
    Ok(Sum { of, gateway, window: window(minute)?, counts: counts(numbers)? })
}

fn counts((a, b, c, d, e, f): Numbers) -> Result<Counts, StoreError> {
    let mut counts = Counts([0; METERS]);
    for (count, number) in counts.0.iter_mut().zip([a, b, c, d, e, f]) {
        *count = revision(number)?;
    }
    Ok(counts)
}

/// Days of a database, of which each has up to four rows.
pub fn days(rows: Vec<DayColumns>) -> Result<Vec<Day>, StoreError> {
    let mut days: Vec<Day> = Vec::new();
    for (minute, is_listener, is_sealed, a, b, c, d, e, f) in rows {
        let window = window(minute)?;
        let nothing = Conservation::default();
        if days.last().is_none_or(|day| day.window != window) {
            days.push(Day { window, sealed: nothing, open: nothing });
        }
        let Some(day) = days.last_mut() else { continue };
        let side = if is_listener == 0 { Side::Usage } else { Side::Listeners };
        let part = if is_sealed == 0 { &mut day.open } else { &mut day.sealed };
        part.add(side, &counts((a, b, c, d, e, f))?);
    }
    Ok(days)
}

/// A start of a database.
pub fn known_boot((node, number, watermark, complete, silent): BootColumns) -> Result<KnownBoot, StoreError> {
    Ok(KnownBoot {
        node,
        boot: boot(&number)?,
        watermark: window(watermark)?,
        is_complete: complete != 0,
        silent_milliseconds: revision(silent.max(0))?,
    })
}

/// A sealed window of a database: its seal, start and series, and what it is about.
pub fn sealed(seal: i64, started: String, digest: String, columns: SumColumns) -> Result<Sealed, StoreError> {
    let sum = sum(columns)?;
    let number = boot(&started)?;
    let cursor = Cursor { seal: revision(seal)?, last: (started, sum.window.0, digest) };
    Ok(Sealed { cursor, sum, boot: number })
}

/// The functions of one engine, in a module of its own.
macro_rules! statements {
    ($module:ident, $database:ty, $connection:ty, begin: $begin:literal, now: $now:literal, larger: $larger:literal) => {
        /// What is asked of the database, by one connection.
        pub(in crate::store) mod $module {
            use commerce::usage::Window;
            use sqlx::{Connection, QueryBuilder, Row as _, Transaction};

            use crate::store::StoreError;
            use crate::store::rows::number;
            use crate::store::usage::merge::$module as merge;
            use crate::store::usage::sql::{self, BootColumns, DayColumns, SUMS, SumColumns};
            use crate::store::usage::{
                By, Cursor, Day, HEARD_MILLISECONDS, Kept, KnownBoot, Picked, QUIET_MILLISECONDS, Registration,
                SUMS_MAX, Sealed, Shipment, Sum, UsageWrite, hexadecimal,
            };

            type Connected = $connection;
            type Turn<'t> = Transaction<'t, $database>;
            type Builder = QueryBuilder<$database>;

            /// Writes some things. Two control planes that write the same rows must wait for each other, and not both: names
            /// come first, then starts, in one order everywhere, and seals at last.
            pub async fn write(
                connection: &mut Connected,
                writes: &[UsageWrite],
            ) -> Result<Vec<Kept>, StoreError> {
                let mut turn = connection.begin_with($begin).await?;
                series(&mut turn, writes).await?;
                let mut answers = vec![Kept::Unknown; writes.len()];
                let mut to_seal = Vec::new();
                for at in sql::by_start(writes) {
                    answers[at] = match &writes[at] {
                        UsageWrite::Register(registration) => register(&mut turn, registration).await?,
                        UsageWrite::Keep(shipment) => keep(&mut turn, shipment, &mut to_seal).await?,
                        UsageWrite::Mark(hour) => merge::mark(&mut turn, *hour).await?,
                        UsageWrite::Merge(wanted) => merge::merge(&mut turn, wanted).await?,
                    };
                }
                for shipment in to_seal {
                    seal(&mut turn, shipment).await?;
                }
                match answers.contains(&Kept::Done) {
                    true => turn.commit().await?,
                    false => turn.rollback().await?,
                }
                Ok(answers)
            }

            async fn now(turn: &mut Turn<'_>) -> Result<i64, StoreError> {
                Ok(sqlx::query_scalar($now).fetch_one(&mut **turn).await?)
            }

            async fn register(turn: &mut Turn<'_>, wanted: &Registration) -> Result<Kept, StoreError> {
                let (boot, session) = (sql::boot_text(wanted.boot), hexadecimal(&wanted.session));
                let now = now(turn).await?;
                // A row to lock, also for a start that nobody has told of.
                let made = sqlx::query(
                    "INSERT INTO usage_boots (boot, node, session, taker, watermark, complete, heard) \
                     VALUES ($1, $2, $3, '', 0, 0, $4) ON CONFLICT (boot) DO NOTHING",
                )
                .bind(&boot)
                .bind(&*wanted.node)
                .bind(&session)
                .bind(now)
                .execute(&mut **turn)
                .await?;
                if made.rows_affected() > 0 {
                    return Ok(Kept::Done);
                }
                let (owner, taker, heard): (String, String, i64) =
                    sqlx::query_as("SELECT session, taker, heard FROM usage_boots WHERE boot = $1")
                        .bind(&boot)
                        .fetch_one(&mut **turn)
                        .await?;
                if session == owner || session == taker {
                    return Ok(Kept::Done);
                }
                if !wanted.is_ended {
                    // Nobody goes on where another has counted.
                    return Ok(Kept::Unknown);
                }
                if now.saturating_sub(heard) < number(HEARD_MILLISECONDS) {
                    return Ok(Kept::Counting);
                }
                sqlx::query("UPDATE usage_boots SET taker = $2, heard = $3 WHERE boot = $1")
                    .bind(&boot)
                    .bind(&session)
                    .bind(now)
                    .execute(&mut **turn)
                    .await?;
                Ok(Kept::Done)
            }

            /// Adds to what is to be sealed what has become final.
            async fn keep<'w>(
                turn: &mut Turn<'_>,
                shipment: &'w Shipment,
                to_seal: &mut Vec<&'w Shipment>,
            ) -> Result<Kept, StoreError> {
                let (boot, session) = (sql::boot_text(shipment.boot), hexadecimal(&shipment.session));
                let found: Option<(i64, i64, i64)> = sqlx::query_as(
                    "SELECT watermark, complete, heard FROM usage_boots WHERE boot = $1 AND $2 IN (session, taker)",
                )
                .bind(&boot)
                .bind(&session)
                .fetch_optional(&mut **turn)
                .await?;
                let Some((watermark, complete, heard)) = found else { return Ok(Kept::Unknown) };
                let now = now(turn).await?;
                let advances = i64::from(shipment.watermark.0) > watermark;
                let completes = shipment.is_complete && complete == 0;
                let is_quiet = shipment.told.is_empty() && !advances && !completes;
                if is_quiet && now.saturating_sub(heard) < number(QUIET_MILLISECONDS) {
                    return Ok(Kept::Done);
                }
                // Whoever puts rows of this start together waits from here on, and what it has done is seen.
                let merged: i64 = sqlx::query_scalar(
                    "UPDATE usage_boots SET heard = $2 WHERE boot = $1 RETURNING hours_until",
                )
                .bind(&boot)
                .bind(now)
                .fetch_one(&mut **turn)
                .await?;
                counts(turn, shipment, &boot, merged).await?;
                if advances || completes {
                    to_seal.push(shipment);
                }
                Ok(Kept::Done)
            }

            /// Names without numbers do no harm, so they are kept before it is known whose numbers will be.
            async fn series(turn: &mut Turn<'_>, writes: &[UsageWrite]) -> Result<(), StoreError> {
                let mut series: Vec<_> = writes.iter().flat_map(sql::series_of).collect();
                series.sort();
                series.dedup_by_key(|series| series.digest);
                if series.is_empty() {
                    return Ok(());
                }
                let mut insert = Builder::new(
                    "INSERT INTO usage_series \
                     (digest, subscription, application, product, plan, version, operation, listener) ",
                );
                insert.push_values(series, |mut row, series| {
                    row.push_bind(hexadecimal(&series.digest))
                        .push_bind(series.subscription.clone())
                        .push_bind(series.application.clone())
                        .push_bind(series.product.clone())
                        .push_bind(series.plan.clone())
                        .push_bind(series.version.clone())
                        .push_bind(series.operation.clone())
                        .push_bind(series.listener.clone());
                });
                insert.push(" ON CONFLICT (digest) DO NOTHING");
                insert.build().execute(&mut **turn).await?;
                Ok(())
            }

            /// Keeps the larger of two tellings. What is told of windows before `merged` is in longer spans already.
            async fn counts(
                turn: &mut Turn<'_>,
                shipment: &Shipment,
                boot: &str,
                merged: i64,
            ) -> Result<(), StoreError> {
                let told: Vec<_> =
                    shipment.told.iter().filter(|told| i64::from(told.window.0) >= merged).collect();
                if told.is_empty() {
                    return Ok(());
                }
                let names = sql::meters(|meter| meter.to_owned());
                let mut insert =
                    Builder::new(format!("INSERT INTO usage_counts (boot, shard, minute, series, {names}) "));
                insert.push_values(told, |mut row, told| {
                    row.push_bind(boot.to_owned())
                        .push_bind(i64::from(told.shard))
                        .push_bind(i64::from(told.window.0))
                        .push_bind(hexadecimal(&told.series));
                    for count in told.counts.0 {
                        row.push_bind(number(count));
                    }
                });
                insert.push(" ON CONFLICT (boot, minute, shard, series) DO UPDATE SET ");
                insert.push(sql::meters(|meter| {
                    format!("{meter} = {}(usage_counts.{meter}, excluded.{meter})", $larger)
                }));
                insert.build().execute(&mut **turn).await?;
                Ok(())
            }

            /// Marks what will not change any more with the next number, so that it can be read in the order in which it
            /// was sealed. Whoever seals at the same time waits here.
            async fn seal(turn: &mut Turn<'_>, shipment: &Shipment) -> Result<(), StoreError> {
                let boot = &sql::boot_text(shipment.boot);
                let before = if shipment.is_complete { i64::MAX } else { i64::from(shipment.watermark.0) };
                sqlx::query("UPDATE usage_meta SET seal = seal + 1").execute(&mut **turn).await?;
                sqlx::query(
                    "UPDATE usage_counts SET seal = (SELECT seal FROM usage_meta) \
                     WHERE boot = $1 AND minute < $2 AND seal IS NULL",
                )
                .bind(boot)
                .bind(before)
                .execute(&mut **turn)
                .await?;
                sqlx::query("UPDATE usage_boots SET watermark = CASE WHEN watermark < $2 THEN $2 ELSE watermark END, \
                     complete = $3 WHERE boot = $1")
                    .bind(boot)
                    .bind(i64::from(shipment.watermark.0))
                    .bind(i64::from(shipment.is_complete))
                    .execute(&mut **turn)
                    .await?;
                Ok(())
            }

            /// Sums of what was used.
            pub async fn usage(
                connection: &mut Connected,
                picked: &Picked,
                by: &[By],
            ) -> Result<Vec<Sum>, StoreError> {
                let names = sql::names(by);
                let mut select = Builder::new(format!(
                    "SELECT {names}, {SUMS} FROM usage_counts JOIN usage_series ON series = digest \
                     JOIN usage_boots ON usage_boots.boot = usage_counts.boot \
                     WHERE listener = '' AND minute >= "
                ));
                select.push_bind(i64::from(picked.from.0)).push(" AND minute < ").push_bind(i64::from(picked.until.0));
                within(&mut select, picked.namespace.as_deref());
                for (column, name) in [("application", &picked.application), ("product", &picked.product)] {
                    if let Some(name) = name {
                        select.push(format!(" AND {column} = ")).push_bind(name.clone());
                    }
                }
                select.push(" GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 8, 2, 3, 4, 1, 5, 6, 7 LIMIT ");
                select.push_bind(number(SUMS_MAX as u64 + 1));
                let found = select.build().fetch_all(connection).await?;
                found.iter().map(|row| sql::sum(columns(row, 0)?)).collect()
            }

            /// What belongs to a namespace: what its applications have called, and what was called of its APIs.
            pub(in crate::store::usage) fn within(select: &mut Builder, namespace: Option<&str>) {
                let Some(namespace) = namespace else { return };
                // Names of namespaces hold nothing that a pattern would understand.
                let pattern = format!("{namespace}/%");
                select.push(" AND (application LIKE ").push_bind(pattern.clone());
                select.push(" OR version LIKE ").push_bind(pattern).push(")");
            }

            /// The columns of a sum, from one on.
            fn columns(row: &<$database as sqlx::Database>::Row, at: usize) -> Result<SumColumns, StoreError> {
                let text = |column: usize| row.try_get::<String, _>(at + column);
                let value = |column: usize| row.try_get::<i64, _>(at + column);
                let names = (text(0)?, text(1)?, text(2)?, text(3)?, text(4)?, text(5)?, text(6)?);
                let numbers = (value(8)?, value(9)?, value(10)?, value(11)?, value(12)?, value(13)?);
                Ok((names, value(7)?, numbers))
            }

            /// Both counts, day by day.
            pub async fn conservation(
                connection: &mut Connected,
                from: Window,
                until: Window,
            ) -> Result<Vec<Day>, StoreError> {
                let select = format!(
                    "SELECT CAST(minute / {day} * {day} AS BIGINT), \
                     CAST(CASE WHEN listener = '' THEN 0 ELSE 1 END AS BIGINT), \
                     CAST(CASE WHEN seal IS NULL THEN 0 ELSE 1 END AS BIGINT), {SUMS} \
                     FROM usage_counts JOIN usage_series ON series = digest WHERE minute >= $1 AND minute < $2 \
                     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                    day = sql::DAY,
                );
                let found: Vec<DayColumns> = sqlx::query_as(sqlx::AssertSqlSafe(select))
                    .bind(i64::from(from.0))
                    .bind(i64::from(until.0))
                    .fetch_all(connection)
                    .await?;
                sql::days(found)
            }

            /// Starts of gateways.
            pub async fn boots(connection: &mut Connected) -> Result<Vec<KnownBoot>, StoreError> {
                let now: i64 = sqlx::query_scalar($now).fetch_one(&mut *connection).await?;
                let found: Vec<BootColumns> = sqlx::query_as(
                    "SELECT node, boot, watermark, complete, $1 - heard FROM usage_boots \
                     WHERE complete = 0 OR heard > $1 - 3600000 ORDER BY node, heard LIMIT 10000",
                )
                .bind(now)
                .fetch_all(connection)
                .await?;
                found.into_iter().map(sql::known_boot).collect()
            }

            /// Windows that were sealed after a cursor.
            pub async fn sealed(
                connection: &mut Connected,
                namespace: Option<&str>,
                after: &Cursor,
                limit: usize,
            ) -> Result<Vec<Sealed>, StoreError> {
                let mut select = Builder::new(format!(
                    "SELECT seal, usage_counts.boot, series, subscription, application, product, plan, version, \
                     operation, node, minute, {SUMS} \
                     FROM usage_counts JOIN usage_series ON series = digest \
                     JOIN usage_boots ON usage_boots.boot = usage_counts.boot \
                     WHERE listener = '' AND (seal, usage_counts.boot, minute, series) > ("
                ));
                let (boot, minute, series) = &after.last;
                select.push_bind(number(after.seal)).push(", ").push_bind(boot.clone()).push(", ");
                select.push_bind(i64::from(*minute)).push(", ").push_bind(series.clone()).push(")");
                within(&mut select, namespace);
                select.push(
                    " GROUP BY seal, usage_counts.boot, series, subscription, application, product, plan, version, \
                     operation, node, minute ORDER BY seal, usage_counts.boot, minute, series LIMIT ",
                );
                select.push_bind(number(limit as u64));
                let found = select.build().fetch_all(connection).await?;
                let sealed = found.iter().map(|row| {
                    let (seal, boot, digest) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                    sql::sealed(seal, boot, digest, columns(row, 3)?)
                });
                sealed.collect()
            }
        }
    };
}

statements!(sqlite, sqlx::Sqlite, sqlx::SqliteConnection,
    begin: "BEGIN IMMEDIATE", now: "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)", larger: "max");
statements!(postgres, sqlx::Postgres, sqlx::PgConnection,
    begin: "BEGIN", now: "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", larger: "greatest");
