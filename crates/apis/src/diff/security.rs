//! What callers have to show.

use super::{Class, Report};
use crate::operation::{Requirement, Security};

/// Compares the demands: each alternative that was enough must be enough still.
pub fn compare(old: &Security, new: &Security, report: &mut Report) {
    report.within("security", |report| {
        if old.is_open() && !new.is_open() {
            report.add(Class::Breaking, "credentials-asked", "asks for credentials now");
            return;
        }
        if !old.is_open() && new.is_open() {
            report.add(Class::Compatible, "credentials-not-asked", "asks for no credentials any more");
            return;
        }
        let enough = |was: &[Requirement]| new.alternatives.iter().any(|now| covers(was, now));
        for was in old.alternatives.iter().filter(|was| !enough(was)) {
            let what = format!("{} is not enough any more", names(was));
            report.add(Class::Breaking, "credentials-changed", what);
        }
        let known = |now: &[Requirement]| old.alternatives.iter().any(|was| same(was, now));
        for now in new.alternatives.iter().filter(|now| !known(now)) {
            report.add(Class::Compatible, "credentials-added", format!("{} is enough now", names(now)));
        }
    });
}

/// Whether whoever shows what was enough shows what is asked for now.
fn covers(was: &[Requirement], now: &[Requirement]) -> bool {
    now.iter().all(|asked| {
        was.iter().any(|shown| {
            shown.scheme == asked.scheme && asked.scopes.iter().all(|scope| shown.scopes.contains(scope))
        })
    })
}

fn same(was: &[Requirement], now: &[Requirement]) -> bool {
    covers(was, now) && covers(now, was)
}

fn names(all: &[Requirement]) -> String {
    if all.is_empty() {
        return "nothing".to_owned();
    }
    let one = |one: &Requirement| {
        let scopes =
            if one.scopes.is_empty() { String::new() } else { format!(" ({})", one.scopes.join(", ")) };
        format!("`{}`{scopes}", one.name)
    };
    all.iter().map(one).collect::<Vec<_>>().join(" with ")
}
