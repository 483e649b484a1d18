//! JSON merge patch (RFC 7386): what is written is set, what is null is removed, lists are replaced.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::objects::status::Status;

/// The tree after a patch.
///
/// # Errors
/// 400 when the patch is no object, since what is patched is one.
pub fn merge(mut object: Value, patch: Value) -> Result<Value, Status> {
    if !patch.is_object() {
        return Err(Status::bad_request("a merge patch must be an object"));
    }
    join(&mut object, patch);
    Ok(object)
}

/// As deep as the patch, whose depth is bounded.
fn join(value: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *value = patch;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(map) = value else { return };
    let mut gone = HashSet::new();
    for (name, inner) in patch {
        if inner.is_null() {
            gone.insert(name);
        } else {
            join(map.entry(name).or_insert(Value::Null), inner);
        }
    }
    // All at once: to take one field out of an object moves those behind it.
    if !gone.is_empty() {
        map.retain(|name, _| !gone.contains(name));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_examples_of_the_standard_hold() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (object, patch, expected) in cases {
            assert_eq!(merge(object, patch.clone()), Ok(expected), "{patch}");
        }
        assert_eq!(merge(json!({}), json!(["c"])).map_err(|status| status.code()), Err(400));
    }
}
