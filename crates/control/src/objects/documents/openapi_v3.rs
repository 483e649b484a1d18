//! OpenAPI 3.0: an index, and a document for each group version.

use model::kinds::KindName;
use serde_json::{Map, Value, json};

use super::components::{Dialect, component_of_list, of_kind, shared};
use super::names::{GroupVersion, component, group_versions};
use super::operations::{Action, Path, patch_types, paths};
use crate::objects::media::{JSON, JSON_PATCH, YAML};

const DIALECT: Dialect = Dialect::V3;

/// `/openapi/v3`: where the documents are. The address of one changes when it changes, so that clients may keep it.
#[must_use]
pub fn openapi_v3_index() -> Value {
    let paths: Map<String, Value> = group_versions()
        .into_iter()
        .map(|one| {
            let hash = fingerprint(&document(one).to_string());
            let address = format!("/openapi/v3/{}?hash={hash:016X}", one.path());
            (one.path(), json!({"serverRelativeURL": address}))
        })
        .collect();
    json!({"paths": paths})
}

/// FNV-1a: to tell documents apart, not to protect them.
fn fingerprint(text: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// `/openapi/v3/PATH`, where the path is `api/v1` or `apis/GROUP/VERSION`.
#[must_use]
pub fn openapi_v3(path: &str) -> Option<Value> {
    group_versions().into_iter().find(|one| one.path() == path).map(document)
}

fn document(one: GroupVersion) -> Value {
    let mut schemas: Map<String, Value> = shared(DIALECT).into_iter().collect();
    for kind in one.kinds() {
        schemas.extend(of_kind(DIALECT, kind, one.version));
    }
    let mut items = Map::new();
    items.insert(format!("/{}/", one.path()), json!({"get": resources(one)}));
    for path in paths(one) {
        items.insert(path.text.clone(), item(&path));
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Selvedge", "version": env!("CARGO_PKG_VERSION")},
        "paths": items,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"BearerToken": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"BearerToken": []}],
    })
}

fn resources(one: GroupVersion) -> Value {
    json!({
        "description": "The kinds of this group version.",
        "operationId": format!("getResources_{}", one.path().replace(['/', '.', '-'], "_")),
        "responses": {
            "200": {"description": "OK", "content": {JSON: {"schema": DIALECT.meta("APIResourceList")}}},
            "default": failure(),
        },
    })
}

fn failure() -> Value {
    json!({"description": "It was not done", "content": {JSON: {"schema": DIALECT.meta("Status")}}})
}

fn item(path: &Path) -> Value {
    let mut item = Map::new();
    for action in path.actions {
        item.insert(action.method().to_owned(), operation(path, *action));
    }
    let mut parameters = Vec::new();
    for (present, name) in [(path.in_namespace, "namespace"), (path.of_one, "name")] {
        if present {
            parameters.push(json!({
                "name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1},
                "description": format!("The {name} of the object."),
            }));
        }
    }
    if !parameters.is_empty() {
        item.insert("parameters".to_owned(), parameters.into());
    }
    Value::Object(item)
}

fn operation(path: &Path, action: Action) -> Value {
    let parameters: Vec<Value> = action
        .parameters()
        .into_iter()
        .map(|one| json!({"name": one.name, "in": "query", "schema": one.schema(), "description": one.words}))
        .collect();
    let (kind, version) = (path.kind, path.version);
    let mut responses = Map::new();
    for code in action.codes() {
        let description = if *code == "201" { "Created" } else { "OK" };
        let schema = answer(path, action);
        responses.insert(
            (*code).to_owned(),
            json!({"description": description, "content": {JSON: {"schema": schema}}}),
        );
    }
    responses.insert("default".to_owned(), failure());
    let mut operation = json!({
        "operationId": path.operation_id(action), "description": sentence(kind, action, path.suffix),
        "tags": [path.kind.as_str()], "parameters": parameters, "responses": responses,
        "x-kubernetes-action": action.name(),
        "x-kubernetes-group-version-kind": {"group": kind.group(), "version": version, "kind": kind.as_str()},
    });
    if let Some(body) = body(path, action) {
        operation["requestBody"] = body;
    }
    operation
}

fn answer(path: &Path, action: Action) -> Value {
    match action {
        Action::List => DIALECT.reference(&component_of_list(path.kind, path.version)),
        Action::DeleteCollection | Action::Delete => json!({"type": "object"}),
        Action::Create | Action::Get | Action::Replace | Action::Patch => {
            DIALECT.reference(&component(path.kind, path.version))
        }
    }
}

fn body(path: &Path, action: Action) -> Option<Value> {
    let object = || DIALECT.reference(&component(path.kind, path.version));
    match action {
        Action::List | Action::Get => None,
        Action::Create | Action::Replace => Some(
            json!({"required": true, "content": {JSON: {"schema": object()}, YAML: {"schema": object()}}}),
        ),
        Action::Patch => {
            let content: Map<String, Value> = patch_types(path.kind)
                .into_iter()
                .map(|media| {
                    let schema = if media == JSON_PATCH { operations() } else { DIALECT.meta("Patch") };
                    (media.to_owned(), json!({"schema": schema}))
                })
                .collect();
            Some(json!({"required": true, "content": content}))
        }
        Action::Delete | Action::DeleteCollection => {
            Some(json!({"content": {JSON: {"schema": DIALECT.meta("DeleteOptions")}}}))
        }
    }
}

fn operations() -> Value {
    json!({
        "type": "array",
        "items": {
            "type": "object", "required": ["op", "path"],
            "properties": {
                "op": {"type": "string", "enum": ["add", "remove", "replace", "move", "copy", "test"]},
                "path": {"type": "string"}, "from": {"type": "string"}, "value": {},
            },
        },
    })
}

/// What an operation does, in words.
pub fn sentence(kind: KindName, action: Action, suffix: &str) -> String {
    let plural = kind.plural();
    let part = if suffix == "Status" { "the status of " } else { "" };
    match action {
        Action::List if suffix.is_empty() => format!("list or watch {plural}"),
        Action::List => format!("list or watch {plural} of all namespaces"),
        Action::Create => format!("make one of the {plural}"),
        Action::DeleteCollection => format!("delete several {plural}"),
        Action::Get => format!("read {part}one of the {plural}"),
        Action::Replace => format!("replace {part}one of the {plural}"),
        Action::Patch => format!("change {part}one of the {plural}"),
        Action::Delete => format!("delete one of the {plural}"),
    }
}
