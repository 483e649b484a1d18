//! Reading answers, within a bound.

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use crate::error::Error;

/// Largest answer that is held; lists come in pages well below it.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The whole body.
pub(crate) async fn whole(server: &str, body: Incoming) -> Result<Bytes, Error> {
    match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Error::answer(format!("an answer has more than {} MiB", ANSWER_BYTES_MAX >> 20)))
        }
        Err(error) => Err(Error::unreachable(server, &*error)),
    }
}

/// A JSON object.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, Error> {
    match serde_json::from_slice(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Error::answer("an answer is no JSON object")),
        Err(fault) => Err(Error::answer(format!("an answer is no JSON: {fault}"))),
    }
}

/// A JSON array.
pub(crate) fn array(bytes: &[u8]) -> Result<Vec<Value>, Error> {
    serde_json::from_slice(bytes)
        .map_err(|fault| Error::answer(format!("an answer is no JSON array: {fault}")))
}
