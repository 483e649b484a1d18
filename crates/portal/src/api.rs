//! What the pages ask of the API, and what they make of its answers.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// An answer of the API, some time later.
pub type Answered<'a> = Pin<Box<dyn Future<Output = (StatusCode, Bytes)> + Send + 'a>>;

/// A way to ask the API.
pub trait Api: Send + Sync {
    /// Asks for a path, perhaps with a query, as whoever has this bearer token.
    fn get<'a>(&'a self, target: &'a str, token: &'a str) -> Answered<'a>;
}

/// Objects that a page reads of one kind. Past it the rest is left out, and the page says so.
pub const OBJECTS_READ_MAX: usize = 10_000;
/// Objects that are asked for at once.
const CHUNK: usize = 500;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The token is not, or no longer, anybody's.
    Unknown,
    /// This person may not.
    Denied,
    /// There is no such thing.
    Absent,
    /// Something else, in the API's own words.
    Failed(String),
}

/// The API, as one person.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Whom to ask.
    pub api: &'a dyn Api,
    /// As whom.
    pub token: &'a str,
}

/// Objects of one kind.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The objects.
    pub items: Vec<Value>,
    /// The moment they show.
    pub revision: String,
    /// Whether there are more than were read.
    pub is_cut: bool,
}

impl Asking<'_> {
    /// One document.
    pub async fn one(self, target: &str) -> Result<Value, Trouble> {
        let (code, bytes) = self.api.get(target, self.token).await;
        read(code, &bytes)
    }

    /// A list, in chunks.
    pub async fn list(self, path: &str) -> Result<Listed, Trouble> {
        let mut listed = Listed::default();
        let mut next = String::new();
        loop {
            let target = match next.as_str() {
                "" => format!("{path}?limit={CHUNK}"),
                next => {
                    let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
                    format!("{path}?limit={CHUNK}&continue={next}")
                }
            };
            let mut answer = self.one(&target).await?;
            if let Value::Array(items) = answer["items"].take() {
                listed.items.extend(items);
            }
            let text = |field: &str| answer["metadata"][field].as_str().unwrap_or_default().to_owned();
            (listed.revision, next) = (text("resourceVersion"), text("continue"));
            listed.is_cut = listed.items.len() >= OBJECTS_READ_MAX && !next.is_empty();
            if next.is_empty() || listed.is_cut {
                return Ok(listed);
            }
        }
    }
}

fn read(code: StatusCode, bytes: &[u8]) -> Result<Value, Trouble> {
    let value: Option<Value> = serde_json::from_slice(bytes).ok();
    let said = || {
        let message = value.as_ref().and_then(|value| value["message"].as_str()).unwrap_or_default();
        if message.is_empty() { code.to_string() } else { message.to_owned() }
    };
    match code {
        StatusCode::OK => value.ok_or_else(|| Trouble::Failed(code.to_string())),
        StatusCode::UNAUTHORIZED => Err(Trouble::Unknown),
        StatusCode::FORBIDDEN => Err(Trouble::Denied),
        StatusCode::NOT_FOUND => Err(Trouble::Absent),
        _ => Err(Trouble::Failed(said())),
    }
}
