//! The one connection a writer has, which does not outlive a failure.
//!
//! After an error, or when somebody stopped waiting in the middle, nobody knows whether a transaction is still open on
//! it. So whoever works takes it away and brings it back when all went well; else it is closed by being dropped, which
//! ends the transaction, and the next one to come connects anew.

use sqlx::{ConnectOptions, Connection, Database};

use super::StoreError;

type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// A connection, or the way to one.
#[derive(Debug)]
pub(super) struct Line<DB: Database> {
    options: Options<DB>,
    connection: Option<DB::Connection>,
}

impl<DB: Database> Line<DB> {
    pub fn new(options: Options<DB>, connection: DB::Connection) -> Self {
        Line { options, connection: Some(connection) }
    }

    /// The connection, for as long as all goes well.
    pub async fn take(&mut self) -> Result<DB::Connection, StoreError> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Ok(self.options.connect().await?),
        }
    }

    /// Brings it back.
    pub fn keep(&mut self, connection: DB::Connection) {
        self.connection = Some(connection);
    }
}
