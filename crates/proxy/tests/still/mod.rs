//! Peers that allocate nothing, for tests that count what the proxy allocates: everything in the process is counted.
//!
//! Plain threads with fixed buffers. Requests and responses are small and arrive whole.

#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "../free/mod.rs"]
mod free;

pub use free::free_address;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use engine::Config;
use proxy::{LogSink, Options, Proxy};

pub const GET: &[u8] =
    b"GET /api/v1/users/1k?id=42 HTTP/1.1\r\nHost: svc7.example.com\r\nUser-Agent: test/1.0\r\n\
    Accept: application/json\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer abc\r\nCookie: a=b\r\n\
    X-Api-Key: sk_live_0123456789abcdef\r\n\r\n";
pub const POST: &[u8] = b"POST /api/v1/users/ HTTP/1.1\r\nHost: svc7.example.com\r\nContent-Length: 11\r\n\
    X-Api-Key: sk_live_0123456789abcdef\r\n\r\nhello world";
const PLAIN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";

/// Requests that fill every pool before anything is counted.
const WARM_UP: u32 = 200;

/// Answers every message it reads with one of the two responses in turn.
pub fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let mut block = [0; 4096];
                let mut turn = 0;
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

/// A proxy of one worker with this config.
pub fn proxy(config: Config, access_log: LogSink) -> Proxy {
    proxy_of(Arc::new(config), access_log)
}

/// The same with a config that others have as well.
pub fn proxy_of(config: Arc<Config>, access_log: LogSink) -> Proxy {
    started(config, access_log, None)
}

/// The same as a member of a mesh.
pub fn member(config: Config, access_log: LogSink, member: Arc<identity::Member>) -> Proxy {
    started(Arc::new(config), access_log, Some(member))
}

fn started(config: Arc<Config>, access_log: LogSink, member: Option<Arc<identity::Member>>) -> Proxy {
    let options = Options {
        workers: 1,
        admin: None,
        access_log,
        drain: Duration::from_secs(1),
        member,
        usage: None,
        locality: None,
        deleted_ports: proxy::DeletedPorts::Drain,
    };
    let proxy = Proxy::start(options).expect("the proxy starts");
    proxy.apply(config);
    proxy
}

/// A client that is connected and has asked often enough for the proxy to be in its steady state.
pub struct Client {
    stream: TcpStream,
    block: [u8; 4096],
}

impl Client {
    pub fn warmed_up(proxy: SocketAddr) -> Client {
        let stream = TcpStream::connect(proxy).expect("the proxy listens");
        let mut client = Client { stream, block: [0; 4096] };
        client.ask(WARM_UP);
        client
    }

    /// So many times a GET and a POST.
    pub fn ask(&mut self, count: u32) {
        for _ in 0..count {
            self.exchange(GET);
            self.exchange(POST);
        }
    }

    fn exchange(&mut self, request: &[u8]) {
        self.stream.write_all(request).expect("the proxy reads");
        let mut length = 0;
        loop {
            length += self.stream.read(&mut self.block[length..]).expect("the proxy answers");
            let answer = &self.block[..length];
            assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
            if answer.ends_with(b"\r\n\r\nhello") || answer.ends_with(b"0\r\n\r\n") {
                return;
            }
        }
    }
}
