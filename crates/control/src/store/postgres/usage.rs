//! The usage ledger in a database.

use commerce::usage::Window;

use super::Postgres;
use crate::store::Answer;
use crate::store::usage::sql::postgres as statements;
use crate::store::usage::{By, Cursor, Day, Kept, KnownBoot, Picked, Sealed, Sum, UsageRows, UsageWrite};

impl UsageRows for Postgres {
    fn write_usage(&self, writes: Vec<UsageWrite>) -> Answer<'_, Vec<Kept>> {
        self.answer(self.turn(), self.writer.write_usage(writes))
    }

    fn usage(&self, picked: Picked, by: Vec<By>) -> Answer<'_, Vec<Sum>> {
        let read = self.readers.with(async move |reader| statements::usage(reader, &picked, &by).await);
        self.answer(self.patience.load, read)
    }

    fn conservation(&self, from: Window, until: Window) -> Answer<'_, Vec<Day>> {
        let read = self.readers.with(async move |reader| statements::conservation(reader, from, until).await);
        self.answer(self.patience.load, read)
    }

    fn boots(&self) -> Answer<'_, Vec<KnownBoot>> {
        self.answer(self.patience.read, self.readers.with(async |reader| statements::boots(reader).await))
    }

    fn sealed(&self, namespace: Option<String>, after: Cursor, limit: usize) -> Answer<'_, Vec<Sealed>> {
        let read = self
            .readers
            .with(async move |reader| statements::sealed(reader, namespace.as_deref(), &after, limit).await);
        self.answer(self.patience.load, read)
    }
}
