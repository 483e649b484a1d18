//! What a control plane tells about itself: its proxies, how routes do, and how it is.
//!
//! Made at the moment somebody asks and stored nowhere: it would be stale before it was written, and writing it would
//! make a revision of every heartbeat. It is shaped like everything else, so that every client that lists objects
//! lists it; `docs/status-api.md` is the promise. Times are told as seconds until now, because the clock of whoever
//! asks may be wrong.

mod picture;
mod plane;
mod proxies;
mod routes;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::proxies::Proxies;
use crate::store::Revision;
use crate::view::Views;
use crate::world::World;

/// The group of what is told.
pub const GROUP: &str = "status.selvedge.dev";
/// Its version.
pub const VERSION: &str = "v1alpha1";

/// A kind of what is told.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What one of them is called.
    pub kind: &'static str,
    /// What paths call them.
    pub plural: &'static str,
    /// What people call one of them.
    pub singular: &'static str,
    /// Whether they lie in namespaces.
    pub is_namespaced: bool,
    /// How they look in a table.
    pub columns: &'static [Column],
}

/// A column of a table of them.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// Its type: `string`, `number`, `integer` or `boolean`.
    pub of: &'static str,
    /// Whether only the wide form has it.
    pub is_wide: bool,
    /// Where in an object its value stands (RFC 6901).
    pub at: &'static str,
}

const fn column(name: &'static str, of: &'static str, at: &'static str) -> Column {
    Column { name, of, is_wide: false, at }
}

const fn wide(name: &'static str, of: &'static str, at: &'static str) -> Column {
    Column { name, of, is_wide: true, at }
}

/// All of them.
pub const KINDS: [&Kind; 4] = [&plane::KIND, &picture::KIND, &proxies::KIND, &routes::KIND];

/// Knows what is told.
#[derive(Clone, Debug)]
pub struct Told {
    /// The objects.
    pub world: Arc<World>,
    /// What each proxy is shown.
    pub views: Arc<Views>,
    /// The live proxies.
    pub proxies: Arc<Proxies>,
    /// Whether this control plane does what only one of several may do.
    pub leading: watch::Receiver<bool>,
    /// How long certificates last.
    pub clock: Clock,
}

/// What is told of one kind.
#[derive(Clone, Debug)]
pub struct List {
    /// The kind.
    pub kind: &'static Kind,
    /// The last write that is in it.
    pub revision: Revision,
    /// The objects, in the order of their names.
    pub items: Vec<Value>,
}

impl Told {
    /// Knows it out of these.
    #[must_use]
    pub fn new(
        world: &Arc<World>,
        views: &Arc<Views>,
        proxies: &Arc<Proxies>,
        leading: watch::Receiver<bool>,
        clock: &Clock,
    ) -> Told {
        let (world, views, proxies) = (Arc::clone(world), Arc::clone(views), Arc::clone(proxies));
        Told { world, views, proxies, leading, clock: clock.clone() }
    }

    /// This control plane itself.
    #[must_use]
    pub fn control_planes(&self, now: Instant) -> List {
        plane::tell(self, now)
    }

    /// The mesh, if there is one, as one picture.
    #[must_use]
    pub fn pictures(&self, now: Instant) -> List {
        picture::tell(self, now)
    }

    /// The proxies that are alive, or were a while ago.
    #[must_use]
    pub fn proxies(&self, now: Instant) -> List {
        proxies::tell(self, now)
    }

    /// How routes do that had requests, everywhere or in one namespace.
    #[must_use]
    pub fn routes(&self, namespace: Option<&str>, now: Instant) -> List {
        routes::tell(self, namespace, now)
    }
}

impl Kind {
    fn object(&self, metadata: Value, status: Value) -> Value {
        json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": self.kind, "metadata": metadata, "status": status,
        })
    }
}

/// Seconds, of which nobody reads more than three digits.
fn seconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000.0).round() / 1_000.0
}
