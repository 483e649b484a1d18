//! Name and password (RFC 7617).
//!
//! A hash is made to take long, so it is computed on a thread of its own, by few at a time, once for a password; what
//! was found is remembered by a name that does not tell it. An unknown name takes as long as a wrong password.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::authentication::{Basic, Found, Place};
use identity::keyed_hash::HashName;

use super::{Judged, Lacking, Stop, conceal, refuse};
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::limits::PASSWORDS_WAITING_MAX;
use crate::principal::Principal;

static PLACE: Place = Place::Scheme("basic");

/// A password that has to be verified.
pub struct Check {
    password: Vec<u8>,
    hash: Arc<str>,
    /// Under which it is remembered; `None` for somebody who does not exist.
    name: Option<HashName>,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check").finish_non_exhaustive()
    }
}

/// Looks for name and password.
pub fn prove<'c>(exchange: &mut Exchange<'c>, basic: &'c Basic) -> Judged<'c> {
    let found = match PLACE.find(&exchange.view()) {
        Found::Nothing => return Ok(None),
        Found::Unclear => None,
        Found::Credential(text) => STANDARD.decode(&text).ok(),
    };
    conceal(exchange, &PLACE, basic.keep);
    let Some((name, password)) = found.as_deref().and_then(split) else {
        return refuse(exchange, "password_malformed");
    };
    let verified = &exchange.worker.verified;
    let check = match basic.passwords.of_name(name) {
        Some((principal, hash)) => {
            let remembered = verified.hash.name([hash.as_bytes(), name.as_bytes(), password]);
            if verified.passwords.get(&remembered).is_some() {
                return Ok(Some(Principal::named(principal)));
            }
            Check { password: password.to_vec(), hash: hash.clone(), name: Some(remembered) }
        }
        None => match basic.passwords.any() {
            Some(hash) => Check { password: password.to_vec(), hash: hash.clone(), name: None },
            None => return refuse(exchange, "password_wrong"),
        },
    };
    Err(Stop::Lacking(Lacking::Password(check)))
}

fn split(text: &[u8]) -> Option<(&str, &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    Some((std::str::from_utf8(&text[..colon]).ok()?, &text[colon + 1..]))
}

/// Verifies a password, and remembers it.
pub async fn verify(exchange: &mut Exchange<'_>, check: Check) -> Result<(), Failure> {
    let verified = &exchange.worker.verified;
    if verified.waiting.get() >= PASSWORDS_WAITING_MAX {
        exchange.unproven = Some("passwords_waiting");
        return Err(Failure::AuthenticationUnavailable);
    }
    let waiting = Waiting::begin(&verified.waiting);
    let permit = verified.checks.acquire().await;
    let Check { password, hash, name } = check;
    let work = tokio::task::spawn_blocking(move || identity::password::verify(&password, &hash));
    let is_right = work.await.unwrap_or(false);
    drop((permit, waiting));
    match name.filter(|_| is_right) {
        Some(name) => {
            verified.passwords.put(name, ());
            Ok(())
        }
        None => {
            exchange.unproven = Some("password_wrong");
            Err(Failure::CredentialInvalid)
        }
    }
}

/// Counts who waits, however it ends.
struct Waiting<'c>(&'c std::cell::Cell<usize>);

impl Waiting<'_> {
    fn begin(count: &std::cell::Cell<usize>) -> Waiting<'_> {
        count.set(count.get() + 1);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
