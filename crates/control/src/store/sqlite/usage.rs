//! The usage ledger in a file.

use commerce::usage::Window;

use super::Sqlite;
use crate::store::Answer;
use crate::store::usage::sql::sqlite as statements;
use crate::store::usage::{By, Cursor, Day, Kept, KnownBoot, Picked, Sealed, Sum, UsageRows, UsageWrite};

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
}
