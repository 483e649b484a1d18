//! The bare data path, for benchmarks and instruction counts: a proxy on a config made here, without files,
//! control plane or allocator of the product.
//!
//! `serve LISTEN UPSTREAM HOSTS [h2]` serves `svc0.example.com` … with five prefixes each and never ends; `h2` speaks
//! HTTP/2 to the upstream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::config::UpstreamProtocol;
use proxy::{LogSink, Options, Proxy};

#[path = "../tests/made/mod.rs"]
mod made;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (listen, upstream, hosts, protocol) = match arguments.as_slice() {
        [_, listen, upstream, hosts] => (listen, upstream, hosts, UpstreamProtocol::Http1),
        [_, listen, upstream, hosts, h2] if h2 == "h2" => (listen, upstream, hosts, UpstreamProtocol::Http2),
        _ => {
            eprintln!("usage: serve LISTEN UPSTREAM HOSTS [h2]");
            std::process::exit(2);
        }
    };
    let listen: SocketAddr = listen.parse().expect("LISTEN is an address");
    let upstream = upstream.parse().expect("UPSTREAM is an address");
    let hosts = hosts.parse().expect("HOSTS is a number");
    let options = Options {
        workers: 1,
        admin: None,
        access_log: LogSink::Off,
        drain: Duration::from_secs(1),
        usage: None,
        locality: None,
        deleted_ports: proxy::DeletedPorts::Drain,
        member: None,
    };
    let proxy = Proxy::start(options).expect("the proxy starts");
    let mut config = made::config(listen, upstream, hosts);
    let cluster = config.clusters[0].as_mut().and_then(Arc::get_mut).expect("the only owner");
    cluster.protocol = protocol;
    let applied = proxy.apply(Arc::new(config));
    println!("{:?}", applied.bound);
    loop {
        std::thread::park();
    }
}
