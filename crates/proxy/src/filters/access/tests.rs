use std::rc::Rc;
use std::sync::Arc;

use engine::config::{PlanTerms, ProductTerms};
use engine::customers::{ApplicationId, Customers, Hold, Pepper, SubscriptionId, Term};
use proptest::prelude::*;

use super::*;

const APPLICATION: ApplicationId = ApplicationId(7);

fn plan(name: &str, credentials: &[Taken]) -> Arc<PlanTerms> {
    Arc::new(PlanTerms {
        name: name.into(),
        version: 1,
        is_offered: true,
        credentials: credentials.into(),
        rates: Box::default(),
        quotas: Box::default(),
    })
}

fn product(name: &str, plans: &[Arc<PlanTerms>]) -> Arc<ProductTerms> {
    Arc::new(ProductTerms { name: name.into(), is_offered: true, page: None, plans: plans.into() })
}

/// Two products that have the operation, each with a plan of its own.
fn access() -> Access {
    let by_key = [Taken::ApiKey];
    let products = vec![
        product("shop/pets", &[plan("shop/free", &by_key)]),
        product("shop/all", &[plan("shop/gold", &by_key), plan("shop/mesh", &[Taken::Spiffe])]),
    ];
    Access::new(products, Box::default())
}

fn subscription(number: u8, product: &str, plan: &str, access: Result<(), Refusal>) -> Subscription {
    Subscription {
        id: SubscriptionId([number; 16]),
        product: product.into(),
        plan: plan.into(),
        access,
        term: Term::ALWAYS,
        anchor: 3,
    }
}

fn calling(subscriptions: &[Subscription]) -> Principal<'static> {
    let application = Application {
        id: APPLICATION,
        name: "shop/mobile".into(),
        team: "shop".into(),
        live: true,
        subscriptions: subscriptions.into(),
    };
    let customers = Customers::of(Pepper::new(&[7; 32]), [], [application]);
    Principal::of_application(Rc::new(Arc::new(customers)), APPLICATION)
}

/// The number of the subscription that lets somebody in, or why none does.
fn judged(principal: &Principal<'_>, access: &Access) -> Result<Option<u8>, Failure> {
    let admitted = admit(principal, access, || 50).map_err(|(failure, _)| failure)?;
    Ok(admitted.subscriber.map(|subscriber| subscriber.subscription.0[0]))
}

#[test]
fn a_subscription_to_any_product_with_the_operation_is_enough() {
    let (held, idle) = (Err(Refusal::Held(Holds::NONE.with(Hold::Billing))), Err(Refusal::NotActive));
    let to_pets = |access| subscription(1, "shop/pets", "shop/free", access);
    let to_all = |access| subscription(2, "shop/all", "shop/gold", access);
    for (subscriptions, wanted) in [
        (vec![], Err(Failure::SubscriptionMissing)),
        (vec![subscription(1, "shop/other", "shop/free", Ok(()))], Err(Failure::SubscriptionMissing)),
        (vec![to_pets(Ok(()))], Ok(Some(1))),
        (vec![to_pets(held), to_all(Ok(()))], Ok(Some(2))),
        (vec![to_pets(held)], Err(Failure::SubscriptionHeld)),
        (vec![to_pets(idle)], Err(Failure::SubscriptionInactive)),
        (vec![subscription(1, "shop/pets", "shop/gone", Ok(()))], Err(Failure::PlanEnded)),
        (vec![subscription(1, "shop/pets", "shop/gold", Ok(()))], Err(Failure::PlanEnded)),
        (vec![subscription(1, "shop/all", "shop/mesh", Ok(()))], Err(Failure::PlanCredential)),
        (
            vec![Subscription { term: Term { begins: 51, ..Term::ALWAYS }, ..to_pets(Ok(())) }],
            Err(Failure::SubscriptionInactive),
        ),
        (
            vec![Subscription { term: Term { ends: 50, ..Term::ALWAYS }, ..to_pets(Ok(())) }],
            Err(Failure::SubscriptionInactive),
        ),
        (vec![Subscription { term: Term { begins: 50, ends: 51 }, ..to_pets(Ok(())) }], Ok(Some(1))),
    ] {
        assert_eq!(judged(&calling(&subscriptions), &access()), wanted, "{subscriptions:?}");
    }
}

#[test]
fn who_is_no_application_is_told_what_is_wrong_with_that() {
    let named = || Principal::named("spiffe://bank.example/ns/trade/sa/desk");
    for (principal, wanted) in [
        (Principal::default(), Failure::CredentialMissing),
        (named(), Failure::ApplicationMissing),
        (named().calling_for_nobody(Unknown::Credential), Failure::ApplicationMissing),
        (named().calling_for_nobody(Unknown::Suspended), Failure::ApplicationSuspended),
        (named().calling_for_nobody(Unknown::Customers), Failure::AuthenticationUnavailable),
    ] {
        assert_eq!(judged(&principal, &access()), Err(wanted), "{principal:?}");
    }
}

#[test]
fn a_plan_without_credentials_lets_everybody_in_unless_another_one_asks_for_them() {
    let open = product("shop/pets", &[plan("shop/open", &[])]);
    let asking = product("shop/all", &[plan("shop/gold", &[Taken::ApiKey])]);

    assert_eq!(judged(&Principal::default(), &Access::new(vec![open.clone()], Box::default())), Ok(None));
    let both = Access::new(vec![open, asking], Box::default());
    assert_eq!(judged(&Principal::default(), &both), Err(Failure::CredentialMissing));
    assert_eq!(
        judged(&Principal::default(), &Access::new(vec![], Box::default())),
        Err(Failure::CredentialMissing)
    );
}

proptest! {
    /// Holds commute: whatever is put and lifted in whatever order, access comes back when the last one is gone.
    #[test]
    fn access_comes_back_when_nobody_holds_the_subscription_and_not_before(
        steps in proptest::collection::vec((0..4_usize, any::<bool>()), 0..24),
    ) {
        let all = [Hold::Provider, Hold::Consumer, Hold::Billing, Hold::Security];
        let mut holds = Holds::NONE;
        let mut sides = [false; 4];
        for (side, puts) in steps {
            holds = if puts { holds.with(all[side]) } else { holds.without(all[side]) };
            sides[side] = puts;
            let may = if holds.is_empty() { Ok(()) } else { Err(Refusal::Held(holds)) };
            let principal = calling(&[subscription(1, "shop/pets", "shop/free", may)]);
            let wanted = if sides.contains(&true) { Err(Failure::SubscriptionHeld) } else { Ok(Some(1)) };
            prop_assert_eq!(judged(&principal, &access()), wanted);
        }
    }

    /// S1: of all that an application ever subscribed to, the one that may be used is counted, wherever it lies.
    #[test]
    fn the_subscription_that_may_be_used_is_counted_wherever_it_lies(
        before in 0..5_u8, after in 0..5_u8, is_live in any::<bool>(),
    ) {
        let over = |number| subscription(number, "shop/pets", "shop/free", Err(Refusal::NotActive));
        let mut subscriptions: Vec<Subscription> = (0..before).map(|at| over(10 + at)).collect();
        if is_live {
            subscriptions.push(subscription(1, "shop/pets", "shop/free", Ok(())));
        }
        subscriptions.extend((0..after).map(|at| over(20 + at)));
        let wanted = match (is_live, subscriptions.is_empty()) {
            (true, _) => Ok(Some(1)),
            (false, true) => Err(Failure::SubscriptionMissing),
            (false, false) => Err(Failure::SubscriptionInactive),
        };
        prop_assert_eq!(judged(&calling(&subscriptions), &access()), wanted);
    }
}
