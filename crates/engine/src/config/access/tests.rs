use std::time::Duration;

use commerce::rate::Rate;
use model::kinds::plan::{PlanQuota, QuotaLimit, QuotaPeriod, WhenUnknown};
use proptest::prelude::*;

use super::*;
use crate::config::SaidBy;

const WRITTEN: [QuotaPeriod; 6] = [
    QuotaPeriod::Minute,
    QuotaPeriod::Hour,
    QuotaPeriod::Day,
    QuotaPeriod::Week,
    QuotaPeriod::Month,
    QuotaPeriod::Year,
];

/// So many requests in a second, perhaps.
type Speed = Option<u32>;
/// So many requests in each part of the calendar, perhaps, and whether more are refused.
type Counts = [Option<(u64, bool)>; 6];

fn rate(requests: u32) -> RateLimit {
    let per = Duration::from_secs(1);
    RateLimit {
        account: 1,
        name: "rate".into(),
        said_by: SaidBy::Plan,
        policy: "shop/plan".into(),
        rate: Rate::new(requests, per, None).expect("a rate"),
        is_together: true,
        requests,
        per,
        by: Box::default(),
        when: Box::default(),
        announced: [].into(),
    }
}

fn plan(name: &str, speed: Speed, counts: &Counts) -> PlanTerms {
    let quotas = counts.iter().zip(WRITTEN).enumerate().filter_map(|(at, (count, per))| {
        let (requests, is_hard) = (*count)?;
        Some(PlanQuota {
            requests,
            per,
            // Two plans need not have their midnights at one place to be compared.
            time_zone: (name.len() + at).is_multiple_of(2).then(|| "Europe/Berlin".into()),
            limit: if is_hard { QuotaLimit::Hard } else { QuotaLimit::Soft },
            when_unknown: WhenUnknown::Closed,
        })
    });
    PlanTerms {
        name: name.into(),
        version: 1,
        is_offered: true,
        credentials: [CredentialKind::ApiKey].into(),
        rates: speed.map(rate).into_iter().collect(),
        quotas: Quota::all(&quotas.collect::<Vec<_>>()).expect("quotas"),
    }
}

/// Few numbers, so that plans often have one in common.
fn terms() -> impl Strategy<Value = (Speed, Counts)> {
    let count = || proptest::option::of((1..4_u64, any::<bool>()));
    (proptest::option::of(1..4_u32), [count(), count(), count(), count(), count(), count()])
}

/// The definition, in the words of whoever wrote the plans.
fn gives_more((speed, counts): &(Speed, Counts), (other_speed, other_counts): &(Speed, Counts)) -> bool {
    let most = |speed: &Speed| speed.map_or(u64::MAX, u64::from);
    let limit = |count: &Option<(u64, bool)>| match count {
        Some((requests, true)) => *requests,
        Some((_, false)) | None => u64::MAX,
    };
    let mut pairs = vec![(most(speed), most(other_speed))];
    pairs.extend(counts.iter().zip(other_counts).map(|(count, other)| (limit(count), limit(other))));
    let smaller = pairs.iter().any(|(mine, other)| mine < other);
    !smaller && pairs.iter().any(|(mine, other)| mine > other)
}

proptest! {
    #[test]
    fn a_plan_is_roomier_when_no_limit_of_its_sort_is_smaller_and_one_is_larger(
        one in terms(), two in terms(), three in terms(),
    ) {
        let [a, bb, c] = [("a", &one), ("bb", &two), ("c", &three)].map(|(name, (speed, counts))| plan(name, *speed, counts));

        prop_assert_eq!(a.is_roomier_than(&bb), gives_more(&one, &two));
        prop_assert!(!a.is_roomier_than(&a));
        prop_assert!(!(a.is_roomier_than(&bb) && bb.is_roomier_than(&a)));
        if a.is_roomier_than(&bb) && bb.is_roomier_than(&c) {
            prop_assert!(a.is_roomier_than(&c));
        }
    }
}

#[test]
fn who_reaches_a_quota_is_told_of_plans_of_the_same_rate_with_a_larger_one_that_can_be_had() {
    let month = |requests| {
        let mut counts = Counts::default();
        counts[4] = Some((requests, true));
        counts
    };
    let closed = PlanTerms { is_offered: false, ..plan("shop/closed", Some(3), &month(5000)) };
    let keyless = PlanTerms { credentials: Box::default(), ..plan("shop/keyless", None, &Counts::default()) };
    let plans = [
        closed,
        plan("shop/free", Some(3), &month(1000)),
        plan("shop/gold", Some(3), &month(5000)),
        keyless,
        plan("shop/slow", Some(2), &month(9000)),
        plan("shop/whole", None, &Counts::default()),
    ];
    let mut product = ProductTerms {
        name: "shop/pets".into(),
        is_offered: true,
        page: None,
        plans: plans.into_iter().map(Arc::new).collect(),
    };
    let told = |product: &ProductTerms, name: &str| {
        let plan = product.plan(name).expect("a plan");
        product.roomier_than(plan).map(|plan| plan.name.to_string()).collect::<Vec<_>>()
    };

    assert_eq!(told(&product, "shop/free"), ["shop/gold", "shop/whole"]);
    assert_eq!(told(&product, "shop/slow"), ["shop/whole"]);
    assert!(told(&product, "shop/whole").is_empty());
    product.is_offered = false;
    assert!(told(&product, "shop/free").is_empty());
}
