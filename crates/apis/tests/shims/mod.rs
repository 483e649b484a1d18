//! What transforms and shims promise.

mod suggested;

use apis::shim::{Fault, Proof, Side, Transform, prove};
use apis::{Description, Document, Problem, Request};
use model::kinds::ApiBinding;
use model::kinds::shim::Shim;
use model::kinds::transform::{BodyRules, Transform as Written};
use serde_json::{Value, json};

fn transform(written: Value) -> Transform {
    let written: Written = serde_json::from_value(written).expect("a transform");
    Transform::compile("p", &written, BodyRules::default()).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

/// What steps make of a body of a request.
fn body(steps: Value, body: Value) -> Result<Value, Fault> {
    let changed =
        transform(json!({ "request": { "body": steps } })).request(&Request::default(), Some(body))?;
    Ok(changed.body.expect("a body"))
}

fn mistakes(written: Value) -> Vec<String> {
    let written: Written = serde_json::from_value(written).expect("a transform");
    let wrong = Transform::compile("p", &written, BodyRules::default()).expect_err("mistakes");
    wrong.iter().map(|one| format!("{} {}", one.pointer, one.what)).collect()
}

#[test]
fn each_step_does_what_its_name_says() {
    for (step, before, after) in [
        (
            json!({ "rename": { "at": "/name", "to": "title" } }),
            json!({ "name": "a" }),
            json!({ "title": "a" }),
        ),
        (
            json!({ "rename": { "at": "/items/*/name", "to": "title" } }),
            json!({ "items": [{ "name": "a" }, { "other": 1 }] }),
            json!({ "items": [{ "title": "a" }, { "other": 1 }] }),
        ),
        (
            json!({ "move": { "from": "/owner/name", "to": "/people/owner" } }),
            json!({ "owner": { "name": "a", "age": 1 } }),
            json!({ "owner": { "age": 1 }, "people": { "owner": "a" } }),
        ),
        (
            json!({ "move": { "from": "/*/a/b", "to": "/*/c" } }),
            json!([{ "a": { "b": 1 } }, { "a": { "b": 2 } }]),
            json!([{ "a": {}, "c": 1 }, { "a": {}, "c": 2 }]),
        ),
        (json!({ "remove": { "at": "/a~1b" } }), json!({ "a/b": 1, "c": 2 }), json!({ "c": 2 })),
        (json!({ "remove": { "at": "/list/0" } }), json!({ "list": [1, 2] }), json!({ "list": [2] })),
        (json!({ "default": { "at": "/a/b", "value": 1 } }), json!({}), json!({ "a": { "b": 1 } })),
        (json!({ "default": { "at": "/a", "value": 1 } }), json!({ "a": null }), json!({ "a": null })),
        (
            json!({ "set": { "at": "/*/a", "value": [] } }),
            json!([{ "a": 1 }, {}]),
            json!([{ "a": [] }, { "a": [] }]),
        ),
        (
            json!({ "values": { "at": "/*", "map": { "open": "OPEN", "1": true } } }),
            json!(["open", 1, "else", null]),
            json!(["OPEN", true, "else", null]),
        ),
        (json!({ "wrap": { "at": "", "key": "data" } }), json!([1]), json!({ "data": [1] })),
        (
            json!({ "unwrap": { "at": "/a", "key": "value" } }),
            json!({ "a": { "value": 1 } }),
            json!({ "a": 1 }),
        ),
        (
            json!({ "type": { "at": "/*", "to": "String" } }),
            json!([1, true, "a", null]),
            json!(["1", "true", "a", null]),
        ),
        (json!({ "type": { "at": "/*", "to": "Integer" } }), json!(["12", 3.0, 4]), json!([12, 3, 4])),
        (json!({ "type": { "at": "/*", "to": "Number" } }), json!(["1.5", 2]), json!([1.5, 2])),
        (json!({ "type": { "at": "/*", "to": "Boolean" } }), json!(["true", false]), json!([true, false])),
        (json!({ "type": { "at": "/a", "to": "List" } }), json!({ "a": 1 }), json!({ "a": [1] })),
        (json!({ "type": { "at": "/a", "to": "Single" } }), json!({ "a": [1] }), json!({ "a": 1 })),
    ] {
        assert_eq!(body(json!([step]), before), Ok(after), "{step}");
    }
}

#[test]
fn a_step_that_finds_nothing_to_work_on_does_nothing() {
    for step in [
        json!({ "rename": { "at": "/x", "to": "y" } }),
        json!({ "move": { "from": "/x/y", "to": "/z" } }),
        json!({ "remove": { "at": "/x/y" } }),
        json!({ "values": { "at": "/x", "map": { "a": 1 }, "otherwise": "Refuse" } }),
        json!({ "wrap": { "at": "/x", "key": "y" } }),
        json!({ "unwrap": { "at": "/a", "key": "y" } }),
        json!({ "type": { "at": "/x/*", "to": "Integer" } }),
        json!({ "default": { "at": "/a/b", "value": 1 } }),
    ] {
        let before = json!({ "a": 1, "list": [{}] });
        assert_eq!(body(json!([step]), before.clone()), Ok(before), "{step}");
    }
}

#[test]
fn a_value_that_cannot_become_what_it_has_to_is_told_with_its_pointer() {
    for (step, pointer) in [
        (json!({ "type": { "at": "/a~1b/*", "to": "Integer" } }), "/a~1b/1"),
        (json!({ "values": { "at": "/a~1b/*", "map": { "1": 2 }, "otherwise": "Refuse" } }), "/a~1b/1"),
        (json!({ "type": { "at": "/a~1b", "to": "Single" } }), "/a~1b"),
    ] {
        let fault = body(json!([step]), json!({ "a/b": ["1", "x"] })).expect_err("a fault");
        assert_eq!(fault.pointer, pointer, "{step}: {fault}");
    }
}

#[test]
fn everything_that_cannot_be_understood_is_told_at_once_with_its_place() {
    let told = mistakes(json!({
        "request": {
            "path": { "from": "/pets/{id}", "to": "/animals/{other}" },
            "headers": { "set": [{ "name": "Content-Length", "value": "1" }] },
            "body": [
                { "rename": { "at": "name", "to": "title" } },
                { "remove": { "at": "/items/*" } },
                { "move": { "from": "/items/*/a", "to": "/b" } },
                { "move": { "from": "/a", "to": "/a/b" } },
                { "set": { "at": "/~2", "value": 1 } },
            ],
        },
        "responses": [
            { "statuses": ["2xx"], "status": 204, "moves": [{ "from": { "query": "a" }, "to": { "body": "/*" } }] },
        ],
    }));

    for part in [
        "/request/headers `content-length`",
        "/request/body/0/rename/at `name` does not begin with `/`",
        "/request/body/1/remove/at `/items/*` names no member",
        "/request/body/2/move/to `/b` and `from` must be the same up to the last `*`",
        "/request/body/3/move/to is inside of what moves",
        "/request/body/4/set/at `/~2` has a `~`",
        "/responses/0/statuses `2xx`",
        "/responses/0/status has no body by its nature",
        "/responses/0/moves/0/from an answer has only a head and a body",
        "`{other}` has no value",
    ] {
        assert!(told.iter().any(|one| one.contains(part)), "{part} in {told:#?}");
    }
    assert_eq!(told.len(), 10, "{told:#?}");
}

#[test]
fn values_move_between_path_query_head_and_body() {
    let transform = transform(json!({ "request": {
        "path": { "from": "/teams/{team}/pets", "to": "/pets/{kind}" },
        "moves": [
            { "from": { "path": "team" }, "to": { "body": "/team/name" } },
            { "from": { "query": "kind" }, "to": { "path": "kind" } },
            { "from": { "header": "X-Tenant" }, "to": { "query": "tenant" } },
            { "from": { "body": "/limit" }, "to": { "header": "x-limit" } },
        ],
    } }));
    let sent = Request {
        path: "/teams/a%20b/pets",
        query: "kind=c%2Fd&q=1",
        headers: &[("x-tenant", "t&t"), ("accept", "*/*")],
        body: b"",
    };

    let changed = transform.request(&sent, Some(json!({ "limit": 7 }))).expect("a request");

    assert_eq!(changed.path.as_deref(), Some("/pets/c%2Fd"));
    assert_eq!(changed.query.as_deref(), Some("q=1&tenant=t%26t"));
    assert_eq!(changed.headers.added, [("x-limit".to_owned(), "7".to_owned())]);
    assert_eq!(changed.body, Some(json!({ "team": { "name": "a b" } })));
}

#[test]
fn nothing_that_moves_into_a_path_or_a_head_leaves_its_place() {
    let transform = transform(json!({ "request": {
        "path": { "from": "/pets", "to": "/pets/{id}" },
        "moves": [
            { "from": { "query": "id" }, "to": { "path": "id" } },
            { "from": { "query": "note" }, "to": { "header": "x-note" } },
        ],
    } }));

    for query in ["id=..", "id=.", "id=", "other=1", "id=1&note=a%0d%0ax-admin:%201"] {
        let sent = Request { path: "/pets", query, ..Request::default() };
        assert!(transform.request(&sent, None).is_err(), "{query}");
    }
    let sent = Request { path: "/pets", query: "id=..%2F..%2Fadmin", ..Request::default() };
    assert_eq!(
        transform.request(&sent, None).expect("a request").path.as_deref(),
        Some("/pets/..%2F..%2Fadmin")
    );
}

#[test]
fn an_answer_is_changed_by_the_first_part_that_names_its_status() {
    let transform = transform(json!({ "responses": [
        { "statuses": ["201"], "status": 200, "body": [{ "wrap": { "at": "", "key": "created" } }] },
        { "statuses": ["4XX"], "headers": { "remove": ["x-debug"] } },
        { "body": [{ "wrap": { "at": "", "key": "data" } }] },
    ] }));
    let answered = |status| {
        transform
            .response(status)
            .map(|part| part.answer(&[("X-Debug", "1")], Some(json!(1))).expect("an answer"))
    };

    let created = answered(201).expect("changed");
    assert_eq!((created.status, created.body), (Some(200), Some(json!({ "created": 1 }))));
    assert_eq!(answered(200).expect("changed").body, Some(json!({ "data": 1 })));
    let refused = answered(404).expect("changed");
    assert_eq!((refused.body, refused.headers.added), (Some(json!(1)), vec![]));
    assert!(answered(500).is_none(), "without statuses only success is meant");
}

const OLD: &str = include_str!("../../../../examples/shim/pets-1.yaml");

const NEW: &str = include_str!("../../../../examples/shim/pets-2.yaml");

fn shim() -> Value {
    let read = model::yaml::read(include_str!("../../../../examples/shim/binding.yaml"), "binding.yaml");
    assert!(read.violations.is_empty(), "{}", read.violations);
    let binding = read.resources[0].content::<ApiBinding>().expect("a binding");
    let shim = binding.spec.default.as_ref().and_then(|target| target.shim.as_ref()).expect("a shim");
    serde_json::to_value(shim).expect("an object")
}

fn proved(shim: Value) -> Result<Proof, Vec<Problem>> {
    let read = |text: &str| Description::read(&[Document::new("api.yaml", text)]).expect("a description");
    let shim: Shim = serde_json::from_value(shim).expect("a shim");
    prove("shim", &shim, (&read(OLD).operations, &read(NEW).operations), &[])
}

#[test]
fn a_shim_that_says_all_that_is_different_is_proved() {
    let proof = proved(shim()).expect("a sound shim");

    assert!(proof.holds(), "{:#?}", proof.failed);
    assert_eq!(proof.untried, []);
    assert!(proof.requests >= 15 && proof.answers >= 15, "{} and {}", proof.requests, proof.answers);
}

#[test]
fn every_single_thing_that_a_shim_forgets_is_found() {
    let steps = |shim: &Value| {
        let mut places = Vec::new();
        for (at, operation) in shim["operations"].as_array().expect("operations").iter().enumerate() {
            for list in
                ["/request/body", "/responses/0/body", "/request/query/rename", "/request/query/default"]
            {
                let count = operation.pointer(list).and_then(Value::as_array).map_or(0, Vec::len);
                places.extend((0..count).map(|step| (format!("/operations/{at}{list}"), step)));
            }
        }
        places
    };
    let whole = shim();
    let places = steps(&whole);
    assert_eq!(places.len(), 2 + 6 + 5 + 5 + 5);

    for (list, step) in places {
        let mut less = whole.clone();
        let gone = less.pointer_mut(&list).and_then(Value::as_array_mut).expect("a list").remove(step);
        let proof = proved(less).expect("a sound shim");
        assert!(!proof.holds(), "nobody missed {gone} of {list}");
    }
    let mut without_path = whole.clone();
    without_path["operations"][2].as_object_mut().expect("an operation").remove("to");
    let proof = proved(without_path).expect("a sound shim");
    assert!(proof.failed.iter().all(|failed| failed.side == Side::Request), "{:#?}", proof.failed);
    assert!(!proof.holds());
}

#[test]
fn a_failing_case_shows_what_was_sent_what_became_of_it_and_where_it_is_wrong() {
    let mut forgetful = shim();
    forgetful["operations"][1]["request"]["body"][3] = json!({ "remove": { "at": "/nothing" } });

    let proof = proved(forgetful).expect("a sound shim");

    let failed = &proof.failed[0];
    assert_eq!((failed.operation.as_str(), failed.side), ("POST /pets", Side::Request));
    assert!(failed.sent.starts_with("POST /pets {"), "{}", failed.sent);
    assert!(failed.became.starts_with("PUT /animals {"), "{}", failed.became);
    assert_eq!((failed.faults[0].pointer.as_str(), failed.faults[0].rule), ("/id", "type"));
}

#[test]
fn a_shim_for_an_operation_that_is_not_there_is_told_with_what_is_like_it() {
    let wrong = proved(json!({ "version": "v2", "operations": [{ "operations": ["GET /pet"] }] }))
        .expect_err("wrong");

    assert!(
        wrong[0].what.contains("no operation `GET /pet`") && wrong[0].fix.contains("GET /pets"),
        "{wrong:?}"
    );
}
