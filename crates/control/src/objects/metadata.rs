//! The fields of `metadata` that the server writes: who an object is, how old, and whether it is going away.

use std::collections::BTreeSet;

use model::kinds::KindName;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::judge::name_of;
use super::request::Request;
use super::status::{About, Cause, Status};

/// Fields that come into being with an object and never change.
const FOR_GOOD: [&str; 5] =
    ["uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"];
/// Letters of made-up names: no vowels, so that they make no words, and nothing that looks alike.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// How many of them a made-up name has.
const LETTERS_ADDED: usize = 5;
/// Longest prefix of a made-up name; the whole must fit a DNS label.
const PREFIX_BYTES_MAX: usize = 63 - LETTERS_ADDED;

/// Gives a new object its name, if it has only a prefix of one, its identity and its birthday.
///
/// # Errors
/// 400 when it says which version of an existing object it is, 422 when it has neither name nor prefix.
pub fn begin(request: &Request<'_>, object: &mut Value) -> Result<(), Status> {
    let metadata = of(object);
    if metadata.get("resourceVersion").and_then(Value::as_str).is_some_and(|version| !version.is_empty()) {
        return Err(Status::bad_request("resourceVersion should not be set on objects to be created"));
    }
    for field in FOR_GOOD.iter().chain(&["resourceVersion", "selfLink"]) {
        metadata.shift_remove(*field);
    }
    let has_name = metadata.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    let prefix = metadata.get("generateName").and_then(Value::as_str).unwrap_or_default();
    if !has_name {
        if prefix.is_empty() {
            let cause = Cause {
                reason: "FieldValueRequired",
                field: "metadata.name".to_owned(),
                message: "Required value: name or generateName is required".to_owned(),
            };
            return Err(Status::invalid(About::new(request.kind, ""), &[cause]));
        }
        let name = made_up_name(prefix);
        metadata.insert("name".to_owned(), name.into());
    }
    metadata.insert("uid".to_owned(), Uuid::new_v4().to_string().into());
    metadata.insert("creationTimestamp".to_owned(), request.now.to_string().into());
    metadata.insert("generation".to_owned(), 1.into());
    Ok(())
}

fn made_up_name(prefix: &str) -> String {
    let end =
        (0..=prefix.len().min(PREFIX_BYTES_MAX)).rev().find(|end| prefix.is_char_boundary(*end)).unwrap_or(0);
    let random = Uuid::new_v4().as_u128();
    let letters = (0..LETTERS_ADDED as u32).map(|place| {
        let letter = (random / 27_u128.pow(place)) % 27;
        char::from(LETTERS[letter as usize])
    });
    prefix[..end].chars().chain(letters).collect()
}

/// Carries over what an existing object keeps, and checks that the written one is meant for it.
///
/// # Errors
/// 409 when it was read before the last write, or is another object of the same name; 422 when it changes what may
/// not change.
pub fn carry_over(request: &Request<'_>, current: &Value, object: &mut Value) -> Result<(), Status> {
    let about = About::new(request.kind, name_of(current));
    let old = current.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    let new = of(object);
    let text = |map: &Map<String, Value>, field: &str| {
        map.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (asked, found) = (text(new, "resourceVersion"), text(&old, "resourceVersion"));
    if !asked.is_empty() && asked != found {
        return Err(Status::modified(about));
    }
    let (asked, found) = (text(new, "uid"), text(&old, "uid"));
    if !asked.is_empty() && asked != found {
        let why = format!("Precondition failed: UID in precondition: {asked}, UID in object meta: {found}");
        return Err(Status::conflict(about, &why));
    }
    let mut causes = Vec::new();
    for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let written = new.get(field).filter(|value| !value.is_null());
        if written.is_some_and(|written| old.get(field) != Some(written)) {
            causes.push(invalid(field, "field is immutable"));
        }
    }
    causes.extend(late_finalizers(&old, new));
    if !causes.is_empty() {
        return Err(Status::invalid(about, &causes));
    }
    for field in FOR_GOOD.iter().chain(&["resourceVersion", "selfLink"]) {
        new.shift_remove(*field);
    }
    for field in FOR_GOOD {
        if let Some(value) = old.get(field) {
            new.insert(field.to_owned(), value.clone());
        }
    }
    Ok(())
}

/// What is going away may wait for nobody new.
fn late_finalizers(old: &Map<String, Value>, new: &Map<String, Value>) -> Option<Cause> {
    old.get("deletionTimestamp")?;
    let waiting: BTreeSet<&str> = texts(old, "finalizers").collect();
    let late: Vec<&str> = texts(new, "finalizers").filter(|name| !waiting.contains(name)).collect();
    let message = format!(
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers {late:?}"
    );
    let field = "metadata.finalizers".to_owned();
    (!late.is_empty()).then_some(Cause { reason: "FieldValueForbidden", field, message })
}

/// What is wrong with names in `metadata` that no schema can say.
///
/// # Errors
/// 422 with a cause for each.
pub fn judge(kind: KindName, object: &Value) -> Result<(), Status> {
    let Some(metadata) = object.get("metadata").and_then(Value::as_object) else { return Ok(()) };
    let mut causes = Vec::new();
    for (position, name) in texts(metadata, "finalizers").enumerate() {
        let qualified =
            name.split_once('/').is_some_and(|(domain, rest)| !domain.is_empty() && !rest.is_empty());
        if !qualified && !matches!(name, "orphan" | "foregroundDeletion" | "kubernetes") {
            let field = format!("finalizers[{position}]");
            causes.push(invalid(
                &field,
                &format!("{name:?} is not a qualified name (write `example.com/{name}`)"),
            ));
        }
    }
    let owners = metadata.get("ownerReferences").and_then(Value::as_array).into_iter().flatten();
    if owners.filter(|owner| owner.get("controller") == Some(&Value::Bool(true))).count() > 1 {
        causes.push(invalid("ownerReferences", "Only one reference can have Controller set to true"));
    }
    if causes.is_empty() { Ok(()) } else { Err(Status::invalid(About::new(kind, name_of(object)), &causes)) }
}

fn invalid(field: &str, why: &str) -> Cause {
    Cause {
        reason: "FieldValueInvalid",
        field: format!("metadata.{field}"),
        message: format!("Invalid value: {why}"),
    }
}

/// The texts of a list.
pub fn texts<'m>(map: &'m Map<String, Value>, field: &str) -> impl Iterator<Item = &'m str> {
    map.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Raises the generation when something is wanted that was not.
pub fn grow(current: &Value, object: &mut Value) {
    if wanted(current) != wanted(object) {
        grow_always(object);
    }
}

/// Raises the generation.
pub fn grow_always(object: &mut Value) {
    let metadata = of(object);
    let generation = metadata.get("generation").and_then(Value::as_u64).unwrap_or(1);
    metadata.insert("generation".to_owned(), (generation + 1).into());
}

/// The fields that say what is wanted, in any order.
fn wanted(object: &Value) -> Vec<(&String, &Value)> {
    let told = |name: &str| matches!(name, "apiVersion" | "kind" | "metadata" | "status");
    let fields = object.as_object().into_iter().flatten();
    let mut wanted: Vec<_> = fields.filter(|(name, _)| !told(name)).collect();
    wanted.sort_by_key(|(name, _)| *name);
    wanted
}

/// `metadata`, which every decoded object has.
pub fn of(object: &mut Value) -> &mut Map<String, Value> {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let metadata = &mut object["metadata"];
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    match metadata {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_names_begin_as_asked_and_fit_a_label() {
        let name = made_up_name("shop-");
        assert!(name.starts_with("shop-") && name.len() == 10, "{name}");
        assert_eq!(made_up_name(&"a".repeat(100)).len(), 63);
        assert_ne!(made_up_name("a"), made_up_name("a"));
    }
}
