//! Who is not let in, and who is not called (threats E8 to E11).

use std::sync::Arc;

use identity::Member;
use identity::member::Bundles;
use rustls::{ClientConnection, StreamOwned};

use crate::issuer::{Authority, dns, id, of_the_past, uri};
use crate::pair::{Client, Pair, Plan, SERVER_NAME};

/// A pair of which each side believes the authority, with certificates of their own choice.
fn pair(authority: &Authority, web: Option<Arc<Member>>, cart: Option<Arc<Member>>) -> Pair {
    let web = web.unwrap_or_else(|| authority.member("web", "web-1"));
    let cart = cart.unwrap_or_else(|| authority.member("cart", "cart-1"));
    Pair::with(Plan { members: Some((web, cart)), ..Plan::default() })
}

#[track_caller]
fn refused_by_the_gateway(pair: &Pair, status: u16, code: &str) {
    let answer = Client::of(pair.gateway.address).get();
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.body.contains(code), "{answer:?}");
    assert_eq!(pair.sidecar.count("selvedge_requests_total", ""), 0);
}

#[test]
fn another_member_than_the_one_that_was_called_gets_no_request() {
    let authority = Authority::new();
    let pair = pair(&authority, None, Some(authority.member("admin", "admin-1")));

    refused_by_the_gateway(&pair, 502, "peer_identity_mismatch");
}

#[test]
fn whoever_was_signed_by_somebody_else_is_not_called() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let cart = Member::with(stranger.issue("cart", "cart-1").svid(), authority.trusted());
    let pair = pair(&authority, None, Some(cart));

    refused_by_the_gateway(&pair, 502, "peer_unverified");
    assert_eq!(pair.gateway.count("selvedge_mesh_refusals_total", "\"untrusted\""), 3);
}

#[test]
fn a_caller_that_was_signed_by_somebody_else_is_not_let_in() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let web = Member::with(stranger.issue("web", "web-1").svid(), authority.trusted());
    let pair = pair(&authority, Some(web), None);

    assert_eq!(Client::of(pair.gateway.address).get().status, 502);
    pair.sidecar.await_failure("peer_unverified");
    assert_eq!(pair.sidecar.count("selvedge_mesh_refusals_total", "\"untrusted\""), 1);
}

#[test]
fn a_proxy_without_a_valid_certificate_neither_calls_nor_answers_and_never_in_cleartext() {
    let authority = Authority::new();
    let expired = authority.issue_with(&[uri(&id("web")), dns("web-1.shop.bank.example")], of_the_past);
    for nobody in [Member::new(), Member::with(expired.svid(), authority.trusted())] {
        let caller = pair(&authority, Some(nobody.clone()), None);
        refused_by_the_gateway(&caller, 503, "identity_missing");
        assert_eq!(caller.sidecar.count("selvedge_connections_total", ""), 0);

        let called = pair(&authority, None, Some(nobody));
        refused_by_the_gateway(&called, 502, "upstream_tls");
        called.sidecar.await_failure("identity_missing");
    }
}

#[test]
fn a_proxy_that_believes_nobody_calls_nobody() {
    let authority = Authority::new();
    let web = Member::with(authority.issue("web", "web-1").svid(), Bundles::new());
    let pair = pair(&authority, Some(web), None);

    refused_by_the_gateway(&pair, 502, "peer_unverified");
    assert!(pair.gateway.count("selvedge_mesh_refusals_total", "\"trust_domain_unknown\"") > 0);
}

/// A client that can be wrong in every way.
pub fn raw(pair: &Pair, name: &str, alpn: &[u8], chain: Option<&crate::issuer::Issued>) -> Option<u16> {
    let builder = rustls::ClientConfig::builder_with_provider(identity::provider())
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believing));
    let mut config = match chain {
        None => builder.with_no_client_auth(),
        Some(issued) => builder.with_client_cert_resolver(Arc::new(issued.shown())),
    };
    config.alpn_protocols = if alpn.is_empty() { Vec::new() } else { vec![alpn.to_vec()] };
    let name = name.to_owned().try_into().expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = StreamOwned::new(connection, Client::of(pair.sidecar.address).0);
    Some(Client(stream).ask("")?.status)
}

/// What is tried here is the other side.
#[derive(Debug)]
struct Believing;

mod believing {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

    impl ServerCertVerifier for super::Believing {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            identity::provider().signature_verification_algorithms.supported_schemes()
        }
    }
}

#[test]
fn whoever_shows_nothing_or_something_unsound_is_not_let_in() {
    let pair = Pair::start();
    let authority = &pair.authority;
    let sound = authority.issue("web", "web-1");
    let names = [uri(&id("web")), dns("web-1.shop.bank.example")];
    let expired = authority.issue_with(&names, of_the_past);
    let two = authority.issue_with(&[uri(&id("web")), uri(&id("admin"))], |_| {});
    let nul = authority.issue_with(&[uri("spiffe://bank.example/ns/shop/sa/web\0")], |_| {});
    let ca = authority.issue_with(&names, |params| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let server_only = authority.issue_with(&names, |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    let ask = |issued| raw(&pair, SERVER_NAME, b"selvedge/1", issued);

    assert_eq!(ask(Some(&sound)), Some(200));
    assert_eq!(ask(None), None);
    for (issued, reason) in [
        (&expired, "expired"),
        (&two, "identities_many"),
        (&nul, "identity_malformed"),
        (&ca, "is_authority"),
        (&server_only, "wrong_usage"),
    ] {
        assert_eq!(ask(Some(issued)), None, "{reason}");
        let label = format!("\"{reason}\"");
        crate::pair::until(reason, || pair.sidecar.count("selvedge_mesh_refusals_total", &label) == 1);
    }
}

#[test]
fn names_and_protocols_that_are_not_served_end_the_handshake() {
    let pair = Pair::start();
    let sound = pair.authority.issue("web", "web-1");

    assert_eq!(raw(&pair, "8080.other.shop.svc.bank.example", b"selvedge/1", Some(&sound)), None);
    pair.sidecar.await_failure("mesh_service_unknown");
    assert_eq!(raw(&pair, SERVER_NAME, b"selvedge/tcp", Some(&sound)), None);
    assert_eq!(raw(&pair, SERVER_NAME, b"http/1.1", Some(&sound)), None);
    assert_eq!(raw(&pair, SERVER_NAME, b"", Some(&sound)), None);
    pair.sidecar.await_failure("mesh_protocol");
}
