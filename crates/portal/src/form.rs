//! What a form sends (`application/x-www-form-urlencoded`), and whether a page of ours sent it.

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use percent_encoding::percent_decode;

use crate::pages::is_public;

/// The value of a field; an empty one counts as none.
pub fn field(body: &[u8], name: &str) -> Option<String> {
    let pairs = body.split(|byte| *byte == b'&').filter_map(|pair| {
        let middle = pair.iter().position(|byte| *byte == b'=')?;
        Some((decode(&pair[..middle])?, decode(&pair[middle + 1..])?))
    });
    pairs.filter(|(found, value)| found == name && !value.is_empty()).map(|(_, value)| value).next()
}

fn decode(text: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(|text| text.into_owned())
}

/// Whether a page of this very origin sent the form. Every browser names the origin of a form that it posts; one that
/// is missing or another's (a page of a stranger, or of another port of this host) is refused. `SameSite` alone would
/// let the other ports in.
pub fn is_ours(head: &Parts) -> bool {
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let host = head.uri.authority().map(|authority| authority.as_str()).or_else(|| text(HOST));
    let origin = text(ORIGIN).and_then(|origin| origin.strip_prefix("https://"));
    matches!((origin, host), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}

/// A path of ours to go on to; anything else leads to the first page. Nobody is sent elsewhere from here.
pub fn destination(wanted: Option<&str>) -> &str {
    let is_sound = |path: &str| {
        let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let is_page = path == "/console" || path.starts_with("/console/") || is_public(path);
        plain && is_page && !path.contains("//")
    };
    wanted.filter(|path| is_sound(path)).unwrap_or("/console")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded() {
        assert_eq!(field(b"a=1&token=x%2By+z&b", "token").as_deref(), Some("x+y z"));
        assert_eq!(field(b"token=", "token"), None);
    }

    #[test]
    fn only_a_form_of_our_own_origin_is_taken() {
        let sent = |origin: Option<&str>| {
            let mut request = http::Request::post("/console/login").header(HOST, "127.0.0.1:19443");
            if let Some(origin) = origin {
                request = request.header(ORIGIN, origin);
            }
            is_ours(&request.body(()).expect("a request").into_parts().0)
        };

        assert!(sent(Some("https://127.0.0.1:19443")));
        for other in [None, Some("null"), Some("https://127.0.0.1:8443"), Some("http://127.0.0.1:19443")] {
            assert!(!sent(other), "{other:?}");
        }
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(destination(Some("/console/routes/shop/cart")), "/console/routes/shop/cart");
        for other in [
            "https://evil",
            "//evil",
            "/console//evil",
            "/consoleevil",
            "/console/\\evil",
            "/console/\r\nx: y",
            "/docs//evil",
            "/docsevil",
        ] {
            assert_eq!(destination(Some(other)), "/console", "{other}");
        }
    }
}
