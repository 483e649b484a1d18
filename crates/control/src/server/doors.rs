//! Everybody who answers at the address of the API without being it: streams of proxies, the authority of the mesh,
//! taps, the usage ledger, and what anybody may read. They ask the same questions of the same people: who is there, may
//! he, and who has to know of it.

use std::sync::Arc;

use super::proxies_door::Streams;
use crate::api::access::audit::Audit;
use crate::api::{Authenticator, Authorizer, Beside};
use crate::ca::{self, Authorities};
use crate::clock::Clock;
use crate::stream::Hub;
use crate::world::World;
use crate::{catalogue, taps, usage};

/// Who is asked before a door opens.
pub(super) struct Asked<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) authenticator: &'a Arc<dyn Authenticator>,
    pub(super) authorizer: &'a Arc<dyn Authorizer>,
    pub(super) clock: &'a Clock,
    pub(super) audit: &'a Audit,
}

impl Asked<'_> {
    /// The doors. A world that has begun anew is told to the first proxies that come.
    pub(super) fn doors(
        &self,
        hub: Arc<Hub>,
        begun_anew: Option<Arc<World>>,
        authorities: &Arc<Authorities>,
    ) -> [Arc<dyn Beside>; 5] {
        let Asked { world, authenticator, authorizer, clock, audit } = *self;
        let (taps, proxies) = (Arc::clone(&hub.taps), Arc::clone(&hub.proxies));
        [
            Arc::new(Streams { hub, begun_anew }),
            Arc::new(ca::Door::new(authorities, authenticator, Arc::clone(authorizer), clock, audit)),
            Arc::new(taps::Door::new((&taps, &proxies), authenticator, authorizer, audit)),
            Arc::new(usage::Door::new(world, &proxies, authenticator, authorizer, clock)),
            Arc::new(catalogue::Door::new(world)),
        ]
    }
}
