//! Changes of messages on their way, as a rule has them.

use std::sync::Arc;

/// What one object says is to be changed. Compared by what it does, so that equal ones make equal rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transform {
    /// Who says so: `TransformPolicy shop/legacy`, `APIBinding shop/pets`.
    pub origin: Arc<str>,
    /// What stands before the paths it speaks of, without a slash at its end.
    pub base: Arc<str>,
    /// The changes.
    pub changes: Arc<apis::shim::Transform>,
}
