//! Promises about handshakes, kept in memory: bytes are carried between two rustls ends without a socket.

use std::sync::Arc;

use engine::config::{ClientValidation, ClientValidationMode, KeyPair, TlsHost, TlsPort, UpstreamTls};
use rustls::{CipherSuite, ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection};
use rustls_pki_types::{CertificateDer, ServerName};

/// A private authority and what it signs.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    root: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Authority {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).expect("a root").der().clone();
        Authority { issuer: rcgen::Issuer::new(params, key), root }
    }

    fn pair(&self, names: &[rcgen::SanType]) -> Arc<KeyPair> {
        self.made(|params| params.subject_alt_names = names.to_vec())
    }

    fn made(&self, change: impl FnOnce(&mut rcgen::CertificateParams)) -> Arc<KeyPair> {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        change(&mut params);
        let leaf = params.signed_by(&key, &self.issuer).expect("a leaf");
        let (pair, _) =
            identity::pair::parse("test/pair", leaf.pem().as_bytes(), key.serialize_pem().as_bytes())
                .expect("a pair");
        Arc::new(pair)
    }

    /// A certificate whose extended key usage says that it is for servers.
    fn pair_for_servers(&self) -> Arc<KeyPair> {
        self.made(|params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth])
    }

    fn pair_of_the_past(&self) -> Arc<KeyPair> {
        self.made(|params| {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        })
    }

    fn pair_for(&self, host: &str) -> Arc<KeyPair> {
        self.pair(&[dns(host)])
    }
}

fn dns(name: &str) -> rcgen::SanType {
    rcgen::SanType::DnsName(name.try_into().expect("a name"))
}

fn uri(name: &str) -> rcgen::SanType {
    rcgen::SanType::URI(name.try_into().expect("a name"))
}

fn host(pattern: Option<&str>, certificates: Vec<Arc<KeyPair>>) -> TlsHost {
    TlsHost { hostname: pattern.map(Arc::from), listener: Arc::from("listener"), certificates, carries: None }
}

fn server(hosts: Vec<TlsHost>) -> Arc<ServerConfig> {
    identity::server_config(&TlsPort { hosts, client_validation: None })
}

/// A port for any name that asks its clients for certificates.
fn asking(shown: &Authority, trusted: &[&Authority], mode: ClientValidationMode) -> Arc<ServerConfig> {
    let roots = trusted.iter().map(|authority| authority.root.clone()).collect();
    let client_validation = Some(Arc::new(ClientValidation { roots, mode }));
    let hosts = vec![host(None, vec![shown.pair_for("shop.example")])];
    identity::server_config(&TlsPort { hosts, client_validation })
}

/// A client of `shop.example` that trusts `server` and shows this pair.
fn client_with(server: &Authority, own: Option<Arc<KeyPair>>) -> Arc<ClientConfig> {
    let mut tls = upstream("shop.example", &[], &server.root);
    tls.client_certificate = own;
    identity::client_config(&tls, &[])
}

fn upstream(hostname: &str, names: &[&str], root: &CertificateDer<'static>) -> UpstreamTls {
    UpstreamTls {
        hostname: Arc::from(hostname),
        subject_alt_names: names.iter().map(|name| Arc::from(*name)).collect(),
        roots: vec![root.clone()],
        client_certificate: None,
    }
}

/// What both ends agree on, or the first error.
struct Agreed {
    shown: CertificateDer<'static>,
    alpn: Option<Vec<u8>>,
    suite: CipherSuite,
    /// Whether a session from before spared the verification.
    resumed: bool,
}

fn shake(client: Arc<ClientConfig>, sni: &str, server: Arc<ServerConfig>) -> Result<Agreed, rustls::Error> {
    let name = ServerName::try_from(sni.to_owned()).expect("a name");
    let mut client = ClientConnection::new(client, name)?;
    let mut server = ServerConnection::new(server)?;
    for _ in 0..8 {
        carry(&mut client, &mut server)?;
        carry(&mut server, &mut client)?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking(), "the handshake did not end");
    let shown = client.peer_certificates().and_then(<[_]>::first).expect("a certificate").clone();
    Ok(Agreed {
        shown: shown.into_owned(),
        alpn: client.alpn_protocol().map(<[u8]>::to_vec),
        suite: client.negotiated_cipher_suite().expect("a suite").suite(),
        resumed: client.handshake_kind() == Some(HandshakeKind::Resumed),
    })
}

fn carry<A, B, C, D>(from: &mut A, to: &mut B) -> Result<(), rustls::Error>
where
    A: std::ops::DerefMut<Target = rustls::ConnectionCommon<C>>,
    B: std::ops::DerefMut<Target = rustls::ConnectionCommon<D>>,
    C: rustls::SideData,
    D: rustls::SideData,
{
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).expect("memory does not fail");
    }
    let mut unread = wire.as_slice();
    while !unread.is_empty() {
        to.read_tls(&mut unread).expect("memory does not fail");
        to.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn the_most_specific_listener_shows_its_certificate() {
    let authority = Authority::new();
    let exact = authority.pair_for("a.shop.example");
    let wild = authority.pair_for("*.shop.example");
    let port = server(vec![
        host(Some("*.shop.example"), vec![wild.clone()]),
        host(Some("a.shop.example"), vec![exact.clone()]),
    ]);

    for (name, expected) in
        [("a.shop.example", &exact), ("A.shop.example", &exact), ("b.shop.example", &wild)]
    {
        let client = identity::client_config(&upstream(name, &[], &authority.root), &[b"h2"]);
        let agreed = shake(client, name, port.clone()).expect("a handshake");
        assert_eq!(agreed.shown, expected.chain[0], "{name}");
        assert_eq!(agreed.alpn.as_deref(), Some(&b"h2"[..]));
    }
}

#[test]
fn a_name_no_listener_has_is_shown_no_certificate() {
    let authority = Authority::new();
    let port = server(vec![
        host(Some("shop.example"), vec![authority.pair_for("shop.example")]),
        host(Some("bare.example"), vec![]),
    ]);

    for name in ["elsewhere.test", "bare.example"] {
        let client = identity::client_config(&upstream(name, &[], &authority.root), &[]);
        assert!(shake(client, name, port.clone()).is_err(), "{name}");
    }
}

#[test]
fn of_the_ciphers_that_a_client_takes_the_cheapest_is_chosen_and_no_other_is_forced_on_it() {
    let authority = Authority::new();
    let port = server(vec![host(None, vec![authority.pair_for("shop.example")])]);
    let agreed = |version, taken: &[CipherSuite]| {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|suite| taken.is_empty() || taken.contains(&suite.suite()));
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.root.clone()).expect("a root");
        let client = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(&[version])
            .expect("suites of this version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        shake(client.into(), "shop.example", port.clone()).expect("a handshake").suite
    };
    let (tls13, tls12) = (&rustls::version::TLS13, &rustls::version::TLS12);

    assert_eq!(agreed(tls13, &[]), CipherSuite::TLS13_AES_128_GCM_SHA256);
    assert_eq!(agreed(tls12, &[]), CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
    for (version, only) in [
        (tls13, CipherSuite::TLS13_AES_256_GCM_SHA384),
        (tls13, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
        (tls12, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ] {
        assert_eq!(agreed(version, &[only]), only);
    }
}

#[test]
fn an_upstream_that_shows_another_name_is_refused() {
    let authority = Authority::new();
    let port = server(vec![host(None, vec![authority.pair_for("other.example")])]);

    let client = identity::client_config(&upstream("shop.example", &[], &authority.root), &[]);

    let refused = shake(client, "shop.example", port).err().expect("the wrong name");
    assert!(refused.to_string().contains("not valid for name"), "{refused}");
}

#[test]
fn an_upstream_of_another_authority_is_refused() {
    let port = server(vec![host(None, vec![Authority::new().pair_for("shop.example")])]);

    let client = identity::client_config(&upstream("shop.example", &[], &Authority::new().root), &[]);

    assert!(shake(client, "shop.example", port).is_err());
}

#[test]
fn one_name_of_the_list_is_enough_and_the_hostname_then_is_only_sni() {
    let authority = Authority::new();
    let spiffe = "spiffe://bank/ns/shop/sa/cart";
    let port = server(vec![host(None, vec![authority.pair(&[dns("cart.internal"), uri(spiffe)])])]);
    let attempt = |names: &[&str]| {
        let tls = upstream("shop.example", names, &authority.root);
        shake(identity::client_config(&tls, &[]), "shop.example", port.clone()).is_ok()
    };

    assert!(attempt(&["nobody.internal", "cart.internal"]));
    assert!(attempt(&["nobody.internal", spiffe]));
    assert!(!attempt(&["nobody.internal", "spiffe://bank/ns/shop/sa/car"]));
    assert!(!attempt(&["nobody.internal"]));
    assert!(!attempt(&[]), "without a list the hostname itself must match");
}

#[test]
fn a_swapped_certificate_is_shown_to_the_next_client_and_a_removed_one_to_nobody() {
    let authority = Authority::new();
    let (before, after) = (authority.pair_for("shop.example"), authority.pair_for("shop.example"));
    let client = identity::client_config(&upstream("shop.example", &[], &authority.root), &[]);
    let shown = |pairs: Vec<Arc<KeyPair>>| {
        let port = server(vec![host(Some("shop.example"), pairs)]);
        shake(client.clone(), "shop.example", port).map(|agreed| agreed.shown)
    };

    assert_eq!(shown(vec![before.clone()]).expect("the first"), before.chain[0]);
    let fresh = identity::client_config(&upstream("shop.example", &[], &authority.root), &[]);
    let port = server(vec![host(Some("shop.example"), vec![after.clone()])]);
    assert_eq!(shake(fresh, "shop.example", port).expect("the second").shown, after.chain[0]);
    assert!(
        shown(vec![]).is_err(),
        "a ticket of the first handshake must not open a listener without certificate"
    );
}

#[test]
fn an_unknown_application_protocol_is_refused() {
    let authority = Authority::new();
    let port = server(vec![host(None, vec![authority.pair_for("shop.example")])]);
    let tls = upstream("shop.example", &[], &authority.root);

    assert!(shake(identity::client_config(&tls, &[b"selvedge/1"]), "shop.example", port.clone()).is_err());
    let agreed = shake(identity::client_config(&tls, &[b"http/1.1"]), "shop.example", port).expect("agreed");
    assert_eq!(agreed.alpn.as_deref(), Some(&b"http/1.1"[..]));
}

#[test]
fn a_client_is_let_in_by_a_certificate_of_a_trusted_authority_only() {
    let (shown, trusted, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let port = asking(&shown, &[&trusted], ClientValidationMode::ValidOnly);
    let attempt = |own| shake(client_with(&shown, own), "shop.example", port.clone()).map(|_| ());

    assert_eq!(attempt(Some(trusted.pair_for("caller.example"))), Ok(()));
    for (what, own) in [
        ("none", None),
        ("a stranger's", Some(stranger.pair_for("caller.example"))),
        ("one of the authority the server itself is of", Some(shown.pair_for("caller.example"))),
        ("one that is for servers only", Some(trusted.pair_for_servers())),
        ("one that is over", Some(trusted.pair_of_the_past())),
    ] {
        assert!(attempt(own).is_err(), "{what}");
    }
}

#[test]
fn any_of_several_authorities_vouches_in_any_order() {
    let (shown, one, other) = (Authority::new(), Authority::new(), Authority::new());
    for trusted in [[&one, &other], [&other, &one]] {
        let port = asking(&shown, &trusted, ClientValidationMode::ValidOnly);
        for authority in trusted {
            let client = client_with(&shown, Some(authority.pair_for("caller.example")));
            assert!(shake(client, "shop.example", port.clone()).is_ok());
        }
    }
}

#[test]
fn without_a_usable_anchor_no_client_is_let_in_and_the_systems_roots_do_not_count() {
    let shown = Authority::new();
    let port = asking(&shown, &[], ClientValidationMode::ValidOnly);

    for own in [None, Some(shown.pair_for("caller.example"))] {
        assert!(shake(client_with(&shown, own), "shop.example", port.clone()).is_err());
    }
}

#[test]
fn the_insecure_mode_lets_in_who_cannot_be_verified() {
    let (shown, trusted, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let port = asking(&shown, &[&trusted], ClientValidationMode::InsecureFallback);

    for own in [None, Some(stranger.pair_for("x.example")), Some(trusted.pair_for("x.example"))] {
        assert!(shake(client_with(&shown, own), "shop.example", port.clone()).is_ok());
    }
}

#[test]
fn a_port_that_verifies_its_clients_resumes_no_session_of_its_own_or_of_another_port() {
    let (shown, before, after) = (Authority::new(), Authority::new(), Authority::new());
    let open = server(vec![host(None, vec![shown.pair_for("shop.example")])]);
    let client = client_with(&shown, Some(before.pair_for("caller.example")));
    let resumed = |port: &Arc<ServerConfig>| {
        shake(client.clone(), "shop.example", port.clone()).map(|agreed| agreed.resumed)
    };
    assert_eq!(resumed(&open), Ok(false));
    assert_eq!(resumed(&open), Ok(true), "an open port resumes, or this test shows nothing");

    let verifying = asking(&shown, &[&before], ClientValidationMode::ValidOnly);
    assert_eq!(resumed(&verifying), Ok(false));
    assert_eq!(resumed(&verifying), Ok(false));
    assert!(resumed(&asking(&shown, &[&after], ClientValidationMode::ValidOnly)).is_err());
}

#[test]
fn what_was_shown_earlier_is_judged_as_it_would_be_in_a_handshake_today() {
    let (ours, stranger) = (Authority::new(), Authority::new());
    let now = rustls_pki_types::UnixTime::now();
    let chains = [
        ("ours", ours.pair_for("client.example"), true),
        ("a stranger's", stranger.pair_for("client.example"), false),
        ("expired", ours.pair_of_the_past(), false),
        ("for servers", ours.pair_for_servers(), false),
    ];
    let asked = |mode| ClientValidation { roots: vec![ours.root.clone()], mode };
    let (valid, fallback) =
        (asked(ClientValidationMode::ValidOnly), asked(ClientValidationMode::InsecureFallback));

    for (what, pair, let_in) in &chains {
        assert_eq!(identity::clients::lets_in(&valid, &pair.chain, now), *let_in, "{what}");
        assert!(identity::clients::lets_in(&fallback, &pair.chain, now), "{what}");
    }
    assert!(!identity::clients::lets_in(&valid, &[], now));
    assert!(identity::clients::lets_in(&fallback, &[], now));
    let nobody = ClientValidation { roots: Vec::new(), mode: ClientValidationMode::ValidOnly };
    assert!(!identity::clients::lets_in(&nobody, &chains[0].1.chain, now), "without an anchor nobody is");
}
