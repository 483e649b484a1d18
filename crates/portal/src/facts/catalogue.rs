//! What anybody may read about (`/catalogue.selvedge.dev/v1`): versions of public APIs, where they are called, and how
//! to get in.

use serde_json::Value;

use super::apis::ApiVersion;
use super::products::Plan;
use super::{list, segment, servers, text};

/// Where the control plane tells of them.
pub const CATALOGUE: &str = "/catalogue.selvedge.dev/v1/apis";

/// A version of a public API.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The version.
    pub version: ApiVersion,
    /// What people call the API.
    pub title: String,
    /// URLs up to the paths of its operations.
    pub servers: Vec<String>,
    /// When it is expected to end; empty when nobody said.
    pub sunset: String,
    /// Plans that are offered.
    pub plans: Vec<Plan>,
}

impl Entry {
    /// Reads one, for somebody who has found these pages at a host.
    #[must_use]
    pub fn of(object: &Value, here: &str) -> Entry {
        let version = ApiVersion::of(object);
        let title = match text(&object["title"]) {
            none if none.is_empty() => version.api.clone(),
            title => title,
        };
        let gateways: Vec<&Value> = list(&object["gateways"]).collect();
        Entry {
            servers: servers::of(&object["spec"], &object["parentRefs"], &gateways, &version.path, here),
            sunset: text(&object["spec"]["sunset"]),
            plans: list(&object["plans"]).map(Plan::of).collect(),
            title,
            version,
        }
    }

    /// The page about it.
    #[must_use]
    pub fn page(&self) -> String {
        let meta = &self.version.meta;
        format!("/docs/{}/{}", segment(&meta.namespace), segment(&meta.name))
    }

    /// Whether somebody has to subscribe before calling.
    #[must_use]
    pub fn asks_for_a_key(&self) -> bool {
        !self.plans.is_empty() && self.plans.iter().all(|plan| !plan.credentials.is_empty())
    }
}
