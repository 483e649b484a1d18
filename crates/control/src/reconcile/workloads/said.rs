//! What is said about a Workload, and how it stands in the status.

use std::collections::HashMap;
use std::sync::Arc;

use model::kinds::Workload;
use model::resources::Typed;
use model::spiffe::SpiffeId;
use model::units::Moment;
use model::{Resource, Resources};
use serde_json::{Value, json};

use crate::proxies::Beside;
use crate::reconcile::transitions::lay;
use crate::reconcile::write::Change;

/// The condition that decides whether a Workload is called.
const READY: &str = "Ready";

/// What the condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The application can serve, or nobody asks it.
    Ready,
    /// It cannot.
    NotReady,
    /// The sidecar has nothing to run on, so nothing gets through it.
    Unconfigured,
    /// No sidecar was heard within the lease.
    Silent,
}

impl Said {
    /// What the proxy beside a workload says.
    pub(super) fn by(beside: &Beside) -> Said {
        match beside.application_ready {
            _ if beside.epoch == 0 => Said::Unconfigured,
            Some(false) => Said::NotReady,
            Some(true) | None => Said::Ready,
        }
    }

    fn status(self) -> &'static str {
        if self == Said::Ready { "True" } else { "False" }
    }

    fn reason(self) -> &'static str {
        match self {
            Said::Ready => "ApplicationReady",
            Said::NotReady => "ApplicationNotReady",
            Said::Unconfigured => "SidecarNotConfigured",
            Said::Silent => "SidecarSilent",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Said::Ready => "the sidecar vouches for the application",
            Said::NotReady => "the application does not answer as its health check asks",
            Said::Unconfigured => "the sidecar is connected and has no configuration yet",
            Said::Silent => "the sidecar was not heard within its lease",
        }
    }

    /// Whether the status says this already.
    pub(super) fn stands_in(self, resource: &Resource) -> bool {
        let value = resource.written.value();
        let conditions = value.pointer("/status/conditions").and_then(Value::as_array);
        conditions.into_iter().flatten().any(|condition| {
            let is = |field: &str, text: &str| condition.get(field).and_then(Value::as_str) == Some(text);
            is("type", READY) && is("status", self.status()) && is("reason", self.reason())
        })
    }

    /// The write that makes the status say it; whatever else stands there stays.
    pub(super) fn change(self, resource: &Arc<Resource>, seen: Option<Moment>, now: Moment) -> Change {
        let before = resource.written.value().get("status").cloned();
        let said = before.as_ref().and_then(|status| status.get("conditions")).and_then(Value::as_array);
        let others = said.into_iter().flatten().filter(|condition| condition["type"] != READY);
        let mut conditions: Vec<Value> = others.cloned().collect();
        conditions.push(json!({
            "type": READY, "status": self.status(), "reason": self.reason(), "message": self.message(),
            "observedGeneration": resource.meta.generation,
        }));
        let mut computed = json!({ "conditions": conditions });
        if let Some(seen) = seen {
            computed["lastSeen"] = seen.to_string().into();
        }
        Change::status(resource, lay(before.as_ref(), computed, &now.to_string()))
    }
}

/// When somebody who vouches for it was last heard, as its status says.
pub(super) fn last_seen(workload: &Workload) -> Option<Moment> {
    workload.status.last_seen.as_deref()?.parse().ok()
}

/// By workload, the proxy beside it that was heard last.
pub(super) fn vouching<'b>(
    beside: impl IntoIterator<Item = &'b Beside>,
    resources: &Resources,
) -> HashMap<&'b str, &'b Beside> {
    let mut heard: HashMap<&str, &Beside> = HashMap::new();
    for beside in beside {
        let found = found(resources, &beside.workload);
        if found.is_none_or(|found| !vouches(beside, found.content)) {
            continue;
        }
        let known = heard.entry(&beside.workload).or_insert(beside);
        if known.heard < beside.heard {
            *known = beside;
        }
    }
    heard
}

/// The Workload with this `namespace/name`.
pub(super) fn found<'r>(resources: &'r Resources, place: &str) -> Option<Typed<'r, Workload>> {
    let (namespace, name) = place.split_once('/')?;
    resources.find::<Workload>(namespace, name)
}

/// Whether a proxy may speak for a Workload that has the name which it serves: a member of the mesh has to be of its
/// service account, because a certificate may be had for every name of a namespace.
fn vouches(beside: &Beside, workload: &Workload) -> bool {
    match beside.peer.parse::<SpiffeId>() {
        Ok(id) => id.service_account() == Some(&*workload.spec.service_account),
        Err(_) => true,
    }
}
