//! `Status`: what the API answers when it did not do what was asked.

use std::fmt;

use http::StatusCode;
use serde::Deserialize;

/// Why the API refused, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// HTTP status.
    pub code: u16,
    /// One word, such as `NotFound`.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// More of it.
    pub details: Details,
}

/// What it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// Name of the object.
    pub name: String,
    /// Its kind, or the kind in paths.
    pub kind: String,
    /// Everything that is wrong.
    pub causes: Vec<Cause>,
    /// When to try again.
    pub retry_after_seconds: u32,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Cause {
    /// One word, such as `FieldValueInvalid`.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// The field, such as `spec.rules[0].name`.
    pub field: String,
}

impl Status {
    /// Reads the body of an answer; of one that is no `Status`, the beginning is quoted.
    pub(crate) fn read(code: StatusCode, body: &[u8]) -> Status {
        const QUOTED_CHARS_MAX: usize = 200;
        let code = code.as_u16();
        match serde_json::from_slice::<Status>(body) {
            Ok(status) if !status.message.is_empty() || !status.reason.is_empty() => {
                Status { code, ..status }
            }
            Ok(_) | Err(_) => {
                let text = String::from_utf8_lossy(body);
                let quoted: String = text.trim().chars().take(QUOTED_CHARS_MAX).collect();
                Status { code, message: quoted, ..Status::default() }
            }
        }
    }

    /// The object does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// Somebody else changed the object meanwhile, or owns a field.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.code == 409
    }

    /// The revision asked for is no longer known: list again.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.code == 410
    }

    /// What was sent is not allowed.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.code == 400 || self.code == 422
    }

    /// Who asked is not known, or may not.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.code == 401 || self.code == 403
    }
}

impl fmt::Display for Status {
    /// One line; causes are told one by one by whoever has a place for them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = if self.message.is_empty() { &self.reason } else { &self.message };
        match said.is_empty() {
            true => write!(f, "the control plane answered {}", self.code),
            false => f.write_str(&visible(said)),
        }
    }
}

/// A server's words must not forge lines or colours of a terminal.
fn visible(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    text.trim().replace('\n', " ").chars().flat_map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_come_with_fields() {
        let body = br#"{"kind":"Status","code":422,"reason":"Invalid","message":"Service \"a\" is invalid",
            "details":{"name":"a","causes":[{"reason":"FieldValueRequired","message":"is missing","field":"spec"}]}}"#;

        let status = Status::read(StatusCode::UNPROCESSABLE_ENTITY, body);

        assert!(status.is_invalid());
        assert_eq!(status.details.causes[0].field, "spec");
        assert_eq!(status.to_string(), "Service \"a\" is invalid");
    }

    #[test]
    fn an_answer_that_is_none_of_ours_is_quoted_without_its_control_characters() {
        let status = Status::read(StatusCode::BAD_GATEWAY, b"<h1>\x1b[31mBad Gateway</h1>\n");
        assert_eq!(status.to_string(), "<h1>\\u{1b}[31mBad Gateway</h1>");
        assert_eq!(Status::read(StatusCode::BAD_GATEWAY, b"").to_string(), "the control plane answered 502");
    }
}
