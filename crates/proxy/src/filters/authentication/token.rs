//! Signed tokens (RFC 7519), verified once and then known by a name until they end or their issuer's keys change.

use std::rc::Rc;
use std::sync::Arc;

use engine::authentication::{Authentication, Found, Jwt, KeySlot, Method, TokenKeys, ToldClaim};
use identity::keyed_hash::HashName;
use identity::token::{self, Claims, Demands, Flaw, TOKEN_BYTES_MAX};
use model::jwk::KeySet;
use serde_json::{Map, Value};

use super::{Judged, Lacking, Stop, conceal, now, refuse, seconds};
use crate::exchange::Exchange;
use crate::principal::{Principal, Token};
use crate::state::verified::VerifiedToken;

/// What came of looking at a token.
enum Looked {
    Counts(Rc<Token>),
    Flawed(Flaw),
    /// Another method may know its issuer.
    Foreign,
    /// Keys of its issuer.
    Lacking(KeySlot),
    Unclear,
}

/// Looks for a token.
pub fn prove<'c>(exchange: &mut Exchange<'c>, jwt: &'c Jwt, policy: &'c Authentication) -> Judged<'c> {
    for place in &jwt.places {
        let looked = match place.find(&exchange.view()) {
            Found::Nothing => continue,
            Found::Unclear => Looked::Unclear,
            Found::Credential(token) => look(exchange, jwt, policy, &token),
        };
        conceal(exchange, place, jwt.keep);
        return match looked {
            Looked::Counts(token) => {
                exchange.unproven = None;
                exchange.concealed.told = &jwt.told;
                Ok(Some(Principal::of_token(token)))
            }
            Looked::Flawed(flaw) => refuse(exchange, flaw.code()),
            Looked::Foreign => {
                exchange.unproven = Some(Flaw::Issuer.code());
                Ok(None)
            }
            Looked::Lacking(slot) => Err(Stop::Lacking(Lacking::Keys(slot))),
            Looked::Unclear => refuse(exchange, "token_unclear"),
        };
    }
    Ok(None)
}

fn look(exchange: &Exchange<'_>, jwt: &Jwt, policy: &Authentication, text: &[u8]) -> Looked {
    if text.len() > TOKEN_BYTES_MAX {
        return Looked::Flawed(Flaw::TooLong);
    }
    let held;
    let keys: &Arc<KeySet> = match &jwt.keys {
        TokenKeys::Given(keys) => keys,
        TokenKeys::Remote(source) => match exchange.worker.keys.of(source.slot) {
            Some(keys) => {
                held = keys;
                &held
            }
            None => return Looked::Lacking(source.slot),
        },
    };
    let verified = &exchange.worker.verified;
    let name = name(exchange, jwt, text);
    let time = seconds(exchange);
    if let Some(known) = verified.tokens.get(&name)
        && Arc::ptr_eq(&known.keys, keys)
        && time < known.ends
    {
        return Looked::Counts(known.token.clone());
    }
    if is_foreign(policy, jwt, text) {
        return Looked::Foreign;
    }
    let Jwt { issuer, audiences, clock_skew_seconds, .. } = jwt;
    let demands = Demands { issuer, audiences, clock_skew_seconds: *clock_skew_seconds, now: time };
    match token::verify(text, keys, &demands) {
        Ok(claims) => {
            let ends = claims.ends;
            let token = Rc::new(made(claims, jwt));
            let kept = VerifiedToken { token: token.clone(), keys: keys.clone(), ends };
            verified.tokens.put(name, Rc::new(kept));
            Looked::Counts(token)
        }
        Err(Flaw::UnknownKey) => match &jwt.keys {
            TokenKeys::Remote(source) if !exchange.worker.keys.are_fresh(source.slot, now(exchange)) => {
                Looked::Lacking(source.slot)
            }
            TokenKeys::Remote(_) | TokenKeys::Given(_) => Looked::Flawed(Flaw::UnknownKey),
        },
        Err(flaw) => Looked::Flawed(flaw),
    }
}

/// Whether another method of the policy may know a token: one of its issuer, or one that asks about whatever it is
/// shown.
fn is_foreign(policy: &Authentication, jwt: &Jwt, text: &[u8]) -> bool {
    let of = |is: fn(&Method) -> bool| policy.methods.iter().filter(|method| is(method)).count();
    let jwts = of(|method| matches!(method, Method::Jwt(_)));
    let asks = of(|method| matches!(method, Method::Introspection(_))) > 0;
    match token::claimed_issuer(text) {
        Some(issuer) => (jwts > 1 || asks) && *issuer != *jwt.issuer,
        None => asks,
    }
}

/// The name of a token as this method understands it: another method may make something else of it.
fn name(exchange: &Exchange<'_>, jwt: &Jwt, text: &[u8]) -> HashName {
    let skew = jwt.clock_skew_seconds.to_le_bytes();
    let count = [jwt.audiences.len(), jwt.told.len()].map(|count| count as u8);
    let audiences = jwt.audiences.iter().map(|audience| audience.as_bytes());
    let told = jwt.told.iter().map(|(claim, _)| claim.as_bytes());
    let head = [&skew[..], &count[..], jwt.issuer.as_bytes()].into_iter();
    exchange.worker.verified.hash.name(head.chain(audiences).chain(told).chain([text]))
}

fn made(claims: Claims, jwt: &Jwt) -> Token {
    Token {
        name: format!("jwt:{}#{}", jwt.issuer, claims.subject().unwrap_or_default()).into(),
        told: all_told(&jwt.told, &claims.all),
        claims: claims.all,
    }
}

/// The claims that the backend is told.
pub fn all_told(list: &[ToldClaim], claims: &Map<String, Value>) -> Box<[Option<Box<[u8]>>]> {
    list.iter().map(|(claim, _)| told(claims.get(&**claim)?)).collect()
}

/// A claim as the value of a field: text as it is, numbers and yes or no as in JSON, lists of those with commas
/// between. What could not be read back, or could end the field, is not told.
fn told(value: &Value) -> Option<Box<[u8]>> {
    let text = match value {
        Value::Array(list) => {
            let parts: Option<Vec<String>> = list.iter().map(simple).collect();
            let parts = parts?;
            if parts.iter().any(|part| part.contains(',')) {
                return None;
            }
            parts.join(",")
        }
        one => simple(one)?,
    };
    let sound = text.bytes().all(|byte| byte >= 0x20 && byte != 0x7f) && text.trim() == text;
    sound.then(|| text.into_bytes().into())
}

fn simple(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_that_could_be_read_otherwise_is_not_told() {
        let text = |value: Value| told(&value).map(|told| String::from_utf8(told.into()).expect("text"));

        assert_eq!(text(json!("kim")).as_deref(), Some("kim"));
        assert_eq!(text(json!(["a", 7, true])).as_deref(), Some("a,7,true"));
        for bad in [
            json!("a\r\nx-admin: 1"),
            json!("\u{0}"),
            json!(" a"),
            json!({}),
            json!(["a,b"]),
            json!(null),
            json!([[1]]),
        ] {
            assert_eq!(text(bad.clone()), None, "{bad}");
        }
    }
}
