//! The certificate authority of a control plane: made at its first start, kept in its data folder.
//!
//! Whoever was told its certificate (a kubeconfig, a token file) knows the control plane again after every restart
//! and renewal. So a file that cannot be read stops the start and is never quietly replaced: a new authority would
//! lock out every client that there is.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use engine::config::KeyPair as Pair;
pub use identity::file::write_private;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// How long the authority lasts.
const AUTHORITY_LASTS: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long a certificate that it signs lasts; a serving certificate is made anew long before.
pub const LEAF_LASTS: Duration = Duration::from_secs(365 * 86_400);
/// Certificates are valid from a little before they are made: clients' clocks run late.
const CLOCK_SLACK: Duration = Duration::from_secs(300);

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("cannot {what} `{}`: {fault}", path.display())]
    File {
        /// `read`, `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// The files are there and unusable.
    #[error(
        "`{}` is damaged: {fault}; restore it from a backup, or remove the folder to begin with a new authority, which \
         every client must be told",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// A certificate can name one group only.
    #[error("a client certificate can name one group, not {0}; use a token for a user of several groups")]
    Groups(usize),
    /// A key or certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// An authority that can sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// Whom a client certificate names: `CN` is the user, each `O` a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientName {
    /// The user.
    pub user: String,
    /// The groups.
    pub groups: Vec<String>,
}

impl Authority {
    /// The authority of a folder; made when there is none yet.
    ///
    /// # Errors
    /// When its files cannot be read, written, or used.
    pub fn open(folder: &Path, now: SystemTime) -> Result<Authority, AuthorityError> {
        let (certificate, key) = (folder.join("ca.crt"), folder.join("ca.key"));
        match (read(&certificate)?, read(&key)?) {
            (Some(pem), Some(key_pem)) => load(&certificate, pem, &key, &key_pem),
            (None, None) => {
                let pair = KeyPair::generate()?;
                fs::create_dir_all(folder).map_err(|fault| file("write", folder, fault))?;
                write_private(&key, &pair.serialize_pem()).map_err(|fault| file("write", &key, fault))?;
                sign_itself(pair, &certificate, now)
            }
            (Some(_), None) => Err(damaged(&key, "it is missing")),
            // A first start that was cut short. The key makes the authority: who trusts it goes on trusting it.
            (None, Some(key_pem)) => sign_itself(signing(&key, &key_pem)?, &certificate, now),
        }
    }

    /// Its certificate as PEM, for whoever must trust it.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A certificate for a server of these names and addresses, with a key of its own.
    ///
    /// # Errors
    /// When a name is none, or no key can be made.
    pub fn server(&self, names: &[String], now: SystemTime) -> Result<Pair, AuthorityError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.subject_alt_names = names.iter().map(|name| alternative(name)).collect::<Result<_, _>>()?;
        params.distinguished_name = common_name("selvedge control plane");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.leaf("control plane", params, now)
    }

    /// A certificate for a client of this name.
    ///
    /// # Errors
    /// When it is in more groups than one, or no key can be made.
    pub fn client(&self, name: &ClientName, now: SystemTime) -> Result<Pair, AuthorityError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = common_name(&name.user);
        // A name is made of one attribute of each kind; others may sign certificates with more, and those are read.
        match name.groups.as_slice() {
            [] => {}
            [group] => params.distinguished_name.push(DnType::OrganizationName, group.as_str()),
            more => return Err(AuthorityError::Groups(more.len())),
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.leaf("client", params, now)
    }

    fn leaf(
        &self,
        name: &str,
        mut params: CertificateParams,
        now: SystemTime,
    ) -> Result<Pair, AuthorityError> {
        params.not_before = (now - CLOCK_SLACK).into();
        params.not_after = (now + LEAF_LASTS).into();
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        // The authority's own certificate stands behind it: proxies know the authority by its digest alone.
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        Ok(Pair { name: name.into(), chain, key: PrivateKeyDer::from(key) })
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn alternative(name: &str) -> Result<SanType, rcgen::Error> {
    match name.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(name.try_into()?)),
    }
}

/// What the authority says of itself; the same at every start, so that what it signs names its issuer.
fn params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name = common_name("selvedge control plane authority");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn sign_itself(pair: KeyPair, certificate: &Path, now: SystemTime) -> Result<Authority, AuthorityError> {
    let mut params = params()?;
    params.not_before = (now - CLOCK_SLACK).into();
    params.not_after = (now + AUTHORITY_LASTS).into();
    let made = params.self_signed(&pair)?;
    write_private(certificate, &made.pem()).map_err(|fault| file("write", certificate, fault))?;
    Ok(Authority { certificate: made.der().clone(), pem: made.pem(), issuer: Issuer::new(params, pair) })
}

fn signing(key: &Path, key_pem: &str) -> Result<KeyPair, AuthorityError> {
    KeyPair::from_pem(key_pem).map_err(|problem| damaged(key, &problem.to_string()))
}

fn load(certificate: &Path, pem: String, key: &Path, key_pem: &str) -> Result<Authority, AuthorityError> {
    let (pair, _validity) = identity::pair::parse("authority", pem.as_bytes(), key_pem.as_bytes())
        .map_err(|problem| damaged(certificate, &problem.to_string()))?;
    let first = pair.chain.first().cloned().ok_or_else(|| damaged(certificate, "it is empty"))?;
    Ok(Authority { certificate: first, pem, issuer: Issuer::new(params()?, signing(key, key_pem)?) })
}

fn read(path: &Path) -> Result<Option<String>, AuthorityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(file("read", path, fault)),
    }
}

fn file(what: &'static str, path: &Path, fault: io::Error) -> AuthorityError {
    AuthorityError::File { what, path: path.to_owned(), fault }
}

fn damaged(path: &Path, fault: &str) -> AuthorityError {
    AuthorityError::Damaged { path: path.to_owned(), fault: fault.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn later() -> SystemTime {
        NOW + Duration::from_secs(1_800_000_000)
    }

    #[test]
    fn the_authority_of_the_first_start_is_that_of_the_second() {
        let folder = tempfile::tempdir().expect("a folder");

        let first = Authority::open(folder.path(), later()).expect("made");
        let second = Authority::open(folder.path(), later()).expect("read");

        assert_eq!(first.pem(), second.pem());
        assert!(second.server(&["localhost".to_owned(), "127.0.0.1".to_owned()], later()).is_ok());
    }

    #[test]
    fn only_its_owner_may_read_the_key() {
        let folder = tempfile::tempdir().expect("a folder");
        Authority::open(folder.path(), later()).expect("made");

        let mode = fs::metadata(folder.path().join("ca.key")).expect("a key").permissions().mode();

        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_authority_is_named_and_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        Authority::open(folder.path(), later()).expect("made");
        fs::write(folder.path().join("ca.crt"), "garbage").expect("written");

        let refused = Authority::open(folder.path(), later()).expect_err("damaged").to_string();

        assert!(refused.contains("ca.crt` is damaged"), "{refused}");
        assert_eq!(fs::read_to_string(folder.path().join("ca.crt")).expect("there"), "garbage");
    }

    #[test]
    fn a_first_start_that_was_cut_short_is_begun_again() {
        let folder = tempfile::tempdir().expect("a folder");
        Authority::open(folder.path(), later()).expect("made");
        let key = fs::read_to_string(folder.path().join("ca.key")).expect("a key");
        fs::remove_file(folder.path().join("ca.crt")).expect("removed");

        Authority::open(folder.path(), later()).expect("made again");

        assert_eq!(fs::read_to_string(folder.path().join("ca.key")).expect("a key"), key);
    }
}
