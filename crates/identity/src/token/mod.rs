//! Signed tokens of other issuers (JSON Web Token, RFC 7519, in the compact form of RFC 7515 section 7.1).
//!
//! As strict as RFC 8725 (best current practices) asks: the algorithm comes from the key and never from the token
//! alone, nothing in the token is followed (`jku`, `x5u`, `jwk`), an extension that must be understood (`crit`) is
//! not, an object that names a member twice says nothing, times are numbers, and a token without an end is refused.
//! The signature is verified before anything that the token claims is looked at.

pub mod introspection;
mod object;

use std::sync::Arc;

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self, RsaParameters, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::jwk::{Algorithm, KEY_ID_BYTES_MAX, Key, KeySet, Material};
use serde_json::{Map, Value};

pub use object::object;

/// Longest token, in bytes. Past it the token is refused unread.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// What a token must be to count.
#[derive(Clone, Copy, Debug)]
pub struct Demands<'a> {
    /// Who must have issued it.
    pub issuer: &'a str,
    /// For whom it must be: one of these; not asked when empty.
    pub audiences: &'a [Arc<str>],
    /// How far clocks may differ, in seconds.
    pub clock_skew_seconds: u64,
    /// Seconds since the Unix epoch.
    pub now: u64,
}

/// What a token says that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Everything it says.
    pub all: Map<String, Value>,
    /// From when on it no longer counts, clock skew included; seconds since the Unix epoch.
    pub ends: u64,
}

impl Claims {
    /// Whom it is about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.all.get("sub").and_then(Value::as_str)
    }
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is longer than [`TOKEN_BYTES_MAX`].
    TooLong,
    /// It is no token.
    Malformed,
    /// Its algorithm is none that counts.
    Algorithm,
    /// It asks for something that is not understood.
    Critical,
    /// It is of another type, for another purpose.
    Type,
    /// No key that is known may have signed it.
    UnknownKey,
    /// Its signature is false.
    Signature,
    /// A claim is missing or of a wrong type.
    Claim,
    /// Somebody else has issued it.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// It is over.
    Expired,
    /// Its time has not come.
    NotYet,
    /// Its issuer says that it does not count.
    Inactive,
}

impl Flaw {
    /// Stable word for logs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Flaw::TooLong => "token_too_long",
            Flaw::Malformed => "token_malformed",
            Flaw::Algorithm => "token_algorithm",
            Flaw::Critical => "token_critical",
            Flaw::Type => "token_type",
            Flaw::UnknownKey => "token_key_unknown",
            Flaw::Signature => "token_signature",
            Flaw::Claim => "token_claim",
            Flaw::Issuer => "token_issuer",
            Flaw::Audience => "token_audience",
            Flaw::Expired => "token_expired",
            Flaw::NotYet => "token_not_yet",
            Flaw::Inactive => "token_inactive",
        }
    }
}

/// Verifies a token.
///
/// # Errors
/// It does not count.
pub fn verify(token: &[u8], keys: &KeySet, demands: &Demands<'_>) -> Result<Claims, Flaw> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Flaw::TooLong);
    }
    let mut parts = token.split(|byte| *byte == b'.');
    let (Some(head), Some(payload), Some(seal), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Flaw::Malformed);
    };
    let (id, algorithm) = read_head(&decode(head)?)?;
    let signed = &token[..head.len() + 1 + payload.len()];
    let seal = decode(seal)?;
    let mut candidates = keys.candidates(id.as_deref(), algorithm).peekable();
    if candidates.peek().is_none() {
        return Err(Flaw::UnknownKey);
    }
    if !candidates.any(|key| is_signed_by(key, algorithm, signed, &seal)) {
        return Err(Flaw::Signature);
    }
    judge(object(&decode(payload)?).ok_or(Flaw::Malformed)?, demands)
}

/// Who a token says has issued it, believed or not: which of several issuers has to be asked about it.
#[must_use]
pub fn claimed_issuer(token: &[u8]) -> Option<String> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let claims = object(&decode(token.split(|byte| *byte == b'.').nth(1)?).ok()?)?;
    claims.get("iss").and_then(Value::as_str).map(str::to_owned)
}

fn decode(part: &[u8]) -> Result<Vec<u8>, Flaw> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Malformed)
}

fn read_head(head: &[u8]) -> Result<(Option<String>, Algorithm), Flaw> {
    let head = object(head).ok_or(Flaw::Malformed)?;
    let algorithm =
        head.get("alg").and_then(Value::as_str).and_then(Algorithm::find).ok_or(Flaw::Algorithm)?;
    if ["crit", "b64", "zip", "enc"].iter().any(|name| head.contains_key(*name)) {
        return Err(Flaw::Critical);
    }
    match head.get("typ") {
        None => {}
        Some(Value::String(said)) => {
            let said = said.to_ascii_lowercase();
            let said = said.strip_prefix("application/").unwrap_or(&said);
            if !["jwt", "at+jwt"].contains(&said) {
                return Err(Flaw::Type);
            }
        }
        Some(_) => return Err(Flaw::Malformed),
    }
    let id = match head.get("kid") {
        None => None,
        Some(Value::String(id)) if id.len() <= KEY_ID_BYTES_MAX => Some(id.clone()),
        Some(_) => return Err(Flaw::Malformed),
    };
    Ok((id, algorithm))
}

/// Whether a key has signed a message. The algorithm is one of the key's own.
fn is_signed_by(key: &Key, algorithm: Algorithm, message: &[u8], seal: &[u8]) -> bool {
    let rsa = |parameters: &'static RsaParameters| match &key.material {
        Material::Rsa { modulus, exponent } => {
            rsa::PublicKeyComponents { n: modulus, e: exponent }.verify(parameters, message, seal).is_ok()
        }
        Material::Point(_) | Material::Edwards(_) => false,
    };
    let other = |with: &'static dyn VerificationAlgorithm| {
        let bytes: &[u8] = match &key.material {
            Material::Point(point) => point,
            Material::Edwards(key) => key,
            Material::Rsa { .. } => return false,
        };
        UnparsedPublicKey::new(with, bytes).verify(message, seal).is_ok()
    };
    match algorithm {
        Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => rsa(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => rsa(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 => other(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => other(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::Es512 => other(&signature::ECDSA_P521_SHA512_FIXED),
        Algorithm::EdDsa => other(&signature::ED25519),
    }
}

fn judge(claims: Map<String, Value>, demands: &Demands<'_>) -> Result<Claims, Flaw> {
    let Demands { issuer, audiences, clock_skew_seconds, now } = *demands;
    let issued_by = claims.get("iss").and_then(Value::as_str).ok_or(Flaw::Claim)?;
    if issued_by != issuer {
        return Err(Flaw::Issuer);
    }
    if !audiences.is_empty() && !is_for(claims.get("aud"), audiences)? {
        return Err(Flaw::Audience);
    }
    let end = moment(&claims, "exp")?.ok_or(Flaw::Claim)?;
    in_its_time(claims, end, clock_skew_seconds, now)
}

/// What is about somebody, and counts now.
fn in_its_time(claims: Map<String, Value>, end: u64, skew_seconds: u64, now: u64) -> Result<Claims, Flaw> {
    if claims.get("sub").is_some_and(|subject| !subject.is_string()) {
        return Err(Flaw::Claim);
    }
    let ends = end.saturating_add(skew_seconds);
    if now >= ends {
        return Err(Flaw::Expired);
    }
    if moment(&claims, "nbf")?.is_some_and(|begins| begins > now.saturating_add(skew_seconds)) {
        return Err(Flaw::NotYet);
    }
    moment(&claims, "iat")?;
    Ok(Claims { all: claims, ends })
}

fn is_for(said: Option<&Value>, audiences: &[Arc<str>]) -> Result<bool, Flaw> {
    let named = |value: &Value| -> Result<bool, Flaw> {
        let name = value.as_str().ok_or(Flaw::Claim)?;
        Ok(audiences.iter().any(|audience| **audience == *name))
    };
    match said.ok_or(Flaw::Claim)? {
        Value::Array(names) => {
            let found: Result<Vec<bool>, Flaw> = names.iter().map(named).collect();
            Ok(found?.contains(&true))
        }
        one => named(one),
    }
}

/// A time in seconds since the Unix epoch (NumericDate, RFC 7519 section 2), which may have a fraction.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Flaw> {
    /// Behind it a fraction no longer tells seconds apart.
    const LATEST: f64 = 9_007_199_254_740_992.0;
    let Some(value) = claims.get(name) else { return Ok(None) };
    let number = value.as_f64().filter(|number| (0.0..LATEST).contains(number)).ok_or(Flaw::Claim)?;
    Ok(Some(number as u64))
}

#[cfg(test)]
mod tests;
