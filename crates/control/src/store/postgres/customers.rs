//! The rows of customers in a database.

use model::kinds::KindName;

use super::Postgres;
use crate::store::customers::sql::postgres as statements;
use crate::store::customers::{CustomerRows, Key, Page, Row, RowChange, RowSet, Written};
use crate::store::writer::ended;
use crate::store::{Answer, Revision, StoreError};

impl CustomerRows for Postgres {
    fn write_rows(&self, set: RowSet) -> Answer<'_, Written> {
        self.answer(self.turn(), self.writer.write_rows(set))
    }

    fn row(&self, key: Key) -> Answer<'_, Option<Row>> {
        let read = self.readers.with(async move |reader| statements::row(reader, &key).await);
        self.answer(self.patience.read, read)
    }

    fn page(&self, page: Page) -> Answer<'_, (Revision, Vec<Row>)> {
        let read = self.readers.with(async move |reader| statements::page(reader, &page).await);
        self.answer(self.patience.read, read)
    }

    fn children(&self, kind: KindName, namespace: &str, parent: &str, limit: usize) -> Answer<'_, Vec<Row>> {
        let (namespace, parent) = (namespace.to_owned(), parent.to_owned());
        let read = self
            .readers
            .with(async move |reader| statements::children(reader, kind, &namespace, &parent, limit).await);
        self.answer(self.patience.read, read)
    }

    fn buckets(&self, kinds: [KindName; 2], first: u32, last: u32) -> Answer<'_, (Revision, Vec<Row>)> {
        let read =
            self.readers.with(async move |reader| statements::buckets(reader, kinds, first, last).await);
        self.answer(self.patience.load, read)
    }

    fn due(&self, now: i64, limit: usize) -> Answer<'_, Vec<Row>> {
        let read = self.readers.with(async move |reader| statements::due(reader, now, limit).await);
        self.answer(self.patience.read, read)
    }

    fn row_epoch(&self) -> Answer<'_, Revision> {
        self.answer(self.patience.read, self.readers.with(async |reader| statements::epoch(reader).await))
    }

    fn row_changes(&self, after: Revision, limit: usize) -> Answer<'_, Vec<RowChange>> {
        let read = self.readers.with(async move |reader| statements::changes(reader, after, limit).await);
        self.answer(self.patience.read, read)
    }

    fn wait_rows(&self, beyond: Revision) -> Answer<'_, ()> {
        self.answer(self.patience.poll * 2, async move {
            tokio::select! {
                () = self.writer.ended() => Err(ended()),
                () = self.row_hint.beyond(beyond, self.patience.poll) => Ok(()),
            }
        })
    }

    fn pepper(&self, offered: [u8; 32]) -> Answer<'_, [u8; 32]> {
        self.answer(self.turn(), async move {
            let kept = self.writer.pepper(crate::store::customers::written(&offered)).await?;
            crate::store::customers::read(&kept)
                .ok_or_else(|| StoreError::Broken("the pepper of keys is none".to_owned()))
        })
    }
}
