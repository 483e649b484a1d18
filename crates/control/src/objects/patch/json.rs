//! JSON patch (RFC 6902): a list of operations, all of them or none.
//!
//! An operation that does not fit the object is the request's fault (422), as is a `test` that fails. `copy` doubles
//! what it copies, so what all of them copy together is bounded, and so is the depth of what they build.

use serde_json::{Map, Value};

use crate::objects::body::{BODY_BYTES_MAX, BODY_DEPTH_MAX, BODY_NODES_MAX};
use crate::objects::judge::depth;
use crate::objects::status::Status;

/// Most operations of a patch, as in Kubernetes.
pub const OPERATIONS_MAX: usize = 10_000;
/// Most values that the copies of a patch may make.
const COPIED_NODES_MAX: usize = BODY_NODES_MAX;
/// Most bytes of text that the copies of a patch may make.
const COPIED_BYTES_MAX: usize = BODY_BYTES_MAX;
/// Most elements that a patch may push aside: an insertion or removal moves all that stands behind.
const PUSHED_ELEMENTS_MAX: usize = 10_000_000;

/// The tree after a patch.
///
/// # Errors
/// 400 when the patch is none, 413 when it is too large, 422 when it does not fit the object.
pub fn json(mut object: Value, patch: Value) -> Result<Value, Status> {
    let Value::Array(operations) = patch else {
        return Err(Status::bad_request("a JSON patch must be a list of operations"));
    };
    if operations.len() > OPERATIONS_MAX {
        let why = format!(
            "The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {}",
            operations.len()
        );
        return Err(Status::request_entity_too_large(BODY_BYTES_MAX).because(&why));
    }
    let mut budget = Budget {
        nodes_left: COPIED_NODES_MAX,
        bytes_left: COPIED_BYTES_MAX,
        pushed_left: PUSHED_ELEMENTS_MAX,
    };
    for (position, operation) in operations.into_iter().enumerate() {
        let Value::Object(operation) = operation else {
            return Err(Status::bad_request(format!("operation {position} of the patch is no object")));
        };
        run(&mut object, operation, &mut budget)
            .map_err(|why| Status::unprocessable(format!("operation {position} of the patch: {why}")))?;
    }
    Ok(object)
}

/// What the operations of a patch may still cost together.
struct Budget {
    nodes_left: usize,
    bytes_left: usize,
    pushed_left: usize,
}

impl Budget {
    fn push_aside(&mut self, elements: usize) -> Result<(), String> {
        self.pushed_left =
            self.pushed_left.checked_sub(elements).ok_or("the patch moves too much about in large lists")?;
        Ok(())
    }

    fn copy(&mut self, value: &Value) -> Result<(), String> {
        let (nodes, bytes) = size(value);
        let left = (self.nodes_left.checked_sub(nodes), self.bytes_left.checked_sub(bytes));
        let (Some(nodes_left), Some(bytes_left)) = left else {
            return Err("the copies of the patch are too large".to_owned());
        };
        (self.nodes_left, self.bytes_left) = (nodes_left, bytes_left);
        Ok(())
    }
}

/// Values in a tree, and bytes of its text.
fn size(value: &Value) -> (usize, usize) {
    let add = |(nodes, bytes): (usize, usize), (more, longer): (usize, usize)| (nodes + more, bytes + longer);
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => (1, 8),
        Value::String(text) => (1, text.len()),
        Value::Array(elements) => elements.iter().map(size).fold((1, 0), add),
        Value::Object(map) => {
            map.iter().map(|(key, inner)| add((0, key.len()), size(inner))).fold((1, 0), add)
        }
    }
}

fn run(object: &mut Value, mut operation: Map<String, Value>, budget: &mut Budget) -> Result<(), String> {
    let path = pointer(&operation, "path")?;
    let verb = operation.get("op").and_then(Value::as_str).unwrap_or_default().to_owned();
    let value = |operation: &mut Map<String, Value>| {
        operation.shift_remove("value").ok_or_else(|| format!("`{verb}` needs a value"))
    };
    match verb.as_str() {
        "add" => add(object, &path, value(&mut operation)?, budget),
        "remove" => remove(object, &path, budget).map(|_| ()),
        "replace" => {
            let value = value(&mut operation)?;
            fits(&path, &value)?;
            *find_mut(object, &path)? = value;
            Ok(())
        }
        "move" => {
            let from = pointer(&operation, "from")?;
            if path.len() > from.len() && path.starts_with(&from) {
                return Err("a value cannot be moved into itself".to_owned());
            }
            let moved = remove(object, &from, budget)?;
            add(object, &path, moved, budget)
        }
        "copy" => {
            let from = pointer(&operation, "from")?;
            let found = find(object, &from)?;
            budget.copy(found)?;
            let copy = found.clone();
            add(object, &path, copy, budget)
        }
        "test" => {
            let expected = value(&mut operation)?;
            let found = find(object, &path)?;
            if same(found, &expected) {
                return Ok(());
            }
            Err(format!("testing value {} failed", shown(&path)))
        }
        other => Err(format!("there is no operation `{}`", model::schema::cut(other))),
    }
}

/// Equality as the standard wants it: numbers by their value, objects in any order.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

/// The steps of a JSON pointer (RFC 6901).
fn pointer(operation: &Map<String, Value>, field: &str) -> Result<Vec<String>, String> {
    let text = operation.get(field).and_then(Value::as_str).ok_or_else(|| format!("`{field}` is missing"))?;
    match text.strip_prefix('/') {
        Some(steps) => Ok(steps.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect()),
        None if text.is_empty() => Ok(Vec::new()),
        None => Err(format!("`{field}` must be empty or begin with `/`")),
    }
}

fn shown(path: &[String]) -> String {
    let text: String = path.iter().map(|step| format!("/{step}")).collect();
    model::schema::quoted(&text)
}

/// Whether a value may stand at the end of a path, so that nothing grows deeper than a body may be.
fn fits(path: &[String], value: &Value) -> Result<(), String> {
    if path.len() + depth(value) > BODY_DEPTH_MAX {
        return Err(format!("{} would be nested deeper than {BODY_DEPTH_MAX} levels", shown(path)));
    }
    Ok(())
}

fn find<'v>(value: &'v Value, path: &[String]) -> Result<&'v Value, String> {
    path.iter()
        .try_fold(value, |inner, step| match inner {
            Value::Object(map) => map.get(step),
            Value::Array(elements) => elements.get(index(step)?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
        .ok_or_else(|| missing(path))
}

fn find_mut<'v>(value: &'v mut Value, path: &[String]) -> Result<&'v mut Value, String> {
    path.iter()
        .try_fold(value, |inner, step| match inner {
            Value::Object(map) => map.get_mut(step),
            Value::Array(elements) => elements.get_mut(index(step)?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
        .ok_or_else(|| missing(path))
}

fn missing(path: &[String]) -> String {
    format!("there is nothing at {}", shown(path))
}

/// A position: digits without leading zeros.
fn index(step: &str) -> Option<usize> {
    let plain = step.bytes().all(|byte| byte.is_ascii_digit()) && (step == "0" || !step.starts_with('0'));
    if plain { step.parse().ok() } else { None }
}

fn add(object: &mut Value, path: &[String], value: Value, budget: &mut Budget) -> Result<(), String> {
    fits(path, &value)?;
    let Some((last, parents)) = path.split_last() else {
        *object = value;
        return Ok(());
    };
    match find_mut(object, parents)? {
        Value::Object(map) => {
            map.insert(last.clone(), value);
            Ok(())
        }
        Value::Array(elements) => {
            let position = if last == "-" { Some(elements.len()) } else { index(last) };
            let position =
                position.filter(|position| *position <= elements.len()).ok_or_else(|| missing(path))?;
            budget.push_aside(elements.len() - position)?;
            elements.insert(position, value);
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(missing(path)),
    }
}

fn remove(object: &mut Value, path: &[String], budget: &mut Budget) -> Result<Value, String> {
    let Some((last, parents)) = path.split_last() else { return Ok(object.take()) };
    let removed = match find_mut(object, parents)? {
        Value::Object(map) => {
            budget.push_aside(map.len())?;
            map.shift_remove(last)
        }
        Value::Array(elements) => {
            let position = index(last).filter(|position| *position < elements.len());
            budget.push_aside(position.map_or(0, |position| elements.len() - position))?;
            position.map(|position| elements.remove(position))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    removed.ok_or_else(|| missing(path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_do_what_the_standard_says() {
        let cases = [
            (json!({"a": 1}), json!([{"op": "add", "path": "/b", "value": 2}]), json!({"a": 1, "b": 2})),
            (
                json!({"a": [1, 3]}),
                json!([{"op": "add", "path": "/a/1", "value": 2}]),
                json!({"a": [1, 2, 3]}),
            ),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), json!({"a": [1, 2]})),
            (json!({"a": 1, "b": 2}), json!([{"op": "remove", "path": "/a"}]), json!({"b": 2})),
            (json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/0"}]), json!({"a": [2]})),
            (
                json!({"a": 1}),
                json!([{"op": "replace", "path": "/a", "value": {"b": 2}}]),
                json!({"a": {"b": 2}}),
            ),
            (
                json!({"a": {"b": 1}}),
                json!([{"op": "move", "from": "/a/b", "path": "/c"}]),
                json!({"a": {}, "c": 1}),
            ),
            (json!({"a": 1}), json!([{"op": "copy", "from": "/a", "path": "/b"}]), json!({"a": 1, "b": 1})),
            (
                json!({"a/b": {"~": 1}}),
                json!([{"op": "test", "path": "/a~1b/~0", "value": 1.0}]),
                json!({"a/b": {"~": 1}}),
            ),
            (json!({"a": null}), json!([{"op": "test", "path": "/a", "value": null}]), json!({"a": null})),
        ];
        for (object, patch, expected) in cases {
            assert_eq!(json(object, patch.clone()), Ok(expected), "{patch}");
        }
    }

    #[test]
    fn what_does_not_fit_is_unprocessable() {
        let object = json!({"a": [1, 2], "b": {"c": 1}});
        for operation in [
            json!({"op": "add", "path": "/x/y", "value": 1}),
            json!({"op": "add", "path": "/a/3", "value": 1}),
            json!({"op": "add", "path": "/a/01", "value": 1}),
            json!({"op": "add", "path": "/b/c/d", "value": 1}),
            json!({"op": "add", "path": "/x"}),
            json!({"op": "remove", "path": "/x"}),
            json!({"op": "remove", "path": "/a/-"}),
            json!({"op": "replace", "path": "/x", "value": 1}),
            json!({"op": "move", "from": "/b", "path": "/b/d"}),
            json!({"op": "test", "path": "/b/c", "value": 2}),
            json!({"op": "explode", "path": "/b"}),
            json!({"op": "add", "path": "b", "value": 1}),
            json!({"op": "add", "value": 1}),
        ] {
            let status = json(object.clone(), json!([operation])).expect_err("does not fit");
            assert_eq!(status.code(), 422, "{operation}: {status}");
        }
        assert_eq!(json(object, json!({})).map_err(|status| status.code()), Err(400));
    }

    #[test]
    fn copies_cannot_grow_without_end() {
        let wide = |_| json!({"op": "copy", "from": "/a", "path": "/a/-"});
        let wide: Vec<Value> = (0..64).map(wide).collect();
        let deep: Vec<Value> = (0..64).map(|_| json!({"op": "copy", "from": "/b", "path": "/b/x"})).collect();

        for patch in [wide, deep] {
            let status =
                json(json!({"a": [1, 1, 1, 1], "b": {"c": {}}}), Value::Array(patch)).expect_err("a bomb");
            assert_eq!(status.code(), 422);
        }
        let pushed: Vec<Value> =
            (0..OPERATIONS_MAX).map(|_| json!({"op": "add", "path": "/0", "value": 1})).collect();
        let status = json(json!(vec![0; 2_000]), Value::Array(pushed)).expect_err("moves too much");
        assert_eq!(status.code(), 422);
        let many = vec![json!({"op": "test", "path": "", "value": 1}); OPERATIONS_MAX + 1];
        assert_eq!(json(json!(1), Value::Array(many)).map_err(|status| status.code()), Err(413));
    }
}
