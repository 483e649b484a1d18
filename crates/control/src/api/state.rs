//! What every request shares.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::access::{Audit, Authenticator, Authorizer};
use super::beside::Beside;
use super::limits::Limits;
use super::tls::Members;
use crate::clock::Clock;
use crate::objects::status::Status;
use crate::told::Told;
use crate::world::World;

/// What every request shares.
#[derive(Debug)]
pub struct State {
    /// The objects.
    pub world: Arc<World>,
    /// The bounds.
    pub limits: Limits,
    /// The time of day.
    pub clock: Clock,
    /// Who asks.
    pub authenticator: Arc<dyn Authenticator>,
    /// Whether they may.
    pub authorizer: Arc<dyn Authorizer>,
    /// What was refused or failed.
    pub audit: Audit,
    /// Turns true when the server is to stop.
    pub stopping: watch::Receiver<bool>,
    /// Room for requests under way.
    pub requests: Arc<Semaphore>,
    /// Watches under way.
    pub watches: Watches,
    /// Who else is served at the same address.
    pub beside: Vec<Arc<dyn Beside>>,
    /// What the control plane tells about itself.
    pub told: Option<Told>,
    /// Members of meshes.
    pub members: Option<Arc<dyn Members>>,
}

impl State {
    /// A place among the requests under way, until it is dropped.
    pub fn admit(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.requests).try_acquire_owned().map_err(|_| Status::too_many_requests(1))
    }
}

/// Counts the watches of each user.
#[derive(Clone, Debug, Default)]
pub struct Watches(Arc<Mutex<HashMap<Arc<str>, usize>>>);

/// A place among the watches of a user, until it is dropped.
#[derive(Debug)]
pub struct WatchPlace {
    watches: Watches,
    user: Arc<str>,
}

impl Watches {
    /// A place, when the user has fewer than `most`.
    pub fn admit(&self, user: &Arc<str>, most: usize) -> Result<WatchPlace, Status> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(Arc::clone(user)).or_default();
        if *count >= most {
            return Err(Status::too_many_requests(1));
        }
        *count += 1;
        Ok(WatchPlace { watches: self.clone(), user: Arc::clone(user) })
    }
}

impl Drop for WatchPlace {
    fn drop(&mut self) {
        let mut counts = self.watches.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_only_so_many_watches_and_gets_a_place_back() {
        let watches = Watches::default();
        let (ana, ben): (Arc<str>, Arc<str>) = ("ana".into(), "ben".into());

        let first = watches.admit(&ana, 1).expect("room");
        assert!(watches.admit(&ana, 1).is_err());
        assert!(watches.admit(&ben, 1).is_ok());

        drop(first);
        assert!(watches.admit(&ana, 1).is_ok());
        assert!(watches.0.lock().expect("sound").is_empty());
    }
}
