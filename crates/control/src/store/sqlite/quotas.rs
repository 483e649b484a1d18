//! The rows of quotas in a file.

use super::Sqlite;
use crate::store::Answer;
use crate::store::quotas::sql::sqlite as statements;
use crate::store::quotas::{QuotaKey, QuotaRow, QuotaRows, Wrote};

impl QuotaRows for Sqlite {
    fn read_quotas(&self, keys: Vec<QuotaKey>) -> Answer<'_, Vec<QuotaRow>> {
        self.answer(async move { statements::read(&mut *self.reader().await?, &keys).await })
    }

    fn write_quotas(&self, rows: Vec<QuotaRow>) -> Answer<'_, Vec<Wrote>> {
        self.answer(self.writer.write_quotas(rows))
    }

    fn quotas_of(&self, subscription: [u8; 16]) -> Answer<'_, Vec<QuotaRow>> {
        self.answer(async move { statements::of(&mut *self.reader().await?, &subscription).await })
    }

    fn forget_quotas(&self, ended_before: i64) -> Answer<'_, ()> {
        self.answer(self.writer.forget_quotas(ended_before))
    }
}
