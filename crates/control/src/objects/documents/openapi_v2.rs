//! OpenAPI 2.0: one document for everything, for clients that know no other.

use serde_json::{Map, Value, json};

use super::components::{Dialect, component_of_list, of_kind, shared};
use super::names::{component, group_versions};
use super::openapi_v3::sentence;
use super::operations::{Action, Path, patch_types, paths};
use crate::objects::media::{JSON, YAML};

const DIALECT: Dialect = Dialect::V2;

/// `/openapi/v2`.
#[must_use]
pub fn openapi_v2() -> Value {
    let mut definitions: Map<String, Value> = shared(DIALECT).into_iter().collect();
    let mut items = Map::new();
    for one in group_versions() {
        for kind in one.kinds() {
            definitions.extend(of_kind(DIALECT, kind, one.version));
        }
        for path in paths(one) {
            items.insert(path.text.clone(), item(&path));
        }
    }
    json!({
        "swagger": "2.0",
        "info": {"title": "Selvedge", "version": env!("CARGO_PKG_VERSION")},
        "paths": items,
        "definitions": definitions,
    })
}

fn item(path: &Path) -> Value {
    let mut item = Map::new();
    for action in path.actions {
        item.insert(action.method().to_owned(), operation(path, *action));
    }
    let mut parameters = Vec::new();
    for (present, name) in [(path.in_namespace, "namespace"), (path.of_one, "name")] {
        if present {
            parameters.push(json!({"name": name, "in": "path", "required": true, "type": "string"}));
        }
    }
    if !parameters.is_empty() {
        item.insert("parameters".to_owned(), parameters.into());
    }
    Value::Object(item)
}

fn operation(path: &Path, action: Action) -> Value {
    let (kind, version) = (path.kind, path.version);
    let query = action.parameters().into_iter();
    let query =
        query.map(|one| json!({"name": one.name, "in": "query", "type": one.of, "description": one.words}));
    let parameters: Vec<Value> = body(path, action).into_iter().chain(query).collect();
    let mut responses = Map::new();
    for code in action.codes() {
        let description = if *code == "201" { "Created" } else { "OK" };
        responses
            .insert((*code).to_owned(), json!({"description": description, "schema": answer(path, action)}));
    }
    let consumes = match action {
        Action::Patch => patch_types(kind),
        Action::List
        | Action::Create
        | Action::DeleteCollection
        | Action::Get
        | Action::Replace
        | Action::Delete => vec![JSON, YAML],
    };
    json!({
        "operationId": path.operation_id(action), "description": sentence(kind, action, path.suffix),
        "consumes": consumes, "produces": [JSON], "parameters": parameters, "responses": responses,
        "x-kubernetes-action": action.name(),
        "x-kubernetes-group-version-kind": {"group": kind.group(), "version": version, "kind": kind.as_str()},
    })
}

fn answer(path: &Path, action: Action) -> Value {
    match action {
        Action::List => DIALECT.reference(&component_of_list(path.kind, path.version)),
        Action::DeleteCollection | Action::Delete => DIALECT.meta("Status"),
        Action::Create | Action::Get | Action::Replace | Action::Patch => {
            DIALECT.reference(&component(path.kind, path.version))
        }
    }
}

fn body(path: &Path, action: Action) -> Option<Value> {
    let (required, schema) = match action {
        Action::List | Action::Get => return None,
        Action::Create | Action::Replace => (true, DIALECT.reference(&component(path.kind, path.version))),
        Action::Patch => (true, DIALECT.meta("Patch")),
        Action::Delete | Action::DeleteCollection => (false, DIALECT.meta("DeleteOptions")),
    };
    Some(json!({"name": "body", "in": "body", "required": required, "schema": schema}))
}
