//! Somebody who looks at the console, before an API that answers from a table.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use portal::{Answered, Api, Console};
use serde_json::{Value, json};

/// An API that knows one token and these documents, and denies the paths that hold nothing.
pub struct Table {
    pub documents: BTreeMap<String, Value>,
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

/// A console with one visitor.
pub struct Visit {
    pub console: Console,
    api: Table,
    pub cookies: String,
    pub language: &'static str,
}

impl Visit {
    pub fn new(documents: BTreeMap<String, Value>) -> Visit {
        let console = Console::new(Arc::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1)));
        Visit { console, api: Table { documents }, cookies: String::new(), language: "en" }
    }

    pub async fn inside(documents: BTreeMap<String, Value>) -> Visit {
        let mut visit = Visit::new(documents);
        let answer = visit.post("/console/login", "token=good", Some("https://console.example")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
        visit.cookies = cookie.split(';').next().unwrap_or_default().to_owned();
        visit
    }

    pub async fn send(&self, request: http::request::Builder, body: &str) -> Response<Bytes> {
        let request = request
            .header("host", "console.example")
            .header("cookie", &self.cookies)
            .header("accept-language", self.language)
            .body(Bytes::copy_from_slice(body.as_bytes()));
        self.console.answer(request.expect("a request"), &self.api).await
    }

    pub async fn get(&self, path: &str) -> Response<Bytes> {
        self.send(Request::get(path), "").await
    }

    pub async fn post(&self, path: &str, body: &str, origin: Option<&str>) -> Response<Bytes> {
        let mut request = Request::post(path);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        self.send(request, body).await
    }

    pub async fn text(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        String::from_utf8(answer.into_body().to_vec()).expect("text")
    }
}
