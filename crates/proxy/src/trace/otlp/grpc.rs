//! The message of a call over gRPC, and its answer (OTLP, section "OTLP/gRPC Response").

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{BufMut as _, Bytes, BytesMut};
use discovery::messages::Status;
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message as _;

use super::{Answer, Refusal};

/// What is sent.
pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
/// Before each message: whether it is compressed, and its length.
const FRAME_BYTES: usize = 5;
/// Type of [`RetryInfo`] in the details of a status.
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

/// A message as it stands in a call.
pub fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(FRAME_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX)); // Messages are far smaller.
    framed.put_slice(message);
    framed.freeze()
}

/// How many of the spans the collector did not want. `fields` are the trailers, or the head of an answer that has
/// nothing else.
pub fn judge(status: StatusCode, fields: &HeaderMap, body: Option<Bytes>) -> Result<u64, Refusal> {
    if status != StatusCode::OK {
        // Not a word of gRPC: something in between answers.
        return match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(Refusal::ForNow(None)),
            _ => Err(Refusal::Final),
        };
    }
    let code = fields.get("grpc-status").and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
    match code {
        Some(0) => {
            let answer = body.filter(|body| body.len() >= FRAME_BYTES && body[0] == 0);
            let answer = answer.and_then(|body| Answer::decode(body.slice(FRAME_BYTES..)).ok());
            Ok(answer.unwrap_or_default().rejected())
        }
        // Cancelled, deadline exceeded, aborted, out of range, unavailable, data loss; and a call that broke off.
        Some(1 | 4 | 10 | 11 | 14 | 15) | None => Err(Refusal::ForNow(delay(fields))),
        // Exhausted: for now where it says for how long, else for good.
        Some(8) => Err(delay(fields).map_or(Refusal::Final, |delay| Refusal::ForNow(Some(delay)))),
        Some(_) => Err(Refusal::Final),
    }
}

/// How long to wait, where it is said.
fn delay(fields: &HeaderMap) -> Option<Duration> {
    let padding = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&STANDARD, padding);
    let details = engine.decode(fields.get("grpc-status-details-bin")?).ok()?;
    let details = Status::decode(&*details).ok()?.details;
    let info = details.into_iter().find(|detail| detail.type_url == RETRY_INFO)?;
    let delay = RetryInfo::decode(info.value).ok()?.delay?;
    Some(Duration::from_secs(u64::try_from(delay.seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use discovery::messages::Any;

    use super::*;

    fn fields(code: u32, delay: Option<i64>) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert("grpc-status", code.into());
        if let Some(seconds) = delay {
            let info = RetryInfo { delay: Some(Delay { seconds }) };
            let detail = Any { type_url: RETRY_INFO.to_owned(), value: info.encode_to_vec().into() };
            let status = Status { code: 8, message: String::new(), details: vec![detail] };
            let text = STANDARD_NO_PAD.encode(status.encode_to_vec());
            fields.insert("grpc-status-details-bin", text.parse().expect("a value"));
        }
        fields
    }

    #[test]
    fn what_is_not_wanted_is_said_in_the_message_before_the_trailers() {
        let answer = Answer { partial: Some(super::super::Partial { rejected: 3 }) };
        let body = framed(&answer.encode_to_vec());

        assert_eq!(judge(StatusCode::OK, &fields(0, None), Some(body)), Ok(3));
        assert_eq!(judge(StatusCode::OK, &fields(0, None), None), Ok(0));
    }

    #[test]
    fn only_what_the_specification_names_is_tried_again() {
        let judged = |code, delay| judge(StatusCode::OK, &fields(code, delay), None);

        assert_eq!(judged(14, None), Err(Refusal::ForNow(None)));
        assert_eq!(judged(14, Some(7)), Err(Refusal::ForNow(Some(Duration::from_secs(7)))));
        assert_eq!(judged(8, Some(7)), Err(Refusal::ForNow(Some(Duration::from_secs(7)))));
        for code in [3, 7, 8, 12, 16] {
            assert_eq!(judged(code, None), Err(Refusal::Final), "{code}");
        }
        assert_eq!(judge(StatusCode::OK, &HeaderMap::new(), None), Err(Refusal::ForNow(None)), "broken off");
        assert_eq!(judge(StatusCode::NOT_FOUND, &HeaderMap::new(), None), Err(Refusal::Final));
    }
}
