//! What was arranged from roles, bindings and tokens, kept until one of them changes: every request needs it, and
//! almost no change is about them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Resources;
use model::kinds::KindName;

use super::rules::Rules;
use super::tokens::Tokens;

/// What [`Rules`] are made of.
const RULES: &[KindName] =
    &[KindName::Role, KindName::ClusterRole, KindName::RoleBinding, KindName::ClusterRoleBinding];

/// What [`Tokens`] are made of.
const TOKENS: &[KindName] = &[KindName::AccessToken];

/// Rules and tokens of the resources that were last asked about.
#[derive(Debug, Default)]
pub struct Current {
    rules: Kept<Rules>,
    tokens: Kept<Tokens>,
}

/// What was arranged, and from what.
type Kept<T> = Mutex<Option<(Resources, Arc<T>)>>;

impl Current {
    /// Roles and bindings among some resources.
    #[must_use]
    pub fn rules(&self, resources: &Resources) -> Arc<Rules> {
        keep(&self.rules, resources, RULES, Rules::of)
    }

    /// Tokens among some resources.
    #[must_use]
    pub fn tokens(&self, resources: &Resources) -> Arc<Tokens> {
        keep(&self.tokens, resources, TOKENS, Tokens::of)
    }
}

fn keep<T>(
    kept: &Kept<T>,
    resources: &Resources,
    kinds: &[KindName],
    arrange: impl Fn(&Resources) -> T,
) -> Arc<T> {
    let mut kept = lock(kept);
    if let Some((from, arranged)) = &*kept
        && from.share(resources, kinds)
    {
        return arranged.clone();
    }
    let arranged = Arc::new(arrange(resources));
    *kept = Some((resources.only(kinds), arranged.clone()));
    arranged
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that runs under the lock leaves it half-changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
