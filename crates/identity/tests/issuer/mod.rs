//! An authority of a mesh for tests: what a control plane signs, and what it never would.
#![allow(dead_code, reason = "everybody who includes this file asks for something else")]

use identity::member::{Bundle, Bundles, Member, Svid};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The trust domain of the tests.
pub const DOMAIN: &str = "bank.example";

/// A root and its key.
pub struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    /// The root as PEM.
    pub root: String,
}

/// A chain and its key, as a keeper would hold them.
#[derive(Clone)]
pub struct Issued {
    /// Leaf first, PEM.
    pub chain: String,
    /// PEM.
    pub key: String,
}

impl Authority {
    /// A new root. All have the same name, so only keys tell them apart.
    pub fn new() -> Authority {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = params.self_signed(&key).expect("a root").pem();
        Authority { issuer: rcgen::Issuer::new(params, key), root }
    }

    /// The identity of a service account in `shop`, and a replica of it.
    pub fn issue(&self, account: &str, workload: &str) -> Issued {
        self.issue_with(&[uri(&id(account)), dns(&format!("{workload}.shop.{DOMAIN}"))], |_| {})
    }

    /// Anything at all.
    pub fn issue_with(&self, names: &[SanType], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = params(names);
        change(&mut params);
        let leaf = params.signed_by(&key, &self.issuer).expect("a leaf");
        Issued { chain: leaf.pem(), key: key.serialize_pem() }
    }

    /// An authority below this one, which hands its own certificate on with every chain.
    pub fn below(&self) -> Authority {
        self.below_for(KeyUsagePurpose::KeyCertSign)
    }

    /// The same, whose key is for this.
    pub fn below_for(&self, usage: KeyUsagePurpose) -> Authority {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "below");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![usage];
        let root = params.signed_by(&key, &self.issuer).expect("an authority").pem();
        Authority { issuer: rcgen::Issuer::new(params, key), root }
    }

    /// Trust in this authority for the trust domain of the tests.
    pub fn trusted(&self) -> Bundles {
        trusted(&[self])
    }

    /// A member with a certificate of this authority, who believes it.
    pub fn member(&self, account: &str, workload: &str) -> Arc<Member> {
        Member::with(self.issue(account, workload).svid(), self.trusted())
    }
}

impl Issued {
    pub fn svid(&self) -> Svid {
        Svid::from_pem(self.chain.as_bytes(), self.key.as_bytes()).expect("an SVID")
    }

    /// To be shown, fit for it or not: that is for the other side to say.
    pub fn shown(&self) -> SingleCertAndKey {
        let key = identity::pem::private_key(self.key.as_bytes()).expect("a key");
        let key = identity::provider().key_provider.load_private_key(key).expect("a key");
        CertifiedKey::new(self.der(), key).into()
    }

    /// The chain as DER, leaf first.
    pub fn der(&self) -> Vec<CertificateDer<'static>> {
        identity::pem::certificates(self.chain.as_bytes()).expect("certificates")
    }
}

/// Trust in several authorities for the trust domain of the tests.
pub fn trusted(authorities: &[&Authority]) -> Bundles {
    let roots: String = authorities.iter().map(|authority| authority.root.as_str()).collect();
    Bundles::new().with(DOMAIN, Bundle::from_pem(roots.as_bytes()).expect("a bundle"))
}

/// `spiffe://bank.example/ns/shop/sa/<account>`.
pub fn id(account: &str) -> String {
    format!("spiffe://{DOMAIN}/ns/shop/sa/{account}")
}

pub fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("a name"))
}

pub fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().expect("a name"))
}

/// Long past.
pub fn of_the_past(params: &mut CertificateParams) {
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
}

/// Valid from the epoch until a few seconds from now.
#[expect(clippy::disallowed_methods, reason = "tests make certificates that expire while they watch")]
pub fn expires_in_seconds(seconds: u64) -> impl FnOnce(&mut CertificateParams) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970");
    move |params| params.not_after = rcgen::date_time_ymd(1970, 1, 1) + now + Duration::from_secs(seconds)
}

fn params(names: &[SanType]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.to_vec();
    // Another name than the root's: one that named itself its issuer would pass for self-signed.
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "member");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}
