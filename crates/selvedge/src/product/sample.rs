//! The first request that somebody should try: out of the description, so that it works before anybody has read it.

use apis::{Description, Place};

/// A path that can be asked for as it stands: read, without a body, without parameters that must be there. `is_meant`
/// is asked with keys of operations.
#[must_use]
pub fn sample(description: &Description, is_meant: impl Fn(&str) -> bool) -> Option<String> {
    let gets = description.operations.iter().filter(|operation| &*operation.method == "GET");
    let gets = gets.filter(|operation| is_meant(operation.key.as_str()));
    let open = gets.filter(|operation| operation.security.is_open());
    let mut plain: Vec<_> = open
        .filter(|operation| operation.parameters.iter().all(|one| !one.required || one.place == Place::Path))
        .collect();
    plain.sort_by_key(|operation| operation.template.parameters().count());
    let operation = plain.first()?;
    let value = |name: &str| {
        let parameter = operation.parameters.iter().find(|one| &*one.name == name);
        let example = parameter.and_then(|one| one.examples.first());
        example.map_or_else(
            || "1".to_owned(),
            |example| match &example.value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        )
    };
    Some(operation.template.filled(value))
}
