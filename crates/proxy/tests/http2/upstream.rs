//! Upstreams that record what they are asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

/// More than any test sends.
const MESSAGES_MAX: usize = 4096;

/// An upstream that speaks HTTP/1.1: a thread, bare bytes.
pub struct Http1 {
    pub address: SocketAddr,
    /// Each request, head and body as they came.
    pub requests: mpsc::Receiver<String>,
    /// A message for each connection that ended.
    pub ended: mpsc::Receiver<()>,
}

/// Answers every request with the same bytes; with none it never answers.
pub fn http1(answer: &'static [u8]) -> Http1 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = mpsc::sync_channel(MESSAGES_MAX);
    let (over, ended) = mpsc::sync_channel(MESSAGES_MAX);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (asked, over, stream) = (asked.clone(), over.clone(), stream.unwrap());
            std::thread::spawn(move || {
                serve(stream, answer, &asked);
                let _ = over.try_send(()); // The test may be over.
            });
        }
    });
    Http1 { address, requests, ended }
}

fn serve(mut stream: TcpStream, answer: &[u8], asked: &mpsc::SyncSender<String>) {
    while let Some(request) = read_message(&mut stream) {
        let _ = asked.try_send(request); // Not every test wants to know.
        if stream.write_all(answer).is_err() {
            return;
        }
    }
}

/// A head, and the body that it announces.
pub fn read_message(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        text.push(byte[0]);
    }
    let head = String::from_utf8(text.clone()).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    if let Some(length) = length {
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).ok()?;
        text.extend(body);
    } else if head.contains("transfer-encoding: chunked\r\n") {
        let start = text.len();
        // The last chunk and its trailers end like a head does.
        while !(text[start..].starts_with(b"0\r\n") || text[start..].windows(5).any(|it| it == b"\r\n0\r\n"))
            || !text.ends_with(b"\r\n\r\n")
        {
            stream.read_exact(&mut byte).ok()?;
            text.push(byte[0]);
        }
    }
    Some(String::from_utf8(text).unwrap())
}

/// An HTTP/2 upstream: `serve` is run for each connection, within [`super::run`].
pub async fn http2<F, S>(mut serve: S) -> SocketAddr
where
    S: FnMut(usize, h2::server::Connection<tokio::net::TcpStream, bytes::Bytes>) -> F + 'static,
    F: Future<Output = ()> + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        let mut count = 0;
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut builder = h2::server::Builder::new();
            // The library takes many small messages in a small window for abuse.
            builder.initial_connection_window_size(1024 * 1024);
            let connection = builder.handshake(stream).await.unwrap();
            tokio::task::spawn_local(serve(count, connection));
            count += 1;
        }
    });
    address
}
