//! Promises of `selvedge up` about certificates: a renewal is shown at once, a broken one is not, and neither
//! touches a connection that is open.

mod scene;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName};
use scene::{PATIENCE, echo, free_address};
use selvedge::up::{Running, Source, UpOptions};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A certificate of its own making for `shop.example`, as PEM and DER.
struct Pair {
    chain: String,
    key: String,
    leaf: CertificateDer<'static>,
}

fn pair() -> Pair {
    let made = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).expect("a certificate");
    Pair { chain: made.cert.pem(), key: made.signing_key.serialize_pem(), leaf: made.cert.der().clone() }
}

fn yaml(address: SocketAddr, upstream: SocketAddr, chain: &str, key: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: selvedge }}
spec: {{ controllerName: selvedge.dev/gateway-controller }}
---
apiVersion: v1
kind: Secret
metadata: {{ name: pair }}
type: kubernetes.io/tls
stringData: {{ tls.crt: {chain:?}, tls.key: {key:?} }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: edge }}
spec:
  gatewayClassName: selvedge
  addresses: [{{ type: IPAddress, value: {} }}]
  listeners:
    - name: https
      protocol: HTTPS
      port: {}
      hostname: shop.example
      tls: {{ certificateRefs: [{{ name: pair }}] }}
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: {{ name: service }}
spec: {{ endpoints: [\"{upstream}\"] }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: all }}
spec:
  parentRefs: [{{ name: edge }}]
  rules:
    - backendRefs: [{{ group: mesh.selvedge.dev, kind: Backend, name: service }}]
",
        address.ip(),
        address.port()
    )
}

/// A connection whose handshake is done, if the server shows exactly this certificate for this name.
fn connect(address: SocketAddr, name: &str, trusted: &CertificateDer<'static>) -> std::io::Result<Stream> {
    let tls = engine::config::UpstreamTls {
        hostname: name.into(),
        subject_alt_names: Vec::new(),
        roots: vec![trusted.clone()],
        client_certificate: None,
    };
    let config = identity::client_config(&tls, &[b"http/1.1"]);
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connection = ClientConnection::new(config, name).map_err(std::io::Error::other)?;
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(connection, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// One request on an open connection; true when the upstream answered it.
fn is_answered(stream: &mut Stream) -> bool {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").expect("the connection lives");
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"}\n") {
        match stream.read(&mut piece).expect("the connection lives") {
            0 => return false,
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
    answer.starts_with(b"HTTP/1.1 200 ")
}

#[test]
fn a_renewed_certificate_is_shown_at_once_and_a_broken_one_never() {
    let (service, address) = (echo("service"), free_address());
    let (first, second) = (pair(), pair());
    let text = |chain: &str, key: &str| yaml(address, service.address(), chain, key);
    let source = Source::Text(text(&first.chain, &first.key));
    let running = Running::start(UpOptions { source, ..UpOptions::default() }).expect("it starts");
    let mut open = connect(address, "shop.example", &first.leaf).expect("a handshake");
    assert!(is_answered(&mut open));

    running.apply_text(&text(&second.chain, &first.key)).expect("allowed");
    let said = running.conditions().to_string();
    assert!(said.contains("InvalidCertificateRef"), "{said}");
    assert!(connect(address, "shop.example", &first.leaf).is_ok(), "the last good pair is gone");

    running.apply_text(&text(&second.chain, &second.key)).expect("sound");
    assert!(running.conditions().all_good(), "{}", running.conditions());
    assert!(connect(address, "shop.example", &second.leaf).is_ok(), "the new pair is not shown");
    assert!(connect(address, "shop.example", &first.leaf).is_err(), "the old pair is still shown");
    assert!(is_answered(&mut open), "an open connection was cut");
}

#[test]
fn a_name_that_no_listener_has_is_refused_in_the_handshake() {
    let (service, address, pair) = (echo("service"), free_address(), pair());
    let source = Source::Text(yaml(address, service.address(), &pair.chain, &pair.key));
    let running = Running::start(UpOptions { source, ..UpOptions::default() }).expect("it starts");

    assert!(connect(address, "shop.example", &pair.leaf).is_ok());
    let refused = connect(address, "other.example", &pair.leaf).expect_err("a stranger's name").to_string();
    assert!(!refused.contains("not valid for name"), "a certificate was shown: {refused}");
    running.stop();
}
