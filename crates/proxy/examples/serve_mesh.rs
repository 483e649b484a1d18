//! One of the two hops of a mesh, for benchmarks and instruction counts: a member on a config made here, without
//! files of objects, control plane or allocator of the product.
//!
//! `serve_mesh gateway LISTEN SIDECAR HOSTS FOLDER` calls, `serve_mesh sidecar LISTEN APPLICATION HOSTS FOLDER` is
//! called and leads on in cleartext. FOLDER has `web.pem`, `web.key`, `cart.pem`, `cart.key` and `ca.pem`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::config::{MeshPeer, UpstreamProtocol};
use identity::Member;
use identity::member::{Bundle, Bundles, Svid};
use proxy::{LogSink, Options, Proxy};

#[path = "../tests/made/mod.rs"]
mod made;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TRUST_DOMAIN: &str = "bench.example";
const SERVER_NAME: &str = "8080.cart.shop.svc.bench.example";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, side, listen, onward, hosts, folder] = arguments.as_slice() else {
        eprintln!("usage: serve_mesh gateway|sidecar LISTEN ONWARD HOSTS FOLDER");
        std::process::exit(2);
    };
    let listen: SocketAddr = listen.parse().expect("LISTEN is an address");
    let onward = onward.parse().expect("ONWARD is an address");
    let hosts = hosts.parse().expect("HOSTS is a number");
    let (config, account) = match side.as_str() {
        "gateway" => {
            let identity = format!("spiffe://{TRUST_DOMAIN}/ns/shop/sa/cart").parse().expect("an identity");
            let peer = MeshPeer { server_name: SERVER_NAME.into(), identity, replica: "shop/cart-1".into() };
            (made::outbound_with(listen, onward, hosts, peer, UpstreamProtocol::Http1), "web")
        }
        _ => (made::inbound_with(listen, onward, hosts, SERVER_NAME, false), "cart"),
    };
    let options = Options {
        workers: 1,
        admin: None,
        access_log: LogSink::Off,
        drain: Duration::from_secs(1),
        member: Some(member(Path::new(folder), account)),
        usage: None,
        locality: None,
        deleted_ports: proxy::DeletedPorts::Drain,
    };
    let proxy = Proxy::start(options).expect("the proxy starts");
    let applied = proxy.apply(Arc::new(config));
    println!("{:?}", applied.bound);
    loop {
        std::thread::park();
    }
}

fn member(folder: &Path, account: &str) -> Arc<Member> {
    let read = |name: String| std::fs::read(folder.join(name)).expect("a file of FOLDER");
    let svid = Svid::from_pem(&read(format!("{account}.pem")), &read(format!("{account}.key")));
    let bundle = Bundle::from_pem(&read("ca.pem".to_owned())).expect("a root");
    Member::with(svid.expect("an SVID"), Bundles::new().with(TRUST_DOMAIN, bundle))
}
