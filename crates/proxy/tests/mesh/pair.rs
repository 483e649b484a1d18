//! Two proxies and an application: the gateway calls, the sidecar beside the application is called.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use engine::Config;
use engine::config::{MeshPeer, Settings, UpstreamProtocol};
use identity::Member;
use proxy::{LogSink, Options, Proxy};

pub use crate::http2::free_address;
use crate::issuer::{Authority, id};
use crate::made;

/// The server name of the service.
pub const SERVER_NAME: &str = "8080.cart.shop.svc.bank.example";

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy with its identity.
pub struct Side {
    proxy: Option<Proxy>,
    pub address: SocketAddr,
    pub member: Arc<Member>,
    log: PathBuf,
}

impl Side {
    pub fn start(address: SocketAddr, member: Arc<Member>, config: Config) -> Side {
        let number = PROXIES.fetch_add(1, Ordering::Relaxed);
        let log = std::env::temp_dir().join(format!("selvedge-mesh-{}-{number}.log", std::process::id()));
        let options = Options {
            workers: 1,
            admin: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            access_log: LogSink::File(log.clone()),
            drain: Duration::from_secs(1),
            member: Some(member.clone()),
            usage: None,
            locality: None,
            deleted_ports: proxy::DeletedPorts::Drain,
        };
        // On a thread of its own: the caller may be an asynchronous task.
        let start = move || {
            let proxy = Proxy::start(options).expect("the proxy starts");
            let applied = proxy.apply(Arc::new(config));
            assert!(applied.bound.iter().all(|bound| bound.error.is_none()), "{:?}", applied.bound);
            proxy
        };
        let proxy = Some(std::thread::spawn(start).join().expect("a proxy"));
        Side { proxy, address, member, log }
    }

    pub fn apply(&self, config: Config) {
        self.proxy.as_ref().expect("a proxy").apply(Arc::new(config));
    }

    pub fn metrics(&self) -> String {
        let address = self.proxy.as_ref().and_then(Proxy::admin_address).expect("an admin address");
        let mut stream = TcpStream::connect(address).expect("the admin address answers");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// The sum of all series of this name whose labels have this text.
    pub fn count(&self, name: &str, label: &str) -> u64 {
        let metrics = self.metrics();
        let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    pub fn failures(&self, code: &str) -> u64 {
        self.count("selvedge_failures_total", &format!("\"{code}\""))
    }

    /// Waits until a failure has been counted.
    pub fn await_failure(&self, code: &str) {
        until(&format!("{code} is counted"), || self.failures(code) > 0);
    }

    /// Waits until the log has a line with this text, and returns it.
    pub fn await_line(&self, text: &str) -> String {
        let mut found = None;
        until(&format!("{text} is logged"), || {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            found = log.lines().find(|line| line.contains(text)).map(str::to_owned);
            found.is_some()
        });
        found.expect("a line")
    }
}

static PROXIES: AtomicUsize = AtomicUsize::new(0);

impl Drop for Side {
    fn drop(&mut self) {
        if let Some(proxy) = self.proxy.take() {
            // A drain waits for clients that a failed test has left behind.
            std::thread::spawn(move || proxy.drain());
        }
        let _ = std::fs::remove_file(&self.log); // What is left in a temporary place harms nobody.
    }
}

/// Waits for a state.
pub fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let (sender, receiver) = std::sync::mpsc::sync_channel::<()>(1);
    let began = now();
    while !reached() {
        assert!(now() - began < PATIENCE, "in vain: {what}");
        let _ = receiver.recv_timeout(Duration::from_millis(20)); // Nothing ever comes: a pause between two looks.
    }
    drop(sender);
}

#[expect(clippy::disallowed_methods, reason = "tests bound how long they wait")]
pub fn now() -> Instant {
    Instant::now()
}

/// The two, and whoever vouches for them.
pub struct Pair {
    pub authority: Authority,
    pub gateway: Side,
    pub sidecar: Side,
    pub application: SocketAddr,
}

/// What is different from the usual.
pub struct Plan {
    pub protocol: UpstreamProtocol,
    pub application: SocketAddr,
    pub cleartext: bool,
    pub caller_header: bool,
    pub members: Option<(Arc<Member>, Arc<Member>)>,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            protocol: UpstreamProtocol::Http1,
            application: application(),
            cleartext: false,
            caller_header: false,
            members: None,
        }
    }
}

impl Pair {
    pub fn start() -> Pair {
        Pair::with(Plan::default())
    }

    pub fn with(plan: Plan) -> Pair {
        let authority = Authority::new();
        let (web, cart) = plan
            .members
            .unwrap_or_else(|| (authority.member("web", "web-1"), authority.member("cart", "cart-1")));
        let sidecar = free_address();
        let mut config = made::inbound(sidecar, plan.application, SERVER_NAME, plan.cleartext);
        set(&mut config, plan.caller_header);
        let cluster = config.clusters[0].as_mut().and_then(Arc::get_mut).expect("the only owner");
        cluster.protocol = plan.protocol;
        let sidecar = Side::start(sidecar, cart, config);
        let listen = free_address();
        let config = outbound(listen, sidecar.address, plan.protocol);
        let gateway = Side::start(listen, web, config);
        Pair { authority, gateway, sidecar, application: plan.application }
    }
}

/// What a gateway serves that calls the service at an address.
pub fn outbound(listen: SocketAddr, sidecar: SocketAddr, protocol: UpstreamProtocol) -> Config {
    let peer = MeshPeer {
        server_name: SERVER_NAME.into(),
        identity: id("cart").parse().expect("an identity"),
        replica: "shop/cart-1".into(),
    };
    let mut config = made::outbound(listen, sidecar, peer, protocol);
    set(&mut config, false);
    config
}

fn set(config: &mut Config, caller_header: bool) {
    let port = Arc::get_mut(&mut config.ports[0]).expect("the only owner");
    port.settings = Arc::new(Settings { caller_header, ..Settings::default() });
}

/// An application that answers with the head of the request.
pub fn application() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                while let Some(head) = read_head(&mut stream) {
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{head}", head.len());
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn read_head(stream: &mut impl Read) -> Option<String> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        text.push(byte[0]);
    }
    String::from_utf8(text).ok()
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// A client over any stream.
pub struct Client<S>(pub S);

impl Client<TcpStream> {
    pub fn of(address: SocketAddr) -> Client<TcpStream> {
        let stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Client(stream)
    }
}

impl<S: Read + Write> Client<S> {
    /// `None` when the connection was closed instead of answered.
    pub fn ask(&mut self, fields: &str) -> Option<Answer> {
        let request = format!("GET /api/v1/users/1 HTTP/1.1\r\nhost: svc7.example.com\r\n{fields}\r\n");
        self.0.write_all(request.as_bytes()).ok()?;
        let head = read_head(&mut self.0)?;
        let status = head.get(9..12)?.parse().ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some(Answer { status, head, body: String::from_utf8(body).ok()? })
    }

    pub fn get(&mut self) -> Answer {
        self.ask("").expect("an answer")
    }
}
