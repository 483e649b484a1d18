//! Shims out of two descriptions: what is mechanical is found and proved, what is not is told.

use apis::shim::{Suggestion, prove, suggest};
use apis::{Description, Document};
use serde_json::{Value, json};

use super::{NEW, OLD};

fn read(text: &str) -> Description {
    Description::read(&[Document::new("api.yaml", text)]).unwrap_or_else(|wrong| panic!("{wrong:?}\n{text}"))
}

/// A description with one operation at a path, its parameters, and schemas of what goes in and comes out.
fn described((method, path): (&str, &str), parameters: Value, body: Option<Value>, answer: Value) -> String {
    let mut operation = json!({
        "parameters": parameters,
        "responses": { "200": { "description": "fine", "content": { "application/json": { "schema": answer } } } },
    });
    if let Some(body) = body {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": body } } });
    }
    json!({ "openapi": "3.1.0", "info": { "title": "t", "version": "1" }, "paths": { path: { method: operation } } })
        .to_string()
}

fn object(properties: Value) -> Value {
    let required: Vec<&String> = properties.as_object().expect("an object").keys().collect();
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

/// The suggestion for two descriptions, and the first message that it does not serve.
fn suggested(old: &str, new: &str) -> (Suggestion, Option<String>) {
    let (old, new) = (read(old), read(new));
    let found = suggest("v2", &old.operations, &new.operations);
    let proof = prove("suggested", &found.shim, (&old.operations, &new.operations), &[])
        .unwrap_or_else(|wrong| panic!("a shim that is none: {wrong:?}\n{found:#?}"));
    assert!(proof.requests > 0, "nothing was tried");
    let failed = proof.failed.first();
    (found, failed.map(|failed| format!("{failed:#?}")))
}

fn told(found: &Suggestion) -> Vec<String> {
    found.doubts.iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_of_two_versions_gets_a_shim_that_is_proved() {
    let (found, failed) = suggested(OLD, NEW);

    assert_eq!(failed, None, "{:#?}", found.shim);
    let told = told(&found);
    for guess in [
        "guessed: POST /pets: becomes PUT /animals",
        "guessed: POST /pets, request /name: becomes `title`",
        "guessed: POST /pets, request /status: `open` becomes `AVAILABLE`",
        "guessed: GET /pets, query parameter limit: becomes query parameter `page-size`",
    ] {
        assert!(told.iter().any(|one| one == guess), "{guess} in {told:#?}");
    }
}

#[test]
fn whatever_is_mechanical_about_a_body_is_found_both_ways() {
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "integer", "minimum": 1, "maximum": 999 });
    let digits = || json!({ "type": "string", "pattern": "^[1-9][0-9]{0,2}$" });
    for (name, one, other) in [
        (
            "another notation",
            object(json!({ "pageSize": number() })),
            object(json!({ "page_size": number() })),
        ),
        (
            "another name",
            object(json!({ "a": text(), "n": number() })),
            object(json!({ "b": text(), "n": number() })),
        ),
        ("another type", object(json!({ "id": digits() })), object(json!({ "id": number() }))),
        (
            "other words for choices",
            object(json!({ "state": { "enum": ["on-sale", "sold", "gone"] } })),
            object(json!({ "state": { "enum": ["ON_SALE", "SOLD", "LOST"] } })),
        ),
        (
            "a level more",
            object(json!({ "id": number(), "ownerName": text() })),
            object(json!({ "id": number(), "owner": object(json!({ "name": text() })) })),
        ),
        (
            "an envelope",
            object(json!({ "id": number() })),
            object(json!({ "data": object(json!({ "id": number() })) })),
        ),
        (
            "a list in an envelope",
            json!({ "type": "array", "items": object(json!({ "petName": text() })) }),
            object(json!({ "items": { "type": "array", "items": object(json!({ "pet_name": text() })) } })),
        ),
        (
            "deep inside of lists and maps",
            object(json!({ "all": { "type": "array", "items": object(json!({ "firstName": text() })) } })),
            object(json!({ "all": { "type": "array", "items": object(json!({ "first_name": text() })) } })),
        ),
        (
            "a value that one side has not",
            object(json!({ "id": number() })),
            object(json!({ "id": number(), "currency": { "type": "string", "default": "EUR" } })),
        ),
    ] {
        for (one, other) in [(&one, &other), (&other, &one)] {
            let of =
                |body: &Value| described(("post", "/things"), json!([]), Some(body.clone()), body.clone());

            let (found, failed) = suggested(&of(one), &of(other));

            let loses = name == "a value that one side has not";
            assert_eq!(failed, None, "{name}: {:#?}", found.shim);
            assert_eq!(found.shim.operations.len(), 1, "{name}");
            assert!(loses || found.doubts.iter().all(|doubt| doubt.is_guess), "{name}: {:#?}", told(&found));
        }
    }
}

#[test]
fn parameters_are_followed_from_path_to_query_and_head() {
    let parameter = |place: &str, name: &str, required: bool| json!({ "name": name, "in": place, "required": required, "schema": { "type": "string", "pattern": "^[a-z]{1,9}$" } });
    let answer = object(json!({ "id": { "type": "integer" } }));
    for (old, new) in [
        (
            described(
                ("get", "/teams/{team}/pets"),
                json!([parameter("path", "team", true)]),
                None,
                answer.clone(),
            ),
            described(("get", "/pets"), json!([parameter("query", "team", true)]), None, answer.clone()),
        ),
        (
            described(("get", "/pets"), json!([parameter("query", "team", true)]), None, answer.clone()),
            described(
                ("get", "/teams/{team}/pets"),
                json!([parameter("path", "team", true)]),
                None,
                answer.clone(),
            ),
        ),
        (
            described(
                ("get", "/pets"),
                json!([parameter("query", "page_token", false)]),
                None,
                answer.clone(),
            ),
            described(
                ("get", "/animals"),
                json!([parameter("header", "Page-Token", false)]),
                None,
                answer.clone(),
            ),
        ),
        (
            described(
                ("get", "/pets/{petId}"),
                json!([parameter("path", "petId", true)]),
                None,
                answer.clone(),
            ),
            described(("get", "/v2/pets/{id}"), json!([parameter("path", "id", true)]), None, answer.clone()),
        ),
    ] {
        let (found, failed) = suggested(&old, &new);
        assert_eq!(failed, None, "{:#?}", found.shim);
        assert!(found.doubts.iter().all(|doubt| doubt.is_guess), "{:#?}", told(&found));
    }
}

#[test]
fn what_no_step_can_do_is_told() {
    let one = object(json!({ "kind": { "enum": ["cat", "dog", "bird"] }, "weight": { "type": "integer" } }));
    let other = object(json!({ "kind": { "enum": ["cat"] } }));
    let of = |path: &str, body: &Value| described(("post", path), json!([]), Some(body.clone()), json!({}));

    let (found, failed) = suggested(&of("/a", &one), &of("/a", &other));
    let all = told(&found);
    assert!(failed.is_some(), "a dog has nowhere to go");
    for part in ["not done: POST /a, request /kind: `dog` has no counterpart", "/weight: is always sent"] {
        assert!(all.iter().any(|one| one.contains(part)), "{part} in {all:#?}");
    }

    let (old, new) =
        (read(&of("/a", &one)), read(&described(("get", "/other/{id}/thing"), json!([]), None, one)));
    let found = suggest("v2", &old.operations, &new.operations);
    assert_eq!(
        told(&found),
        ["not done: POST /a: the new version has nothing like it; a shim cannot make it up"]
    );
}

#[test]
fn schemas_that_unfold_into_more_than_anybody_could_read_end() {
    let description = |leaf: &str| {
        let mut schemas = serde_json::Map::new();
        for at in 0..40 {
            let next = json!({ "$ref": format!("#/components/schemas/s{}", at + 1) });
            let properties =
                json!({ "left": next, "right": next, format!("{leaf}{at}"): { "type": "string" } });
            schemas.insert(format!("s{at}"), json!({ "type": "object", "properties": properties }));
        }
        schemas.insert("s40".to_owned(), json!({ "type": "object" }));
        let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/s0" } } });
        let answer = json!({ "200": { "description": "a tree", "content": content } });
        let paths = json!({ "/tree": { "get": { "responses": answer } } });
        let info = json!({ "title": "t", "version": "1" });
        json!({ "openapi": "3.1.0", "info": info, "paths": paths, "components": { "schemas": schemas } })
            .to_string()
    };
    let (old, new) = (read(&description("name")), read(&description("title")));

    let found = suggest("v2", &old.operations, &new.operations);

    let told = told(&found);
    assert!(told.iter().any(|one| one.contains("has more than 2000 places")), "{}", told.len());
}
