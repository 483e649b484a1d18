//! One question for keys.

use std::time::Duration;

use engine::authentication::KeySource;
use model::jwk::KeySet;

use crate::fetch::{Question, ask};
use crate::limits::{KEYS_ANSWER_BYTES_MAX, KEYS_FETCH_SECONDS};

/// Asks for keys.
///
/// # Errors
/// Why there are none, in words for people.
pub async fn fetch(source: &KeySource) -> Result<KeySet, String> {
    let question = Question {
        accept: "application/jwk-set+json, application/json",
        form: None,
        bytes_max: KEYS_ANSWER_BYTES_MAX,
    };
    let answer = ask(&source.fetch, &question, Duration::from_secs(KEYS_FETCH_SECONDS)).await?;
    let text = std::str::from_utf8(&answer).map_err(|_| "the answer is no text".to_owned())?;
    text.parse().map_err(|problem| format!("what came {problem}"))
}
