//! The control plane itself: how far it has read, whether it leads, and how far its proxies are.

use serde_json::json;
use tokio::time::Instant;

use super::{Kind, List, Told, column, routes, seconds};

/// The name under which a control plane tells of itself; of several, each answers for itself.
const NAME: &str = "this";

/// The kind.
pub static KIND: Kind = Kind {
    kind: "ControlPlane",
    plural: "controlplanes",
    singular: "controlplane",
    is_namespaced: false,
    columns: &[
        column("Name", "string", "/metadata/name"),
        column("Revision", "integer", "/status/revision"),
        column("Leader", "boolean", "/status/leader"),
        column("Programmed", "integer", "/status/programmed"),
        column("Proxies", "integer", "/status/proxies"),
        column("Store", "string", "/status/storeError"),
    ],
};

/// What is told.
pub fn tell(told: &Told, now: Instant) -> List {
    let revision = *told.views.revision().borrow();
    let programmed = told.proxies.programmed(&told.views, now);
    let following = told.world.following().borrow().clone();
    let unmatched = told.proxies.rates(now).remove("").unwrap_or_default();
    let revocations = told.proxies.revocations();
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "revision": told.world.now().revision,
        "objects": told.world.now().resources.len(),
        "leader": *told.leading.borrow(),
        "followedSeconds": seconds(now.saturating_duration_since(following.complete)),
        "storeError": following.failure.map(|failure| failure.to_string()).unwrap_or_default(),
        "unreadable": told.world.unreadable(),
        "proxies": programmed.live,
        "programmed": programmed.current,
        "unmatched": routes::numbers(&unmatched),
        "revocations": {
            "applied": revocations.applied(),
            "p50Milliseconds": revocations.within_ms(0.5),
            "p99Milliseconds": revocations.within_ms(0.99),
            "slowestMilliseconds": revocations.within_ms(1.0),
        },
    });
    List { kind: &KIND, revision, items: vec![KIND.object(json!({ "name": NAME }), status)] }
}
