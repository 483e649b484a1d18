//! How often a subscription may ask in a part of the calendar, as the data path and the coordinator both need it.
//!
//! Both make it from the same Plan with the same function, so that they agree about names and midnights.

use std::sync::Arc;

use commerce::period::{Calendar, Period, UnknownZone};
use commerce::quota::WhenUnknown;
use model::kinds::plan::{self, PlanQuota, QuotaLimit, QuotaPeriod};

/// A quota of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What tells it from the other quotas of its plan, and what it is counted under, whatever plan a subscription
    /// moves to: `month`, or `month-Europe/Berlin`.
    pub name: Arc<str>,
    /// Requests in each period.
    pub requests: u64,
    /// When periods begin and end.
    pub calendar: Calendar,
    /// Whether requests past it are refused; otherwise they are carried and counted.
    pub is_hard: bool,
    /// What becomes of requests while nobody can tell how many there were.
    pub when_unknown: WhenUnknown,
    /// Its item of a `RateLimit-Policy` field (draft-ietf-httpapi-ratelimit-headers).
    pub announced: Arc<[u8]>,
}

impl Quota {
    /// The quotas of a plan. Of several for one period in one place the smallest holds.
    ///
    /// # Errors
    /// Which of them cannot be kept, and why.
    pub fn all(written: &[PlanQuota]) -> Result<Box<[Quota]>, String> {
        let read = (0..).zip(written).map(|(at, quota)| Quota::of(quota).map_err(|why| (at, why)));
        let read = read.collect::<Result<Vec<Quota>, (u64, UnknownZone)>>();
        let mut quotas = read.map_err(|(at, why)| format!("quotas[{at}]: {why}"))?;
        quotas.sort_by(|left, right| (&left.name, left.requests).cmp(&(&right.name, right.requests)));
        quotas.dedup_by(|later, kept| later.name == kept.name);
        Ok(quotas.into())
    }

    fn of(written: &PlanQuota) -> Result<Quota, UnknownZone> {
        let period = period(written.per);
        let zone = written.time_zone.as_deref().unwrap_or(UTC);
        let name: Arc<str> = match zone {
            UTC => word(period).into(),
            zone => format!("{}-{zone}", word(period)).into(),
        };
        let announced = announced(&name, written.requests, period).into_bytes().into();
        Ok(Quota {
            name,
            requests: written.requests,
            calendar: Calendar::new(period, zone)?,
            is_hard: match written.limit {
                QuotaLimit::Hard => true,
                QuotaLimit::Soft => false,
            },
            when_unknown: match written.when_unknown {
                plan::WhenUnknown::Closed => WhenUnknown::Closed,
                plan::WhenUnknown::OpenCapped => WhenUnknown::OpenCapped,
                plan::WhenUnknown::Open => WhenUnknown::Open,
            },
            announced,
        })
    }
}

const UTC: &str = "UTC";

/// Months and years are not all of one length, so nothing is said of theirs.
fn announced(name: &str, requests: u64, period: Period) -> String {
    let seconds = match period {
        Period::Minute => 60,
        Period::Hour => 3_600,
        Period::Day => 86_400,
        Period::Week => 604_800,
        Period::Month | Period::Year => return format!("\"{name}\";q={requests}"),
    };
    format!("\"{name}\";q={requests};w={seconds}")
}

fn period(written: QuotaPeriod) -> Period {
    match written {
        QuotaPeriod::Minute => Period::Minute,
        QuotaPeriod::Hour => Period::Hour,
        QuotaPeriod::Day => Period::Day,
        QuotaPeriod::Week => Period::Week,
        QuotaPeriod::Month => Period::Month,
        QuotaPeriod::Year => Period::Year,
    }
}

fn word(period: Period) -> &'static str {
    match period {
        Period::Minute => "minute",
        Period::Hour => "hour",
        Period::Day => "day",
        Period::Week => "week",
        Period::Month => "month",
        Period::Year => "year",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(requests: u64, per: QuotaPeriod, zone: Option<&str>) -> PlanQuota {
        PlanQuota {
            requests,
            per,
            time_zone: zone.map(Into::into),
            limit: QuotaLimit::Soft,
            when_unknown: plan::WhenUnknown::Open,
        }
    }

    #[test]
    fn a_quota_is_named_by_its_period_and_place_and_the_smallest_of_a_name_holds() {
        let quotas = Quota::all(&[
            written(900, QuotaPeriod::Month, None),
            written(800, QuotaPeriod::Month, Some("UTC")),
            written(10, QuotaPeriod::Day, Some("Europe/Berlin")),
        ])
        .expect("quotas");

        let found: Vec<(&str, u64)> = quotas.iter().map(|quota| (&*quota.name, quota.requests)).collect();
        assert_eq!(found, [("day-Europe/Berlin", 10), ("month", 800)]);
        assert_eq!(&*quotas[0].announced, br#""day-Europe/Berlin";q=10;w=86400"#);
        assert_eq!(&*quotas[1].announced, br#""month";q=800"#);
    }

    #[test]
    fn a_place_that_does_not_exist_is_named() {
        let good = written(900, QuotaPeriod::Month, None);
        let bad = written(900, QuotaPeriod::Month, Some("Europe/Atlantis"));

        let why = Quota::all(&[good, bad]).expect_err("there is no such place");

        assert!(why.starts_with("quotas[1]: `Europe/Atlantis` is no time zone"), "{why}");
    }
}
