use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn pepper() -> Pepper {
    Pepper::new(&[7; 32])
}

fn key(number: u64) -> Fingerprint {
    pepper().api_key(format!("key {number}").as_bytes())
}

fn good(application: u64) -> Credential {
    Credential {
        application: ApplicationId(application),
        kind: CredentialKind::ApiKey,
        state: CredentialState::Active,
        expires: None,
    }
}

fn application(id: u64) -> Application {
    Application {
        id: ApplicationId(id),
        name: format!("shop/app-{id}").into(),
        team: "shop".into(),
        live: true,
        subscriptions: Box::new([]),
    }
}

fn subscription(number: u8, access: Result<(), Refusal>) -> Subscription {
    let (product, plan) = ("weather/weather".into(), "weather/free".into());
    Subscription { id: SubscriptionId([number; 16]), product, plan, access, term: Term::ALWAYS, anchor: 0 }
}

#[test]
fn whoever_shows_a_credential_is_found_with_its_application() {
    let customers = Customers::of(pepper(), [(key(1), good(5)), (key(2), good(6))], [5, 6].map(application));

    let found = customers.credential(&key(2)).expect("it is there");

    assert_eq!(&*customers.application(found.application).expect("it is there").name, "shop/app-6");
    assert_eq!(customers.credential(&key(3)), None);
    assert_eq!(customers.application(ApplicationId(7)), None);
}

#[test]
fn not_knowing_anybody_is_not_the_same_as_there_being_nobody() {
    assert!(!Customers::unknown().are_known());
    assert!(Customers::none(pepper()).are_known());
    assert_eq!(Customers::unknown().credential(&key(1)), None);
}

#[test]
fn a_changed_bucket_replaces_what_was_there_and_nothing_else() {
    let before = Customers::of(pepper(), (0..500).map(|number| (key(number), good(number))), []);
    let place = Place::of_fingerprint(&key(9));

    let after = before.with([Bucket::Credentials(place, Vec::new())]);

    for number in 0..500 {
        let stays = Place::of_fingerprint(&key(number)) != place;
        assert_eq!(after.credential(&key(number)).is_some(), stays);
        assert!(before.credential(&key(number)).is_some());
    }
    let shared =
        before.credentials.iter().zip(&after.credentials).filter(|(one, other)| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        });
    assert_eq!(shared.count(), PLACES - 1);
}

#[test]
fn a_credential_is_good_until_it_is_revoked_or_its_time_is_over() {
    let ends = Credential { expires: Some(100), state: CredentialState::Rotating, ..good(1) };

    assert_eq!(good(1).usable(u64::MAX), Ok(()));
    assert_eq!(ends.usable(99), Ok(()));
    assert_eq!(ends.usable(100), Err(Unusable::Expired));
    for (state, why) in
        [(CredentialState::Revoked, Unusable::Revoked), (CredentialState::Compromised, Unusable::Compromised)]
    {
        assert_eq!(Credential { state, ..ends }.usable(0), Err(why));
    }
}

#[test]
fn an_end_is_kept_to_the_second_and_one_beyond_all_calendars_is_none() {
    for (written, kept) in [(None, None), (Some(1), Some(1)), (Some(1 << 40), None)] {
        let one = Credential { expires: written, ..good(1) };
        let customers = Customers::of(pepper(), [(key(1), one)], []);

        assert_eq!(customers.credential(&key(1)).expect("it is there").expires, kept);
    }
}

#[test]
fn an_old_subscription_does_not_hide_the_live_one() {
    let over = subscription(1, Err(Refusal::NotActive));
    let live = subscription(2, Ok(()));
    let mut one = application(1);
    one.subscriptions = Box::new([over.clone(), live.clone()]);

    let found = |one: &Application, product: &str, now: u64| one.subscription(product, || now).cloned();
    assert_eq!(found(&one, "weather/weather", 0), Some(live.clone()));
    assert_eq!(found(&one, "weather/other", 0), None);
    one.subscriptions = Box::new([over.clone()]);
    assert_eq!(found(&one, "weather/weather", 0), Some(over));
    // One that has just ended, and the one behind it.
    let ended = Subscription { term: Term { ends: 100, ..Term::ALWAYS }, ..live.clone() };
    let next = Subscription { term: Term { begins: 100, ..Term::ALWAYS }, ..subscription(3, Ok(())) };
    one.subscriptions = Box::new([ended.clone(), next.clone()]);
    assert_eq!(found(&one, "weather/weather", 99), Some(ended));
    assert_eq!(found(&one, "weather/weather", 100), Some(next));
}

proptest! {
    /// A subscription is good from its first second to the one before its end, and nothing that is said of it beside
    /// makes it good at any other.
    #[test]
    fn a_subscription_is_good_within_its_time_and_at_no_other(
        (begins, ends, now) in (0_u64..100, 0_u64..100, 0_u64..100), may in any::<bool>(),
    ) {
        let access = if may { Ok(()) } else { Err(Refusal::NotActive) };
        let one = Subscription { term: Term { begins, ends }, ..subscription(1, access) };
        prop_assert_eq!(one.usable(|| now).is_ok(), may && begins <= now && now < ends);
    }
}

#[test]
fn looking_somebody_up_allocates_nothing() {
    let customers = Customers::of(pepper(), [(key(1), good(5))], [application(5)]);

    let counted = allocation_counter::measure(|| {
        let print = customers.prints().expect("known").api_key(b"key 1");
        let found = customers.credential(&print).expect("it is there");
        assert!(customers.application(found.application).is_some());
    });

    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_packed_credential_takes_thirty_two_bytes_with_its_fingerprint_and_its_absence() {
    assert_eq!(size_of::<Option<CredentialRow>>(), 32);
}

proptest! {
    #[test]
    fn the_table_answers_as_a_plain_map_would(numbers in proptest::collection::hash_set(0_u64..300, 0..200)) {
        let plain: HashMap<Fingerprint, Credential> =
            numbers.iter().map(|number| (key(*number), good(*number))).collect();
        let customers = Customers::of(
            pepper(),
            plain.iter().map(|(print, credential)| (*print, *credential)),
            numbers.iter().map(|number| application(*number)),
        );

        for number in 0..300 {
            prop_assert_eq!(customers.credential(&key(number)), plain.get(&key(number)).copied());
            let known = customers.application(ApplicationId(number)).is_some();
            prop_assert_eq!(known, numbers.contains(&number));
        }
        prop_assert_eq!(customers.credentials_count(), numbers.len());
    }
}

/// A million credentials of a quarter of a million applications, each with a subscription.
#[test]
#[ignore = "takes half a minute without optimisation: cargo test --profile fast -- --ignored"]
fn a_million_credentials_fit_into_128_mib() {
    let names: (Arc<str>, Arc<str>, Arc<str>) =
        ("team".into(), "weather/weather".into(), "weather/free".into());
    let mut kept = None;

    let counted = allocation_counter::measure(|| {
        let applications = (0..250_000).map(|id| Application {
            team: Arc::clone(&names.0),
            subscriptions: Box::new([Subscription {
                product: Arc::clone(&names.1),
                plan: Arc::clone(&names.2),
                ..subscription(1, Ok(()))
            }]),
            ..application(id)
        });
        let credentials = (0..1_000_000).map(|number| (key(number), good(number / 4)));
        kept = Some(Customers::of(pepper(), credentials, applications));
    });

    let customers = kept.expect("made above");
    let mib = counted.bytes_current / (1 << 20);
    println!("1,000,000 credentials, 250,000 applications: {mib} MiB");
    assert!(mib <= 128, "{mib} MiB");
    assert_eq!(customers.credential(&key(999_999)), Some(good(249_999)));
}
