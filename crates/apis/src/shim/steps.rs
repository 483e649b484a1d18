//! Steps on a body, compiled once and done in place: a value that moves is taken and put, never copied.

use std::sync::Arc;

use model::kinds::transform::{BodyStep, Otherwise, ValueType};
use serde_json::{Map, Number, Value};

use super::pointer::{Pointer, Way, put, stands, take};
use super::{Fault, Wrong};

/// Steps in the order in which they are done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps(Box<[Step]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// From one way below each of these values to another.
    Move(Pointer, Way, Way),
    Remove(Pointer, Way),
    /// Only where nothing stands, or in any case.
    Put {
        within: Pointer,
        way: Way,
        value: Value,
        replaces: bool,
    },
    Values(Pointer, Box<[(Arc<str>, Value)]>, Otherwise),
    Wrap(Pointer, Arc<str>),
    Unwrap(Pointer, Arc<str>),
    Type(Pointer, ValueType),
}

impl Steps {
    /// Compiles steps; everything that is wrong is told. `place` is the pointer of the list in its object.
    pub fn compile(written: &[BodyStep], place: &str, wrong: &mut Wrong) -> Steps {
        let steps = written.iter().enumerate().filter_map(|(at, step)| {
            compile(step).map_err(|(field, what)| wrong.add(format!("{place}/{at}/{field}"), what)).ok()
        });
        Steps(steps.collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Does all of them.
    pub fn apply(&self, value: &mut Value) -> Result<(), Fault> {
        self.0.iter().try_for_each(|step| step.apply(value))
    }
}

type Mistake = (&'static str, String);

fn compile(step: &BodyStep) -> Result<Step, Mistake> {
    let read = |field, text: &str| {
        Pointer::read(text).map_err(|what| (field, format!("{} {what}", crate::problem::quoted(text))))
    };
    // Only the last step may not be `*`: there is no member of that name to make or to take out.
    let member = |field, text: &str| {
        let parent = read(field, text)?.parent();
        parent.ok_or_else(|| (field, format!("{} names no member", crate::problem::quoted(text))))
    };
    Ok(match step {
        BodyStep::Rename { at, to } => {
            let (within, name) = member("rename/at", at)?;
            Step::Move(within, [name].into(), [to.clone()].into())
        }
        BodyStep::Move { from, to } => {
            let (start, end) = (read("move/from", from)?, read("move/to", to)?);
            let apart = start.apart(&end).ok_or_else(|| {
                let what = "must be the same up to the last `*`: a value moves within the element it is of";
                ("move/to", format!("{} and `from` {what}", crate::problem::quoted(to)))
            })?;
            if apart.1.is_empty() && !apart.2.is_empty()
                || apart.2.starts_with(&apart.1) && apart.1 != apart.2
            {
                return Err(("move/to", "is inside of what moves; use `wrap`".to_owned()));
            }
            Step::Move(apart.0, apart.1, apart.2)
        }
        BodyStep::Remove { at } => {
            let (within, name) = member("remove/at", at)?;
            Step::Remove(within, [name].into())
        }
        BodyStep::Default { at, value } => given(read("default/at", at)?, value, false)
            .ok_or_else(|| ("default/at", "ends with `*`, which names no member".to_owned()))?,
        BodyStep::Set { at, value } => given(read("set/at", at)?, value, true)
            .ok_or_else(|| ("set/at", "ends with `*`, which names no member".to_owned()))?,
        BodyStep::Values { at, map, otherwise } => {
            let map = map.iter().map(|(from, to)| (from.clone(), to.clone())).collect();
            Step::Values(read("values/at", at)?, map, *otherwise)
        }
        BodyStep::Wrap { at, key } => Step::Wrap(read("wrap/at", at)?, key.clone()),
        BodyStep::Unwrap { at, key } => Step::Unwrap(read("unwrap/at", at)?, key.clone()),
        BodyStep::Type { at, to } => Step::Type(read("type/at", at)?, *to),
    })
}

fn given(at: Pointer, value: &Value, replaces: bool) -> Option<Step> {
    let (within, _, way) = at.apart(&at)?;
    if way.is_empty() && within != Pointer::default() {
        return None;
    }
    Some(Step::Put { within, way, value: value.clone(), replaces })
}

impl Step {
    fn apply(&self, value: &mut Value) -> Result<(), Fault> {
        match self {
            Step::Move(within, from, to) => within.each(value, &mut |holder| {
                if let Some(moved) = stands(holder, from).then(|| take(holder, from)).flatten() {
                    put(holder, to, moved);
                }
                Ok(())
            }),
            Step::Remove(within, way) => within.each(value, &mut |holder| {
                take(holder, way);
                Ok(())
            }),
            Step::Put { within, way, value: given, replaces } => within.each(value, &mut |holder| {
                if *replaces || !stands(holder, way) {
                    put(holder, way, given.clone());
                }
                Ok(())
            }),
            Step::Values(at, map, otherwise) => at.each(value, &mut |value| mapped(value, map, *otherwise)),
            Step::Wrap(at, key) => at.each(value, &mut |value| {
                let inner = value.take();
                *value = Value::Object(Map::from_iter([(key.to_string(), inner)]));
                Ok(())
            }),
            Step::Unwrap(at, key) => at.each(value, &mut |value| {
                if let Some(inner) = value.get_mut(&**key).map(Value::take) {
                    *value = inner;
                }
                Ok(())
            }),
            Step::Type(at, to) => at.each(value, &mut |value| become_type(value, *to)),
        }
    }
}

/// One value for another.
fn mapped(value: &mut Value, map: &[(Arc<str>, Value)], otherwise: Otherwise) -> Result<(), Fault> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => return Ok(()),
    };
    match map.iter().find(|(from, _)| **from == *text) {
        Some((_, to)) => *value = to.clone(),
        None if otherwise == Otherwise::Keep => {}
        None => {
            return Err(Fault::new(format!(
                "is {}, which has no counterpart",
                crate::problem::quoted(&text)
            )));
        }
    }
    Ok(())
}

/// The same value as one of another type; `null` is one of every type.
fn become_type(value: &mut Value, to: ValueType) -> Result<(), Fault> {
    let fault = |what: &str| Err(Fault::new(what.to_owned()));
    let number = |text: &str| text.parse::<Number>().ok().filter(|_| super::read::is_exact(text));
    let made = match (to, &mut *value) {
        (_, Value::Null) => return Ok(()),
        (ValueType::String, Value::String(_))
        | (ValueType::Number, Value::Number(_))
        | (ValueType::Boolean, Value::Bool(_))
        | (ValueType::List, Value::Array(_)) => return Ok(()),
        (ValueType::String, Value::Bool(_) | Value::Number(_)) => Value::String(value.to_string()),
        (ValueType::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => return Ok(()),
        (ValueType::Integer, Value::Number(number)) => match whole(number) {
            Some(number) => Value::Number(number),
            None => return fault("is no whole number"),
        },
        (ValueType::Integer, Value::String(text)) => match number(text).and_then(|number| whole(&number)) {
            Some(number) => Value::Number(number),
            None => return fault("is no whole number"),
        },
        (ValueType::Number, Value::String(text)) => match number(text) {
            Some(number) => Value::Number(number),
            None => return fault("is no number"),
        },
        (ValueType::Boolean, Value::String(text)) => match text.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return fault("is neither `true` nor `false`"),
        },
        (ValueType::List, _) => Value::Array(vec![value.take()]),
        (ValueType::Single, Value::Array(list)) => match list.len() {
            0 => Value::Null,
            1 => list.remove(0),
            _ => return fault("has more than one element"),
        },
        (ValueType::Single, _) => return Ok(()),
        (ValueType::String | ValueType::Integer | ValueType::Number | ValueType::Boolean, _) => {
            return fault("cannot become one of the other type");
        }
    };
    *value = made;
    Ok(())
}

/// A number without a fraction.
fn whole(number: &Number) -> Option<Number> {
    if number.is_i64() || number.is_u64() {
        return Some(number.clone());
    }
    let text = number.to_string();
    let digits = text.strip_suffix(".0")?;
    digits.parse::<i64>().ok().map(Number::from)
}
