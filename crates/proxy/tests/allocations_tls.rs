//! What a request over TLS allocates, counted and frozen: the TLS library allocates for records, we do not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use engine::config::{Security, TlsHost, TlsPort};
use proxy::LogSink;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

mod made;
mod outside;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

const REQUESTS: u32 = 1000;
/// One for the plain text of the record that came in, one for the record that goes out; both are rustls's own.
const EACH_MAX: f64 = 2.0;

/// A client that trusts the certificate it is given.
fn client(proxy: SocketAddr, certificate: &[u8]) -> Box<dyn FnMut(u32)> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.to_vec().into()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(identity::provider())
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "svc7.example.com".try_into().expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = StreamOwned::new(connection, TcpStream::connect(proxy).expect("the proxy listens"));
    Box::new(move |count| {
        for _ in 0..count {
            stream.write_all(still::GET).expect("the proxy reads");
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\nhello") && !answer.ends_with(b"0\r\n\r\n") {
                let mut block = [0; 4096];
                let length = stream.read(&mut block).expect("the proxy answers");
                answer.extend_from_slice(&block[..length]);
                assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", answer.escape_ascii());
            }
        }
    })
}

#[test]
fn a_request_over_tls_allocates_no_more_than_it_did() {
    let role = outside::Role { upstream: still::upstream, client };
    let Some(mut outside) = outside::Outside::start(&role) else { return };
    let made = rcgen::generate_simple_self_signed(["svc7.example.com".to_owned()]).expect("a certificate");
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let (pair, _) = identity::pair::parse("test", chain.as_bytes(), key.as_bytes()).expect("a pair");
    let host = TlsHost {
        hostname: None,
        listener: "bench/bench/http".into(),
        certificates: vec![Arc::new(pair)],
        carries: None,
    };
    let listen = still::free_address();
    let mut config = made::config(listen, outside.upstream, 20);
    let port = Arc::get_mut(&mut config.ports[0]).expect("the only owner");
    port.security = Security::Tls(TlsPort { hosts: vec![host], client_validation: None });
    let proxy = still::proxy(config, LogSink::Off);
    outside.warm_up(listen, made.cert.der());

    let before = ALLOCATOR.allocations();
    outside.ask(REQUESTS);
    let each = (ALLOCATOR.allocations() - before) as f64 / f64::from(REQUESTS);

    assert!(each <= EACH_MAX, "{each} allocations a request, {EACH_MAX} before");
    drop(outside);
    proxy.drain();
}
