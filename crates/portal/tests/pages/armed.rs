//! Promises about pages that somebody tries to use against their readers.

use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::documents::{GROUP, PAGES, documents, gateway};
use crate::visit::Visit;

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
