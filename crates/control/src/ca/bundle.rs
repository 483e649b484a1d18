//! What proxies and people are shown of the authorities: the TrustBundle.

use std::sync::Arc;

use model::Resource;
use model::kinds::{KindName, TrustBundle};
use model::units::Moment;
use serde_json::{Value, json};

use super::root::{Origin, Root};
use super::state::{Retired, State, put};
use crate::store::Write;
use identity::x509;

/// Most proxies that are named as waited for; the schema of the status allows no more.
const NAMED_MAX: usize = 100;

/// Whether a bundle says which roots are trusted now.
#[must_use]
pub fn is_current(bundle: &TrustBundle, state: &State) -> bool {
    let roots = bundle.spec.roots.iter().map(|root| &**root);
    let retired = bundle.spec.retired.iter().map(|root| &**root);
    *bundle.spec.trust_domain == *state.trust_domain
        && roots.eq(state.roots.iter().map(|root| root.anchor.as_str()))
        && retired.eq(state.retired.iter().map(|retired| retired.anchor.as_str()))
}

/// The write that makes the bundle say how things are; `None` when it does. `problem` is what keeps the Mesh from
/// having the authority that it asks for.
#[must_use]
pub fn write(
    mesh: &str,
    state: &State,
    waits_for: &[String],
    problem: Option<&str>,
    before: Option<&Arc<Resource>>,
    now: Moment,
) -> Option<Write> {
    let known = before.map(|before| before.written.value());
    let roots: Vec<&str> = state.roots.iter().map(|root| root.anchor.as_str()).collect();
    let mut spec = json!({ "trustDomain": state.trust_domain, "roots": roots, "signing": state.signing });
    let conditions = conditions(known.as_ref(), problem, now);
    let mut status = json!({
        "conditions": conditions,
        "signing": state.signing,
        "roots": state.roots.iter().map(described).collect::<Vec<_>>(),
    });
    if !state.retired.is_empty() {
        spec["retired"] = state.retired.iter().map(|retired| &*retired.anchor).collect();
        let told =
            |retired: &Retired| json!({ "id": retired.id, "until": Moment(retired.until).to_string() });
        status["retired"] = state.retired.iter().map(told).collect();
    }
    if let Some(rotation) = &state.rotation {
        let from = state.roots.iter().map(|root| &root.id).filter(|id| **id != rotation.to);
        status["rotation"] = json!({
            "stage": rotation.stage.as_str(),
            "to": rotation.to,
            "from": from.collect::<Vec<_>>(),
            "since": Moment(rotation.since).to_string(),
            "waitsFor": waits_for.iter().take(NAMED_MAX).collect::<Vec<_>>(),
        });
    }
    let same =
        known.is_some_and(|known| known.get("spec") == Some(&spec) && known.get("status") == Some(&status));
    let content = json!({ "spec": spec, "status": status });
    (!same).then(|| put(KindName::TrustBundle, None, mesh, before, content, now))
}

/// The bundle as it is, saying why nothing is signed.
#[must_use]
pub fn with_problem(known: &Arc<Resource>, problem: &str, now: Moment) -> Option<Write> {
    let value = known.written.value();
    let conditions = conditions(Some(&value), Some(problem), now);
    let mut status = value.get("status").cloned().unwrap_or_else(|| json!({}));
    if status.get("conditions") == Some(&conditions) {
        return None;
    }
    status["conditions"] = conditions;
    let content = json!({ "spec": value.get("spec").cloned().unwrap_or_default(), "status": status });
    Some(put(KindName::TrustBundle, None, known.key.name.as_str(), Some(known), content, now))
}

fn described(root: &Root) -> Value {
    let certificate = root.anchor_der();
    let parsed = certificate.as_ref().and_then(x509::parse);
    let subject = parsed.as_ref().map(|parsed| parsed.subject().to_string());
    let not_after = root.ends().and_then(|ends| ends.duration_since(std::time::SystemTime::UNIX_EPOCH).ok());
    let not_after = Moment(not_after.and_then(|ends| i64::try_from(ends.as_secs()).ok()).unwrap_or(0));
    let origin = match root.origin {
        Origin::BuiltIn => "BuiltIn",
        Origin::Supplied => "Supplied",
    };
    json!({ "id": root.id, "subject": subject, "notAfter": not_after.to_string(), "origin": origin })
}

/// `Ready`, since when it has been so.
fn conditions(known: Option<&Value>, problem: Option<&str>, now: Moment) -> Value {
    let (status, reason, message) = match problem {
        None => ("True", "Issuing", "certificates are given"),
        Some(problem) => ("False", "InvalidAuthority", problem),
    };
    let before = known.and_then(|known| known.pointer("/status/conditions/0"));
    let since =
        before.filter(|before| before["status"] == status).map(|before| before["lastTransitionTime"].clone());
    json!([{
        "type": "Ready", "status": status, "reason": reason, "message": message,
        "lastTransitionTime": since.unwrap_or_else(|| now.to_string().into()),
    }])
}
