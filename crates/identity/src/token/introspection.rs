//! What the issuer of a token says of it (OAuth 2.0 Token Introspection, RFC 7662 section 2.2).
//!
//! Read as strictly as a token: only `true` is true, an object that names a member twice says nothing, times are
//! numbers. What the answer says beyond `active` is optional in the standard; whatever the policy asks for must be
//! there.

use std::sync::Arc;

use serde_json::Value;

use super::{Claims, Flaw, TOKEN_BYTES_MAX, in_its_time, is_for, moment, object};

/// What an answer must say for its token to count.
#[derive(Clone, Copy, Debug)]
pub struct Demands<'a> {
    /// Who must have issued it; not asked when `None`.
    pub issuer: Option<&'a str>,
    /// For whom it must be: one of these; not asked when empty.
    pub audiences: &'a [Arc<str>],
    /// How far clocks may differ, in seconds.
    pub clock_skew_seconds: u64,
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// Whether a text could be a token: `b64token` of RFC 6750 section 2.1.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &text[..text.len() - padding];
    let sound = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    text.len() <= TOKEN_BYTES_MAX && !body.is_empty() && body.iter().all(sound)
}

/// Reads an answer.
///
/// # Errors
/// The token does not count; [`Flaw::Malformed`] when the answer is none.
pub fn read(answer: &[u8], demands: &Demands<'_>) -> Result<Claims, Flaw> {
    let Demands { issuer, audiences, clock_skew_seconds, now } = *demands;
    let claims = object(answer).ok_or(Flaw::Malformed)?;
    match claims.get("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Err(Flaw::Inactive),
        Some(_) | None => return Err(Flaw::Malformed),
    }
    if issuer.is_some_and(|issuer| claims.get("iss").and_then(Value::as_str) != Some(issuer)) {
        return Err(Flaw::Issuer);
    }
    if !audiences.is_empty() && !is_for(claims.get("aud"), audiences)? {
        return Err(Flaw::Audience);
    }
    if claims.get("client_id").is_some_and(|client| !client.is_string()) {
        return Err(Flaw::Claim);
    }
    let end = moment(&claims, "exp")?.unwrap_or(u64::MAX);
    in_its_time(claims, end, clock_skew_seconds, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_says_so_without_doubt_lets_a_token_count() {
        let audiences: [Arc<str>; 1] = ["shop".into()];
        let demands =
            Demands { issuer: Some("https://i"), audiences: &audiences, clock_skew_seconds: 30, now: 1000 };
        let read = |text: &str| read(text.as_bytes(), &demands).map(|claims| claims.ends);
        let good = r#"{"active":true,"iss":"https://i","aud":["x","shop"],"sub":"kim","exp":2000}"#;

        assert_eq!(read(good), Ok(2030));
        assert_eq!(read(r#"{"active":true,"iss":"https://i","aud":"shop"}"#), Ok(u64::MAX));
        for (text, flaw) in [
            (r#"{"active":false}"#, Flaw::Inactive),
            (r#"{"active":"true","iss":"https://i","aud":"shop"}"#, Flaw::Malformed),
            (r#"{"active":1}"#, Flaw::Malformed),
            (r#"{}"#, Flaw::Malformed),
            (r#"{"active":false,"active":true,"iss":"https://i","aud":"shop"}"#, Flaw::Malformed),
            ("<html>", Flaw::Malformed),
            (r#"{"active":true,"aud":"shop"}"#, Flaw::Issuer),
            (r#"{"active":true,"iss":"https://i/","aud":"shop"}"#, Flaw::Issuer),
            (r#"{"active":true,"iss":"https://i"}"#, Flaw::Claim),
            (r#"{"active":true,"iss":"https://i","aud":"shops"}"#, Flaw::Audience),
            (r#"{"active":true,"iss":"https://i","aud":"shop","exp":900}"#, Flaw::Expired),
            (r#"{"active":true,"iss":"https://i","aud":"shop","exp":"never"}"#, Flaw::Claim),
            (r#"{"active":true,"iss":"https://i","aud":"shop","nbf":1031}"#, Flaw::NotYet),
            (r#"{"active":true,"iss":"https://i","aud":"shop","sub":7}"#, Flaw::Claim),
        ] {
            assert_eq!(read(text), Err(flaw), "{text}");
        }
    }

    #[test]
    fn what_is_no_token_is_not_asked_about() {
        for good in ["a", "mF_9.B5f-4.1JqM", "abc=="] {
            assert!(is_token(good.as_bytes()), "{good}");
        }
        for bad in ["", "==", "a b", "a&token=b", "a=b", "\u{e9}"] {
            assert!(!is_token(bad.as_bytes()), "{bad}");
        }
    }
}
