//! What a request is answered with: the report, or what one of a few paths asks for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;

use super::body::{self, Answer};
use super::report::{self, Connection};
use super::websocket;

/// Longest `/delay`. Past it: 400.
pub const DELAY_MS_MAX: u64 = 60_000;
/// Longest `/bytes`. Past it: 400.
pub const BYTES_MAX: u64 = 1 << 30;
/// Most `/chunks`. Past it: 400.
pub const CHUNKS_MAX: u64 = 1 << 20;

/// The paths that do something else than report, for help and for the answer to a wrong one.
pub const PATHS: &str = "/status/CODE  /delay/MS  /bytes/N  /chunks/N  /trailers  /echo";

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Report,
    Status(StatusCode),
    Delay(Duration),
    Bytes(u64),
    Chunks(u64),
    Trailers,
    Mirror,
    Wrong(String),
}

/// Answers one request.
pub async fn answer(
    request: Request<Incoming>,
    from: Arc<Connection>,
) -> Result<Response<Answer>, Infallible> {
    if websocket::is_asked_for(&request) {
        return Ok(websocket::accept(request));
    }
    if is_grpc(request.headers()) {
        return Ok(grpc(request));
    }
    Ok(match asked(request.uri().path()) {
        Asked::Report => reported(StatusCode::OK, request, &from).await,
        Asked::Status(status) => reported(status, request, &from).await,
        Asked::Delay(delay) => {
            tokio::time::sleep(delay).await;
            reported(StatusCode::OK, request, &from).await
        }
        Asked::Bytes(length) => plain(StatusCode::OK, body::pattern(length)),
        Asked::Chunks(count) => plain(StatusCode::OK, body::lines(count)),
        Asked::Trailers => trailers(),
        Asked::Mirror => mirrored(request),
        Asked::Wrong(why) => plain(StatusCode::BAD_REQUEST, body::whole(format!("{why}\npaths: {PATHS}\n"))),
    })
}

fn asked(path: &str) -> Asked {
    let mut segments = path.split('/').skip(1);
    let (name, argument) = (segments.next().unwrap_or(""), segments.next());
    let number = |max: u64| match argument.map(str::parse::<u64>) {
        Some(Ok(number)) if number <= max => Ok(number),
        _ => Err(format!("`{path}` needs a number of at most {max}, as in /{name}/10")),
    };
    let asked = match name {
        "status" => number(999).and_then(status),
        "delay" => number(DELAY_MS_MAX).map(|ms| Asked::Delay(Duration::from_millis(ms))),
        "bytes" => number(BYTES_MAX).map(Asked::Bytes),
        "chunks" => number(CHUNKS_MAX).map(Asked::Chunks),
        "trailers" if argument.is_none() => Ok(Asked::Trailers),
        "echo" if argument.is_none() => Ok(Asked::Mirror),
        _ => Ok(Asked::Report),
    };
    asked.unwrap_or_else(Asked::Wrong)
}

/// Interim statuses cannot stand alone (RFC 9110 section 15.2).
fn status(number: u64) -> Result<Asked, String> {
    u16::try_from(number)
        .ok()
        .filter(|code| *code >= 200)
        .and_then(|code| StatusCode::from_u16(code).ok())
        .map(Asked::Status)
        .ok_or_else(|| format!("`{number}` is not a final status; use 200 to 999"))
}

async fn reported(status: StatusCode, request: Request<Incoming>, from: &Connection) -> Response<Answer> {
    let (parts, incoming) = request.into_parts();
    let received = report::receive(incoming).await;
    let mut text = report::report(&parts, &received, from).to_string();
    text.push('\n');
    let silent = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let mut response = Response::new(if silent { body::whole("") } else { body::whole(text) });
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn plain(status: StatusCode, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// Over HTTP/1.1 hyper sends trailers only to clients that said `TE: trailers`, as RFC 9110 section 6.5.1 asks.
fn trailers() -> Response<Answer> {
    let name = HeaderName::from_static("x-echo-trailer");
    let mut trailers = HeaderMap::new();
    trailers.insert(name.clone(), HeaderValue::from_static("sent after the body"));
    let mut response = plain(StatusCode::OK, body::with_trailers("trailers follow\n", trailers));
    response.headers_mut().insert(header::TRAILER, HeaderValue::from_name(name));
    response
}

fn mirrored(request: Request<Incoming>) -> Response<Answer> {
    let (parts, incoming) = request.into_parts();
    let mut response = Response::new(body::mirror(incoming, None));
    if let Some(kind) = parts.headers.get(header::CONTENT_TYPE) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    response
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// A method that returns the messages it gets, one by one as they arrive, and ends well.
fn grpc(request: Request<Incoming>) -> Response<Answer> {
    let version = request.version();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let kind = request.headers().get(header::CONTENT_TYPE).cloned();
    let mut response = Response::new(body::mirror(request.into_body(), Some(trailers)));
    let kind = kind.unwrap_or(HeaderValue::from_static("application/grpc"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    if version != Version::HTTP_2 {
        response.headers_mut().insert(header::TRAILER, HeaderValue::from_static("grpc-status"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_asks_for_one_thing() {
        assert_eq!(asked("/"), Asked::Report);
        assert_eq!(asked("/cart/1"), Asked::Report);
        assert_eq!(asked("/status/418"), Asked::Status(StatusCode::IM_A_TEAPOT));
        assert_eq!(asked("/delay/20"), Asked::Delay(Duration::from_millis(20)));
        assert_eq!(asked("/bytes/0"), Asked::Bytes(0));
        assert_eq!(asked("/chunks/3"), Asked::Chunks(3));
        assert_eq!(asked("/trailers"), Asked::Trailers);
        assert_eq!(asked("/echo"), Asked::Mirror);
    }

    #[test]
    fn a_number_that_cannot_be_is_refused_with_a_reason() {
        for path in ["/status/99", "/status/101", "/status/x", "/delay/60001", "/bytes/-1", "/chunks"] {
            assert!(matches!(asked(path), Asked::Wrong(_)), "{path}");
        }
    }

    #[test]
    fn only_grpc_content_types_are_grpc() {
        let is = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            is_grpc(&headers)
        };
        assert!(is("application/grpc") && is("application/grpc+proto") && is("application/grpc;x=y"));
        assert!(!is("application/grpc-web") && !is("application/json"));
    }
}
