//! What a Gateway asks of the certificates of its clients.
//!
//! A reference that leads nowhere narrows the trust and never widens it: what is left verifies, and when nothing
//! is left the listener stays closed, in the insecure mode too.

use std::sync::Arc;

use model::kinds::config_map::ConfigMap;
use model::kinds::gateway::{FrontendValidation, FrontendValidationMode, Gateway};
use model::kinds::references::ObjectRef;
use model::kinds::{CORE_GROUP, GATEWAY_GROUP, KindName};
use model::resources::{Referred, Referrer};
use rustls_pki_types::CertificateDer;

use super::listeners::{Lookup, Problem};
use crate::config::{ClientValidation, ClientValidationMode};
use crate::status::Reason;

/// How a Gateway verifies clients on a port, if it does.
pub(super) fn asked(gateway: &Gateway, port: u16) -> Option<&FrontendValidation> {
    gateway.spec.tls.as_ref()?.frontend.as_ref()?.validation(port)
}

/// Whether some port lets clients in whose certificate is not valid.
pub(super) fn is_insecure(gateway: &Gateway) -> bool {
    let Some(frontend) = gateway.spec.tls.as_ref().and_then(|tls| tls.frontend.as_ref()) else {
        return false;
    };
    let configs = std::iter::once(&frontend.default).chain(frontend.per_port.iter().map(|port| &port.tls));
    configs
        .filter_map(|config| config.validation.as_ref())
        .any(|validation| validation.mode == FrontendValidationMode::AllowInsecureFallback)
}

/// Follows the references: what clients are verified by (nothing, when no reference is usable), and all that is
/// wrong, in the order of the references.
pub(super) fn resolve(
    namespace: &str,
    asked: &FrontendValidation,
    lookup: &mut Lookup<'_>,
) -> (Option<Arc<ClientValidation>>, Vec<Problem>) {
    let (mut roots, mut problems) = (Vec::new(), Vec::new());
    for reference in &asked.ca_certificate_refs {
        match anchors(namespace, reference, lookup) {
            Ok(found) => roots.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    let mode = match asked.mode {
        FrontendValidationMode::AllowValidOnly => ClientValidationMode::ValidOnly,
        FrontendValidationMode::AllowInsecureFallback => ClientValidationMode::InsecureFallback,
    };
    let usable = !roots.is_empty();
    (usable.then(|| Arc::new(ClientValidation { roots, mode })), problems)
}

fn anchors(
    namespace: &str,
    reference: &ObjectRef,
    lookup: &mut Lookup<'_>,
) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let ObjectRef { group, kind, name, namespace: elsewhere } = reference;
    if **group != *CORE_GROUP || **kind != *KindName::ConfigMap.as_str() {
        let message = format!("`{kind}` cannot hold trust anchors for clients; use a ConfigMap");
        return Err((Reason::InvalidCACertificateKind, message));
    }
    let target = elsewhere.as_deref().unwrap_or(namespace);
    let from = Referrer { group: GATEWAY_GROUP, kind: "Gateway", namespace };
    let to = Referred { group: CORE_GROUP, kind: "ConfigMap", namespace: target, name };
    if !lookup.resources.may_refer(from, to) {
        let message =
            format!("no ReferenceGrant in `{target}` lets Gateways of `{namespace}` use ConfigMap `{name}`");
        return Err((Reason::RefNotPermitted, message));
    }
    let answer = match lookup.resources.find::<ConfigMap>(target, name) {
        Some(found) => lookup.remembered.roots(found.resource, lookup.certificates),
        None => Err("there is none".to_owned()),
    };
    answer.map_err(|problem| {
        (Reason::InvalidCACertificateRef, format!("ConfigMap `{target}/{name}`: {problem}"))
    })
}
