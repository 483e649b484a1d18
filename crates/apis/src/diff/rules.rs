//! Rules of one value against rules of the same value.

use serde_json::Value;

use super::view::{View, is_stricter};
use super::{Class, Report};
use crate::check::{Direction, equal};
use crate::numbers;
use crate::schema::{Bound, Schema, Type};

/// Compares everything that is not inside of the value.
pub fn compare(was: &View<'_>, now: &View<'_>, direction: Direction, report: &mut Report) {
    types(was, now, direction, report);
    choices(was, now, direction, report);
    bounds(was.minimum(), now.minimum(), true, direction, report);
    bounds(was.maximum(), now.maximum(), false, direction, report);
    steps(was, now, direction, report);
    sizes(was, now, direction, report);
    words(was, now, direction, report);
    match (was.is_unique(), now.is_unique()) {
        (false, true) => report.narrower(direction, "unique", "takes no element twice any more"),
        (true, false) => report.wider(direction, "unique", "takes an element twice now"),
        (false, false) | (true, true) => {}
    }
}

fn types(was: &View<'_>, now: &View<'_>, direction: Direction, report: &mut Report) {
    let gone: Vec<&str> = Type::ALL
        .into_iter()
        .filter(|kind| was.types.allows(*kind) && !now.types.allows(*kind))
        .map(Type::word)
        .collect();
    let come: Vec<&str> = Type::ALL
        .into_iter()
        .filter(|kind| !was.types.allows(*kind) && now.types.allows(*kind))
        .map(Type::word)
        .collect();
    if !gone.is_empty() {
        report.narrower(direction, "type-removed", format!("is not {} any more", gone.join(" or ")));
    }
    if !come.is_empty() {
        report.wider(direction, "type-added", format!("may be {} now", come.join(" or ")));
    }
}

fn choices(was: &View<'_>, now: &View<'_>, direction: Direction, report: &mut Report) {
    let names = |values: &[&&Value]| {
        values
            .iter()
            .take(8)
            .map(|value| crate::problem::quoted(&value.to_string()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (was.choices(), now.choices()) {
        (None, None) => {}
        (None, Some(_)) => report.narrower(direction, "choices-added", "takes only some values now"),
        (Some(_), None) => {
            report.wider(direction, "choices-removed", "takes values besides those listed now")
        }
        (Some(before), Some(after)) => {
            let missing =
                |value: &&&Value, others: &[&Value]| !others.iter().any(|other| equal(other, value));
            let gone: Vec<&&Value> = before.iter().filter(|value| missing(value, &after)).collect();
            let come: Vec<&&Value> = after.iter().filter(|value| missing(value, &before)).collect();
            if !gone.is_empty() {
                report.narrower(direction, "choice-removed", format!("is not {} any more", names(&gone)));
            }
            if !come.is_empty() {
                report.wider(direction, "choice-added", format!("may be {} now", names(&come)));
            }
        }
    }
}

fn bounds(was: Option<&Bound>, now: Option<&Bound>, lower: bool, direction: Direction, report: &mut Report) {
    let rule = if lower { "minimum" } else { "maximum" };
    let told = |bound: &Bound| {
        format!("{}{}", bound.number, if bound.exclusive { " (itself excluded)" } else { "" })
    };
    match (was, now) {
        (None, None) => {}
        (None, Some(now)) => report.narrower(direction, rule, format!("has the {rule} {} now", told(now))),
        (Some(was), None) => {
            report.wider(direction, rule, format!("has not the {rule} {} any more", told(was)))
        }
        (Some(was), Some(now)) if was == now => {}
        (Some(was), Some(now)) => {
            let what = format!("had the {rule} {} and has {} now", told(was), told(now));
            if is_stricter(now, was, lower) {
                report.narrower(direction, rule, what);
            } else if is_stricter(was, now, lower) {
                report.wider(direction, rule, what);
            }
        }
    }
}

fn steps(was: &View<'_>, now: &View<'_>, direction: Direction, report: &mut Report) {
    let (before, after) = (was.steps(), now.steps());
    // Whoever is on all of one grid is on all of the other.
    let implies = |left: &[&serde_json::Number], right: &[&serde_json::Number]| {
        right.iter().all(|coarse| left.iter().any(|fine| numbers::is_multiple(fine, coarse)))
    };
    match (implies(&before, &after), implies(&after, &before)) {
        (true, true) => {}
        (false, true) => report.narrower(direction, "multiple", "takes fewer multiples now"),
        (true, false) => report.wider(direction, "multiple", "takes more multiples now"),
        (false, false) => report.add(Class::Breaking, "multiple", "takes other multiples now"),
    }
}

type Size = fn(&Schema) -> Option<u64>;

fn sizes(was: &View<'_>, now: &View<'_>, direction: Direction, report: &mut Report) {
    let least: [(&'static str, Size); 3] = [
        ("minLength", |part| part.text.as_ref()?.length_min),
        ("minItems", |part| part.list.as_ref()?.size_min),
        ("minProperties", |part| part.object.as_ref()?.size_min),
    ];
    let most: [(&'static str, Size); 3] = [
        ("maxLength", |part| part.text.as_ref()?.length_max),
        ("maxItems", |part| part.list.as_ref()?.size_max),
        ("maxProperties", |part| part.object.as_ref()?.size_max),
    ];
    let told = |size: u64| if size == u64::MAX { "none".to_owned() } else { size.to_string() };
    for (rule, of) in least {
        let (before, after) = (was.least(of).unwrap_or(0), now.least(of).unwrap_or(0));
        let what = format!("had the `{rule}` {before} and has {after} now");
        match before.cmp(&after) {
            std::cmp::Ordering::Less => report.narrower(direction, rule, what),
            std::cmp::Ordering::Greater => report.wider(direction, rule, what),
            std::cmp::Ordering::Equal => {}
        }
    }
    for (rule, of) in most {
        let (before, after) = (was.most(of).unwrap_or(u64::MAX), now.most(of).unwrap_or(u64::MAX));
        let what = format!("had the `{rule}` {} and has {} now", told(before), told(after));
        match before.cmp(&after) {
            std::cmp::Ordering::Greater => report.narrower(direction, rule, what),
            std::cmp::Ordering::Less => report.wider(direction, rule, what),
            std::cmp::Ordering::Equal => {}
        }
    }
}

/// Patterns and formats: that one came or went can be judged, that one became another cannot.
fn words(was: &View<'_>, now: &View<'_>, direction: Direction, report: &mut Report) {
    let pattern = |view: &View<'_>| -> Vec<String> {
        let all = view.words(|part| part.text.as_ref()?.pattern.as_ref().map(|pattern| pattern.as_str()));
        all.into_iter().map(str::to_owned).collect()
    };
    let format = |view: &View<'_>| -> Vec<String> {
        let all = view.words(|part| part.text.as_ref()?.format.as_deref());
        all.into_iter().map(str::to_owned).collect()
    };
    let number = |view: &View<'_>| -> Vec<String> {
        let all = view.words(|part| part.number.as_ref()?.format.as_deref());
        all.into_iter().map(str::to_owned).collect()
    };
    one_word("pattern", &pattern(was), &pattern(now), direction, report);
    one_word("format", &format(was), &format(now), direction, report);
    match (&number(was)[..], &number(now)[..]) {
        // Every one of the smaller is one of the larger.
        ([old], [new]) if (old == "int32" && new == "int64") || (old == "float" && new == "double") => {
            report.wider(direction, "format", format!("had the format `{old}` and has `{new}` now"));
        }
        ([old], [new]) if (old == "int64" && new == "int32") || (old == "double" && new == "float") => {
            report.narrower(direction, "format", format!("had the format `{old}` and has `{new}` now"));
        }
        (old, new) => one_word("format", old, new, direction, report),
    }
}

fn one_word(rule: &'static str, was: &[String], now: &[String], direction: Direction, report: &mut Report) {
    if was == now {
        return;
    }
    let told = |words: &[String]| crate::problem::quoted(&words.join(" and "));
    if was.iter().all(|word| now.contains(word)) {
        report.narrower(direction, rule, format!("has the {rule} {} now", told(now)));
    } else if now.iter().all(|word| was.contains(word)) {
        report.wider(direction, rule, format!("has not the {rule} {} any more", told(was)));
    } else {
        let what = format!("had the {rule} {} and has {} now", told(was), told(now));
        report.add(Class::Unknown, rule, what);
    }
}
