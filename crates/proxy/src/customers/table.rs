//! Messages become the table. No socket, no clock, no disk: a message in, a table out.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use discovery::customers::{self, CustomersResponse};
use discovery::reports::{REVOCATION_BOUNDS_MS, REVOCATION_BUCKETS};
use engine::customers::{
    Application, ApplicationId, Bucket, Credential, CredentialKind, CredentialState, Customers, Fingerprint,
    Holds, Pepper, Place, Refusal, Subscription, SubscriptionId, Term,
};

/// How far a proxy is with its customers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last write that it has.
    pub epoch: u64,
    /// Credentials that it knows.
    pub credentials: u64,
    /// Applications that it knows.
    pub applications: u64,
    /// How long the last change took from the command to the workers, in milliseconds; `None` before the first.
    pub age_ms: Option<u64>,
    /// The longest that any change took since the start, in milliseconds.
    pub age_ms_max: u64,
    /// What took a right away since the start, by how long it took.
    pub revocations: [u64; REVOCATION_BUCKETS],
}

impl Standing {
    /// Counts a change that took a right away.
    pub fn revoked(&mut self, age_ms: u64) {
        let at = REVOCATION_BOUNDS_MS.iter().position(|bound| age_ms <= *bound);
        self.revocations[at.unwrap_or(REVOCATION_BUCKETS - 1)] += 1;
    }
}

/// A message that makes no sense. The stream is begun anew, with everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the control plane sent customers that cannot be read: {0}")]
pub struct Broken(&'static str);

/// The table, and what comes after it.
#[derive(Debug, Default)]
pub struct Table {
    /// What is in use; `None` before anybody told.
    current: Option<Customers>,
    /// What is to be in use once everything has been told anew.
    anew: Option<Customers>,
    /// Names that many share.
    names: HashSet<Arc<str>>,
    store: Bytes,
    epoch: u64,
}

impl Table {
    /// How far it is, and of which store: what to ask for the rest with.
    pub fn stands(&self) -> (u64, Bytes) {
        (self.epoch, self.store.clone())
    }

    /// Forgets how far it is, so that everything is asked for. What is in use stays in use.
    pub fn distrust(&mut self) {
        self.epoch = 0;
        self.store = Bytes::new();
        self.anew = None;
    }

    /// Takes a message in. Answers with the table to be used from now on, if that is another one.
    ///
    /// # Errors
    /// It cannot be read; nothing of it was taken.
    pub fn take(&mut self, message: &CustomersResponse) -> Result<Option<Customers>, Broken> {
        let buckets: Vec<Bucket> =
            message.buckets.iter().map(|bucket| self.bucket(bucket)).collect::<Result<_, _>>()?;
        if message.is_reset {
            if message.pepper.is_empty() && self.current.is_none() {
                return Err(Broken("there is no pepper"));
            }
            let pepper = match message.pepper.is_empty() {
                false => Pepper::new(&message.pepper),
                true => Pepper::new(self.current.as_ref().map_or(&[], Customers::pepper)),
            };
            self.anew = Some(Customers::none(pepper));
            self.epoch = 0;
        }
        if !message.store.is_empty() {
            self.store = message.store.clone();
        }
        let is_complete = message.epoch > 0;
        if is_complete {
            self.epoch = message.epoch;
        }
        if let Some(anew) = self.anew.take() {
            let anew = anew.with(buckets);
            if is_complete {
                self.current = Some(anew);
                return Ok(self.current.clone());
            }
            self.anew = Some(anew);
            return Ok(None);
        }
        let current = self.current.as_ref().ok_or(Broken("it goes on with what was never begun"))?;
        if buckets.is_empty() {
            return Ok(None);
        }
        self.current = Some(current.with(buckets));
        Ok(self.current.clone())
    }

    fn bucket(&mut self, bucket: &customers::Bucket) -> Result<Bucket, Broken> {
        let place = Place::new(bucket.place).ok_or(Broken("there is no such place"))?;
        if bucket.is_of_applications {
            let rows =
                bucket.applications.iter().map(|row| self.application(row)).collect::<Result<_, _>>()?;
            return Ok(Bucket::Applications(place, rows));
        }
        let rows: Vec<_> = bucket.credentials.iter().map(credential).collect::<Result<_, _>>()?;
        Ok(Bucket::Credentials(place, rows))
    }

    fn application(&mut self, row: &customers::Application) -> Result<Application, Broken> {
        let mut subscriptions = Vec::with_capacity(row.subscriptions.len());
        for subscription in &row.subscriptions {
            let id = subscription.id.as_ref().try_into().map_err(|_| Broken("a number is too short"))?;
            // Bits that we do not know hold as well.
            let holds = Holds::from_bits(u8::try_from(subscription.holds).unwrap_or(u8::MAX));
            let term = Term {
                begins: if subscription.is_granted { 0 } else { subscription.begins_at },
                ends: if subscription.ends_at > 0 { subscription.ends_at } else { u64::MAX },
            };
            let is_granted = subscription.is_granted || subscription.begins_at > 0;
            let access = match (is_granted, holds.is_empty()) {
                (false, _) => Err(Refusal::NotActive),
                (true, false) => Err(Refusal::Held(holds)),
                (true, true) => Ok(()),
            };
            subscriptions.push(Subscription {
                id: SubscriptionId(id),
                product: self.shared(&subscription.product),
                plan: self.shared(&subscription.plan),
                access,
                term,
                anchor: subscription.anchor,
            });
        }
        Ok(Application {
            id: ApplicationId(row.number),
            name: row.name.as_str().into(),
            team: self.shared(&row.team),
            live: row.is_live,
            subscriptions: subscriptions.into(),
        })
    }

    /// The one text for a name that many have.
    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }
}

fn credential(row: &customers::Credential) -> Result<(Fingerprint, Credential), Broken> {
    let print = row.fingerprint.as_ref().try_into().map_err(|_| Broken("a fingerprint is too short"))?;
    let kind = match row.kind {
        1 => CredentialKind::ApiKey,
        2 => CredentialKind::Spiffe,
        3 => CredentialKind::Certificate,
        _ => return Err(Broken("there is no such kind of credential")),
    };
    // A state of which we have not heard is not one in which anybody may call.
    let state = match row.state {
        1 => CredentialState::Active,
        2 => CredentialState::Rotating,
        4 => CredentialState::Compromised,
        _ => CredentialState::Revoked,
    };
    let expires = (row.expires > 0).then_some(row.expires);
    Ok((Fingerprint(print), Credential { application: ApplicationId(row.application), kind, state, expires }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(number: u8) -> Fingerprint {
        Fingerprint([number; 16])
    }

    fn bucket(number: u8, state: u32) -> customers::Bucket {
        customers::Bucket {
            place: Place::of_fingerprint(&print(number)).number(),
            credentials: vec![customers::Credential {
                fingerprint: vec![number; 16].into(),
                application: 7,
                kind: 1,
                state,
                expires: 0,
            }],
            ..customers::Bucket::default()
        }
    }

    fn begun(epoch: u64) -> CustomersResponse {
        CustomersResponse {
            is_reset: true,
            store: Bytes::from_static(b"store"),
            pepper: Bytes::from_static(&[1; 32]),
            buckets: vec![bucket(1, 1)],
            epoch,
            ..CustomersResponse::default()
        }
    }

    #[test]
    fn nobody_is_known_before_everything_was_told() {
        let mut table = Table::default();

        assert_eq!(table.take(&begun(0)).expect("sound").map(|_| ()), None);
        let end = CustomersResponse { epoch: 5, buckets: vec![bucket(2, 1)], ..CustomersResponse::default() };
        let customers = table.take(&end).expect("sound").expect("complete");

        assert!(customers.credential(&print(1)).is_some() && customers.credential(&print(2)).is_some());
        assert_eq!(table.stands(), (5, Bytes::from_static(b"store")));
    }

    #[test]
    fn a_change_is_in_use_at_once_even_before_its_push_has_ended() {
        let mut table = Table::default();
        table.take(&begun(5)).expect("sound");

        let revoked = CustomersResponse { buckets: vec![bucket(1, 3)], ..CustomersResponse::default() };
        let customers = table.take(&revoked).expect("sound").expect("another table");

        assert_eq!(customers.credential(&print(1)).map(|it| it.state), Some(CredentialState::Revoked));
        assert_eq!(table.stands().0, 5);
    }

    #[test]
    fn being_told_everything_anew_forgets_who_is_gone() {
        let mut table = Table::default();
        table.take(&begun(5)).expect("sound");

        let anew = CustomersResponse { buckets: vec![bucket(2, 1)], ..begun(9) };
        let customers = table.take(&anew).expect("sound").expect("another table");

        assert!(customers.credential(&print(1)).is_none() && customers.credential(&print(2)).is_some());
    }

    #[test]
    fn a_subscription_begins_and_ends_by_the_clock_of_the_proxy() {
        let told = |is_granted, begins_at, ends_at| customers::Bucket {
            is_of_applications: true,
            place: Place::of_application(ApplicationId(7)).number(),
            applications: vec![customers::Application {
                number: 7,
                name: "shop/mobile".to_owned(),
                is_live: true,
                subscriptions: vec![customers::Subscription {
                    id: vec![1; 16].into(),
                    product: "shop/pets".to_owned(),
                    plan: "shop/free".to_owned(),
                    is_granted,
                    begins_at,
                    ends_at,
                    ..customers::Subscription::default()
                }],
                ..customers::Application::default()
            }],
            ..customers::Bucket::default()
        };
        for ((is_granted, begins_at, ends_at), good_at) in [
            ((true, 0, 0), [true, true, true]),
            ((false, 0, 0), [false, false, false]),
            ((false, 20, 0), [false, true, true]),
            ((true, 0, 30), [true, true, false]),
        ] {
            let mut table = Table::default();
            let message =
                CustomersResponse { buckets: vec![told(is_granted, begins_at, ends_at)], ..begun(5) };
            let customers = table.take(&message).expect("sound").expect("complete");
            let application = customers.application(ApplicationId(7)).expect("it is there");
            let usable = |now| application.subscriptions[0].usable(|| now).is_ok();
            assert_eq!([19, 20, 30].map(usable), good_at, "{is_granted} {begins_at} {ends_at}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_whole_and_what_is_newer_than_we_are_denies() {
        let mut table = Table::default();
        let going_on = CustomersResponse { buckets: vec![bucket(1, 1)], ..CustomersResponse::default() };
        assert!(table.take(&going_on).is_err());
        table.take(&begun(5)).expect("sound");

        let mut nowhere = going_on.clone();
        nowhere.buckets[0].place = 1 << 20;
        assert!(table.take(&nowhere).is_err());
        let newer = CustomersResponse { buckets: vec![bucket(1, 99)], ..CustomersResponse::default() };
        let customers = table.take(&newer).expect("sound").expect("another table");
        assert!(customers.credential(&print(1)).expect("there").usable(0).is_err());
    }
}
