//! Certificates made for one spec and thrown away after it.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub certificate: CertificateDer<'static>,
    /// Its certificate as PEM.
    pub pem: String,
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Pair {
    /// Leaf certificate.
    pub certificate: CertificateDer<'static>,
    /// Private key.
    pub key: PrivateKeyDer<'static>,
    /// Chain as PEM.
    pub chain_pem: String,
    /// Key as PEM.
    pub key_pem: String,
}

impl Default for Authority {
    fn default() -> Self {
        Authority::new()
    }
}

impl Authority {
    /// A new authority with a key of its own.
    ///
    /// # Panics
    /// When the machine cannot make keys.
    #[must_use]
    pub fn new() -> Authority {
        let key = KeyPair::generate().expect("keys can be made");
        let mut params = CertificateParams::new(Vec::new()).expect("no names, so none is wrong");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "spec authority");
        let certificate = params.self_signed(&key).expect("an authority can be signed");
        Authority {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for these DNS names.
    ///
    /// # Panics
    /// When a name is not a DNS name.
    #[must_use]
    pub fn pair(&self, names: &[&str]) -> Pair {
        self.made(names, |_| {})
    }

    /// A certificate that ended long ago.
    ///
    /// # Panics
    /// When a name is not a DNS name.
    #[must_use]
    pub fn expired(&self, names: &[&str]) -> Pair {
        self.made(names, |params| {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        })
    }

    /// A certificate that names these URIs, as SPIFFE writes identities.
    ///
    /// # Panics
    /// When a URI is not ASCII.
    #[must_use]
    pub fn naming(&self, uris: &[&str]) -> Pair {
        self.made(&[], |params| {
            let uri = |uri: &&str| SanType::URI((*uri).try_into().expect("specs use ASCII"));
            params.subject_alt_names = uris.iter().map(uri).collect();
        })
    }

    fn made(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let key = KeyPair::generate().expect("keys can be made");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("specs use valid DNS names");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a leaf can be signed");
        Pair {
            certificate: certificate.der().clone(),
            chain_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            key: PrivateKeyDer::try_from(key.serialize_der()).expect("a fresh key is PKCS #8"),
        }
    }
}
