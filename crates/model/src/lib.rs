//! The nouns: every resource and identifier, parsed into types that cannot be wrong.
//!
//! A user writes Kubernetes-shaped YAML; everything behind this crate works on typed kinds whose defaults are
//! filled in and whose structure was checked against the published schemas. What the schema forbids is refused
//! here with *all* violations at once; what it admits but cannot work (a reference to nothing) is kept and is
//! the engine's to judge. There is no async code and no socket in here.

pub mod condition;
pub mod customers;
pub mod fetch_url;
pub mod glob;
pub mod ip_block;
pub mod jwk;
pub mod kinds;
pub mod labels;
pub mod life;
pub mod names;
pub mod page_url;
pub mod path;
pub mod resource;
pub mod resources;
pub mod schema;
pub mod shared;
pub mod spiffe;
pub mod suggest;
pub mod units;
pub mod violation;
pub mod written;
pub mod yaml;

pub use names::{Hostname, Name, Namespace, ResourceKey};
pub use path::FieldPath;
pub use resource::{ObjectMeta, Resource, Source};
pub use resources::Resources;
pub use violation::{Problem, Subject, Violation, Violations};
pub use written::Written;
