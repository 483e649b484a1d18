//! Faults of databases as a store tells them: may it help to try again, or not?

use sqlx::error::DatabaseError;

use super::StoreError;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        match error {
            sqlx::Error::Database(fault) if !passes(&*fault) => StoreError::Broken(text),
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::RowNotFound
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. } => StoreError::Broken(text),
            // Of what is left, all is about the way to the database, or about a moment.
            _ => StoreError::Unavailable(text),
        }
    }
}

/// Whether a fault that a database reported is one that passes.
fn passes(fault: &dyn DatabaseError) -> bool {
    let code = fault.code().unwrap_or_default();
    match code.len() {
        // PostgreSQL, appendix A: five characters.
        5 => POSTGRES.iter().any(|class| code.starts_with(class)),
        // SQLite: a number, of which the low byte is the primary code.
        _ => code.parse::<u32>().is_ok_and(|code| SQLITE.contains(&(code & 0xff))),
    }
}

#[rustfmt::skip] // the table is the point
const POSTGRES: &[&str] = &[
    "08",    // the connection failed
    "25006", // a transaction that may only read: a standby, or one that has just been made primary
    "25P03", // idle in a transaction for too long: we were cut off and are late
    "40",    // rolled back because of others
    "53",    // out of memory, disk or connections
    "55P03", // a lock was not to be had in time
    "57",    // an administrator stopped it, a statement took too long, it starts or shuts down
    "58",    // the system below it failed
];

#[rustfmt::skip] // the table is the point
const SQLITE: &[u32] = &[
    5,  // busy
    6,  // locked
    7,  // out of memory
    8,  // read-only
    10, // input/output error
    13, // disk full
    14, // cannot open
    17, // the schema changed
];
