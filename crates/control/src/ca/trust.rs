//! Whose certificates are taken at our own door: those of members of our meshes.
//!
//! A certificate counts for the trust domain in it and for no other: it must verify up to a root of the mesh that has
//! this trust domain. What the handshake has verified is verified again at each request, because a connection may be
//! older than the day on which a root was distrusted.
//!
//! A root that was replaced in good order is still taken here, though nowhere else, until the last certificate of it
//! has ended. Who was away during a rotation shows an old certificate when it comes back, and has nothing else: its
//! token may be used up. With the old certificate it asks for a new one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use identity::member::{Bundle, Bundles, Leaf, Refusal, Side, judge};
use model::Resources;
use model::kinds::{KindName, TrustBundle};
use model::spiffe::SpiffeId;
use rustls::{CertificateError, Error, OtherError};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::api::tls::{ClientName, Member, Members};
use crate::world::World;

/// What the name of the group of all members of a mesh begins with.
pub const MESH: &str = "selvedge:mesh:";
/// What the name of the group of one workload begins with, followed by namespace and name.
pub const WORKLOAD: &str = "selvedge:workload:";
/// Members of a group that begins with this may follow the Gateway that its rest names: `selvedge:gateway:shop/edge`.
pub const GATEWAY: &str = "selvedge:gateway:";
pub use model::spiffe::GATEWAY_ACCOUNT;

/// Trusts what the bundles in a world say.
#[derive(Debug)]
pub struct Trust {
    world: Arc<World>,
    kept: Mutex<Option<(Resources, Arc<Trusted>)>>,
}

/// Roots by trust domain, and the mesh that has each.
#[derive(Debug)]
struct Trusted {
    bundles: Bundles,
    meshes: HashMap<Arc<str>, Arc<str>>,
}

impl Trust {
    /// The trust of a world.
    #[must_use]
    pub fn new(world: Arc<World>) -> Trust {
        Trust { world, kept: Mutex::default() }
    }

    fn trusted(&self) -> Arc<Trusted> {
        const BUNDLES: &[KindName] = &[KindName::TrustBundle];
        let resources = self.world.now().resources;
        // Nothing that runs under the lock leaves it half-changed.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((from, trusted)) = &*kept
            && from.share(&resources, BUNDLES)
        {
            return Arc::clone(trusted);
        }
        let trusted = Arc::new(Trusted::of(&resources));
        *kept = Some((resources.only(BUNDLES), Arc::clone(&trusted)));
        trusted
    }
}

impl Trusted {
    /// A bundle without a root that can be read lets nobody in.
    fn of(resources: &Resources) -> Trusted {
        let mut trusted = Trusted { bundles: Bundles::new(), meshes: HashMap::new() };
        for bundle in resources.all::<TrustBundle>() {
            let spec = &bundle.content.spec;
            // Those of them that were distrusted are in neither list.
            let all: String = spec.roots.iter().chain(&spec.retired).map(|root| &**root).collect();
            let Ok(roots) = Bundle::from_pem(all.as_bytes()) else { continue };
            trusted.bundles = trusted.bundles.with(&spec.trust_domain, roots);
            trusted.meshes.insert(Arc::clone(&spec.trust_domain), bundle.resource.key.name.as_str().into());
        }
        trusted
    }
}

impl Members for Trust {
    fn member(&self, chain: &[CertificateDer<'_>], now: SystemTime) -> Result<Member, Error> {
        let (leaf, between) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
        let trusted = self.trusted();
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let verified =
            judge(leaf, between, Side::Caller, &trusted.bundles, UnixTime::since_unix_epoch(since));
        let verified = verified.map_err(refused)?;
        let (id, not_after) = (verified.identity, Leaf::read(leaf).map_err(refused)?.not_after);
        let mesh =
            trusted.meshes.get(id.trust_domain()).ok_or_else(|| refused(Refusal::TrustDomainUnknown))?;
        // Who asks for something here must say which replica it is.
        let workload = verified.replica.ok_or_else(|| refused(Refusal::IdentityMissing))?;
        let until = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(not_after);
        Ok(Member { name: name(&id, &workload, mesh), id, workload, mesh: Arc::clone(mesh), until })
    }
}

fn refused(refusal: Refusal) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
}

/// A member as a user of the API.
fn name(id: &SpiffeId, workload: &str, mesh: &str) -> ClientName {
    let mut groups = vec![format!("{MESH}{mesh}"), format!("{WORKLOAD}{workload}")];
    if let (Some(namespace), Some(gateway)) =
        (id.namespace(), id.service_account().and_then(|account| account.strip_prefix(GATEWAY_ACCOUNT)))
    {
        groups.push(format!("{GATEWAY}{namespace}/{gateway}"));
    }
    ClientName { user: id.to_string(), groups }
}
