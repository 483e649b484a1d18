//! Objects and changes as the rows that both engines keep, and back. The only place where secrets are sealed and
//! opened, so none can pass by it.

use std::sync::Arc;

use model::{Name, Namespace, ResourceKey, Source};

use super::keys::Keys;
use super::{AuditEntry, Change, Object, Revision, StoreError};

/// The columns of an object or a change, in this order:
/// `api_group, kind, namespace, name, uid, revision, json, file, line`.
pub(super) type Columns =
    (String, String, String, String, String, i64, Option<String>, Option<String>, Option<i64>);

/// An object, or what happened to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub api_group: Arc<str>,
    pub kind: Arc<str>,
    /// Empty outside of namespaces.
    pub namespace: Arc<str>,
    pub name: Arc<str>,
    /// Empty for a deletion.
    pub uid: Arc<str>,
    pub revision: i64,
    /// As it is kept: a secret is sealed. `None` for a deletion.
    pub json: Option<Arc<str>>,
    pub file: Option<Arc<str>>,
    pub line: Option<i64>,
}

/// The columns of an entry of the audit log: `at, who, verb, what, outcome`.
pub(super) type AuditColumns = (i64, String, String, String, String);

impl Row {
    /// The row of an object.
    pub fn of_object(object: &Object, keys: &Keys) -> Row {
        let json = match is_secret(&object.key) {
            true => keys.seal(&context(&object.key, &object.uid), &object.json).into(),
            false => object.json.clone(),
        };
        let source = object.source.as_ref();
        Row {
            uid: object.uid.clone(),
            json: Some(json),
            file: source.map(|source| source.file.clone()),
            line: source.map(|source| source.line.into()),
            ..Row::of_key(&object.key, object.revision)
        }
    }

    /// The row of a change. That of a put is the row of its object, sealed only once.
    pub fn of_change(change: &Change, keys: &Keys) -> Row {
        match change {
            Change::Put(object) => Row::of_object(object, keys),
            Change::Deleted { key, revision } => Row::of_key(key, *revision),
        }
    }

    fn of_key(key: &ResourceKey, revision: Revision) -> Row {
        Row {
            api_group: key.group.clone(),
            kind: key.kind.clone(),
            namespace: namespace_of(key),
            name: key.name.to_arc(),
            uid: "".into(),
            revision: number(revision),
            json: None,
            file: None,
            line: None,
        }
    }
}

/// The namespace as it stands in a column.
pub(super) fn namespace_of(key: &ResourceKey) -> Arc<str> {
    key.namespace.as_ref().map_or_else(|| "".into(), Namespace::to_arc)
}

/// What a row says happened.
pub(super) fn change(columns: Columns, keys: &Keys) -> Result<Change, StoreError> {
    if columns.6.is_some() {
        return object(columns, keys).map(Change::Put);
    }
    Ok(Change::Deleted {
        key: key(&columns.0, &columns.1, &columns.2, &columns.3)?,
        revision: revision(columns.5)?,
    })
}

/// The object of a row.
pub(super) fn object(columns: Columns, keys: &Keys) -> Result<Object, StoreError> {
    let (api_group, kind, namespace, name, uid, number, json, file, line) = columns;
    let key = key(&api_group, &kind, &namespace, &name)?;
    let json = json.ok_or_else(|| broken(&key, &"it has no content"))?;
    let json = match is_secret(&key) {
        true => keys.unseal(&context(&key, &uid), &json).map_err(|error| broken(&key, &error))?,
        false => json,
    };
    let source = file.map(|file| {
        let line = line.and_then(|line| u32::try_from(line).ok()).unwrap_or(1);
        Box::new(Source { file: file.into(), line })
    });
    Ok(Object { key, uid: uid.into(), revision: revision(number)?, json: json.into(), source })
}

/// The key of a row.
pub(super) fn key(group: &str, kind: &str, namespace: &str, name: &str) -> Result<ResourceKey, StoreError> {
    let fault = |problem: model::Problem| {
        StoreError::Broken(format!("it holds {kind}/{namespace}/{name}: {}", problem.problem))
    };
    let namespace = match namespace {
        "" => None,
        namespace => Some(namespace.parse::<Namespace>().map_err(fault)?),
    };
    Ok(ResourceKey {
        group: group.into(),
        kind: kind.into(),
        namespace,
        name: name.parse::<Name>().map_err(fault)?,
    })
}

/// An entry of the audit log.
pub(super) fn audit_entry(columns: AuditColumns) -> AuditEntry {
    let (at, who, verb, what, outcome) = columns;
    AuditEntry {
        at: u64::try_from(at).unwrap_or_default(),
        who: who.into(),
        verb: verb.into(),
        what: what.into(),
        outcome: outcome.into(),
    }
}

/// A revision, token or moment as databases keep numbers. None of them reaches 2^63.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A revision, token or moment that a database kept.
pub(super) fn revision(number: i64) -> Result<Revision, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Broken(format!("it holds the number {number}")))
}

/// Kinds whose content nobody may read who has only the database.
fn is_secret(key: &ResourceKey) -> bool {
    key.group.is_empty() && &*key.kind == "Secret"
}

/// What sealed content is bound to: no two objects have the same, since a zero byte is in no name.
fn context(key: &ResourceKey, uid: &str) -> Vec<u8> {
    [&key.group, &key.kind, &*namespace_of(key), key.name.as_str(), uid].join("\0").into_bytes()
}

fn broken(key: &ResourceKey, problem: &dyn std::fmt::Display) -> StoreError {
    StoreError::Broken(format!("{key} cannot be read: {problem}"))
}
