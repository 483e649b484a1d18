//! Promises about APIs: descriptions become routes, versions are told apart, live and end, and mocks stand in.
//!
//! No test of this file starts a process, see `up.rs`.

mod scene;

use std::net::SocketAddr;

use scene::{echo, free_address, get};
use selvedge::up::{Running, Source, UpOptions};
use serde_json::Value;

const PETSTORE: &str = include_str!("../../../examples/petstore/petstore.yaml");

/// What a test says of a version: fields of its spec, and what answers.
struct Scene<'a> {
    address: SocketAddr,
    spec: &'a str,
    binding: &'a str,
}

fn gateway(address: SocketAddr) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: selvedge }}
spec: {{ controllerName: selvedge.dev/gateway-controller }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: edge }}
spec:
  gatewayClassName: selvedge
  addresses: [{{ type: IPAddress, value: {} }}]
  listeners: [{{ name: http, protocol: HTTP, port: {} }}]
---
apiVersion: product.selvedge.dev/v1alpha1
kind: API
metadata: {{ name: petstore }}
spec: {{ title: Petstore }}
",
        address.ip(),
        address.port()
    )
}

fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: product.selvedge.dev/v1alpha1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec: {spec}\n"
    )
}

fn revision(name: &str, version: &str, text: &str) -> String {
    let text = Value::from(text);
    object(
        "APIRevision",
        name,
        &format!(
            "{{ api: petstore, version: {version}, documents: [{{ name: petstore.yaml, content: {text} }}] }}"
        ),
    )
}

fn version(name: &str, more: &str) -> String {
    object("APIVersion", name, &format!("{{ api: petstore, parentRefs: [{{ name: edge }}], {more} }}"))
}

impl Scene<'_> {
    fn yaml(&self) -> String {
        let mut yaml = gateway(self.address);
        yaml.push_str(&revision("one", "petstore-v1", PETSTORE));
        yaml.push_str(&version("petstore-v1", self.spec));
        yaml.push_str(&object(
            "APIBinding",
            "petstore-v1",
            &format!("{{ version: petstore-v1, {} }}", self.binding),
        ));
        yaml
    }
}

fn start(yaml: &str) -> Running {
    Running::start(UpOptions { source: Source::Text(yaml.to_owned()), ..UpOptions::default() })
        .expect("it starts")
}

const LIVE: &str = "label: v1, state: Published, revision: one, selector: { path: /v1 }";
const MOCK: &str = "default: { mock: {} }";

fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let (line, fields) = request.split_once('\n').unwrap_or((request, ""));
    let fields: String = fields.lines().map(|field| format!("\r\n{field}")).collect();
    get(address, &format!("{line} HTTP/1.1\r\nHost: a.example{fields}"))
}

fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body}"))
}

#[test]
fn every_operation_of_a_description_is_answered_by_its_mock() {
    let address = free_address();
    let _up = start(&Scene { address, spec: LIVE, binding: MOCK }.yaml());

    let (status, body) = ask(address, "GET /petstore/v1/pets");
    assert_eq!((status, &json(&body)[0]["name"]), (200, &Value::from("Mika")), "{body}");
    let (status, body) = ask(address, "GET /petstore/v1/pets/7");
    assert_eq!((status, &json(&body)["kind"]), (200, &Value::from("cat")), "{body}");
    let (status, body) = ask(address, "GET /petstore/v1/pets/mine");
    assert_eq!((status, json(&body)), (200, Value::Array(Vec::new())), "a written segment beats a parameter");
    assert_eq!(ask(address, "DELETE /petstore/v1/pets/7").0, 204);
    assert_eq!(ask(address, "GET /petstore/v1/pets/7/toys").0, 404);
    assert_eq!(ask(address, "GET /pets").0, 404);
}

#[test]
fn a_request_that_breaks_the_description_is_told_how() {
    let address = free_address();
    let _up = start(&Scene { address, spec: LIVE, binding: MOCK }.yaml());
    let post = |body: &str| {
        let length = body.len();
        let head = "POST /petstore/v1/pets HTTP/1.1\r\nHost: a\r\nContent-Type: application/json";
        get(address, &format!("{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"))
    };

    assert_eq!(post(r#"{"name":"Luna","kind":"cat"}"#).0, 201);
    assert_eq!(post(r#"{"kind":"cat"}"#).0, 422);
    assert_eq!(ask(address, "GET /petstore/v1/pets?limit=0").0, 422);
    assert_eq!(post(&format!("\"{}\"", "x".repeat(300 * 1024))).0, 413);
}

#[test]
fn a_path_that_has_no_such_method_says_which_it_has() {
    let address = free_address();
    let _up = start(&Scene { address, spec: LIVE, binding: MOCK }.yaml());

    let (status, body) = ask(address, "PUT /petstore/v1/pets/7");

    assert_eq!(status, 405);
    assert_eq!(json(&body)["detail"], "this path has no such method, only: DELETE, GET, HEAD");
}

#[test]
fn an_upstream_is_asked_for_the_path_of_the_operation_and_others_stay_mocked() {
    let (address, upstream) = (free_address(), echo("shop"));
    let binding = "default: { mock: {} }, operations: [{ operations: ['GET /pets/{}'], path: /base,
      backendRefs: [{ group: mesh.selvedge.dev, kind: Backend, name: shop }] }]";
    let mut yaml = Scene { address, spec: LIVE, binding }.yaml();
    yaml.push_str(&format!(
        "---\napiVersion: mesh.selvedge.dev/v1alpha1\nkind: Backend\nmetadata: {{ name: shop }}\nspec: {{ endpoints: [\"{}\"] }}\n",
        upstream.address()
    ));
    let _up = start(&yaml);

    let (status, body) = ask(address, "GET /petstore/v1/pets/7?a=b");
    assert_eq!((status, &json(&body)["name"]), (200, &Value::from("shop")), "{body}");
    let asked = json(&body);
    assert_eq!((asked["path"].as_str(), asked["query"].as_str()), (Some("/base/pets/7"), Some("a=b")));
    assert_eq!(json(&ask(address, "GET /petstore/v1/pets").1)[0]["name"], "Mika");
}

#[test]
fn versions_are_told_apart_by_header_query_and_media_type() {
    for (selector, request) in [
        ("{ header: { name: api-version, value: '2' } }", "GET /petstore/pets\napi-version: 2"),
        ("{ query: { name: v, value: '2' } }", "GET /petstore/pets?v=2"),
        (
            "{ mediaType: application/vnd.pets.v2+json }",
            "GET /petstore/pets\naccept: application/vnd.pets.v2+json, */*",
        ),
    ] {
        let address = free_address();
        let spec = "label: v1, state: Published, revision: one";
        let mut yaml = Scene { address, spec, binding: MOCK }.yaml();
        yaml.push_str(&revision("two", "petstore-v2", &PETSTORE.replace("Mika", "Nero")));
        yaml.push_str(&version(
            "petstore-v2",
            &format!("label: v2, state: Published, revision: two, selector: {selector}"),
        ));
        yaml.push_str(&object(
            "APIBinding",
            "petstore-v2",
            "{ version: petstore-v2, default: { mock: {} } }",
        ));
        let _up = start(&yaml);

        assert_eq!(json(&ask(address, "GET /petstore/pets").1)[0]["name"], "Mika", "{selector}");
        assert_eq!(json(&ask(address, request).1)[0]["name"], "Nero", "{selector}");
    }
}

#[test]
fn a_candidate_is_reached_by_those_who_ask_for_it_and_a_step_back_is_one_field() {
    let address = free_address();
    let two = revision("two", "petstore-v1", &PETSTORE.replace("Mika", "Nero"));
    let scene = |spec: &str| Scene { address, spec, binding: MOCK }.yaml() + &two;
    let up = start(&scene("label: v1, state: Published, revision: one, candidate: two"));
    let name = |request: &str| json(&ask(address, request).1)[0]["name"].clone();

    assert_eq!(name("GET /petstore/pets"), "Mika");
    assert_eq!(name("GET /petstore/pets\nselvedge-revision: two"), "Nero");
    up.apply_text(&scene("label: v1, state: Published, revision: two")).expect("sound");
    assert_eq!(name("GET /petstore/pets"), "Nero");
    up.apply_text(&scene("label: v1, state: Published, revision: one")).expect("sound");
    assert_eq!(name("GET /petstore/pets"), "Mika");
}

#[test]
fn the_last_description_that_could_be_read_stays_in_use() {
    let address = free_address();
    let up = start(&Scene { address, spec: LIVE, binding: MOCK }.yaml());
    let broken = Scene { address, spec: &LIVE.replace("one", "two"), binding: MOCK }.yaml()
        + &revision("two", "petstore-v1", &PETSTORE.replace("/pets/{petId}:", "/pets/{petId:"));

    up.apply_text(&broken).expect("it is stored");

    assert_eq!(ask(address, "GET /petstore/v1/pets").0, 200);
    let told: String = up
        .conditions()
        .iter()
        .flat_map(|object| {
            let name = object.resource.key.name.clone();
            object
                .status
                .conditions()
                .map(|(_, one)| format!("{name}: {}\n", one.message))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(told.contains("petstore-v1: APIRevision `two` cannot be read"), "{told}");
    assert!(told.contains("`one` stays in use"), "{told}");
    assert!(told.contains("two:   petstore.yaml:"), "{told}");
}

/// The head of an answer.
fn head(address: SocketAddr, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(scene::PATIENCE)).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.to_ascii_lowercase()
}

#[test]
fn a_version_says_that_it_will_end_and_then_that_it_has_ended() {
    let address = free_address();
    let spec = |state: &str| {
        format!(
            "label: v1, state: {state}, revision: one, selector: {{ path: /v1 }}, deprecatedAt: 2026-12-01T00:00:00Z,
             sunset: 2027-06-01T00:00:00Z, successor: petstore-v2"
        )
    };
    let scene = |spec: &str| {
        Scene { address, spec, binding: MOCK }.yaml()
            + &version("petstore-v2", "label: v2, selector: { path: /v2 }")
    };
    let up = start(&scene(&spec("Deprecated")));

    let told = head(address, "/petstore/v1/pets");
    assert!(told.starts_with("http/1.1 200"), "{told}");
    assert!(told.contains("\r\ndeprecation: @1796083200\r\n"), "{told}");
    assert!(told.contains("\r\nsunset: tue, 01 jun 2027 00:00:00 gmt\r\n"), "{told}");
    assert!(told.contains("\r\nlink: </petstore/v2>; rel=\"successor-version\"\r\n"), "{told}");

    up.apply_text(&scene(&spec("Retired"))).expect("sound");
    let told = head(address, "/petstore/v1/pets/7");
    assert!(told.starts_with("http/1.1 410"), "{told}");
    assert!(told.contains("\"successor\":\"/petstore/v2\""), "{told}");
    assert!(told.contains("link: </petstore/v2>; rel=\"successor-version\""), "{told}");
}

#[test]
fn a_version_that_is_held_answers_503_and_a_draft_nothing() {
    let address = free_address();
    let up = start(&Scene { address, spec: &format!("{LIVE}, hold: true"), binding: MOCK }.yaml());

    let (status, body) = ask(address, "GET /petstore/v1/pets");
    assert_eq!((status, &json(&body)["type"]), (503, &Value::from("urn:selvedge:api:held")), "{body}");

    let draft = LIVE.replace("Published", "Draft");
    up.apply_text(&Scene { address, spec: &draft, binding: MOCK }.yaml()).expect("sound");
    assert_eq!(ask(address, "GET /petstore/v1/pets").0, 404);
}
