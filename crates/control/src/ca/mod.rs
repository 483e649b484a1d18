//! Identities of the mesh: who gets a certificate, who signs it, and whose signature counts.
//!
//! [`attest`] decides what of a request is believed, [`join`] who its sender is, [`sign`] makes the certificate,
//! [`rotate`] replaces roots, and [`trust`] says whose certificates are taken at our own door. The authorities are
//! objects like everything else ([`state`]), so every control plane of a store can sign, while only the leader makes
//! and replaces them ([`keep`]).

pub mod attest;
pub mod bundle;
mod certify;
mod door;
pub mod join;
pub mod keep;
mod manage;
pub mod rate;
pub mod root;
pub mod rotate;
pub mod settings;
pub mod sign;
pub mod state;
pub mod trust;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use model::kinds::{Secret, TrustBundle};
use model::{Resource, Resources};

pub use certify::Certifier;
pub use door::{CERTIFICATES, Door, MESHES};
pub use keep::Keep;
pub use trust::Trust;

use crate::store::keys::Keys;
use crate::world::World;
use settings::Settings;
use state::{NAMESPACE, State, Unopened};

/// The authorities of all meshes, as they lie in the world.
#[derive(Debug)]
pub struct Authorities {
    world: Arc<World>,
    keys: Keys,
    /// What was opened last: opening is work, and most certificates are signed with what signed the one before.
    opened: Mutex<Option<(Arc<Resource>, Arc<State>)>>,
}

/// A mesh with its authorities.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What the mesh says.
    pub settings: Settings,
    /// Where the authorities are kept.
    pub secret: Arc<Resource>,
    /// The authorities.
    pub state: Arc<State>,
}

impl Authorities {
    /// The authorities in a world whose store has these keys.
    #[must_use]
    pub fn new(world: Arc<World>, keys: Keys) -> Arc<Authorities> {
        Arc::new(Authorities { world, keys, opened: Mutex::default() })
    }

    /// The world they lie in.
    #[must_use]
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// The keys that seal them.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The authorities of a mesh; `None` when there are none yet, or those of another trust domain.
    ///
    /// # Errors
    /// When what is kept does not open.
    pub fn open(&self, resources: &Resources, settings: &Settings) -> Result<Option<Opened>, Unopened> {
        let name = state::name(&settings.mesh);
        let Some(found) = resources.find::<Secret>(NAMESPACE, &name) else { return Ok(None) };
        let secret = Arc::clone(found.resource);
        let state = self.state(&settings.mesh, &secret, found.content)?;
        let is_ours = *state.trust_domain == *settings.trust_domain;
        Ok(is_ours.then(|| Opened { settings: settings.clone(), secret, state }))
    }

    fn state(&self, mesh: &str, resource: &Arc<Resource>, secret: &Secret) -> Result<Arc<State>, Unopened> {
        // Nothing that runs under the lock leaves it half-changed.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, state)) = &*opened
            && Arc::ptr_eq(of, resource)
        {
            return Ok(Arc::clone(state));
        }
        let state = Arc::new(State::open(mesh, secret, &self.keys)?);
        *opened = Some((Arc::clone(resource), Arc::clone(&state)));
        Ok(state)
    }
}

/// The bundle of a mesh.
fn bundle_of<'r>(resources: &'r Resources, mesh: &str) -> Option<model::resources::Typed<'r, TrustBundle>> {
    resources.find::<TrustBundle>("", mesh)
}
