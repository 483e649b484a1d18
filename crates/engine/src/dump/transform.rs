//! Changes of messages, as JSON: who makes them, and what they need.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use crate::config::Transform;

/// One of the changes of a rule.
pub(super) fn transform(transform: &Transform) -> Value {
    let Transform { origin, base, changes } = transform;
    // What is done is long; that it is something else than before shows in a number.
    let mut digest = DefaultHasher::new();
    format!("{changes:?}").hash(&mut digest);
    json!({
        "origin": origin,
        "base": base,
        "digest": format!("{:016x}", digest.finish()),
        "reads_requests": changes.reads_request(),
        "reads_answers": changes.reads_responses(),
        "body_bytes_max": changes.body_bytes_max,
    })
}
