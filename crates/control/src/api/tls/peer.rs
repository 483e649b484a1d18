//! Whom a verified client certificate names: `CN` is the user, each `O` a group, as in Kubernetes.

use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::authority::ClientName;

/// Who showed a certificate, and how long it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Whom it names.
    pub name: ClientName,
    /// When it ends. The handshake has looked at it once, and a connection may last longer.
    pub until: SystemTime,
}

impl Peer {
    /// The name, while the certificate counts.
    #[must_use]
    pub fn name_at(&self, now: SystemTime) -> Option<&ClientName> {
        (now < self.until).then_some(&self.name)
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
    Some(Peer { name, until: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) })
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
