//! The table of decisions of a mock, row by row.

use apis::mock::{self, Answer};
use apis::{Description, Document};
use serde_json::{Value, json};

fn petstore() -> Description {
    let document = Document::new("petstore.yaml", include_str!("descriptions/petstore.yaml"));
    Description::read(&[document]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A request as a person would write it down.
struct Ask {
    method: &'static str,
    target: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    seed: u64,
}

fn ask(method: &'static str, target: &'static str) -> Ask {
    Ask { method, target, headers: vec![("x-api-key", "k")], body: "", seed: 7 }
}

impl Ask {
    fn with(mut self, name: &'static str, value: &'static str) -> Ask {
        self.headers.push((name, value));
        self
    }

    fn json(mut self, body: &'static str) -> Ask {
        self.body = body;
        self.with("content-type", "application/json")
    }

    fn anonymous(mut self) -> Ask {
        self.headers.retain(|(name, _)| *name != "x-api-key");
        self
    }

    fn answer(&self) -> Answer {
        let description = petstore();
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let operation = match mock::route(&description, self.method, path) {
            Ok(operation) => operation,
            Err(answer) => return answer,
        };
        let sent = apis::Request { path, query, headers: &self.headers, body: self.body.as_bytes() };
        mock::answer(operation, &mock::Request { sent, seed: self.seed })
    }
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}

#[test]
fn each_row_of_the_table_has_its_status() {
    let good = r#"{"name": "Rex", "kind": "dog"}"#;
    let rows = [
        (ask("GET", "/pets"), 200),
        (ask("GET", "/nothing"), 404),
        (ask("PATCH", "/pets"), 405),
        (ask("GET", "/pets").anonymous(), 401),
        (ask("GET", "/pets/mine").anonymous(), 200),
        (ask("GET", "/pets?limit=0"), 422),
        (ask("GET", "/pets?limit=ten"), 422),
        (ask("GET", "/pets?limit=10&tag=a&tag=b"), 200),
        (ask("GET", "/pets").with("x-trace", "short"), 422),
        (ask("GET", "/pets/0"), 422),
        (ask("GET", "/pets/5"), 200),
        (ask("DELETE", "/pets/5"), 204),
        (ask("POST", "/pets").json(good), 201),
        (ask("POST", "/pets").json(r#"{"name": ""}"#), 422),
        (ask("POST", "/pets").json("{"), 422), // described
        (ask("PUT", "/pets/5").json("{"), 400),
        (ask("POST", "/pets"), 422),
        (Ask { body: "name=Rex", ..ask("POST", "/pets") }.with("content-type", "text/plain"), 415),
        // Who shows nothing learns nothing else.
        (ask("GET", "/pets?limit=0").anonymous(), 401),
        (ask("GET", "/pets/5").with("prefer", "code=404"), 404),
        (ask("GET", "/pets/5").with("prefer", "code=418"), 404),
        (ask("GET", "/pets/5?__code=404"), 404),
        (ask("GET", "/pets/5").with("accept", "text/html"), 406),
        (ask("GET", "/pets/5").with("accept", "text/html, */*;q=0.1"), 200),
        (ask("POST", "/pets").json(good).with("prefer", "example=bird"), 404),
    ];
    for (request, status) in rows {
        let answer = request.answer();
        assert_eq!(answer.status, status, "{} {}: {}", request.method, request.target, body(&answer));
    }
}

#[test]
fn an_example_is_chosen_by_name_and_the_first_otherwise() {
    let create = || ask("POST", "/pets").json(r#"{"name": "Rex", "kind": "dog"}"#);

    assert_eq!(body(&create().answer())["name"], "Rex");
    assert_eq!(body(&create().with("prefer", "example=cat").answer())["name"], "Mia");
}

#[test]
fn what_is_wrong_with_a_request_is_told_unless_the_description_says_otherwise() {
    let answer = ask("GET", "/pets/0").answer();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let told = body(&answer);
    assert_eq!(told["errors"][0]["in"], "path parameter `petId`");
    assert_eq!(told["errors"][0]["rule"], "minimum");

    // `POST /pets` describes its 422, so that is what comes.
    let described = body(&ask("POST", "/pets").answer());
    assert_eq!(described["title"], "string");
}

#[test]
fn who_shows_nothing_is_told_how_to() {
    assert_eq!(ask("GET", "/pets").anonymous().answer().header("www-authenticate"), Some("ApiKey"));
}

#[test]
fn the_same_seed_makes_the_same_answer_and_another_seed_another() {
    let dynamic = |seed| Ask { seed, ..ask("GET", "/pets/5") }.with("prefer", "dynamic=true").answer();

    assert_eq!(dynamic(1), dynamic(1));
    assert!((2..20).any(|seed| dynamic(seed) != dynamic(1)));
    assert_eq!(
        Ask { seed: 1, ..ask("GET", "/pets/5") }.answer(),
        Ask { seed: 2, ..ask("GET", "/pets/5") }.answer()
    );
}

#[test]
fn answers_keep_to_the_description_they_were_made_from() {
    let description = petstore();
    for operation in &description.operations {
        let path = operation.template.filled(|_| "5".to_owned());
        for (seed, prefer) in [(0, ""), (1, "dynamic=true"), (2, "dynamic=true"), (3, "dynamic=true")] {
            let headers = [("x-api-key", "k"), ("prefer", prefer), ("content-type", "application/json")];
            let sent = if operation.body.is_some() { r#"{"name": "Rex", "kind": "dog"}"# } else { "" };
            let sent = apis::Request { path: &path, query: "", headers: &headers, body: sent.as_bytes() };
            let answer = mock::answer(operation, &mock::Request { sent, seed });
            let head: Vec<(&str, &str)> =
                answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let faults = apis::check::answer(operation, answer.status, &head, &answer.body);
            assert_eq!(faults, [], "{}: {}", operation.key, body(&answer));
        }
    }
}

#[test]
fn lists_and_objects_are_read_from_text_as_their_style_says() {
    let parameter = |place: &str, more: Value| {
        let mut parameter = json!({ "name": "p", "in": place, "required": true });
        for (name, value) in more.as_object().into_iter().flatten() {
            parameter[name] = value.clone();
        }
        parameter
    };
    let list = json!({ "type": "array", "items": { "type": "integer" }, "minItems": 2 });
    let object = json!({ "type": "object", "properties": { "a": { "type": "integer" }, "b": { "type": "boolean" } }, "required": ["a", "b"], "additionalProperties": false });
    let path = "/x/{p}";
    let rows = [
        (parameter("query", json!({ "schema": list })), "/x", "p=1&p=2"),
        (parameter("query", json!({ "schema": list, "explode": false })), "/x", "p=1,2"),
        (parameter("query", json!({ "schema": list, "style": "pipeDelimited" })), "/x", "p=1%7C2"),
        (parameter("query", json!({ "schema": list, "style": "spaceDelimited" })), "/x", "p=1%202"),
        (parameter("query", json!({ "schema": object, "style": "deepObject" })), "/x", "p[a]=1&p[b]=true"),
        (parameter("query", json!({ "schema": object })), "/x", "a=1&b=true"),
        (parameter("query", json!({ "schema": object, "explode": false })), "/x", "p=a,1,b,true"),
        (
            parameter("query", json!({ "content": { "application/json": { "schema": object } } })),
            "/x",
            "p=%7B%22a%22:1,%22b%22:true%7D",
        ),
        (parameter("path", json!({ "schema": list })), "/x/1,2", ""),
        (parameter("path", json!({ "schema": list, "style": "label" })), "/x/.1,2", ""),
        (parameter("path", json!({ "schema": list, "style": "label", "explode": true })), "/x/.1.2", ""),
        (parameter("path", json!({ "schema": list, "style": "matrix" })), "/x/;p=1,2", ""),
        (parameter("path", json!({ "schema": list, "style": "matrix", "explode": true })), "/x/;p=1;p=2", ""),
        (
            parameter("path", json!({ "schema": object, "style": "matrix", "explode": true })),
            "/x/;a=1;b=true",
            "",
        ),
        (parameter("path", json!({ "schema": object })), "/x/a,1,b,true", ""),
        (parameter("path", json!({ "schema": object, "explode": true })), "/x/a=1,b=true", ""),
    ];
    for (parameter, target, query) in rows {
        let template = if parameter["in"] == "path" { path } else { "/x" };
        let document = json!({
            "openapi": "3.1.0", "info": { "title": "t", "version": "1" },
            "paths": { template: { "get": { "parameters": [parameter], "responses": { "204": { "description": "d" } } } } },
        });
        let description =
            Description::read(&[Document::new("a.json", document.to_string())]).expect("readable");
        let request = apis::Request { path: target, query, ..apis::Request::default() };
        assert_eq!(
            apis::check::request(&description.operations[0], &request),
            [],
            "{parameter} {target}?{query}"
        );
    }
}
