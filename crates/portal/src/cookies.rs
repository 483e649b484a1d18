//! The two cookies: who is in front, and in which language.
//!
//! The session's name begins with `__Host-`, by which a browser takes it only over TLS, only from this host and only
//! for all of its paths, so that no sibling host can plant one (RFC 6265bis, section 4.1.3). `SameSite=Strict` keeps it
//! from every request that another site begins.

use http::HeaderMap;
use http::header::COOKIE;

/// Name of the session's cookie.
pub const SESSION: &str = "__Host-selvedge-session";
/// Name of the language's cookie.
pub const LANGUAGE: &str = "selvedge-language";

/// For how long a language is remembered.
const LANGUAGE_SECONDS: u32 = 365 * 24 * 3_600;

/// The value of a cookie of a request.
pub fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(found, _)| *found == name).map(|(_, value)| value).next()
}

/// Sets the session.
pub fn begin(id: &str) -> String {
    format!("{SESSION}={id}; Path=/; Secure; HttpOnly; SameSite=Strict")
}

/// Takes the session away.
pub fn end() -> String {
    format!("{SESSION}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict")
}

/// Remembers a language.
pub fn speak(language: &str) -> String {
    format!("{LANGUAGE}={language}; Path=/; Max-Age={LANGUAGE_SECONDS}; Secure; HttpOnly; SameSite=Strict")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers =
            HeaderMap::from_iter([(COOKIE, format!("a=b; {SESSION}=abc; c").parse().expect("a field"))]);

        assert_eq!(value(&headers, SESSION), Some("abc"));
        assert_eq!(value(&headers, LANGUAGE), None);
    }
}
