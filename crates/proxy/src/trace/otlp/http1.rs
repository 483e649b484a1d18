//! The answer of a collector over HTTP (OTLP, section "OTLP/HTTP Response").

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header, response::Parts};
use prost::Message as _;

use super::{Answer, Refusal};

/// What is sent.
pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// How many of the spans the collector did not want. It may be asked again after 429, 502, 503 and 504, not before
/// `Retry-After`.
pub fn judge(head: &Parts, body: Option<Bytes>) -> Result<u64, Refusal> {
    if head.status.is_success() {
        let answer = body.and_then(|body| Answer::decode(body).ok()).unwrap_or_default();
        return Ok(answer.rejected());
    }
    match head.status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            Err(Refusal::ForNow(head.headers.get(header::RETRY_AFTER).and_then(seconds)))
        }
        _ => Err(Refusal::Final),
    }
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.parse().ok().map(Duration::from_secs)
}
