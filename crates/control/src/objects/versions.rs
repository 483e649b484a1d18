//! Several versions of one kind: an object is kept in the preferred one and shown in the one asked for.
//!
//! All versions of a kind have the same fields so far, so going from one to another is a change of `apiVersion`; the
//! schema generator insists on it.

use model::kinds::KindName;
use serde_json::Value;

/// An object as a version of its kind shows it.
#[must_use]
pub fn shown(kind: KindName, version: &str, mut object: Value) -> Value {
    set(kind, version, &mut object);
    object
}

/// Brings an object into the version in which it is kept.
pub fn keep(kind: KindName, object: &mut Value) {
    set(kind, kind.versions()[0], object);
}

/// `apiVersion` of a version of a kind.
#[must_use]
pub fn api_version(kind: KindName, version: &str) -> String {
    match kind.group() {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    }
}

fn set(kind: KindName, version: &str, object: &mut Value) {
    if let Value::Object(map) = object {
        map.insert("apiVersion".to_owned(), api_version(kind, version).into());
    }
}
