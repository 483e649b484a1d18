//! How callers prove who they are, as JSON: where credentials stand and who is asked about them, and none of them.

use serde_json::{Map, Value, json};

use crate::authentication::{ApiKey, Authentication, Basic, Introspection, Jwt, Method, Place, TokenKeys};

/// What one place asks of its callers.
pub(super) fn whole(authentication: &Authentication) -> Value {
    let Authentication { policy, methods, anonymous, unusable, reserved: _ } = authentication;
    let mut object = json!({
        "policy": policy,
        "methods": methods.iter().map(method).collect::<Vec<_>>(),
        "anonymous": anonymous,
    });
    if let Some(why) = unusable {
        object["unusable"] = json!(why);
    }
    object
}

fn method(method: &Method) -> Value {
    let mut object = Map::new();
    object.insert(
        method.as_str().to_owned(),
        match method {
            Method::ApiKey(ApiKey { places, keep, given }) => json!({
                "in": places.iter().map(place).collect::<Vec<_>>(),
                "keep": keep,
                "keys": given.as_ref().map_or_else(|| json!("applications"), |given| json!(given.len())),
            }),
            Method::Basic(Basic { realm, keep, passwords }) => {
                json!({ "realm": realm, "keep": keep, "names": passwords.len() })
            }
            Method::Jwt(jwt) => token(jwt),
            Method::Introspection(introspection) => asked(introspection),
            Method::ClientCertificate | Method::Spiffe => json!({}),
        },
    );
    object.into()
}

fn token(jwt: &Jwt) -> Value {
    let Jwt { issuer, audiences, keys, places, keep, clock_skew_seconds, told } = jwt;
    let keys = match keys {
        TokenKeys::Given(keys) => json!(keys.keys.len()),
        TokenKeys::Remote(source) => json!(source.fetch.url.as_str()),
    };
    let told = told.iter().map(|(claim, field)| (claim.to_string(), text(field)));
    json!({
        "issuer": issuer,
        "audiences": audiences,
        "keys": keys,
        "in": places.iter().map(place).collect::<Vec<_>>(),
        "keep": keep,
        "clock_skew_seconds": clock_skew_seconds,
        "told": told.collect::<Map<_, _>>(),
    })
}

fn asked(introspection: &Introspection) -> Value {
    let Introspection { endpoint, issuer, audiences, places, keep, cache_seconds, clock_skew_seconds, told } =
        introspection;
    let told = told.iter().map(|(claim, field)| (claim.to_string(), text(field)));
    json!({
        "endpoint": endpoint.fetch.url.as_str(),
        "issuer": issuer,
        "audiences": audiences,
        "in": places.iter().map(place).collect::<Vec<_>>(),
        "keep": keep,
        "cache_seconds": cache_seconds,
        "clock_skew_seconds": clock_skew_seconds,
        "told": told.collect::<Map<_, _>>(),
    })
}

/// As people say it.
fn place(place: &Place) -> Value {
    match place {
        Place::Scheme(scheme) => json!({ "scheme": scheme }),
        Place::Header(name) => json!({ "header": text(name) }),
        Place::Query(name) => json!({ "query": text(name) }),
        Place::Cookie(name) => json!({ "cookie": text(name) }),
    }
}

fn text(name: &[u8]) -> Value {
    String::from_utf8_lossy(name).into()
}
