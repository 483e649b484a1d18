//! Two members of which one calls the other, and clients that never stop asking.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::Config;
use engine::config::{MeshPeer, UpstreamProtocol};
use identity::Member;
use proxy::{LogSink, Options, Proxy};
use tests::address;
use tests::client::{RawClient, get};
use tests::script;
use tests::until::eventually_within;
use tests::upstream::Upstream;
use tokio::task::JoinHandle;

use crate::made;
use crate::plane::PATIENCE;

const SERVER_NAME: &str = "8080.cart.shop.svc.bank.example";
const HOST: &str = "svc7.example.com";
/// Clients at once, each on a connection of its own.
const CLIENTS: usize = 4;
/// As many answers more show that traffic goes on.
const ANSWERS: usize = 100;

/// The caller, the called one, and the application beside it.
pub struct Pair {
    listen: SocketAddr,
    proxies: Vec<Proxy>,
    _application: Upstream,
}

impl Pair {
    /// Starts both; who they are is kept by others.
    pub async fn start(caller: &Arc<Member>, called: &Arc<Member>) -> Pair {
        let application = Upstream::always(script::answer("200 OK", &[], b"here")).await;
        let (listen, inbound) = (address::free(), address::free());
        let peer = MeshPeer {
            server_name: SERVER_NAME.into(),
            identity: "spiffe://bank.example/ns/shop/sa/cart".parse().expect("an identity"),
            replica: "shop/cart-1".into(),
        };
        let sides = [
            (called.clone(), made::inbound(inbound, application.address, SERVER_NAME, false)),
            (caller.clone(), made::outbound(listen, inbound, peer, UpstreamProtocol::Http1)),
        ];
        let starting = tokio::task::spawn_blocking(|| sides.map(|(member, config)| serve(member, config)));
        let proxies = starting.await.expect("they start").into();
        Pair { listen, proxies, _application: application }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // A proxy must not end in an asynchronous task.
        let proxies = std::mem::take(&mut self.proxies);
        std::thread::spawn(move || drop(proxies));
    }
}

fn serve(member: Arc<Member>, config: Config) -> Proxy {
    let proxy = Proxy::start(Options {
        workers: 1,
        admin: None,
        access_log: LogSink::Off,
        drain: Duration::from_secs(1),
        member: Some(member),
        locality: None,
        usage: None,
        deleted_ports: proxy::DeletedPorts::Drain,
    });
    let proxy = proxy.expect("it starts");
    let applied = proxy.apply(Arc::new(config));
    assert!(applied.bound.iter().all(|bound| bound.error.is_none()), "{:?}", applied.bound);
    proxy
}

/// Clients that ask until they are told to stop.
pub struct Load {
    told: Arc<Told>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Told {
    stop: AtomicBool,
    answered: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

impl Load {
    /// Begins to ask.
    pub fn on(pair: &Pair) -> Load {
        let told = Arc::<Told>::default();
        let clients = (0..CLIENTS).map(|_| tokio::spawn(ask(pair.listen, told.clone()))).collect();
        Load { told, clients }
    }

    /// Waits until more was answered.
    pub async fn goes_on(&self) {
        let answered = || self.told.answered.load(Ordering::Relaxed);
        let before = answered();
        eventually_within(PATIENCE, "traffic to go on", || answered() >= before + ANSWERS).await;
    }

    /// Ends it; tells every request that was not answered with 200.
    pub async fn end(self) -> Vec<String> {
        self.told.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("it does not panic");
        }
        self.told.failed.lock().expect("no holder panics").clone()
    }
}

/// One client. It keeps its connection, and one that is closed is a failure.
async fn ask(address: SocketAddr, told: Arc<Told>) {
    let mut client = RawClient::connect(address).await;
    while !told.stop.load(Ordering::Relaxed) {
        let sent = client.try_send(get(HOST, "/", "")).await;
        let problem = match (sent, client.try_answer().await) {
            (Ok(()), Ok(answer)) if answer.status == 200 => None,
            (Ok(()), Ok(answer)) => Some(format!("{} {}", answer.status, answer.text())),
            (Err(problem), _) | (Ok(()), Err(problem)) => Some(problem),
        };
        told.answered.fetch_add(1, Ordering::Relaxed);
        if let Some(problem) = problem {
            told.failed.lock().expect("no holder panics").push(problem);
            client = RawClient::connect(address).await;
        }
    }
}
