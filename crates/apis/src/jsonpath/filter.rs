//! Conditions of a filter, and what they say of a value.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value;

use super::Segment;
use super::run::{Budget, Spent, walk};
use crate::check::equal;

/// Whether a value is meant.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    Exists(Query),
    Compares(Operand, Comparison, Operand),
    /// A text that a pattern fits as a whole, or somewhere.
    Fits(Operand, Pattern),
}

/// A path within a filter.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// From the root, and not from the value that is judged.
    pub absolute: bool,
    pub segments: Vec<Segment>,
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Literal(Value),
    /// Leads to one value at most.
    Query(Query),
    Length(Box<Operand>),
    Count(Query),
    /// The value of a path, if it leads to exactly one.
    Only(Query),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A regular expression.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    Written(Regex),
    /// Written in the document, or the path itself.
    Read {
        operand: Operand,
        whole: bool,
    },
}

/// A regular expression that fits texts as a whole, or somewhere (RFC 9485, read as the regular expressions of this
/// program are, which know everything in it).
pub(super) fn pattern(text: &str, whole: bool) -> Result<Regex, String> {
    let text = if whole { format!("^(?:{text})$") } else { text.to_owned() };
    Regex::new(&text).map_err(|_| "has a pattern that cannot be read".to_owned())
}

/// What a filter is asked about.
#[derive(Clone, Copy)]
pub(super) struct Subject<'v> {
    pub root: &'v Value,
    pub value: &'v Value,
}

impl Condition {
    pub(super) fn holds(&self, of: Subject<'_>, budget: &Budget) -> Result<bool, Spent> {
        budget.spend(1)?;
        Ok(match self {
            Condition::Any(all) => {
                for one in all {
                    if one.holds(of, budget)? {
                        return Ok(true);
                    }
                }
                false
            }
            Condition::All(all) => {
                for one in all {
                    if !one.holds(of, budget)? {
                        return Ok(false);
                    }
                }
                true
            }
            Condition::Not(inner) => !inner.holds(of, budget)?,
            Condition::Exists(query) => !query.values(of, budget)?.is_empty(),
            Condition::Compares(left, how, right) => {
                how.holds(left.value(of, budget)?.as_deref(), right.value(of, budget)?.as_deref())
            }
            Condition::Fits(text, pattern) => match text.value(of, budget)?.as_deref() {
                Some(Value::String(text)) => pattern.fits(text, of, budget)?,
                Some(_) | None => false,
            },
        })
    }
}

impl Pattern {
    fn fits(&self, text: &str, of: Subject<'_>, budget: &Budget) -> Result<bool, Spent> {
        budget.spend(text.len())?;
        Ok(match self {
            Pattern::Written(pattern) => pattern.is_match(text),
            Pattern::Read { operand, whole } => match operand.value(of, budget)?.as_deref() {
                Some(Value::String(written)) => {
                    pattern(written, *whole).is_ok_and(|pattern| pattern.is_match(text))
                }
                Some(_) | None => false,
            },
        })
    }
}

impl Query {
    fn values<'v>(&self, of: Subject<'v>, budget: &Budget) -> Result<Vec<&'v Value>, Spent> {
        let start = if self.absolute { of.root } else { of.value };
        let found = walk(&self.segments, Subject { root: of.root, value: start }, budget)?;
        Ok(found.into_iter().map(|found| found.value).collect())
    }
}

impl Operand {
    fn value<'v>(
        &'v self,
        of: Subject<'v>,
        budget: &Budget,
    ) -> Result<Option<std::borrow::Cow<'v, Value>>, Spent> {
        use std::borrow::Cow;
        Ok(match self {
            Operand::Literal(value) => Some(Cow::Borrowed(value)),
            Operand::Query(query) => query.values(of, budget)?.first().map(|value| Cow::Borrowed(*value)),
            Operand::Only(query) => match query.values(of, budget)?[..] {
                [only] => Some(Cow::Borrowed(only)),
                _ => None,
            },
            Operand::Count(query) => Some(Cow::Owned(query.values(of, budget)?.len().into())),
            Operand::Length(inner) => inner.value(of, budget)?.as_deref().and_then(length).map(Cow::Owned),
        })
    }
}

fn length(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => Some(text.chars().count().into()),
        Value::Array(items) => Some(items.len().into()),
        Value::Object(members) => Some(members.len().into()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

impl Comparison {
    /// RFC 9535 section 2.3.5.2.2: nothing equals nothing, and only numbers and texts have an order.
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let same = match (left, right) {
            (None, None) => true,
            (Some(left), Some(right)) => equal(left, right),
            (None, Some(_)) | (Some(_), None) => false,
        };
        let order = match (left, right) {
            (Some(Value::Number(left)), Some(Value::Number(right))) => {
                left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right))
            }
            (Some(Value::String(left)), Some(Value::String(right))) => Some(left.cmp(right)),
            _ => None,
        };
        match self {
            Comparison::Equal => same,
            Comparison::Unequal => !same,
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::LessOrEqual => same || order == Some(Ordering::Less),
            Comparison::Greater => order == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => same || order == Some(Ordering::Greater),
        }
    }
}
