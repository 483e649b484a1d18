//! Answers to browsers: what every one of them carries so that a page cannot be turned against its reader.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};

/// Nothing but our own files runs or paints, nobody frames us, and forms go nowhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Carried by every answer. The referrer stays within this origin: with none at all a browser would name no origin in
/// the forms that it posts either, and we refuse those.
const ALWAYS: [(HeaderName, &str); 8] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
    (VARY, "Cookie, Accept-Language"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// HTML.
pub const HTML: &str = "text/html; charset=utf-8";

/// An answer with a body.
pub fn content(code: StatusCode, media: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = code;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// Sends the browser to another page of ours, with a GET.
pub fn go(path: &str) -> Response<Bytes> {
    let mut response = content(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    let path = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/console"));
    response.headers_mut().insert(LOCATION, path);
    response
}

/// The path has other methods.
pub fn other_methods(allowed: &'static str) -> Response<Bytes> {
    let mut response = content(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The same, with a cookie.
pub fn with_cookie(mut response: Response<Bytes>, cookie: &str) -> Response<Bytes> {
    if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
