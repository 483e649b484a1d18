//! Promises about calendar periods.

use commerce::period::{Calendar, Period, UnknownZone, Window};
use proptest::prelude::*;

const PERIODS: [Period; 6] =
    [Period::Minute, Period::Hour, Period::Day, Period::Week, Period::Month, Period::Year];
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Shanghai",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
];

fn seconds(moment: &str) -> i64 {
    moment.parse::<jiff::Timestamp>().unwrap().as_second()
}

fn window(period: Period, zone: &str, moment: &str) -> Window {
    Calendar::new(period, zone).unwrap().window(seconds(moment))
}

fn between(start: &str, end: &str) -> Window {
    Window { start: seconds(start), end: seconds(end) }
}

#[test]
fn a_month_begins_at_midnight_of_its_place() {
    let found = window(Period::Month, "Europe/Berlin", "2026-11-23T12:00:00Z");
    assert_eq!(found, between("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"));
}

#[test]
fn a_moment_at_the_border_belongs_to_the_period_that_begins() {
    let found = window(Period::Day, "UTC", "2026-11-23T00:00:00Z");
    assert_eq!(found, between("2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"));
}

#[test]
fn the_day_on_which_clocks_go_forward_has_23_hours_and_the_other_25() {
    let spring = window(Period::Day, "Europe/Berlin", "2026-03-29T12:00:00Z");
    assert_eq!(spring.end - spring.start, 23 * 3600);
    let autumn = window(Period::Day, "Europe/Berlin", "2026-10-25T12:00:00Z");
    assert_eq!(autumn.end - autumn.start, 25 * 3600);
}

#[test]
fn a_day_that_began_without_a_midnight_begins_after_the_gap() {
    // Clocks in São Paulo went from 00:00 to 01:00 on that day.
    let found = window(Period::Day, "America/Sao_Paulo", "2018-11-04T12:00:00Z");
    assert_eq!(found, between("2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"));
}

#[test]
fn a_week_begins_on_monday() {
    let found = window(Period::Week, "UTC", "2026-11-22T23:59:59Z");
    assert_eq!(found, between("2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"));
}

#[test]
fn a_leap_year_has_a_day_more() {
    let found = window(Period::Year, "UTC", "2028-02-29T12:00:00Z");
    assert_eq!(found, between("2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z"));
}

#[test]
fn a_zone_that_does_not_exist_is_named_in_the_refusal() {
    for zone in ["Europe/Atlantis", "", "../etc/passwd", "+02:00"] {
        assert_eq!(Calendar::new(Period::Day, zone).unwrap_err(), UnknownZone(zone.to_owned()));
    }
}

#[test]
fn moments_at_the_ends_of_time_have_a_period_too() {
    for (period, zone) in PERIODS.into_iter().flat_map(|period| ZONES.map(|zone| (period, zone))) {
        let calendar = Calendar::new(period, zone).unwrap();
        for moment in [i64::MIN, -1, 0, i64::MAX] {
            let found = calendar.window(moment);
            assert!(found.start < found.end, "{period:?} {zone} {moment}: {found:?}");
        }
    }
}

proptest! {
    /// Each moment lies in its window, and the next window begins where it ends.
    #[test]
    fn periods_tile_time(
        moment in 0_i64..7_000_000_000, period in prop::sample::select(&PERIODS[..]), zone in prop::sample::select(&ZONES[..]),
    ) {
        let calendar = Calendar::new(period, zone).unwrap();
        let found = calendar.window(moment);
        prop_assert!(found.start <= moment && moment < found.end);
        prop_assert_eq!(calendar.window(found.end).start, found.end);
        prop_assert_eq!(calendar.window(found.start), found);
        prop_assert_eq!(calendar.window(found.end - 1), found);
    }
}
