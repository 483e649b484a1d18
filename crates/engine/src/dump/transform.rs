//! Changes of messages, as JSON: who makes them, and what they need.

use serde_json::{Value, json};

use crate::config::Transform;

/// One of the changes of a rule.
pub(super) fn transform(transform: &Transform) -> Value {
    let Transform { origin, base, changes } = transform;
    json!({
        "origin": origin,
        "base": base,
        "reads_requests": changes.reads_request(),
        "reads_answers": changes.reads_responses(),
        "body_bytes_max": changes.body_bytes_max,
    })
}
