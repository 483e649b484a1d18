//! The rows of customers in a file.

use model::kinds::KindName;

use super::{Sqlite, WAIT};
use crate::store::customers::sql::sqlite as statements;
use crate::store::customers::{CustomerRows, Key, Page, Row, RowChange, RowSet, Written};
use crate::store::writer::ended;
use crate::store::{Answer, Revision, StoreError};

impl CustomerRows for Sqlite {
    fn write_rows(&self, set: RowSet) -> Answer<'_, Written> {
        self.answer(self.writer.write_rows(set))
    }

    fn row(&self, key: Key) -> Answer<'_, Option<Row>> {
        self.answer(async move { statements::row(&mut *self.reader().await?, &key).await })
    }

    fn page(&self, page: Page) -> Answer<'_, (Revision, Vec<Row>)> {
        self.answer(async move { statements::page(&mut *self.reader().await?, &page).await })
    }

    fn children(&self, kind: KindName, namespace: &str, parent: &str, limit: usize) -> Answer<'_, Vec<Row>> {
        let (namespace, parent) = (namespace.to_owned(), parent.to_owned());
        self.answer(async move {
            statements::children(&mut *self.reader().await?, kind, &namespace, &parent, limit).await
        })
    }

    fn buckets(&self, kinds: [KindName; 2], first: u32, last: u32) -> Answer<'_, (Revision, Vec<Row>)> {
        self.answer(async move { statements::buckets(&mut *self.reader().await?, kinds, first, last).await })
    }

    fn due(&self, now: i64, limit: usize) -> Answer<'_, Vec<Row>> {
        self.answer(async move { statements::due(&mut *self.reader().await?, now, limit).await })
    }

    fn row_epoch(&self) -> Answer<'_, Revision> {
        self.answer(async move { statements::epoch(&mut *self.reader().await?).await })
    }

    fn row_changes(&self, after: Revision, limit: usize) -> Answer<'_, Vec<RowChange>> {
        self.answer(async move { statements::changes(&mut *self.reader().await?, after, limit).await })
    }

    fn wait_rows(&self, beyond: Revision) -> Answer<'_, ()> {
        self.answer(async move {
            let mut epoch = self.row_epoch.clone();
            match tokio::time::timeout(WAIT, epoch.wait_for(|epoch| *epoch > beyond)).await {
                Ok(Err(_)) => Err(ended()),
                Ok(Ok(_)) | Err(_) => Ok(()),
            }
        })
    }

    fn pepper(&self, offered: [u8; 32]) -> Answer<'_, [u8; 32]> {
        self.answer(async move {
            let kept = self.writer.pepper(crate::store::customers::written(&offered)).await?;
            crate::store::customers::read(&kept)
                .ok_or_else(|| StoreError::Broken("the pepper of keys is none".to_owned()))
        })
    }
}
