//! What is believed of requests, what is signed, and that a token is good for as much as it says.

use std::time::{Duration, SystemTime};

use model::spiffe::SpiffeId;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType,
};

use crate::ca::attest::{CSR_BYTES_MAX, Refused, attest};
use crate::ca::root::Root;
use crate::ca::sign::sign;

const REPLICA: &str = "cart-1.shop.bank.example";

fn identity() -> SpiffeId {
    "spiffe://bank.example/ns/shop/sa/cart".parse().expect("an identity")
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn csr(edit: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::new(Vec::new()).expect("params");
    edit(&mut params);
    let key = KeyPair::generate().expect("a key");
    params.serialize_request(&key).expect("a request").pem().expect("PEM")
}

fn asked(csr: &str) -> Result<(), Refused> {
    attest(csr, &identity(), REPLICA).map(drop)
}

#[test]
fn who_asks_for_no_more_than_the_identity_is_believed_to_have_the_key() {
    let own = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![
            SanType::URI(identity().as_str().try_into().expect("a URI")),
            SanType::DnsName(REPLICA.try_into().expect("a name")),
        ];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    };

    assert_eq!(asked(&csr(|_| ())), Ok(()));
    assert_eq!(asked(&csr(own)), Ok(()));
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let params = CertificateParams::new(Vec::new()).expect("params");
        let csr = params.serialize_request(&key).expect("a request").pem().expect("PEM");
        assert_eq!(asked(&csr), Ok(()));
    }
}

#[test]
fn who_asks_for_more_is_told_what_is_never_given() {
    let uri = |text: &str| SanType::URI(text.try_into().expect("a URI"));
    let dns = |text: &str| SanType::DnsName(text.try_into().expect("a name"));
    let named = |name: SanType| csr(|params| params.subject_alt_names = vec![name]);
    let cases = [
        (csr(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), "CA:TRUE"),
        (named(uri("spiffe://bank.example/ns/shop/sa/admin")), "sa/admin`"),
        (named(uri("spiffe://other.example/ns/shop/sa/cart")), "other.example"),
        (named(dns("bank.example")), "`bank.example`"),
        (named(SanType::IpAddress([10, 0, 0, 1].into())), "10.0.0.1"),
        (named(SanType::Rfc822Name("a@b.example".try_into().expect("a name"))), "a@b.example"),
        (csr(|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]), "key usage"),
        (
            csr(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning]),
            "extended key usage",
        ),
        (
            csr(|params| {
                params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![4, 0])];
            }),
            "not known here",
        ),
    ];
    for (csr, told) in cases {
        let refused = asked(&csr).expect_err(told).to_string();
        assert!(refused.contains(told) && refused.contains("never given"), "{refused}");
    }
}

#[test]
fn a_request_that_was_altered_or_is_none_is_refused() {
    let good = csr(|_| ());
    let lines: Vec<&str> = good.lines().collect();
    let der = |text: &str| {
        use rustls_pki_types::pem::PemObject as _;
        rustls_pki_types::CertificateSigningRequestDer::from_pem_slice(text.as_bytes()).expect("PEM").to_vec()
    };
    let pem = |der: &[u8]| {
        use base64::Engine as _;
        let coded = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{coded}\n-----END CERTIFICATE REQUEST-----\n")
    };
    let mut forged = der(&good);
    *forged.last_mut().expect("bytes") ^= 1;
    let mut longer = der(&good);
    longer.push(0);

    assert_eq!(asked(&pem(&der(&good))), Ok(()));
    assert_eq!(asked(&pem(&forged)), Err(Refused::Signature));
    for wrong in [
        String::new(),
        "hello".to_owned(),
        lines[..lines.len() - 1].join("\n"),
        format!("{good}{good}"),
        pem(&longer),
        pem(b"hello"),
        "x".repeat(CSR_BYTES_MAX + 1),
        KeyPair::generate().expect("a key").serialize_pem(),
    ] {
        assert!(matches!(asked(&wrong), Err(Refused::Unreadable(_))), "{wrong}");
    }
}

#[test]
fn a_request_that_was_altered_anywhere_is_refused_or_says_the_same() {
    use rustls_pki_types::pem::PemObject as _;
    let good = csr(|_| ());
    let der = rustls_pki_types::CertificateSigningRequestDer::from_pem_slice(good.as_bytes()).expect("PEM");
    let believed = attest(&good, &identity(), REPLICA);
    for at in (0..der.len()).step_by(5) {
        use base64::Engine as _;
        let mut altered = der.to_vec();
        altered[at] ^= 0x41;
        let coded = base64::engine::general_purpose::STANDARD.encode(&altered);
        let text =
            format!("-----BEGIN CERTIFICATE REQUEST-----\n{coded}\n-----END CERTIFICATE REQUEST-----\n");
        let answer = attest(&text, &identity(), REPLICA);
        assert!(answer.is_err() || answer == believed, "altered at {at}");
    }
}

#[test]
fn a_certificate_never_outlives_its_issuer_and_no_two_have_one_number() {
    let root = Root::make("bank.example", now(), Duration::from_secs(3_600)).expect("made");
    let key = KeyPair::generate().expect("a key");
    let issue = |at: SystemTime| sign(&root, &key, &identity(), REPLICA, at, Duration::from_secs(86_400));

    let early = issue(now()).expect("signed");
    assert_eq!(early.not_after, now() + Duration::from_secs(3_600));
    let short = sign(&root, &key, &identity(), REPLICA, now(), Duration::from_secs(60)).expect("signed");
    assert_eq!(short.not_after, now() + Duration::from_secs(60));
    assert!(issue(now() + Duration::from_secs(3_600)).is_err(), "its issuer has ended");
    assert_ne!(early.serial, short.serial);
    assert_eq!(early.serial.len(), 32, "128 bits");
}

#[test]
fn a_key_is_never_shown_with_its_root() {
    let root = Root::make("bank.example", now(), Duration::from_secs(3_600)).expect("made");

    let shown = format!("{root:?}");

    assert!(!shown.contains("PRIVATE") && !shown.contains("MIG"), "{shown}");
}
