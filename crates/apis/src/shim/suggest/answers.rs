//! Answers of the new version as the old one promised them.

use model::kinds::transform::{FieldTransform, Rename, ResponseTransform};

use super::bodies;
use super::names::{ALIKE, likeness};
use crate::check::{Direction, is_json};
use crate::operation::{Media, Operation, Response, Statuses};

/// What was found about answers, and what is to be looked at: where, what, whether it is a guess.
#[derive(Debug, Default)]
pub struct Answers {
    pub changed: Vec<ResponseTransform>,
    pub told: Vec<(String, String, bool)>,
}

/// The JSON among some media types.
pub fn json(content: &[Media]) -> Option<&Media> {
    content.iter().find(|media| is_json(&media.range))
}

fn is_success(response: &Response) -> bool {
    matches!(response.statuses, Statuses::One(200..=299) | Statuses::Class(2))
}

/// Finds out.
pub fn of(old: &Operation, new: &Operation) -> Answers {
    let mut found = Answers::default();
    let mut all: Vec<&Response> = new.responses.iter().collect();
    all.sort_by_key(|response| response.statuses);
    let successes = all.iter().filter(|response| is_success(response)).count();
    for response in all {
        let is_alone = successes == 1 && is_success(response);
        found.one((old, new), response, is_alone);
    }
    found
}

impl Answers {
    fn one(&mut self, (old, new): (&Operation, &Operation), response: &Response, is_alone: bool) {
        let at = format!("answer {}", response.statuses);
        let Some((before, status)) = counterpart(old, response) else {
            let what = "is not known to the old version".to_owned();
            return self.told.push((at, what, false));
        };
        let mut changed = ResponseTransform { status, ..ResponseTransform::default() };
        match (json(&response.content), json(&before.content)) {
            (Some(now), Some(was)) => {
                if let (Some(from), Some(to)) = (now.schema, was.schema) {
                    let (steps, told) =
                        bodies::steps((&new.schemas, from), (&old.schemas, to), Direction::Answer);
                    changed.body = steps;
                    let told =
                        told.into_iter().map(|one| (format!("{at} {}", one.at), one.what, one.is_guess));
                    self.told.extend(told);
                }
            }
            (None, Some(_)) => self.told.push((at.clone(), "has no body of JSON any more".to_owned(), false)),
            (Some(_) | None, None) => {}
        }
        changed.headers = self.headers(before, response, &at);
        if changed.body.is_empty() && changed.headers.is_empty() && changed.status.is_none() {
            return;
        }
        match (is_alone, response.statuses) {
            (true, _) => {}
            (false, Statuses::Default) => {
                let what = "is for no status of its own, and a shim has to name some".to_owned();
                return self.told.push((at, what, false));
            }
            (false, statuses) => changed.statuses = vec![statuses.to_string().into()],
        }
        self.changed.push(changed);
    }

    fn headers(&mut self, old: &Response, new: &Response, at: &str) -> FieldTransform {
        let mut changes = FieldTransform::default();
        let is_there =
            |name: &str, all: &Response| all.headers.iter().any(|one| one.name.eq_ignore_ascii_case(name));
        for header in old.headers.iter().filter(|one| !is_there(&one.name, new)) {
            let free = new.headers.iter().filter(|one| !is_there(&one.name, old));
            let best = free.max_by_key(|one| likeness(&one.name, &header.name));
            match best.filter(|one| likeness(&one.name, &header.name) >= ALIKE) {
                Some(one) => {
                    let (from, to) = (one.name.clone(), header.name.clone());
                    self.told.push((at.to_owned(), format!("header `{from}` becomes `{to}`"), true));
                    changes.rename.push(Rename { from, to });
                }
                None if header.required => {
                    let what = format!("header `{}` is gone", header.name);
                    self.told.push((at.to_owned(), what, false));
                }
                None => {}
            }
        }
        changes
    }
}

/// The answer of the old version that one of the new stands for, and its status where that is another.
fn counterpart<'o>(old: &'o Operation, new: &Response) -> Option<(&'o Response, Option<u16>)> {
    if let Some(same) = old.responses.iter().find(|response| response.statuses == new.statuses) {
        return Some((same, None));
    }
    if !is_success(new) {
        return match new.statuses {
            Statuses::One(status) => old.response(status).map(|found| (found, None)),
            Statuses::Class(_) | Statuses::Default => old.response(599).map(|found| (found, None)),
        };
    }
    let mut successes = old.responses.iter().filter(|response| is_success(response));
    let (only, more) = (successes.next()?, successes.next());
    match only.statuses {
        Statuses::One(status) if more.is_none() && !matches!(status, 204 | 205) => Some((only, Some(status))),
        Statuses::Class(_) => Some((only, None)),
        Statuses::One(_) | Statuses::Default => None,
    }
}
