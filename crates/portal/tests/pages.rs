//! The pages as a browser gets them, before an API that answers from a table.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use portal::{Answered, Api, Console};
use serde_json::{Value, json};

const GROUP: &str = "/apis/gateway.networking.k8s.io/v1";
const PRODUCT: &str = "/apis/product.selvedge.dev/v1alpha1";
const TOLD: &str = "/apis/status.selvedge.dev/v1alpha1";
const PAGES: [&str; 15] = [
    "/console",
    "/console/gateways",
    "/console/routes",
    "/console/proxies",
    "/console/apis",
    "/console/apis/shop/pets-v1",
    "/console/gateways/shop/edge",
    "/console/routes/shop/cart",
    "/console/proxies/edge-1",
    "/console/mesh",
    "/console/products",
    "/console/products/shop/pets",
    "/console/applications",
    "/console/applications/shop/mobile",
    "/console/usage",
];

/// An API that knows one token and these documents, and denies the paths that hold nothing.
struct Table {
    documents: BTreeMap<String, Value>,
}

impl Api for Table {
    fn get<'a>(&'a self, target: &'a str, token: &'a str) -> Answered<'a> {
        let path = target.split('?').next().unwrap_or_default();
        let answer = match self.documents.get(path) {
            Some(document) if path.starts_with("/catalogue.") => (StatusCode::OK, document.clone()),
            _ if token != "good" => (StatusCode::UNAUTHORIZED, json!({})),
            Some(Value::Null) => (StatusCode::FORBIDDEN, json!({ "message": "no" })),
            Some(document) => (StatusCode::OK, document.clone()),
            None => (StatusCode::NOT_FOUND, json!({ "message": "none" })),
        };
        Box::pin(std::future::ready((answer.0, Bytes::from(answer.1.to_string()))))
    }
}

fn gateway() -> Value {
    json!({
        "metadata": { "namespace": "shop", "name": "edge", "labels": { "team": "front" } },
        "spec": {
            "gatewayClassName": "selvedge",
            "listeners": [{ "name": "web", "port": 8080, "protocol": "HTTP", "hostname": "*.shop.example" }],
        },
        "status": {
            "addresses": [{ "value": "203.0.113.7" }],
            "conditions": [{ "type": "Programmed", "status": "True", "reason": "Programmed", "message": "" }],
            "listeners": [{ "name": "web", "attachedRoutes": 1, "conditions": [] }],
        },
    })
}

fn route() -> Value {
    let condition = json!({
        "type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "message": "no Service shop/basket",
    });
    json!({
        "metadata": { "namespace": "shop", "name": "cart", "annotations": { "note": "written by hand" } },
        "spec": {
            "hostnames": ["www.shop.example"], "parentRefs": [{ "name": "edge" }],
            "rules": [{
                "matches": [{ "path": { "type": "PathPrefix", "value": "/cart" } }],
                "filters": [{ "type": "RequestHeaderModifier" }],
                "backendRefs": [{ "name": "basket", "port": 80 }],
            }],
        },
        "status": { "parents": [{ "parentRef": { "name": "edge" }, "conditions": [condition] }] },
    })
}

fn version() -> Value {
    json!({ "metadata": { "namespace": "shop", "name": "pets-v1" }, "spec": {
        "api": "pets", "label": "v1", "state": "Published", "revision": "pets-v1-1", "selector": { "path": "/v1" },
    }})
}

fn revision() -> Value {
    let text = "openapi: 3.1.0
info: { title: 'Pets <b>&</b> more', version: '1' }
paths:
  /pets/{id}:
    put:
      summary: Change a pet
      deprecated: true
      parameters:
        - { name: id, in: path, required: true, description: Its number, schema: { type: integer }, example: 7 }
      requestBody: { content: { application/json: { example: { name: Mika } } } }
      responses: { '204': { description: It is so } }
";
    json!({ "metadata": { "namespace": "shop", "name": "pets-v1-1" },
        "spec": { "documents": [{ "name": "pets.yaml", "content": text }] } })
}

/// Something that is sold, as its list and as itself.
fn sold(plural: &str, name: &str, spec: Value, status: Value) -> [(String, Value); 3] {
    let object = json!({ "metadata": { "namespace": "shop", "name": name }, "spec": spec, "status": status });
    let list = json!({ "metadata": { "resourceVersion": "17" }, "items": [object] });
    [
        (format!("{PRODUCT}/{plural}"), list.clone()),
        (format!("{PRODUCT}/namespaces/shop/{plural}"), list),
        (format!("{PRODUCT}/namespaces/shop/{plural}/{name}"), object),
    ]
}

fn all_sold() -> impl Iterator<Item = (String, Value)> {
    let apis = json!([{ "version": "pets-v1", "operations": ["GET /pets/{}"] }]);
    let rates = json!([{ "requests": 60, "per": "1m", "burst": 5 }]);
    let quotas = json!([{ "requests": 1000, "per": "Month", "timeZone": "Europe/Berlin" }]);
    let subscription = json!({ "application": "mobile", "product": "pets", "plan": "pets-free" });
    [
        sold("apiproducts", "pets", json!({ "title": "Pets <for> all", "state": "Published", "apis": apis }), Value::Null),
        sold(
            "plans",
            "pets-free",
            json!({ "product": "pets", "state": "Published", "credentials": ["APIKey"], "rates": rates, "quotas": quotas }),
            Value::Null,
        ),
        sold("applications", "mobile", json!({ "team": "buyers" }), json!({ "state": "Active" })),
        sold("subscriptions", "mobile-pets", subscription, json!({ "state": "Active", "holds": ["Billing"] })),
        sold(
            "credentials",
            "mobile-x7k2m",
            json!({ "application": "mobile", "type": "APIKey" }),
            json!({ "state": "Revoked", "shown": "sk_live_ab…" }),
        ),
    ]
    .into_iter()
    .flatten()
}

fn used() -> Value {
    json!({ "cut": false, "items": [{
        "application": "shop/mobile", "version": "shop/pets-v1", "operation": "GET /pets/{}", "day": "2026-11-23",
        "requests": 1204, "success": 1198, "clientErrors": 4, "serverErrors": 2, "refused": 31,
    }] })
}

fn proxy() -> Value {
    json!({ "metadata": { "name": "edge-1" }, "status": {
        "version": "0.1.0", "gateways": ["shop/edge"], "connected": true, "appliedEpoch": 12, "behindSeconds": 4.0,
        "rejections": [{ "kind": "HTTPRoute", "namespace": "shop", "name": "cart", "message": "too large" }],
        "addresses": [{ "address": "127.0.0.1:80", "error": "Permission denied" }], "warnings": ["expired"],
    }})
}

fn traffic() -> Value {
    json!({ "metadata": { "namespace": "shop", "name": "httproute.cart" }, "status": {
        "route": { "kind": "HTTPRoute", "name": "cart" },
        "requestsPerSecond": 120.5, "errorsPerSecond": 0.5, "p50Milliseconds": 1.9, "p99Milliseconds": 14.2,
    }})
}

fn mesh() -> Value {
    let replica = |name: &str, left: i64| {
        json!({
            "name": name, "proxied": true, "connected": true, "ready": true, "mtls": ["Strict"],
            "certificate": { "notAfter": "2026-11-24T09:00:00Z", "leftSeconds": left, "renewsWithinSeconds": 60, "problem": "" },
        })
    };
    let party = |name: &str, role: &str, replica: Value| {
        json!({
            "name": name, "role": role, "identity": format!("spiffe://bank.example/{role}"), "services": ["shop/cart"],
            "open": false, "replicas": [replica],
        })
    };
    let call = |from: &str, may: &str, requests: f64| {
        json!({
            "from": from, "to": "shop/cart", "may": may, "because": ["Allow shop/readers"], "connected": true,
            "requestsPerSecond": requests, "errorsPerSecond": 0.0,
        })
    };
    json!({ "metadata": { "name": "default" }, "status": {
        "trustDomain": "bank.example", "mtls": "Strict", "defaultAction": "Deny", "rotation": "Moving",
        "controlPlane": { "version": "0.1.0", "leader": true, "proxies": 2, "programmed": 1 },
        "parties": [
            party("gateway shop/edge", "Gateway", replica("edge-1", 7_300)),
            party("shop/cart", "Workload", replica("shop/cart-1", -1)),
        ],
        "calls": [call("gateway shop/edge", "Some", 42.0), call("spiffe://stranger/x", "Nothing", 0.0)],
        "partiesLeftOut": 0, "callsLeftOut": 3,
    }})
}

fn documents() -> BTreeMap<String, Value> {
    let list = |item: Value| json!({ "metadata": { "resourceVersion": "17" }, "items": [item] });
    let none = json!({ "metadata": { "resourceVersion": "17" }, "items": [] });
    let plane = json!({ "status": { "version": "0.1.0", "revision": 17, "leader": true, "proxies": 1, "programmed": 0 } });
    BTreeMap::from([
        ("/apis".to_owned(), json!({})),
        (format!("{GROUP}/gateways"), list(gateway())),
        (format!("{GROUP}/namespaces/shop/gateways/edge"), gateway()),
        (format!("{GROUP}/httproutes"), list(route())),
        (format!("{GROUP}/namespaces/shop/httproutes/cart"), route()),
        (format!("{GROUP}/gatewayclasses"), none.clone()),
        (format!("{GROUP}/backendtlspolicies"), none.clone()),
        ("/apis/mesh.selvedge.dev/v1alpha1/backends".to_owned(), none.clone()),
        ("/apis/policy.selvedge.dev/v1alpha1/resiliencepolicies".to_owned(), none.clone()),
        ("/apis/policy.selvedge.dev/v1alpha1/faultpolicies".to_owned(), none.clone()),
        ("/apis/policy.selvedge.dev/v1alpha1/telemetrypolicies".to_owned(), none.clone()),
        (format!("{PRODUCT}/apiversions"), list(version())),
        (format!("{PRODUCT}/namespaces/shop/apiversions/pets-v1"), version()),
        (format!("{PRODUCT}/namespaces/shop/apirevisions/pets-v1-1"), revision()),
        ("/apis/policy.selvedge.dev/v1alpha1/transformpolicies".to_owned(), none.clone()),
        ("/apis/policy.selvedge.dev/v1alpha1/ratelimitpolicies".to_owned(), none),
        (format!("{TOLD}/proxies"), list(proxy())),
        (format!("{TOLD}/routes"), list(traffic())),
        (format!("{TOLD}/meshpictures"), list(mesh())),
        (format!("{TOLD}/controlplanes/this"), plane),
        ("/usage.selvedge.dev/v1/usage".to_owned(), used()),
    ])
    .into_iter()
    .chain(all_sold())
    .collect()
}

/// A console with one visitor.
struct Visit {
    console: Console,
    api: Table,
    cookies: String,
    language: &'static str,
}

impl Visit {
    fn new(documents: BTreeMap<String, Value>) -> Visit {
        let console = Console::new(Arc::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1)));
        Visit { console, api: Table { documents }, cookies: String::new(), language: "en" }
    }

    async fn inside(documents: BTreeMap<String, Value>) -> Visit {
        let mut visit = Visit::new(documents);
        let answer = visit.post("/console/login", "token=good", Some("https://console.example")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
        visit.cookies = cookie.split(';').next().unwrap_or_default().to_owned();
        visit
    }

    async fn send(&self, request: http::request::Builder, body: &str) -> Response<Bytes> {
        let request = request
            .header("host", "console.example")
            .header("cookie", &self.cookies)
            .header("accept-language", self.language)
            .body(Bytes::copy_from_slice(body.as_bytes()));
        self.console.answer(request.expect("a request"), &self.api).await
    }

    async fn get(&self, path: &str) -> Response<Bytes> {
        self.send(Request::get(path), "").await
    }

    async fn post(&self, path: &str, body: &str, origin: Option<&str>) -> Response<Bytes> {
        let mut request = Request::post(path);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        self.send(request, body).await
    }

    async fn text(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        String::from_utf8(answer.into_body().to_vec()).expect("text")
    }
}

#[tokio::test]
async fn who_is_nobody_sees_a_form_and_nothing_else() {
    let visit = Visit::new(documents());

    for page in PAGES {
        let answer = visit.get(page).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{page}");
        assert!(answer.headers()["location"].to_str().expect("text").starts_with("/console/login"), "{page}");
        assert!(answer.body().is_empty());
    }
    let form = visit.text("/console/login?to=/console/routes").await;
    assert!(form.contains(r#"name="to" value="/console/routes""#) && !form.contains("shop"), "{form}");
}

#[tokio::test]
async fn a_wrong_token_and_a_form_of_another_site_open_nothing() {
    let visit = Visit::new(documents());

    let wrong = visit.post("/console/login", "token=bad", Some("https://console.example")).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(!wrong.headers().contains_key("set-cookie"));
    for origin in [None, Some("https://evil.example"), Some("null"), Some("https://console.example:8443")] {
        let strange = visit.post("/console/login", "token=good", origin).await;
        assert_eq!(strange.status(), StatusCode::FORBIDDEN, "{origin:?}");
        assert!(!strange.headers().contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_other_sites_and_plain_connections() {
    let visit = Visit::new(documents());

    let answer = visit
        .post("/console/login", "token=good&to=%2Fconsole%2Froutes", Some("https://console.example"))
        .await;

    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    assert!(cookie.starts_with("__Host-") && !cookie.contains("good"));
    for attribute in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!(answer.headers()["location"], "/console/routes");
}

#[tokio::test]
async fn logging_out_ends_the_session_and_not_only_the_cookie() {
    let visit = Visit::inside(documents()).await;

    visit.post("/console/logout", "", Some("https://evil.example")).await;
    assert_eq!(visit.get("/console").await.status(), StatusCode::OK, "another site logs nobody out");

    visit.post("/console/logout", "", Some("https://console.example")).await;
    assert_eq!(visit.get("/console").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_token_that_was_taken_back_ends_the_session() {
    let mut visit = Visit::inside(documents()).await;
    struct Closed;
    impl Api for Closed {
        fn get<'a>(&'a self, _: &'a str, _: &'a str) -> Answered<'a> {
            Box::pin(std::future::ready((StatusCode::UNAUTHORIZED, Bytes::new())))
        }
    }
    let request = Request::get("/console").header("cookie", &visit.cookies).body(Bytes::new()).expect("one");
    let refused = visit.console.answer(request, &Closed).await;

    visit.language = "en";
    assert_eq!(refused.status(), StatusCode::SEE_OTHER);
    assert_eq!(visit.get("/console").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn pages_tell_what_the_api_tells() {
    let visit = Visit::inside(documents()).await;
    let cases: [(&str, &[&str]); 13] = [
        (
            "/console",
            &["shop/cart", "BackendNotFound", "no Service shop/basket", "<svg", "120.5", "edge-1", ">17<"],
        ),
        ("/console/gateways", &["shop/edge", "203.0.113.7", "8080", "*.shop.example"]),
        ("/console/routes", &["www.shop.example", "shop/basket:80", "120.5", "1.90 ms", "14 ms"]),
        ("/console/proxies", &["edge-1", "4 s", "12"]),
        ("/console/gateways/shop/edge", &["Programmed", "shop/cart", "team", "front"]),
        (
            "/console/routes/shop/cart",
            &["/cart…", "RequestHeaderModifier", "written by hand", "ResolvedRefs"],
        ),
        (
            "/console/mesh",
            &[
                "bank.example",
                "Moving",
                "<svg class=\"mesh\"",
                "42.0/s",
                "2 h",
                "certificate has ended",
                "refused",
                "picture: 3</p>",
            ],
        ),
        ("/console/products", &["shop/pets", "Pets &#60;for&#62; all", "pets-free"]),
        (
            "/console/products/shop/pets",
            &[
                "GET /pets/{}",
                "60/1m,burst=5",
                "1000/Month@Europe/Berlin",
                "/console/applications/shop/mobile",
                "Billing",
                "<svg class=\"days\"",
                "1204 + 31",
            ],
        ),
        ("/console/applications", &["shop/mobile", "buyers", "/console/products/shop/pets"]),
        ("/console/applications/shop/mobile", &["sk_live_ab…", "Revoked", "2026-11-23", "1198"]),
        ("/console/usage", &["shop/mobile", "shop/pets-v1", "GET /pets/{}", ">6<", ">31<"]),
        ("/console/proxies/edge-1", &["Permission denied", "HTTPRoute shop/cart", "too large", "expired"]),
    ];
    for (page, parts) in cases {
        let text = visit.text(page).await;
        for part in parts {
            assert!(text.contains(part), "{page} lacks {part}\n{text}");
        }
    }
    assert_eq!(visit.get("/console/routes/shop/none").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(visit.get("/console/nothing").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_somebody_may_not_list_is_said_in_its_place_and_the_rest_is_there() {
    let mut documents = documents();
    documents.insert(format!("{GROUP}/gateways"), Value::Null);
    documents.insert(format!("{TOLD}/routes"), Value::Null);
    let visit = Visit::inside(documents).await;

    let (gateways, routes) = (visit.text("/console/gateways").await, visit.text("/console/routes").await);

    assert!(gateways.contains("may not list") && !gateways.contains("203.0.113.7"));
    assert!(routes.contains("www.shop.example") && !routes.contains("120.5"));
}

#[tokio::test]
async fn every_answer_is_armed_against_being_used() {
    let visit = Visit::inside(documents()).await;
    for path in
        PAGES.into_iter().chain(["/console/login", "/console/style.css", "/console/renew.js", "/console/no"])
    {
        let answer = visit.get(path).await;
        let field =
            |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let policy = field("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(
            (field("cache-control"), field("x-content-type-options")),
            ("no-store", "nosniff"),
            "{path}"
        );
    }
    assert_eq!(visit.send(Request::delete("/console"), "").await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(visit.get("/console/logout").await.status(), StatusCode::METHOD_NOT_ALLOWED);
}

/// Puts `text` into every word of a document, wherever it stands.
fn poison(value: &mut Value, text: &str) {
    match value {
        Value::String(word) => word.push_str(text),
        Value::Array(all) => all.iter_mut().for_each(|inner| poison(inner, text)),
        Value::Object(map) => map.iter_mut().for_each(|(_, inner)| poison(inner, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test]
async fn nothing_that_the_api_says_becomes_markup() {
    const HOSTILE: &str = r#""'><script>alert(1)</script><img src=x onerror=alert(1)></title></svg>"#;
    let mut documents = documents();
    let names: Vec<String> = documents.keys().cloned().collect();
    for name in names {
        let document = documents.get_mut(&name).expect("it is there");
        for item in document["items"].as_array_mut().into_iter().flatten() {
            poison(item, HOSTILE);
        }
        if name.contains("/namespaces/") || name.ends_with("/this") {
            poison(document, HOSTILE);
        }
    }
    documents.insert(format!("{GROUP}/namespaces/shop/gateways/edge"), {
        let mut gateway = gateway();
        gateway["metadata"]["annotations"] = json!({ HOSTILE: HOSTILE });
        gateway
    });
    let visit = Visit::inside(documents).await;

    for page in PAGES {
        let answer = visit.get(page).await;
        let text = String::from_utf8(answer.body().to_vec()).expect("text");
        assert!(
            !text.contains("<script>") && !text.contains("<img") && !text.contains("\"'>"),
            "{page}\n{text}"
        );
        assert_eq!(text.matches("</title></svg>").count(), 0, "{page}");
        let is_about_it = answer.status() == StatusCode::OK;
        assert!(!is_about_it || text.contains("alert(1)"), "{page} shows nothing, so it proves nothing");
    }
    let asked = visit.get("/console/login?to=/console/%22%3E%3Cscript%3E").await;
    assert!(!String::from_utf8_lossy(asked.body()).contains("<script>"));
}

#[tokio::test]
async fn the_language_is_the_browsers_until_somebody_chooses_one() {
    let mut visit = Visit::inside(documents()).await;
    visit.language = "zh-CN,zh;q=0.9";

    let chinese = visit.text("/console/routes").await;
    assert!(chinese.contains(r#"<html lang="zh">"#) && chinese.contains("<h1>路由</h1>"));

    let origin = Some("https://console.example");
    let chosen = visit.post("/console/language", "language=en&to=/console/routes", origin).await;
    assert_eq!(chosen.headers()["location"], "/console/routes");
    let cookie = chosen.headers()["set-cookie"].to_str().expect("text").to_owned();
    visit.cookies = format!("{}; {}", visit.cookies, cookie.split(';').next().unwrap_or_default());
    assert!(visit.text("/console/routes").await.contains("<h1>Routes</h1>"));
    let strange = visit.post("/console/language", "language=zh", Some("https://evil.example")).await;
    assert!(!strange.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn pages_can_be_read_without_eyes() {
    let visit = Visit::inside(documents()).await;
    for page in PAGES {
        let text = visit.text(page).await;
        for part in [
            "<html lang=\"en\">",
            "<main id=\"content\"",
            "<header>",
            "<nav aria-label=",
            "class=\"skip\"",
            "<h1>",
        ] {
            assert_eq!(text.matches(part).count(), 1, "{page}: {part}");
        }
        let tables = text.matches("<table>").count();
        assert_eq!(text.matches("<caption").count(), tables, "{page}: every table says what it is");
        assert_eq!(
            text.matches("<thead><tr><th scope=\"col\"").count(),
            tables,
            "{page}: every column has a heading"
        );
        assert!(!text.contains("<th>") && !text.contains("style=\"") && !text.contains("onclick"), "{page}");
        assert!(text.split("<input ").skip(1).all(|input| input.starts_with("type=\"hidden\"")), "{page}");
    }
    let form = visit.text("/console/login").await;
    assert!(form.contains("<label for=\"token\">") && form.contains("id=\"token\""));
}

#[tokio::test]
async fn the_reference_of_an_api_is_made_of_its_description() {
    let visit = Visit::inside(documents()).await;

    let all = visit.text("/console/apis").await;
    assert!(all.contains("/console/apis/shop/pets-v1") && all.contains("/pets/v1"), "{all}");
    let page = visit.text("/console/apis/shop/pets-v1").await;

    assert!(
        page.contains("Change a pet") && page.contains("Its number") && page.contains("It is so"),
        "{page}"
    );
    assert!(page.contains("should no longer be used"), "{page}");
    assert!(page.contains("curl -X PUT") && page.contains("http://127.0.0.1:8080/pets/v1/pets/7"), "{page}");
    assert!(!page.contains("<b>"), "what a description says is text: {page}");
}

/// What a control plane tells everybody of pets.
fn published() -> Value {
    json!({
        "metadata": { "namespace": "shop", "name": "pets-v1" }, "title": "Pets & more",
        "spec": { "api": "pets", "label": "v1", "state": "Deprecated", "sunset": "2027-06-01T00:00:00Z" },
        "parentRefs": [{ "name": "edge" }],
        "gateways": [{
            "metadata": { "namespace": "shop", "name": "edge" },
            "spec": { "listeners": [{ "name": "web", "port": 8080, "protocol": "HTTP" }] },
            "status": { "addresses": [{ "value": "0.0.0.0" }] },
        }],
        "plans": [{
            "metadata": { "namespace": "shop", "name": "pets-free" },
            "spec": {
                "product": "pets", "credentials": ["APIKey"], "approval": "Automatic",
                "rates": [{ "requests": 60, "per": "1m" }],
            },
            "page": "https://developer.example/plans",
        }],
        "revision": { "metadata": { "uid": "of-pets" }, "spec": revision()["spec"] },
    })
}

fn catalogue(one: Value) -> BTreeMap<String, Value> {
    let root = "/catalogue.selvedge.dev/v1/apis";
    let list = json!({ "items": [one] });
    BTreeMap::from([(root.to_owned(), list), (format!("{root}/shop/pets-v1"), one)])
}

/// A page as somebody gets it who has no cookie.
async fn stranger(documents: BTreeMap<String, Value>, path: &str, language: &str) -> Response<Bytes> {
    let request = Request::get(path).header("host", "docs.example:19443").header("accept-language", language);
    let request = request.body(Bytes::new()).expect("a request");
    Console::new(Arc::new(|| SystemTime::UNIX_EPOCH)).answer(request, &Table { documents }).await
}

fn html(response: &Response<Bytes>) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}

#[tokio::test]
async fn anybody_reads_about_a_public_api_without_logging_in() {
    let listed = stranger(catalogue(published()), "/docs", "en").await;
    assert_eq!(listed.status(), StatusCode::OK);
    assert!(html(&listed).contains("href=\"/docs/shop/pets-v1\""), "{}", html(&listed));

    let page = stranger(catalogue(published()), "/docs/shop/pets-v1", "en").await;
    let text = html(&page);
    for said in [
        "Pets &#38; more",
        "http://docs.example:8080/pets",
        "2027-06-01T00:00:00Z",
        "60/1m",
        "selvedge subscribe shop/pets --plan pets-free",
        "<a href=\"https://developer.example/plans\"",
        "Change a pet",
        "curl -H &#39;x-api-key: KEY&#39; -X PUT",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(!text.contains("<script"), "it is whole without one");
    assert!(page.headers().contains_key("content-security-policy"));
    let chinese = html(&stranger(catalogue(published()), "/docs/shop/pets-v1", "zh-CN").await);
    assert!(chinese.contains("lang=\"zh\"") && chinese.contains("订阅"), "{chinese}");
}

#[tokio::test]
async fn what_is_not_for_everybody_is_answered_like_what_is_not_there() {
    for path in ["/docs/shop/secret-v1", "/docs/shop", "/docs/shop/pets-v1/more", "/docs/%ff/x"] {
        let answer = stranger(catalogue(published()), path, "en").await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let empty = stranger(BTreeMap::new(), "/docs", "en").await;
    assert_eq!(empty.status(), StatusCode::OK);
}

#[tokio::test]
async fn nothing_that_a_description_says_becomes_markup_before_strangers() {
    const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)></title>";
    let quoted = HOSTILE.replace('\'', "''");
    let text = format!(
        "openapi: 3.1.0
info: {{ title: '{quoted}', version: '1', description: '{quoted}' }}
paths:
  /pets/{{id}}:
    post:
      summary: '{quoted}'
      description: '{quoted}'
      parameters:
        - {{ name: id, in: path, required: true, description: '{quoted}', schema: {{ type: string }}, example: '{quoted}' }}
      requestBody: {{ content: {{ application/json: {{ example: {{ name: '{quoted}' }} }} }} }}
      responses: {{ '200': {{ description: '{quoted}', content: {{ application/json: {{ example: '{quoted}' }} }} }} }}
"
    );
    let mut one = published();
    one["title"] = HOSTILE.into();
    one["plans"][0]["spec"]["title"] = HOSTILE.into();
    one["spec"]["label"] = HOSTILE.into();
    one["revision"]["spec"] = json!({ "documents": [{ "name": "a.yaml", "content": text }] });

    for path in ["/docs", "/docs/shop/pets-v1"] {
        let page = html(&stranger(catalogue(one.clone()), path, "en").await);
        assert!(page.contains("alert(1)"), "{path} shows what was said: {page}");
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("\"'>"), "{page}");
    }
}
