//! The certificate a Gateway shows to backends that ask who calls.
//!
//! A pooled connection speaks for whoever opened it, so a Gateway with a certificate has destinations of its own.
//! They are told apart by the Gateway's name from the moment it *names* a certificate: a Secret that comes later,
//! or is renewed, changes destinations and no route.

use std::collections::HashMap;
use std::sync::Arc;

use model::kinds::gateway::Gateway;
use model::kinds::references::ObjectRef;
use model::resources::Typed;

use super::listeners::{self, Lookup, Problem};
use crate::config::KeyPair;
use crate::status::Reason;

/// A Gateway that names a certificate of its own: `namespace/name`.
pub(super) type Caller = Arc<str>;

/// What each caller shows; `None` where its reference does not resolve. TLS towards backends is then refused:
/// calling without a name where one was asked for might be let in as somebody else.
pub(super) type Shown = HashMap<Caller, Option<Arc<KeyPair>>>;

/// Why traffic is refused when a Gateway's own certificate is not usable.
pub(super) const CLIENT_CERTIFICATE_INVALID: &str = "client_certificate_invalid";

/// A Gateway's own certificate, judged.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) caller: Caller,
    pub(super) pair: Option<Arc<KeyPair>>,
    pub(super) problem: Option<Problem>,
}

/// The Gateway as a caller, if it names a certificate.
pub(super) fn caller(gateway: Typed<'_, Gateway>) -> Option<Caller> {
    reference(gateway.content).map(|_| gateway.resource.key.place().into())
}

/// Looks up the certificate that a Gateway names.
pub(super) fn own(gateway: Typed<'_, Gateway>, lookup: &mut Lookup<'_>) -> Option<Own> {
    let caller = caller(gateway)?;
    let found = listeners::certificate(gateway.resource.namespace(), reference(gateway.content)?, lookup);
    let (pair, problem) = match found {
        Ok((pair, problem)) => (pair, problem.map(|text| (Reason::InvalidClientCertificateRef, text))),
        Err((Reason::RefNotPermitted, text)) => (None, Some((Reason::RefNotPermitted, text))),
        Err((_, text)) => (None, Some((Reason::InvalidClientCertificateRef, text))),
    };
    Some(Own { caller, pair, problem })
}

fn reference(gateway: &Gateway) -> Option<&ObjectRef> {
    gateway.spec.tls.as_ref()?.backend.as_ref()?.client_certificate_ref.as_ref()
}
