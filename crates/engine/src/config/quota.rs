//! How often a subscription may ask in a part of the calendar, as the data path and the coordinator both need it.
//!
//! Both make it from the same Plan with the same function, so that they agree about names and midnights.

use std::sync::Arc;

use commerce::period::{Calendar, Period};
use commerce::quota::WhenUnknown;
use model::kinds::plan::{self, PlanQuota, QuotaLimit, QuotaPeriod};

/// A quota of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What tells it from the other quotas of its plan, and what it is counted under, whatever plan a subscription
    /// moves to: `month`, or `month-Europe/Berlin`.
    pub name: Arc<str>,
    /// Requests in each period. Zero where the quota cannot be read: what is not understood admits nobody.
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
    #[must_use]
    pub fn all(written: &[PlanQuota]) -> Box<[Quota]> {
        let mut quotas: Vec<Quota> = written.iter().map(Quota::of).collect();
        quotas.sort_by(|left, right| (&left.name, left.requests).cmp(&(&right.name, right.requests)));
        quotas.dedup_by(|later, kept| later.name == kept.name);
        quotas.into()
    }

    fn of(written: &PlanQuota) -> Quota {
        let period = period(written.per);
        let zone = written.time_zone.as_deref().unwrap_or(UTC);
        let name: Arc<str> = match zone {
            UTC => word(period).into(),
            zone => format!("{}-{zone}", word(period)).into(),
        };
        let (calendar, requests) = match Calendar::new(period, zone) {
            Ok(calendar) => (calendar, written.requests),
            Err(_unknown) => (Calendar::of_utc(period), 0),
        };
        let announced = announced(&name, requests, period).into_bytes().into();
        Quota {
            name,
            requests,
            calendar,
            is_hard: match written.limit {
                QuotaLimit::Hard => true,
                QuotaLimit::Soft => requests == 0,
            },
            when_unknown: match written.when_unknown {
                _ if requests == 0 => WhenUnknown::Closed,
                plan::WhenUnknown::Closed => WhenUnknown::Closed,
                plan::WhenUnknown::OpenCapped => WhenUnknown::OpenCapped,
                plan::WhenUnknown::Open => WhenUnknown::Open,
            },
            announced,
        }
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

/// What people call it.
#[must_use]
pub fn word(period: Period) -> &'static str {
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
        ]);

        let found: Vec<(&str, u64)> = quotas.iter().map(|quota| (&*quota.name, quota.requests)).collect();
        assert_eq!(found, [("day-Europe/Berlin", 10), ("month", 800)]);
        assert_eq!(&*quotas[0].announced, br#""day-Europe/Berlin";q=10;w=86400"#);
        assert_eq!(&*quotas[1].announced, br#""month";q=800"#);
    }

    #[test]
    fn a_quota_in_a_place_that_does_not_exist_admits_nobody() {
        let quotas = Quota::all(&[written(900, QuotaPeriod::Month, Some("Europe/Atlantis"))]);

        let quota = &quotas[0];
        assert_eq!((quota.requests, quota.is_hard, quota.when_unknown), (0, true, WhenUnknown::Closed));
    }
}
