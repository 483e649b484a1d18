//! Follows a path through a document.
//!
//! Ways are kept as links to the step before, because most values that are passed are not those that are meant.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::Value;

use super::filter::Subject;
use super::{Found, Path, Segment, Selector, Step};
use crate::limits::PATH_STEPS_MAX;

/// The work that is left.
pub(super) struct Budget(Cell<usize>);

/// Nothing is left of it.
pub(super) struct Spent;

impl Budget {
    pub(super) fn spend(&self, steps: usize) -> Result<(), Spent> {
        self.0.set(self.0.get().checked_sub(steps).ok_or(Spent)?);
        Ok(())
    }
}

/// A value with the way to it.
#[derive(Clone)]
pub(super) struct Here<'v> {
    pub(super) value: &'v Value,
    way: Option<Rc<Link<'v>>>,
}

struct Link<'v> {
    before: Option<Rc<Link<'v>>>,
    step: Towards<'v>,
}

#[derive(Clone, Copy)]
enum Towards<'v> {
    Name(&'v str),
    Index(usize),
}

pub(super) fn find<'v>(path: &Path, root: &'v Value) -> Result<Vec<Found<'v>>, String> {
    let budget = Budget(Cell::new(PATH_STEPS_MAX));
    let found = walk(&path.segments, Subject { root, value: root }, &budget)
        .map_err(|Spent| format!("takes more than {PATH_STEPS_MAX} steps in this document"))?;
    Ok(found.iter().map(Here::found).collect())
}

/// Everything that segments lead to from a value.
pub(super) fn walk<'v>(
    segments: &[Segment],
    from: Subject<'v>,
    budget: &Budget,
) -> Result<Vec<Here<'v>>, Spent> {
    let mut here = vec![Here { value: from.value, way: None }];
    for segment in segments {
        let mut next = Vec::new();
        for one in here {
            if segment.descends {
                descend(&one, segment, from.root, &mut next, budget)?;
            } else {
                select(&one, segment, from.root, &mut next, budget)?;
            }
        }
        here = next;
    }
    Ok(here)
}

fn descend<'v>(
    here: &Here<'v>,
    segment: &Segment,
    root: &'v Value,
    found: &mut Vec<Here<'v>>,
    budget: &Budget,
) -> Result<(), Spent> {
    // What a document nests is bounded by its reader, so this does not overflow.
    select(here, segment, root, found, budget)?;
    for child in here.children() {
        budget.spend(1)?;
        descend(&child, segment, root, found, budget)?;
    }
    Ok(())
}

fn select<'v>(
    here: &Here<'v>,
    segment: &Segment,
    root: &'v Value,
    found: &mut Vec<Here<'v>>,
    budget: &Budget,
) -> Result<(), Spent> {
    for selector in &segment.selectors {
        budget.spend(1)?;
        match selector {
            Selector::Name(name) => {
                let member = here.value.as_object().and_then(|members| members.get_key_value(name));
                found.extend(member.map(|(name, value)| here.step(Towards::Name(name), value)));
            }
            Selector::Index(at) => {
                let items = here.value.as_array().map_or(&[][..], Vec::as_slice);
                let at = if *at < 0 { at + items.len() as i64 } else { *at };
                let item = usize::try_from(at).ok().and_then(|at| Some((at, items.get(at)?)));
                found.extend(item.map(|(at, value)| here.step(Towards::Index(at), value)));
            }
            Selector::Slice { start, end, step } => {
                let items = here.value.as_array().map_or(&[][..], Vec::as_slice);
                for at in slice(items.len() as i64, *start, *end, *step) {
                    budget.spend(1)?;
                    found.push(here.step(Towards::Index(at), &items[at]));
                }
            }
            Selector::All => {
                for child in here.children() {
                    budget.spend(1)?;
                    found.push(child);
                }
            }
            Selector::Filter(condition) => {
                for child in here.children() {
                    if condition.holds(Subject { root, value: child.value }, budget)? {
                        found.push(child);
                    }
                }
            }
        }
    }
    Ok(())
}

/// The positions of a slice (RFC 9535 section 2.3.4.2.2).
fn slice(length: i64, start: Option<i64>, end: Option<i64>, step: i64) -> Vec<usize> {
    let normal = |at: i64| if at >= 0 { at } else { length.saturating_add(at) };
    let mut positions = Vec::new();
    if step > 0 {
        let (lower, upper) =
            (normal(start.unwrap_or(0)).clamp(0, length), normal(end.unwrap_or(length)).clamp(0, length));
        let mut at = lower;
        while at < upper {
            positions.push(at);
            at = at.saturating_add(step);
        }
    } else if step < 0 {
        let upper = start.map_or(length - 1, normal).clamp(-1, length - 1);
        let lower = end.map_or(-1, |end| normal(end).clamp(-1, length - 1));
        let mut at = upper;
        while at > lower {
            positions.push(at);
            at = at.saturating_add(step);
        }
    }
    positions.into_iter().filter_map(|at| usize::try_from(at).ok()).collect()
}

impl<'v> Here<'v> {
    fn step(&self, step: Towards<'v>, value: &'v Value) -> Here<'v> {
        Here { value, way: Some(Rc::new(Link { before: self.way.clone(), step })) }
    }

    fn children(&self) -> Vec<Here<'v>> {
        match self.value {
            Value::Object(members) => {
                members.iter().map(|(name, value)| self.step(Towards::Name(name), value)).collect()
            }
            Value::Array(items) => {
                items.iter().enumerate().map(|(at, value)| self.step(Towards::Index(at), value)).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        }
    }

    fn found(&self) -> Found<'v> {
        let mut steps = Vec::new();
        let mut link = self.way.as_deref();
        while let Some(Link { before, step }) = link {
            steps.push(match step {
                Towards::Name(name) => Step::Name((*name).to_owned()),
                Towards::Index(at) => Step::Index(*at),
            });
            link = before.as_deref();
        }
        steps.reverse();
        Found { steps, value: self.value }
    }
}
