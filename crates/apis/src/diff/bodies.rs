//! Bodies of requests and answers with their heads.

use super::schemas::Pairs;
use super::{Class, Report};
use crate::check::Direction;
use crate::operation::{Media, Operation, Response, Statuses};

/// Compares what requests carry.
pub fn request(old: &Operation, new: &Operation, pairs: &mut Pairs<'_>, report: &mut Report) {
    report.within("request body", |report| match (&old.body, &new.body) {
        (None, None) => {}
        (Some(_), None) => report.add(Class::Breaking, "body-removed", "was removed"),
        (None, Some(now)) if now.required => {
            report.add(Class::Breaking, "body-added", "was added and must be sent");
        }
        (None, Some(_)) => report.add(Class::Compatible, "body-added", "was added and may be left out"),
        (Some(was), Some(now)) => {
            match (was.required, now.required) {
                (false, true) => report.add(Class::Breaking, "body-required", "must be sent now"),
                (true, false) => report.add(Class::Compatible, "body-optional", "may be left out now"),
                (false, false) | (true, true) => {}
            }
            content(&was.content, &now.content, Direction::Request, pairs, report);
        }
    });
}

/// Compares what is answered.
pub fn answers(old: &Operation, new: &Operation, pairs: &mut Pairs<'_>, report: &mut Report) {
    for was in &old.responses {
        let now = new.responses.iter().find(|response| response.statuses == was.statuses);
        report.within(&format!("answer {}", was.statuses), |report| match now {
            Some(now) => answer(was, now, pairs, report),
            None if is_failure(was.statuses) => {
                report.add(Class::Compatible, "answer-removed", "is not described any more");
            }
            None => report.add(Class::Breaking, "answer-removed", "was removed"),
        });
    }
    for now in &new.responses {
        if old.responses.iter().any(|response| response.statuses == now.statuses) {
            continue;
        }
        report.within(&format!("answer {}", now.statuses), |report| {
            if is_failure(now.statuses) {
                report.add(Class::Compatible, "answer-added", "is described now");
            } else {
                let what = "is an answer that callers do not know";
                report.add(Class::Breaking, "answer-added", what);
            }
        });
    }
}

/// A failure is no promise: callers must be ready for any.
fn is_failure(statuses: Statuses) -> bool {
    match statuses {
        Statuses::One(status) => status >= 400,
        Statuses::Class(class) => class >= 4,
        Statuses::Default => false,
    }
}

fn answer(old: &Response, new: &Response, pairs: &mut Pairs<'_>, report: &mut Report) {
    if old.content.is_empty() && !new.content.is_empty() {
        report.add(Class::Compatible, "body-added", "has a body now");
    } else if !old.content.is_empty() && new.content.is_empty() {
        report.add(Class::Breaking, "body-removed", "has no body any more");
    } else {
        content(&old.content, &new.content, Direction::Answer, pairs, report);
    }
    for was in &old.headers {
        let now = new.headers.iter().find(|header| header.name.eq_ignore_ascii_case(&was.name));
        report.within(&format!(" header {}", was.name), |report| match now {
            None => report.add(Class::Breaking, "header-removed", "was removed"),
            Some(now) => {
                match (was.required, now.required) {
                    (true, false) => report.add(Class::Breaking, "header-optional", "may be missing now"),
                    (false, true) => report.add(Class::Compatible, "header-required", "is always there now"),
                    (false, false) | (true, true) => {}
                }
                if was.shape != now.shape {
                    report.add(Class::Breaking, "header-style-changed", "is written in another way");
                }
                pairs.maybe(was.schema, now.schema, Direction::Answer, report);
            }
        });
    }
    for now in &new.headers {
        if !old.headers.iter().any(|header| header.name.eq_ignore_ascii_case(&now.name)) {
            report.within(&format!(" header {}", now.name), |report| {
                report.add(Class::Compatible, "header-added", "was added");
            });
        }
    }
}

fn content(old: &[Media], new: &[Media], direction: Direction, pairs: &mut Pairs<'_>, report: &mut Report) {
    for was in old {
        let now = new.iter().find(|media| media.range == was.range);
        report.within(&format!(" {}", was.range), |report| match now {
            None => report.add(Class::Breaking, "media-type-removed", "was removed"),
            Some(now) => {
                if was.fields != now.fields {
                    report.add(
                        Class::Breaking,
                        "encoding-changed",
                        "has fields that are written in another way",
                    );
                }
                pairs.maybe(was.schema, now.schema, direction, report);
            }
        });
    }
    for now in new.iter().filter(|now| !old.iter().any(|media| media.range == now.range)) {
        report.within(&format!(" {}", now.range), |report| {
            report.add(Class::Compatible, "media-type-added", "was added");
        });
    }
}
