//! What the tests of HTTP/2 share: a proxy in this process, upstreams that record, clients of both kinds.
#![allow(dead_code)] // Each test file is a program of its own and uses a part of this.

#[path = "../free/mod.rs"]
mod free;

pub use free::free_address;

pub mod frames;
pub mod upstream;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::Config;
use engine::config::{Cluster, Limits, Settings, UpstreamProtocol};
use h2::client::SendRequest;
use proxy::{LogSink, Options, Proxy};

#[path = "../made/mod.rs"]
pub mod made;

/// The host that every test asks for.
pub const HOST: &str = "svc7.example.com";

/// A proxy with one worker.
pub struct Gateway {
    proxy: Option<Proxy>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Gateway {
    /// In front of an upstream.
    pub fn start(upstream: SocketAddr, protocol: UpstreamProtocol, limits: Limits) -> Gateway {
        let address = free_address();
        let admin = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let options = Options {
            workers: 1,
            admin,
            access_log: LogSink::Off,
            drain: Duration::from_secs(20),
            usage: None,
            locality: None,
            deleted_ports: proxy::DeletedPorts::Drain,
            member: None,
        };
        let config = Arc::new(config(address, upstream, protocol, limits));
        // On a thread of its own: the caller may be an asynchronous task.
        let start = move || {
            let proxy = Proxy::start(options).expect("the proxy starts");
            let applied = proxy.apply(config);
            (proxy, applied)
        };
        let (proxy, applied) = std::thread::spawn(start).join().unwrap();
        assert!(applied.bound.iter().all(|bound| bound.error.is_none()), "{:?}", applied.bound);
        Gateway { proxy: Some(proxy), address }
    }

    /// In front of an HTTP/1 upstream, with the usual limits.
    pub fn http1(upstream: SocketAddr) -> Gateway {
        Gateway::start(upstream, UpstreamProtocol::Http1, Limits::default())
    }

    /// In front of an HTTP/2 upstream, with the usual limits.
    pub fn http2(upstream: SocketAddr) -> Gateway {
        Gateway::start(upstream, UpstreamProtocol::Http2, Limits::default())
    }

    /// How often a failure was counted.
    pub fn failures(&self, code: &str) -> u64 {
        let address = self.proxy.as_ref().and_then(Proxy::admin_address).expect("an admin address");
        let mut stream = TcpStream::connect(address).expect("the admin address answers");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line = text.lines().find(|line| {
            line.starts_with("selvedge_failures_total") && line.contains(&format!("\"{code}\""))
        });
        line.and_then(|line| line.rsplit(' ').next()).map_or(0, |count| count.parse().unwrap())
    }

    /// Waits until a failure has been counted so often; some are counted behind the goodbye.
    pub fn await_failures(&self, code: &str, count: u64) {
        let counted = (0..10_000).any(|_| {
            std::thread::yield_now();
            self.failures(code) >= count
        });
        assert!(counted, "{code} was not counted {count} times");
        assert_eq!(self.failures(code), count, "{code}");
    }

    /// Begins a drain; the result tells when it is over.
    pub fn drain(mut self) -> std::thread::JoinHandle<()> {
        let proxy = self.proxy.take().expect("not drained yet");
        std::thread::spawn(move || proxy.drain())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(proxy) = self.proxy.take() {
            // A drain waits for clients that a failed test has left behind.
            std::thread::spawn(move || proxy.drain());
        }
    }
}

fn config(listen: SocketAddr, upstream: SocketAddr, protocol: UpstreamProtocol, limits: Limits) -> Config {
    let mut config = made::config(listen, upstream, 10);
    let made = config.clusters[0].take().and_then(Arc::into_inner).expect("one cluster");
    config.clusters[0] = Some(Arc::new(Cluster { protocol, ..made }));
    let port = Arc::get_mut(&mut config.ports[0]).expect("not shared yet");
    port.settings = Arc::new(Settings { access_log: false, limits, ..Settings::default() });
    config
}

/// Runs a test that needs a runtime, and fails it when it hangs.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let bounded = async { tokio::time::timeout(Duration::from_secs(60), test).await };
    runtime.block_on(local.run_until(bounded)).expect("the test hangs");
}

/// A client by the library. Must be called within [`run`].
pub async fn client(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut builder = h2::client::Builder::new();
    // The library takes many small messages in a small window for abuse.
    builder.initial_connection_window_size(1024 * 1024);
    let (sender, connection) = builder.handshake(stream).await.unwrap();
    tokio::task::spawn_local(async move {
        let _ = connection.await; // What became of it shows at its streams.
    });
    sender
}

/// A request to [`HOST`].
pub fn request(method: &str, path: &str) -> http::request::Builder {
    http::Request::builder().method(method).uri(format!("http://{HOST}{path}")).version(http::Version::HTTP_2)
}

/// All of a body.
pub async fn whole(body: &mut h2::RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut all = Vec::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        all.extend_from_slice(&part);
    }
    Ok(all)
}
