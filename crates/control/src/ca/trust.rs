//! Whose certificates are taken at our own door: those of members of our meshes.
//!
//! A certificate counts for the trust domain in it and for no other: it must verify up to a root of the mesh that has
//! this trust domain. What the handshake has verified is verified again at each request, because a connection may be
//! older than the day on which a root was distrusted.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use model::Resources;
use model::kinds::{KindName, TrustBundle};
use model::spiffe::SpiffeId;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::x509;
use crate::access::User;
use crate::api::tls::{ClientName, Member, Members};
use crate::world::World;

/// What the name of the group of all members of a mesh begins with.
pub const MESH: &str = "selvedge:mesh:";
/// What the name of the group of one workload begins with, followed by namespace and name.
pub const WORKLOAD: &str = "selvedge:workload:";
/// Members of a group that begins with this may follow the Gateway that its rest names: `selvedge:gateway:shop/edge`.
pub const GATEWAY: &str = "selvedge:gateway:";
/// What the service account of a gateway begins with, followed by the name of its Gateway.
pub const GATEWAY_ACCOUNT: &str = "gateway-";

/// Trusts what the bundles in a world say.
pub struct Trust {
    world: Arc<World>,
    kept: Mutex<Option<(Resources, Arc<Domains>)>>,
}

type Domains = HashMap<Arc<str>, (Arc<str>, Arc<dyn ClientCertVerifier>)>;

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

impl Trust {
    /// The trust of a world.
    #[must_use]
    pub fn new(world: Arc<World>) -> Trust {
        Trust { world, kept: Mutex::default() }
    }

    fn domains(&self) -> Arc<Domains> {
        const BUNDLES: &[KindName] = &[KindName::TrustBundle];
        let resources = self.world.now().resources;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((from, domains)) = &*kept
            && from.share(&resources, BUNDLES)
        {
            return Arc::clone(domains);
        }
        let bundles = resources.all::<TrustBundle>();
        let domains = bundles.filter_map(|bundle| {
            let mesh = Arc::from(bundle.resource.key.name.as_str());
            Some((Arc::clone(&bundle.content.spec.trust_domain), (mesh, verifier(bundle.content)?)))
        });
        let domains: Arc<Domains> = Arc::new(domains.collect());
        *kept = Some((resources.only(BUNDLES), Arc::clone(&domains)));
        domains
    }
}

impl Members for Trust {
    fn member(&self, chain: &[CertificateDer<'_>], now: SystemTime) -> Result<Member, Error> {
        let refused = |error| Error::InvalidCertificate(error);
        let (leaf, between) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
        let parsed = x509::parse(leaf).ok_or_else(|| refused(CertificateError::BadEncoding))?;
        let (id, workload) = named(&parsed).ok_or_else(|| refused(CertificateError::ApplicationVerificationFailure))?;
        let domains = self.domains();
        let known = domains.get(id.trust_domain());
        let (mesh, verifier) = known.ok_or_else(|| refused(CertificateError::UnknownIssuer))?;
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        verifier.verify_client_cert(leaf, between, UnixTime::since_unix_epoch(since))?;
        let name = user(&id, &workload, mesh);
        Ok(Member { name, id, workload, mesh: Arc::clone(mesh), until: x509::ends(&parsed) })
    }
}

/// Without a root nobody is a member.
fn verifier(bundle: &TrustBundle) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for root in &bundle.spec.roots {
        roots.add_parsable_certificates(identity::pem::certificates(root.as_bytes()).unwrap_or_default());
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), identity::provider()).build().ok()?;
    Some(verifier)
}

/// The identity in a certificate, and the replica as `namespace/name`. It must have exactly one of each, agree with
/// itself, and be no authority.
fn named(certificate: &X509Certificate<'_>) -> Option<(SpiffeId, Arc<str>)> {
    if certificate.is_ca() {
        return None;
    }
    let names = &certificate.subject_alternative_name().ok()??.value.general_names;
    let [GeneralName::URI(uri), GeneralName::DNSName(replica)] = names.as_slice() else { return None };
    let id: SpiffeId = uri.parse().ok()?;
    let namespace = id.namespace()?;
    id.service_account()?;
    let name = replica.strip_suffix(id.trust_domain())?.strip_suffix('.')?.strip_suffix(namespace)?;
    let name = name.strip_suffix('.').filter(|name| !name.is_empty() && !name.contains('.'))?;
    let workload = format!("{namespace}/{name}").into();
    Some((id, workload))
}

/// A member as a user of the API.
fn user(id: &SpiffeId, workload: &str, mesh: &str) -> ClientName {
    let mut groups = vec![format!("{MESH}{mesh}"), format!("{WORKLOAD}{workload}")];
    if let (Some(namespace), Some(gateway)) =
        (id.namespace(), id.service_account().and_then(|account| account.strip_prefix(GATEWAY_ACCOUNT)))
    {
        groups.push(format!("{GATEWAY}{namespace}/{gateway}"));
    }
    ClientName { user: id.to_string(), groups }
}

/// A member as whoever asks.
#[must_use]
pub fn as_user(member: &Member) -> User {
    User::new(member.name.user.as_str(), member.name.groups.iter().map(String::as_str))
}
