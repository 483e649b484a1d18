//! What one proxy still has to be sent, and in which order.
//!
//! Urgent first: whatever takes a right away. Then what else has changed, then what is left of everything, if it has to
//! be told everything. Between two messages it is always looked whether something urgent has come.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use bytes::Bytes;
use discovery::customers::CustomersResponse;
use engine::customers::PLACES;
use model::kinds::KindName;
use serde_json::Value;

use super::buckets::{self, Sort};
use crate::store::customers::{CustomerRows, RowChange};
use crate::store::{Revision, Store, StoreError};

/// Most changes that are read at once.
const CHANGES_READ_MAX: usize = 5_000;
/// Places in one message while everything is told.
const PLACES_TOLD: u32 = 64;
/// Most places in one message of changes.
const PLACES_CHANGED: usize = 64;
/// Most applications of a team whose places are looked up one by one; past it everything is told.
const TEAM_APPLICATIONS_MAX: usize = 10_000;

type Spot = (Sort, u32);

/// What is to be sent next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A message.
    Message(CustomersResponse),
    /// Nothing; there may be something after [`Follower::wait`].
    Nothing,
}

/// What one proxy still has to be sent.
pub struct Follower {
    store: Arc<dyn Store>,
    identity: Bytes,
    pepper: Bytes,
    /// Everything up to here has been looked at.
    seen: Revision,
    /// What the proxy has been told to have.
    told: Revision,
    urgent: BTreeSet<Spot>,
    changed: BTreeSet<Spot>,
    /// When the oldest of what waits was asked for.
    changed_at: u64,
    /// The next place of everything, while everything is told.
    all: Option<Spot>,
    is_first: bool,
    is_reset: bool,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("seen", &self.seen).field("told", &self.told).finish_non_exhaustive()
    }
}

fn rows(store: &Arc<dyn Store>) -> Result<&dyn CustomerRows, StoreError> {
    store.customers().ok_or_else(|| StoreError::Unavailable("this store keeps no customers".to_owned()))
}

impl Follower {
    /// A follower of somebody who has told how far they are, and of which store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn new(store: Arc<dyn Store>, epoch: Revision, known: &[u8]) -> Result<Follower, StoreError> {
        let mut offered = [0; 32];
        rand::fill(&mut offered)
            .map_err(|_| StoreError::Unavailable("the system gives no random bytes".to_owned()))?;
        let pepper = rows(&store)?.pepper(offered).await?;
        // The store is known by a digest of its pepper, under a name of its own: not by the pepper.
        let named = [b"the store of customers with the pepper ", &pepper[..]].concat();
        let identity = Bytes::copy_from_slice(&digest(&SHA256, &named).as_ref()[..16]);
        let is_at_home = epoch > 0 && *known == *identity;
        let now = rows(&store)?.row_epoch().await?;
        let mut follower = Follower {
            store,
            identity,
            pepper: Bytes::copy_from_slice(&pepper),
            seen: epoch,
            told: epoch,
            urgent: BTreeSet::new(),
            changed: BTreeSet::new(),
            changed_at: 0,
            all: None,
            is_first: true,
            is_reset: false,
        };
        // A store that was put back from a copy knows less than the proxy: nothing of that may stay.
        if !is_at_home || epoch > now {
            follower.begin_anew(now);
        }
        Ok(follower)
    }

    fn begin_anew(&mut self, now: Revision) {
        self.seen = now;
        self.told = 0;
        self.urgent.clear();
        self.changed.clear();
        self.changed_at = 0;
        self.all = Some((Sort::Credentials, 0));
        self.is_reset = true;
    }

    /// What is to be sent next.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn next(&mut self) -> Result<Piece, StoreError> {
        self.look().await?;
        let mut response = CustomersResponse::default();
        if !self.urgent.is_empty() {
            let urgent = std::mem::take(&mut self.urgent);
            response.takes_away = true;
            response.buckets = self.read(urgent.into_iter().collect()).await?;
            response.changed_at = self.changed_at;
        } else if !self.changed.is_empty() {
            let some: Vec<Spot> = self.changed.iter().take(PLACES_CHANGED).copied().collect();
            for spot in &some {
                self.changed.remove(spot);
            }
            response.buckets = self.read(some).await?;
            response.changed_at = self.changed_at;
        } else if self.all.is_some() {
            response.buckets = self.some_of_all().await?;
        } else if self.told == self.seen && !self.is_first {
            return Ok(Piece::Nothing);
        }
        let is_complete = self.urgent.is_empty() && self.changed.is_empty() && self.all.is_none();
        if is_complete {
            self.told = self.seen;
            // A store in which nothing was ever written is known all the same.
            response.epoch = self.seen.max(1);
            self.changed_at = 0;
        }
        if std::mem::take(&mut self.is_first) {
            response.store = self.identity.clone();
            response.pepper = self.pepper.clone();
        }
        response.is_reset = std::mem::take(&mut self.is_reset);
        Ok(Piece::Message(response))
    }

    /// The next places of everything that hold anything.
    async fn some_of_all(&mut self) -> Result<Vec<discovery::customers::Bucket>, StoreError> {
        while let Some((sort, first)) = self.all {
            let last = first + PLACES_TOLD - 1;
            let mut found = buckets::read(rows(&self.store)?, sort, first, last).await?;
            found.retain(|bucket| !bucket.credentials.is_empty() || !bucket.applications.is_empty());
            self.all = match (sort, last as usize + 1 < PLACES) {
                (_, true) => Some((sort, last + 1)),
                (Sort::Credentials, false) => Some((Sort::Applications, 0)),
                (Sort::Applications, false) => None,
            };
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Waits until there may be more, but not for long.
    ///
    /// # Errors
    /// The store is closed.
    pub async fn wait(&self) -> Result<(), StoreError> {
        rows(&self.store)?.wait_rows(self.seen).await
    }

    async fn read(&self, spots: Vec<Spot>) -> Result<Vec<discovery::customers::Bucket>, StoreError> {
        let mut all = Vec::with_capacity(spots.len());
        for (sort, place) in spots {
            all.extend(buckets::read(rows(&self.store)?, sort, place, place).await?);
        }
        Ok(all)
    }

    /// Takes in what has happened since.
    async fn look(&mut self) -> Result<(), StoreError> {
        let changes = match rows(&self.store)?.row_changes(self.seen, CHANGES_READ_MAX).await {
            Ok(changes) => changes,
            Err(StoreError::Compacted { .. }) => {
                let now = rows(&self.store)?.row_epoch().await?;
                self.begin_anew(now);
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        for change in &changes {
            self.take(change).await?;
            self.seen = change.row.revision;
        }
        Ok(())
    }

    async fn take(&mut self, change: &RowChange) -> Result<(), StoreError> {
        let spots: Vec<Spot> = match (change.row.kind, change.row.place) {
            (KindName::Credential, Some(place)) => vec![(Sort::Credentials, place)],
            (KindName::Application | KindName::Subscription, Some(place)) => {
                vec![(Sort::Applications, place)]
            }
            (KindName::Team, _) => match self.of_team(change).await? {
                Some(spots) => spots,
                None => {
                    self.begin_anew(change.row.revision);
                    return Ok(());
                }
            },
            _ => return Ok(()),
        };
        if self.changed_at == 0 {
            self.changed_at = change.at;
        }
        match takes_away(change) {
            true => self.urgent.extend(spots),
            false => self.changed.extend(spots),
        }
        Ok(())
    }

    /// The places of a team's applications; `None` when there are too many to look them up.
    async fn of_team(&self, change: &RowChange) -> Result<Option<Vec<Spot>>, StoreError> {
        let (namespace, name) = (&change.row.namespace, &change.row.name);
        let found = rows(&self.store)?
            .children(KindName::Application, namespace, name, TEAM_APPLICATIONS_MAX)
            .await?;
        let places = found.iter().filter_map(|row| Some((Sort::Applications, row.place?)));
        Ok((found.len() < TEAM_APPLICATIONS_MAX).then(|| places.collect()))
    }
}

/// Whether somebody may do less than before: it is gone, its state is another, or something holds it now.
fn takes_away(change: &RowChange) -> bool {
    let Some(before) = &change.before else { return false };
    let part = |json: &str, field: &str| {
        let value: Option<Value> = serde_json::from_str(json).ok();
        value.and_then(|value| value.pointer(field).cloned()).unwrap_or_default()
    };
    let differs = |field: &str| part(before, field) != part(&change.row.json, field);
    change.is_gone
        || ["/status/state", "/status/holds", "/status/endsAt", "/spec/expiresAt"].into_iter().any(differs)
}
