//! Rows as the buckets that travel.

use std::collections::HashMap;

use discovery::customers::{Application, Bucket, Credential, Subscription};
use engine::customers::Place;
use model::customers::lives::{ApplicationState, CredentialState, Membership, SubscriptionState};
use model::kinds::credential::CredentialType;
use model::kinds::{self, KindName};
use model::units::Moment;
use serde::de::DeserializeOwned;

use crate::store::StoreError;
use crate::store::customers::{CustomerRows, Key, Row};

/// Which of the two sorts of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sort {
    /// Those of credentials, by fingerprint.
    Credentials,
    /// Those of applications, by number, with their subscriptions.
    Applications,
}

impl Sort {
    fn kinds(self) -> [KindName; 2] {
        match self {
            Sort::Credentials => [KindName::Credential, KindName::Credential],
            Sort::Applications => [KindName::Application, KindName::Subscription],
        }
    }
}

/// The buckets from `first` to `last`, the empty ones too.
pub async fn read(
    rows: &dyn CustomerRows,
    sort: Sort,
    first: u32,
    last: u32,
) -> Result<Vec<Bucket>, StoreError> {
    let (_, found) = rows.buckets(sort.kinds(), first, last).await?;
    let mut buckets: Vec<Bucket> = (first..=last)
        .map(|place| Bucket {
            place,
            is_of_applications: sort == Sort::Applications,
            credentials: Vec::new(),
            applications: Vec::new(),
        })
        .collect();
    match sort {
        Sort::Credentials => {
            for row in &found {
                if let (Some(bucket), Some(credential)) =
                    (at(&mut buckets, first, row.place), credential(row)?)
                {
                    bucket.credentials.push(credential);
                }
            }
        }
        Sort::Applications => {
            for application in applications(rows, &found).await? {
                let place = Place::of_application(engine::customers::ApplicationId(application.number));
                if let Some(bucket) = at(&mut buckets, first, Some(place.number())) {
                    bucket.applications.push(application);
                }
            }
        }
    }
    Ok(buckets)
}

fn at(buckets: &mut [Bucket], first: u32, place: Option<u32>) -> Option<&mut Bucket> {
    buckets.get_mut(place?.checked_sub(first)? as usize)
}

/// `None` for a row without a fingerprint, which nobody could show.
fn credential(row: &Row) -> Result<Option<Credential>, StoreError> {
    let read: kinds::Credential = typed(row)?;
    let fingerprint = row.claim.as_deref().and_then(unhex);
    let (Some(fingerprint), Some(application)) = (fingerprint, row.owner) else { return Ok(None) };
    let kind = match read.spec.of {
        CredentialType::ApiKey => 1,
        CredentialType::Spiffe => 2,
        CredentialType::ClientCertificate => 3,
    };
    let state = match read.status.state {
        // What has expired is known by its end: every proxy knows what that means.
        CredentialState::Active | CredentialState::Expired => 1,
        CredentialState::Rotating => 2,
        CredentialState::Revoked => 3,
        CredentialState::Compromised => 4,
    };
    let expires = match read.status.state {
        CredentialState::Expired => 1,
        CredentialState::Active
        | CredentialState::Rotating
        | CredentialState::Revoked
        | CredentialState::Compromised => seconds(read.spec.expires_at),
    };
    let fingerprint = fingerprint.to_vec().into();
    Ok(Some(Credential { fingerprint, application, kind, state, expires }))
}

async fn applications(rows: &dyn CustomerRows, found: &[Row]) -> Result<Vec<Application>, StoreError> {
    let mut by_number: HashMap<u64, Vec<Subscription>> = HashMap::new();
    for row in found.iter().filter(|row| row.kind == KindName::Subscription) {
        if let (Some(owner), Some(subscription)) = (row.owner, subscription(row)?) {
            by_number.entry(owner).or_default().push(subscription);
        }
    }
    let mut teams: HashMap<Key, bool> = HashMap::new();
    let mut all = Vec::new();
    for row in found.iter().filter(|row| row.kind == KindName::Application) {
        let read: kinds::Application = typed(row)?;
        let is_active = read.status.state == ApplicationState::Active;
        all.push(Application {
            number: row.number,
            name: format!("{}/{}", row.namespace, row.name),
            team: read.spec.team.as_deref().unwrap_or_default().to_owned(),
            is_live: is_active && team_is_active(rows, &mut teams, row).await?,
            subscriptions: by_number.remove(&row.number).unwrap_or_default(),
        });
    }
    Ok(all)
}

/// A team that is gone is not active; an application without one needs none.
async fn team_is_active(
    rows: &dyn CustomerRows,
    known: &mut HashMap<Key, bool>,
    application: &Row,
) -> Result<bool, StoreError> {
    let Some(team) = &application.parent else { return Ok(true) };
    let key = Key::new(KindName::Team, &application.namespace, team);
    if let Some(is_active) = known.get(&key) {
        return Ok(*is_active);
    }
    let found = rows.row(key.clone()).await?;
    let team: Option<kinds::Team> = found.as_ref().map(typed).transpose()?;
    let is_active = team.is_some_and(|team| team.status.state == Membership::Active);
    known.insert(key, is_active);
    Ok(is_active)
}

/// `None` for one that is over: it says nothing about any request.
fn subscription(row: &Row) -> Result<Option<Subscription>, StoreError> {
    let read: kinds::Subscription = typed(row)?;
    let state = read.status.state();
    if !state.is_live() {
        return Ok(None);
    }
    let (namespace, product) = read.spec.product_in(&row.namespace);
    Ok(Some(Subscription {
        id: id(&row.uid).to_vec().into(),
        product: format!("{namespace}/{product}"),
        plan: format!("{namespace}/{}", read.spec.plan),
        is_granted: state.grants(),
        begins_at: seconds(read.spec.starts_at.filter(|_| state == SubscriptionState::Scheduled)),
        ends_at: seconds(read.status.ends_at.filter(|_| state == SubscriptionState::Ending)),
        holds: read.status.holds.bits().into(),
        anchor: read.status.anchor.map_or(0, |anchor| u64::try_from(anchor.0).unwrap_or_default()),
    }))
}

/// A moment as it travels. One in 1970 is one; 0 would mean that there is none.
fn seconds(moment: Option<Moment>) -> u64 {
    moment.map_or(0, |moment| u64::try_from(moment.0).unwrap_or(1).max(1))
}

fn typed<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    serde_json::from_str(&row.json).map_err(|fault| {
        StoreError::Broken(format!(
            "the row {} {}/{} cannot be read: {fault}",
            row.kind, row.namespace, row.name
        ))
    })
}

/// The 16 bytes of a fingerprint, which is what a credential claims.
fn unhex(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    (text.len() == 32).then_some(bytes)
}

/// The number of a subscription: the 16 bytes of its UUID; of any other text, bytes that stand for it.
pub fn id(uid: &str) -> [u8; 16] {
    let digits: String = uid.chars().filter(|letter| *letter != '-').collect();
    unhex(&digits).unwrap_or_else(|| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, uid.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&digest.as_ref()[..16]);
        first
    })
}
