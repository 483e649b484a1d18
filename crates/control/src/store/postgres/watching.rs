//! Hears from the database that somebody wrote. Only a hint: notifications are lost with the connection that should
//! have carried them, so whoever waits looks for itself after a while, and nothing is decided by what is heard here.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::store::backoff::Backoff;
use crate::store::line::within;
use crate::store::{Revision, StoreError};

/// How long the connection may be silent before it is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);

/// The channel of `NOTIFY`.
const CHANNEL: &str = "selvedge";

/// The largest epoch that was heard of, from others or from our own writer.
#[derive(Clone, Debug)]
pub(super) struct Hint(watch::Sender<Revision>);

impl Hint {
    pub fn new(epoch: Revision) -> Hint {
        Hint(watch::Sender::new(epoch))
    }

    pub fn heard(&self, epoch: Revision) {
        self.0.send_if_modified(|known| {
            let grown = *known < epoch;
            *known = epoch.max(*known);
            grown
        });
    }

    /// Waits until more is heard of than a revision, but not for long.
    pub async fn beyond(&self, revision: Revision, at_most: Duration) {
        let mut epoch = self.0.subscribe();
        // The sender lives as long as we do, and time that has passed is no error.
        let _ = timeout(at_most, epoch.wait_for(|epoch| *epoch > revision)).await;
    }
}

/// What is heard, of objects and of the rows of customers.
#[derive(Clone, Debug)]
pub(super) struct Hints {
    pub objects: Hint,
    pub rows: Hint,
}

impl Hints {
    /// Takes a notification in. One that nobody understands wakes nobody.
    fn heard(&self, payload: &str) {
        match payload.strip_prefix("customers ") {
            Some(epoch) => self.rows.heard(epoch.parse().unwrap_or_default()),
            None => self.objects.heard(payload.parse().unwrap_or_default()),
        }
    }
}

/// Listens until it is aborted. `patience` is for each question that the database should answer.
pub(super) async fn listen(options: PgConnectOptions, hints: Hints, patience: Duration) {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(patience)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options);
    let mut backoff = Backoff::default();
    loop {
        // Whatever it was, the readers will meet it too and tell; here it only means to connect anew.
        if let Err(_lost) = hear(&pool, &hints, patience, &mut backoff).await {
            backoff.pause().await;
        }
    }
}

async fn hear(
    pool: &PgPool,
    hints: &Hints,
    patience: Duration,
    backoff: &mut Backoff,
) -> Result<(), StoreError> {
    let mut listener = within(patience, async {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    })
    .await?;
    look(&mut listener, hints, patience).await?;
    backoff.reset();
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                hints.heard(notification.payload());
            }
            Ok(Ok(None)) => return Err(StoreError::Unavailable("the connection was lost".to_owned())),
            Ok(Err(error)) => return Err(error.into()),
            Err(_silent) => look(&mut listener, hints, patience).await?,
        }
    }
}

/// Asks for the epoch: what was missed before, and whether the connection is still there.
async fn look(listener: &mut PgListener, hints: &Hints, patience: Duration) -> Result<(), StoreError> {
    let (epoch, rows): (i64, i64) = within(patience, async {
        let both = "SELECT meta.epoch, customer_meta.epoch FROM meta, customer_meta";
        Ok(sqlx::query_as(both).fetch_one(listener).await?)
    })
    .await?;
    hints.objects.heard(Revision::try_from(epoch).unwrap_or_default());
    hints.rows.heard(Revision::try_from(rows).unwrap_or_default());
    Ok(())
}
