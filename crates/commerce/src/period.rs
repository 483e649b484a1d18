//! Calendar periods: what "10,000 a month" means on a given day, in a given place.
//!
//! Periods are half-open stretches between two moments and tile time: each moment belongs to exactly one, whatever
//! clocks are put forward or back. Days and longer begin at midnight of a time zone, so a day may have 23 or 25
//! hours. Hours and minutes are those of UTC: no clock change can then make one of them come twice.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// How long a quota lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// A minute of UTC.
    Minute,
    /// An hour of UTC.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday (ISO 8601).
    Week,
    /// From the first of a month to the next.
    Month,
    /// From the first of January to the next.
    Year,
}

/// A period in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    period: Period,
    zone: TimeZone,
}

/// One period: seconds since 1970 (UTC), the end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Its first second.
    pub start: i64,
    /// The first second of the next.
    pub end: i64,
}

/// A time zone that is not in the database that comes with the product.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time zone of the IANA database; names look like `Europe/Berlin`, `Asia/Shanghai` or `UTC`"
)]
pub struct UnknownZone(pub String);

/// The last day for which there is a period; later moments belong to that of this day.
const LAST_DAY: Date = Date::constant(9998, 12, 30);

impl Calendar {
    /// A period in a time zone of the IANA database.
    ///
    /// # Errors
    /// When there is no zone of that name. The database is the one the product was built with, so that every machine
    /// finds the same midnight.
    pub fn new(period: Period, zone: &str) -> Result<Calendar, UnknownZone> {
        let unknown = || UnknownZone(zone.to_owned());
        if zone.is_empty() {
            return Err(unknown());
        }
        Ok(Calendar { period, zone: TimeZone::get(zone).map_err(|_| unknown())? })
    }

    /// How long it lasts.
    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// The period to which a moment belongs, in seconds since 1970 (UTC). Moments before 1970 count as its beginning.
    #[must_use]
    pub fn window(&self, moment: i64) -> Window {
        match self.period {
            Period::Minute => evenly(moment.max(0), 60),
            Period::Hour => evenly(moment.max(0), 3600),
            Period::Day | Period::Week | Period::Month | Period::Year => self.of_days(moment.max(0)),
        }
    }

    fn of_days(&self, moment: i64) -> Window {
        let day = Timestamp::from_second(moment)
            .map_or(LAST_DAY, |moment| moment.to_zoned(self.zone.clone()).date().min(LAST_DAY));
        let first = first_day(self.period, day);
        Window { start: self.midnight(first), end: self.midnight(next_first_day(self.period, first)) }
    }

    /// When a day begins. Where its midnight was skipped, that is the first moment after it.
    fn midnight(&self, day: Date) -> i64 {
        let begins = self.zone.to_zoned(day.at(0, 0, 0, 0)).and_then(|begins| begins.start_of_day());
        begins.map_or(i64::MAX, |begins| begins.timestamp().as_second())
    }
}

fn evenly(moment: i64, seconds: i64) -> Window {
    let start = moment - moment.rem_euclid(seconds);
    Window { start, end: start.saturating_add(seconds) }
}

fn first_day(period: Period, day: Date) -> Date {
    match period {
        Period::Minute | Period::Hour | Period::Day => day,
        Period::Week => {
            let since_monday = i32::from(day.weekday().since(Weekday::Monday));
            day.saturating_sub(since_monday.days())
        }
        Period::Month => day.first_of_month(),
        Period::Year => day.first_of_year(),
    }
}

fn next_first_day(period: Period, first: Date) -> Date {
    first.saturating_add(match period {
        Period::Minute | Period::Hour | Period::Day => 1.day(),
        Period::Week => 1.week(),
        Period::Month => 1.month(),
        Period::Year => 1.year(),
    })
}
