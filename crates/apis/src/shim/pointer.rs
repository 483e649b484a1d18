//! Places in a JSON value: a JSON Pointer (RFC 6901) in which `*` stands for every element or member.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Fault;
use crate::limits::SHIM_POINTER_STEPS_MAX;

/// One step of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A member of an object, or an element of a list by its number.
    Key(Arc<str>),
    /// Every element of a list, every member of an object.
    Each,
}

/// A place, or several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pointer(Box<[Step]>);

/// Members on a way down, without any `*`.
pub(super) type Way = Box<[Arc<str>]>;

impl Pointer {
    /// Reads `/items/*/name`.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence about the pointer.
    pub fn read(text: &str) -> Result<Pointer, String> {
        if text.is_empty() {
            return Ok(Pointer::default());
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(
                "does not begin with `/`; only the empty pointer, which means all of the body, does not"
                    .into(),
            );
        };
        let steps = rest.split('/').map(step).collect::<Result<Box<[_]>, _>>()?;
        if steps.len() > SHIM_POINTER_STEPS_MAX {
            return Err(format!("has {} steps, at most {SHIM_POINTER_STEPS_MAX} are followed", steps.len()));
        }
        Ok(Pointer(steps))
    }

    /// What is left of it when its last step is a name; the name beside it.
    pub fn parent(&self) -> Option<(Pointer, Arc<str>)> {
        match self.0.split_last()? {
            (Step::Key(name), before) => Some((Pointer(before.into()), name.clone())),
            (Step::Each, _) => None,
        }
    }

    /// The way from the whole value, when it leads to one place.
    pub fn way(&self) -> Option<Way> {
        way(&self.0)
    }

    /// Two places that have everything up to their last `*` in common: that, and the two ways from there.
    pub fn apart(&self, other: &Pointer) -> Option<(Pointer, Way, Way)> {
        let last =
            |pointer: &Pointer| pointer.0.iter().rposition(|step| *step == Step::Each).map_or(0, |at| at + 1);
        let (mine, others) = (last(self), last(other));
        if mine != others || self.0[..mine] != other.0[..others] {
            return None;
        }
        Some((Pointer(self.0[..mine].into()), way(&self.0[mine..])?, way(&other.0[others..])?))
    }

    /// Does something with every value that stands there.
    pub fn each(
        &self,
        value: &mut Value,
        act: &mut dyn FnMut(&mut Value) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        walk(&self.0, value, act)
    }
}

fn step(text: &str) -> Result<Step, String> {
    if text == "*" {
        return Ok(Step::Each);
    }
    let mut name = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, if c == '~' { rest.next() } else { None }) {
            ('~', Some('0')) => name.push('~'),
            ('~', Some('1')) => name.push('/'),
            ('~', _) => return Err("has a `~` that is neither `~0` nor `~1`".to_owned()),
            (c, _) => name.push(c),
        }
    }
    Ok(Step::Key(name.into()))
}

fn way(steps: &[Step]) -> Option<Way> {
    steps
        .iter()
        .map(|step| match step {
            Step::Key(name) => Some(name.clone()),
            Step::Each => None,
        })
        .collect()
}

fn walk(
    steps: &[Step],
    value: &mut Value,
    act: &mut dyn FnMut(&mut Value) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Some((first, rest)) = steps.split_first() else { return act(value) };
    match first {
        Step::Key(name) => match inside(value, name) {
            Some(inner) => walk(rest, inner, act).map_err(|fault| fault.below(name)),
            None => Ok(()),
        },
        Step::Each => match value {
            Value::Array(list) => {
                for (at, inner) in list.iter_mut().enumerate() {
                    walk(rest, inner, act).map_err(|fault| fault.below(&at.to_string()))?;
                }
                Ok(())
            }
            Value::Object(map) => {
                for (name, inner) in map.iter_mut() {
                    walk(rest, inner, act).map_err(|fault| fault.below(name))?;
                }
                Ok(())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        },
    }
}

/// A member of an object, or an element of a list by its number.
fn inside<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    match value {
        Value::Object(map) => map.get_mut(name),
        Value::Array(list) => list.get_mut(position(name)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// RFC 6901 section 4: digits without a leading zero.
fn position(name: &str) -> Option<usize> {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    is_number.then(|| name.parse().ok())?
}

/// Takes out what stands at the end of a way.
pub(super) fn take(value: &mut Value, way: &[Arc<str>]) -> Option<Value> {
    let Some((last, before)) = way.split_last() else { return Some(value.take()) };
    let mut holder = value;
    for name in before {
        holder = inside(holder, name)?;
    }
    match holder {
        // The order of the others is kept.
        Value::Object(map) => map.shift_remove(&**last),
        Value::Array(list) => {
            let at = position(last).filter(|at| *at < list.len())?;
            Some(list.remove(at))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Whether something stands at the end of a way.
pub(super) fn stands(value: &Value, way: &[Arc<str>]) -> bool {
    let mut here = Some(value);
    for name in way {
        here = match here {
            Some(Value::Object(map)) => map.get(&**name),
            Some(Value::Array(list)) => position(name).and_then(|at| list.get(at)),
            _ => None,
        };
    }
    here.is_some()
}

/// Puts a value at the end of a way; objects on the way are made where nothing stands. Where something else stands in
/// the way, nothing is put.
pub(super) fn put(value: &mut Value, way: &[Arc<str>], given: Value) {
    let Some((last, before)) = way.split_last() else {
        *value = given;
        return;
    };
    let mut holder = value;
    for name in before {
        if let Value::Object(map) = holder
            && !map.contains_key(&**name)
        {
            map.insert(name.to_string(), Value::Object(Map::new()));
        }
        let Some(next) = inside(holder, name) else { return };
        holder = next;
    }
    match holder {
        Value::Object(map) => drop(map.insert(last.to_string(), given)),
        Value::Array(list) => {
            if let Some(place) = position(last).and_then(|at| list.get_mut(at)) {
                *place = given;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
