//! The steady state allocates nothing: a promise that is easily broken and never noticed, so it is counted.
//!
//! Everything in this process is counted, so client and upstream are plain threads with fixed buffers. One test
//! only: a second one in the same process would be counted along.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use proxy::{LogSink, Options, Proxy};

mod made;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

const GET: &[u8] =
    b"GET /api/v1/users/1k?id=42 HTTP/1.1\r\nHost: svc7.example.com\r\nUser-Agent: test/1.0\r\n\
    Accept: application/json\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer abc\r\nCookie: a=b\r\n\r\n";
const POST: &[u8] =
    b"POST /api/v1/users/ HTTP/1.1\r\nHost: svc7.example.com\r\nContent-Length: 11\r\n\r\nhello world";
const PLAIN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";

/// Answers every message it reads with one of the two responses in turn.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let mut block = [0; 4096];
                let mut turn = 0;
                // Requests are small and arrive whole: each is one read.
                while stream.read(&mut block).is_ok_and(|count| count > 0) {
                    turn += 1;
                    let answer = if turn % 2 == 0 { CHUNKED } else { PLAIN };
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn ask(client: &mut TcpStream, request: &[u8], block: &mut [u8]) {
    client.write_all(request).expect("the proxy reads");
    let mut length = 0;
    loop {
        length += client.read(&mut block[length..]).expect("the proxy answers");
        let answer = &block[..length];
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
        if answer.ends_with(b"\r\n\r\nhello") || answer.ends_with(b"0\r\n\r\n") {
            return;
        }
    }
}

#[test]
fn requests_in_the_steady_state_allocate_nothing() {
    let upstream = upstream();
    let listen = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let options =
        Options { workers: 1, admin: None, access_log: LogSink::Off, drain: Duration::from_secs(1) };
    let proxy = Proxy::start(options).expect("the proxy starts");
    proxy.apply(Arc::new(made::config(listen, upstream, 20)));
    let mut client = TcpStream::connect(listen).expect("the proxy listens");
    let mut block = [0; 4096];
    for _ in 0..200 {
        ask(&mut client, GET, &mut block);
        ask(&mut client, POST, &mut block);
    }

    let before = ALLOCATOR.allocations();
    for _ in 0..2000 {
        ask(&mut client, GET, &mut block);
        ask(&mut client, POST, &mut block);
    }
    let made = ALLOCATOR.allocations() - before;

    assert_eq!(made, 0, "{made} allocations in 4000 requests");
    drop(client);
    proxy.drain();
}
