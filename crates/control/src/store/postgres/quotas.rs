//! The rows of quotas in a database.

use super::Postgres;
use crate::store::Answer;
use crate::store::quotas::sql::postgres as statements;
use crate::store::quotas::{QuotaKey, QuotaRow, QuotaRows, Wrote};

impl QuotaRows for Postgres {
    fn read_quotas(&self, keys: Vec<QuotaKey>) -> Answer<'_, Vec<QuotaRow>> {
        let read = self.readers.with(async move |reader| statements::read(reader, &keys).await);
        self.answer(self.patience.read, read)
    }

    fn write_quotas(&self, rows: Vec<QuotaRow>) -> Answer<'_, Vec<Wrote>> {
        self.answer(self.turn(), self.writer.write_quotas(rows))
    }

    fn quotas_of(&self, subscription: [u8; 16]) -> Answer<'_, Vec<QuotaRow>> {
        let read = self.readers.with(async move |reader| statements::of(reader, &subscription).await);
        self.answer(self.patience.read, read)
    }

    fn forget_quotas(&self, ended_before: i64) -> Answer<'_, ()> {
        self.answer(self.turn(), self.writer.forget_quotas(ended_before))
    }
}
