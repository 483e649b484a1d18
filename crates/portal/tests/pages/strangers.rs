//! Promises about the pages that are for everybody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use portal::Console;
use serde_json::{Value, json};

use crate::documents::revision;
use crate::visit::Table;

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
