//! Promises of `selvedge echo`: it reports what was on the wire, over every protocol.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use selvedge::echo::{Echo, Options};
use serde_json::Value;

/// Longest a test waits for bytes that must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(tls_names: Option<Vec<String>>) -> Echo {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    Echo::start(Options { listen, name: "cart".to_owned(), tls_names }).expect("a free port")
}

fn connect(echo: &Echo) -> TcpStream {
    let stream = TcpStream::connect(echo.address()).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Sends bytes that ask for the connection to be closed, and returns all that comes back.
fn ask(echo: &Echo, request: &str) -> String {
    let mut stream = connect(echo);
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8(answer).expect("text")
}

fn report(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn the_report_holds_what_was_sent_and_nothing_else() {
    let answer = ask(
        &start(None),
        "POST /a/b?x=1&y HTTP/1.1\r\nHost: shop.example\r\nX-One: 1\r\nx-two: 2\r\nContent-Length: 5\r\n\
         Connection: close\r\n\r\nhello",
    );

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let mut report = report(&answer);
    assert!(report["peer"].as_str().expect("a peer").starts_with("127.0.0.1:"));
    assert_eq!(report["pid"], std::process::id());
    report.as_object_mut().expect("an object").retain(|name, _| name != "peer" && name != "pid");
    let expected = serde_json::json!({
        "name": "cart", "method": "POST", "host": "shop.example", "path": "/a/b", "query": "x=1&y",
        "version": "HTTP/1.1",
        "headers": [["host", "shop.example"], ["x-one", "1"], ["x-two", "2"], ["content-length", "5"],
                    ["connection", "close"]],
        "body": { "length": 5, "text": "hello" }, "trailers": [], "tls": null,
    });
    assert_eq!(report, expected);
}

#[test]
fn a_body_past_the_bound_is_counted_but_not_repeated() {
    let length = 1024 * 1024 + 7;
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");

    let report = report(&ask(&start(None), &(head + &"x".repeat(length))));

    assert_eq!(report["body"]["length"], length);
    assert_eq!(report["body"]["truncated"], true);
    assert_eq!(report["body"]["text"].as_str().map(str::len), Some(1024 * 1024));
}

#[test]
fn bytes_that_are_no_text_are_reported_as_base64() {
    let echo = start(None);
    let mut stream = connect(&echo);
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n\xff\xfe")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");

    assert_eq!(report(&answer)["body"], serde_json::json!({ "length": 2, "base64": "//4=" }));
}

#[test]
fn paths_choose_status_length_and_chunks() {
    let echo = start(None);
    let get = |path: &str| {
        ask(&echo, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n"))
    };

    assert!(get("/status/418").starts_with("HTTP/1.1 418 "));
    assert!(get("/status/204").starts_with("HTTP/1.1 204 "));
    assert_eq!(report(&get("/delay/1"))["path"], "/delay/1");
    let bytes = get("/bytes/100000");
    assert!(bytes.contains("content-length: 100000\r\n"), "{}", &bytes[..200]);
    assert_eq!(bytes.split_once("\r\n\r\n").expect("a head").1.len(), 100_000);
    let chunks = get("/chunks/2");
    assert!(chunks.contains("transfer-encoding: chunked\r\n"), "{chunks}");
    assert!(chunks.ends_with("\r\n\r\nD\r\nchunk 1 of 2\n\r\nD\r\nchunk 2 of 2\n\r\n0\r\n\r\n"), "{chunks}");
    let trailers = get("/trailers");
    assert!(trailers.ends_with("0\r\nx-echo-trailer: sent after the body\r\n\r\n"), "{trailers}");
    let wrong = get("/bytes/many");
    assert!(wrong.starts_with("HTTP/1.1 400 ") && wrong.contains("`/bytes/many` needs a number"), "{wrong}");
}

#[test]
fn websocket_messages_come_back_whole_and_a_close_is_answered() {
    let echo = start(None);
    let mut stream = connect(&echo);
    // Key and answer of RFC 6455 section 1.3.
    stream
        .write_all(
            b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        .expect("a handshake");
    let head = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");

    // "Hel" and "lo" in two frames with a ping between them, as RFC 6455 section 5.4 allows.
    stream.write_all(&masked(0x01, b"Hel")).expect("a frame");
    stream.write_all(&masked(0x89, b"are you there")).expect("a frame");
    stream.write_all(&masked(0x80, b"lo")).expect("a frame");
    stream.write_all(&masked(0x82, &[7; 70_000])).expect("a frame");
    stream.write_all(&masked(0x88, &1000_u16.to_be_bytes())).expect("a frame");

    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("the frames and the end");
    let mut expected = vec![0x8a, 13];
    expected.extend_from_slice(b"are you there");
    expected.extend_from_slice(b"\x81\x05Hello");
    expected.extend_from_slice(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
    expected.extend_from_slice(&[7; 70_000]);
    expected.extend_from_slice(&[0x88, 2, 0x03, 0xe8]);
    assert!(received == expected, "{} bytes instead of {}", received.len(), expected.len());
}

#[test]
fn a_websocket_client_that_breaks_the_rules_is_told_which_kind() {
    let echo = start(None);
    let cases: [(&[u8], u16); 5] = [
        (&[0x81, 0x02, b'h', b'i'], 1002),             // not masked
        (&masked(0xc1, b"hi"), 1002),                  // reserved bit
        (&masked(0x80, b"hi"), 1002),                  // continues nothing
        (&masked(0x81, &[0xff]), 1007),                // text that is no UTF-8
        (&[0x82, 0xff, 0, 0, 0, 0, 1, 0, 0, 0], 1009), // 16 MiB
    ];
    for (frame, code) in cases {
        let mut stream = connect(&echo);
        stream
            .write_all(
                b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            )
            .expect("a handshake");
        read_head(&mut stream);
        stream.write_all(frame).expect("a frame");
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).expect("a close frame");
        assert_eq!(answer[..2], [0x88, 2], "{code}");
        assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), code);
    }
}

#[test]
fn a_bad_websocket_handshake_is_refused_with_a_reason() {
    let answer = ask(
        &start(None),
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\
         Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("`Sec-WebSocket-Key` is not 16 bytes of base64"), "{answer}");
}

#[test]
fn http2_with_prior_knowledge_is_reported_as_such() {
    let echo = start(None);
    let report = block_on(async {
        let (status, body, _) = http2(tcp(&echo).await, "/cart", None, &[]).await;
        assert_eq!(status, 200);
        serde_json::from_slice::<Value>(&body).expect("JSON")
    });

    assert_eq!(report["version"], "HTTP/2");
    assert_eq!(report["host"], "shop.example");
    assert_eq!(report["headers"], serde_json::json!([]));
}

#[test]
fn grpc_messages_come_back_and_end_with_a_status() {
    let echo = start(None);
    let message = b"\0\0\0\0\x03abc";
    let (status, body, trailers) = block_on(async {
        http2(tcp(&echo).await, "/shop.Cart/Add", Some("application/grpc"), message).await
    });

    assert_eq!(status, 200);
    assert_eq!(&body[..], message);
    assert_eq!(trailers.expect("trailers")["grpc-status"], "0");
}

#[test]
fn tls_is_verified_against_the_authority_it_hands_out_and_reports_name_and_protocol() {
    let echo = start(Some(vec!["cart.internal".to_owned()]));
    let pem = echo.authority_pem().expect("an authority");
    let roots = identity::roots::parse(pem.as_bytes()).expect("a root");
    let attempt = |name: &'static str| {
        let tls = engine::config::UpstreamTls {
            hostname: name.into(),
            subject_alt_names: Vec::new(),
            roots: roots.clone(),
            client_certificate: None,
        };
        let connector = tokio_rustls::TlsConnector::from(identity::client_config(&tls, &[b"h2"]));
        let name = rustls_pki_types::ServerName::try_from(name).expect("a name");
        block_on(async {
            let stream = connector.connect(name, tcp(&echo).await).await?;
            Ok::<_, std::io::Error>(http2(stream, "/", None, &[]).await.1)
        })
    };

    let report: Value =
        serde_json::from_slice(&attempt("cart.internal").expect("a handshake")).expect("JSON");
    assert_eq!(report["tls"], serde_json::json!({ "sni": "cart.internal", "alpn": "h2" }));
    assert!(attempt("stranger.internal").is_err());
}

#[test]
fn a_dropped_echo_is_gone() {
    let echo = start(None);
    let address = echo.address();
    drop(echo);

    assert!(TcpStream::connect(address).is_err());
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        middle @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.expect("it took too long") })
}

async fn tcp(echo: &Echo) -> tokio::net::TcpStream {
    tokio::net::TcpStream::connect(echo.address()).await.expect("a connection")
}

/// One request over HTTP/2 with prior knowledge.
async fn http2<S>(
    stream: S,
    path: &str,
    content_type: Option<&str>,
    body: &'static [u8],
) -> (u16, Bytes, Option<http::HeaderMap>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = h2::client::handshake(stream).await.expect("a handshake");
    tokio::spawn(connection);
    let mut client = client.ready().await.expect("room for a stream");
    let mut request = http::Request::post(format!("http://shop.example{path}"));
    if let Some(kind) = content_type {
        request = request.header("content-type", kind);
    }
    let request = request.body(()).expect("a request");
    let (response, mut sending) = client.send_request(request, false).expect("a stream");
    sending.send_data(Bytes::from_static(body), true).expect("a body");
    let response = response.await.expect("a response");
    let status = response.status().as_u16();
    let mut receiving = response.into_body();
    let mut received = Vec::new();
    while let Some(data) = receiving.data().await {
        received.extend_from_slice(&data.expect("data"));
    }
    (status, received.into(), receiving.trailers().await.expect("trailers or none"))
}
