//! The tables of customers in both engines, and how an older store becomes a newer one.

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
