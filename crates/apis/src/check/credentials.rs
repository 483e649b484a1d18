//! Whether a request shows what the description asks callers to show.
//!
//! Only that something is shown is looked at; whether it is right is for those to say who know the secrets.

use crate::operation::{Operation, Place, Requirement, Scheme};
use crate::request::Request;

/// What is missing: a value for `WWW-Authenticate` (RFC 9110, 11.6.1) for each way in. Empty when enough is shown.
#[must_use]
pub fn missing(operation: &Operation, request: &Request<'_>) -> Vec<String> {
    let security = &operation.security;
    if security.is_open() {
        return Vec::new();
    }
    let enough = |all: &[Requirement]| all.iter().all(|one| is_shown(&one.scheme, request));
    if security.alternatives.iter().any(|all| enough(all)) {
        return Vec::new();
    }
    let mut challenges: Vec<String> = security
        .alternatives
        .iter()
        .flat_map(|all| all.iter())
        .map(|one| match &*one.scheme {
            Scheme::Http(scheme) if &**scheme == "basic" => "Basic realm=\"*\"".to_owned(),
            Scheme::Http(scheme) if &**scheme == "bearer" => "Bearer".to_owned(),
            Scheme::Http(scheme) => scheme.to_string(),
            Scheme::OAuth2 => "OAuth2".to_owned(),
            Scheme::OpenIdConnect => "OpenID".to_owned(),
            Scheme::ApiKey { .. } => "ApiKey".to_owned(),
            Scheme::MutualTls => "MutualTLS".to_owned(),
        })
        .collect();
    challenges.dedup();
    challenges
}

fn is_shown(scheme: &Scheme, request: &Request<'_>) -> bool {
    match scheme {
        Scheme::ApiKey { place: Place::Header, name } => request.header(name).is_some(),
        Scheme::ApiKey { place: Place::Query, name } => {
            request.query_pairs().any(|(known, _)| *known == **name)
        }
        Scheme::ApiKey { place: Place::Cookie, name } => request.cookies().any(|(known, _)| *known == **name),
        Scheme::ApiKey { place: Place::Path, .. } => false,
        Scheme::Http(scheme) => authorization(request, scheme),
        Scheme::OAuth2 | Scheme::OpenIdConnect => authorization(request, "bearer"),
        // The handshake has judged it, or not; nothing of it is in the request.
        Scheme::MutualTls => true,
    }
}

fn authorization(request: &Request<'_>, scheme: &str) -> bool {
    request.header("authorization").is_some_and(|value| {
        let (given, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        given.eq_ignore_ascii_case(scheme) && !rest.trim().is_empty()
    })
}
