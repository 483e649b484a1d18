//! Certificates that certomancer makes: what is sound is believed, each defect is refused by its name, whichever side
//! shows it. An authority that is not ours, with encoders that are not ours.
//!
//! Which test shows which of the threats to identities:
//!
//! | | threat | shown by |
//! |---|---|---|
//! | E6 | resumption outlives a certificate | `identity/tests/member` (*a second connection resumes nothing*), `specs/tls_listeners`; no certificate is at fault |
//! | E7 | a name of TLS that the request does not name | `refusals` (*names and protocols that are not served*), `specs/tls_listeners` (421); no certificate is at fault |
//! | E8 | names that can be read in two ways, wrong usage, an authority as a member | here, both sides: two identities, two replicas, the extension twice, NUL, `%00`, upper case, a DNS name like an identity, none; wrong usages; authorities. By rcgen: `identity/tests/member` (the rest of the spellings, 2,049 bytes), `refusals` |
//! | E9 | another root that writes our trust domain | here, both sides: a root of the same name and another key, a signature that is forged, an authority below us that only a stranger vouches for, one that is bounded to other names. `identity/tests/member` (*the roots of one mesh*) |
//! | E10 | roots and authorities that change or end | here: an authority below the root, which may be there twice; one that has expired, that may not sign, that is too far from the root. `rotation`, `crates/tests/tests/identity/rotation`. That no leaf outlives who signed it: `crates/tests/tests/identity/certificates` |
//! | E11 | certificates that expire or change under load | here: expired, not yet valid. `rotation`, `crates/tests/tests/identity/keeping` |
//! | E12 | requests for more than the identity | `crates/tests/tests/identity/refused`, by openssl: certomancer makes no requests |
//!
//! NUL and upper case stand in `pki.yml` as DER: of names that are given as text, certomancer writes `%00` and `spiffe://`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use identity::Member;
use identity::member::{Bundle, Bundles};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::issuer::{DOMAIN, Issued};
use crate::pair::{Client, PATIENCE, Pair, Plan, SERVER_NAME, Side, free_address, outbound, until};
use crate::refusals::raw;

/// Which chains are refused, leaf first, and why.
#[rustfmt::skip] // the table is the point
const DEFECTS: &[(&[&str], &str)] = &[
    (&["expired"],                             "expired"),
    (&["early"],                               "not_yet_valid"),
    (&["strange"],                             "untrusted"),
    (&["strange", "stranger"],                 "untrusted"),
    (&["forged"],                              "untrusted"),
    (&["sha1"],                                "untrusted"),
    (&["nobody"],                              "identity_missing"),
    (&["a-name-like-an-identity"],             "identity_missing"),
    (&["two-identities"],                      "identities_many"),
    (&["names-twice"],                         "names_unreadable"),
    (&["two-replicas"],                        "replicas_many"),
    (&["nul"],                                 "identity_malformed"),
    (&["percent"],                             "identity_malformed"),
    (&["upper-case"],                          "identity_malformed"),
    (&["authority"],                           "is_authority"),
    (&["signing"],                             "is_authority"),
    (&["below", "root"],                       "is_authority"),
    (&["agreeing"],                            "wrong_usage"),
    (&["for-code"],                            "wrong_usage"),
    (&["cart-below"],                          "untrusted"),
    (&["cart-below", "below-a-stranger"],      "untrusted"),
    (&["cart-below", "below-expired"],         "expired"),
    (&["cart-below", "below-signing-nothing"], "untrusted"),
    (&["cart-below", "below-elsewhere"],       "untrusted"),
    (&["cart-further", "further", "below"],    "untrusted"),
    (&["cart-below-cart", "cart"],             "untrusted"),
];

/// Chains that are sound.
const SOUND: &[&[&str]] =
    &[&["cart"], &["cart", "root"], &["cart-below", "below"], &["cart-below", "below-a-stranger", "below"]];

/// What certomancer has made.
static MADE: LazyLock<Made> = LazyLock::new(Made::new);

/// All certificates, and the key of the leaves.
struct Made {
    certificates: Vec<(String, String)>,
    key: String,
}

impl Made {
    fn new() -> Made {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["root", "stranger", "below", "further", "member"] {
            let mut openssl = Command::new("openssl");
            openssl.args(["genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
            must(openssl.arg("-out").arg(folder.path().join(format!("{name}.pem"))));
        }
        std::fs::write(folder.path().join("pki.yml"), include_str!("certomancer/pki.yml")).expect("a file");
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/certomancer");
        assert!(program.is_file(), "there is no certomancer\n  hint: run `cargo xtask setup tests`");
        let mut certomancer = Command::new(program.canonicalize().expect("a path"));
        certomancer.args(["--config", "pki.yml", "mass-summon", "mesh", "made", "--flat", "--no-pfx"]);
        must(certomancer.current_dir(folder.path()));
        let read = |path: &Path| std::fs::read_to_string(path).expect("a file");
        let files = std::fs::read_dir(folder.path().join("made")).expect("a folder");
        let certificate = |file: std::io::Result<std::fs::DirEntry>| {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().replace(".cert.pem", "");
            (name, read(&path))
        };
        let certificates = files.map(certificate).collect();
        Made { certificates, key: read(&folder.path().join("member.pem")) }
    }

    fn certificate(&self, name: &str) -> &str {
        let found = self.certificates.iter().find(|(known, _)| known == name);
        found.map(|(_, pem)| pem.as_str()).unwrap_or_else(|| panic!("certomancer made no `{name}`"))
    }

    fn chain(&self, names: &[&str]) -> Issued {
        Issued { chain: names.iter().map(|name| self.certificate(name)).collect(), key: self.key.clone() }
    }

    fn trusted(&self) -> Bundles {
        let bundle = Bundle::from_pem(self.certificate("root").as_bytes()).expect("a bundle");
        Bundles::new().with(DOMAIN, bundle)
    }

    fn member(&self, names: &[&str]) -> Arc<Member> {
        Member::with(self.chain(names).svid(), self.trusted())
    }
}

fn must(command: &mut Command) {
    let output = command.output().expect("it runs; `cargo xtask setup tests` installs it");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Somebody at an address who shows this to everybody and asks nobody for anything, and answers what is asked.
fn shows(issued: &Issued) -> SocketAddr {
    let mut config = ServerConfig::builder_with_provider(identity::provider())
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(issued.shown()));
    config.alpn_protocols = vec![b"selvedge/1".to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
            let connection = ServerConnection::new(config.clone()).expect("a server");
            let (mut stream, mut asked, mut byte) = (StreamOwned::new(connection, stream), Vec::new(), [0]);
            while !asked.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                asked.push(byte[0]);
            }
            // Nobody reads it who has refused us.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
        }
    });
    address
}

/// How often a side has refused for a reason.
fn refused(side: &Side, reason: &str) -> u64 {
    side.count("selvedge_mesh_refusals_total", &format!("\"{reason}\""))
}

#[test]
fn a_sidecar_lets_in_what_is_sound_and_refuses_each_defect_by_its_name() {
    let members = (MADE.member(&["web"]), MADE.member(&["cart"]));
    let pair = Pair::with(Plan { members: Some(members), ..Plan::default() });
    assert_eq!(Client::of(pair.gateway.address).get().status, 200, "members by certomancer's certificates");
    for names in SOUND {
        let answered = raw(&pair, SERVER_NAME, b"selvedge/1", Some(&MADE.chain(names)));
        assert_eq!(answered, Some(200), "{names:?}");
    }

    for (names, reason) in DEFECTS {
        let before = refused(&pair.sidecar, reason);
        let answered = raw(&pair, SERVER_NAME, b"selvedge/1", Some(&MADE.chain(names)));
        assert_eq!(answered, None, "{names:?} is {reason}");
        until(&format!("{names:?} to be {reason}: {}", pair.sidecar.metrics()), || {
            refused(&pair.sidecar, reason) == before + 1
        });
    }
}

#[test]
fn a_gateway_calls_who_is_sound_and_sends_nothing_to_whoever_shows_a_defect() {
    let listen = free_address();
    let sound = shows(&MADE.chain(&["cart-below", "below"]));
    let config = outbound(listen, sound, engine::config::UpstreamProtocol::Http1);
    let gateway = Side::start(listen, MADE.member(&["web"]), config);
    assert_eq!(Client::of(listen).get().status, 200);

    for (names, reason) in DEFECTS {
        let before = refused(&gateway, reason);
        let called = shows(&MADE.chain(names));
        gateway.apply(outbound(listen, called, engine::config::UpstreamProtocol::Http1));
        // Of one connection, whatever came before stays where it was.
        let answer = Client::of(listen).get();
        assert_eq!(answer.status, 502, "{names:?} is {reason}: {answer:?}");
        assert!(answer.body.contains("peer_unverified"), "{names:?}: {answer:?}");
        assert!(refused(&gateway, reason) > before, "{names:?} is not {reason}: {}", gateway.metrics());
    }
    // The member itself, by another name than the one that is called.
    gateway.apply(outbound(listen, shows(&MADE.chain(&["web"])), engine::config::UpstreamProtocol::Http1));
    assert!(Client::of(listen).get().body.contains("peer_identity_mismatch"));
}
