//! What a caller who is refused is told to show (`WWW-Authenticate`, RFC 9110 section 11.6.1).
//!
//! Every method that a request can satisfy is named. A bearer token that was shown and did not count is told so as
//! RFC 6750 section 3.1 has it, without the reason, which is for the log: it would help who guesses.

use engine::authentication::{Authentication, Basic, Method, Place};

use crate::exchange::Exchange;
use crate::failure::Failure;

/// Puts down the challenges of the rule, if a failure is about credentials.
pub fn emit(exchange: &Exchange<'_>, failure: Failure, mut emit: impl FnMut(Vec<u8>)) {
    let invalid = match failure {
        Failure::CredentialMissing => false,
        Failure::CredentialInvalid => true,
        _ => return,
    };
    let Some(authentication) = exchange.rule.and_then(|rule| rule.authentication.as_deref()) else { return };
    challenges(authentication, invalid).into_iter().for_each(|challenge| emit(challenge.into_bytes()));
}

fn challenges(authentication: &Authentication, invalid: bool) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for method in &authentication.methods {
        let challenge = match method {
            Method::ApiKey(keys) => match keys.places.first() {
                Some(Place::Scheme(_)) => bearer(invalid),
                Some(place) => format!("ApiKey realm=\"api\", {}", named(place)),
                None => continue,
            },
            Method::Basic(Basic { realm, .. }) => format!("Basic realm=\"{realm}\", charset=\"UTF-8\""),
            Method::Jwt(_) | Method::Introspection(_) => bearer(invalid),
            // Nothing in a request can satisfy these: they are of the connection.
            Method::ClientCertificate | Method::Spiffe => "Mutual".to_owned(),
        };
        if !all.contains(&challenge) {
            all.push(challenge);
        }
    }
    if all.is_empty() {
        all.push("Mutual".to_owned());
    }
    all
}

fn bearer(invalid: bool) -> String {
    let error = if invalid { ", error=\"invalid_token\"" } else { "" };
    format!("Bearer realm=\"api\"{error}")
}

fn named(place: &Place) -> String {
    let (kind, name) = match place {
        Place::Scheme(scheme) => {
            return format!("in=\"header\", name=\"authorization\", scheme=\"{scheme}\"");
        }
        Place::Header(name) => ("header", name),
        Place::Query(name) => ("query", name),
        Place::Cookie(name) => ("cookie", name),
    };
    // Names are tokens (RFC 9110 section 5.6.2) and need no escaping.
    format!("in=\"{kind}\", name=\"{}\"", String::from_utf8_lossy(name))
}
