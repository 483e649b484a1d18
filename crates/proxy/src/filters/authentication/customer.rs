//! Callers that are applications of customers, by the fingerprint of what they show.
//!
//! Who the customers are comes beside the config and is pinned with the name of the caller, so that everything that is
//! asked of one request later is answered by one table.

use std::rc::Rc;
use std::sync::Arc;

use engine::customers::{ApplicationId, CredentialKind, Customers, Fingerprint, Pepper, Unusable};

use super::seconds;
use crate::exchange::Exchange;
use crate::principal::{Principal, Unknown};

/// An application in a table of customers.
type Found = (Rc<Arc<Customers>>, ApplicationId);

/// Why there is none.
enum Lack {
    /// Nobody has told yet who the customers are.
    Unknown,
    /// It may not call.
    Suspended,
    /// The credential does not count.
    Refused(&'static str),
}

/// Why nobody can say whose key it is, as a word for the log.
pub const UNKNOWN: &str = "customers_unknown";

/// Whose key it is may not call, as a word for the log.
pub const SUSPENDED: &str = "application_suspended";

/// Whose key it is.
///
/// # Errors
/// Why it does not count, as a word for the log; [`UNKNOWN`] when nobody can say, [`SUSPENDED`] when it is good and its
/// owner may not call.
pub fn of_key<'c>(exchange: &Exchange<'c>, key: &[u8]) -> Result<Principal<'c>, &'static str> {
    match find(exchange, CredentialKind::ApiKey, |pepper| pepper.api_key(key)) {
        Ok((customers, id)) => Ok(Principal::of_application(customers, id)),
        Err(Lack::Refused(why)) => Err(why),
        Err(Lack::Unknown) => Err(UNKNOWN),
        Err(Lack::Suspended) => Err(SUSPENDED),
    }
}

/// The same caller with the application that it calls for, where somebody has entered its identity or certificate as a
/// credential. Who it is does not depend on that.
pub fn calling_for<'c>(
    exchange: &Exchange<'c>,
    kind: CredentialKind,
    principal: Principal<'c>,
) -> Principal<'c> {
    let found = principal.name().map(|name| {
        find(exchange, kind, |pepper| match kind {
            CredentialKind::Spiffe => pepper.spiffe(name),
            // The name of a certificate is the text that its fingerprint is made of.
            CredentialKind::Certificate | CredentialKind::ApiKey => pepper.api_key(name.as_bytes()),
        })
    });
    match found {
        Some(Ok((customers, id))) => principal.calling_for(customers, id, kind),
        Some(Err(Lack::Unknown)) => principal.calling_for_nobody(Unknown::Customers),
        Some(Err(Lack::Suspended)) => principal.calling_for_nobody(Unknown::Suspended),
        Some(Err(Lack::Refused(_))) => principal.calling_for_nobody(Unknown::Credential),
        None => principal,
    }
}

fn find(
    exchange: &Exchange<'_>,
    kind: CredentialKind,
    print: impl FnOnce(&Pepper) -> Fingerprint,
) -> Result<Found, Lack> {
    let customers = exchange.worker.customers.borrow().clone();
    let print = print(customers.prints().ok_or(Lack::Unknown)?);
    // A key whose text is the name of a certificate is no certificate.
    let credential = customers.credential(&print).filter(|found| found.kind == kind);
    let credential = credential.ok_or(Lack::Refused("key_unknown"))?;
    credential.usable(seconds(exchange)).map_err(|unusable| {
        Lack::Refused(match unusable {
            Unusable::Revoked => "key_revoked",
            Unusable::Compromised => "key_compromised",
            Unusable::Expired => "key_expired",
        })
    })?;
    match customers.application(credential.application) {
        Some(application) if application.live => Ok((customers.clone(), credential.application)),
        Some(_) => Err(Lack::Suspended),
        None => Err(Lack::Refused("key_unknown")),
    }
}
