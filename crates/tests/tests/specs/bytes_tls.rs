//! Bytes behind TLS that ends at the gateway: the listener by server name, PostgreSQL's way of asking, and ends that
//! are none.

use tests::bytes_upstream::{BytesUpstream, Ending, connect, ending, say};
use tests::certificates::Authority;
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::tls::TlsClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];

/// Two names on one port, each with an upstream of its own.
struct Names {
    authority: Authority,
    gateway: Gateway,
    one: BytesUpstream,
    other: BytesUpstream,
}

impl Names {
    async fn new() -> Names {
        let authority = Authority::new();
        let (one, other) = (BytesUpstream::new().await, BytesUpstream::new().await);
        let mut scene = Scene::new();
        let port = scene.port();
        scene.tls_on(port, "one.example", "one");
        scene.tls_on(port, "*.other.example", "other");
        scene.secret("one", &authority.pair(&["one.example"]));
        scene.secret("other", &authority.pair(&["*.other.example"]));
        scene.service("one", &[one.address]);
        scene.service("other", &[other.address]);
        scene.tcp_route("one", Some("tls-0"), &[("one", 1)]);
        scene.tcp_route("other", Some("tls-1"), &[("other", 1)]);
        let gateway = scene.start().await;
        Names { authority, gateway, one, other }
    }
}

#[tokio::test]
async fn the_server_name_tells_where_a_connection_leads_whatever_alpn_offers() {
    let names = Names::new().await;
    let client = TlsClient::trusting(&names.authority, &["postgresql"]);

    for (name, upstream) in [("one.example", &names.one), ("x.other.example", &names.other)] {
        let mut stream = client.open(names.gateway.entry, name).await.expect("a handshake");
        let mut server = upstream.accepted().await;
        server.write_all(b"in the clear").await.expect("a connection");
        let mut got = [0; 12];
        stream.read_exact(&mut got).await.expect("bytes");
        assert_eq!(&got, b"in the clear");

        stream.shutdown().await.expect("a connection");
        assert_eq!(ending(&mut server).await, Ending::Orderly);
        server.write_all(b"and after it").await.expect("half of it is open");
        drop(server);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("an orderly end, told by TLS");
        assert_eq!(rest, b"and after it");
    }
    assert!(client.open(names.gateway.entry, "third.example").await.is_err());
}

#[tokio::test]
async fn an_end_that_tls_did_not_tell_is_passed_on_as_a_reset() {
    let names = Names::new().await;
    let client = TlsClient::trusting(&names.authority, &[]);
    let mut stream = client.open(names.gateway.entry, "one.example").await.expect("a handshake");
    let mut server = names.one.accepted().await;
    stream.write_all(b"x").await.expect("a connection");
    server.read_exact(&mut [0]).await.expect("a byte");

    let (socket, _) = stream.into_inner();
    drop(socket);

    assert_eq!(ending(&mut server).await, Ending::Reset);
    names.gateway.logged("the broken end", |line| line["failure"] == "client_closed").await;
}

#[tokio::test]
async fn a_postgresql_client_may_ask_for_gssapi_and_then_for_tls() {
    let names = Names::new().await;
    let mut client = connect(names.gateway.entry).await;
    let mut answer = [0];

    client.write_all(&GSS_REQUEST).await.expect("a connection");
    client.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"N");
    client.write_all(&TLS_REQUEST).await.expect("a connection");
    client.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"S");

    let mut stream =
        TlsClient::trusting(&names.authority, &[]).over(client, "one.example").await.expect("a handshake");
    let mut server = names.one.accepted().await;
    stream.write_all(b"startup").await.expect("a connection");
    let mut got = [0; 7];
    server.read_exact(&mut got).await.expect("bytes");
    assert_eq!(&got, b"startup");
}

#[tokio::test]
async fn bytes_behind_a_request_for_tls_are_nobodys_words() {
    let names = Names::new().await;
    let mut client = connect(names.gateway.entry).await;

    client.write_all(&[&TLS_REQUEST[..], b"Q\0\0\0\x0eselect 1;\0"].concat()).await.expect("a connection");

    assert_eq!(ending(&mut client).await, Ending::Reset);
    names.gateway.counts_failure("encryption_smuggled").await;
}

#[tokio::test]
async fn a_cleartext_port_passes_a_request_for_tls_on_like_any_bytes() {
    let upstream = BytesUpstream::new().await;
    let mut scene = Scene::new();
    scene.tcp();
    scene.service("database", &[upstream.address]);
    scene.tcp_route("all", None, &[("database", 1)]);
    let gateway = scene.start().await;
    let mut client = connect(gateway.entry).await;
    let mut server = upstream.accepted().await;

    client.write_all(&TLS_REQUEST).await.expect("a connection");

    let mut got = [0; 8];
    server.read_exact(&mut got).await.expect("bytes");
    assert_eq!(got, TLS_REQUEST);
    say(&mut server, &mut client, "N").await;
}
