//! One method of an AuthenticationPolicy, with what stands in Secrets.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Resources;
use model::fetch_url::FetchUrl;
use model::ip_block::IpBlock;
use model::jwk::KeySet;
use model::kinds::Secret;
use model::kinds::authentication_policy::{self as written, CredentialPlace, Nothing, SecretRef};
use model::kinds::secret::{JWKS_JSON, TYPE_API_KEYS, TYPE_PASSWORDS, TYPE_UPSTREAM_CREDENTIAL};

use crate::authentication::{
    ApiKey, Basic, Fetch, GivenKeys, Introspection, IntrospectionEndpoint, Jwt, KeySlot, KeySource, Method,
    Passwords, Place, TokenKeys,
};
use crate::compile::credentials;
use crate::compile::slots::Slots;

/// What methods are compiled with.
pub(super) struct Workshop<'a> {
    pub(super) namespace: &'a str,
    pub(super) resources: &'a Resources,
    pub(super) slots: &'a mut Slots<(FetchUrl, Box<[IpBlock]>)>,
    /// Sources of the compile before; those that are the same are kept.
    pub(super) before: &'a BTreeMap<u32, Arc<KeySource>>,
    pub(super) sources: &'a mut BTreeMap<u32, Arc<KeySource>>,
}

impl Workshop<'_> {
    pub(super) fn method(&mut self, method: &written::Method) -> Result<Method, String> {
        Ok(match method {
            written::Method::ApiKey(keys) => Method::ApiKey(self.api_key(keys)?),
            written::Method::Basic(basic) => Method::Basic(self.basic(basic)?),
            written::Method::Jwt(jwt) => Method::Jwt(self.jwt(jwt)?),
            written::Method::Introspection(introspection) => {
                Method::Introspection(self.introspection(introspection)?)
            }
            written::Method::ClientCertificate(Nothing {}) => Method::ClientCertificate,
            written::Method::Spiffe(Nothing {}) => Method::Spiffe,
        })
    }

    fn api_key(&self, keys: &written::ApiKey) -> Result<ApiKey, String> {
        let written::ApiKey { r#in, keep, secret_ref } = keys;
        let given = match secret_ref {
            None => None,
            Some(reference) => {
                let secret = self.secret(reference, Some(TYPE_API_KEYS))?;
                let keys = GivenKeys::of(secret, |name| format!("apiKey:{name}").into());
                Some(keys.map_err(|problem| told(reference, &problem))?)
            }
        };
        Ok(ApiKey { places: r#in.iter().map(place).collect(), keep: *keep, given })
    }

    fn basic(&self, basic: &written::Basic) -> Result<Basic, String> {
        let written::Basic { secret_ref, realm, keep } = basic;
        let secret = self.secret(secret_ref, Some(TYPE_PASSWORDS))?;
        let passwords = Passwords::of(secret, |name| format!("basic:{name}").into())
            .map_err(|problem| told(secret_ref, &problem))?;
        Ok(Basic { realm: realm.clone(), keep: *keep, passwords })
    }

    fn jwt(&mut self, jwt: &written::Jwt) -> Result<Jwt, String> {
        let written::Jwt { issuer, audiences, jwks, r#in, keep, clock_skew, claim_to_headers } = jwt;
        let keys = self.keys(jwks)?;
        let places = token_places(r#in);
        let told = claim_to_headers.iter();
        let told = told.map(|told| (told.claim.clone(), field(&told.header)));
        Ok(Jwt {
            issuer: issuer.clone(),
            audiences: audiences.iter().cloned().collect(),
            keys,
            places,
            keep: *keep,
            clock_skew_seconds: clock_skew.0.as_secs(),
            told: told.collect(),
        })
    }

    fn introspection(&self, introspection: &written::Introspection) -> Result<Introspection, String> {
        let written::Introspection {
            uri,
            allowed_addresses,
            secret_ref,
            issuer,
            audiences,
            r#in,
            keep,
            cache_for,
            clock_skew,
            claim_to_headers,
        } = introspection;
        let secret = self.secret(secret_ref, Some(TYPE_UPSTREAM_CREDENTIAL))?;
        let authorization =
            credentials::of_client(secret).map_err(|problem| told(secret_ref, &problem))?.into();
        let fetch = fetch(uri, allowed_addresses)?;
        Ok(Introspection {
            endpoint: Arc::new(IntrospectionEndpoint { fetch, authorization }),
            issuer: issuer.clone(),
            audiences: audiences.iter().cloned().collect(),
            places: token_places(r#in),
            keep: *keep,
            cache_seconds: cache_for.get().as_secs().max(1),
            clock_skew_seconds: clock_skew.get().as_secs(),
            told: claim_to_headers.iter().map(|told| (told.claim.clone(), field(&told.header))).collect(),
        })
    }

    fn keys(&mut self, jwks: &written::Jwks) -> Result<TokenKeys, String> {
        let written::Jwks { uri, allowed_addresses, inline, secret_ref } = jwks;
        let read = |text: &str| text.parse::<KeySet>().map_err(|problem| problem.to_string());
        if let Some(text) = inline {
            return Ok(TokenKeys::Given(Arc::new(read(text)?)));
        }
        if let Some(reference) = secret_ref {
            let text =
                self.secret(reference, None)?.get(JWKS_JSON).and_then(|text| std::str::from_utf8(text).ok());
            let text = text.ok_or_else(|| told(reference, &format!("it has no text under `{JWKS_JSON}`")))?;
            let keys = read(text).map_err(|problem| told(reference, &format!("`{JWKS_JSON}` {problem}")))?;
            return Ok(TokenKeys::Given(Arc::new(keys)));
        }
        let uri = uri.as_deref().ok_or("`jwks` names no keys")?;
        let fetch = fetch(uri, allowed_addresses)?;
        let slot = self.slots.of((fetch.url.clone(), fetch.allowed.clone()));
        let known = self.sources.get(&slot).or_else(|| self.before.get(&slot)).cloned();
        let source = known.unwrap_or_else(|| Arc::new(KeySource { slot: KeySlot(slot), fetch }));
        self.sources.insert(slot, source.clone());
        Ok(TokenKeys::Remote(source))
    }

    fn secret(&self, reference: &SecretRef, of_type: Option<&str>) -> Result<&Secret, String> {
        let found = self.resources.find::<Secret>(self.namespace, &reference.name);
        let secret = found.ok_or_else(|| told(reference, "there is none of this name"))?.content;
        match of_type {
            Some(wanted) if *secret.secret_type != *wanted => {
                Err(told(reference, &format!("its type is `{}`, and must be `{wanted}`", secret.secret_type)))
            }
            Some(_) | None => Ok(secret),
        }
    }
}

fn token_places(written: &[CredentialPlace]) -> Box<[Place]> {
    if written.is_empty() { [Place::Scheme("bearer")].into() } else { written.iter().map(place).collect() }
}

fn fetch(uri: &str, allowed: &[IpBlock]) -> Result<Fetch, String> {
    let url: FetchUrl = uri.parse().map_err(|problem: model::Problem| format!("`{uri}` {problem}"))?;
    Ok(Fetch { url, allowed: allowed.into() })
}

fn told(reference: &SecretRef, problem: &str) -> String {
    format!("Secret `{}`: {problem}", reference.name)
}

fn field(name: &str) -> Arc<[u8]> {
    name.to_ascii_lowercase().as_bytes().into()
}

fn place(written: &CredentialPlace) -> Place {
    match written {
        CredentialPlace::Header(name) if name.eq_ignore_ascii_case("authorization") => {
            Place::Scheme("bearer")
        }
        CredentialPlace::Header(name) => Place::Header(field(name)),
        CredentialPlace::Query(name) => Place::Query(name.as_bytes().into()),
        CredentialPlace::Cookie(name) => Place::Cookie(name.as_bytes().into()),
    }
}

/// Fields in which claims are told.
pub(super) fn reserved(methods: &[Method]) -> Box<[Arc<[u8]>]> {
    let mut fields: Vec<Arc<[u8]>> = methods
        .iter()
        .flat_map(|method| match method {
            Method::Jwt(jwt) => &jwt.told[..],
            Method::Introspection(introspection) => &introspection.told,
            Method::ApiKey(_) | Method::Basic(_) | Method::ClientCertificate | Method::Spiffe => &[],
        })
        .map(|(_, field)| field.clone())
        .collect();
    fields.sort();
    fields.dedup();
    fields.into()
}
