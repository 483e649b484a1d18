//! What a request is answered with, and how it goes onto the wire.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::Stream;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, RETRY_AFTER, VARY, WARNING};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Frame, SizeHint};
use serde_json::Value;

use super::accept;
use super::beside::{Fault, Foreign};
use crate::objects::status::Status;

/// JSON, the only encoding of most answers.
pub const JSON: &str = "application/json";

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub code: StatusCode,
    /// What it holds.
    pub content: Content,
    /// Fields beyond those that the content brings along.
    pub fields: HeaderMap,
}

/// What an answer holds.
pub enum Content {
    /// JSON text.
    Json(Bytes),
    /// Something else, with its media type.
    Other(&'static str, Bytes),
    /// JSON documents, one after the other for as long as it takes.
    Events(Events),
    /// Nothing.
    Nothing,
}

/// Documents as they come; each is one piece.
pub type Events = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::Json(bytes) => write!(f, "Json({} bytes)", bytes.len()),
            Content::Other(media, bytes) => write!(f, "{media}({} bytes)", bytes.len()),
            Content::Events(_) => f.write_str("Events"),
            Content::Nothing => f.write_str("Nothing"),
        }
    }
}

impl Answer {
    /// An answer that holds something.
    #[must_use]
    pub fn new(code: StatusCode, content: Content) -> Answer {
        Answer { code, content, fields: HeaderMap::new() }
    }

    /// 200 with a tree.
    #[must_use]
    pub fn value(value: &Value) -> Answer {
        Answer::json(StatusCode::OK, value.to_string())
    }

    /// JSON text.
    #[must_use]
    pub fn json(code: StatusCode, text: impl Into<Bytes>) -> Answer {
        Answer::new(code, Content::Json(text.into()))
    }

    /// Plain text.
    #[must_use]
    pub fn text(code: StatusCode, text: &'static str) -> Answer {
        Answer::new(code, Content::Other("text/plain; charset=utf-8", Bytes::from_static(text.as_bytes())))
    }

    /// The same with another field.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Answer {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.fields.append(name, value);
        }
        self
    }

    /// The same with warnings for the person in front of the client (RFC 7234, section 5.5, as Kubernetes uses it).
    #[must_use]
    pub fn warning<'w>(mut self, warnings: impl IntoIterator<Item = &'w str>) -> Answer {
        for warning in warnings {
            let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
            self = self.with(WARNING, &format!("299 - \"{quoted}\""));
        }
        self
    }

    /// The same, to be asked for again only when it has changed.
    #[must_use]
    pub fn tagged(self, tag: &str) -> Answer {
        self.with(ETAG, &format!("\"{tag}\"")).with(VARY, "Accept")
    }
}

impl From<Status> for Answer {
    fn from(status: Status) -> Answer {
        let code = StatusCode::from_u16(status.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let answer = Answer::json(code, status.body().to_string());
        match status.retry_after_seconds() {
            Some(seconds) => answer.with(RETRY_AFTER, &seconds.to_string()),
            None => answer,
        }
    }
}

/// How the client of one request wants answers written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With line breaks.
    pub pretty: bool,
    /// Compressed when they have at least this many bytes.
    pub gzip_from: Option<usize>,
}

impl Style {
    /// The style a request asks for.
    #[must_use]
    pub fn of(headers: &HeaderMap, pretty: bool, gzip_bytes_min: usize) -> Style {
        Style { pretty, gzip_from: accept::gzip(headers).then_some(gzip_bytes_min) }
    }

    /// Writes an answer.
    #[must_use]
    pub fn write(self, answer: Answer) -> Response<Body> {
        let Answer { code, content, fields } = answer;
        let mut response = Response::new(Body::default());
        *response.status_mut() = code;
        *response.headers_mut() = fields;
        let headers = response.headers_mut();
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
        let (media, body) = match content {
            Content::Nothing => return response,
            Content::Json(bytes) => (JSON, self.pack(self.laid_out(bytes), headers)),
            Content::Other(media, bytes) => (media, self.pack(bytes, headers)),
            Content::Events(events) => (JSON, Body::Events(events)),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        *response.body_mut() = body;
        response
    }

    fn laid_out(self, bytes: Bytes) -> Bytes {
        if !self.pretty {
            return bytes;
        }
        let tree: Option<Value> = serde_json::from_slice(&bytes).ok();
        let text = tree.and_then(|tree| serde_json::to_string_pretty(&tree).ok());
        text.map_or(bytes, |text| Bytes::from(text + "\n"))
    }

    fn pack(self, bytes: Bytes, headers: &mut HeaderMap) -> Body {
        if self.gzip_from.is_none_or(|least| bytes.len() < least) {
            return Body::Whole(Some(bytes));
        }
        let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::new(1));
        let packed = encoder.write_all(&bytes).and_then(|()| encoder.finish());
        let Ok(packed) = packed else { return Body::Whole(Some(bytes)) };
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
        Body::Whole(Some(packed.into()))
    }
}

/// The body of a response.
pub enum Body {
    /// All of it, until it is taken.
    Whole(Option<Bytes>),
    /// Piece by piece.
    Events(Events),
    /// Somebody else's.
    Foreign(Foreign),
}

impl Default for Body {
    fn default() -> Self {
        Body::Whole(None)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match &mut *self {
            Body::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Body::Events(events) => {
                events.as_mut().poll_next(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
            Body::Foreign(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(bytes) => bytes.is_none(),
            Body::Events(_) => false,
            Body::Foreign(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Body::Events(_) => SizeHint::default(),
            Body::Foreign(body) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_are_compressed_for_who_reads_gzip_and_small_ones_are_not() {
        let style = Style { pretty: false, gzip_from: Some(100) };

        let large = style.write(Answer::json(StatusCode::OK, "x".repeat(200)));
        let small = style.write(Answer::json(StatusCode::OK, "x".repeat(99)));

        assert_eq!(large.headers()[CONTENT_ENCODING], "gzip");
        assert!(http_body::Body::size_hint(large.body()).exact().expect("known") < 200);
        assert!(!small.headers().contains_key(CONTENT_ENCODING));
    }

    #[test]
    fn warnings_are_quoted() {
        let answer = Answer::value(&Value::Null).warning(["unknown field \"spec.a\""]);

        assert_eq!(answer.fields[WARNING], "299 - \"unknown field \\\"spec.a\\\"\"");
    }

    #[test]
    fn a_refusal_says_when_to_try_again() {
        let answer = Answer::from(Status::too_many_requests(2));

        assert_eq!(answer.code, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.fields[RETRY_AFTER], "2");
    }
}
