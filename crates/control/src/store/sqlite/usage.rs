//! The usage ledger in a file.

use commerce::usage::{Boot, Span, Window};

use super::Sqlite;
use crate::store::Answer;
use crate::store::usage::merge::sqlite as merging;
use crate::store::usage::sql::sqlite as statements;
use crate::store::usage::{
    By, Cursor, Day, Kept, KnownBoot, Merged, Picked, Sealed, Sum, UsageRows, UsageWrite,
};

impl UsageRows for Sqlite {
    fn write_usage(&self, writes: Vec<UsageWrite>) -> Answer<'_, Vec<Kept>> {
        self.answer(self.writer.write_usage(writes))
    }

    fn usage(&self, picked: Picked, by: Vec<By>) -> Answer<'_, Vec<Sum>> {
        self.answer(async move { statements::usage(&mut *self.reader().await?, &picked, &by).await })
    }

    fn conservation(&self, from: Window, until: Window) -> Answer<'_, Vec<Day>> {
        self.answer(async move { statements::conservation(&mut *self.reader().await?, from, until).await })
    }

    fn boots(&self) -> Answer<'_, Vec<KnownBoot>> {
        self.answer(async move { statements::boots(&mut *self.reader().await?).await })
    }

    fn sealed(&self, namespace: Option<String>, after: Cursor, limit: usize) -> Answer<'_, Vec<Sealed>> {
        self.answer(async move {
            statements::sealed(&mut *self.reader().await?, namespace.as_deref(), &after, limit).await
        })
    }

    fn missed(&self, namespace: Option<String>, after: Cursor) -> Answer<'_, bool> {
        self.answer(
            async move { merging::missed(&mut *self.reader().await?, namespace.as_deref(), &after).await },
        )
    }

    fn merged(&self) -> Answer<'_, Merged> {
        self.answer(async move { merging::merged(&mut *self.reader().await?).await })
    }

    fn aging(&self, into: Span, before: Window) -> Answer<'_, Vec<Boot>> {
        self.answer(async move { merging::aging(&mut *self.reader().await?, into, before).await })
    }
}
