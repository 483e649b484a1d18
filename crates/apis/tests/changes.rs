//! Changes with what they mean, as a table: whoever calls today and breaks tomorrow must be in the report.

use apis::diff::{Change, Class, compare};
use apis::{Description, Document};
use serde_json::{Value, json};

use Class::{Breaking, Compatible, Unknown};

fn read(document: &Value) -> Description {
    Description::read(&[Document::new("api.json", document.to_string())])
        .unwrap_or_else(|problems| panic!("{problems:?}\n{document}"))
}

/// A description with one operation, `POST /it`.
fn operation(operation: &Value) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "t", "version": "1" },
        "paths": { "/it": { "post": operation } },
        "components": {
            "securitySchemes": {
                "key": { "type": "apiKey", "in": "header", "name": "k" },
                "auth": { "type": "oauth2", "flows": {} },
            },
            "schemas": {
                "Cat": { "type": "object", "properties": { "kind": { "const": "cat" } }, "required": ["kind"] },
                "Dog": { "type": "object", "properties": { "kind": { "const": "dog" } }, "required": ["kind"] },
                "Tree": { "type": "object", "properties": { "inner": { "$ref": "#/components/schemas/Tree" } } },
            },
        },
    })
}

fn request(schema: &Value) -> Value {
    operation(&json!({
        "requestBody": { "content": { "application/json": { "schema": schema } } },
        "responses": { "204": { "description": "d" } },
    }))
}

fn answer(schema: &Value) -> Value {
    operation(&json!({
        "responses": { "200": { "description": "d", "content": { "application/json": { "schema": schema } } } },
    }))
}

fn changes(old: &Value, new: &Value) -> Vec<Change> {
    compare(&read(old), &read(new))
}

/// The worst of all changes; nothing when nothing has changed.
fn worst(changes: &[Change]) -> Option<Class> {
    changes.iter().map(|change| change.class).min()
}

/// Old schema, new schema, what that means in a request, what it means in an answer; `None`: nothing has changed.
type Row = (Value, Value, Option<Class>, Option<Class>);

#[rustfmt::skip] // the table is the point
fn schemas() -> Vec<Row> {
    let (b, c, u, n) = (Some(Breaking), Some(Compatible), Some(Unknown), None);
    let of = |properties: Value| json!({ "type": "object", "properties": properties });
    vec![
        // types
        (json!({"type": "string"}), json!({"type": "integer"}), b, b),
        (json!({"type": "integer"}), json!({"type": "number"}), c, b),
        (json!({"type": "number"}), json!({"type": "integer"}), b, c),
        (json!({"type": "string"}), json!({"type": ["string", "null"]}), c, b),
        (json!({"type": ["string", "null"]}), json!({"type": "string"}), b, c),
        (json!({}), json!({"type": "string"}), b, c),
        (json!({"type": "string"}), json!({}), c, b),
        (json!({"type": "array"}), json!({"type": "object"}), b, b),
        (json!(true), json!(false), b, c),
        (json!({"type": "string", "title": "a"}), json!({"type": "string", "description": "b", "examples": ["x"]}), n, n),
        // choices
        (json!({"enum": ["a", "b"]}), json!({"enum": ["a"]}), b, c),
        (json!({"enum": ["a"]}), json!({"enum": ["a", "b"]}), c, b),
        (json!({"enum": ["a", "b"]}), json!({"enum": ["b", "a"]}), n, n),
        (json!({"enum": ["a"]}), json!({"enum": ["b"]}), b, b),
        (json!({"type": "string"}), json!({"type": "string", "enum": ["a"]}), b, c),
        (json!({"type": "string", "enum": ["a"]}), json!({"type": "string"}), c, b),
        (json!({"const": 1}), json!({"const": 2}), b, b),
        (json!({"const": 1}), json!({"enum": [1, 2]}), c, b),
        (json!({"enum": [1]}), json!({"const": 1.0}), n, n),
        // numbers
        (json!({"minimum": 1}), json!({"minimum": 2}), b, c),
        (json!({"minimum": 2}), json!({"minimum": 1}), c, b),
        (json!({"minimum": 1}), json!({"exclusiveMinimum": 1}), b, c),
        (json!({"exclusiveMinimum": 1}), json!({"minimum": 1}), c, b),
        (json!({}), json!({"maximum": 9}), b, c),
        (json!({"maximum": 9}), json!({}), c, b),
        (json!({"maximum": 9}), json!({"maximum": 8}), b, c),
        (json!({"maximum": 9}), json!({"maximum": 10}), c, b),
        (json!({"maximum": 9}), json!({"maximum": 9.0}), n, n),
        (json!({"multipleOf": 2}), json!({"multipleOf": 4}), b, c),
        (json!({"multipleOf": 4}), json!({"multipleOf": 2}), c, b),
        (json!({"multipleOf": 2}), json!({"multipleOf": 3}), b, b),
        (json!({"multipleOf": 2}), json!({}), c, b),
        (json!({"type": "integer", "format": "int32"}), json!({"type": "integer", "format": "int64"}), c, b),
        (json!({"type": "integer", "format": "int64"}), json!({"type": "integer", "format": "int32"}), b, c),
        // text
        (json!({"minLength": 1}), json!({"minLength": 2}), b, c),
        (json!({"minLength": 1}), json!({}), c, b),
        (json!({"maxLength": 9}), json!({"maxLength": 8}), b, c),
        (json!({"maxLength": 9}), json!({}), c, b),
        (json!({}), json!({"minLength": 0}), n, n),
        (json!({"type": "string"}), json!({"type": "string", "pattern": "^a$"}), b, c),
        (json!({"type": "string", "pattern": "^a$"}), json!({"type": "string"}), c, b),
        (json!({"type": "string", "pattern": "^a$"}), json!({"type": "string", "pattern": "^b$"}), u, u),
        (json!({"type": "string"}), json!({"type": "string", "format": "date"}), b, c),
        (json!({"type": "string", "format": "date"}), json!({"type": "string"}), c, b),
        (json!({"type": "string", "format": "date"}), json!({"type": "string", "format": "date-time"}), u, u),
        // lists
        (json!({"type": "array", "items": {"type": "string"}}), json!({"type": "array", "items": {"type": "integer"}}), b, b),
        (json!({"type": "array"}), json!({"type": "array", "items": {"type": "string"}}), b, c),
        (json!({"type": "array", "items": {"type": "string"}}), json!({"type": "array"}), c, b),
        (json!({"minItems": 1}), json!({"minItems": 2}), b, c),
        (json!({"maxItems": 2}), json!({"maxItems": 1}), b, c),
        (json!({"maxItems": 2}), json!({"maxItems": 3}), c, b),
        (json!({"type": "array"}), json!({"type": "array", "uniqueItems": true}), b, c),
        (json!({"type": "array", "uniqueItems": true}), json!({"type": "array"}), c, b),
        (json!({"type": "array"}), json!({"type": "array", "contains": {"const": 1}}), u, u),
        (json!({"prefixItems": [{"type": "string"}]}), json!({"prefixItems": [{"type": "integer"}]}), u, u),
        // objects
        (of(json!({"a": {}})), of(json!({"a": {}, "b": {}})), c, c),
        (of(json!({"a": {}, "b": {}})), of(json!({"a": {}})), b, b),
        (of(json!({"a": {"type": "string"}})), of(json!({"a": {"type": "integer"}})), b, b),
        (of(json!({"a": {"properties": {"b": {"type": "string"}}}})), of(json!({"a": {"properties": {"b": {"type": "boolean"}}}})), b, b),
        (of(json!({"a": {}})), json!({"type": "object", "properties": {"a": {}}, "required": ["a"]}), b, c),
        (json!({"type": "object", "properties": {"a": {}}, "required": ["a"]}), of(json!({"a": {}})), c, b),
        (of(json!({})), json!({"type": "object", "properties": {"a": {}}, "required": ["a"]}), b, c),
        (json!({"type": "object"}), json!({"type": "object", "additionalProperties": false}), b, c),
        (json!({"type": "object", "additionalProperties": false}), json!({"type": "object"}), c, b),
        (json!({"type": "object", "additionalProperties": false}), json!({"type": "object", "additionalProperties": false, "properties": {"a": {}}}), c, b),
        (json!({"type": "object"}), json!({"type": "object", "additionalProperties": {"type": "string"}}), b, c),
        (json!({"type": "object", "additionalProperties": {"type": "string"}}), json!({"type": "object"}), c, b),
        (json!({"additionalProperties": {"type": "string"}}), json!({"additionalProperties": {"type": "integer"}}), b, b),
        (json!({"minProperties": 1}), json!({"minProperties": 2}), b, c),
        (json!({"maxProperties": 2}), json!({"maxProperties": 1}), b, c),
        (json!({"propertyNames": {"minLength": 1}}), json!({"propertyNames": {"minLength": 2}}), u, u),
        (json!({"patternProperties": {"^a": {}}}), json!({"patternProperties": {"^a": {"type": "string"}}}), u, u),
        (json!({"dependentRequired": {"a": ["b"]}}), json!({"dependentRequired": {"a": ["c"]}}), u, u),
        (json!({"type": "object", "unevaluatedProperties": false}), json!({"type": "object"}), c, b),
        // one way only
        (of(json!({"a": {"readOnly": true}})), of(json!({})), n, b),
        (of(json!({"a": {"writeOnly": true}})), of(json!({})), b, n),
        (of(json!({})), of(json!({"a": {"readOnly": true}})), n, c),
        (of(json!({"a": {}})), of(json!({"a": {"readOnly": true}})), b, n),
        (of(json!({"a": {}})), of(json!({"a": {"writeOnly": true}})), n, b),
        (of(json!({"a": {"type": "string", "readOnly": true}})), json!({"type": "object", "properties": {"a": {"type": "string", "readOnly": true}}, "required": ["a"]}), n, c),
        (json!({"type": "object", "required": ["a"], "properties": {"a": {"readOnly": true}}}), json!({"type": "object", "required": ["a"], "properties": {"a": {}}}), b, n),
        // the same said elsewhere, and alternatives
        (json!({"allOf": [{"type": "string"}, {"minLength": 1}]}), json!({"type": "string", "minLength": 1}), n, n),
        (of(json!({"a": {"type": "string"}})), json!({"allOf": [{"type": "object"}, {"properties": {"a": {"type": "string"}}}]}), n, n),
        (json!({"allOf": [{"minLength": 1}]}), json!({"allOf": [{"minLength": 1}, {"maxLength": 5}]}), b, c),
        (json!({"$ref": "#/components/schemas/Cat"}), json!({"$ref": "#/components/schemas/Dog"}), b, b),
        (json!({"$ref": "#/components/schemas/Tree"}), json!({"$ref": "#/components/schemas/Tree"}), n, n),
        (json!({"$ref": "#/components/schemas/Tree"}), json!({"type": "string"}), b, b),
        (json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}), json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}), n, n),
        (json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}), json!({"anyOf": [{"type": "string"}]}), b, c),
        (json!({"anyOf": [{"type": "string"}]}), json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}), c, b),
        (json!({"oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]}), json!({"oneOf": [{"$ref": "#/components/schemas/Cat"}]}), b, c),
        (json!({"oneOf": [{"$ref": "#/components/schemas/Cat"}]}), json!({"oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]}), c, b),
        (json!({"oneOf": [{"type": "string", "maxLength": 5}, {"type": "integer"}]}), json!({"oneOf": [{"type": "string", "maxLength": 4}, {"type": "integer"}]}), b, c),
        (json!({"type": "string"}), json!({"type": "string", "anyOf": [{"minLength": 1}]}), u, u),
        (json!({"not": {"const": 1}}), json!({"not": {"const": 2}}), u, u),
        (json!({"if": {"const": 1}, "then": {"type": "integer"}}), json!({}), u, u),
        (json!({"oneOf": [{"$ref": "#/components/schemas/Cat"}], "discriminator": {"propertyName": "kind"}}), json!({"oneOf": [{"$ref": "#/components/schemas/Cat"}], "discriminator": {"propertyName": "sort"}}), u, u),
    ]
}

/// What an operation says, what it says then, what that means.
#[rustfmt::skip] // the table is the point
fn operations() -> Vec<(Value, Value, Option<Class>)> {
    let (b, c, n) = (Some(Breaking), Some(Compatible), None);
    let with = |more: Value| {
        let mut operation = json!({ "responses": { "200": { "description": "d" } } });
        for (name, value) in more.as_object().into_iter().flatten() {
            operation[name] = value.clone();
        }
        operation
    };
    let query = |more: Value| {
        let mut parameter = json!({ "name": "q", "in": "query", "schema": { "type": "string" } });
        for (name, value) in more.as_object().into_iter().flatten() {
            parameter[name] = value.clone();
        }
        with(json!({ "parameters": [parameter] }))
    };
    let body = |required: bool, kind: &str| with(json!({ "requestBody": { "required": required, "content": { kind: {} } } }));
    let answers = |responses: Value| json!({ "responses": responses });
    let head = |headers: Value| answers(json!({ "200": { "description": "d", "headers": headers } }));
    let safe = |security: Value| with(json!({ "security": security }));
    let json_body = json!({ "application/json": {} });
    vec![
        (with(json!({})), with(json!({})), n),
        (with(json!({})), with(json!({"summary": "s", "description": "x", "tags": ["t"]})), n),
        (with(json!({})), with(json!({"deprecated": true})), c),
        (with(json!({"operationId": "a"})), with(json!({"operationId": "b"})), c),
        // parameters
        (with(json!({})), query(json!({})), c),
        (with(json!({})), query(json!({"required": true})), b),
        (query(json!({})), with(json!({})), b),
        (query(json!({})), query(json!({"required": true})), b),
        (query(json!({"required": true})), query(json!({})), c),
        (query(json!({})), query(json!({"schema": {"type": "string", "maxLength": 3}})), b),
        (query(json!({})), query(json!({"schema": {"type": ["string", "null"]}})), c),
        (query(json!({})), query(json!({"in": "header"})), b),
        (query(json!({})), query(json!({"name": "r"})), b),
        (query(json!({})), query(json!({"style": "pipeDelimited"})), b),
        (query(json!({})), query(json!({"explode": false})), b),
        (query(json!({})), query(json!({"deprecated": true})), c),
        // bodies of requests
        (with(json!({})), body(true, "application/json"), b),
        (with(json!({})), body(false, "application/json"), c),
        (body(false, "application/json"), body(true, "application/json"), b),
        (body(true, "application/json"), body(false, "application/json"), c),
        (body(false, "application/json"), with(json!({})), b),
        (body(false, "application/json"), body(false, "application/xml"), b),
        // answers
        (answers(json!({"200": {"description": "d"}})), answers(json!({"201": {"description": "d"}})), b),
        (answers(json!({"200": {"description": "d"}})), answers(json!({"200": {"description": "d"}, "202": {"description": "d"}})), b),
        (answers(json!({"200": {"description": "d"}})), answers(json!({"200": {"description": "d"}, "404": {"description": "d"}})), c),
        (answers(json!({"200": {"description": "d"}, "404": {"description": "d"}})), answers(json!({"200": {"description": "d"}})), c),
        (answers(json!({"200": {"description": "d"}})), answers(json!({"200": {"description": "e"}})), n),
        (answers(json!({"200": {"description": "d", "content": json_body}})), answers(json!({"200": {"description": "d"}})), b),
        (answers(json!({"200": {"description": "d"}})), answers(json!({"200": {"description": "d", "content": json_body}})), c),
        (answers(json!({"200": {"description": "d", "content": json_body}})), answers(json!({"200": {"description": "d", "content": {"text/plain": {}}}})), b),
        (answers(json!({"default": {"description": "d"}})), answers(json!({"200": {"description": "d"}})), b),
        // heads of answers
        (head(json!({"x": {"schema": {}}})), head(json!({})), b),
        (head(json!({})), head(json!({"x": {"schema": {}}})), c),
        (head(json!({"x": {"required": true, "schema": {}}})), head(json!({"x": {"schema": {}}})), b),
        (head(json!({"x": {"schema": {"type": "integer"}}})), head(json!({"x": {"schema": {"type": "string"}}})), b),
        // credentials
        (safe(json!([])), safe(json!([{"key": []}])), b),
        (safe(json!([{"key": []}])), safe(json!([])), c),
        (safe(json!([{"key": []}])), safe(json!([{"key": []}, {"auth": []}])), c),
        (safe(json!([{"key": []}, {"auth": []}])), safe(json!([{"key": []}])), b),
        (safe(json!([{"key": []}])), safe(json!([{"key": [], "auth": []}])), b),
        (safe(json!([{"auth": ["read"]}])), safe(json!([{"auth": ["read", "write"]}])), b),
        (safe(json!([{"auth": ["read", "write"]}])), safe(json!([{"auth": ["read"]}])), c),
        (safe(json!([{"key": []}])), safe(json!([{}, {"key": []}])), c),
    ]
}

#[test]
fn every_change_of_a_schema_is_told_for_what_it_means_to_callers() {
    let mut wrong = Vec::new();
    for (old, new, in_request, in_answer) in schemas() {
        for (make, direction, expected) in
            [(request as fn(&Value) -> Value, "request", in_request), (answer, "answer", in_answer)]
        {
            let found = changes(&make(&old), &make(&new));
            if worst(&found) != expected {
                wrong.push(format!("{direction} {old} -> {new}: expected {expected:?}, found {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_change_of_an_operation_is_told_for_what_it_means_to_callers() {
    let mut wrong = Vec::new();
    for (old, new, expected) in operations() {
        let found = changes(&operation(&old), &operation(&new));
        if worst(&found) != expected {
            wrong.push(format!("{old} -> {new}: expected {expected:?}, found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_table_is_as_long_as_was_promised() {
    let labelled = 2 * schemas().len() + operations().len();
    assert!(labelled >= 120, "{labelled}");
}

#[test]
fn operations_are_followed_by_their_key_and_not_by_the_names_of_parameters() {
    let paths = |paths: Value| json!({ "openapi": "3.1.0", "info": { "title": "t", "version": "1" }, "paths": paths });
    let get = |name: &str| {
        let parameter =
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
        json!({ "get": { "parameters": [parameter], "responses": { "200": { "description": "d" } } } })
    };
    let old = paths(json!({ "/pets/{id}": get("id"), "/cats": { "get": { "responses": {} } } }));
    let new = paths(json!({ "/pets/{name}": get("name"), "/dogs": { "get": { "responses": {} } } }));

    let found = changes(&old, &new);

    let told: Vec<(Class, &str, &str)> = found
        .iter()
        .map(|change| (change.class, change.operation.as_ref().map_or("", |key| key.as_str()), change.rule))
        .collect();
    assert_eq!(
        told,
        [(Breaking, "GET /cats", "operation-removed"), (Compatible, "GET /dogs", "operation-added")]
    );
}

#[test]
fn a_change_names_its_place_down_to_the_property() {
    let of = |kind: &str| {
        answer(
            &json!({ "type": "array", "items": { "properties": { "tags": { "items": { "type": kind } } } } }),
        )
    };
    let found = changes(&of("string"), &of("integer"));
    assert!(found.iter().all(|change| change.place == "answer 200 application/json /*/tags/*"), "{found:#?}");
}
