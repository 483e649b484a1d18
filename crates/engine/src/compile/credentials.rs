//! Credentials of ours for Backends and collectors, out of Secrets that were made for it.
//!
//! A Secret says by its type that it may be shown to somebody else: else whoever may write Backends could have any
//! Secret of the namespace sent to an address of his own.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Resources;
use model::kinds::Secret;
use model::kinds::backend::{Backend, BackendCredential, CredentialScheme};
use model::kinds::secret::TYPE_UPSTREAM_CREDENTIAL;
use model::resources::Typed;

use crate::config::UpstreamCredential;

/// Most bytes of a credential. Past it the Backend is not asked.
const CREDENTIAL_BYTES_MAX: usize = 8192;

/// What requests to a Backend show, and why it is lacking.
pub(super) fn of_backend(
    backend: Typed<'_, Backend>,
    resources: &Resources,
) -> Option<(Arc<UpstreamCredential>, Option<String>)> {
    let written = backend.content.spec.credential.as_ref()?;
    let (credential, problem) = of(written, backend.resource.namespace(), resources);
    Some((Arc::new(credential), problem))
}

/// What is shown where this is written, and why it is lacking.
pub(super) fn of(
    written: &BackendCredential,
    namespace: &str,
    resources: &Resources,
) -> (UpstreamCredential, Option<String>) {
    let field = match &written.header {
        Some(name) => name.to_ascii_lowercase(),
        None => "authorization".to_owned(),
    };
    let (value, problem) = match value(written, namespace, resources) {
        Ok(value) => (Some(value.into()), None),
        Err(problem) => (None, Some(format!("Secret `{}`: {problem}", written.secret_ref.name))),
    };
    (UpstreamCredential { field: field.into_bytes().into(), value }, problem)
}

fn value(written: &BackendCredential, namespace: &str, resources: &Resources) -> Result<Vec<u8>, String> {
    let secret = resources.find::<Secret>(namespace, &written.secret_ref.name);
    let secret = secret.ok_or("there is none of this name")?.content;
    if *secret.secret_type != *TYPE_UPSTREAM_CREDENTIAL {
        let found = &secret.secret_type;
        return Err(format!("its type is `{found}`, and must be `{TYPE_UPSTREAM_CREDENTIAL}`"));
    }
    match written.scheme {
        CredentialScheme::Bearer => Ok([b"Bearer ", part(secret, "token")?].concat()),
        CredentialScheme::Header => Ok(part(secret, "value")?.to_vec()),
        CredentialScheme::Basic => {
            let (username, password) = (part(secret, "username")?, part(secret, "password")?);
            if username.contains(&b':') {
                return Err("`username` has a colon, which ends it (RFC 7617)".to_owned());
            }
            let text = STANDARD.encode([username, b":", password].concat());
            Ok(format!("Basic {text}").into_bytes())
        }
    }
}

/// A value of `Authorization` by which we ask somebody as their client: a `token`, or else `username` and `password`,
/// encoded as RFC 6749 section 2.3.1 has it.
pub(super) fn of_client(secret: &Secret) -> Result<Vec<u8>, String> {
    if secret.get("token").is_some() {
        return Ok([b"Bearer ", part(secret, "token")?].concat());
    }
    let encoded = |key| Ok::<_, String>(form_encoded(part(secret, key)?));
    let text = STANDARD.encode(format!("{}:{}", encoded("username")?, encoded("password")?));
    Ok(format!("Basic {text}").into_bytes())
}

fn form_encoded(text: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.iter().map(one).collect()
}

/// A value that can stand in a field.
fn part<'s>(secret: &'s Secret, key: &str) -> Result<&'s [u8], String> {
    let value = secret.get(key).ok_or_else(|| format!("it has nothing under `{key}`"))?.trim_ascii();
    if value.is_empty() || value.len() > CREDENTIAL_BYTES_MAX {
        return Err(format!("`{key}` has {} bytes; 1 to {CREDENTIAL_BYTES_MAX} are possible", value.len()));
    }
    match value.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        true => Ok(value),
        false => Err(format!("`{key}` holds bytes that cannot stand in a field")),
    }
}
