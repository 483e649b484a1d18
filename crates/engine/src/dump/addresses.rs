//! Rules about addresses, as JSON.

use serde_json::{Value, json};

use crate::config::AddressRule;

/// Those of one place.
pub(crate) fn all(rules: &[AddressRule]) -> Value {
    rules.iter().map(one).collect()
}

fn one(rule: &AddressRule) -> Value {
    let (allow, deny) = rule.written();
    let mut object = json!({ "policy": rule.policy });
    for (name, blocks) in [("allow", allow), ("deny", deny)] {
        if !blocks.is_empty() {
            object[name] = blocks.iter().map(ToString::to_string).collect();
        }
    }
    object
}
