//! The body of a write, in whichever encoding it came.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::protobuf;
use crate::objects::media::Encoding;
use crate::objects::{Body, Status, body};

/// The `Content-Type` of a request.
#[must_use]
pub fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

/// Reads a body that is not a patch.
pub fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Body, Status> {
    let content_type = content_type(headers);
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(protobuf::MEDIA) {
        return protobuf::decode(bytes).map(Body::from);
    }
    body::read(Encoding::of(content_type)?, bytes)
}
