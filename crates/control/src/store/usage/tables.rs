//! The tables of both engines: they are the same but for their types, and for the order of text.
//!
//! A row of `usage_counts` is what one worker (`shard`) has counted in one minute, or what was put together of a longer
//! span later: then `shard` is less than 0, the number of its minutes, `minute` the first of them, and `seal` less than
//! 0 too, the largest number that was in it. So sums are made of all rows alike, and what is told in the order of seals
//! never meets one that was put together.

/// The tables in SQLite.
pub const TABLES_SQLITE: &str = "
CREATE TABLE usage_meta (one INTEGER PRIMARY KEY CHECK (one = 1), seal INTEGER NOT NULL) STRICT;
INSERT INTO usage_meta VALUES (1, 0);
CREATE TABLE usage_boots (
    boot TEXT PRIMARY KEY, node TEXT NOT NULL, session TEXT NOT NULL, taker TEXT NOT NULL,
    watermark INTEGER NOT NULL, complete INTEGER NOT NULL, heard INTEGER NOT NULL
) STRICT;
CREATE TABLE usage_series (
    digest TEXT PRIMARY KEY, subscription TEXT NOT NULL, application TEXT NOT NULL, product TEXT NOT NULL,
    plan TEXT NOT NULL, version TEXT NOT NULL, operation TEXT NOT NULL, listener TEXT NOT NULL
) STRICT;
CREATE TABLE usage_counts (
    boot TEXT NOT NULL, shard INTEGER NOT NULL, minute INTEGER NOT NULL, series TEXT NOT NULL,
    success INTEGER NOT NULL, client_errors INTEGER NOT NULL, server_errors INTEGER NOT NULL,
    refused INTEGER NOT NULL, request_bytes INTEGER NOT NULL, response_bytes INTEGER NOT NULL,
    seal INTEGER, PRIMARY KEY (boot, minute, shard, series)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_counts_by_minute ON usage_counts (minute);
CREATE INDEX usage_counts_by_seal ON usage_counts (seal, boot, minute, series);
";

/// The tables in PostgreSQL.
pub const TABLES_POSTGRES: &str = r#"
CREATE TABLE usage_meta (one BIGINT PRIMARY KEY CHECK (one = 1), seal BIGINT NOT NULL);
INSERT INTO usage_meta VALUES (1, 0);
CREATE TABLE usage_boots (
    boot TEXT COLLATE "C" PRIMARY KEY, node TEXT NOT NULL, session TEXT NOT NULL, taker TEXT NOT NULL,
    watermark BIGINT NOT NULL, complete BIGINT NOT NULL, heard BIGINT NOT NULL
);
CREATE TABLE usage_series (
    digest TEXT COLLATE "C" PRIMARY KEY, subscription TEXT NOT NULL, application TEXT COLLATE "C" NOT NULL,
    product TEXT COLLATE "C" NOT NULL, plan TEXT COLLATE "C" NOT NULL, version TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL, listener TEXT NOT NULL
);
CREATE TABLE usage_counts (
    boot TEXT COLLATE "C" NOT NULL, shard BIGINT NOT NULL, minute BIGINT NOT NULL,
    series TEXT COLLATE "C" NOT NULL,
    success BIGINT NOT NULL, client_errors BIGINT NOT NULL, server_errors BIGINT NOT NULL,
    refused BIGINT NOT NULL, request_bytes BIGINT NOT NULL, response_bytes BIGINT NOT NULL,
    seal BIGINT, PRIMARY KEY (boot, minute, shard, series)
);
CREATE INDEX usage_counts_by_minute ON usage_counts (minute);
CREATE INDEX usage_counts_by_seal ON usage_counts (seal, boot, minute, series);
"#;

/// What it takes to put old rows together, in PostgreSQL.
pub const MERGING_POSTGRES: &str = "
ALTER TABLE usage_boots ADD COLUMN hours_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_boots ADD COLUMN days_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_meta ADD COLUMN hours_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage_meta ADD COLUMN days_until BIGINT NOT NULL DEFAULT 0;
CREATE TABLE usage_marks (hour BIGINT PRIMARY KEY, seal BIGINT NOT NULL);
";

/// The same in SQLite.
pub const MERGING_SQLITE: &str = "
ALTER TABLE usage_boots ADD COLUMN hours_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_boots ADD COLUMN days_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_meta ADD COLUMN hours_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_meta ADD COLUMN days_until INTEGER NOT NULL DEFAULT 0;
CREATE TABLE usage_marks (hour INTEGER PRIMARY KEY, seal INTEGER NOT NULL) STRICT;
";
