//! What a member of a mesh believes, and what it refuses (threats E6 to E11).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use identity::member::{
    ALPN_HTTP1, ALPN_HTTP2, ALPN_TCP, Backing, Bundle, Bundles, CLOCK_LEEWAY_SECONDS, Judge, Leaf, Member,
    Refusal, Side, Svid, SvidProblem, Told, Verified, judge,
};
use issuer::{Authority, DOMAIN, Issued, dns, id, of_the_past, trusted, uri};
use proptest::prelude::*;
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use rustls::{ClientConnection, HandshakeKind, ServerConnection};
use rustls_pki_types::{ServerName, UnixTime};

mod issuer;

#[expect(clippy::disallowed_methods, reason = "tests make certificates that are valid now")]
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970")
}

fn judged_at(issued: &Issued, side: Side, bundles: &Bundles, unix: u64) -> Result<Verified, Refusal> {
    let chain = issued.der();
    let when = UnixTime::since_unix_epoch(Duration::from_secs(unix));
    judge(&chain[0], &chain[1..], side, bundles, when)
}

fn judged(issued: &Issued, bundles: &Bundles) -> Result<Verified, Refusal> {
    judged_at(issued, Side::Caller, bundles, now().as_secs())
}

#[test]
fn a_certificate_proves_identity_replica_and_root() {
    let authority = Authority::new();

    let verified = judged(&authority.issue("cart", "cart-1"), &authority.trusted()).expect("sound");

    assert_eq!(verified.identity.as_str(), "spiffe://bank.example/ns/shop/sa/cart");
    assert_eq!(verified.replica.as_deref(), Some("shop/cart-1"));
    assert_eq!(verified.backing(&authority.trusted()), Backing::Root);
}

#[test]
fn an_authority_below_the_root_may_vouch() {
    let root = Authority::new();
    let below = root.below();
    let mut issued = below.issue("cart", "cart-1");
    issued.chain.push_str(&below.root);

    let verified = judged(&issued, &root.trusted()).expect("sound");

    assert_eq!(verified.backing(&root.trusted()), Backing::Root);
}

#[test]
fn an_authority_below_the_root_that_may_not_sign_certificates_vouches_for_nobody() {
    let root = Authority::new();
    let below = root.below_for(KeyUsagePurpose::CrlSign);
    let mut issued = below.issue("cart", "cart-1");
    issued.chain.push_str(&below.root);

    assert_eq!(judged(&issued, &root.trusted()), Err(Refusal::Untrusted));
}

#[test]
fn every_certificate_that_could_be_read_in_two_ways_is_refused_by_name() {
    let authority = Authority::new();
    let long = format!("spiffe://{DOMAIN}/{}", "a".repeat(2_049 - DOMAIN.len() - 10));
    assert_eq!(long.len(), 2_049);
    let malformed = [
        "SPIFFE://bank.example/ns/shop/sa/cart",
        "spiffe://Bank.example/ns/shop/sa/cart",
        "spiffe://bank.example/ns/shop/sa/cart\0",
        "spiffe://bank.example\0.evil.example/ns/shop/sa/cart",
        "spiffe://bank.example/ns/shop%2fsa/cart",
        "spiffe://bank.example:443/ns/shop/sa/cart",
        "spiffe://bank.example/",
        "spiffe://bank.example/ns/shop/sa/cart/",
        "spiffe://bank.example/ns/../sa/cart",
        "https://bank.example/ns/shop/sa/cart",
        &long,
    ];
    for text in malformed {
        let issued = authority.issue_with(&[uri(text)], |_| {});
        assert_eq!(judged(&issued, &authority.trusted()), Err(Refusal::IdentityMalformed), "{text:?}");
    }

    let several = authority.issue_with(&[uri(&id("cart")), uri(&id("admin"))], |_| {});
    assert_eq!(judged(&several, &authority.trusted()), Err(Refusal::IdentitiesMany));
    let disguised = authority.issue_with(&[dns(&id("cart"))], |_| {});
    assert_eq!(judged(&disguised, &authority.trusted()), Err(Refusal::IdentityMissing));
    let without = authority.issue_with(&[], |_| {});
    assert_eq!(judged(&without, &authority.trusted()), Err(Refusal::IdentityMissing));
    let two = [uri(&id("cart")), dns("a.shop.bank.example"), dns("b.shop.bank.example")];
    assert_eq!(judged(&authority.issue_with(&two, |_| {}), &authority.trusted()), Err(Refusal::ReplicasMany));
}

#[test]
fn a_name_of_another_namespace_names_no_replica() {
    let authority = Authority::new();
    for name in
        ["cart-1.bank.bank.example", "cart-1.shop.other.example", ".shop.bank.example", "A.shop.bank.example"]
    {
        let verified =
            judged(&authority.issue_with(&[uri(&id("cart")), dns(name)], |_| {}), &authority.trusted());
        assert_eq!(verified.expect("sound").replica, None, "{name}");
    }
}

#[test]
fn an_authority_cannot_pass_for_a_member() {
    let authority = Authority::new();
    let names = [uri(&id("cart"))];

    let ca = authority.issue_with(&names, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let signs = authority.issue_with(&names, |params| {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    });

    assert_eq!(judged(&ca, &authority.trusted()), Err(Refusal::IsAuthority));
    assert_eq!(judged(&signs, &authority.trusted()), Err(Refusal::IsAuthority));
}

#[test]
fn a_certificate_for_one_side_is_not_taken_on_the_other() {
    let authority = Authority::new();
    let unix = now().as_secs();
    let only =
        |usage| authority.issue_with(&[uri(&id("cart"))], |params| params.extended_key_usages = vec![usage]);
    let (servers, clients) =
        (only(ExtendedKeyUsagePurpose::ServerAuth), only(ExtendedKeyUsagePurpose::ClientAuth));
    let code = only(ExtendedKeyUsagePurpose::CodeSigning);
    let bundles = authority.trusted();

    assert!(judged_at(&servers, Side::Called, &bundles, unix).is_ok());
    assert_eq!(judged_at(&servers, Side::Caller, &bundles, unix), Err(Refusal::WrongUsage));
    assert!(judged_at(&clients, Side::Caller, &bundles, unix).is_ok());
    assert_eq!(judged_at(&clients, Side::Called, &bundles, unix), Err(Refusal::WrongUsage));
    assert_eq!(judged_at(&code, Side::Caller, &bundles, unix), Err(Refusal::WrongUsage));
}

#[test]
fn another_root_does_not_count_whatever_trust_domain_it_writes() {
    let (authority, stranger) = (Authority::new(), Authority::new());

    assert_eq!(judged(&stranger.issue("cart", "cart-1"), &authority.trusted()), Err(Refusal::Untrusted));
}

#[test]
fn the_roots_of_one_mesh_do_not_vouch_for_another() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let bundle = Bundle::from_pem(theirs.root.as_bytes()).expect("a bundle");
    let bundles = ours.trusted().with("other.example", bundle);

    let crossed = theirs.issue("cart", "cart-1");
    let proper = theirs.issue_with(&[uri("spiffe://other.example/ns/shop/sa/cart")], |_| {});
    let unknown = ours.issue_with(&[uri("spiffe://third.example/ns/shop/sa/cart")], |_| {});

    assert_eq!(judged(&crossed, &bundles), Err(Refusal::Untrusted));
    assert!(judged(&proper, &bundles).is_ok());
    assert_eq!(judged(&unknown, &bundles), Err(Refusal::TrustDomainUnknown));
}

#[test]
fn clocks_may_differ_by_the_leeway_and_no_more() {
    let authority = Authority::new();
    let bundles = authority.trusted();
    let issued = authority.issue_with(&[uri(&id("cart"))], of_the_past);
    let leaf = Leaf::read(&issued.der()[0]).expect("a leaf");
    let at = |unix| judged_at(&issued, Side::Caller, &bundles, unix).map(|_| ());

    assert_eq!(at(leaf.not_after + CLOCK_LEEWAY_SECONDS), Ok(()));
    assert_eq!(at(leaf.not_after + CLOCK_LEEWAY_SECONDS + 1), Err(Refusal::Expired));
    assert_eq!(at(leaf.not_before - CLOCK_LEEWAY_SECONDS), Ok(()));
    assert_eq!(at(leaf.not_before - CLOCK_LEEWAY_SECONDS - 1), Err(Refusal::NotYetValid));
}

#[test]
fn a_long_chain_is_refused_before_anything_is_verified() {
    let authority = Authority::new();
    let mut issued = authority.issue("cart", "cart-1");
    for _ in 0..5 {
        issued.chain.push_str(&authority.root);
    }

    assert_eq!(judged(&issued, &authority.trusted()), Err(Refusal::ChainTooLong));
}

#[test]
fn the_order_of_a_bundle_says_nothing() {
    let authorities = [Authority::new(), Authority::new(), Authority::new()];
    let [a, b, c] = &authorities;
    for order in [[a, b, c], [c, a, b], [b, c, a], [c, b, a]] {
        for authority in &authorities {
            assert!(judged(&authority.issue("cart", "cart-1"), &trusted(&order)).is_ok());
        }
    }
}

#[test]
fn trust_ends_with_the_root_and_not_with_its_renewed_certificate() {
    let (old, new) = (Authority::new(), Authority::new());
    let verified = judged(&old.issue("cart", "cart-1"), &old.trusted()).expect("sound");

    assert_eq!(verified.backing(&trusted(&[&new, &old])), Backing::Root);
    assert_eq!(verified.backing(&new.trusted()), Backing::Nobody);
    assert_eq!(verified.backing(&Bundles::new()), Backing::Nobody);
}

#[test]
fn a_root_that_has_retired_vouches_for_what_is_open_and_opens_nothing() {
    let (old, new) = (Authority::new(), Authority::new());
    let issued = old.issue("cart", "cart-1");
    let verified = judged(&issued, &old.trusted()).expect("sound");
    let told = |roots: &str, retired: &str| {
        let (roots, retired) = (roots.as_bytes(), retired.as_bytes());
        Bundles::new().told([Told { trust_domain: DOMAIN, roots, retired }])
    };

    let bundles = told(&new.root, &old.root);

    assert_eq!(verified.backing(&bundles), Backing::Retired);
    assert_eq!(judged(&issued, &bundles), Err(Refusal::Untrusted));
    assert_eq!(verified.backing(&told(&new.root, "nothing that can be read")), Backing::Nobody);
    assert_eq!(verified.backing(&told(&old.root, &old.root)), Backing::Root);
    // A bundle that cannot be read leaves what was told before.
    let unread = bundles.told([Told { trust_domain: DOMAIN, roots: b"", retired: b"" }]);
    assert_eq!(verified.backing(&unread), Backing::Retired);
}

#[test]
fn a_key_of_another_certificate_makes_no_svid() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("cart", "cart-1"), authority.issue("cart", "cart-2"));

    let refused = Svid::from_pem(one.chain.as_bytes(), other.key.as_bytes());

    assert!(matches!(refused, Err(SvidProblem::Pair(_))), "{refused:?}");
    let nobody = authority.issue_with(&[dns("cart.example")], |_| {});
    let refused = Svid::from_pem(nobody.chain.as_bytes(), nobody.key.as_bytes()).expect_err("no identity");
    assert_eq!(refused, SvidProblem::Refused(Refusal::IdentityMissing));
}

#[test]
fn every_refusal_has_a_name_of_its_own() {
    let names: HashSet<&str> = Refusal::ALL.iter().map(|refusal| refusal.reason()).collect();

    assert_eq!(names.len(), Refusal::ALL.len());
}

proptest! {
    #[test]
    fn whatever_stands_in_a_certificate_is_an_identity_only_in_its_one_spelling(
        text in prop_oneof!["[ -~]{0,40}", "[sS]piff[eE]://[a-z.]{0,9}(/[a-zA-Z0-9._%:-]{0,6}){0,4}[\0?#/]?"]
    ) {
        thread_local!(static AUTHORITY: Authority = Authority::new());
        let issued = AUTHORITY.with(|authority| authority.issue_with(&[uri(&text)], |_| {}));

        let read = Leaf::read(&issued.der()[0]).map(|leaf| leaf.identity.as_str().to_owned());

        let expected = text.parse::<model::spiffe::SpiffeId>().map(|_| text.clone());
        prop_assert_eq!(read, expected.map_err(|_| Refusal::IdentityMalformed));
    }

    #[test]
    fn damaged_certificates_are_refused_without_harm(at in 0usize..400, bit in 0u8..8) {
        thread_local!(static SOUND: (Issued, Bundles) = {
            let authority = Authority::new();
            (authority.issue("cart", "cart-1"), authority.trusted())
        });
        SOUND.with(|(issued, bundles)| {
            let mut leaf = issued.der()[0].to_vec();
            let at = at % leaf.len();
            leaf[at] ^= 1 << bit;
            let when = UnixTime::since_unix_epoch(now());
            prop_assert!(judge(&leaf.into(), &[], Side::Caller, bundles, when).is_err());
            Ok(())
        })?;
    }
}

/// Two ends of a connection without a socket.
struct Ends {
    client: ClientConnection,
    server: ServerConnection,
    /// Who judges the server, and who the client.
    judges: (Arc<Judge>, Arc<Judge>),
}

fn call(
    caller: &Member,
    called: &Member,
    expected: &str,
    alpn: (&[u8], &[&[u8]]),
) -> Result<Ends, rustls::Error> {
    let expected = expected.parse().expect("an identity");
    let (client, judges_server) = caller.standing().client(&expected, alpn.0, now()).expect("an SVID");
    let (server, judges_client) = called.standing().server(alpn.1, now()).expect("an SVID");
    let name = ServerName::try_from("8080.cart.shop.svc.bank.example").expect("a name");
    let mut ends = Ends {
        client: ClientConnection::new(client, name)?,
        server: ServerConnection::new(server)?,
        judges: (judges_server, judges_client),
    };
    for _ in 0..6 {
        let mut wire = Vec::new();
        ends.client.write_tls(&mut wire).expect("memory");
        let mut rest = &wire[..];
        while !rest.is_empty() {
            ends.server.read_tls(&mut rest).expect("memory");
            ends.server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        ends.server.write_tls(&mut wire).expect("memory");
        let mut rest = &wire[..];
        while !rest.is_empty() {
            ends.client.read_tls(&mut rest).expect("memory");
            ends.client.process_new_packets()?;
        }
    }
    Ok(ends)
}

const HTTP: &[&[u8]] = &[ALPN_HTTP1, ALPN_HTTP2];

#[test]
fn two_members_show_who_they_are_and_agree_on_the_newest_of_everything() {
    let authority = Authority::new();
    let (web, cart) = (authority.member("web", "web-1"), authority.member("cart", "cart-1"));

    let ends = call(&web, &cart, &id("cart"), (ALPN_HTTP1, HTTP)).expect("agreement");

    let verified = |judge: &Judge| judge.verdict().expect("a verdict").clone().expect("belief");
    assert_eq!(verified(&ends.judges.0).identity.as_str(), id("cart"));
    assert_eq!(verified(&ends.judges.1).identity.as_str(), id("web"));
    assert_eq!(ends.server.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(ends.server.alpn_protocol(), Some(ALPN_HTTP1));
    assert_eq!(ends.server.server_name(), Some("8080.cart.shop.svc.bank.example"));
    let group = ends.client.negotiated_key_exchange_group().expect("a group").name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
}

#[test]
fn a_second_connection_resumes_nothing() {
    let authority = Authority::new();
    let (web, cart) = (authority.member("web", "web-1"), authority.member("cart", "cart-1"));
    for _ in 0..2 {
        let ends = call(&web, &cart, &id("cart"), (ALPN_HTTP1, HTTP)).expect("agreement");

        // A hello that is repeated is no resumption either.
        assert_ne!(ends.client.handshake_kind(), Some(HandshakeKind::Resumed));
        assert_eq!(ends.client.tls13_tickets_received(), 0);
        assert!(!ends.client.is_early_data_accepted());
    }
}

#[test]
fn whoever_is_called_must_be_exactly_who_was_meant() {
    let authority = Authority::new();
    let (web, admin) = (authority.member("web", "web-1"), authority.member("admin", "admin-1"));

    let refused = call(&web, &admin, &id("cart"), (ALPN_HTTP1, HTTP)).err();

    let expected =
        rustls::CertificateError::Other(rustls::OtherError(Arc::new(Refusal::OtherIdentity))).to_string();
    assert!(refused.is_some_and(|error| error.to_string().contains(&expected)));
}

#[test]
fn protocols_that_do_not_fit_end_the_handshake() {
    let authority = Authority::new();
    let (web, cart) = (authority.member("web", "web-1"), authority.member("cart", "cart-1"));

    assert!(call(&web, &cart, &id("cart"), (ALPN_TCP, HTTP)).is_err());
    assert!(call(&web, &cart, &id("cart"), (ALPN_HTTP1, &[ALPN_TCP])).is_err());
    assert!(call(&web, &cart, &id("cart"), (ALPN_TCP, &[ALPN_TCP])).is_ok());
}

#[test]
fn a_caller_that_is_not_believed_is_refused_with_a_reason() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let cart = authority.member("cart", "cart-1");
    let web = Member::with(stranger.issue("web", "web-1").svid(), authority.trusted());
    let expected = id("cart").parse().expect("an identity");
    let (client, _) = web.standing().client(&expected, ALPN_HTTP1, now()).expect("an SVID");
    let (server, judge) = cart.standing().server(HTTP, now()).expect("an SVID");

    let name = ServerName::try_from("a.example").expect("a name");
    let mut client = ClientConnection::new(client, name).expect("a client");
    let mut server = ServerConnection::new(server).expect("a server");
    let mut refused = None;
    for _ in 0..6 {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("memory");
        server.read_tls(&mut &wire[..]).expect("memory");
        refused = refused.or(server.process_new_packets().err());
        let mut wire = Vec::new();
        server.write_tls(&mut wire).expect("memory");
        client.read_tls(&mut &wire[..]).expect("memory");
        let _ = client.process_new_packets(); // It hears that it was refused.
    }

    assert!(refused.is_some());
    assert_eq!(judge.verdict(), Some(&Err(Refusal::Untrusted)));
}

#[test]
fn nobody_is_let_in_or_called_without_a_valid_certificate_of_our_own() {
    let authority = Authority::new();
    let nobody = Member::new();
    let late =
        Member::with(authority.issue_with(&[uri(&id("web"))], of_the_past).svid(), authority.trusted());
    let expected = id("cart").parse().expect("an identity");

    for member in [nobody, late] {
        let standing = member.standing();
        assert!(standing.server(HTTP, now()).is_none());
        assert!(standing.client(&expected, ALPN_HTTP1, now()).is_none());
    }
}

#[test]
fn a_renewal_is_seen_at_once_and_heard_of_by_whoever_watches() {
    let authority = Authority::new();
    let member = authority.member("cart", "cart-1");
    let watching = member.watch();
    let before = member.standing();

    member.renew(authority.issue("cart", "cart-1").svid());
    member.trust(|bundles| bundles.clone().without(DOMAIN));

    let after = member.standing();
    assert_eq!(after.generation, before.generation + 2);
    assert!(watching.has_changed().expect("a member"));
    assert_eq!(*watching.borrow(), after.generation);
    let chain =
        |standing: &identity::member::Standing| standing.svid.as_ref().expect("an SVID").chain().to_vec();
    assert_ne!(chain(&before), chain(&after));
    assert!(after.bundles.of(DOMAIN).is_none());
}
