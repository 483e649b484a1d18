//! Whom a verified client certificate names: `CN` is the user, each `O` a group, as in Kubernetes; or a member of a
//! mesh, who is named by its identity.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use model::spiffe::SpiffeId;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::authority::ClientName;

/// Who showed a certificate, and how long it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Whom it names.
    pub name: ClientName,
    /// When it ends. The handshake has looked at it once, and a connection may last longer.
    pub until: SystemTime,
    /// The member of a mesh that it is of, if it is of one.
    pub member: Option<Member>,
    /// What was shown, for another look.
    chain: Vec<CertificateDer<'static>>,
}

/// A member of a mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member as a user.
    pub name: ClientName,
    /// Its identity.
    pub id: SpiffeId,
    /// Which replica it is: `namespace/name`.
    pub workload: Arc<str>,
    /// Name of the Mesh.
    pub mesh: Arc<str>,
    /// When its certificate ends.
    pub until: SystemTime,
}

/// Knows the members of meshes.
pub trait Members: Send + Sync + fmt::Debug + 'static {
    /// The member that shows these certificates, leaf first.
    ///
    /// # Errors
    /// Why its certificate does not count, in the words of TLS.
    fn member(&self, chain: &[CertificateDer<'_>], now: SystemTime) -> Result<Member, rustls::Error>;
}

impl Peer {
    /// The name, while the certificate counts.
    #[must_use]
    pub fn name_at(&self, now: SystemTime) -> Option<&ClientName> {
        (now < self.until).then_some(&self.name)
    }

    /// The holder of certificates that a handshake has verified, leaf first.
    #[must_use]
    pub fn of_chain(
        chain: &[CertificateDer<'_>],
        members: Option<&dyn Members>,
        now: SystemTime,
    ) -> Option<Peer> {
        let leaf = chain.first()?;
        if !is_of_member(leaf) {
            return of(leaf);
        }
        let member = members?.member(chain, now).ok()?;
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Some(Peer { name: member.name.clone(), until: member.until, member: Some(member), chain })
    }

    /// Whether it still counts: the authority of a member may have been distrusted since the handshake.
    #[must_use]
    pub fn counts(&self, members: Option<&dyn Members>, now: SystemTime) -> bool {
        self.name_at(now).is_some()
            && (self.member.is_none()
                || members.is_some_and(|members| members.member(&self.chain, now).is_ok()))
    }
}

/// Whether a certificate claims to be that of a member: it has a name that is a URI. Such a certificate is judged by
/// the roots of its mesh alone, and any other one by our own authority alone, so that neither can speak for the
/// other's.
#[must_use]
pub fn is_of_member(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    match parsed.subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.iter().any(|name| matches!(name, GeneralName::URI(_))),
        Ok(None) => false,
        // Names that cannot be read may hold one.
        Err(_) => true,
    }
}

/// The holder of a certificate that the handshake has verified. A certificate without a user names nobody, and so does
/// one that has two: which of them was meant cannot be told.
#[must_use]
pub fn of(certificate: &CertificateDer<'_>) -> Option<Peer> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let subject = parsed.subject();
    let mut users = subject.iter_common_name();
    let user = users.next()?.as_str().ok()?;
    if user.is_empty() || users.next().is_some() {
        return None;
    }
    let groups = subject.iter_organization().map(|group| group.as_str().ok().map(str::to_owned));
    let name = ClientName { user: user.to_owned(), groups: groups.collect::<Option<_>>()? };
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    Some(Peer { name, until, member: None, chain: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::super::authority::Authority;
    use super::*;

    #[test]
    fn a_client_certificate_tells_its_user_and_groups() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let authority = Authority::open(folder.path(), now).expect("made");
        let wanted = ClientName { user: "ana".into(), groups: vec!["editors".into()] };

        let pair = authority.client(&wanted, now).expect("made");

        let peer = of(&pair.chain[0]).expect("somebody");
        assert_eq!(peer.name_at(now), Some(&wanted));
        assert_eq!(peer.name_at(now + Duration::from_secs(366 * 86_400)), None, "it has ended");
        let two = ClientName { groups: vec!["editors".into(), "audit".into()], ..wanted };
        assert!(authority.client(&two, now).is_err(), "no group is left out in silence");
    }

    #[test]
    fn a_certificate_without_a_user_names_nobody() {
        let made = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).expect("a name");
        let mut made = made;
        made.distinguished_name = rcgen::DistinguishedName::new();
        let key = rcgen::KeyPair::generate().expect("a key");

        assert_eq!(of(made.self_signed(&key).expect("signed").der()), None);
    }
}
