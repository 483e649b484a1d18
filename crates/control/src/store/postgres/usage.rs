//! The usage ledger in a database.

use commerce::usage::{Boot, Span, Window};

use super::Postgres;
use crate::store::Answer;
use crate::store::usage::merge::postgres as merging;
use crate::store::usage::sql::postgres as statements;
use crate::store::usage::{
    By, Cursor, Day, Kept, KnownBoot, Merged, Picked, Sealed, Sum, UsageRows, UsageWrite,
};

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

    fn missed(&self, namespace: Option<String>, after: Cursor) -> Answer<'_, bool> {
        let read = self
            .readers
            .with(async move |reader| merging::missed(reader, namespace.as_deref(), &after).await);
        self.answer(self.patience.load, read)
    }

    fn merged(&self) -> Answer<'_, Merged> {
        self.answer(self.patience.read, self.readers.with(async |reader| merging::merged(reader).await))
    }

    fn aging(&self, into: Span, before: Window) -> Answer<'_, Vec<Boot>> {
        let read = self.readers.with(async move |reader| merging::aging(reader, into, before).await);
        self.answer(self.patience.read, read)
    }
}
