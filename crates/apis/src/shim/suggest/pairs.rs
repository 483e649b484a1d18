//! Which operation of the new version does what one of the old version did.
//!
//! The same key is the same operation. For others it is guessed by what they have in common; a pair that has too little
//! is none.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::names::{self, likeness, plain};
use crate::operation::Operation;
use crate::schema::{SchemaId, Schemas};
use crate::template::Segment;

/// Points from which on two operations are taken for one.
const ENOUGH: i64 = 40;
/// How deep properties of bodies are looked at for names.
const DEPTH_MAX: usize = 4;

/// An operation and what it became.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'o> {
    pub old: &'o Operation,
    pub new: &'o Operation,
    /// Whether nothing says so but a likeness.
    pub is_guessed: bool,
}

/// Every operation of the old version with its counterpart, if there is one, in their order.
pub fn pairs<'o>(
    old: &'o [Arc<Operation>],
    new: &'o [Arc<Operation>],
) -> Vec<(&'o Operation, Option<Pair<'o>>)> {
    let same = |one: &Operation, others: &'o [Arc<Operation>]| {
        others.iter().map(|other| &**other).find(|other| other.key == one.key)
    };
    let free_old: Vec<&Operation> =
        old.iter().map(|one| &**one).filter(|one| same(one, new).is_none()).collect();
    let free_new: Vec<&Operation> =
        new.iter().map(|one| &**one).filter(|one| same(one, old).is_none()).collect();
    let guessed = guessed(&free_old, &free_new);
    old.iter()
        .map(|one| {
            let one = &**one;
            let kept = same(one, new).map(|new| Pair { old: one, new, is_guessed: false });
            let found = guessed.iter().find(|pair| std::ptr::eq(pair.old, one)).copied();
            (one, kept.or(found))
        })
        .collect()
}

/// The best pairs first; nobody is in two.
fn guessed<'o>(old: &[&'o Operation], new: &[&'o Operation]) -> Vec<Pair<'o>> {
    let words_of =
        |all: &[&'o Operation]| -> Vec<BTreeSet<String>> { all.iter().map(|one| words(one)).collect() };
    let (old_words, new_words) = (words_of(old), words_of(new));
    let mut scored = Vec::new();
    for (left, of_left) in old.iter().zip(&old_words) {
        for (right, of_right) in new.iter().zip(&new_words) {
            let points = points(left, right) + shared(of_left, of_right);
            if points >= ENOUGH {
                scored.push((points, *left, *right));
            }
        }
    }
    scored.sort_by_key(|(points, left, right)| (-points, left.line, right.line));
    let mut found: Vec<Pair<'o>> = Vec::new();
    for (_, old, new) in scored {
        let is_taken = |pair: &Pair<'_>| std::ptr::eq(pair.old, old) || std::ptr::eq(pair.new, new);
        if !found.iter().any(is_taken) {
            let is_named = old.id.is_some() && old.id == new.id;
            found.push(Pair { old, new, is_guessed: !is_named });
        }
    }
    found
}

/// What methods, paths and bodies have in common.
fn points(old: &Operation, new: &Operation) -> i64 {
    if old.id.is_some() && old.id == new.id {
        return 100;
    }
    let writes = |method: &str| matches!(method, "POST" | "PUT" | "PATCH");
    let method = if old.method == new.method {
        20
    } else if writes(&old.method) && writes(&new.method) {
        8
    } else {
        return 0;
    };
    let count = |one: &Operation| one.template.parameters().count();
    let parameters = 15 - 15 * i64::try_from(count(old).abs_diff(count(new))).unwrap_or(i64::MAX / 15);
    let length = |one: &Operation| one.template.segments().len();
    let length = if length(old) == length(new) { 10 } else { 0 };
    let body = if old.body.is_some() == new.body.is_some() { 10 } else { -20 };
    method + parameters + length + body + literals(old, new)
}

/// How alike the fixed parts of two paths are, at most 40 points.
fn literals(old: &Operation, new: &Operation) -> i64 {
    let fixed = |one: &Operation| -> Vec<String> {
        let literal = |segment: &Segment| match segment {
            Segment::Literal(text) => Some(text.to_string()),
            Segment::Parameter(_) | Segment::Mixed(_) => None,
        };
        one.template.segments().iter().filter_map(literal).collect()
    };
    let (old, new) = (fixed(old), fixed(new));
    let best = |text: &String| new.iter().map(|other| likeness(text, other)).max().unwrap_or(0);
    let all: u32 = old.iter().map(best).sum();
    let count = u32::try_from(old.len().max(new.len()).max(1)).unwrap_or(u32::MAX);
    i64::from(all.saturating_mul(40) / (names::SAME * count))
}

/// How many names of values are in both, at most 30 points.
fn shared(old: &BTreeSet<String>, new: &BTreeSet<String>) -> i64 {
    let common = old.intersection(new).count();
    let fewest = old.len().min(new.len()).max(1);
    i64::try_from(30 * common / fewest).unwrap_or(0)
}

/// Names of everything that goes in and comes out.
fn words(operation: &Operation) -> BTreeSet<String> {
    let mut found: BTreeSet<String> =
        operation.parameters.iter().map(|parameter| plain(&parameter.name)).collect();
    let mut seen = BTreeSet::new();
    for id in operation.schema_ids() {
        properties((&operation.schemas, id), DEPTH_MAX, &mut seen, &mut found);
    }
    found
}

fn properties(
    (schemas, id): (&Schemas, SchemaId),
    depth: usize,
    seen: &mut BTreeSet<SchemaId>,
    found: &mut BTreeSet<String>,
) {
    let Some(depth) = depth.checked_sub(1).filter(|_| seen.insert(id)) else { return };
    let schema = schemas.get(id);
    schema.all_of.iter().for_each(|part| properties((schemas, *part), depth, seen, found));
    if let Some(items) = schema.list.as_ref().and_then(|list| list.items) {
        properties((schemas, items), depth, seen, found);
    }
    for (name, id) in schema.object.iter().flat_map(|object| &object.properties) {
        found.insert(plain(name));
        properties((schemas, *id), depth, seen, found);
    }
}
