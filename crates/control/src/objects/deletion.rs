//! Deleting: at once, or, when somebody must finish something first, marked and waited for.

use serde_json::{Map, Value};

use super::admit::{Admitted, Verdict};
use super::body::Body;
use super::judge::{self, name_of};
use super::request::Request;
use super::status::{About, Cause, Status};
use super::{kinds, metadata};

/// What becomes of the objects that name a deleted one as their owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay and lose the reference.
    Orphan,
}

/// How an object is to be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// It must be the object with this id.
    pub uid: Option<String>,
    /// It must not have been written since this version.
    pub resource_version: Option<String>,
    /// What becomes of what it owns.
    pub propagation: Propagation,
    /// Nothing is to be done, only judged.
    pub dry_run: bool,
}

impl DeleteOptions {
    /// The options in a body; where it says nothing, those among the query parameters.
    ///
    /// # Errors
    /// 400 when the body holds something else, 422 when an option has no such value.
    pub fn read(body: &Body, parameter: impl Fn(&str) -> Option<String>) -> Result<Self, Status> {
        let empty = Map::new();
        let map = match &body.value {
            Value::Null => &empty,
            Value::Object(map) => map,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(Status::bad_request("the body of a delete must hold DeleteOptions"));
            }
        };
        if map.get("kind").and_then(Value::as_str).is_some_and(|kind| !matches!(kind, "" | "DeleteOptions")) {
            return Err(Status::bad_request("the body of a delete must hold DeleteOptions"));
        }
        refuse_other_types(map)?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let propagation = match map.get("orphanDependents").and_then(Value::as_bool) {
            Some(true) => Some("Orphan".to_owned()),
            Some(false) => Some("Background".to_owned()),
            None => text(map.get("propagationPolicy")).or_else(|| parameter("propagationPolicy")),
        };
        let dry_run = match map.get("dryRun") {
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => parameter("dryRun").into_iter().collect::<Vec<_>>(),
        };
        let preconditions = map.get("preconditions");
        Ok(DeleteOptions {
            uid: text(preconditions.and_then(|own| own.get("uid"))),
            resource_version: text(preconditions.and_then(|own| own.get("resourceVersion"))),
            propagation: Propagation::of(propagation.as_deref())?,
            dry_run: dry_run_of(dry_run.iter().map(String::as_str))?,
        })
    }
}

impl Propagation {
    fn of(word: Option<&str>) -> Result<Self, Status> {
        match word {
            None | Some("" | "Background") => Ok(Propagation::Background),
            Some("Foreground") => Ok(Propagation::Foreground),
            Some("Orphan") => Ok(Propagation::Orphan),
            Some(other) => Err(Status::invalid_options(&Cause {
                reason: "FieldValueInvalid",
                field: "propagationPolicy".to_owned(),
                message: format!("Invalid value: {other:?}: must be Foreground, Background, Orphan or unset"),
            })),
        }
    }
}

/// A condition or a wish that is passed over because it is no text would be taken for granted. As everywhere, `null` is
/// as good as nothing.
fn refuse_other_types(map: &Map<String, Value>) -> Result<(), Status> {
    type Is = fn(&Value) -> bool;
    let texts: Is = |value| value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
    let known: [(&str, &str, Is); 6] = [
        ("apiVersion", "a text", Value::is_string),
        ("kind", "a text", Value::is_string),
        ("propagationPolicy", "a text", Value::is_string),
        ("dryRun", "a list of texts", texts),
        ("orphanDependents", "`true` or `false`", Value::is_boolean),
        ("gracePeriodSeconds", "a whole number", |value| value.is_i64() || value.is_u64()),
    ];
    for (field, wanted, is) in known {
        if map.get(field).is_some_and(|value| !value.is_null() && !is(value)) {
            return Err(Status::bad_request(format!("`{field}` of DeleteOptions must be {wanted}")));
        }
    }
    match map.get("preconditions") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(own)) => {
            let wrong = ["uid", "resourceVersion"]
                .into_iter()
                .find(|field| own.get(*field).is_some_and(|value| !value.is_null() && !value.is_string()));
            wrong.map_or(Ok(()), |field| {
                Err(Status::bad_request(format!("`preconditions.{field}` of DeleteOptions must be a text")))
            })
        }
        Some(_) => Err(Status::bad_request("`preconditions` of DeleteOptions must be a map")),
    }
}

/// Whether a write is only to be judged: the values of `dryRun`.
///
/// # Errors
/// 422 for a word that is none.
pub fn dry_run_of<'w>(words: impl Iterator<Item = &'w str>) -> Result<bool, Status> {
    let mut dry = false;
    for word in words.filter(|word| !word.is_empty()) {
        if word != "All" {
            return Err(Status::invalid_options(&Cause {
                reason: "FieldValueNotSupported",
                field: "dryRun".to_owned(),
                message: format!("Unsupported value: {word:?}: supported values: \"All\""),
            }));
        }
        dry = true;
    }
    Ok(dry)
}

/// Deletes an object, or marks it when finalizers are to be waited for.
///
/// The verdict is [`Verdict::Remove`], or [`Verdict::Put`] for an object that is now going away, or
/// [`Verdict::Unchanged`] for one that was going away already.
///
/// # Errors
/// 409 when it is not the object that was meant, 403 for one that is not written by hand.
pub fn delete(request: &Request<'_>, current: &Value, options: &DeleteOptions) -> Result<Admitted, Status> {
    let about = About::new(request.kind, name_of(current));
    kinds::keep_reserved(request.kind, current)?;
    let found = |field: &str| {
        current.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default()
    };
    let expectations = [
        ("uid", "UID in precondition", "UID in object meta", &options.uid),
        (
            "resourceVersion",
            "ResourceVersion in precondition",
            "ResourceVersion in object meta",
            &options.resource_version,
        ),
    ];
    for (field, asked, met, expected) in expectations {
        if let Some(expected) = expected.as_deref().filter(|expected| *expected != found(field)) {
            let why = format!("Precondition failed: {asked}: {expected}, {met}: {}", found(field));
            return Err(Status::conflict(about, &why));
        }
    }
    let mut object = current.clone();
    let own = metadata::of(&mut object);
    own.shift_remove("resourceVersion");
    let verdict = if metadata::texts(own, "finalizers").next().is_none() {
        Verdict::Remove
    } else if own.contains_key("deletionTimestamp") {
        Verdict::Unchanged
    } else {
        own.insert("deletionTimestamp".to_owned(), request.now.to_string().into());
        own.insert("deletionGracePeriodSeconds".to_owned(), 0.into());
        metadata::grow_always(&mut object);
        Verdict::Put
    };
    let resource = judge::object(request.kind, &object, None, request.part)?;
    Ok(Admitted { object, resource, warnings: Vec::new(), verdict })
}

/// The ids of the objects that own an object.
pub fn owners(object: &Value) -> impl Iterator<Item = &str> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
    owners.filter_map(|owner| owner.get("uid")?.as_str())
}

/// An object that lost some of its owners and stays; `None` when it named none of them.
#[must_use]
pub fn released(object: &Value, gone: &dyn Fn(&str) -> bool) -> Option<Value> {
    let mut released = object.clone();
    let owners = released.pointer_mut("/metadata/ownerReferences")?.as_array_mut()?;
    let before = owners.len();
    owners.retain(|owner| !owner.get("uid").and_then(Value::as_str).is_some_and(gone));
    let (after, none_left) = (owners.len(), owners.is_empty());
    let own = metadata::of(&mut released);
    own.shift_remove("resourceVersion");
    if none_left {
        own.shift_remove("ownerReferences");
    }
    (after != before).then_some(released)
}
