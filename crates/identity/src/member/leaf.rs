//! What a member's certificate says of its holder, read strictly and before anything is believed.
//!
//! An identity has one spelling and a certificate has one identity: whatever could be read in two ways, by us and by
//! somebody else, is refused. Whether the certificate may be believed is another question, see [`super::judge`].

use std::sync::Arc;

use model::spiffe::SpiffeId;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::refusal::Refusal;

/// A member's certificate as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its only URI.
    pub identity: SpiffeId,
    /// The replica, `namespace/workload`, if a DNS name `<workload>.<namespace>.<trust domain>` tells it.
    pub replica: Option<Arc<str>>,
    /// Valid from, in seconds since the Unix epoch.
    pub not_before: u64,
    /// Valid until, in seconds since the Unix epoch.
    pub not_after: u64,
}

impl Leaf {
    /// Reads a certificate.
    ///
    /// # Errors
    /// It is not what a member may show (X.509-SVID sections 2 to 4).
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Leaf, Refusal> {
        let (rest, parsed) = X509Certificate::from_der(certificate).map_err(|_| Refusal::NotX509)?;
        if !rest.is_empty() {
            return Err(Refusal::NotX509);
        }
        refuse_authority(&parsed)?;
        let names =
            parsed.subject_alternative_name().map_err(|_| Refusal::NamesUnreadable)?.map(|names| names.value);
        let names = names.map(|names| names.general_names.as_slice()).unwrap_or_default();
        let identity = identity(names)?;
        let replica = replica(names, &identity)?;
        let validity = parsed.validity();
        Ok(Leaf {
            identity,
            replica,
            not_before: seconds(validity.not_before.timestamp()),
            not_after: seconds(validity.not_after.timestamp()),
        })
    }
}

/// What lies before 1970 began in 1970.
fn seconds(unix: i64) -> u64 {
    u64::try_from(unix).unwrap_or(0)
}

/// A member never signs for others (X.509-SVID section 4.3).
fn refuse_authority(certificate: &X509Certificate<'_>) -> Result<(), Refusal> {
    let constraints = certificate.basic_constraints().map_err(|_| Refusal::NotX509)?;
    let usage = certificate.key_usage().map_err(|_| Refusal::NotX509)?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err(Refusal::IsAuthority);
    }
    match usage.map(|usage| usage.value) {
        Some(usage) if usage.key_cert_sign() || usage.crl_sign() => Err(Refusal::IsAuthority),
        Some(usage) if !usage.digital_signature() => Err(Refusal::WrongUsage),
        Some(_) | None => Ok(()),
    }
}

fn identity(names: &[GeneralName<'_>]) -> Result<SpiffeId, Refusal> {
    let mut found = None;
    for name in names {
        match name {
            GeneralName::URI(_) if found.is_some() => return Err(Refusal::IdentitiesMany),
            GeneralName::URI(uri) => found = Some(*uri),
            GeneralName::Invalid(..) => return Err(Refusal::NamesUnreadable),
            _ => {}
        }
    }
    found.ok_or(Refusal::IdentityMissing)?.parse().map_err(|_| Refusal::IdentityMalformed)
}

/// Namespace and trust domain are the identity's, so the rest of the name is the workload's, dots and all. Names of
/// another form say nothing to us.
fn replica(names: &[GeneralName<'_>], identity: &SpiffeId) -> Result<Option<Arc<str>>, Refusal> {
    let Some(namespace) = identity.namespace() else { return Ok(None) };
    let suffix = format!(".{namespace}.{}", identity.trust_domain());
    let workloads = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(host) => host.strip_suffix(suffix.as_str()).filter(|name| is_workload(name)),
        _ => None,
    });
    let mut found = None;
    for workload in workloads {
        if found.replace(workload).is_some() {
            return Err(Refusal::ReplicasMany);
        }
    }
    Ok(found.map(|workload| format!("{namespace}/{workload}").into()))
}

/// The letters that names of objects are made of: a replica's name goes into logs and headers.
fn is_workload(name: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    !name.is_empty() && name.bytes().all(fits)
}
