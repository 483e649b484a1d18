//! Who may call: the table that a proxy asks with the fingerprint of a credential.
//!
//! It grows with customers and changes every time one of them makes a key, so it is not part of the config: it lies
//! beside it, cut into buckets by the first bits of the fingerprint. A change replaces one bucket; all
//! others are shared
//! by pointer with the table before, and a worker swaps one pointer. Looking something up is one probe in one bucket,
//! however many customers there are, and allocates nothing.

mod bucket;
mod credential;
mod subscription;

use std::sync::Arc;

pub use bucket::{Bucket, PLACES, Place};
pub use credential::{Credential, CredentialKind, CredentialState, Unusable};
pub use model::customers::{Fingerprint, Hold, Holds, Pepper};
pub use subscription::{Application, ApplicationId, Refusal, Subscription, SubscriptionId, Term};

use bucket::Filled;

/// Every customer that a proxy knows, at one moment. Immutable; the next one shares what did not change.
#[derive(Clone)]
pub struct Customers {
    pepper: Option<Arc<Pepper>>,
    credentials: Buckets<CredentialRow>,
    applications: Buckets<Arc<Application>>,
}

/// Buckets by the first bits of what is looked for; `None` where nobody is.
type Buckets<T> = Box<[Option<Arc<Filled<T>>>]>;

/// A credential as it lies in a bucket.
type CredentialRow = (Fingerprint, credential::Packed);

impl Customers {
    /// Nobody has told yet who the customers are. No credential can be judged: who asks [`are_known`](Self::are_known)
    /// can tell "not you" from "I do not know".
    #[must_use]
    pub fn unknown() -> Customers {
        Customers { pepper: None, credentials: empty(), applications: empty() }
    }

    /// No customers, under a pepper.
    #[must_use]
    pub fn none(pepper: Pepper) -> Customers {
        Customers { pepper: Some(Arc::new(pepper)), ..Customers::unknown() }
    }

    /// A table of these and nobody else.
    #[must_use]
    pub fn of(
        pepper: Pepper,
        credentials: impl IntoIterator<Item = (Fingerprint, Credential)>,
        applications: impl IntoIterator<Item = Application>,
    ) -> Customers {
        let mut by_place: Vec<Bucket> = Vec::new();
        by_place.extend(bucket::credentials_by_place(credentials));
        by_place.extend(bucket::applications_by_place(applications));
        Customers::none(pepper).with(by_place)
    }

    /// The table with some buckets replaced. A bucket that is empty takes no memory.
    #[must_use]
    pub fn with(&self, buckets: impl IntoIterator<Item = Bucket>) -> Customers {
        let mut next = self.clone();
        for bucket in buckets {
            match bucket {
                Bucket::Credentials(place, rows) => {
                    let rows = rows.into_iter().map(|(print, credential)| (print, credential.into()));
                    next.credentials[place.index()] = Filled::of(rows);
                }
                Bucket::Applications(place, rows) => {
                    next.applications[place.index()] = Filled::of(rows.into_iter().map(Arc::new));
                }
            }
        }
        next
    }

    /// Whether anybody has told who the customers are.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.pepper.is_some()
    }

    /// The secret bytes of the pepper; empty while the customers are not known.
    #[must_use]
    pub fn pepper(&self) -> &[u8] {
        self.pepper.as_ref().map_or(&[], |pepper| pepper.bytes())
    }

    /// The pepper, ready to make fingerprints with; `None` while the customers are not known.
    #[must_use]
    pub fn prints(&self) -> Option<&Pepper> {
        self.pepper.as_deref()
    }

    /// The credential with this fingerprint. O(1), in a time that does not depend on how much of a fingerprint fits.
    #[must_use]
    pub fn credential(&self, print: &Fingerprint) -> Option<Credential> {
        let bucket = self.credentials[Place::of_fingerprint(print).index()].as_ref()?;
        bucket.find(print, |(found, _)| found.is(print)).map(|(_, credential)| Credential::from(*credential))
    }

    /// An application. O(1).
    #[must_use]
    pub fn application(&self, id: ApplicationId) -> Option<&Arc<Application>> {
        let bucket = self.applications[Place::of_application(id).index()].as_ref()?;
        bucket.find(&id, |application| application.id == id)
    }

    /// How many credentials there are.
    #[must_use]
    pub fn credentials_count(&self) -> usize {
        self.credentials.iter().flatten().map(|bucket| bucket.len()).sum()
    }

    /// How many applications there are.
    #[must_use]
    pub fn applications_count(&self) -> usize {
        self.applications.iter().flatten().map(|bucket| bucket.len()).sum()
    }
}

fn empty<T: Clone>() -> Box<[Option<T>]> {
    vec![None; PLACES].into_boxed_slice()
}

/// It says how many there are: names of customers do not belong into a log by accident.
impl std::fmt::Debug for Customers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Customers")
            .field("known", &self.are_known())
            .field("credentials", &self.credentials_count())
            .field("applications", &self.applications_count())
            .finish()
    }
}

#[cfg(test)]
mod tests;
