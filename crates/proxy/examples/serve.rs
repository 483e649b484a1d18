//! The bare data path, for benchmarks and instruction counts: a proxy on a config made here, without files,
//! control plane or allocator of the product.
//!
//! `serve LISTEN UPSTREAM HOSTS` serves `svc0.example.com` … with five prefixes each and never ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proxy::{LogSink, Options, Proxy};

#[path = "../tests/made/mod.rs"]
mod made;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, listen, upstream, hosts] = arguments.as_slice() else {
        eprintln!("usage: serve LISTEN UPSTREAM HOSTS");
        std::process::exit(2);
    };
    let listen: SocketAddr = listen.parse().expect("LISTEN is an address");
    let upstream = upstream.parse().expect("UPSTREAM is an address");
    let hosts = hosts.parse().expect("HOSTS is a number");
    let options =
        Options { workers: 1, admin: None, access_log: LogSink::Off, drain: Duration::from_secs(1) };
    let proxy = Proxy::start(options).expect("the proxy starts");
    let applied = proxy.apply(Arc::new(made::config(listen, upstream, hosts)));
    println!("{:?}", applied.bound);
    loop {
        std::thread::park();
    }
}
